"""The accounts table: one address for the page, its rows, its totals and the drawer beside it."""

from typing import Any

from django.http import HttpResponse
from django.shortcuts import redirect
from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from django.views.decorators.http import require_safe

from accounts.table.catalogue import Catalogue
from accounts.table.chooser import Chooser
from accounts.table.links import chips, heads, presets
from accounts.table.page import Page, Totals, load_page, load_totals
from accounts.table.rows import Row, rendered
from accounts.table.rule_filter import PARAMETER, RuleFilter
from accounts.table.state import TableState
from accounts.views.filtering import filter_of, filtered
from cs_platform.tenancy.roles import Ability
from cs_platform.web.drawers import page_address, render_beside
from cs_platform.web.pages import WorkspaceRequest, render_page, requires, target_id
from cs_platform.web.saved_views import opening, view_bar

FRAGMENTS = {"results": "accounts/_results.html", "totals": "accounts/_totals.html"}
EXACT = "exact"
PAGE = "accounts"  # among those that have saved views


@require_safe
@requires(Ability.READ)
def account_table(request: WorkspaceRequest, slug: str) -> HttpResponse:
    if opened_with := opening(request, PAGE):
        return redirect(opened_with)
    if target_id(request) == "totals":
        return render_page(request, "accounts/table.html", _counted(request), fragments=FRAGMENTS)
    return render_beside(request, "accounts/table.html", lambda: _listed(request), fragments=FRAGMENTS)


def _state(request: WorkspaceRequest) -> tuple[Catalogue, TableState, RuleFilter]:
    rule = filter_of(request)
    catalogue = filtered(request, Catalogue.of(request.membership, today=timezone.localdate(request.now)), rule)
    return catalogue, TableState.of(request.GET, catalogue), rule


def _listed(request: WorkspaceRequest) -> dict[str, Any]:
    catalogue, state, rule = _state(request)
    page = load_page(state, tenant_id=request.tenant.pk)
    return {
        "state": state,
        "page": page,
        "rows": _rows(request, catalogue, state, page),
        "heads": heads(state),
        "chooser": Chooser.of(state, catalogue),
        "chips": [chip for chip in chips(state) if chip.facet.key != PARAMETER],
        "rule": rule,
        "rule_chips": rule.chips(state),
        "rule_editor": f"{reverse('accounts:filter', args=[request.tenant.slug])}{state.address()}",
        "presets": presets(state),
        "views": view_bar(request, PAGE),
        "bulk": _bulk(request),
        "previous": _address(state, before=page.previous),
        "next": _address(state, after=page.next),
        "filters": [(facet, state.chosen.get(facet.key, ())) for facet in state.facets.values() if facet.listed],
        "totals": _totals(request, state) if "totals" in request.GET else None,
    }


def _rows(request: WorkspaceRequest, catalogue: Catalogue, state: TableState, page: Page) -> list[Row]:
    cells = catalogue.cells(state.columns, page.accounts, now=request.now, here=_here(request))
    return rendered(state, page.accounts, cells, request, selectable=bool(_bulk(request)))


def _bulk(request: WorkspaceRequest) -> str:
    """Where the selected accounts go; empty for who may only read."""
    if not request.membership.can(Ability.EDIT_ACCOUNTS):
        return ""
    try:
        return reverse("accounts:bulk", args=[request.tenant.slug])
    except NoReverseMatch:
        return ""


def _here(request: WorkspaceRequest) -> str:
    address = page_address(request)
    return address + ("&" if "?" in address else "?")


def _address(state: TableState, **cursor: Any) -> str:
    return state.address(**cursor) if all(cursor.values()) else ""


def _counted(request: WorkspaceRequest) -> dict[str, Any]:
    _catalogue, state, _rule = _state(request)
    return {"state": state, "totals": _totals(request, state)}


def _totals(request: WorkspaceRequest, state: TableState) -> Totals:
    return load_totals(state, tenant_id=request.tenant.pk, exact=request.GET.get("totals") == EXACT)
