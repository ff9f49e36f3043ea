"""Settling runs: one fenced statement moves every run of a batch, with its receipt and its ledger entry."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.core.serializers.json import DjangoJSONEncoder
from django.db import connection

from playbooks import ledger
from playbooks.leases import LeaseLost


@dataclass(frozen=True, slots=True)
class Settled:
    """What becomes of one run. `try_at` and `attempt` matter only to runs that go back to `scheduled`.

    `is_open`: an earlier call may have done it all the same, which the other side will recognise.
    """

    run_id: UUID
    state: str
    receipt: dict[str, Any] | None = None
    reason_code: str = ""
    reason: str = ""
    try_at: datetime | None = None
    attempt: int | None = None  # None leaves the count of tries as it is
    prepared: bool = False
    is_open: bool = False


_SETTLE = """
    WITH outcome AS (
        SELECT * FROM unnest(%(ids)s::uuid[], %(states)s::text[], %(receipts)s::text[], %(codes)s::text[],
            %(reasons)s::text[], %(try_ats)s::timestamptz[], %(attempts)s::int[], %(prepared)s::bool[],
            %(open)s::bool[]) o(id, state, receipt, code, reason, try_at, attempt, prepared, is_open)
    ), settled AS (
        UPDATE playbooks_actionrun r
        SET state = o.state, receipt = COALESCE(r.receipt, '{}'::jsonb) || COALESCE(o.receipt::jsonb, '{}'::jsonb),
            reason_code = o.code, reason = o.reason, try_at = COALESCE(o.try_at, r.try_at),
            attempt = COALESCE(o.attempt, r.attempt),
            prepared_at = CASE WHEN o.prepared THEN %(now)s ELSE r.prepared_at END,
            sent_marker_at = CASE WHEN o.is_open OR o.state = 'uncertain' THEN r.sent_marker_at END,
            settled_at = CASE WHEN o.state IN ('applied', 'skipped', 'dead', 'cancelled') THEN %(now)s
                ELSE r.settled_at END,
            claims = 0, lease_token = NULL, lease_until = NULL
        FROM outcome o
        WHERE r.id = o.id AND r.tenant_id = %(tenant)s
          AND r.state = %(from)s AND r.lease_token IS NOT DISTINCT FROM %(token)s::uuid
        RETURNING r.id, r.enrollment_id, r.state, r.reason, r.receipt
    ), written AS (
        INSERT INTO playbooks_ledgerentry
            (tenant_id, run_id, enrollment_id, at, from_state, to_state, actor, reason, receipt)
        SELECT %(tenant)s, id, enrollment_id, %(now)s, %(from)s, state, 'engine', reason, receipt FROM settled
    )
    SELECT count(*) FROM settled
"""


def settle(outcomes: Sequence[Settled], *, tenant_id: int, token: UUID | None, from_state: str, now: datetime) -> None:
    """Without a token, of runs that nobody leases. Raises LeaseLost when any is no longer ours: then nothing of the
    transaction may stand.
    """
    if not outcomes:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            _SETTLE,
            {
                "ids": [outcome.run_id for outcome in outcomes],
                "states": [outcome.state for outcome in outcomes],
                "receipts": [as_json(outcome.receipt) for outcome in outcomes],
                "codes": [outcome.reason_code for outcome in outcomes],
                "reasons": [outcome.reason for outcome in outcomes],
                "try_ats": [outcome.try_at for outcome in outcomes],
                "attempts": [outcome.attempt for outcome in outcomes],
                "prepared": [outcome.prepared for outcome in outcomes],
                "open": [outcome.is_open for outcome in outcomes],
                "tenant": tenant_id,
                "token": token,
                "from": from_state,
                "now": now,
            },
        )
        if cursor.fetchone()[0] != len(outcomes):
            raise LeaseLost


def as_json(receipt: dict[str, Any] | None) -> str | None:
    return None if receipt is None else json.dumps(receipt, cls=DjangoJSONEncoder)


def count_progress(enrollment_ids: Iterable[int], *, tenant_id: int, now: datetime) -> list[int]:
    """Bring steps done and % up to date; complete what has no open step left. Returns the completed enrollments.

    What is applied to a CTA is done when that is closed, and its progress is that of its tasks (playbooks/on_ctas.py).
    """
    with connection.cursor() as cursor:
        cursor.execute(
            """
            WITH tally AS (
                SELECT enrollment_id,
                    count(*) FILTER (WHERE state IN ('applied', 'skipped', 'dead') AND fan_key = '') AS done,
                    count(*) FILTER (WHERE state IN ('scheduled', 'held', 'running', 'uncertain')) AS open
                FROM playbooks_actionrun WHERE tenant_id = %(tenant)s AND enrollment_id = ANY(%(ids)s) GROUP BY 1
            )
            UPDATE playbooks_enrollment e
            SET steps_done = t.done, progress = t.done * 100 / e.steps_total,
                state = CASE WHEN t.open = 0 AND e.state = 'active' THEN 'completed' ELSE e.state END,
                completed_at = CASE WHEN t.open = 0 AND e.state = 'active' THEN %(now)s ELSE e.completed_at END
            FROM tally t WHERE e.id = t.enrollment_id AND e.tenant_id = %(tenant)s AND e.cta_id IS NULL
              AND (e.steps_done <> t.done OR (t.open = 0 AND e.state = 'active'))
            RETURNING e.id, e.state = 'completed' AND e.completed_at = %(now)s
            """,
            {"tenant": tenant_id, "ids": sorted(set(enrollment_ids)), "now": now},
        )
        completed = [id for id, ended in cursor.fetchall() if ended]
    if completed:
        ledger.record_enrollments(
            completed, tenant_id=tenant_id, from_state="active", to_state="completed", actor="engine", now=now
        )
    return completed
