"""Starting a job, stopping it half way, and taking it back."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError, transaction

from cs_platform.jobs.kinds import UNDO, JobRefused, job_kinds, kind_of
from cs_platform.jobs.models import Job
from cs_platform.tenancy.audit import record
from cs_platform.tenancy.context import current_tenant_id
from cs_platform.tenancy.models import Doer, WorkDue

UNDO_DAYS = 30
KEEP_FILES = timedelta(days=7)


def start_job(kind: str, *, title: str, params: Mapping[str, Any], by: Doer, now: datetime) -> Job:
    """It waits for a worker. The last thing to do in a transaction: all jobs of a workspace share its WorkDue row."""
    assert kind in job_kinds(), f"{kind} is missing in settings.JOB_KINDS."
    return _started(Job(kind=kind, title=title[:200], params=dict(params)), by=by, now=now)


def cancel(job: Job, *, by: Doer, now: datetime) -> bool:
    """What is done stays done, and can be undone. A job that nobody has taken up yet ends at the next look at it."""
    asked = Job.objects.waiting().filter(pk=job.pk, cancel_requested_at__isnull=True)
    if not asked.update(cancel_requested_at=now):
        return False
    _audit(job, "job.cancelled", by, now)
    WorkDue.announce(tenant_id=current_tenant_id(), queue=WorkDue.Queue.JOBS, due_at=now)
    return True


def why_not_undo(job: Job, *, now: datetime) -> str:
    """Empty when it can be undone."""
    if not kind_of(job).can_undo:
        return "This kind of job changes nothing that could be taken back."
    if not job.is_over:
        return "It is still under way. Cancel it first."
    if job.undoing is not None:
        return "It was undone before."
    if job.finished_at and now - job.finished_at > timedelta(days=UNDO_DAYS):
        return f"A job can be undone for {UNDO_DAYS} days."
    return ""


def undo(job: Job, *, by: Doer, now: datetime) -> Job:
    """A job of its own. Raises JobRefused; of two at the same moment the later finds the first."""
    if why := why_not_undo(job, now=now):
        raise JobRefused(why)
    try:
        with transaction.atomic():
            title = f"Undo of {job.title}"
            return _started(Job(kind=UNDO, title=title[:200], undo_of=job), by=by, now=now)
    except IntegrityError:
        raise JobRefused("It was undone before.") from None


def _started(job: Job, *, by: Doer, now: datetime) -> Job:
    job.actor, job.member, job.created_at = by.actor, by.member, now
    job.save(force_insert=True)
    _audit(job, "job.started", by, now)
    WorkDue.announce(tenant_id=current_tenant_id(), queue=WorkDue.Queue.JOBS, due_at=now)
    return job


def _audit(job: Job, verb: str, by: Doer, now: datetime) -> None:
    record(verb=verb, subject_type="job", subject_id=job.pk, name=job.title, after={"kind": job.kind}, by=by, now=now)
