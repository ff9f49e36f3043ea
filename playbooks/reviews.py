"""Pending conversations: what a person decides about a drafted message, carried to the run that drafted it."""

from datetime import datetime

from django.db import transaction

from accounts.models import Conversation
from accounts.writing import may_sign
from cs_platform.tenancy.context import current_tenant_id
from cs_platform.tenancy.models import Doer, Membership, WorkDue
from playbooks import ledger
from playbooks.models import ActionRun


def give_to(conversation: Conversation, sender: Membership, *, by: Doer, now: datetime) -> bool:
    """Another sender; what was held for want of one goes on. False when it is no longer pending, or theirs.

    What a person wrote is signed by nobody who could not have signed it then: False, too.
    """
    with transaction.atomic():
        if conversation.sender_id == sender.pk or not may_sign(conversation, sender, by=by):
            return False
        text = {"subject": conversation.subject, "body": conversation.body}
        if not conversation.edit(**text, sender=sender, by=by, now=now):
            return False
        if conversation.hand_id and conversation.problem:
            _leave_at_once(conversation, now=now)
        _release_held(conversation, why="no_assignee", by=by.actor, now=now)
    return True


def _leave_at_once(conversation: Conversation, *, now: datetime) -> None:
    """It was due already, and waited for a reason that may be gone."""
    Conversation.objects.filter(pk=conversation.pk).update(send_at=now)
    WorkDue.announce(tenant_id=current_tenant_id(), queue=WorkDue.Queue.DELIVER, due_at=now)


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
    """Whether its run waits for the end of the review, or was held because it came late. A person's has no run."""
    if conversation.hand_id:
        WorkDue.announce(tenant_id=current_tenant_id(), queue=WorkDue.Queue.DELIVER, due_at=now)
        return
    run = ActionRun.objects.filter(pk=conversation.origin_run_id)
    held = _release_held(conversation, by=by, now=now)
    if held or run.filter(state=ActionRun.State.SCHEDULED).update(try_at=now):
        WorkDue.announce(tenant_id=current_tenant_id(), queue=WorkDue.Queue.DELIVER, due_at=now)


def _release_held(conversation: Conversation, *, why: str = "", by: str, now: datetime) -> bool:
    """For any reason, or only where it was held for this one."""
    run = ActionRun.objects.filter(pk=conversation.origin_run_id, state=ActionRun.State.HELD)
    if why:
        run = run.filter(reason_code=why)
    if not run.update(state=ActionRun.State.SCHEDULED, try_at=now, reason_code="", reason=""):
        return False
    ids = [conversation.origin_run_id] if conversation.origin_run_id else []
    ledger.record_runs(ids, tenant_id=current_tenant_id(), from_state="held", actor=by, now=now)
    WorkDue.announce(tenant_id=current_tenant_id(), queue=WorkDue.Queue.DELIVER, due_at=now)
    return True
