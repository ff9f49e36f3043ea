"""What the address asks of the table. The query string is the whole state, so that it can be shared and saved."""

import base64
import binascii
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import partial
from typing import Any
from urllib.parse import quote, urlencode

from django.conf import settings
from django.http import QueryDict

from accounts.rules.sql import Sql
from accounts.table.catalogue import Catalogue
from accounts.table.columns import ARCHIVED, Choice, Column, Facet, Sort, sort_of
from accounts.table.listing import Listing

PASSING = ("after", "before", "totals")  # parameters that say where in the list we are, not what it is
LOOKS = ("column", "width", "pin", "view", "sort")
SEARCH_LIMIT = 100
NARROWEST, WIDEST = 60, 640  # pixels a column can have


@dataclass(frozen=True, slots=True)
class Cursor:
    """The row beside which a page begins: its sort value, its id, and how many rows stand before that place."""

    value: Any
    id: int
    position: int

    def __str__(self) -> str:
        value = self.value.isoformat() if isinstance(self.value, date) else self.value
        return base64.urlsafe_b64encode(json.dumps([value, self.id, self.position]).encode()).decode().rstrip("=")

    @classmethod
    def read(cls, text: str, sort: Sort) -> "Cursor | None":
        """None for anything that is no cursor of this sort: the list then starts at its beginning."""
        try:
            value, id, position = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
            return cls(_typed(value, sort), _whole(id), _whole(position))
        except (ValueError, TypeError, binascii.Error):
            return None


def _typed(value: Any, sort: Sort) -> Any:
    if value is None and sort.nullable:
        return None
    if sort.type in (date, datetime):
        return sort.type.fromisoformat(value)  # type: ignore[attr-defined]
    if sort.type is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, sort.type) or (isinstance(value, str) and "\x00" in value):
        raise TypeError("The value is of another sort.")
    return value


def _whole(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**63:
        raise TypeError("Not a whole number.")
    return value


@dataclass(frozen=True, slots=True)
class TableState:
    listing: Listing
    params: QueryDict
    search: str
    found: Sql | None
    chosen: Mapping[str, tuple[Choice, ...]]  # by facet
    facets: Mapping[str, Facet]
    columns: tuple[Column, ...]  # the name, those that are pinned, all others
    widths: Mapping[str, int]  # of the columns that somebody has resized
    pinned: tuple[str, ...]
    sort: Sort
    descending: bool
    after: Cursor | None
    before: Cursor | None

    @classmethod
    def of(cls, params: QueryDict, catalogue: Catalogue) -> "TableState":
        sort, descending = _sort(params, catalogue)
        search = " ".join(params.get("q", "").replace("\x00", "").split())[:SEARCH_LIMIT]
        columns = catalogue.chosen(params.getlist("column"))
        pinned = _pinned(params, columns)
        return cls(
            listing=catalogue.listing,
            params=params,
            search=search,
            found=catalogue.listing.found(search, catalogue.is_large) if search else None,
            chosen={facet.key: found for facet in catalogue.facets if (found := _chosen(params, facet))},
            facets={facet.key: facet for facet in catalogue.facets},
            columns=tuple(sorted(columns, key=partial(_place, pinned))),
            widths=dict(_widths(params)),
            pinned=pinned,
            sort=sort,
            descending=descending,
            after=Cursor.read(params.get("after", ""), sort),
            before=Cursor.read(params.get("before", ""), sort),
        )

    def scope(self, tenant_id: int) -> Sql:
        """Without what is archived, unless that is asked for."""
        return self.listing.own(tenant_id) if ARCHIVED in self.chosen else self.listing.present(tenant_id)

    @property
    def conditions(self) -> list[Sql]:
        own = [_any_of(choices) for key, choices in self.chosen.items() if not self.facets[key].tied]
        tied = [_any_of(choices) for key, choices in self.chosen.items() if self.facets[key].tied]
        if tied and self.listing.tied:
            own.append(self.listing.tied(tied))
        return [*own, self.found] if self.found else own

    @property
    def is_filtered(self) -> bool:
        """Beyond what is in force when nobody has chosen anything."""
        usual = {key: facet.default for key, facet in self.facets.items() if facet.default}
        return bool(self.search) or usual != {key: keys(choices) for key, choices in self.chosen.items()}

    def address(self, **changes: Any) -> str:
        """This list with some parameters changed, from its beginning. None removes one."""
        given = {name: values for name, values in self.params.lists() if name not in (*PASSING, *settings.DRAWERS)}
        for name, value in changes.items():
            given[name] = [] if value is None else value if isinstance(value, list) else [str(value)]
        return f"?{urlencode(given, doseq=True, safe=':', quote_via=quote)}"

    @property
    def kept(self) -> list[tuple[str, str]]:
        """Parameters a form must carry along: all but the search and the place."""
        passing = (*PASSING, *settings.DRAWERS, "q")
        return [(name, value) for name, values in self.params.lists() if name not in passing for value in values]

    @property
    def kept_by_filters(self) -> list[tuple[str, str]]:
        """The filter form brings its own facets; the others stay as they are."""
        offered = {facet.key for facet in self.facets.values() if facet.listed}
        return [(name, value) for name, value in self.kept if name not in offered]

    @property
    def kept_by_columns(self) -> list[tuple[str, str]]:
        """The form of the columns brings those to show and to pin; how wide they are stays."""
        search = [("q", self.search)] if self.search else []
        return [*search, *((name, value) for name, value in self.kept if name not in ("column", "pin"))]

    @property
    def kept_by_selection(self) -> list[tuple[str, str]]:
        """What says which accounts match; how the list looks is nothing to them."""
        search = [("q", self.search)] if self.search else []
        return [*search, *((name, value) for name, value in self.kept if name not in LOOKS)]

    @property
    def here(self) -> str:
        """This very page of the list, without a drawer beside it."""
        return self.address(after=self.params.get("after"), before=self.params.get("before"))

    def sorted_by(self, sort: Sort, *, descending: bool) -> str:
        return self.address(sort=f"-{sort.key}" if descending else sort.key)


def keys(choices: tuple[Choice, ...]) -> tuple[str, ...]:
    return tuple(choice.key for choice in choices)


def _sort(params: QueryDict, catalogue: Catalogue) -> tuple[Sort, bool]:
    for asked in (params.get("sort", ""), catalogue.listing.sort):
        if found := sort_of(catalogue.columns, asked.removeprefix("-")):
            return found, asked.startswith("-")
    raise AssertionError("The usual sort is one of the built-in columns.")


def _widths(params: QueryDict) -> Iterator[tuple[str, int]]:
    """`width=arr:120` says it of one column, in pixels."""
    for text in params.getlist("width"):
        key, _colon, pixels = text.rpartition(":")
        if key and pixels.isascii() and pixels.isdecimal() and len(pixels) < 5:
            yield key, min(max(int(pixels), NARROWEST), WIDEST)


def _pinned(params: QueryDict, columns: Sequence[Column]) -> tuple[str, ...]:
    """In the order in which they are asked for; only what is shown can stay in view."""
    shown = {column.key for column in columns} - {"name"}
    return tuple(key for key in dict.fromkeys(params.getlist("pin")) if key in shown)


def _place(pinned: tuple[str, ...], column: Column) -> int:
    if column.key == "name":
        return -1
    return pinned.index(column.key) if column.key in pinned else len(pinned)


def _chosen(params: QueryDict, facet: Facet) -> tuple[Choice, ...]:
    return facet.chosen(one.replace("\x00", "") for one in params.getlist(facet.key) or facet.default)


def _any_of(choices: tuple[Choice, ...]) -> Sql:
    return Sql.join(" OR ", [choice.predicate for choice in choices]).wrapped()
