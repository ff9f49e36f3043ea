"""The tables of accounts and of users: one address for the page, its rows, its totals and the drawer beside it."""

from typing import Any

from django.http import HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_safe

from accounts.bulk.verbs import bulk_verbs
from accounts.table.catalogue import Catalogue
from accounts.table.chooser import Chooser
from accounts.table.columns import Around
from accounts.table.links import chips, heads, presets, sort_label
from accounts.table.listing import Listing
from accounts.table.page import COUNT_LIMIT, Page, Totals, load_page, load_totals
from accounts.table.rows import Row, headings, rendered
from accounts.table.rule_filter import PARAMETER
from accounts.table.state import TableState
from accounts.table.tallies import count_tabs
from accounts.views.filtering import asked
from cs_platform.jobs.bulk import BulkVerb
from cs_platform.tenancy.roles import Ability
from cs_platform.web.drawers import page_address, render_beside
from cs_platform.web.pages import WorkspaceRequest, render_page, requires, target_id
from cs_platform.web.saved_views import opening, view_bar

FRAGMENTS = {
    "results": "accounts/_results.html",
    "totals": "accounts/_totals.html",
    "tab-counts": "accounts/_tab_counts.html",
}
EXACT = "exact"
AT_HAND = ("apply_playbook", "assign", "add_to_segment", "open_cta")


@require_safe
@requires(Ability.READ)
def show_table(request: WorkspaceRequest, slug: str, listing: Listing) -> HttpResponse:
    if opened_with := opening(request, listing.key):
        return redirect(opened_with)
    if target_id(request) == "totals":
        return render_page(request, "accounts/table.html", _counted(request, listing), fragments=FRAGMENTS)
    if target_id(request) == "tab-counts":
        return render_page(request, "accounts/table.html", _tabs(request, listing), fragments=FRAGMENTS)
    return render_beside(request, "accounts/table.html", lambda: _listed(request, listing), fragments=FRAGMENTS)


def _listed(request: WorkspaceRequest, listing: Listing) -> dict[str, Any]:
    catalogue, state, rule = asked(request, listing)
    columns = _address_of(request, listing, "columns")
    page = load_page(state, tenant_id=request.tenant.pk)
    return {
        "state": state,
        "list": listing,
        "page": page,
        "rows": _rows(request, catalogue, state, page),
        "heads": headings(heads(state, columns)),
        "chooser": Chooser(state, catalogue),
        "columns": f"{columns}{state.address()}",
        "sorts": f"{_address_of(request, listing, 'sorts')}{state.address()}",
        "sort_label": sort_label(state, catalogue.columns),
        "filters": f"{_address_of(request, listing, 'filters')}{state.address()}",
        "chips": [chip for chip in chips(state) if chip.facet.key != PARAMETER],
        "rule": rule,
        "rule_chips": rule.chips(state),
        "rule_editor": f"{_address_of(request, listing, 'filter')}{state.address()}",
        "presets": presets(state),
        "views": view_bar(request, listing.key),
        "new": _address_of(request, listing, "new"),
        "bulk": _bulk(request, listing),
        "verbs": _verbs(request, listing),
        "export": _address_of(request, listing, "export"),
        "previous": _beside(state, before=page.previous),
        "next": _beside(state, after=page.next),
        "totals": _totals(request, state) if "totals" in request.GET else None,
    }


def _rows(request: WorkspaceRequest, catalogue: Catalogue, state: TableState, page: Page) -> list[Row]:
    cells = catalogue.cells(state.columns, page.things, now=request.now, here=_here(request))
    today = timezone.localdate(request.now)
    around = Around(request.now, today, path=request.path, health_scale=request.tenant.health_scale)
    return rendered(state, page.things, cells, around, selectable=bool(_bulk(request, catalogue.listing)))


def _bulk(request: WorkspaceRequest, listing: Listing) -> str:
    """Where those selected go; empty for who may only read."""
    return _address_of(request, listing, "bulk") if request.membership.can(Ability.EDIT_ACCOUNTS) else ""


def _verbs(request: WorkspaceRequest, listing: Listing) -> list[BulkVerb]:
    """Those that people want most, a click away; the dialog offers all."""
    known = bulk_verbs(listing)
    return [known[key] for key in AT_HAND if key in known and request.membership.can(known[key].ability)]


def _address_of(request: WorkspaceRequest, listing: Listing, name: str) -> str:
    return reverse(f"{listing.key}:{name}", args=[request.tenant.slug])


def _here(request: WorkspaceRequest) -> str:
    address = page_address(request)
    return address + ("&" if "?" in address else "?")


def _beside(state: TableState, **cursor: Any) -> str:
    return state.address(**cursor) if all(cursor.values()) else ""


def _counted(request: WorkspaceRequest, listing: Listing) -> dict[str, Any]:
    _catalogue, state, _rule = asked(request, listing)
    return {"state": state, "list": listing, "totals": _totals(request, state)}


def _tabs(request: WorkspaceRequest, listing: Listing) -> dict[str, Any]:
    """How many stand behind each."""
    catalogue, state, _rule = asked(request, listing)
    own, saved = presets(state), view_bar(request, catalogue.listing.key).tabs
    addresses = [(tab.key, tab.address) for tab in own] + [(tab.key, tab.address) for tab in saved]
    queries = {key: address.removeprefix("?") for key, address in addresses}
    counts = count_tabs(queries, catalogue, tenant=request.tenant, now=request.now)
    return {"tabs": counts, "most_counted": COUNT_LIMIT}


def _totals(request: WorkspaceRequest, state: TableState) -> Totals:
    return load_totals(state, tenant_id=request.tenant.pk, exact=request.GET.get("totals") == EXACT)
