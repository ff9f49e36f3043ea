"""Adding an account or a user by hand, in a dialog."""

from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from accounts.adding import CannotAdd, add_account, add_user
from accounts.forms import NewAccountForm, NewUserForm
from accounts.models import Account
from accounts.views.loading import team
from cs_platform.tenancy.roles import Ability
from cs_platform.web.pages import WorkspaceRequest, go_to, render_page, requires

_FIELDS = {"mrr_cents": "mrr"}


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Ability.EDIT_ACCOUNTS)
def new_account(request: WorkspaceRequest, slug: str) -> HttpResponse:
    form = NewAccountForm(
        request.POST if request.method == "POST" else None, tenant=request.tenant, members=team(request)
    )
    if form.is_valid():
        try:
            made = add_account(
                form.facts,
                external_id=form.cleaned_data["external_id"],
                people=form.holders(),
                tenant=request.tenant,
                by=request.membership,
                now=request.now,
            )
            return _added(request, made.name, made.get_absolute_url())
        except CannotAdd as refusal:
            _refuse(form, refusal)
    return _dialog(request, "account", form)


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Ability.EDIT_ACCOUNTS)
def new_user(request: WorkspaceRequest, slug: str) -> HttpResponse:
    form = NewUserForm(request.POST if request.method == "POST" else None, initial={"account": _asked_for(request)})
    if form.is_valid():
        try:
            made = add_user(form.wording, tenant=request.tenant, by=request.membership, now=request.now)
            return _added(request, str(made), reverse("users:detail", args=[slug, made.pk]))
        except CannotAdd as refusal:
            _refuse(form, refusal)
    return _dialog(request, "user", form)


def _asked_for(request: WorkspaceRequest) -> str:
    """`?account=31`: from the page of this one."""
    asked = request.GET.get("account", "")
    number = int(asked) if asked.isascii() and asked.isdecimal() and len(asked) < 19 else 0
    found = Account.objects.present().filter(pk=number).first() if number else None
    return found.external_id if found else ""


def _added(request: WorkspaceRequest, name: str, address: str) -> HttpResponse:
    messages.success(request, f"{name} added")
    return go_to(request, address)


def _refuse(form: forms.Form, refusal: CannotAdd) -> None:
    for name, words in refusal.faults.items():
        field = _FIELDS.get(name, name)
        form.add_error(field if field in form.fields else None, ValidationError(words))


def _dialog(request: WorkspaceRequest, noun: str, form: forms.Form) -> HttpResponse:
    context = {"noun": noun, "form": form, "new": reverse(f"{noun}s:new", args=[request.tenant.slug])}
    fragments = {"dialog": f"accounts/_new_{noun}.html"}
    return render_page(request, "accounts/new.html", context, fragments=fragments, status=422 if form.is_bound else 200)
