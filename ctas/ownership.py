"""What the owners of CTAs and tasks have open, are late with and have done: sums for reports."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import Count, F, Q, QuerySet
from django.db.models.functions import TruncDate

from ctas.models import Cta, Task
from ctas.own_days import OwnDays


@dataclass(slots=True)
class Workload:
    open: int = 0
    late: int = 0
    tasks_done: int = 0


def workloads(*, today: OwnDays, since: datetime) -> Mapping[int | None, Workload]:
    """By owner; tasks that were done since then. Two statements."""
    rows = Cta.objects.open().order_by().values_list("owner_id")
    counted = rows.annotate(Count("pk"), late=Count("pk", filter=today.each(lambda day: Q(due_on__lt=day))))
    found: dict[int | None, Workload] = {owner_id: Workload(*counts) for owner_id, *counts in counted}
    done = Task.objects.present().filter(status=Task.Status.DONE, completed_at__gte=since, cta__archived_at=None)
    for owner_id, count in done.order_by().values_list("owner_id").annotate(Count("pk")):
        found.setdefault(owner_id, Workload()).tasks_done = count
    return found


@dataclass(frozen=True, slots=True)
class Punctuality:
    """Of the CTAs with a due date that were closed in a time."""

    closed: int
    on_time: int

    @property
    def share(self) -> float | None:
        return round(100 * self.on_time / self.closed, 1) if self.closed else None


def punctuality(*, since: datetime, until: datetime, zone: ZoneInfo, owners: Sequence[int] | None) -> Punctuality:
    closed: QuerySet[Any] = Cta.objects.closed().exclude(due_on=None).exclude(status=Cta.Status.CANCELLED)
    closed = closed.filter(closed_at__gte=since, closed_at__lt=until)
    if owners is not None:
        closed = closed.filter(owner__in=owners)
    dated = closed.annotate(day=TruncDate("closed_at", tzinfo=zone))
    return Punctuality(**dated.aggregate(closed=Count("pk"), on_time=Count("pk", filter=Q(day__lte=F("due_on")))))
