"""Who works on which job: one worker at a time, by a token that ends with its lease."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from django.conf import settings
from django.db import connection

from cs_platform.common.statements import fetch

# Looks at one place of a job that came to nothing, a killed worker's included, before it is given up.
MOST_CLAIMS = 5
_ONE_WORKER = 7_366_021  # the advisory lock of a job's slice: also the worker whose lease has run out holds it


class LeaseLost(Exception):
    """Somebody else has the job by now; our transaction must vanish."""


@dataclass(frozen=True, slots=True)
class Claim:
    job_id: int
    token: UUID


def lease_end(now: datetime) -> datetime:
    return now + timedelta(seconds=settings.LEASE_SECONDS)


def claim_job(*, tenant_id: int, now: datetime) -> Claim | None:
    """The job that waits longest for its turn. Commit before working on it; every claim is counted until it bears."""
    token = uuid4()
    rows = fetch(
        """
        UPDATE jobs_job j SET state = 'running', claims = j.claims + 1, lease_token = %(token)s,
            lease_until = %(until)s, started_at = COALESCE(j.started_at, %(now)s)
        WHERE j.tenant_id = %(tenant)s AND j.id = (
            SELECT w.id FROM jobs_job w
            WHERE w.tenant_id = %(tenant)s AND w.state IN ('queued', 'running')
              AND (w.lease_until IS NULL OR w.lease_until <= %(now)s)
            ORDER BY w.lease_until NULLS FIRST, w.id LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED)
        RETURNING j.id
        """,
        {"token": token, "until": lease_end(now), "now": now, "tenant": tenant_id},
    )
    return Claim(rows[0][0], token) if rows else None


def hold_alone(claim: Claim) -> None:
    """For the rest of the transaction. A worker that froze in the middle of a slice still holds it when it wakes."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s, %s)", [_ONE_WORKER, claim.job_id % 2**31])
        if not cursor.fetchone()[0]:
            raise LeaseLost


def next_due(*, tenant_id: int) -> datetime | None:
    """When jobs must be looked at again; None when none waits."""
    rows = fetch(
        "SELECT min(COALESCE(lease_until, created_at)) FROM jobs_job "
        "WHERE tenant_id = %(tenant)s AND state IN ('queued', 'running')",
        {"tenant": tenant_id},
    )
    due: datetime | None = rows[0][0]
    return due
