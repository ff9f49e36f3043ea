"""What the address asks of the table. The query string is the whole state, so that it can be shared and saved."""

import base64
import binascii
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.conf import settings
from django.http import QueryDict

from accounts.rules.sql import Sql, compose
from accounts.table.catalogue import Catalogue
from accounts.table.columns import Choice, Column, Facet, Sort, sort_of

DEFAULT_SORT = "renewal_on"
PASSING = ("after", "before", "totals")  # parameters that say where in the list we are, not what it is
LOOKS = ("column", "width", "view", "sort")
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
    params: QueryDict
    search: str
    found: Sql | None
    chosen: Mapping[str, tuple[Choice, ...]]  # by facet
    facets: Mapping[str, Facet]
    columns: tuple[Column, ...]
    widths: Mapping[str, int]  # of the columns that somebody has resized
    sort: Sort
    descending: bool
    after: Cursor | None
    before: Cursor | None

    @classmethod
    def of(cls, params: QueryDict, catalogue: Catalogue) -> "TableState":
        sort, descending = _sort(params, catalogue)
        search = " ".join(params.get("q", "").replace("\x00", "").split())[:SEARCH_LIMIT]
        return cls(
            params=params,
            search=search,
            found=_found(search, is_large=catalogue.is_large) if search else None,
            chosen={facet.key: found for facet in catalogue.facets if (found := _chosen(params, facet))},
            facets={facet.key: facet for facet in catalogue.facets},
            columns=tuple(catalogue.chosen(params.getlist("column"))),
            widths=dict(_widths(params)),
            sort=sort,
            descending=descending,
            after=Cursor.read(params.get("after", ""), sort),
            before=Cursor.read(params.get("before", ""), sort),
        )

    @property
    def conditions(self) -> list[Sql]:
        facets = [_any_of(choices) for choices in self.chosen.values()]
        return [*facets, self.found] if self.found else facets

    @property
    def is_filtered(self) -> bool:
        """Beyond what is in force when nobody has chosen anything."""
        usual = {key: facet.default for key, facet in self.facets.items() if facet.default}
        return bool(self.search) or usual != {key: keys(choices) for key, choices in self.chosen.items()}

    def address(self, **changes: Any) -> str:
        """This list with some parameters changed, from its beginning. None removes one."""
        params = self.params.copy()
        for name in (*PASSING, *settings.DRAWERS):
            params.pop(name, None)
        for name, value in changes.items():
            params.setlist(name, [] if value is None else [str(value)] if not isinstance(value, list) else value)
        return f"?{params.urlencode(safe=':')}"

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
        """The form of the columns brings those to show; how wide they are stays."""
        search = [("q", self.search)] if self.search else []
        return [*search, *((name, value) for name, value in self.kept if name != "column")]

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
    asked = params.get("sort", "")
    found = sort_of(catalogue.columns, asked.removeprefix("-"))
    if found:
        return found, asked.startswith("-")
    usual = sort_of(catalogue.columns, DEFAULT_SORT)
    assert usual is not None, "The default sort is one of the built-in columns."
    return usual, False


def _widths(params: QueryDict) -> Iterator[tuple[str, int]]:
    """`width=arr:120` says it of one column, in pixels."""
    for text in params.getlist("width"):
        key, _colon, pixels = text.rpartition(":")
        if key and pixels.isascii() and pixels.isdecimal() and len(pixels) < 5:
            yield key, min(max(int(pixels), NARROWEST), WIDEST)


def _chosen(params: QueryDict, facet: Facet) -> tuple[Choice, ...]:
    asked = params.getlist(facet.key) or facet.default
    found = tuple(choice for choice in facet.choices if choice.key in asked)
    return found if facet.multiple else found[:1]


def _any_of(choices: tuple[Choice, ...]) -> Sql:
    return Sql.join(" OR ", [choice.predicate for choice in choices]).wrapped()


_BY_WORDS = " OR ".join(f"a.{words} ^@ lower({{search}})" for words in ("words", "words_from_2", "words_from_3"))


def _found(search: str, *, is_large: bool) -> Sql:
    """By a part of the name (in a large workspace, the beginning of a word of it), or the whole id it has elsewhere."""
    by_name = _BY_WORDS if is_large else "a.name ILIKE {pattern}"
    pattern = "%" + search.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
    return compose(f"({by_name} OR a.external_id = {{search}})", pattern=Sql.value(pattern), search=Sql.value(search))
