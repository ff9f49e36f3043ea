"""Set-up work on traits that rewrites what every account holds: a job does it, and first says what it would refuse.

Each is one statement over the workspace, so that nobody reads a trait half moved; a job's usual lease is too short.
"""

from abc import abstractmethod
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.db.models import QuerySet

from accounts import trait_settings
from accounts.fast_traits import REWRITE_MINUTES, CannotBeFast, refuse_fast
from accounts.models import TraitDefinition
from accounts.models.traits import TraitType
from accounts.trait_settings import CannotChange, Retyping, preview_type
from cs_platform.jobs.kinds import Failure, JobKind, JobRefused, Slice
from cs_platform.jobs.models import Job
from cs_platform.jobs.starting import start_job
from cs_platform.tenancy.models import Doer
from cs_platform.tenancy.roles import Ability

CHECK, RETYPE, SPEED, FEED = "check_trait_type", "change_trait_type", "make_trait_fast", "feed_field"


# --- starting ---------------------------------------------------------------------------------------------------------


def check_type(definition: TraitDefinition, type: str, *, by: Doer, now: datetime) -> Job:
    """What another type would keep and clear. Raises CannotChange."""
    trait_settings.refuse_type(definition, type)
    return _started(CHECK, f"Try {definition.label} as {_called(type)}", definition, {"type": type}, by, now)


def change_type(definition: TraitDefinition, type: str, *, clearing: int, by: Doer, now: datetime) -> Job:
    """`clearing`: how many values somebody has agreed to lose. Raises CannotChange."""
    trait_settings.refuse_type(definition, type)
    title = f"Change {definition.label} to {_called(type)}"
    return _started(RETYPE, title, definition, {"type": type, "clearing": clearing}, by, now)


def make_fast(definition: TraitDefinition, *, by: Doer, now: datetime) -> Job:
    """Raises CannotBeFast and CannotChange."""
    refuse_fast(definition)
    return _started(SPEED, f"Make {definition.label} fast", definition, {}, by, now)


def feed_column(definition: TraitDefinition, column: str, *, by: Doer, now: datetime) -> Job:
    """`column` empty: it feeds none any more. Raises CannotChange."""
    if column:
        trait_settings.refuse_column(definition, column)
    words = f"Fill {trait_settings.column_words(column)} from" if column else "Stop filling a field from"
    return _started(FEED, f"{words} {definition.label}", definition, {"column": column}, by, now)


def work_on(definition: TraitDefinition) -> "QuerySet[Job]":
    kinds = (CHECK, RETYPE, SPEED, FEED)
    jobs: QuerySet[Job] = Job.objects.filter(kind__in=kinds, params__trait=definition.pk)
    return jobs.order_by("-pk")


def _started(
    kind: str, title: str, definition: TraitDefinition, params: Mapping[str, Any], by: Doer, now: datetime
) -> Job:
    if any(not job.is_over for job in work_on(definition)[:1]):
        raise CannotChange("Work on this trait is under way. Wait until it is done.")
    return start_job(kind, title=title, params={"trait": definition.pk, **params}, by=by, now=now)


def _called(type: str) -> str:
    return str(TraitType(type).label).lower()


# --- working ----------------------------------------------------------------------------------------------------------


class TraitWork(JobKind):
    icon = "tag"
    ability = Ability.MANAGE_DATA
    event = "trait:changed"
    lasts = timedelta(minutes=REWRITE_MINUTES)

    def step(self, job: Job, *, now: datetime) -> Slice:
        definition = TraitDefinition.objects.filter(pk=job.params["trait"]).first()
        if definition is None:
            raise JobRefused("The trait is not here any more.")
        try:
            return self.work(job, definition, now)
        except (CannotChange, CannotBeFast) as refusal:
            raise JobRefused(str(refusal)) from None

    @abstractmethod
    def work(self, job: Job, definition: TraitDefinition, now: datetime) -> Slice:
        """One piece of it, of a trait that is there."""

    def says(self, job: Job) -> str:
        return "Done" if job.state == Job.State.DONE else "Not done"


class CheckType(TraitWork):
    key = CHECK
    label = "Dry run"
    icon = "eye"

    def work(self, job: Job, definition: TraitDefinition, now: datetime) -> Slice:
        return _reported(preview_type(definition, job.params["type"]))

    def says(self, job: Job) -> str:
        return "{kept:,} values fit, {lost:,} would be cleared".format(**_counts(job))


class ChangeType(TraitWork):
    key = RETYPE
    label = "Change of type"

    def work(self, job: Job, definition: TraitDefinition, now: datetime) -> Slice:
        agreed = job.params["clearing"]
        retyping = trait_settings.change_type(definition, job.params["type"], by=job, now=now)
        if retyping.lost > agreed:
            raise CannotChange(f"By now {retyping.lost:,} values would be cleared, not {agreed:,}. Try it again first.")
        return _reported(retyping)

    def says(self, job: Job) -> str:
        return "{kept:,} values kept, {lost:,} cleared".format(**_counts(job))


class MakeFast(TraitWork):
    key = SPEED
    label = "Fast trait"
    icon = "gauge"

    def work(self, job: Job, definition: TraitDefinition, now: datetime) -> Slice:
        trait_settings.set_fast(definition, fast=True, by=job, now=now)
        return Slice(None, done=1)


class FeedField(TraitWork):
    key = FEED
    label = "Built-in field"

    def work(self, job: Job, definition: TraitDefinition, now: datetime) -> Slice:
        if column := job.params["column"]:
            trait_settings.feed_column(definition, column, by=job, now=now)
        else:
            trait_settings.stop_feeding(definition, by=job, now=now)
        return Slice(None, done=1)


def _reported(retyping: Retyping) -> Slice:
    """One line a value that does not fit, the commonest first."""
    return Slice(
        None,
        done=retyping.kept,
        failures=[
            Failure(at, f"{why} {count:,} {'has' if count == 1 else 'have'} it.", value)
            for at, (value, count, why) in enumerate(retyping.refused, start=1)
        ],
        counts={"kept": retyping.kept, "lost": retyping.lost},
    )


def _counts(job: Job) -> dict[str, int]:
    return {"kept": 0, "lost": 0} | job.result
