"""The account page."""

from typing import Any
from urllib.parse import urlencode

from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from django.utils import timezone
from django.views.decorators.http import require_safe

from accounts import cards
from accounts.facts import family_of
from accounts.fields import workspace_fields
from accounts.forms import NoteForm
from accounts.health.reading import Breakdown, breakdown_of
from accounts.indicators import active_indicators, past_indicators
from accounts.models import Account
from accounts.notes import load_notes
from accounts.panels import cards_of
from accounts.places import Place
from accounts.reach import reaches
from accounts.rule_field import people_of
from accounts.segments.listing import offered_to, segments_of
from accounts.table.lists import ACCOUNTS
from accounts.timeline import GROUPS, Search, doers, load_timeline
from accounts.views.archiving import archived_page
from accounts.views.traits import traits_form
from cs_platform.tenancy.roles import Ability
from cs_platform.web.drawers import render_beside
from cs_platform.web.pages import WorkspaceRequest, render_page, requires, target_id

OFFERED_SEGMENTS = 50
FRAGMENTS = {
    "account-body": "accounts/_body.html",
    "traits": "accounts/_traits.html",
    "timeline": "accounts/_timeline_card.html",
    "older": "accounts/_timeline.html",
    "notes": "accounts/_notes.html",
    "older-notes": "accounts/_note_lines.html",
    "past-indicators": "accounts/_past_indicators.html",
}


@require_safe
@requires(Ability.READ)
def account_page(request: WorkspaceRequest, slug: str, pk: int) -> HttpResponse:
    account = get_object_or_404(Account.objects.select_related("csm", "ae"), pk=pk)
    if account.archived_at:
        return archived_page(request, ACCOUNTS, account, _timeline(request, account), FRAGMENTS)
    part = PARTS.get(target_id(request) or "")
    if part:
        context = _about(account) | part(request, account)
        return render_page(request, "accounts/account.html", context, fragments=FRAGMENTS)
    return render_beside(request, "accounts/account.html", lambda: _page(request, account), fragments=FRAGMENTS)


def _page(request: WorkspaceRequest, account: Account) -> dict[str, Any]:
    cause_holds = account.known_cause_until and account.known_cause_until >= timezone.localdate(request.now)
    return {
        **_about(account),
        "head_anew": target_id(request) == "account-body",
        "arr_cents": account.arr_cents,
        "usage": cards.usage(account, now=request.now),
        "cause_holds": cause_holds,
        "may_run": reaches(request.membership, Ability.RUN_PLAYBOOKS, account),
        "indicators": active_indicators(account),
        "roles": cards.role_lines(account, slug=request.tenant.slug),
        "family": family_of(account),
        "panels": cards_of(request, account),
        "users": cards.first_users(account),
        "conversations": cards.conversations(account),
        "health": _health(request, account),
        "segments": segments_of(account),
        "offered": offered_to(account)[:OFFERED_SEGMENTS],
        **_traits(request, account),
        **_timeline(request, account),
        **_notes(request, account),
        **_past(request, account),
    }


def _about(account: Account) -> dict[str, Any]:
    """`subject` and the two names are what parts shared with the user page go by."""
    return {"account": account, "subject": account, "drawer": "changes", "trait_page": "accounts:trait"}


def _health(request: WorkspaceRequest, account: Account) -> Breakdown:
    people, today = people_of(request.tenant.pk), timezone.localdate(request.now)
    return breakdown_of(account, fields=workspace_fields(), people=people, today=today)


def _traits(request: WorkspaceRequest, account: Account) -> dict[str, Any]:
    editing = request.GET.get("edit") == "traits" and request.membership.can(Ability.EDIT_ACCOUNTS)
    return {
        "traits": cards.shown_traits(account),
        "form": traits_form(request, account) if editing else None,
        "beside": _beside(request),
    }


def _timeline(request: WorkspaceRequest, account: Account) -> dict[str, Any]:
    search = Search.read(request.GET)
    return {
        "timeline": load_timeline(account, search=search, after=Place.read(request.GET.get("older", ""))),
        "search": search,
        "groups": GROUPS,
        "doers": doers(account),
        "beside": _beside(request),
    }


def _notes(request: WorkspaceRequest, account: Account) -> dict[str, Any]:
    notes = load_notes(account, after=Place.read(request.GET.get("notes", "")))
    return {"notes": notes, "note_form": NoteForm()}


def _past(request: WorkspaceRequest, account: Account) -> dict[str, Any]:
    return {"past": past_indicators(account), "beside": _beside(request)}


PARTS = {
    "traits": _traits,
    "timeline": _timeline,
    "older": _timeline,
    "notes": _notes,
    "older-notes": _notes,
    "past-indicators": _past,
}


def _beside(request: WorkspaceRequest) -> str:
    """The page as it is narrowed, ready for one more parameter: a drawer, or the place to go on from."""
    params = Search.read(request.GET).params()
    return f"{request.path}?{urlencode(params)}{'&' if params else ''}"
