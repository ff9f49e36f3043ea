"""Correcting by hand what an account or a user is known by, in a dialog."""

from collections.abc import Callable
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.http import HttpResponse
from django.views.decorators.http import require_http_methods

from accounts.adding import CannotAdd
from accounts.editing import edit_account, edit_user, place_user
from accounts.forms import AccountFactsForm, PlaceForm, UserFactsForm
from accounts.models import Account, AccountUser, EndUser
from accounts.views.loading import account_or_404, told, user_or_404
from cs_platform.tenancy.roles import Ability
from cs_platform.web.pages import WorkspaceRequest, close_dialog, render_page, requires

VERBS = ["GET", "HEAD", "POST"]
_FIELDS = {"mrr_cents": "mrr"}


@require_http_methods(VERBS)
@requires(Ability.EDIT_ACCOUNTS)
def edit_account_facts(request: WorkspaceRequest, slug: str, pk: int) -> HttpResponse:
    account = account_or_404(pk)
    form = AccountFactsForm(_data(request), account=account, tenant=request.tenant)
    return _answer(
        request, account, form, "account", lambda: edit_account(account, form.facts, **_by(request)), "Details saved"
    )


@require_http_methods(VERBS)
@requires(Ability.EDIT_ACCOUNTS)
def edit_user_facts(request: WorkspaceRequest, slug: str, pk: int) -> HttpResponse:
    user = user_or_404(pk)
    form = UserFactsForm(_data(request), user=user)
    return _answer(request, user, form, "user", lambda: edit_user(user, form.facts, **_by(request)), "Details saved")


@require_http_methods(VERBS)
@requires(Ability.EDIT_ACCOUNTS)
def place(request: WorkspaceRequest, slug: str, pk: int) -> HttpResponse:
    """At which account somebody works, and as what."""
    user = user_or_404(pk)
    given = {name: request.GET.get(name, "").replace("\x00", "") for name in ("account", "role")}
    form = PlaceForm(_data(request), initial=given)
    there = AccountUser.objects.filter(end_user=user, account__external_id=given["account"], account__archived_at=None)

    def save() -> object:
        account, role = form.cleaned_data["account"], form.cleaned_data["role"]
        return place_user(user, account, role=role, **_by(request))

    tie = there.select_related("account").first() if given["account"] else None
    return _answer(request, user, form, "place", save, "Account and role saved", tie=tie)


def _data(request: WorkspaceRequest) -> Any:
    return request.POST if request.method == "POST" else None


def _by(request: WorkspaceRequest) -> dict[str, Any]:
    return {"tenant": request.tenant, "by": request.membership, "now": request.now}


def _answer(
    request: WorkspaceRequest,
    subject: Account | EndUser,
    form: forms.Form,
    dialog: str,
    save: Callable[[], object],
    said: str,
    **more: Any,
) -> HttpResponse:
    page = "accounts:detail" if isinstance(subject, Account) else "users:detail"
    if form.is_valid():
        try:
            if form.has_changed() or dialog == "place":
                save()
            return close_dialog(told(request, said, page, subject.pk))
        except CannotAdd as refusal:
            for name, words in refusal.faults.items():
                field = _FIELDS.get(name, name)
                form.add_error(field if field in form.fields else None, ValidationError(words))
    context = {"subject": subject, "form": form, "dialog": f"accounts/_edit_{dialog}.html", "page": page, **more}
    fragments = {"dialog": f"accounts/_edit_{dialog}.html"}
    status = 422 if form.is_bound else 200
    return render_page(request, "accounts/edit.html", context, fragments=fragments, status=status)
