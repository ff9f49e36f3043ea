"""CTA playbooks on CTAs: applied by a person or by the run that has opened the CTA, and how far their tasks are."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db import connection
from django.db.models import Q, QuerySet

from cs_platform.tenancy.context import current_tenant_id
from cs_platform.tenancy.models import Tenant, WorkDue
from ctas.models import Cta, Task
from playbooks.models import ActionRun, Enrollment, Playbook, Step

WORKABLE = (Cta.Status.OPEN, Cta.Status.DRAFT)


@dataclass(frozen=True, slots=True)
class Opened:
    """A CTA that a run has opened, or joined, and the playbook it is to have."""

    cta_id: int
    key: str
    run_id: UUID


def offered(*, type: str | None = None) -> QuerySet[Playbook]:
    """CTA playbooks that are live; those for CTAs of this type."""
    live = Playbook.objects.filter(audience=Playbook.Audience.CTAS, status=Playbook.Status.LIVE)
    if type is not None:
        live = live.filter(Q(version__definition__types=[]) | Q(version__definition__types__contains=[type]))
    return live.select_related("version").order_by("name", "pk")


def enroll_opened(opened: Iterable[Opened], *, tenant: Tenant, by: str, now: datetime) -> None:
    """One statement per playbook. One that is no longer offered, or not for CTAs of that type, is left out."""
    by_key: dict[str, dict[int, UUID]] = {}
    for one in opened:
        by_key.setdefault(one.key, {})[one.cta_id] = one.run_id
    for playbook in offered().filter(key__in=by_key).select_related("tenant"):
        enroll_ctas(playbook, by_key[playbook.key], tenant=tenant, by=by, now=now)


def enroll_ctas(
    playbook: Playbook, parents: Mapping[int, UUID | None], *, tenant: Tenant, by: str, now: datetime
) -> list[int]:
    """The new enrollments: of CTAs that are open, of a type it is for, and have no playbook applied.

    `parents` says which run each CTA has its playbook from: a stop of that one stops this too.
    """
    assert playbook.version is not None
    step = Step.objects.get(version=playbook.version)
    with connection.cursor() as cursor:
        cursor.execute(_ENROLL, _params(playbook, step, parents, tenant, by, now))
        made = [id for (id,) in cursor.fetchall()]
    if made:
        WorkDue.announce(tenant_id=tenant.pk, queue=WorkDue.Queue.APPLY, due_at=now)
    return made


def _params(
    playbook: Playbook, step: Step, parents: Mapping[int, UUID | None], tenant: Tenant, by: str, now: datetime
) -> dict[str, Any]:
    assert playbook.version is not None
    return {
        "tenant": tenant.pk,
        "playbook": playbook.pk,
        "version": playbook.version.pk,
        "name": playbook.name,
        "types": playbook.version.definition["types"],
        "workable": list(WORKABLE),
        "step": step.pk,
        "tasks": len(step.config["tasks"]),
        "zone": tenant.timezone,
        "today": now.astimezone(ZoneInfo(tenant.timezone)).date(),
        "now": now,
        "by": by,
        "ctas": list(parents),
        "parents": _uuids(parents.values()),
    }


def _uuids(found: Iterable[UUID | None]) -> Sequence[str | None]:
    return [str(one) if one else None for one in found]


_ENROLL = """
    WITH made AS (
        INSERT INTO playbooks_enrollment (tenant_id, playbook_id, version_id, account_id, cta_id, timezone,
            activated_at, activated_on, applied_by, parent_run_id, steps_total)
        SELECT %(tenant)s, %(playbook)s, %(version)s, c.account_id, c.id, %(zone)s, %(now)s, %(today)s, %(by)s,
            w.parent_run_id, %(tasks)s
        FROM unnest(%(ctas)s::bigint[], %(parents)s::uuid[]) w(cta_id, parent_run_id)
        JOIN ctas_cta c ON c.tenant_id = %(tenant)s AND c.id = w.cta_id
        WHERE c.status = ANY(%(workable)s) AND c.archived_at IS NULL
            AND (%(types)s::text[] = '{}' OR c.type = ANY(%(types)s::text[]))
        ORDER BY c.id ON CONFLICT DO NOTHING RETURNING id, account_id
    ), runs AS (
        INSERT INTO playbooks_actionrun
            (tenant_id, enrollment_id, step_id, position, is_external, due_on, due_at, try_at)
        SELECT %(tenant)s, id, %(step)s, 0, false, %(today)s, %(now)s, %(now)s FROM made ORDER BY id
    ), recorded AS (
        INSERT INTO playbooks_ledgerentry (tenant_id, enrollment_id, at, from_state, to_state, actor)
        SELECT %(tenant)s, id, %(now)s, '', 'active', %(by)s FROM made ORDER BY id
    ), told AS (
        INSERT INTO accounts_timelineentry (tenant_id, account_id, at, kind, actor, text, subject)
        SELECT %(tenant)s, account_id, %(now)s, 'playbook.applied', %(by)s, %(name)s || ' applied', 'enrollment:' || id
        FROM made ORDER BY id
    )
    SELECT id FROM made ORDER BY id
"""


# How far its tasks are ------------------------------------------------------------------------------------------------


def count_tasks(enrollments: Iterable[Enrollment]) -> None:
    """Progress of what is applied to CTAs: tasks closed ÷ all of its tasks. One query for any number of them."""
    on_ctas = {one.pk: one for one in enrollments if one.cta_id}
    if not on_ctas:
        return
    with connection.cursor() as cursor:
        cursor.execute(_COUNT, [current_tenant_id(), list(on_ctas)])
        for id, total, closed in cursor.fetchall():
            one = on_ctas[id]
            one.steps_total, one.steps_done, one.progress = total, closed, closed * 100 // total


_COUNT = """
    SELECT r.enrollment_id, count(*), count(*) FILTER (WHERE t.status <> 'open')
    FROM playbooks_actionrun r JOIN ctas_task t ON t.tenant_id = r.tenant_id AND t.origin_run_id = r.id
    WHERE r.tenant_id = %s AND r.enrollment_id = ANY(%s) AND t.archived_at IS NULL GROUP BY 1
"""


def tasks_of(enrollment: Enrollment) -> list[Task]:
    """Those it has set up that are still there, in their order."""
    runs = ActionRun.objects.filter(enrollment=enrollment).values("pk")
    return list(Task.objects.present().filter(origin_run_id__in=runs).order_by("position", "pk"))


_MARKS: dict[str, str] = {Task.Status.DONE: "done", Task.Status.CANCELLED: "skipped"}


def task_marks(tasks: Iterable[Task]) -> tuple[str, ...]:
    """As the track shows them: the first open one is next."""
    found = [_MARKS.get(task.status, "") for task in tasks]
    return tuple("next" if not mark and "" not in found[:at] else mark for at, mark in enumerate(found))
