"""What a person does about runs that need one: failed, held, or of unknown outcome. Each verb says whether it acted."""

from collections.abc import Sequence
from datetime import datetime

from django.db import IntegrityError, transaction

from actions.base import Applied, ExternalAction
from cs_platform.tenancy.context import current_tenant_id
from cs_platform.tenancy.models import WorkDue
from playbooks import ledger
from playbooks.asking import HELD_FOR
from playbooks.batches import Work, peek
from playbooks.models import ActionRun, Enrollment, Step
from playbooks.settlement import count_progress

OPEN = (ActionRun.State.DEAD, ActionRun.State.HELD, ActionRun.State.UNCERTAIN)


def retry(run: ActionRun, *, by: str, now: datetime) -> bool:
    """Try again at once, however late. For an uncertain one this says: it did not happen."""
    moved = _move(run, OPEN, ActionRun.State.SCHEDULED, by=by, reason="Tried again.", now=now, try_at=now, attempt=0)
    if moved:
        queue = WorkDue.Queue.DELIVER if run.is_external else WorkDue.Queue.APPLY
        WorkDue.announce(tenant_id=current_tenant_id(), queue=queue, due_at=now)
    return moved


def skip(run: ActionRun, *, by: str, now: datetime) -> bool:
    """It shall not happen any more."""
    states = (ActionRun.State.DEAD, ActionRun.State.HELD)
    with transaction.atomic():
        moved = _move(run, states, ActionRun.State.SKIPPED, by=by, reason="Skipped by a team member.", now=now)
        if moved and run.prepared_at:
            work = _work(run, now=now)
            work.action.cancel(work.batch(work.claimed))
    return moved


def mark_done(run: ActionRun, *, by: str, now: datetime) -> bool:
    """It did happen: settles an uncertain delivery, or a failed action that was done by hand."""
    states = (ActionRun.State.UNCERTAIN, ActionRun.State.DEAD)
    receipt = (run.receipt or {}) | {"marked_done": by}
    with transaction.atomic():
        moved = _move(run, states, ActionRun.State.APPLIED, by=by, reason="Marked as done.", now=now, receipt=receipt)
        work = _work(run, now=now)
        if moved and isinstance(work.action, ExternalAction):
            work.action.record(work.batch(work.claimed), {run.pk: Applied(receipt)})
    return moved


def _work(run: ActionRun, *, now: datetime) -> Work:
    step = Step.objects.select_related("version__playbook", "tenant").get(pk=run.step_id)
    return peek(step.tenant, step, [run.pk], now=now)


def _move(
    run: ActionRun, states: Sequence[str], to: str, *, by: str, reason: str, now: datetime, **fields: object
) -> bool:
    with transaction.atomic():
        enrollment = Enrollment.objects.select_for_update(no_key=True).get(pk=run.enrollment_id)
        if enrollment.state not in (Enrollment.State.ACTIVE, Enrollment.State.PAUSED, Enrollment.State.COMPLETED):
            return False
        before = ActionRun.objects.select_for_update().get(pk=run.pk)
        if before.state not in states or before.reason_code == HELD_FOR:  # whoever is asked decides about that
            return False
        if to == ActionRun.State.SCHEDULED and not _goes_on(enrollment, by=by, now=now):
            return False
        only_waited = (before.state, to) == (ActionRun.State.HELD, ActionRun.State.SCHEDULED)
        marker = before.sent_marker_at if only_waited else None
        ActionRun.objects.filter(pk=run.pk).update(
            state=to, reason_code="", reason=reason, claims=0, sent_marker_at=marker, settled_at=now, **fields
        )
        ledger.record_runs(
            [run.pk], tenant_id=current_tenant_id(), from_state=before.state, actor=by, now=now, reason=reason
        )
        count_progress([enrollment.pk], tenant_id=current_tenant_id(), now=now)
    return True


def _goes_on(enrollment: Enrollment, *, by: str, now: datetime) -> bool:
    """A finished enrollment with one failed action goes on, unless the playbook was applied here again since."""
    if enrollment.state != Enrollment.State.COMPLETED:
        return True
    try:
        with transaction.atomic():
            Enrollment.objects.filter(pk=enrollment.pk).update(
                state=Enrollment.State.ACTIVE, completed_at=None, is_superseded=False
            )
    except IntegrityError:
        return False
    ledger.record_enrollments(
        [enrollment.pk],
        tenant_id=current_tenant_id(),
        from_state="completed",
        to_state="active",
        actor=by,
        now=now,
    )
    return True
