"""Editing one value in its place: the form stands where the value was, or without scripts on a page of its own."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from accounts.facts import set_key_role, set_known_cause, set_person
from accounts.forms import CauseForm, PersonForm, TraitsForm
from accounts.holders import PERSONS
from accounts.models import Account, AccountRole, EndUser, KeyRole, TraitDefinition
from accounts.traits import set_trait
from accounts.views.loading import account_or_404, team, told, user_or_404
from cs_platform.tenancy.roles import Ability
from cs_platform.web.pages import WorkspaceRequest, render_page, requires

VERBS = ["GET", "HEAD", "POST"]
PAGES = {Account: "accounts:detail", EndUser: "users:detail"}


@dataclass(frozen=True, slots=True)
class Cell:
    """A value being edited. `place` is the id of the element beside the value that takes the form."""

    place: str
    label: str
    subject: Account | EndUser
    form: Any
    save: Callable[[Any], object]


def edit_in_place(request: WorkspaceRequest, cell: Cell) -> HttpResponse:
    page = PAGES[type(cell.subject)]
    if request.method == "POST" and cell.form.is_valid():
        if cell.form.has_changed():
            cell.save(cell.form)
        return told(request, f"{cell.label} saved", page, cell.subject.pk)
    return render_page(
        request,
        "accounts/cell.html",
        {"cell": cell, "back": page},
        fragments={cell.place: "accounts/_cell.html"},
        status=422 if cell.form.is_bound else 200,
    )


def _data(request: WorkspaceRequest) -> Any:
    return request.POST if request.method == "POST" else None


# --- traits -----------------------------------------------------------------------------------------------------------


@require_http_methods(VERBS)
@requires(Ability.EDIT_ACCOUNTS)
def edit_account_trait(request: WorkspaceRequest, slug: str, pk: int, trait_id: int) -> HttpResponse:
    return _edit_trait(request, account_or_404(pk), trait_id, scope=TraitDefinition.Scope.ACCOUNT)


@require_http_methods(VERBS)
@requires(Ability.EDIT_ACCOUNTS)
def edit_user_trait(request: WorkspaceRequest, slug: str, pk: int, trait_id: int) -> HttpResponse:
    return _edit_trait(request, user_or_404(pk), trait_id, scope=TraitDefinition.Scope.USER)


def _edit_trait(request: WorkspaceRequest, subject: Account | EndUser, trait_id: int, *, scope: str) -> HttpResponse:
    custom = TraitDefinition.objects.filter(scope=scope, source=TraitDefinition.Source.CUSTOM, archived_at=None)
    definition = get_object_or_404(custom, pk=trait_id)
    form = TraitsForm(_data(request), subject=subject, definitions=[definition], members=team(request))

    def save(form: TraitsForm) -> None:
        for _definition, value in form.changes():
            set_trait(subject, definition, value=value, by=request.membership, now=request.now)

    return edit_in_place(request, Cell(f"edit-trait-{trait_id}", definition.label, subject, form, save))


# --- people -----------------------------------------------------------------------------------------------------------


@require_http_methods(VERBS)
@requires(Ability.EDIT_ACCOUNTS)
def edit_person(request: WorkspaceRequest, slug: str, pk: int, role: str) -> HttpResponse:
    """CSM or AE."""
    account = account_or_404(pk)
    form = _person_form(request, PERSONS[role], getattr(account, f"{role}_id"))

    def save(form: PersonForm) -> None:
        set_person(account, role, member=form.chosen(), by=request.membership, now=request.now)

    return edit_in_place(request, Cell(f"edit-{role}", PERSONS[role], account, form, save))


@require_http_methods(VERBS)
@requires(Ability.EDIT_ACCOUNTS)
def edit_key_role(request: WorkspaceRequest, slug: str, pk: int, role_id: int) -> HttpResponse:
    account, role = account_or_404(pk), get_object_or_404(KeyRole, pk=role_id, archived_at=None)
    held = AccountRole.objects.filter(account=account, role=role).first()
    form = _person_form(request, role.name, held.member_id if held else None)

    def save(form: PersonForm) -> None:
        set_key_role(account, role, member=form.chosen(), by=request.membership, now=request.now)

    return edit_in_place(request, Cell(f"edit-role-{role_id}", role.name, account, form, save))


def _person_form(request: WorkspaceRequest, label: str, present: int | None) -> PersonForm:
    return PersonForm(_data(request), label=label, present=present, members=team(request))


# --- known cause ------------------------------------------------------------------------------------------------------


@require_http_methods(VERBS)
@requires(Ability.EDIT_ACCOUNTS)
def edit_known_cause(request: WorkspaceRequest, slug: str, pk: int) -> HttpResponse:
    account = account_or_404(pk)
    form = CauseForm(_data(request), account=account, today=timezone.localdate(request.now))

    def save(form: CauseForm) -> None:
        set_known_cause(account, **form.cleaned_data, by=request.membership, now=request.now)

    return edit_in_place(request, Cell("edit-known-cause", "Known cause", account, form, save))
