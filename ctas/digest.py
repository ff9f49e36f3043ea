"""What of somebody's is late or due today, for their daily mail."""

from collections.abc import Callable, Iterator, Sequence
from datetime import date
from typing import Any

from django.db.models import Q
from django.urls import reverse

from cs_platform.tenancy.models import Membership
from cs_platform.workspace.letters import LISTED, Line, Part
from ctas.models import Cta, Task


class DueWork:
    def parts(self, member: Membership, *, today: date) -> Sequence[Part]:
        return list(_parts(member, today))


def _parts(member: Membership, today: date) -> Iterator[Part]:
    ctas = Cta.objects.awake(today).filter(owner=member).select_related("account")
    awake = Q(cta__snoozed_until=None) | Q(cta__snoozed_until__lte=today)
    tasks = Task.objects.open().filter(awake, owner=member, cta__status=Cta.Status.OPEN, cta__archived_at=None)
    for when, condition in (("late", {"due_on__lt": today}), ("due today", {"due_on": today})):
        yield from _part("CTA", when, ctas.filter(**condition), _cta, member)
        yield from _part("task", when, tasks.filter(**condition).select_related("cta__account"), _task, member)


def _part(noun: str, when: str, rows: Any, line: Callable[[Any, str], Line], member: Membership) -> Iterator[Part]:
    if total := rows.count():
        first = rows.order_by("due_on", "pk")[:LISTED]
        title = f"{noun}{'' if total == 1 else 's'} {when}"
        yield Part(title, [line(row, member.tenant.slug) for row in first], total)


def _cta(cta: Cta, slug: str) -> Line:
    return Line(f"{cta.name} ({cta.account.name})", reverse("ctas:detail", args=[slug, cta.pk]))


def _task(task: Task, slug: str) -> Line:
    return Line(f"{task.title} ({task.cta.account.name})", reverse("ctas:detail", args=[slug, task.cta_id]))
