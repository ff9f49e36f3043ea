"""Enrollments that wait while their playbook is paused, and go on: with what fell due meanwhile, or past it."""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum

from django.db import connection
from django.db.models import Count, Max, QuerySet

from accounts.rules.describe import counted
from cs_platform.jobs.kinds import JobKind, JobRefused, Slice
from cs_platform.jobs.models import Job
from cs_platform.jobs.starting import start_job
from cs_platform.tenancy.context import current_tenant_id
from cs_platform.tenancy.models import Doer, WorkDue
from cs_platform.tenancy.roles import Ability
from playbooks.leases import next_due
from playbooks.models import ActionRun, Enrollment, Playbook
from playbooks.settlement import count_progress

RESUME_PLAYBOOK = "resume_playbook"
AT_ONCE = 1_000  # more of them go on by a job
State = Enrollment.State


class Missed(StrEnum):
    """What fell due while the playbook was paused."""

    RUN = "run"
    SKIP = "skip"


def let_wait(playbook: Playbook, *, by: str, now: datetime) -> int:
    return len(_moved(playbook, None, State.ACTIVE, State.PAUSED, by=by, now=now))


def let_go_on(playbook: Playbook, *, missed: Missed, by: Doer | None, now: datetime) -> int:
    """Those that wait, at once where they are few, else by a job. Returns how many there are."""
    count, last = _waiting(playbook.pk).aggregate(count=Count("pk"), last=Max("pk")).values()
    if count > AT_ONCE and by is not None:
        params = {"playbook": playbook.pk, "missed": missed, "until": last, "count": count}
        title = f"Resume {playbook.name} in {counted(count, 'place')}"
        start_job(RESUME_PLAYBOOK, title=title, params=params, by=by, now=now)
    elif count:
        ids = list(_waiting(playbook.pk).values_list("pk", flat=True))
        _go_on(playbook, ids, missed, by=by.actor if by else "engine", now=now)
    return int(count)


def count_missed(playbook: Playbook, *, now: datetime) -> int:
    """Actions that have fallen due since it was paused."""
    return _missed(_waiting(playbook.pk), now).count()


class ResumePlaybook(JobKind):
    key = RESUME_PLAYBOOK
    label = "Resume of a playbook"
    icon = "play"
    ability = Ability.PUBLISH_PLAYBOOKS
    event = "playbook:changed"

    def count(self, job: Job, *, now: datetime) -> int:
        return int(job.params["count"])

    def step(self, job: Job, *, now: datetime) -> Slice:
        playbook = Playbook.objects.get(pk=job.params["playbook"])
        if playbook.status != Playbook.Status.LIVE:
            raise JobRefused(f"{playbook.name} is not live any more. What waits still, waits on.")
        left = _waiting(playbook.pk).filter(pk__gt=job.cursor.get("after", 0), pk__lte=job.params["until"])
        ids = list(left.order_by("pk").values_list("pk", flat=True)[:AT_ONCE])
        if not ids:
            return Slice(None)
        skipped = _go_on(playbook, ids, Missed(job.params["missed"]), by=job.actor, now=now)
        return Slice(cursor={"after": ids[-1]}, done=len(ids), counts={"skipped": skipped})

    def says(self, job: Job) -> str:
        goes_on, skipped = f"Goes on in {counted(job.done, 'place')}", job.result.get("skipped", 0)
        return f"{goes_on}, {counted(skipped, 'action')} skipped" if skipped else goes_on


def _waiting(playbook_id: int) -> QuerySet[Enrollment]:
    return Enrollment.objects.filter(playbook_id=playbook_id, state=State.PAUSED)  # type: ignore[no-any-return]


def _missed(enrollments: QuerySet[Enrollment], now: datetime) -> QuerySet[ActionRun]:
    """What was drafted for review waits for a person all the same."""
    due = ActionRun.objects.filter(state=ActionRun.State.SCHEDULED, due_at__lte=now, attempt=0, prepared_at=None)
    return due.filter(enrollment__in=enrollments.values("pk"))


def _go_on(playbook: Playbook, ids: Sequence[int], missed: Missed, *, by: str, now: datetime) -> int:
    """Returns how many actions are skipped."""
    skipped = _skip_missed(ids, by=by, now=now) if missed is Missed.SKIP else 0
    resumed = _moved(playbook, ids, State.PAUSED, State.ACTIVE, by=by, now=now)
    # The last action of some may have been settled while they waited.
    count_progress(resumed, tenant_id=current_tenant_id(), now=now)
    _announce_due()
    return skipped


def _skip_missed(ids: Sequence[int], *, by: str, now: datetime) -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            """
            WITH skipped AS (
                UPDATE playbooks_actionrun SET state = 'skipped', settled_at = %(now)s, reason_code = 'paused',
                    reason = 'It fell due while the playbook was paused.'
                WHERE tenant_id = %(tenant)s AND enrollment_id = ANY(%(ids)s) AND state = 'scheduled'
                    AND due_at <= %(now)s AND attempt = 0 AND prepared_at IS NULL
                RETURNING id, enrollment_id, reason
            )
            INSERT INTO playbooks_ledgerentry
                (tenant_id, run_id, enrollment_id, at, from_state, to_state, actor, reason)
            SELECT %(tenant)s, id, enrollment_id, %(now)s, 'scheduled', 'skipped', %(by)s, reason FROM skipped
            """,
            {"tenant": current_tenant_id(), "ids": list(ids), "now": now, "by": by},
        )
        return cursor.rowcount  # type: ignore[no-any-return]


_WORDS = {State.PAUSED: ("playbook.paused", "paused"), State.ACTIVE: ("playbook.resumed", "goes on")}


def _moved(playbook: Playbook, ids: Sequence[int] | None, old: str, new: str, *, by: str, now: datetime) -> list[int]:
    """One statement, whatever their number, with the ledger and each account's timeline. No ids: all of them."""
    kind, word = _WORDS[State(new)]
    with connection.cursor() as cursor:
        cursor.execute(
            """
            WITH locked AS (
                SELECT id FROM playbooks_enrollment
                WHERE tenant_id = %(tenant)s AND playbook_id = %(playbook)s AND state = %(old)s
                    AND (%(ids)s::bigint[] IS NULL OR id = ANY(%(ids)s))
                ORDER BY id FOR NO KEY UPDATE
            ), moved AS (
                UPDATE playbooks_enrollment e SET state = %(new)s FROM locked
                WHERE e.id = locked.id AND e.tenant_id = %(tenant)s RETURNING e.id, e.account_id, e.end_user_id
            ), recorded AS (
                INSERT INTO playbooks_ledgerentry (tenant_id, enrollment_id, at, from_state, to_state, actor)
                SELECT %(tenant)s, id, %(now)s, %(old)s, %(new)s, %(by)s FROM moved ORDER BY id
            ), told AS (
                INSERT INTO accounts_timelineentry (tenant_id, account_id, end_user_id, at, kind, actor, text, subject)
                SELECT %(tenant)s, account_id, end_user_id, %(now)s, %(kind)s, %(by)s, %(text)s, 'enrollment:' || id
                FROM moved ORDER BY id
            )
            SELECT id FROM moved ORDER BY id
            """,
            {
                "tenant": current_tenant_id(),
                "playbook": playbook.pk,
                "ids": list(ids) if ids is not None else None,
                "old": old,
                "new": new,
                "now": now,
                "by": by,
                "kind": kind,
                "text": f"{playbook.name} {word}",
            },
        )
        return [id for (id,) in cursor.fetchall()]


def _announce_due() -> None:
    tenant_id = current_tenant_id()
    for queue, external in ((WorkDue.Queue.APPLY, False), (WorkDue.Queue.DELIVER, True)):
        due_at = next_due(tenant_id=tenant_id, external=external)
        if due_at is not None:
            WorkDue.announce(tenant_id=tenant_id, queue=queue, due_at=due_at)
