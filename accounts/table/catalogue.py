"""All columns and filters of one list in one workspace, as one person may use them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property
from typing import Any

from accounts.table.columns import Cells, Column, ColumnSource, Facet
from accounts.table.listing import Listing, Thing
from cs_platform.tenancy.models import Membership

READ_WHOLE_NAMES = 50_000


@dataclass(frozen=True)
class Catalogue:
    listing: Listing
    by_source: Sequence[tuple[ColumnSource, Sequence[Column]]]
    facets: Sequence[Facet]

    @classmethod
    def of(cls, listing: Listing, member: Membership, *, today: date) -> "Catalogue":
        sources = listing.sources(member, today)
        by_source = list(_each_key_once(sources))
        own = [column.facet for _source, columns in by_source for column in columns if column.facet]
        return cls(listing, by_source, [*(facet for source in sources for facet in source.facets()), *own])

    @property
    def columns(self) -> list[Column]:
        return [column for _source, columns in self.by_source for column in columns]

    def find(self, key: str) -> Column | None:
        return next((column for column in self.columns if column.key == key), None)

    @cached_property
    def is_large(self) -> bool:
        """Too many to read all their names while somebody types."""
        one_more = self.listing.model.objects.order_by("pk").values("pk")[READ_WHOLE_NAMES : READ_WHOLE_NAMES + 1]
        return one_more.exists()

    def chosen(self, keys: Sequence[str]) -> list[Column]:
        """In the order asked for; the name always leads. Nothing asked for: the usual ones."""
        known: Mapping[str, Column] = {column.key: column for column in self.columns}
        wanted = [known[key] for key in dict.fromkeys(keys) if key in known and key != "name"]
        return [known["name"], *wanted] if wanted else [column for column in self.columns if column.usual]

    def cells(self, columns: Sequence[Column], things: Sequence[Thing], *, now: datetime, here: str) -> Cells:
        cells: dict[tuple[int, str], Any] = {}
        asked = {column.key for column in columns}
        for source, own in self.by_source:
            shown = [column for column in own if column.key in asked]
            if shown and things:
                cells |= source.cells(shown, things, now=now, here=here)
        return cells


def _each_key_once(sources: Sequence[ColumnSource]) -> Iterator[tuple[ColumnSource, Sequence[Column]]]:
    """What a source shows in its own way is not shown a second time as a mere value."""
    known: set[str] = set()
    for source in sources:
        columns = [column for column in source.columns() if column.key not in known]
        known.update(column.key for column in columns)
        yield source, columns
