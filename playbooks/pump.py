"""Drains what is due, workspace by workspace in turns, so that none starves. Celery nudges it; it needs no Celery."""

import logging
from datetime import datetime

from cs_platform.tenancy.clock import database_now
from cs_platform.tenancy.context import tenant_context
from cs_platform.tenancy.models import Tenant, WorkDue
from playbooks.approvals import expire
from playbooks.delivery import Deliver, deliver_directly, deliver_round
from playbooks.evaluation import evaluate_if_due
from playbooks.leases import next_due
from playbooks.runner import apply_round
from playbooks.turns import Clock, Turn
from playbooks.undo import finish_stops

log = logging.getLogger(__name__)

SECONDS = 20.0


def pump(
    queue: str, *, seconds: float = SECONDS, clock: Clock = database_now, deliver: Deliver = deliver_directly
) -> int:
    """Work until nothing of this queue is due or the time is up. Returns how many runs were worked on."""
    turn = Turn.lasting(seconds, clock=clock)
    total = 0
    while worked := sum(_take_turn(tenant, queue, turn, deliver) for tenant in _whose_turn(queue, clock())):
        total += worked
    return total


def _whose_turn(queue: str, now: datetime) -> list[Tenant]:
    """In any order: always the same one would starve the last whenever the time does not suffice for all."""
    due = WorkDue.objects.filter(queue=queue, due_at__lte=now).select_related("tenant").order_by("?")
    return [work.tenant for work in due]


def _take_turn(tenant: Tenant, queue: str, turn: Turn, deliver: Deliver) -> int:
    """What one workspace's data makes impossible must not keep the others waiting; it stays due itself."""
    if turn.is_over:
        return 0
    try:
        worked = _work(tenant, queue, turn, deliver)
        if not worked:
            _look_again(tenant, queue)
    except Exception:
        log.exception("the %s queue of workspace %s met an error", queue, tenant.pk)
        return 0
    return worked


def _work(tenant: Tenant, queue: str, turn: Turn, deliver: Deliver) -> int:
    if queue == WorkDue.Queue.EVALUATE:
        evaluate_if_due(tenant, now=turn.now())
        return 0
    expired = expire(tenant, now=turn.now())
    if queue == WorkDue.Queue.DELIVER:
        return expired + deliver_round(tenant, turn, deliver=deliver)
    return expired + apply_round(tenant, turn) + finish_stops(tenant, turn)


def _look_again(tenant: Tenant, queue: str) -> None:
    """Set the next moment from the rows. The lock comes first: work announced meanwhile is either seen or waits.

    Nothing is done without the row's lock: whoever has it, or has just announced new work, knows better.
    """
    if queue == WorkDue.Queue.EVALUATE:
        return
    with tenant_context(tenant.pk):
        mine = WorkDue.objects.filter(tenant=tenant, queue=queue)
        if not list(mine.select_for_update(skip_locked=True)):
            return
        due_at = next_due(tenant_id=tenant.pk, external=queue == WorkDue.Queue.DELIVER)
        if due_at is None:
            mine.delete()
        else:
            mine.update(due_at=due_at)
