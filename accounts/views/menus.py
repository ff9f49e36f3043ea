"""The menus of a table, fetched when somebody opens one: most people open none, and together they are as long as the
list. Without scripts each is a page of its own.
"""

from dataclasses import replace
from typing import Any

from django.http import Http404, HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_safe

from accounts.table.catalogue import Catalogue
from accounts.table.chooser import Chooser
from accounts.table.links import ColumnMenu, column_menu, sort_menu
from accounts.table.listing import Listing
from accounts.table.page import COUNT_LIMIT
from accounts.table.state import TableState
from accounts.table.tallies import count_tabs
from accounts.views.filtering import asked
from cs_platform.tenancy.roles import Ability
from cs_platform.web.pages import WorkspaceRequest, render_page, requires, target_id
from cs_platform.web.saved_views import view_bar


@require_safe
@requires(Ability.READ)
def show_columns(request: WorkspaceRequest, slug: str, listing: Listing) -> HttpResponse:
    catalogue, state, _rule = asked(request, listing)
    views = view_bar(request, listing.key)
    return _menu(request, "columns", "Columns", state, chooser=Chooser(state, catalogue), views=views)


@require_safe
@requires(Ability.READ)
def show_filters(request: WorkspaceRequest, slug: str, listing: Listing) -> HttpResponse:
    _catalogue, state, _rule = asked(request, listing)
    offered = [facet for facet in state.facets.values() if facet.listed and facet.choices]
    return _menu(
        request,
        "filters",
        "Quick filters",
        state,
        filters=[(facet, state.chosen.get(facet.key, ())) for facet in offered],
    )


@require_safe
@requires(Ability.READ)
def show_sorts(request: WorkspaceRequest, slug: str, listing: Listing) -> HttpResponse:
    catalogue, state, _rule = asked(request, listing)
    return _menu(request, "sorts", "Sort", state, menu=sort_menu(state, catalogue.columns))


@require_safe
@requires(Ability.READ)
def show_column(request: WorkspaceRequest, slug: str, listing: Listing, key: str) -> HttpResponse:
    """By what it sorts and filters."""
    catalogue, state, _rule = asked(request, listing)
    column = catalogue.find(key)
    if column is None:
        raise Http404("There is no such column.")
    builder = reverse(f"{listing.key}:filter", args=[request.tenant.slug])
    menu = _with_counts(request, column_menu(state, column), catalogue)
    return _menu(request, "column", column.label, state, menu=menu, builder=builder)


def _with_counts(request: WorkspaceRequest, menu: ColumnMenu, catalogue: Catalogue) -> ColumnMenu:
    """What is chosen already would show all others again: it is not counted."""
    offered = {one.address: one.address.removeprefix("?") for one in menu.choices if not one.current}
    counts = count_tabs(offered, catalogue, tenant=request.tenant, now=request.now)
    said = {address: f"{COUNT_LIMIT:,}+" if count > COUNT_LIMIT else f"{count:,}" for address, count in counts.items()}
    return replace(menu, choices=tuple(replace(one, count=said.get(one.address, "")) for one in menu.choices))


def _menu(request: WorkspaceRequest, name: str, title: str, state: TableState, **more: Any) -> HttpResponse:
    address = reverse(f"{state.listing.key}:list", args=[request.tenant.slug])
    template = f"accounts/menus/_{name}.html"
    context = {"list": state.listing, "state": state, "address": address, "title": title, "template": template}
    return render_page(request, template if target_id(request) else "accounts/menus/page.html", context | more)
