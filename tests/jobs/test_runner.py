"""A job goes on from where it was, whatever happens to its workers, and nothing of it is done twice."""

from collections.abc import Callable
from datetime import datetime
from itertools import count
from typing import Any

import pytest

from cs_platform.jobs import runner, starting
from cs_platform.jobs.kinds import JobRefused
from cs_platform.jobs.leases import MOST_CLAIMS, claim_job
from cs_platform.jobs.models import Job, JobError, JobFile, JobItem
from cs_platform.jobs.pump import run_jobs
from cs_platform.tenancy.models import AuditEntry, WorkDue
from cs_platform.workspace.models import Notification
from tests.world import MONDAY, Workspace, days

LATER = MONDAY + days(0.01)


def counting(home: Workspace, to: int = 25, **params: Any) -> Job:
    return starting.start_job("counting", title="Count", params={"to": to} | params, by=home.priya, now=MONDAY)


def run(*, now: datetime = MONDAY) -> None:
    run_jobs(clock=lambda: now)


def fresh(job: Job) -> Job:
    return Job.objects.get(pk=job.pk)


def test_a_job_is_done_slice_by_slice_to_its_end(inside: Workspace) -> None:
    job = counting(inside, 25, bad=[7])
    run()
    job = fresh(job)

    assert (job.state, job.total, job.done, job.failed, job.percent) == ("done", 25, 24, 1, 100)
    assert job.result == {"good": 24}
    assert list(JobError.objects.filter(job=job).values_list("position", flat=True)) == [7]
    assert JobItem.objects.filter(job=job).count() == 24
    assert not WorkDue.objects.filter(queue="jobs").exists()


def test_who_started_it_is_on_record(inside: Workspace) -> None:
    job = counting(inside)

    assert (job.actor, job.member) == (inside.priya.actor, inside.priya)
    assert AuditEntry.objects.get(subject_id=str(job.pk)).verb == "job.started"


def test_who_started_it_is_told_when_it_is_over(inside: Workspace) -> None:
    job = counting(inside, 25)
    starting.cancel(counting(inside), by=inside.priya, now=MONDAY)
    run()

    told = Notification.objects.get()
    assert (told.member, told.kind, told.url) == (inside.priya, "job", f"/w/orbiton/jobs/{job.pk}/")
    assert told.text.startswith("Count: ")


def test_a_killed_worker_costs_no_slice_and_doubles_none(inside: Workspace) -> None:
    job = counting(inside, 25)
    claim = claim_job(tenant_id=inside.tenant.pk, now=MONDAY)
    assert claim
    runner.work_on(claim, tenant_id=inside.tenant.pk, now=MONDAY)  # and is never heard of again
    run(now=MONDAY)
    assert fresh(job).done == 10  # its lease holds
    run(now=LATER)

    assert (fresh(job).state, fresh(job).done) == ("done", 25)


def test_who_comes_back_after_the_lease_changes_nothing(inside: Workspace) -> None:
    counting(inside, 25)
    frozen = claim_job(tenant_id=inside.tenant.pk, now=MONDAY)
    other = claim_job(tenant_id=inside.tenant.pk, now=LATER)
    assert frozen
    assert other

    assert runner.work_on(frozen, tenant_id=inside.tenant.pk, now=LATER) is False
    assert JobItem.objects.count() == 0
    assert runner.work_on(other, tenant_id=inside.tenant.pk, now=LATER) is True


def test_an_error_of_ours_is_tried_again_and_then_ends_the_job(
    inside: Workspace, caplog: pytest.LogCaptureFixture
) -> None:
    job = counting(inside, 25, break_at=11)
    for attempt in range(MOST_CLAIMS + 2):
        run(now=MONDAY + days(attempt))
    job = fresh(job)

    assert (job.state, job.done, job.error) == ("failed", 10, runner.GIVEN_UP)
    assert "met an error" in caplog.text


def test_a_refusal_ends_the_job_in_its_own_words(inside: Workspace) -> None:
    job = counting(inside, 25, refuse_at=11)
    run()

    assert (fresh(job).state, fresh(job).error) == ("failed", "There is nothing to count with.")


def test_cancelling_keeps_what_is_done(inside: Workspace) -> None:
    job = counting(inside, 25)
    claim = claim_job(tenant_id=inside.tenant.pk, now=MONDAY)
    assert claim
    runner.work_on(claim, tenant_id=inside.tenant.pk, now=MONDAY)

    assert starting.cancel(job, by=inside.priya, now=MONDAY) is True
    assert starting.cancel(job, by=inside.priya, now=MONDAY) is False
    run(now=LATER)
    assert (fresh(job).state, fresh(job).done) == ("cancelled", 10)


def test_undo_takes_back_what_it_may_and_says_what_it_kept(inside: Workspace) -> None:
    job = counting(inside, 25)
    run()
    undone = starting.undo(fresh(job), by=inside.priya, now=MONDAY)
    run()
    undone = fresh(undone)

    assert (undone.state, undone.total, undone.done, undone.failed) == ("done", 25, 24, 1)
    kept = JobError.objects.get(job=undone)
    assert (kept.position, kept.subject, kept.message) == (3, "number:0003", "Somebody needs it.")


def _under_way(job: Job) -> Job:
    return job


def _undone(job: Job) -> Job:
    run()
    starting.undo(fresh(job), by=job.member, now=MONDAY)
    return fresh(job)


def _old(job: Job) -> Job:
    run(now=MONDAY - days(31))
    run()
    Job.objects.update(finished_at=MONDAY - days(31))
    return fresh(job)


@pytest.mark.parametrize(
    ("prepare", "why"), [(_under_way, "still under way"), (_undone, "undone before"), (_old, "30 days")]
)
def test_what_cannot_be_undone_says_why(inside: Workspace, prepare: Callable[[Job], Job], why: str) -> None:
    job = prepare(counting(inside, 5))

    with pytest.raises(JobRefused, match=why):
        starting.undo(job, by=inside.priya, now=MONDAY)


def test_a_cancelled_undo_can_be_asked_for_again(inside: Workspace) -> None:
    job = counting(inside, 25)
    run()
    first = starting.undo(fresh(job), by=inside.priya, now=MONDAY)
    starting.cancel(first, by=inside.priya, now=MONDAY)
    run()

    assert starting.undo(fresh(job), by=inside.priya, now=MONDAY).pk != first.pk


def test_a_long_job_does_not_keep_the_others_waiting(inside: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cs_platform.jobs.pump.SECONDS_EACH", 0)
    moments = (MONDAY + days(second / 86_400) for second in count())
    long, short = counting(inside, 100), counting(inside, 15)
    run_jobs(clock=lambda: next(moments))
    long, short = fresh(long), fresh(short)

    assert (long.state, short.state) == ("done", "done")
    assert short.finished_at < long.finished_at


def test_a_job_of_a_kind_nobody_knows_ends_with_a_reason(inside: Workspace) -> None:
    job = counting(inside)
    Job.objects.update(kind="gone")
    run()

    assert "not known here" in fresh(job).error


def test_a_file_is_forgotten_after_its_days(inside: Workspace) -> None:
    job = starting.start_job("writing", title="Write", params={}, by=inside.maya, now=MONDAY)
    run()
    assert JobFile.objects.filter(job=job).count() == 4
    counting(inside, 1)
    run(now=MONDAY + days(8))

    assert not JobFile.objects.exists()
