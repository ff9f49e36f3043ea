"""Risks and opportunities: raising one by hand, what is done about it, and what is said about it."""

from typing import Any

from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.actors import load_actors
from accounts.forms import IndicatorForm
from accounts.indicators import comment_on
from accounts.models import Indicator
from accounts.views.loading import account_or_404, changed, team
from cs_platform.tenancy.roles import Ability
from cs_platform.web.comments import NOTHING_SAID, load_discussion, said
from cs_platform.web.drawers import Fragment, page_address
from cs_platform.web.pages import WorkspaceRequest, close_dialog, go_to, render_page, requires, target_id

BEATEN = "Somebody changed it before you"
VERBS = {"address": "marked as addressed", "end": "ended", "reopen": "active again"}


def indicator_or_404(pk: int) -> Indicator:
    present = Indicator.objects.filter(account__archived_at=None)
    return get_object_or_404(present.select_related("account", "assignee"), pk=pk)


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Ability.EDIT_ACCOUNTS)
def raise_indicator(request: WorkspaceRequest, slug: str, pk: int) -> HttpResponse:
    account = account_or_404(pk)
    form = IndicatorForm(request.POST if request.method == "POST" else None, members=team(request))
    if request.method == "POST" and form.is_valid():
        indicator = Indicator.raise_on(account, **form.raised(), by=request.membership, now=request.now)
        return close_dialog(changed(request, account.pk, f"{indicator.get_kind_display()} raised: {indicator.title}"))
    return render_page(
        request,
        "accounts/raise.html",
        {"account": account, "form": form},
        fragments={"dialog": "accounts/_raise_dialog.html"},
        status=422 if form.is_bound else 200,
    )


@require_POST
@requires(Ability.EDIT_ACCOUNTS)
def settle_indicator(request: WorkspaceRequest, slug: str, pk: int, verb: str) -> HttpResponse:
    indicator = indicator_or_404(pk)
    act = {"address": indicator.address, "end": indicator.end, "reopen": indicator.reopen}[verb]
    acted = act(by=request.membership, now=request.now)
    undo = None if verb == "reopen" else reverse("accounts:settle", args=[slug, pk, "reopen"])
    if not acted:
        return changed(request, indicator.account_id, BEATEN)
    return changed(request, indicator.account_id, f"{indicator.title} {VERBS[verb]}", undo=undo)


@require_POST
@requires(Ability.EDIT_ACCOUNTS)
def assign_indicator(request: WorkspaceRequest, slug: str, pk: int) -> HttpResponse:
    indicator, chosen = indicator_or_404(pk), request.POST.get("assignee", "")
    assignee = next((one for one in team(request) if str(one.pk) == chosen), None)
    if chosen and assignee is None:
        return changed(request, indicator.account_id, "Choose somebody of the team")
    indicator.assign(assignee, by=request.membership, now=request.now)
    return changed(request, indicator.account_id, f"Assigned to {assignee.name if assignee else 'nobody'}")


# --- the drawer and what is said in it --------------------------------------------------------------------------------


@require_safe
@requires(Ability.READ)
def indicator_page(request: WorkspaceRequest, slug: str, pk: int) -> HttpResponse:
    """As a page of its own it is the account's, with the drawer open."""
    if target_id(request) is None:
        return go_to(request, _address(request, indicator_or_404(pk)))
    fragment = drawer(request, pk)
    return render_page(request, fragment.template, fragment.context)


def drawer(request: WorkspaceRequest, pk: int) -> Fragment:
    indicator = indicator_or_404(pk)
    actors = load_actors({indicator.raised_by, indicator.settled_by})
    say = reverse("accounts:comment", args=[request.tenant.slug, pk])
    context: dict[str, Any] = {
        "indicator": indicator,
        "raised_by": actors[indicator.raised_by],
        "settled_by": actors[indicator.settled_by],
        "discussion": load_discussion(indicator.subject, say=say),
        "team": team(request) if request.membership.can(Ability.EDIT_ACCOUNTS) else (),
        "here": page_address(request, indicator=pk),
        "close": page_address(request),
    }
    return Fragment("accounts/_indicator_drawer.html", context)


def _address(request: WorkspaceRequest, indicator: Indicator) -> str:
    page = reverse("accounts:detail", args=[request.tenant.slug, indicator.account_id])
    return f"{page}?indicator={indicator.pk}"


@require_POST
@requires(Ability.COMMENT)
def comment(request: WorkspaceRequest, slug: str, pk: int) -> HttpResponse:
    indicator, body = indicator_or_404(pk), said(request)
    if body is None:
        return changed(request, indicator.account_id, NOTHING_SAID)
    comment_on(indicator, body=body, by=request.membership, now=request.now)
    return changed(request, indicator.account_id, "Comment written")
