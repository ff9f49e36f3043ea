"""What can be clicked around the table: heads, filters in force, ready-made views. All of it is addresses."""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote

from accounts.table.columns import ANY, Column, Facet, Sort
from accounts.table.state import TableState, keys
from cs_platform.web.saved_views import ALL


@dataclass(frozen=True, slots=True)
class Item:
    label: str
    icon: str
    address: str
    current: bool


@dataclass(frozen=True, slots=True)
class Head:
    """With one sort and no filter the head itself is the link; else it opens a menu, which `menu` fetches."""

    column: Column
    aria_sort: str
    toggle: str
    menu: str
    width: int | None


def heads(state: TableState, menus: str) -> list[Head]:
    """`menus` is the address below which each column has its own."""
    here = state.address()
    return [_head(state, column, f"{menus}{quote(column.key, safe=':')}/{here}") for column in state.columns]


def _head(state: TableState, column: Column, menu: str) -> Head:
    has_menu = len(column.sorts) > 1 or column.facet is not None
    first = column.sorts[0] if column.sorts and not has_menu else None
    return Head(
        column=column,
        aria_sort=_aria_sort(state, column),
        toggle=state.sorted_by(first, descending=_next_direction(state, first)) if first else "",
        menu=menu if has_menu else "",
        width=state.widths.get(column.key),
    )


@dataclass(frozen=True, slots=True)
class ColumnMenu:
    column: Column
    sorts: tuple[Item, ...]
    choices: tuple[Item, ...]
    hide: str  # the address without it; empty for the name


def column_menu(state: TableState, column: Column) -> ColumnMenu:
    return ColumnMenu(
        column=column,
        sorts=tuple(item for sort in column.sorts for item in _directions(state, sort)),
        choices=_choices(state, column.facet) if column.facet else (),
        hide=_without(state, column),
    )


def _without(state: TableState, column: Column) -> str:
    others = [one.key for one in state.columns if one.key not in ("name", column.key)]
    return state.address(column=others) if others and column.key != "name" else ""


def _aria_sort(state: TableState, column: Column) -> str:
    if state.sort not in column.sorts:
        return ""
    return "descending" if state.descending else "ascending"


def _next_direction(state: TableState, sort: Sort) -> bool:
    return not state.descending if state.sort == sort else sort.starts_descending


def _directions(state: TableState, sort: Sort) -> list[Item]:
    words = ((False, sort.ascending, "arrow-up"), (True, sort.descending, "arrow-down"))
    return [
        Item(
            label,
            icon,
            state.sorted_by(sort, descending=descending),
            (state.sort, state.descending) == (sort, descending),
        )
        for descending, label, icon in words
    ]


def _choices(state: TableState, facet: Facet) -> tuple[Item, ...]:
    chosen = keys(state.chosen.get(facet.key, ()))
    return tuple(
        Item(
            choice.label,
            "list-filter",
            state.address(**{facet.key: None if choice.key in chosen else choice.key}),
            choice.key in chosen,
        )
        for choice in facet.choices
    )


@dataclass(frozen=True, slots=True)
class Chip:
    facet: Facet
    value: str
    remove: str


def chips(state: TableState) -> list[Chip]:
    return [
        Chip(
            facet=state.facets[key],
            value=", ".join(choice.label for choice in choices),
            remove=state.address(**{key: ANY if state.facets[key].default else None}),
        )
        for key, choices in state.chosen.items()
    ]


def presets(state: TableState) -> list[Item]:
    """Ready-made views, nothing but filters and an order; saved views come on top of these."""
    return [
        Item(label, "", state.address(**_only(state, params)), _in_force(state) == _filters(state, params))
        for label, params in state.listing.presets
    ]


def _in_force(state: TableState) -> dict[str, tuple[str, ...]]:
    return {key: keys(choices) for key, choices in state.chosen.items()} | (
        {"q": (state.search,)} if state.search else {}
    )


def _only(state: TableState, params: Mapping[str, str]) -> dict[str, str | None]:
    """Without any parameter the page would open with somebody's default view."""
    return {**dict.fromkeys((*state.facets, "q", "sort")), "view": None if params else ALL, **params}


def _filters(state: TableState, params: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    usual = {key: facet.default for key, facet in state.facets.items() if facet.default}
    return usual | {key: (value,) for key, value in params.items() if key in state.facets}
