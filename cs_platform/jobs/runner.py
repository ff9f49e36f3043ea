"""Working on a job, slice by slice: what a slice did, where the next begins and that we still had the job are one
transaction. So a worker that is killed leaves a whole number of slices behind, and the next goes on from there.
"""

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta

from django.urls import reverse

from cs_platform.jobs.kinds import Failure, Item, JobKind, JobRefused, Slice, kind_of, lasting_kinds
from cs_platform.jobs.leases import MOST_CLAIMS, Claim, LeaseLost, hold_alone, lease_end
from cs_platform.jobs.models import Job, JobError, JobFile, JobItem, JobQuerySet
from cs_platform.jobs.starting import KEEP_FILES
from cs_platform.tenancy.context import tenant_context
from cs_platform.workspace.models import Notification
from cs_platform.workspace.notifications import notify

log = logging.getLogger(__name__)

RETRY = timedelta(seconds=2)
GIVEN_UP = "An error of ours stopped this job. What it did before stays. Try again, or tell your administrator."
MOST_ERRORS = 10_000  # listed one by one; beyond that they are only counted


def work_on(claim: Claim, *, tenant_id: int, now: datetime) -> bool:
    """One slice. Whether there is more to do of this job, for us and now."""
    try:
        with tenant_context(tenant_id):
            _hold_longer(claim, now)
        with tenant_context(tenant_id):
            return _slice(claim, now)
    except LeaseLost:
        return False
    except JobRefused as refusal:
        _give_up(claim, str(refusal), tenant_id=tenant_id, now=now)
    except Exception:
        log.exception("job %s of workspace %s met an error", claim.job_id, tenant_id)
        _try_later(claim, tenant_id=tenant_id, now=now)
    return False


def release(claim: Claim, *, tenant_id: int, now: datetime) -> None:
    """Our turn is over: others wait. `lease_until` is then when it was last worked on."""
    with tenant_context(tenant_id):
        _held(claim).update(lease_token=None, lease_until=now, claims=0)


def _slice(claim: Claim, now: datetime) -> bool:
    job = _held(claim).select_related("undo_of").first()
    if job is None:
        raise LeaseLost
    hold_alone(claim)
    kind = kind_of(job)
    if job.cancel_requested_at:
        return _end(job, kind, claim, Job.State.CANCELLED, now)
    if job.claims > MOST_CLAIMS:
        return _end(job, kind, claim, Job.State.FAILED, now, error=GIVEN_UP)
    _begin(job, kind, now)
    made = kind.step(job, now=now)
    _write_down(job, made)
    if made.cursor is None:
        return _end(job, kind, claim, Job.State.DONE, now)
    _settle(claim, cursor=dict(made.cursor), **_counted(job), claims=0, lease_until=lease_end(now))
    return True


def _hold_longer(claim: Claim, now: datetime) -> None:
    """Where a step takes longer than a lease; committed before it begins."""
    for kind, lasts in lasting_kinds().items():
        _held(claim).filter(kind=kind).update(lease_until=now + lasts)


def _begin(job: Job, kind: JobKind, now: datetime) -> None:
    if job.total is None and not job.cursor:
        job.total = kind.count(job, now=now)


def _write_down(job: Job, made: Slice) -> None:
    _list(job, made.failures)
    _remember(job, made.items)
    if made.content:
        JobFile.objects.create(job=job, position=JobFile.objects.filter(job=job).count(), content=made.content)
    job.done += made.done
    job.failed += len(made.failures)
    job.result = job.result | {name: job.result.get(name, 0) + count for name, count in made.counts.items()}


def _list(job: Job, failures: Sequence[Failure]) -> None:
    listed = failures[: max(MOST_ERRORS - job.failed, 0)]
    JobError.objects.bulk_create(
        JobError(job=job, position=one.position, subject=one.subject[:200], message=one.message) for one in listed
    )


def _remember(job: Job, items: Sequence[Item]) -> None:
    JobItem.objects.bulk_create(
        JobItem(job=job, subject=item.subject, before=dict(item.before), after=dict(item.after)) for item in items
    )


def _counted(job: Job) -> dict[str, object]:
    return {"done": job.done, "failed": job.failed, "result": job.result, "total": job.total}


def _end(job: Job, kind: JobKind, claim: Claim, state: str, now: datetime, *, error: str = "") -> bool:
    job.state, job.finished_at, job.error = state, now, error
    kind.ended(job, now=now)
    _tell(job, kind, now)
    ends = {"state": state, "finished_at": now, "error": error, "lease_token": None, "lease_until": None}
    _settle(claim, **_counted(job), **ends)
    _forget_files(now)
    return False


def _tell(job: Job, kind: JobKind, now: datetime) -> None:
    """Whoever asked for it; one that was cancelled is no news."""
    if job.member is None or job.state == Job.State.CANCELLED:
        return
    text = f"{job.title}: {kind.says(job) if job.state == Job.State.DONE else 'failed'}"
    url = reverse("jobs:detail", args=[job.tenant.slug, job.pk])
    subject = f"job:{job.pk}"
    notify(members=[job.member], kind=Notification.Kind.JOB, text=text, url=url, subject=subject, by=None, now=now)


def _settle(claim: Claim, **changes: object) -> None:
    """Last in the transaction, and only if the job is still ours."""
    if not _held(claim).update(**changes):
        raise LeaseLost


def _held(claim: Claim) -> JobQuerySet:
    return Job.objects.filter(pk=claim.job_id, lease_token=claim.token)


def _give_up(claim: Claim, why: str, *, tenant_id: int, now: datetime) -> None:
    with tenant_context(tenant_id):
        job = _held(claim).select_related("undo_of").first()
        if job is not None:
            _end(job, kind_of(job), claim, Job.State.FAILED, now, error=why)


def _try_later(claim: Claim, *, tenant_id: int, now: datetime) -> None:
    with tenant_context(tenant_id):
        _held(claim).update(lease_token=None, lease_until=now + RETRY)


def _forget_files(now: datetime) -> None:
    JobFile.objects.filter(job__finished_at__lt=now - KEEP_FILES).delete()
