"""Stopping: cancel what is scheduled, take back what was applied, last first; never a person's own work.

A stop is requested in one short transaction and carried out in batches that survive a crash anywhere. The preview
asks the very same decisions and writes nothing.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from django.db import connection, transaction

from accounts.heirs import Legacy, hand_over
from actions.base import Keep, Receipt, Run, Undo, UndoDecision
from actions.chains import receipt_of
from actions.registry import action_for
from cs_platform.tenancy.context import current_tenant_id, tenant_context
from cs_platform.tenancy.models import Doer, Tenant, WorkDue
from playbooks import ledger
from playbooks.batches import Claimed, Lock, Work, load, lock_subjects_of, peek
from playbooks.leases import (
    Claim,
    LeaseLost,
    claim_failed_undo,
    claim_undo,
    last_applied,
    reclaim_expired,
    steps_to_undo,
)
from playbooks.models import ActionRun, Enrollment, Step
from playbooks.runner import in_halves
from playbooks.settlement import Settled, settle
from playbooks.turns import Turn

STOPPABLE = (Enrollment.State.ACTIVE, Enrollment.State.PAUSED, Enrollment.State.COMPLETED)
UNSENT = (ActionRun.State.SCHEDULED, ActionRun.State.HELD)


@dataclass(frozen=True, slots=True)
class StopLine:
    """One item of the list a person reads before and after a stop. No day: its date was never set."""

    run_id: UUID
    day: int | None
    icon: str
    says: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class StopPreview:
    undone: list[StopLine]
    cancelled: list[StopLine]
    kept: list[StopLine]


# Preview --------------------------------------------------------------------------------------------------------------


def preview_stop(enrollment: Enrollment, *, now: datetime) -> StopPreview:
    """What stopping would do now, item by item: the stop itself, rehearsed in a savepoint that is rolled back.

    Nothing short of that would be true of actions that build on each other.
    """
    with transaction.atomic():
        ids = [enrollment.pk, *_children([enrollment.pk], tenant_id=current_tenant_id())]
        request_stops([enrollment.pk], tenant_id=current_tenant_id(), by="preview", note="", now=now)
        _undo_all(enrollment.tenant, Turn.at(now), ids)
        preview = outcome_of_stop(enrollment)
        transaction.set_rollback(True)
    return preview


def outcome_of_stop(enrollment: Enrollment) -> StopPreview:
    """The same list of a stop that has happened (or is under way)."""
    lists: dict[str, list[StopLine]] = {"undone": [], "cancelled": [], "kept": []}
    for run in enrollment.runs.select_related("step").order_by("-settled_at", "-position"):
        kind = _LISTED.get(run.state)
        if kind:
            lists[kind].append(_line(run, run.step, begun_on=enrollment.activated_on))
    return StopPreview(**lists)


_LISTED: dict[str, str] = {
    ActionRun.State.UNDONE: "undone",
    ActionRun.State.CANCELLED: "cancelled",
    ActionRun.State.KEPT: "kept",
    ActionRun.State.UNDO_DEAD: "kept",
    ActionRun.State.UNCERTAIN: "kept",
    ActionRun.State.RUNNING: "kept",
}


def _line(run: ActionRun, step: Step, *, begun_on: date) -> StopLine:
    action = action_for(step.action)
    told = (run.receipt or {}).get("undo", {})
    says = told.get("says") or action.describe(step.config)
    day = (run.due_on - begun_on).days + 1 if run.due_on else None
    return StopLine(run.pk, day, action.icon, says, told.get("detail") or _open_question(run))


def _open_question(run: ActionRun) -> str:
    match run.state:
        case ActionRun.State.RUNNING:
            return "It is being sent right now."
        case ActionRun.State.UNCERTAIN | ActionRun.State.UNDO_DEAD:
            return run.reason
    return ""


# Requesting -----------------------------------------------------------------------------------------------------------


def request_stop(
    enrollment: Enrollment, *, by: Doer, note: str = "", keep: Collection[UUID] = (), now: datetime
) -> bool:
    """Stop one enrollment and carry it out at once as far as possible. False: it was stopped (or stopping) before."""
    tenant_id = current_tenant_id()
    with transaction.atomic():
        ids = [enrollment.pk, *_children([enrollment.pk], tenant_id=tenant_id)]
        if not request_stops([enrollment.pk], tenant_id=tenant_id, by=by.actor, note=note, now=now):
            return False
        _keep(enrollment.pk, keep, tenant_id=tenant_id, by=by.actor, now=now)
    finish_stops(enrollment.tenant, Turn.at(now), enrollment_ids=ids)
    return True


def request_stops(ids: Sequence[int], *, tenant_id: int, by: str, note: str, now: datetime) -> int:
    """Set-wise: nothing of these enrollments runs from here on. Returns how many were not stopping before.

    CTA playbooks that their runs have applied stop with them.
    """
    with transaction.atomic():
        stopping = _begin(ids, tenant_id=tenant_id, by=by, note=note, now=now)
        if stopping:
            WorkDue.announce(tenant_id=tenant_id, queue=WorkDue.Queue.APPLY, due_at=now)
    return len(set(stopping).intersection(ids))


def stop_together(ids: Sequence[int], *, tenant: Tenant, by: str, note: str, now: datetime) -> set[int]:
    """Stop these and take back what they did in one transaction: whole, or not at all if the worker dies.

    Returns those that were not stopping before. The engine finishes the few that wait for an action under way.
    """
    with transaction.atomic():
        stopping = _begin(ids, tenant_id=tenant.pk, by=by, note=note, now=now)
        if stopping:
            lock_subjects_of(stopping, tenant_id=tenant.pk)  # all at once: another such stop waits, and none deadlocks
            _undo_together(tenant, stopping, now)
            _close(tenant, now)
        if Enrollment.objects.filter(pk__in=stopping, state=Enrollment.State.STOPPING).exists():
            WorkDue.announce(tenant_id=tenant.pk, queue=WorkDue.Queue.APPLY, due_at=now)
    return set(stopping).intersection(ids)


def _begin(ids: Sequence[int], *, tenant_id: int, by: str, note: str, now: datetime) -> list[int]:
    """Those that stop from here on, with the CTA playbooks they have applied."""
    with connection.cursor() as cursor:
        children = lock_children(ids, tenant_id=tenant_id)
        cursor.execute(
            """
            WITH locked AS (
                SELECT id, state FROM playbooks_enrollment
                WHERE tenant_id = %s AND id = ANY(%s) AND state = ANY(%s) ORDER BY id FOR NO KEY UPDATE
            ), stopping AS (
                UPDATE playbooks_enrollment e
                SET state = 'stopping', stop_requested_at = %s, stopped_by = %s, stop_note = %s, is_superseded = false
                FROM locked WHERE e.id = locked.id RETURNING e.id, locked.state
            )
            INSERT INTO playbooks_ledgerentry (tenant_id, enrollment_id, at, from_state, to_state, actor, reason)
            SELECT %s, id, %s, state, 'stopping', %s, %s FROM stopping RETURNING enrollment_id
            """,
            [tenant_id, [*ids, *children], list(STOPPABLE), now, by, note, tenant_id, now, by, note],
        )
        stopping = [id for (id,) in cursor.fetchall()]
        if stopping:
            cancel_unsent(stopping, tenant_id=tenant_id, now=now)
    return stopping


def lock_children(ids: Sequence[int], *, tenant_id: int) -> list[int]:
    """CTA playbooks that runs of these have applied. Their CTAs are locked before any enrollment: who closes one does
    so, too."""
    return _children(ids, tenant_id=tenant_id, lock=True)


def _children(ids: Sequence[int], *, tenant_id: int, lock: bool = False) -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT c.id FROM playbooks_actionrun r
            JOIN playbooks_enrollment c ON c.tenant_id = r.tenant_id AND c.parent_run_id = r.id
            JOIN ctas_cta at ON at.tenant_id = c.tenant_id AND at.id = c.cta_id
            WHERE r.tenant_id = %s AND r.enrollment_id = ANY(%s) AND c.state = ANY(%s)
            ORDER BY at.id {"FOR NO KEY UPDATE OF at" if lock else ""}
            """,
            [tenant_id, list(ids), list(STOPPABLE)],
        )
        return [id for (id,) in cursor.fetchall()]


def cancel_unsent(
    enrollment_ids: Sequence[int],
    *,
    tenant_id: int,
    now: datetime,
    but: Sequence[str] | None = None,
    code: str = "stopped",
    reason: str = "The playbook was stopped.",
) -> int:
    """Scheduled and held runs never happen, `but` those of steps with these keys, unless an earlier try did; what was
    drafted for them is withdrawn. Returns how many are ended.
    """
    open_runs = ActionRun.objects.filter(enrollment_id__in=enrollment_ids, state__in=UNSENT)
    drafted = open_runs.exclude(step__key__in=but or ()).filter(prepared_at__isnull=False)
    for step_id in list(drafted.order_by("step_id").values_list("step_id", flat=True).distinct()):
        _withdraw_drafts(tenant_id, step_id, list(drafted.filter(step_id=step_id).values_list("pk", flat=True)), now)
    with connection.cursor() as cursor:
        cursor.execute(
            """
            WITH old AS (
                SELECT id, state, sent_marker_at IS NULL AS never_tried FROM playbooks_actionrun
                WHERE tenant_id = %(tenant)s AND enrollment_id = ANY(%(ids)s) AND state IN ('scheduled', 'held')
                  AND (%(but)s::text[] IS NULL OR step_id NOT IN (
                      SELECT s.id FROM playbooks_step s WHERE s.tenant_id = %(tenant)s AND s.key = ANY(%(but)s)))
                ORDER BY id FOR UPDATE
            ), ended AS (
                UPDATE playbooks_actionrun r
                SET state = CASE WHEN never_tried THEN 'cancelled' ELSE 'uncertain' END, settled_at = %(now)s,
                    reason_code = %(code)s,
                    reason = %(reason)s || CASE WHEN never_tried THEN '' ELSE ' An earlier try may have arrived.' END
                FROM old WHERE r.id = old.id RETURNING r.id, r.enrollment_id, old.state AS before, r.state, r.reason
            )
            INSERT INTO playbooks_ledgerentry
                (tenant_id, run_id, enrollment_id, at, from_state, to_state, actor, reason)
            SELECT %(tenant)s, id, enrollment_id, %(now)s, before, state, 'engine', reason FROM ended
            """,
            {
                "tenant": tenant_id,
                "ids": list(enrollment_ids),
                "but": list(but) if but is not None else None,
                "now": now,
                "code": code,
                "reason": reason,
            },
        )
        return cursor.rowcount  # type: ignore[no-any-return]


def _withdraw_drafts(tenant_id: int, step_id: int, run_ids: Sequence[UUID], now: datetime) -> None:
    step = Step.objects.select_related("version__playbook", "tenant").get(pk=step_id)
    work = peek(step.tenant, step, run_ids, now=now)
    work.action.cancel(work.batch(work.claimed))


def _keep(enrollment_id: int, keep: Collection[UUID], *, tenant_id: int, by: str, now: datetime) -> None:
    """Items a person unticked in the preview: they stay as they are."""
    chosen = ActionRun.objects.filter(enrollment_id=enrollment_id, pk__in=keep, state=ActionRun.State.APPLIED)
    ids = list(chosen.values_list("pk", flat=True))
    if ids:
        reason = "Kept when the playbook was stopped."
        chosen.update(state=ActionRun.State.KEPT, reason_code="kept_by_choice", reason=reason)
        ledger.record_runs(ids, tenant_id=tenant_id, from_state="applied", actor=by, now=now, reason=reason)


# Carrying out ---------------------------------------------------------------------------------------------------------


def finish_stops(tenant: Tenant, turn: Turn, *, enrollment_ids: list[int] | None = None) -> int:
    """Undo batch by batch until nothing is left to undo now; resumable anywhere. Returns how many runs were settled."""
    settled = _undo_all(tenant, turn, enrollment_ids)
    with tenant_context(tenant.pk):
        _close(tenant, turn.now())
    return settled


def _undo_all(tenant: Tenant, turn: Turn, enrollment_ids: list[int] | None) -> int:
    settled = 0
    while done := _undo_round(tenant, turn, enrollment_ids):
        settled += done
    return settled


def _undo_round(tenant: Tenant, turn: Turn, enrollment_ids: list[int] | None) -> int:
    with tenant_context(tenant.pk):
        now = turn.now()
        reclaim_expired(tenant_id=tenant.pk, external=False, now=now)
        steps = steps_to_undo(tenant_id=tenant.pk, now=now, enrollment_ids=enrollment_ids)
    return sum(_undo_step(tenant, step, turn.now(), enrollment_ids) for step in steps if not turn.is_over)


def _undo_step(tenant: Tenant, step_id: int, now: datetime, enrollment_ids: list[int] | None) -> int:
    with tenant_context(tenant.pk):
        claim = claim_undo(tenant_id=tenant.pk, step_id=step_id, now=now, enrollment_ids=enrollment_ids)
    if claim is None:
        return 0
    _undo_in_halves(tenant, _Taken.by(claim), claim.run_ids, now)
    return len(claim.run_ids)


def _undo_together(tenant: Tenant, stopping: list[int], now: datetime) -> None:
    """In the transaction that stops them: nobody else sees a run between applied and undone, so none is leased.

    Each run is tried once. What is not taken back by that is left to the engine.
    """
    tried: set[UUID] = set()
    before = -1
    while before < len(tried):
        before = len(tried)
        for step_id in steps_to_undo(tenant_id=tenant.pk, now=now, enrollment_ids=stopping):
            last = last_applied(tenant_id=tenant.pk, step_id=step_id, now=now, enrollment_ids=stopping)
            fresh = [id for id in last if id not in tried]
            tried.update(fresh)
            if fresh:
                _undo_in_halves(tenant, _Taken(step_id), fresh, now)


@dataclass(frozen=True, slots=True)
class _Taken:
    """Runs of one step that are ours to take back: by a lease, or by the locks of the transaction that stops them."""

    step_id: int
    token: UUID | None = None

    @classmethod
    def by(cls, claim: Claim) -> "_Taken":
        return cls(claim.step_id, claim.token)

    @property
    def state(self) -> str:
        return ActionRun.State.UNDOING if self.token else ActionRun.State.APPLIED


def _undo_in_halves(tenant: Tenant, taken: _Taken, run_ids: Sequence[UUID], now: datetime) -> None:
    in_halves(
        run_ids,
        lambda ids: _undo(tenant, taken, ids, now),
        lambda id, why: _undo_dead(tenant, taken, id, why, now),
    )


def _undo(tenant: Tenant, taken: _Taken, run_ids: Sequence[UUID], now: datetime) -> None:
    with tenant_context(tenant.pk):
        lock = Lock.ALL if taken.token else Lock.HELD
        work = load(tenant, taken.step_id, run_ids, token=taken.token, now=now, lock=lock)
        decisions = _decide(work)
        outcomes = [_settled(one, decisions[one.run.id]) for one in work.claimed]
        settle(outcomes, tenant_id=tenant.pk, token=taken.token, from_state=taken.state, now=now)
        _hand_over(work.claimed, decisions)
        _tell(work, decisions)


def _decide(work: Work) -> Mapping[UUID, UndoDecision]:
    batch = work.batch(work.claimed)
    if work.step.keep_on_stop:
        return {run.id: Keep("by_design", work.action.tell(batch.config, run.receipt or {})) for run in batch.runs}
    return work.action.undo(batch)


def _settled(one: Claimed, decision: UndoDecision) -> Settled:
    match decision:
        case Undo(says, detail):
            return Settled(one.run.id, "undone", {"undo": {"says": says, "detail": detail}}, reason=says)
        case Keep(code, says):
            return Settled(one.run.id, "kept", {"undo": {"says": says, "kept": code}}, reason_code=code, reason=says)


def _hand_over(claimed: Sequence[Claimed], decisions: Mapping[UUID, UndoDecision]) -> None:
    """Splice: whoever wrote over ours inherits what was there before us, so the last one out restores it."""
    hand_over(
        _legacy(one.run, decision.inherit)
        for one in claimed
        if isinstance(decision := decisions[one.run.id], Keep) and decision.inherit is not None
    )


def _legacy(run: Run, found: Receipt) -> Legacy:
    receipt = receipt_of(run)
    return Legacy(receipt.get("scope", "account"), receipt["target_id"], run.writer, found, receipt.get("key", ""))


def _tell(work: Work, decisions: Mapping[UUID, UndoDecision]) -> None:
    by_kind: dict[str, list[ledger.Told]] = {"action.undone": [], "action.kept": []}
    for one in work.claimed:
        decision = decisions[one.run.id]
        kind = "action.undone" if isinstance(decision, Undo) else "action.kept"
        subject = f"enrollment:{one.run.enrollment_id}"
        by_kind[kind].append(ledger.Told(one.run.account_id, one.run.end_user_id, decision.says, subject))
    actor = work.step.version.playbook.actor
    for kind, lines in by_kind.items():
        ledger.tell(lines, tenant_id=work.tenant.pk, kind=kind, actor=actor, now=work.now)


def _undo_dead(tenant: Tenant, taken: _Taken, run_id: UUID, why: str, now: datetime) -> None:
    """One undo that cannot be done: shown to a person; the rest of the stop goes on."""
    try:
        with tenant_context(tenant.pk):
            outcome = Settled(run_id, "undo_dead", reason_code="undo_failed", reason=why)
            settle([outcome], tenant_id=tenant.pk, token=taken.token, from_state=taken.state, now=now)
    except LeaseLost:
        return


# When an undo has failed ----------------------------------------------------------------------------------------------


def retry_undo(run: ActionRun, *, by: str, now: datetime) -> bool:
    """Take it back after all, at once. It may fail again, and says why. False: it was settled before."""
    tenant_id = current_tenant_id()
    with transaction.atomic():
        step = _lock_step(run)
        token = claim_failed_undo(run.pk, tenant_id=tenant_id, now=now)
        if token is None:
            return False
        said = "Its undo was tried again."
        ledger.record_runs([run.pk], tenant_id=tenant_id, from_state="undo_dead", actor=by, now=now, reason=said)
        _undo_in_halves(step.tenant, _Taken(step.pk, token), [run.pk], now)
    return True


def accept_as_kept(run: ActionRun, *, by: str, now: datetime) -> bool:
    """What could not be taken back stays, by a person's word. False: it was settled before."""
    tenant_id, reason = current_tenant_id(), "Kept by a team member, since it could not be undone."
    with transaction.atomic():
        step = _lock_step(run)
        failed = ActionRun.objects.filter(pk=run.pk, state=ActionRun.State.UNDO_DEAD)
        if not failed.update(state=ActionRun.State.KEPT, reason_code="accepted", reason=reason):
            return False
        ledger.record_runs([run.pk], tenant_id=tenant_id, from_state="undo_dead", actor=by, now=now, reason=reason)
        says = f"{action_for(step.action).tell(step.config, run.receipt or {})}: it stays"
        at = run.enrollment
        told = ledger.Told(at.account_id, at.end_user_id, says, f"enrollment:{at.pk}")
        ledger.tell([told], tenant_id=tenant_id, kind="action.kept", actor=by, now=now)
    return True


def _lock_step(run: ActionRun) -> Step:
    """The enrollment before the run, as everywhere."""
    Enrollment.objects.select_for_update(no_key=True).get(pk=run.enrollment_id)
    return Step.objects.select_related("tenant").get(pk=run.step_id)


def _close(tenant: Tenant, now: datetime) -> None:
    """Enrollments with nothing left to undo, and nothing on the wire, are stopped."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT e.id FROM playbooks_enrollment e WHERE e.tenant_id = %s AND e.state = 'stopping'
              AND NOT EXISTS (SELECT 1 FROM playbooks_actionrun r WHERE r.tenant_id = e.tenant_id
                  AND r.enrollment_id = e.id AND r.state IN ('running', 'applied', 'undoing'))
            ORDER BY e.id FOR NO KEY UPDATE SKIP LOCKED
            """,
            [tenant.pk],
        )
        ids = [id for (id,) in cursor.fetchall()]
        if not ids:
            return
        cancel_unsent(ids, tenant_id=tenant.pk, now=now)  # a failed call may have gone back to scheduled meanwhile
        cursor.execute(
            "UPDATE playbooks_enrollment SET state = 'stopped', stopped_at = %s WHERE tenant_id = %s AND id = ANY(%s)",
            [now, tenant.pk, ids],
        )
    ledger.record_enrollments(
        ids, tenant_id=tenant.pk, from_state="stopping", to_state="stopped", actor="engine", now=now
    )
    _tell_stopped(tenant.pk, ids, now)


def _tell_stopped(tenant_id: int, ids: Iterable[int], now: datetime) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO accounts_timelineentry (tenant_id, account_id, end_user_id, at, kind, actor, text, subject)
            SELECT e.tenant_id, e.account_id, e.end_user_id, %s, 'playbook.stopped', e.stopped_by,
                p.name || ' stopped: ' || t.undone || ' undone, ' || t.kept || ' kept', 'enrollment:' || e.id
            FROM playbooks_enrollment e JOIN playbooks_playbook p ON p.id = e.playbook_id
            CROSS JOIN LATERAL (
                SELECT count(*) FILTER (WHERE r.state = 'undone') AS undone,
                    count(*) FILTER (WHERE r.state = 'kept') AS kept
                FROM playbooks_actionrun r WHERE r.tenant_id = e.tenant_id AND r.enrollment_id = e.id) t
            WHERE e.tenant_id = %s AND e.id = ANY(%s) AND NOT e.is_dry ORDER BY e.id
            """,
            [now, tenant_id, list(ids)],
        )
