"""All columns and filters of one workspace, as one person may use them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property
from typing import Any

from django.conf import settings
from django.utils.module_loading import import_string

from accounts.models import Account
from accounts.table.built_in import BuiltIn, Details
from accounts.table.columns import Cells, Column, ColumnSource, Facet
from accounts.table.segments import SegmentColumns
from accounts.table.traits import TraitColumns
from cs_platform.tenancy.models import Membership

READ_WHOLE_NAMES = 50_000


@dataclass(frozen=True)
class Catalogue:
    """In the order of the table: what every workspace has, what upper layers offer, details, traits."""

    by_source: Sequence[tuple[ColumnSource, Sequence[Column]]]
    facets: Sequence[Facet]

    @classmethod
    def of(cls, member: Membership, *, today: date) -> "Catalogue":
        sources: list[ColumnSource] = [
            BuiltIn(member, today),
            *(import_string(path)() for path in settings.TABLE_COLUMN_SOURCES),
            SegmentColumns(),
            Details(),
            TraitColumns(member.tenant_id),
        ]
        by_source = [(source, source.columns()) for source in sources]
        own = [column.facet for _source, columns in by_source for column in columns if column.facet]
        return cls(by_source, [*(facet for source in sources for facet in source.facets()), *own])

    @property
    def columns(self) -> list[Column]:
        return [column for _source, columns in self.by_source for column in columns]

    @cached_property
    def is_large(self) -> bool:
        """Too many accounts to read all their names while somebody types."""
        one_more = Account.objects.order_by("pk").values("pk")[READ_WHOLE_NAMES : READ_WHOLE_NAMES + 1]
        return one_more.exists()

    def chosen(self, keys: Sequence[str]) -> list[Column]:
        """In the order asked for; the name always leads. Nothing asked for: the usual ones."""
        known: Mapping[str, Column] = {column.key: column for column in self.columns}
        wanted = [known[key] for key in dict.fromkeys(keys) if key in known and key != "name"]
        return [known["name"], *wanted] if wanted else [column for column in self.columns if column.usual]

    def cells(self, columns: Sequence[Column], accounts: Sequence[Account], *, now: datetime, here: str) -> Cells:
        cells: dict[tuple[int, str], Any] = {}
        for source, own in self.by_source:
            shown = [column for column in own if column in columns]
            if shown and accounts:
                cells |= source.cells(shown, accounts, now=now, here=here)
        return cells
