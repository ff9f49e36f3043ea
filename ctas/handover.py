"""Open CTAs and tasks of somebody who leaves."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from accounts.models import TimelineEntry
from cs_platform.tenancy.models import Membership
from ctas.models import Cta, Task


class OpenWork:
    def counts(self, member: Membership) -> Sequence[tuple[str, int]]:
        return [("open CTAs", _ctas(member).count()), ("open tasks", _tasks(member).count())]

    def hand_over(self, member: Membership, to: Membership, *, by: Membership, now: datetime) -> None:
        """Whoever gives them on has worked on them: a stop leaves what people changed as it is."""
        changes = {"owner": to, "touched_at": now, "touched_by": by}
        ctas = list(_ctas(member).select_for_update(no_key=True).order_by("pk"))
        tasks = list(_tasks(member).select_related("cta").select_for_update(no_key=True, of=("self",)).order_by("pk"))
        Cta.objects.filter(pk__in=[cta.pk for cta in ctas]).update(**changes)
        Task.objects.filter(pk__in=[task.pk for task in tasks]).update(**changes)
        lines = [_line(cta, f"CTA handed over to {to.name}: {cta.name}", "cta.edited", cta.subject) for cta in ctas]
        lines += [
            _line(task.cta, f"Task handed over to {to.name}: {task.title}", "task.edited", f"task:{task.pk}")
            for task in tasks
        ]
        TimelineEntry.objects.bulk_create(TimelineEntry(at=now, actor=by.actor, **line) for line in lines)


def _ctas(member: Membership) -> Any:
    return Cta.objects.open().filter(owner=member)


def _tasks(member: Membership) -> Any:
    return Task.objects.open().filter(owner=member, cta__archived_at=None)


def _line(cta: Cta, text: str, kind: str, subject: str) -> dict[str, Any]:
    return {
        "account_id": cta.account_id,
        "end_user_id": cta.end_user_id,
        "kind": kind,
        "text": text,
        "subject": subject,
    }
