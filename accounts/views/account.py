"""The account page."""

from typing import Any

from django.http import HttpResponse
from django.views.decorators.http import require_safe

from accounts import cards
from accounts.models import Account
from accounts.panels import panels
from accounts.places import Place
from accounts.table.built_in import MONTHS
from accounts.timeline import load_timeline
from accounts.views.loading import account_or_404
from accounts.views.traits import traits_form
from cs_platform.tenancy.roles import Ability
from cs_platform.web.drawers import render_beside
from cs_platform.web.pages import WorkspaceRequest, render_page, requires, target_id

FRAGMENTS = {
    "account-body": "accounts/_body.html",
    "traits": "accounts/_traits.html",
    "older": "accounts/_timeline.html",
}


@require_safe
@requires(Ability.READ)
def account_page(request: WorkspaceRequest, slug: str, pk: int) -> HttpResponse:
    account = account_or_404(pk)
    part = {"traits": _traits, "older": _timeline}.get(target_id(request) or "")
    if part:
        context = {"account": account} | part(request, account)
        return render_page(request, "accounts/account.html", context, fragments=FRAGMENTS)
    return render_beside(request, "accounts/account.html", lambda: _page(request, account), fragments=FRAGMENTS)


def _page(request: WorkspaceRequest, account: Account) -> dict[str, Any]:
    return {
        "account": account,
        "arr_cents": None if account.mrr_cents is None else account.mrr_cents * MONTHS,
        "usage": cards.usage(account, now=request.now),
        "indicators": cards.active_indicators(account),
        "panels": [(panel, panel.fragment(request, account)) for panel in panels()],
        "users": cards.first_users(account),
        "conversations": cards.conversations(account),
        **_traits(request, account),
        **_timeline(request, account),
    }


def _traits(request: WorkspaceRequest, account: Account) -> dict[str, Any]:
    editing = request.GET.get("edit") == "traits" and request.membership.can(Ability.EDIT_ACCOUNTS)
    return {
        "traits": cards.account_traits(account),
        "form": traits_form(request, account) if editing else None,
    }


def _timeline(request: WorkspaceRequest, account: Account) -> dict[str, Any]:
    return {"timeline": load_timeline(account, after=Place.read(request.GET.get("older", "")))}
