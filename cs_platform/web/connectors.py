"""Settings → Connectors: what playbooks speak to, set up, tested, renewed and put away."""

from dataclasses import dataclass
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
from cs_platform.connectors.providers import PROVIDERS, Provider
from cs_platform.connectors.testing import ask_for_test
from cs_platform.tenancy.roles import Ability
from cs_platform.web.pages import WorkspaceRequest, render_page, requires

MAILBOXES_SHOWN = 200
FRAGMENTS = {"connector": "connectors/_standing.html"}
KINDS = {"new-connector": "connectors/_new.html"}


@dataclass(frozen=True, slots=True)
class Words:
    """What the other side calls the secret, where it shows it, and when an address is wanted."""

    secret: str
    secret_at: str
    url: str = ""


WORDS = {
    "webhook": Words(
        secret="Signing secret",
        secret_at="Leave it empty to have one made, which is shown once.",
        url="Where calls go, for example https://example.com/hooks.",
    ),
    "slack": Words(
        secret="Webhook address",
        secret_at="In Slack: your app, Incoming Webhooks. It is of one channel: https://hooks.slack.com/…",
    ),
    "segment": Words(
        secret="Write key",
        secret_at="In Segment: Connections, Sources, your HTTP source, Settings, API keys.",
        url="Only where it is not https://api.segment.io.",
    ),
    "intercom": Words(
        secret="Access token",
        secret_at="In Intercom: Developer Hub, your app, Authentication.",
        url="Only for a workspace in Europe or Australia: https://api.eu.intercom.io, https://api.au.intercom.io.",
    ),
}


class _OfKind(forms.Form):
    """Asks for what this kind of connector needs, in the words of the other side."""

    def __init__(self, *args: Any, provider: Provider, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        words = WORDS[provider.key]
        if provider.url_is_secret:
            self.fields.pop("url", None)
        if url := self.fields.get("url"):
            url.help_text, url.required = words.url, not provider.has_own_url
        if secret := self.fields.get("secret"):
            secret.label, secret.help_text, secret.required = words.secret, words.secret_at, not provider.makes_secret


class NameForm(_OfKind):
    name = forms.CharField(max_length=100)
    url = forms.CharField(label="Address", max_length=2_000)


class ConnectForm(NameForm):
    kind = forms.ChoiceField(choices=[(one.key, one.label) for one in PROVIDERS.values()], widget=forms.HiddenInput)
    key = forms.SlugField(max_length=40, help_text="How playbooks name it; it stays.")
    secret = forms.CharField(max_length=2_000, widget=forms.TextInput(attrs={"autocomplete": "off"}))

    field_order = ["kind", "name", "key", "url", "secret"]


class SecretForm(_OfKind):
    secret = forms.CharField(max_length=2_000, widget=forms.TextInput(attrs={"autocomplete": "off"}))


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Ability.MANAGE_CONNECTIONS)
def connector_list(request: WorkspaceRequest, slug: str) -> HttpResponse:
    asked = request.POST if request.method == "POST" else request.GET
    provider = PROVIDERS.get(asked.get("kind", ""), PROVIDERS["webhook"])
    initial = {"kind": provider.key, "name": provider.label, "key": provider.key}
    form = ConnectForm(request.POST if request.method == "POST" else None, provider=provider, initial=initial)
    if form.is_valid():
        try:
            connector, secret = connect(**form.cleaned_data, by=request.membership, now=request.now)
        except CannotConnect as refusal:
            form.add_error(refusal.field, str(refusal))
        else:
            return _shown(request, connector, secret=secret if connector.provider.makes_secret else "")
    mailboxes = Mailbox.objects.select_related("member").order_by("member__name", "pk")
    connectors = Connector.objects.present().order_by("name", "pk")
    context = {
        "connectors": connectors,
        "mailboxes": mailboxes[:MAILBOXES_SHOWN],
        "form": form,
        "kinds": PROVIDERS.values(),
        "kind": provider,
    }
    status = 422 if form.is_bound else 200
    return render_page(request, "connectors/list.html", context, fragments=KINDS, status=status)


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Ability.MANAGE_CONNECTIONS)
def connector_detail(request: WorkspaceRequest, slug: str, pk: int) -> HttpResponse:
    connector = _or_404(pk)
    posted = request.POST if request.method == "POST" else None
    form = NameForm(posted, provider=connector.provider, initial=vars(connector))
    if form.is_valid():
        try:
            change(connector, **{"url": "", **form.cleaned_data}, by=request.membership, now=request.now)
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
    provider = connector.provider
    usual = {"form": NameForm(provider=provider, initial=vars(connector)), "secret_form": SecretForm(provider=provider)}
    context = {"connector": connector, "secret": secret, **usual, **forms}
    return render_page(request, "connectors/detail.html", context, fragments=FRAGMENTS, status=status)


@require_POST
@requires(Ability.MANAGE_CONNECTIONS)
def renew(request: WorkspaceRequest, slug: str, pk: int) -> HttpResponse:
    connector = _or_404(pk)
    form = SecretForm(request.POST, provider=connector.provider)
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
