"""Pending conversations: what a person decides about a drafted message, carried to the run that drafted it."""

from datetime import datetime

from django.db import transaction

from accounts.models import Conversation
from cs_platform.tenancy.context import current_tenant_id
from cs_platform.tenancy.models import Doer, WorkDue
from playbooks import ledger
from playbooks.models import ActionRun


def send_now(conversation: Conversation, *, by: Doer, now: datetime) -> bool:
    """End the review delay. False when it is no longer pending."""
    with transaction.atomic():
        if not conversation.send_now(by=by, now=now):
            return False
        _wake(conversation, by=by.actor, now=now)
    return True


def cancel(conversation: Conversation, *, by: Doer, now: datetime) -> bool:
    """It will not be sent; its action counts as skipped as soon as the engine looks, which is now."""
    with transaction.atomic():
        if not conversation.cancel(by=by, now=now):
            return False
        _wake(conversation, by=by.actor, now=now)
    return True


def _wake(conversation: Conversation, *, by: str, now: datetime) -> None:
    """Whether its run waits for the end of the review, or was held because it came late."""
    run = ActionRun.objects.filter(pk=conversation.origin_run_id)
    held = run.filter(state=ActionRun.State.HELD).update(
        state=ActionRun.State.SCHEDULED, try_at=now, reason_code="", reason=""
    )
    if held and conversation.origin_run_id:
        ids = [conversation.origin_run_id]
        ledger.record_runs(ids, tenant_id=current_tenant_id(), from_state="held", actor=by, now=now)
    if held or run.filter(state=ActionRun.State.SCHEDULED).update(try_at=now):
        WorkDue.announce(tenant_id=current_tenant_id(), queue=WorkDue.Queue.DELIVER, due_at=now)
