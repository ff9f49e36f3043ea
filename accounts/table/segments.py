"""The accounts table's column of segments, and its filter by them."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime

from accounts.models import Account, Segment, SegmentMembership
from accounts.rules.sql import Sql, compose
from accounts.table.columns import Cells, Choice, Column, Facet
from cs_platform.tenancy.context import current_tenant_id

_IN = """
EXISTS (
    SELECT FROM accounts_segmentmembership m
    WHERE m.tenant_id = {tenant} AND m.segment_id = {segment} AND m.account_id = a.id AND m.left_at IS NULL
)
"""


class SegmentColumns:
    def columns(self) -> Sequence[Column]:
        return (
            Column(
                "segments",
                "Segments",
                "accounts/cells/segments.html",
                icon="shapes",
                usual=False,
                without="In no segment",
                shared=True,
            ),
        )

    def facets(self) -> Sequence[Facet]:
        present = Segment.objects.filter(scope=Segment.Scope.ACCOUNT, archived_at=None).order_by("name", "pk")
        choices = tuple(Choice(str(pk), name, _is_in(pk)) for pk, name in present.values_list("pk", "name"))
        return (Facet("segment", "Segment", "shapes", choices, multiple=True),) if choices else ()

    def cells(self, columns: Sequence[Column], accounts: Sequence[Account], *, now: datetime, here: str) -> Cells:
        stays = SegmentMembership.objects.filter(
            account__in=accounts, left_at=None, segment__archived_at=None
        ).order_by("segment__name", "pk")
        names: dict[int, list[str]] = defaultdict(list)
        for account_id, name in stays.values_list("account_id", "segment__name"):
            names[account_id].append(name)
        return {(account_id, "segments"): tuple(found) for account_id, found in names.items()}


def _is_in(segment_id: int) -> Sql:
    return compose(_IN, tenant=Sql.value(current_tenant_id()), segment=Sql.value(segment_id))
