"""Bulk edits: one verb done to many things of a kind, by a job, a thousand at a time in the order of their ids.

What differs from list to list is which things there are and what can be done to them.
"""

from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar, Protocol

from django import forms

from cs_platform.jobs.kinds import Failure, Item, JobKind, JobRefused, Slice
from cs_platform.jobs.models import Job, JobItem
from cs_platform.tenancy.models import Tenant
from cs_platform.tenancy.roles import Ability

AT_ONCE = 1_000
MOST_IDS = 1_000
Config = Mapping[str, Any]


class CannotChoose(ValueError):
    """What was ticked cannot be told, or is nothing; the text says what to do."""


@dataclass(frozen=True, slots=True)
class Task:
    """What a verb is told: on whose behalf, with what settings, and when."""

    tenant: Tenant
    config: Config
    actor: str  # "job:7": how values know what wrote them
    person: str  # "person:3": who asked for it
    now: datetime
    member_id: int | None = None  # of the person, unless a key asked for it

    @property
    def member(self) -> None:
        """A job is no team member."""
        return None


@dataclass(frozen=True, slots=True)
class Done:
    """`items` are what changed; things that needed no change are in neither."""

    items: Sequence[Item] = ()
    refused: Mapping[int, str] = field(default_factory=dict)


class VerbForm(forms.Form):
    """The settings of a verb: the dialog renders it, the API validates with it."""

    def config(self) -> dict[str, Any]:
        """As the job keeps it."""
        return dict(self.cleaned_data)

    def offer(self, name: str, choices: Sequence[tuple[str, str]], *, none: str) -> None:
        """What can be chosen; `none` says, where that is nothing, how there comes to be something."""
        field: Any = self.fields[name]
        field.choices = choices
        if not choices:
            field.help_text = none


class BulkVerb:
    """Stateless. `apply` and `restore` work on a slice of things, set-wise, in one transaction."""

    key: ClassVar[str]
    label: ClassVar[str]
    icon: ClassVar[str]
    ability: ClassVar[Ability]
    form: ClassVar[type[VerbForm]]

    @abstractmethod
    def describe(self, config: Config) -> str:
        """“Set Stage to Renewal”."""

    @abstractmethod
    def apply(self, task: Task, ids: Sequence[int]) -> Done: ...

    @abstractmethod
    def restore(self, task: Task, items: Sequence[JobItem], *, undone: str) -> Mapping[str, str]:
        """`task` is the undo's, `undone` the actor whose work it takes back. Returns what stays, and why."""


class Chosen(Protocol):
    """Things a bulk edit is about."""

    def count(self) -> int: ...

    def next_ids(self, *, after: int, limit: int) -> list[int]: ...

    def names(self) -> list[str]:
        """Of the first few."""


class BulkKind(JobKind):
    """The job behind a bulk edit. Its params are `selection`, `verb` and `config`."""

    icon = "list-checks"
    can_undo = True

    @abstractmethod
    def verbs(self) -> Mapping[str, BulkVerb]: ...

    @abstractmethod
    def chosen(self, job: Job) -> Chosen:
        """Raises JobRefused where the selection means nothing any more."""

    @abstractmethod
    def names(self, ids: Iterable[int]) -> Mapping[int, str]:
        """How the list of what was refused calls them."""

    def count(self, job: Job, *, now: datetime) -> int:
        return self.chosen(job).count()

    def step(self, job: Job, *, now: datetime) -> Slice:
        ids = self.chosen(job).next_ids(after=job.cursor.get("after", 0), limit=AT_ONCE)
        if not ids:
            return Slice(None)
        made = self._verb(job).apply(_task(job, job, now), ids)
        return Slice(
            cursor={"after": ids[-1]},
            done=len(ids) - len(made.refused),
            failures=self._failures(job, ids, made.refused),
            items=made.items,
            counts={"changed": len(made.items)},
        )

    def _failures(self, job: Job, ids: Sequence[int], refused: Mapping[int, str]) -> list[Failure]:
        place, names = job.done + job.failed, self.names(refused)
        return [
            Failure(place + at, refused[id], names.get(id, "")) for at, id in enumerate(ids, start=1) if id in refused
        ]

    def says(self, job: Job) -> str:
        changed = job.result.get("changed", 0)
        same = job.done - changed
        parts = [f"{changed:,} changed", f"{same:,} had it already" if same else "", f"{job.failed:,} not done"]
        return ", ".join(part for part in (parts if job.failed else parts[:2]) if part)

    def restore(self, job: Job, items: Sequence[JobItem], *, by: Job, now: datetime) -> Mapping[str, str]:
        return self._verb(job).restore(_task(job, by, now), items, undone=actor_of(job))

    def _verb(self, job: Job) -> BulkVerb:
        verb = self.verbs().get(job.params["verb"])
        if verb is None:
            raise JobRefused("What this job was to do is not known here any more.")
        return verb


def actor_of(job: Job) -> str:
    """How values and entries name what wrote them."""
    return f"job:{job.pk}"


def _task(job: Job, by: Job, now: datetime) -> Task:
    return Task(job.tenant, job.params["config"], actor_of(by), by.actor, now, by.member_id)


def read_ids(texts: Iterable[str], *, noun: str) -> tuple[int, ...]:
    """Ticked ids, one a value or with commas between."""
    ids = [part for text in texts for part in text.split(",") if part.strip()]
    if not ids:
        raise CannotChoose(f"Choose at least one {noun}.")
    if len(ids) > MOST_IDS:
        raise CannotChoose(f"Choose up to {MOST_IDS:,} {noun}s, or all that match.")
    if not all(part.isascii() and part.isdecimal() and len(part) < 19 for part in ids):
        raise CannotChoose(f"Choose the {noun}s again: their ids cannot be read.")
    return tuple(dict.fromkeys(map(int, ids)))
