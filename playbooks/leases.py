"""Who works on which runs: claims, their tokens, and what becomes of a claim whose worker never came back.

A claim is committed before any work begins, and every crash leaves its mark in `claims`: runs that keep killing their
worker are first taken in smaller batches, then alone, then given up.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from django.conf import settings
from django.db import connection

from actions.base import ExternalAction
from actions.registry import ACTIONS
from playbooks import ledger
from playbooks.models import ActionRun

BATCH = 2_000
# (fewest claims so far, most claims so far, batch size): only crashes while alone count towards poison.
TIERS = ((0, 1, BATCH), (2, 2, 100), (3, 32_767, 1))
ALONE_FROM = 3
POISON_AFTER = ALONE_FROM + 5


@dataclass(frozen=True, slots=True)
class Claim:
    """Runs of one step that belong to the holder of the token until the lease ends."""

    token: UUID
    step_id: int
    run_ids: list[UUID]


class LeaseLost(Exception):
    """Somebody else holds these runs by now; our transaction must vanish."""


def lease_end(now: datetime) -> datetime:
    return now + timedelta(seconds=settings.LEASE_SECONDS)


# Not a join: thousands of runs can fall due before the planner has heard of them, and as long as it expects one, it
# walks through all active enrollments for each.
_STATE_OF_ENROLLMENT = (
    "(SELECT e.state FROM playbooks_enrollment e WHERE e.tenant_id = r.tenant_id AND e.id = r.enrollment_id)"
)


def due_steps(*, tenant_id: int, external: bool, now: datetime) -> list[int]:
    """Steps with something to run, longest waiting first."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT r.step_id FROM playbooks_actionrun r
            WHERE r.tenant_id = %s AND r.is_external = %s AND r.state = 'scheduled' AND r.try_at <= %s
              AND {_STATE_OF_ENROLLMENT} = 'active'
            GROUP BY r.step_id ORDER BY min(r.due_at), min(r.position), r.step_id
            """,
            [tenant_id, external, now],
        )
        return [step_id for (step_id,) in cursor.fetchall()]


_CLAIM_DUE = f"""
    WITH due AS (
        SELECT r.id FROM playbooks_actionrun r
        WHERE r.tenant_id = %(tenant)s AND r.is_external = %(external)s AND r.step_id = %(step)s
          AND r.state = 'scheduled' AND r.try_at <= %(now)s AND r.claims BETWEEN %(least)s AND %(most)s
          AND (%(prepared)s::bool IS NULL OR (r.prepared_at IS NOT NULL) = %(prepared)s)
          AND {_STATE_OF_ENROLLMENT} = 'active'
          -- Order inside an enrollment; a step that is being retried or reviewed does not block the next one.
          AND NOT EXISTS (
              SELECT 1 FROM playbooks_actionrun p
              WHERE p.tenant_id = %(tenant)s AND p.enrollment_id = r.enrollment_id AND p.id <> r.id
                AND p.state IN ('scheduled', 'running') AND p.attempt = 0 AND p.prepared_at IS NULL
                AND (p.due_at, p.position) < (r.due_at, r.position))
        -- The order of the index, which hands over as many as are wanted; a sort would read all that are due.
        ORDER BY r.try_at LIMIT %(size)s FOR UPDATE OF r SKIP LOCKED
    )
    UPDATE playbooks_actionrun r
    SET state = 'running', claims = claims + 1, lease_token = %(token)s, lease_until = %(until)s
    FROM due WHERE r.id = due.id AND r.tenant_id = %(tenant)s RETURNING r.id
"""


def claim_due(
    *, tenant_id: int, step_id: int, external: bool, now: datetime, size: int = BATCH, prepared: bool | None = None
) -> Claim | None:
    """The next batch of one step, disjoint from everybody else's. Commit before working on it.

    `prepared`: only what is drafted already, or only what is not.
    """
    token = uuid4()
    for least, most, largest in TIERS:
        with connection.cursor() as cursor:
            cursor.execute(
                _CLAIM_DUE,
                {
                    "tenant": tenant_id,
                    "external": external,
                    "step": step_id,
                    "now": now,
                    "least": least,
                    "most": most,
                    "size": min(size, largest),
                    "prepared": prepared,
                    "token": token,
                    "until": lease_end(now),
                },
            )
            ids = [id for (id,) in cursor.fetchall()]
        if ids:
            return Claim(token, step_id, ids)
    return None


def reclaim_expired(*, tenant_id: int, external: bool, now: datetime) -> int:
    """Runs whose worker died. Nothing had happened unless the sent marker says that it may have."""
    if not _any_expired(tenant_id, external, now):
        return 0
    return sum(_expire(tenant_id, external, now, fate) for fate in _FATES)


def _any_expired(tenant_id: int, external: bool, now: datetime) -> bool:
    """One look instead of an UPDATE per fate: nearly always there is nothing."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT EXISTS (SELECT 1 FROM playbooks_actionrun WHERE tenant_id = %s AND is_external = %s"
            " AND state IN ('running', 'undoing') AND lease_until < %s)",
            [tenant_id, external, now],
        )
        return bool(cursor.fetchone()[0])


@dataclass(frozen=True, slots=True)
class _Fate:
    """What an expired claim in `was` becomes, when the condition holds; tried in the order written."""

    was: str
    condition: str
    state: str
    code: str = ""
    reason: str = ""


# A keyed connector recognises the repeat, as long as it remembers; the step's own action says how long that is.
_REPEATABLE = " OR ".join(
    f"(sent_marker_at > %(now)s::timestamptz - interval '{action.repeat_window.total_seconds():.0f} seconds'"
    f" AND step_id IN (SELECT s.id FROM playbooks_step s WHERE s.tenant_id = %(tenant)s AND s.action = '{action.key}'))"
    for action in ACTIONS
    if isinstance(action, ExternalAction) and action.repeat_window
)
_POISON = ("poison", "It stopped its worker again and again, even alone.")
_FATES = (
    _Fate("running", f"claims < {POISON_AFTER} AND ({_REPEATABLE})", "scheduled"),
    _Fate("running", "sent_marker_at IS NOT NULL", "uncertain", "crashed", "The worker died while it was being sent."),
    _Fate("running", f"claims >= {POISON_AFTER}", "dead", *_POISON),
    _Fate("running", "true", "scheduled"),
    _Fate("undoing", f"claims >= {POISON_AFTER}", "undo_dead", *_POISON),
)


def _expire(tenant_id: int, external: bool, now: datetime, fate: _Fate) -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            UPDATE playbooks_actionrun
            SET state = %(state)s, lease_token = NULL, lease_until = NULL, reason_code = %(code)s, reason = %(reason)s
            WHERE id IN (SELECT id FROM playbooks_actionrun WHERE tenant_id = %(tenant)s AND is_external = %(external)s
                         AND state = %(was)s AND lease_until < %(now)s AND ({fate.condition}) FOR UPDATE SKIP LOCKED)
            RETURNING id
            """,
            {
                "state": fate.state,
                "code": fate.code,
                "reason": fate.reason,
                "tenant": tenant_id,
                "external": external,
                "was": fate.was,
                "now": now,
            },
        )
        ids = [id for (id,) in cursor.fetchall()]
    if ids:
        said = fate.reason or "Its worker went away; nothing had happened yet."
        ledger.record_runs(ids, tenant_id=tenant_id, from_state=fate.was, actor="engine", now=now, reason=said)
    return len(ids)


def release_reconnected(*, tenant_id: int, now: datetime) -> int:
    """What waited because a connector or a mailbox refused us, or was not there, goes on once it is well."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE playbooks_actionrun SET state = 'scheduled', try_at = %(now)s, reason_code = '', reason = ''
            WHERE id IN (
                SELECT r.id FROM playbooks_actionrun r
                JOIN playbooks_step s ON s.tenant_id = r.tenant_id AND s.id = r.step_id
                WHERE r.tenant_id = %(tenant)s AND r.is_external AND r.state = 'held'
                  AND r.reason_code IN ('needs_reauth', 'no_connector', 'no_mailbox', 'token')
                  AND (EXISTS (SELECT 1 FROM connectors_connector c
                               WHERE c.tenant_id = s.tenant_id AND c.key = s.config ->> 'connector'
                                 AND c.state = 'active' AND c.archived_at IS NULL)
                       OR EXISTS (SELECT 1 FROM accounts_conversation v
                                  JOIN connectors_mailbox m ON m.tenant_id = v.tenant_id AND m.member_id = v.sender_id
                                  WHERE v.tenant_id = r.tenant_id AND v.origin_run_id = r.id
                                    AND m.state = 'active' AND m.good_until > %(now)s))
                FOR UPDATE OF r SKIP LOCKED)
            RETURNING id
            """,
            {"tenant": tenant_id, "now": now},
        )
        ids = [id for (id,) in cursor.fetchall()]
    if ids:
        said = "What it leaves by is well again."
        ledger.record_runs(ids, tenant_id=tenant_id, from_state="held", actor="engine", now=now, reason=said)
    return len(ids)


# Who stops is read once: a list of ids that is asked for each run is put in order for each run, and the planner, which
# has not heard of those that have just begun to stop, would walk through all of them as often.
_LAST_APPLIED = """
    WITH stopping AS MATERIALIZED (
        SELECT e.id FROM playbooks_enrollment e WHERE e.tenant_id = %(tenant)s AND e.state = 'stopping'
          AND (%(only)s::bigint[] IS NULL OR e.id = ANY(%(only)s))
    )
    SELECT r.id FROM stopping e JOIN playbooks_actionrun r ON r.tenant_id = %(tenant)s AND r.enrollment_id = e.id
    WHERE r.step_id = %(step)s
      AND (r.state = 'applied' OR (r.state = 'undoing' AND r.lease_until < %(now)s))
      AND r.claims BETWEEN %(least)s AND %(most)s
      -- Last first: whatever was applied later goes before, and a message on the wire is waited for.
      AND NOT EXISTS (
          SELECT 1 FROM playbooks_actionrun l
          WHERE l.tenant_id = %(tenant)s AND l.enrollment_id = r.enrollment_id AND l.id <> r.id
            AND (l.state = 'running' OR (l.state IN ('applied', 'undoing')
                 AND (l.settled_at, l.position) > (r.settled_at, r.position))))
      -- A CTA playbook it has applied goes before the CTA does.
      AND NOT EXISTS (
          SELECT 1 FROM playbooks_enrollment c
          JOIN playbooks_actionrun l ON l.tenant_id = c.tenant_id AND l.enrollment_id = c.id
          WHERE c.tenant_id = %(tenant)s AND c.parent_run_id = r.id AND c.state = 'stopping'
            AND l.state IN ('running', 'applied', 'undoing'))
    ORDER BY e.id LIMIT %(size)s
"""
_CLAIM_UNDO = f"""
    WITH last AS ({_LAST_APPLIED} FOR UPDATE OF r SKIP LOCKED)
    UPDATE playbooks_actionrun r
    SET state = 'undoing', claims = claims + 1, lease_token = %(token)s, lease_until = %(until)s
    FROM last WHERE r.id = last.id AND r.tenant_id = %(tenant)s RETURNING r.id
"""


def steps_to_undo(*, tenant_id: int, now: datetime, enrollment_ids: list[int] | None = None) -> list[int]:
    """Steps with applied runs under a stop, in the reverse of the order they ran in."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT r.step_id FROM playbooks_enrollment e
            JOIN playbooks_actionrun r ON r.tenant_id = e.tenant_id AND r.enrollment_id = e.id
            WHERE e.tenant_id = %s AND e.state = 'stopping' AND (%s::bigint[] IS NULL OR e.id = ANY(%s))
              AND (r.state = 'applied' OR (r.state = 'undoing' AND r.lease_until < %s))
            GROUP BY r.step_id ORDER BY max(r.settled_at) DESC, max(r.position) DESC, r.step_id
            """,
            [tenant_id, enrollment_ids, enrollment_ids, now],
        )
        return [step_id for (step_id,) in cursor.fetchall()]


def claim_undo(*, tenant_id: int, step_id: int, now: datetime, enrollment_ids: list[int] | None = None) -> Claim | None:
    token = uuid4()
    for least, most, size in TIERS:
        with connection.cursor() as cursor:
            cursor.execute(
                _CLAIM_UNDO,
                {
                    "tenant": tenant_id,
                    "step": step_id,
                    "only": enrollment_ids,
                    "now": now,
                    "least": least,
                    "most": most,
                    "size": size,
                    "token": token,
                    "until": lease_end(now),
                },
            )
            ids = [id for (id,) in cursor.fetchall()]
        if ids:
            return Claim(token, step_id, ids)
    return None


def last_applied(*, tenant_id: int, step_id: int, now: datetime, enrollment_ids: list[int]) -> list[UUID]:
    """The same without a lease, for a transaction that has locked these enrollments and takes them back itself."""
    with connection.cursor() as cursor:
        cursor.execute(
            _LAST_APPLIED,
            {
                "tenant": tenant_id,
                "step": step_id,
                "only": enrollment_ids,
                "now": now,
                "least": 0,
                "most": TIERS[-1][1],
                "size": BATCH,
            },
        )
        return [id for (id,) in cursor.fetchall()]


def claim_failed_undo(run_id: UUID, *, tenant_id: int, now: datetime) -> UUID | None:
    """The token for one more try, or nothing when the undo no longer counts as failed."""
    token = uuid4()
    failed = ActionRun.objects.filter(pk=run_id, tenant_id=tenant_id, state=ActionRun.State.UNDO_DEAD)
    lease = {"lease_token": token, "lease_until": lease_end(now)}
    taken = failed.update(state=ActionRun.State.UNDOING, claims=1, reason_code="", reason="", **lease)
    return token if taken else None


def next_due(*, tenant_id: int, external: bool) -> datetime | None:
    """When the queue must be looked at again: the earliest open run or message, the end of the earliest lease, a
    mailbox, or the moment at which somebody will have been asked in vain.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT LEAST(
                (SELECT min(r.try_at) FROM playbooks_actionrun r
                 WHERE r.tenant_id = %(t)s AND r.is_external = %(x)s AND r.state = 'scheduled'
                   AND {_STATE_OF_ENROLLMENT} = 'active'),
                (SELECT min(lease_until) FROM playbooks_actionrun
                 WHERE tenant_id = %(t)s AND is_external = %(x)s AND state IN ('running', 'undoing')),
                (SELECT min(a.expires_at) FROM playbooks_approval a
                 JOIN playbooks_enrollment e ON e.tenant_id = a.tenant_id AND e.id = a.enrollment_id
                 WHERE a.tenant_id = %(t)s AND a.state = 'waiting' AND e.state = 'active'),
                (SELECT min(due_at) FROM connectors_retraction
                 WHERE tenant_id = %(t)s AND state IN ('waiting', 'sending') AND %(x)s),
                (SELECT min(CASE state WHEN 'pending' THEN send_at ELSE lease_until END) FROM accounts_conversation
                 WHERE tenant_id = %(t)s AND hand_id IS NOT NULL AND state IN ('pending', 'sending') AND %(x)s),
                (SELECT min(stop_requested_at) FROM playbooks_enrollment
                 WHERE tenant_id = %(t)s AND state = 'stopping' AND NOT %(x)s),
                (SELECT min(look_at) FROM connectors_mailbox WHERE tenant_id = %(t)s AND %(x)s),
                (SELECT min(look_at) FROM connectors_connector WHERE tenant_id = %(t)s AND %(x)s
                 AND archived_at IS NULL AND state = 'active'))
            """,
            {"t": tenant_id, "x": external},
        )
        return cursor.fetchone()[0]
