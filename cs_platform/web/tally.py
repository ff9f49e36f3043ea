"""What waits for a member, counted beside the pages in the sidebar: settings.TALLIES names who knows."""

from collections.abc import Mapping
from datetime import date
from typing import Any, ClassVar, Protocol

from django.conf import settings
from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import Func, IntegerField, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.functional import SimpleLazyObject
from django.utils.module_loading import import_string

from cs_platform.tenancy.models import Membership
from cs_platform.workspace.notifications import unread

MOST_COUNTED = 99


class Tally(Protocol):
    key: ClassVar[str]

    def rows(self, member: Membership, today: date) -> QuerySet[Any]:
        """What waits; where the member has left it, it does not any more."""


def tally(request: HttpRequest) -> dict[str, Any]:
    """Context processor. Counted only where the sidebar is shown: fragments have none."""
    member = getattr(request, "membership", None)
    if member is None:
        return {}
    return {"tally": SimpleLazyObject(lambda: _counted(member, timezone.localdate(request.now)))}  # type: ignore[attr-defined]


def _counted(member: Membership, today: date) -> Mapping[str, str]:
    """In one statement, each at most one more than are counted: the page then says “99+”."""
    sources: list[Tally] = [import_string(path)() for path in settings.TALLIES]
    waiting = {"bell": unread(member)} | {one.key: one.rows(member, today) for one in sources}
    numbers = {key: _size(rows) for key, rows in waiting.items()}
    found = Membership.objects.in_tenant(member.tenant_id).filter(pk=member.pk).values_list(*numbers.values()).get()
    return {key: _words(number) for key, number in zip(numbers, found, strict=True)}


def _size(rows: QuerySet[Any]) -> Func:
    first = rows.order_by().values("pk")[: MOST_COUNTED + 1]
    return Func(ArraySubquery(first), function="CARDINALITY", output_field=IntegerField())


def _words(number: int) -> str:
    """Nothing where nothing waits."""
    return f"{MOST_COUNTED}+" if number > MOST_COUNTED else f"{number or ''}"
