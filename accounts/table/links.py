"""What can be clicked around the table: heads, filters in force, ready-made views. All of it is addresses."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import quote, urlencode

from accounts.table.columns import ANY, Column, Facet, Sort
from accounts.table.places import ANYWHERE, Place, places
from accounts.table.state import TableState, keys
from cs_platform.web.saved_views import ALL


@dataclass(frozen=True, slots=True)
class Item:
    label: str
    icon: str
    address: str
    current: bool
    count: str = ""  # of what it would show


@dataclass(frozen=True, slots=True)
class Head:
    """With one sort and no filter the head itself is the link; else it opens a menu, which `menu` fetches."""

    column: Column
    aria_sort: str
    toggle: str
    menu: str
    place: Place


def heads(state: TableState, menus: str) -> list[Head]:
    """`menus` is the address below which each column has its own."""
    here, at = state.address(), places(state)
    return [
        _head(state, column, f"{menus}{quote(column.key, safe=':')}/{here}", at.get(column.key, ANYWHERE))
        for column in state.columns
    ]


def _head(state: TableState, column: Column, menu: str, place: Place) -> Head:
    has_menu = len(column.sorts) > 1 or column.facet is not None
    first = column.sorts[0] if column.sorts and not has_menu else None
    return Head(
        column=column,
        aria_sort=_aria_sort(state, column),
        toggle=state.sorted_by(first, descending=_next_direction(state, first)) if first else "",
        menu=menu if has_menu else "",
        place=place,
    )


@dataclass(frozen=True, slots=True)
class ColumnMenu:
    column: Column
    sorts: tuple[Item, ...]
    choices: tuple[Item, ...]
    asks: tuple[tuple[str, str], ...]  # words, and what the address of the rule builder ends with
    pin: Item | None  # or unpin
    hide: str  # the address without it; empty for the name


def column_menu(state: TableState, column: Column) -> ColumnMenu:
    return ColumnMenu(
        column=column,
        sorts=tuple(item for sort in column.sorts for item in _directions(state, sort)),
        choices=_choices(state, column.facet) if column.facet else (),
        asks=tuple((words, f"{state.address()}&{urlencode({'add': field})}") for words, field in column.asks),
        pin=_pin(state, column),
        hide=_without(state, column),
    )


@dataclass(frozen=True, slots=True)
class SortMenu:
    label: str  # of the order in force
    directions: tuple[Item, ...]
    others: tuple[Item, ...]


def sort_menu(state: TableState, columns: Iterable[Column]) -> SortMenu:
    """Every order of the columns that are shown. A list may lie in that of another one: `columns` are all there are."""
    others = [(column, sort) for column in state.columns for sort in column.sorts if sort != state.sort]
    return SortMenu(
        label=sort_label(state, columns),
        directions=tuple(_directions(state, state.sort)),
        others=tuple(
            Item(
                _named(column, sort),
                "arrow-down" if sort.starts_descending else "arrow-up",
                state.sorted_by(sort, descending=sort.starts_descending),
                False,
            )
            for column, sort in others
        ),
    )


def sort_label(state: TableState, columns: Iterable[Column]) -> str:
    return next(_named(column, state.sort) for column in columns if state.sort in column.sorts)


def _named(column: Column, sort: Sort) -> str:
    """“Renewal”; of a column that has several, which: “Onboarding, date applied”."""
    if len(column.sorts) == 1:
        return column.label
    return f"{column.label}, {sort.ascending.partition(',')[0].lower()}"


def _pin(state: TableState, column: Column) -> Item | None:
    """None for the name, which always stays in view."""
    if column.key in state.pinned:
        return Item("Unpin column", "pin-off", state.address(pin=_others_pinned(state, column)), False)
    if column.key == "name" or column not in state.columns:
        return None
    return Item("Pin column", "pin", state.address(pin=[*state.pinned, column.key]), False)


def _others_pinned(state: TableState, column: Column) -> list[str]:
    return [key for key in state.pinned if key != column.key]


def _without(state: TableState, column: Column) -> str:
    others = [one.key for one in state.columns if one.key not in ("name", column.key)]
    if not others or column.key == "name":
        return ""
    return state.address(column=others, pin=_others_pinned(state, column))


def _aria_sort(state: TableState, column: Column) -> str:
    if state.sort not in column.sorts:
        return ""
    return "descending" if state.descending else "ascending"


def _next_direction(state: TableState, sort: Sort) -> bool:
    return not state.descending if state.sort == sort else sort.starts_descending


def _directions(state: TableState, sort: Sort) -> list[Item]:
    """What most people want of it comes first."""
    ascending, descending = zip((False, True), (sort.ascending, sort.descending), sort.icons, strict=True)
    return [
        Item(label, icon, state.sorted_by(sort, descending=down), (state.sort, state.descending) == (sort, down))
        for down, label, icon in ([descending, ascending] if sort.starts_descending else [ascending, descending])
    ]


def _choices(state: TableState, facet: Facet) -> tuple[Item, ...]:
    chosen = keys(state.chosen.get(facet.key, ()))
    return tuple(
        Item(
            choice.label,
            choice.icon,
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


@dataclass(frozen=True, slots=True)
class Tab:
    key: str  # of the place of its number
    label: str
    address: str
    current: bool


def presets(state: TableState) -> list[Tab]:
    """Ready-made views, nothing but filters and an order; saved views come on top of these."""
    return [
        Tab(f"preset-{at}", label, state.address(**_only(state, params)), _in_force(state) == _filters(state, params))
        for at, (label, params) in enumerate(state.listing.presets)
    ]


def _in_force(state: TableState) -> dict[str, tuple[str, ...]]:
    return {key: keys(choices) for key, choices in state.chosen.items()} | (
        {"q": (state.search,)} if state.search else {}
    )


def _only(state: TableState, params: Mapping[str, str]) -> dict[str, str | None]:
    """Only the columns stay. Without any parameter the page would open with somebody's default view."""
    gone = dict.fromkeys(name for name in state.params if name not in ("column", "width", "pin"))
    return {**gone, "view": None if params else ALL, **params}


def _filters(state: TableState, params: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    usual = {key: facet.default for key, facet in state.facets.items() if facet.default}
    return usual | {key: (value,) for key, value in params.items() if key in state.facets}
