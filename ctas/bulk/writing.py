"""Writing down what CTAs and tasks become in a bulk edit, set-wise, and telling of it."""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any

from django.db.models import QuerySet

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


def lock_tasks(rows: QuerySet[Task]) -> dict[int, list[Task]]:
    """By CTA, with no more than what a bulk edit may change: there are several to each."""
    found: dict[int, list[Task]] = defaultdict(list)
    needed = ("tenant_id", "cta_id", *(name for name in _COLUMNS if hasattr(Task, name)))
    for task in lock(rows.only(*needed)).values():
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
    told = [(cta.account_id, cta.end_user_id, f"{words}: {name}", subject) for cta, name, subject in what]
    if not told:
        return
    accounts, users, texts, subjects = map(list, zip(*told, strict=True))
    fetch(
        """
        INSERT INTO accounts_timelineentry (tenant_id, account_id, end_user_id, at, kind, actor, text, subject)
        SELECT %(tenant)s, t.account_id, t.end_user_id, %(now)s, %(kind)s, %(actor)s, t.text, t.subject
        FROM unnest(%(accounts)s::bigint[], %(users)s::bigint[], %(texts)s::text[], %(subjects)s::text[])
            AS t(account_id, end_user_id, text, subject)
        """,
        {
            "tenant": current_tenant_id(),
            "now": task.now,
            "kind": kind,
            "actor": task.actor,
            "accounts": accounts,
            "users": users,
            "texts": texts,
            "subjects": subjects,
        },
    )
