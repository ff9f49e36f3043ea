"""Settings → Connectors: what playbooks speak to, set up, tested, renewed and put away."""

from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from cs_platform.connectors.mailboxes import disconnect
from cs_platform.connectors.managing import CannotConnect, change, connect, put_away, renew_secret, try_again
from cs_platform.connectors.models import Connector, Mailbox
from cs_platform.connectors.providers import PROVIDERS
from cs_platform.connectors.testing import ask_for_test
from cs_platform.tenancy.roles import Ability
from cs_platform.web.pages import WorkspaceRequest, render_page, requires

MAILBOXES_SHOWN = 200
FRAGMENTS = {"connector": "connectors/_standing.html"}


class NameForm(forms.Form):
    name = forms.CharField(max_length=100)
    url = forms.CharField(
        label="Address",
        max_length=2_000,
        required=False,
        help_text="https://… Of Segment and Intercom only where it is another.",
    )


class ConnectForm(NameForm):
    kind = forms.ChoiceField(choices=[(one.key, one.label) for one in PROVIDERS.values()])
    key = forms.SlugField(max_length=40, help_text="How playbooks name it; it stays.")
    secret = forms.CharField(
        max_length=2_000,
        required=False,
        help_text="Segment’s write key, Intercom’s token, Slack’s address. A webhook’s is made if you leave it empty.",
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )

    field_order = ["kind", "name", "key", "url", "secret"]


class SecretForm(forms.Form):
    secret = forms.CharField(
        label="New secret", max_length=2_000, required=False, widget=forms.TextInput(attrs={"autocomplete": "off"})
    )


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Ability.MANAGE_CONNECTIONS)
def connector_list(request: WorkspaceRequest, slug: str) -> HttpResponse:
    form = ConnectForm(request.POST if request.method == "POST" else None, initial={"kind": "webhook"})
    if form.is_valid():
        try:
            connector, secret = connect(**form.cleaned_data, by=request.membership, now=request.now)
        except CannotConnect as refusal:
            form.add_error(refusal.field, str(refusal))
        else:
            return _shown(request, connector, secret=secret if connector.provider.makes_secret else "")
    mailboxes = Mailbox.objects.select_related("member").order_by("member__name", "pk")
    connectors = Connector.objects.present().order_by("name", "pk")
    context = {"connectors": connectors, "mailboxes": mailboxes[:MAILBOXES_SHOWN], "form": form}
    return render_page(request, "connectors/list.html", context, status=422 if form.is_bound else 200)


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Ability.MANAGE_CONNECTIONS)
def connector_detail(request: WorkspaceRequest, slug: str, pk: int) -> HttpResponse:
    connector = _or_404(pk)
    form = NameForm(request.POST if request.method == "POST" else None, initial=vars(connector))
    if form.is_valid():
        try:
            change(connector, **form.cleaned_data, by=request.membership, now=request.now)
        except CannotConnect as refusal:
            form.add_error(refusal.field, str(refusal))
        else:
            return _back(request, connector, "Saved.")
    return _shown(request, connector, form=form, status=422 if form.is_bound else 200)


@never_cache
def _shown(
    request: WorkspaceRequest, connector: Connector, *, status: int = 200, secret: str = "", **forms: Any
) -> HttpResponse:
    """With its secret, this once."""
    usual = {"form": NameForm(initial=vars(connector)), "secret_form": SecretForm()}
    context = {"connector": connector, "secret": secret, **usual, **forms}
    return render_page(request, "connectors/detail.html", context, fragments=FRAGMENTS, status=status)


@require_POST
@requires(Ability.MANAGE_CONNECTIONS)
def renew(request: WorkspaceRequest, slug: str, pk: int) -> HttpResponse:
    connector, form = _or_404(pk), SecretForm(request.POST)
    if form.is_valid():
        try:
            secret = renew_secret(connector, **form.cleaned_data, by=request.membership, now=request.now)
        except CannotConnect as refusal:
            form.add_error(refusal.field, str(refusal))
        else:
            return _shown(request, connector, secret=secret if connector.provider.makes_secret else "")
    return _shown(request, connector, secret_form=form, status=422)


@require_POST
@requires(Ability.MANAGE_CONNECTIONS)
def act(request: WorkspaceRequest, slug: str, pk: int, verb: str) -> HttpResponse:
    connector = _or_404(pk)
    if verb == "test":
        ask_for_test(connector, now=request.now)
        return _back(request, connector, "A message is on its way.")
    if verb == "retry":
        try_again(connector, by=request.membership, now=request.now)
        return _back(request, connector, "What waited goes on.")
    put_away(connector, by=request.membership, now=request.now)
    messages.success(request, f"{connector.name} is put away. What playbooks would send with it waits.")
    return redirect("connectors:list", slug)


@require_POST
@requires(Ability.MANAGE_CONNECTIONS)
def disconnect_mailbox(request: WorkspaceRequest, slug: str, pk: int) -> HttpResponse:
    mailbox = get_object_or_404(Mailbox.objects.select_related("member"), pk=pk)
    disconnect(mailbox, by=request.membership, now=request.now)
    messages.success(request, f"{mailbox.member.name}’s mailbox is disconnected. What was to be sent from it waits.")
    return redirect("connectors:list", slug)


def _or_404(pk: int) -> Connector:
    return get_object_or_404(Connector.objects.present().select_related("created_by"), pk=pk)


def _back(request: WorkspaceRequest, connector: Connector, text: str) -> HttpResponse:
    messages.success(request, text)
    return redirect("connectors:detail", request.tenant.slug, connector.pk)
