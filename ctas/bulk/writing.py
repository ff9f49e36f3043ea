"""Writing down what CTAs and tasks become in a bulk edit, set-wise, and telling of it."""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any

from django.db.models import QuerySet

from accounts.models import TimelineEntry
from cs_platform.common.statements import fetch
from cs_platform.jobs import bulk
from cs_platform.jobs.kinds import Item
from cs_platform.jobs.models import JobItem
from cs_platform.tenancy.context import current_tenant_id
from ctas.models import Cta, Task

CTAS, TASKS = "ctas_cta", "ctas_task"
CHANGED_SINCE = "Somebody or something has changed it since: it stays."
Facts = Mapping[str, Any]

_COLUMNS = {
    "owner_id": "bigint",
    "due_on": "date",
    "status": "text",
    "stage": "text",
    "priority": "text",
    "closed_at": "timestamptz",
    "closed_by": "text",
    "completed_at": "timestamptz",
    "completed_by_id": "bigint",
    "snoozed_until": "date",
    "snooze_reason": "text",
    "archived_at": "timestamptz",
    "reason": "text",
}


def lock(rows: QuerySet[Any]) -> dict[int, Any]:
    """In the order of ids, like every batch of the engine."""
    return {row.pk: row for row in rows.order_by("pk").select_for_update(no_key=True, of=("self",))}


def lock_open_tasks(ctas: Iterable[int]) -> dict[int, list[Task]]:
    found: dict[int, list[Task]] = defaultdict(list)
    for task in lock(Task.objects.open().filter(cta__in=list(ctas))).values():
        found[task.cta_id].append(task)
    return found


def id_of(item: Item | JobItem) -> int:
    return int(item.subject.partition(":")[2])


def held(row: Any, names: Iterable[str]) -> dict[str, Any]:
    """What it says now, as JSON keeps it."""
    return plain({name: getattr(row, name) for name in names})


def plain(facts: Facts) -> dict[str, Any]:
    return {name: value.isoformat() if isinstance(value, date) else value for name, value in facts.items()}


def says(row: Any, facts: Facts) -> bool:
    return held(row, facts) == dict(facts)


def write(table: str, rows: Mapping[int, Facts], task: bulk.Task) -> None:
    """All of one table in one statement; who asked for it has worked on each."""
    if not rows:
        return
    names = list(next(iter(rows.values())))
    fetch(
        f"""
        UPDATE {table} t SET {", ".join(f"{name} = n.{name}" for name in names)},
            touched_at = %(now)s, touched_by_id = COALESCE(%(member)s, t.touched_by_id)
        FROM jsonb_to_recordset(%(rows)s::jsonb)
            AS n(id bigint, {", ".join(f"{name} {_COLUMNS[name]}" for name in names)})
        WHERE t.tenant_id = %(tenant)s AND t.id = n.id
        """,
        {
            "tenant": current_tenant_id(),
            "now": task.now,
            "member": task.member_id,
            "rows": json.dumps([{"id": pk, **facts} for pk, facts in rows.items()]),
        },
    )


def tell_of_ctas(ctas: Iterable[Cta], task: bulk.Task, kind: str, words: str) -> None:
    _tell(((cta, cta.name, f"cta:{cta.pk}") for cta in ctas), task, kind, words)


def tell_of_tasks(tasks: Iterable[Task], task: bulk.Task, kind: str, words: str) -> None:
    _tell(((one.cta, one.title, f"task:{one.pk}") for one in tasks), task, kind, words)


def _tell(what: Iterable[tuple[Cta, str, str]], task: bulk.Task, kind: str, words: str) -> None:
    TimelineEntry.objects.bulk_create(
        TimelineEntry(
            account_id=cta.account_id,
            end_user_id=cta.end_user_id,
            at=task.now,
            kind=kind,
            actor=task.actor,
            text=f"{words}: {name}",
            subject=subject,
        )
        for cta, name, subject in what
    )
