"""The user page, and the one thing about a user's place at an account that people decide."""

from typing import Any
from urllib.parse import urlencode

from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from accounts import cards, contacts
from accounts.models import AccountUser, EndUser
from accounts.nps_panel import last_answers
from accounts.places import Place
from accounts.table.lists import USERS
from accounts.timeline import GROUPS, Search, doers, load_timeline
from accounts.views.archiving import archived_page
from accounts.views.loading import told, user_or_404
from cs_platform.tenancy.roles import Ability
from cs_platform.web.drawers import render_beside
from cs_platform.web.pages import WorkspaceRequest, close_dialog, render_page, requires, target_id

FRAGMENTS = {
    "user-body": "accounts/users/_body.html",
    "timeline": "accounts/_timeline_card.html",
    "older": "accounts/_timeline.html",
}


@require_safe
@requires(Ability.READ)
def user_page(request: WorkspaceRequest, slug: str, pk: int) -> HttpResponse:
    user = get_object_or_404(EndUser, pk=pk)
    if user.archived_at:
        return archived_page(request, USERS, user, _timeline(request, user), FRAGMENTS)
    if target_id(request) in ("timeline", "older"):
        context = _about(user) | _timeline(request, user)
        return render_page(request, "accounts/users/user.html", context, fragments=FRAGMENTS)
    return render_beside(request, "accounts/users/user.html", lambda: _page(request, user), fragments=FRAGMENTS)


def _about(user: EndUser) -> dict[str, Any]:
    return {"person": user, "subject": user, "drawer": "user_changes", "trait_page": "users:trait"}


def _page(request: WorkspaceRequest, user: EndUser) -> dict[str, Any]:
    return {
        **_about(user),
        "head_anew": target_id(request) == "user-body",
        "places": contacts.places_of(user),
        "habits": contacts.habits_of(user, today=timezone.localdate(request.now)),
        "suppression": contacts.suppression_of(user),
        "conversations": contacts.conversations_with(user),
        "nps_answers": last_answers(user),
        "traits": cards.shown_traits(user),
        **_timeline(request, user),
    }


def _timeline(request: WorkspaceRequest, user: EndUser) -> dict[str, Any]:
    search = Search.read(request.GET)
    params = search.params()
    return {
        "timeline": load_timeline(user, search=search, after=Place.read(request.GET.get("older", ""))),
        "search": search,
        "groups": GROUPS,
        "doers": doers(user),
        "beside": f"{request.path}?{urlencode(params)}{'&' if params else ''}",
    }


@require_POST
@requires(Ability.EDIT_ACCOUNTS)
def key_contact(request: WorkspaceRequest, slug: str, pk: int, account_id: int) -> HttpResponse:
    """`is_key` is empty: not any more. The switch says what was done, and switches back."""
    tie = _tie(pk, account_id)
    is_key = bool(request.POST.get("is_key"))
    contacts.set_key_contact(tie, is_key=is_key, by=request.membership, now=request.now)
    words = "is a key contact" if is_key else "is no key contact"
    return told(request, f"{tie.end_user} {words} of {tie.account.name}", "users:detail", pk)


@require_POST
@requires(Ability.EDIT_ACCOUNTS)
def leave(request: WorkspaceRequest, slug: str, pk: int, account_id: int) -> HttpResponse:
    """Asked for in the dialog that says where somebody works."""
    tie = _tie(pk, account_id)
    contacts.leave_account(tie, by=request.membership, now=request.now)
    return close_dialog(told(request, f"{tie.end_user} does not belong to {tie.account.name} now", "users:detail", pk))


def _tie(pk: int, account_id: int) -> AccountUser:
    ties = AccountUser.objects.select_related("end_user", "account")
    return get_object_or_404(ties, end_user=user_or_404(pk), account_id=account_id, account__archived_at=None)
