"""Drains what is due, workspace by workspace in turns, so that none starves. Celery nudges it; it needs no Celery."""

import time
from collections.abc import Callable
from datetime import datetime

from cs_platform.tenancy.clock import database_now
from cs_platform.tenancy.context import tenant_context
from cs_platform.tenancy.models import Tenant, WorkDue
from playbooks.delivery import Deliver, deliver_directly, deliver_round
from playbooks.evaluation import evaluate_if_due
from playbooks.leases import next_due
from playbooks.runner import apply_round
from playbooks.undo import finish_stops

SECONDS = 20.0

Clock = Callable[[], datetime]


def pump(
    queue: str, *, seconds: float = SECONDS, clock: Clock = database_now, deliver: Deliver = deliver_directly
) -> int:
    """Work until nothing of this queue is due or the time is up. Returns how many runs were worked on."""
    until = time.monotonic() + seconds
    worked = 0
    while time.monotonic() < until:
        turn = [_take_turn(tenant, queue, clock, deliver) for tenant in _whose_turn(queue, clock())]
        worked += sum(turn)
        if not any(turn):
            break
    return worked


def _whose_turn(queue: str, now: datetime) -> list[Tenant]:
    due = WorkDue.objects.filter(queue=queue, due_at__lte=now).select_related("tenant").order_by("due_at", "tenant_id")
    return [work.tenant for work in due]


def _take_turn(tenant: Tenant, queue: str, clock: Clock, deliver: Deliver) -> int:
    worked = _work(tenant, queue, clock(), deliver)
    if not worked:
        _look_again(tenant, queue)
    return worked


def _work(tenant: Tenant, queue: str, now: datetime, deliver: Deliver) -> int:
    if queue == WorkDue.Queue.EVALUATE:
        evaluate_if_due(tenant, now=now)
        return 0
    if queue == WorkDue.Queue.DELIVER:
        return deliver_round(tenant, now=now, deliver=deliver)
    return apply_round(tenant, now=now) + finish_stops(tenant, now=now)


def _look_again(tenant: Tenant, queue: str) -> None:
    """Set the next moment from the rows. The lock comes first: work announced meanwhile is either seen or waits."""
    if queue == WorkDue.Queue.EVALUATE:
        return
    with tenant_context(tenant.pk):
        mine = WorkDue.objects.select_for_update().filter(tenant=tenant, queue=queue)
        list(mine)
        due_at = next_due(tenant_id=tenant.pk, external=queue == WorkDue.Queue.DELIVER)
        if due_at is None:
            mine.delete()
        else:
            mine.update(due_at=due_at)
