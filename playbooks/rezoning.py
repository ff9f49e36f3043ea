"""What runs keeps the time zone it began in. When the zone of a workspace or an account has changed, open actions
follow only if an admin says so: each stays on its day and moves to the action hour there.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time
from typing import Any

from django.db import connection

from accounts.rules.describe import counted
from cs_platform.jobs.kinds import JobKind, Slice
from cs_platform.jobs.models import Job
from cs_platform.jobs.starting import start_job
from cs_platform.tenancy.models import Doer, Tenant, WorkDue
from cs_platform.tenancy.roles import Ability
from playbooks.enrollment import insert_rows
from playbooks.schedule import instant, known_zone

FOLLOW_ZONES = "follow_zones"
AT_ONCE = 1_000


@dataclass(frozen=True, slots=True)
class ZoneChange:
    before: str
    after: str
    enrollments: int
    runs: int


def changed_zones(tenant: Tenant) -> list[ZoneChange]:
    """Of what runs: from where to where, in how many places, with how many actions to come."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT e.timezone, COALESCE(a.timezone, ''), count(DISTINCT e.id), count(r.id)
            FROM playbooks_enrollment e
            JOIN accounts_account a ON a.tenant_id = e.tenant_id AND a.id = e.account_id
            LEFT JOIN playbooks_actionrun r ON r.tenant_id = e.tenant_id AND r.enrollment_id = e.id
                AND r.state = 'scheduled' AND r.prepared_at IS NULL AND r.due_on > e.activated_on
            WHERE e.tenant_id = %s AND e.state IN ('active', 'paused') AND e.cta_id IS NULL
            GROUP BY 1, 2
            """,
            [tenant.pk],
        )
        found: dict[tuple[str, str], tuple[int, int]] = {}
        for before, given, enrollments, runs in cursor.fetchall():
            after = known_zone(given, otherwise=tenant.timezone)
            if after != before:
                had = found.get((before, after), (0, 0))
                found[before, after] = (had[0] + enrollments, had[1] + runs)
    return [ZoneChange(*zones, *counts) for zones, counts in sorted(found.items())]


def follow_zones(tenant: Tenant, *, by: Doer, now: datetime) -> Job | None:
    """None where nothing runs in another zone than it would begin in today."""
    count = sum(change.enrollments for change in changed_zones(tenant))
    if not count:
        return None
    title = f"Follow changed time zones in {counted(count, 'place')}"
    return start_job(FOLLOW_ZONES, title=title, params={"count": count}, by=by, now=now)


class FollowZones(JobKind):
    key = FOLLOW_ZONES
    label = "Change of time zones"
    icon = "clock"
    ability = Ability.PUBLISH_PLAYBOOKS
    event = "playbook:changed"

    def count(self, job: Job, *, now: datetime) -> int:
        return int(job.params["count"])

    def step(self, job: Job, *, now: datetime) -> Slice:
        with connection.cursor() as cursor:
            zones = _zones(cursor, job.tenant)
            ids = _stage(cursor, job.tenant, zones, after=job.cursor.get("after", 0))
            if not ids:
                return Slice(None)
            _stage_moments(cursor, job.tenant)
            moved = _move(cursor, job, now)
        for queue in (WorkDue.Queue.APPLY, WorkDue.Queue.DELIVER):
            WorkDue.announce(tenant_id=job.tenant.pk, queue=queue, due_at=now)
        return Slice(cursor={"after": ids[-1]}, done=len(ids), counts={"moved": moved})

    def says(self, job: Job) -> str:
        return f"{counted(job.done, 'application')} in another time zone, {job.result.get('moved', 0):,} actions moved"


def _zones(cursor: Any, tenant: Tenant) -> Mapping[str, str]:
    """What accounts name as their zone, and what it is taken for."""
    cursor.execute("SELECT DISTINCT COALESCE(timezone, '') FROM accounts_account WHERE tenant_id = %s", [tenant.pk])
    return {given: known_zone(given, otherwise=tenant.timezone) for (given,) in cursor.fetchall()}


def _stage(cursor: Any, tenant: Tenant, zones: Mapping[str, str], *, after: int) -> Sequence[int]:
    """Temp table `rezoned` of the next enrollments, which are locked."""
    cursor.execute(
        """
        DROP TABLE IF EXISTS rezoned;
        CREATE TEMP TABLE rezoned ON COMMIT DROP AS
        SELECT e.id, z.zone, e.timezone AS was FROM playbooks_enrollment e
        JOIN accounts_account a ON a.tenant_id = e.tenant_id AND a.id = e.account_id
        JOIN unnest(%s::text[], %s::text[]) z(given, zone) ON z.given = COALESCE(a.timezone, '')
        WHERE e.tenant_id = %s AND e.id > %s AND e.state IN ('active', 'paused') AND e.cta_id IS NULL
            AND e.timezone <> z.zone
        ORDER BY e.id LIMIT %s FOR NO KEY UPDATE OF e
        """,
        [list(zones), list(zones.values()), tenant.pk, after, AT_ONCE],
    )
    cursor.execute("SELECT id FROM rezoned ORDER BY id")
    return [id for (id,) in cursor.fetchall()]


# Still to come, and on a later day than the first, which runs when it is applied.
_TO_COME = "r.state = 'scheduled' AND r.prepared_at IS NULL AND r.due_on > e.activated_on"


def _stage_moments(cursor: Any, tenant: Tenant) -> None:
    """Temp table `rezoned_to`: one row per zone and day, whatever the number of runs."""
    cursor.execute(
        f"""
        SELECT DISTINCT z.zone, r.due_on FROM rezoned z
        JOIN playbooks_enrollment e ON e.tenant_id = %s AND e.id = z.id
        JOIN playbooks_actionrun r ON r.tenant_id = e.tenant_id AND r.enrollment_id = e.id AND {_TO_COME}
        """,
        [tenant.pk],
    )
    wanted = cursor.fetchall()
    cursor.execute(
        "DROP TABLE IF EXISTS rezoned_to;"
        " CREATE TEMP TABLE rezoned_to (zone text, due_on date, due_at timestamptz) ON COMMIT DROP"
    )
    hour = time(tenant.action_hour)
    insert_rows(cursor, "rezoned_to", [(zone, day, instant(day, hour, zone)) for zone, day in wanted])


def _move(cursor: Any, job: Job, now: datetime) -> int:
    """Returns how many runs fall due at another moment."""
    cursor.execute(
        f"""
        WITH moved AS (
            UPDATE playbooks_actionrun r
            SET due_at = t.due_at, try_at = CASE WHEN r.attempt = 0 THEN t.due_at ELSE r.try_at END
            FROM rezoned z JOIN playbooks_enrollment e ON e.tenant_id = %(tenant)s AND e.id = z.id
            JOIN rezoned_to t ON t.zone = z.zone
            WHERE r.tenant_id = %(tenant)s AND r.enrollment_id = z.id AND r.due_on = t.due_on AND {_TO_COME}
                AND r.due_at <> t.due_at
            RETURNING r.id
        ), followed AS (
            UPDATE playbooks_enrollment e SET timezone = z.zone FROM rezoned z
            WHERE e.tenant_id = %(tenant)s AND e.id = z.id RETURNING e.id, e.state, z.was, z.zone
        ), written AS (
            INSERT INTO playbooks_ledgerentry (tenant_id, enrollment_id, at, from_state, to_state, actor, reason)
            SELECT %(tenant)s, id, %(now)s, state, state, %(by)s,
                'Its time zone changed from ' || was || ' to ' || zone || '.' FROM followed
        )
        SELECT count(*) FROM moved
        """,
        {"tenant": job.tenant_id, "now": now, "by": job.actor},
    )
    return int(cursor.fetchone()[0])
