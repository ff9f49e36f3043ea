"""What a kind of job must be able to do. Upper layers name theirs in settings.JOB_KINDS."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from typing import Any, ClassVar

from django.conf import settings
from django.utils.module_loading import import_string

from cs_platform.jobs.models import Job, JobItem
from cs_platform.tenancy.roles import Ability

UNDO = "undo"
ITEMS_AT_ONCE = 1_000


class JobRefused(Exception):
    """The job cannot be done, or not go on; the text says why to a person."""


@dataclass(frozen=True, slots=True)
class Failure:
    """One row or thing that was not done, and what to do about it; for an undo, what was kept and why."""

    position: int
    message: str
    subject: str = ""


@dataclass(frozen=True, slots=True)
class Item:
    """What a job changed about one thing: all that its undo will know."""

    subject: str  # "account:7"
    before: Mapping[str, Any]
    after: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Slice:
    """What one step did. `cursor` is where the next one begins; None says that this was the last."""

    cursor: Mapping[str, Any] | None
    done: int = 0
    failures: Sequence[Failure] = ()
    items: Sequence[Item] = ()
    content: bytes = b""  # the next part of the file it makes
    counts: Mapping[str, int] = field(default_factory=dict)  # added to the job's result


class JobKind(ABC):
    """Stateless. Every step runs in a transaction of its own, inside the job's workspace, and is done exactly once."""

    key: ClassVar[str]
    label: ClassVar[str]
    icon: ClassVar[str] = "list-checks"
    ability: ClassVar[Ability]  # what starting, cancelling and undoing one takes
    can_undo: ClassVar[bool] = False
    event: ClassVar[str] = ""  # the browser event on which pages show anew what it changes
    file_type: ClassVar[str] = ""  # the media type of the file it makes
    lasts: ClassVar[timedelta | None] = None  # how long one step may take, where a lease is too short for it

    def count(self, job: Job, *, now: datetime) -> int | None:
        """How many things there are to do, if that can be known."""
        return None

    @abstractmethod
    def step(self, job: Job, *, now: datetime) -> Slice:
        """One bounded piece of work from `job.cursor`, which is {} at first."""

    def ended(self, job: Job, *, now: datetime) -> None:  # noqa: B027  (a hook: most kinds need none)
        """In the transaction that ends it, however it ends: `job.state` says how."""

    def says(self, job: Job) -> str:
        """What came of it, in a few words."""
        return f"{job.done:,} done" + (f", {job.failed:,} not" if job.failed else "")

    def file_name(self, job: Job) -> str:
        return f"{self.key}-{job.pk}"

    def undo_count(self, job: Job) -> int | None:
        return JobItem.objects.filter(job=job).count()

    def undo(self, job: Job, *, by: Job, now: datetime) -> Slice:
        """One bounded piece of taking `job` back, from `by.cursor`. Failures say what was kept, and why."""
        after = by.cursor.get("subject", "")
        items = list(JobItem.objects.filter(job=job, subject__gt=after).order_by("subject")[:ITEMS_AT_ONCE])
        kept = self.restore(job, items, by=by, now=now) if items else {}
        place = int(by.cursor.get("position", 0))
        return Slice(
            cursor={"subject": items[-1].subject, "position": place + len(items)} if items else None,
            done=len(items) - len(kept),
            failures=[
                Failure(place + at, kept[item.subject], item.subject)
                for at, item in enumerate(items, start=1)
                if item.subject in kept
            ],
        )

    def undo_ended(self, job: Job, *, by: Job, now: datetime) -> None:  # noqa: B027  (a hook, too)
        """In the transaction that ends `by`, the undo of `job`."""

    def restore(self, job: Job, items: Sequence[JobItem], *, by: Job, now: datetime) -> Mapping[str, str]:
        """Takes back what is still as the job left it. Returns the subjects that are not, and why."""
        raise TypeError(f"{self.key} changes things but does not say how they are put back.")


class UndoJob(JobKind):
    """The undo of any other job, which does it."""

    key = UNDO
    label = "Undo"
    icon = "undo-2"

    def count(self, job: Job, *, now: datetime) -> int | None:
        return kind_of(_undone(job)).undo_count(_undone(job))

    def step(self, job: Job, *, now: datetime) -> Slice:
        return kind_of(_undone(job)).undo(_undone(job), by=job, now=now)

    def ended(self, job: Job, *, now: datetime) -> None:
        if job.undo_of is not None:
            kind_of(job.undo_of).undo_ended(job.undo_of, by=job, now=now)

    def says(self, job: Job) -> str:
        return f"{job.done:,} taken back" + (f", {job.failed:,} kept" if job.failed else "")


def _undone(job: Job) -> Job:
    if job.undo_of is None:
        raise JobRefused("The job it was to undo is gone.")
    undone: Job = job.undo_of
    return undone


class RetiredKind(JobKind):
    """A kind that is not made any more: its jobs can still be read."""

    key = ""
    label = "Job"
    ability = Ability.MANAGE_DATA

    def step(self, job: Job, *, now: datetime) -> Slice:
        raise JobRefused(f"This kind of job ({job.kind}) is not known here any more.")


@cache
def job_kinds() -> Mapping[str, JobKind]:
    kinds: list[JobKind] = [UndoJob(), *(import_string(path)() for path in settings.JOB_KINDS)]
    return {kind.key: kind for kind in kinds}


@cache
def lasting_kinds() -> Mapping[str, timedelta]:
    return {key: kind.lasts for key, kind in job_kinds().items() if kind.lasts}


def kind_of(job: Job) -> JobKind:
    return job_kinds().get(job.kind) or RetiredKind()


def ability_for(job: Job) -> Ability:
    """What it takes to cancel or undo this one, or to fetch its file."""
    return kind_of(job.undo_of if job.undo_of else job).ability


def ended_event(job: Job) -> str:
    return kind_of(job.undo_of if job.undo_of else job).event
