"""What becomes of actions that wait for approval: approved, rejected, or left unanswered until their time is up.

Each question is settled once, whoever comes first: under the lock of its enrollment, by one conditional statement that
moves question and run together and writes the ledger.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.db.models import QuerySet

from actions.registry import action_for
from cs_platform.tenancy.context import current_tenant_id, tenant_context
from cs_platform.tenancy.models import Doer, Tenant, WorkDue
from playbooks import ledger
from playbooks.asking import HELD_FOR
from playbooks.models import ActionRun, Approval, Enrollment, Step
from playbooks.settlement import count_progress
from playbooks.undo import lock_children, request_stops

State, Otherwise = Approval.State, Approval.Otherwise
AT_ONCE = 1_000
ENGINE = "engine"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What an answer does to question and run, and how the timeline tells it."""

    state: str
    run_to: str
    kind: str
    says: str


APPROVE = Verdict(State.APPROVED, ActionRun.State.SCHEDULED, "action.approved", "Approved")
REJECT = Verdict(State.REJECTED, ActionRun.State.SKIPPED, "action.rejected", "Rejected")
UNANSWERED: Mapping[str, Verdict] = {
    Otherwise.SKIP: Verdict(State.EXPIRED, ActionRun.State.SKIPPED, "action.rejected", "Skipped without an answer"),
    Otherwise.APPLY: Verdict(State.EXPIRED, ActionRun.State.SCHEDULED, "action.approved", "Runs without an answer"),
    Otherwise.STOP: Verdict(State.EXPIRED, ActionRun.State.CANCELLED, "action.rejected", "Not run without an answer"),
}


@dataclass(frozen=True, slots=True)
class Settled:
    """One question that was settled just now."""

    id: int
    run_id: UUID
    enrollment_id: int
    account_id: int
    end_user_id: int | None
    step_id: int
    is_external: bool


# Answering ------------------------------------------------------------------------------------------------------------


def approve(ids: Collection[int], *, by: Doer, note: str = "", now: datetime) -> set[int]:
    """They run at once. Answers which of them were: the others are settled, or not for this member to decide."""
    return _answer(ids, APPROVE, by=by, note=note, now=now)


def reject(ids: Collection[int], *, by: Doer, note: str = "", now: datetime) -> set[int]:
    """They are skipped for good; the rest of the playbook goes on."""
    return _answer(ids, REJECT, by=by, note=note, now=now)


def _answer(ids: Collection[int], verdict: Verdict, *, by: Doer, note: str, now: datetime) -> set[int]:
    with transaction.atomic():
        found = _settle(_decidable(ids, by), verdict, by=by.actor, note=note, now=now)
        _follow(found, verdict, by=by.actor, note=note, now=now)
    return {one.id for one in found}


def _decidable(ids: Collection[int], by: Doer) -> list[int]:
    """An API key stands for nobody who could be asked; its scope has been looked at."""
    waiting = Approval.objects.waiting().filter(pk__in=ids)
    rows: QuerySet[Approval] = waiting.decidable_by(by.member) if by.member else waiting
    return list(rows.order_by("pk").values_list("pk", flat=True)[:AT_ONCE])


# Time is up -----------------------------------------------------------------------------------------------------------


def expire(tenant: Tenant, *, now: datetime) -> int:
    """What nobody answered in time becomes what its step says. A paused playbook's questions wait with it."""
    with tenant_context(tenant.pk):
        late = Approval.objects.waiting().filter(expires_at__lte=now, enrollment__state=Enrollment.State.ACTIVE)
        rows = late.order_by("expires_at", "pk").values_list("otherwise", "pk", "enrollment_id")[:AT_ONCE]
        found = list(rows)
        return sum(_expire([row for row in found if row[0] == what], what, now=now) for what in Otherwise.values)


def _expire(rows: Sequence[tuple[str, int, int]], otherwise: str, *, now: datetime) -> int:
    if not rows:
        return 0
    verdict, note = UNANSWERED[otherwise], "Nobody answered in time."
    with transaction.atomic():
        if otherwise == Otherwise.STOP:  # a stop locks them before the enrollments
            lock_children([enrollment for _what, _id, enrollment in rows], tenant_id=current_tenant_id())
        found = _settle([id for _what, id, _enrollment in rows], verdict, by=ENGINE, note=note, now=now)
        _follow(found, verdict, by=ENGINE, note="", now=now)
        if otherwise == Otherwise.STOP and found:
            ids = sorted({one.enrollment_id for one in found})
            why = "Nobody approved one of its actions in time."
            request_stops(ids, tenant_id=current_tenant_id(), by=ENGINE, note=why, now=now)
    return len(found)


# Settling -------------------------------------------------------------------------------------------------------------

_SETTLE = """
    WITH open AS (
        SELECT a.id, r.id AS run_id, r.enrollment_id, r.step_id, r.is_external, e.account_id, e.end_user_id
        FROM playbooks_approval a
        JOIN playbooks_enrollment e ON e.tenant_id = a.tenant_id AND e.id = a.enrollment_id
        JOIN playbooks_actionrun r ON r.tenant_id = a.tenant_id AND r.id = a.run_id
        WHERE a.tenant_id = %(tenant)s AND a.id = ANY(%(ids)s) AND a.state = 'waiting'
          AND e.state IN ('active', 'paused') AND r.state = 'held' AND r.reason_code = %(held_for)s
        ORDER BY r.id FOR UPDATE OF r, a
    ), answered AS (
        UPDATE playbooks_approval a SET state = %(state)s, decided_at = %(now)s, decided_by = %(by)s, note = %(note)s
        FROM open WHERE a.id = open.id AND a.tenant_id = %(tenant)s
    ), moved AS (
        UPDATE playbooks_actionrun r
        SET state = %(run_to)s, reason = %(reason)s,
            reason_code = CASE WHEN %(run_to)s = 'scheduled' THEN '' ELSE %(state)s END,
            try_at = CASE WHEN %(run_to)s = 'scheduled' THEN %(now)s ELSE r.try_at END,
            settled_at = CASE WHEN %(run_to)s = 'scheduled' THEN r.settled_at ELSE %(now)s END
        FROM open WHERE r.id = open.run_id AND r.tenant_id = %(tenant)s
        RETURNING r.id, r.enrollment_id, r.state
    ), written AS (
        INSERT INTO playbooks_ledgerentry (tenant_id, run_id, enrollment_id, at, from_state, to_state, actor, reason)
        SELECT %(tenant)s, id, enrollment_id, %(now)s, 'held', state, %(by)s, %(reason)s FROM moved
    )
    SELECT id, run_id, enrollment_id, account_id, end_user_id, step_id, is_external FROM open ORDER BY id
"""


def _settle(ids: Sequence[int], verdict: Verdict, *, by: str, note: str, now: datetime) -> list[Settled]:
    """Those among them that still wait, and now no longer do."""
    if not ids:
        return []
    params: dict[str, Any] = {
        "tenant": current_tenant_id(),
        "ids": list(ids),
        "held_for": HELD_FOR,
        "now": now,
        "by": by,
    }
    said = {"state": verdict.state, "run_to": verdict.run_to, "note": note, "reason": _reason(verdict, note)}
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT 1 FROM playbooks_enrollment WHERE tenant_id = %(tenant)s AND id IN"
            " (SELECT enrollment_id FROM playbooks_approval WHERE tenant_id = %(tenant)s AND id = ANY(%(ids)s))"
            " ORDER BY id FOR NO KEY UPDATE",
            params,
        )
        cursor.execute(_SETTLE, params | said)
        return [Settled(*row) for row in cursor.fetchall()]


def _reason(verdict: Verdict, note: str) -> str:
    return f"{verdict.says}: {note}" if note else f"{verdict.says}."


def _follow(found: Sequence[Settled], verdict: Verdict, *, by: str, note: str, now: datetime) -> None:
    """What goes with it: progress, the accounts' timelines, and the workers, who are told last."""
    if not found:
        return
    tenant_id = current_tenant_id()
    if verdict.run_to == ActionRun.State.SKIPPED:
        count_progress([one.enrollment_id for one in found], tenant_id=tenant_id, now=now)
    steps = {step.pk: step for step in Step.objects.filter(pk__in={one.step_id for one in found})}
    says = {pk: action_for(step.action).describe(step.config) for pk, step in steps.items()}
    more = f" ({note})" if note else ""
    lines = [
        ledger.Told(
            one.account_id,
            one.end_user_id,
            f"{verdict.says}: {says[one.step_id]}{more}",
            f"enrollment:{one.enrollment_id}",
        )
        for one in found
    ]
    ledger.tell(lines, tenant_id=tenant_id, kind=verdict.kind, actor=by, now=now)
    if verdict.run_to == ActionRun.State.SCHEDULED:
        for queue, external in ((WorkDue.Queue.APPLY, False), (WorkDue.Queue.DELIVER, True)):
            if any(one.is_external == external for one in found):
                WorkDue.announce(tenant_id=tenant_id, queue=queue, due_at=now)
