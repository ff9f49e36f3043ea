"""Drains the waiting jobs, workspace by workspace and job by job in turns, so that none starves."""

import logging
import time
from collections.abc import Callable
from datetime import datetime

from cs_platform.jobs.leases import claim_job, next_due
from cs_platform.jobs.runner import release, work_on
from cs_platform.tenancy.clock import database_now
from cs_platform.tenancy.context import tenant_context
from cs_platform.tenancy.models import Tenant, WorkDue

log = logging.getLogger(__name__)

SECONDS = 20.0
SECONDS_EACH = 2.0  # at one job, before the next one has its turn

Clock = Callable[[], datetime]


def run_jobs(*, seconds: float = SECONDS, clock: Clock = database_now) -> int:
    """Work until no job waits or the time is up. Returns how many slices were done."""
    ends_at = time.monotonic() + seconds
    total = 0
    while worked := sum(_take_turn(tenant, ends_at, clock) for tenant in _whose_turn(clock())):
        total += worked
    return total


def _whose_turn(now: datetime) -> list[Tenant]:
    due = WorkDue.objects.filter(queue=WorkDue.Queue.JOBS, due_at__lte=now).select_related("tenant").order_by("?")
    return [work.tenant for work in due]


def _take_turn(tenant: Tenant, ends_at: float, clock: Clock) -> int:
    if time.monotonic() > ends_at:
        return 0
    try:
        worked = _work(tenant, min(ends_at, time.monotonic() + SECONDS_EACH), clock)
        if not worked:
            _look_again(tenant)
    except Exception:
        log.exception("the jobs of workspace %s met an error", tenant.pk)
        return 0
    return worked


def _work(tenant: Tenant, ends_at: float, clock: Clock) -> int:
    """At least one slice of the job whose turn it is."""
    with tenant_context(tenant.pk):
        claim = claim_job(tenant_id=tenant.pk, now=clock())
    if claim is None:
        return 0
    slices = 1
    while (more := work_on(claim, tenant_id=tenant.pk, now=clock())) and time.monotonic() < ends_at:
        slices += 1
    if more:
        release(claim, tenant_id=tenant.pk, now=clock())
    return slices


def _look_again(tenant: Tenant) -> None:
    """Set the next moment from the rows. The lock comes first: a job started meanwhile is either seen or waits."""
    with tenant_context(tenant.pk):
        mine = WorkDue.objects.filter(tenant=tenant, queue=WorkDue.Queue.JOBS)
        if not list(mine.select_for_update(skip_locked=True)):
            return
        due_at = next_due(tenant_id=tenant.pk)
        if due_at is None:
            mine.delete()
        else:
            mine.update(due_at=due_at)
