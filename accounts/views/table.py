"""The accounts table: one address for the page, its rows, its totals and the drawer beside it."""

from typing import Any

from django.http import HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_safe

from accounts.table.catalogue import Catalogue
from accounts.table.links import chips, heads, presets
from accounts.table.page import Page, Totals, load_page, load_totals
from accounts.table.state import TableState
from cs_platform.tenancy.roles import Ability
from cs_platform.web.drawers import page_address, render_beside
from cs_platform.web.pages import WorkspaceRequest, render_page, requires, target_id

FRAGMENTS = {"results": "accounts/_results.html", "totals": "accounts/_totals.html"}
EXACT = "exact"


@require_safe
@requires(Ability.READ)
def account_table(request: WorkspaceRequest, slug: str) -> HttpResponse:
    if target_id(request) == "totals":
        return render_page(request, "accounts/table.html", _counted(request), fragments=FRAGMENTS)
    return render_beside(request, "accounts/table.html", lambda: _listed(request), fragments=FRAGMENTS)


def _state(request: WorkspaceRequest) -> tuple[Catalogue, TableState]:
    catalogue = Catalogue.of(request.membership, today=timezone.localdate(request.now))
    return catalogue, TableState.of(request.GET, catalogue)


def _listed(request: WorkspaceRequest) -> dict[str, Any]:
    catalogue, state = _state(request)
    page = load_page(state, tenant_id=request.tenant.pk)
    return {
        "state": state,
        "page": page,
        "rows": _rows(request, catalogue, state, page),
        "heads": heads(state),
        "chips": chips(state),
        "presets": presets(state),
        "previous": _address(state, before=page.previous),
        "next": _address(state, after=page.next),
        "filters": [(facet, state.chosen.get(facet.key, ())) for facet in state.facets.values() if facet.listed],
        "totals": _totals(request, state) if "totals" in request.GET else None,
    }


def _rows(request: WorkspaceRequest, catalogue: Catalogue, state: TableState, page: Page) -> list[tuple[Any, Any]]:
    cells = catalogue.cells(state.columns, page.accounts, now=request.now, here=_here(request))
    return [
        (account, [(column, cells.get((account.pk, column.key))) for column in state.columns])
        for account in page.accounts
    ]


def _here(request: WorkspaceRequest) -> str:
    address = page_address(request)
    return address + ("&" if "?" in address else "?")


def _address(state: TableState, **cursor: Any) -> str:
    return state.address(**cursor) if all(cursor.values()) else ""


def _counted(request: WorkspaceRequest) -> dict[str, Any]:
    _catalogue, state = _state(request)
    return {"state": state, "totals": _totals(request, state)}


def _totals(request: WorkspaceRequest, state: TableState) -> Totals:
    return load_totals(state, tenant_id=request.tenant.pk, exact=request.GET.get("totals") == EXACT)
