"""A table's column of segments, and its filter by them."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from accounts.models import Segment, SegmentMembership
from accounts.rules.fields import Subject
from accounts.rules.sql import Sql, compose
from accounts.table import cells
from accounts.table.columns import Cells, Choice, Column, Facet
from accounts.table.listing import Thing
from cs_platform.tenancy.context import current_tenant_id

_IN = """
EXISTS (
    SELECT FROM accounts_segmentmembership m
    WHERE m.tenant_id = {tenant} AND m.segment_id = {segment} AND {own} AND m.left_at IS NULL
)
"""
_FIELD = {Subject.ACCOUNT: "account", Subject.USER: "end_user"}
_OWN = {Subject.ACCOUNT: Sql("m.account_id = a.id"), Subject.USER: Sql("m.end_user_id = u.id")}


@dataclass(frozen=True, slots=True)
class SegmentColumns:
    subject: Subject

    def columns(self) -> Sequence[Column]:
        return (
            Column(
                "segments",
                "Segments",
                cells.tags,
                icon="shapes",
                usual=False,
                without="In no segment",
                shared=True,
            ),
        )

    def facets(self) -> Sequence[Facet]:
        return (Facet("segment", "Segment", "shapes", self._choices, multiple=True, op="is"),)

    def _choices(self) -> Iterator[Choice]:
        present = Segment.objects.filter(scope=self.subject.value, archived_at=None).order_by("name", "pk")
        return (Choice(str(pk), name, self._is_in(pk)) for pk, name in present.values_list("pk", "name"))

    def cells(self, columns: Sequence[Column], things: Sequence[Thing], *, now: datetime, here: str) -> Cells:
        own = {f"{_FIELD[self.subject]}__in": things}
        stays = SegmentMembership.objects.filter(**own, left_at=None, segment__archived_at=None)
        names: dict[int, list[str]] = defaultdict(list)
        ids = f"{_FIELD[self.subject]}_id"
        for id, name in stays.order_by("segment__name", "pk").values_list(ids, "segment__name"):
            names[id].append(name)
        return {(id, "segments"): tuple(found) for id, found in names.items()}

    def _is_in(self, segment_id: int) -> Sql:
        tenant, segment = Sql.value(current_tenant_id()), Sql.value(segment_id)
        return compose(_IN, tenant=tenant, segment=segment, own=_OWN[self.subject])
