"""The enrollments of one playbook, newest first, a page at a time by keyset."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from urllib.parse import urlencode

from django.db.models import Exists, F, OuterRef, Q, QuerySet, Subquery

from playbooks.failures import OPEN as NEEDS_A_PERSON
from playbooks.history import WAITING, Summary, summaries
from playbooks.models import ActionRun, Enrollment, Playbook, Step
from playbooks.progress import UNDER_WAY

PAGE_SIZE = 50
MOST_CHOICES = 200
State = Enrollment.State
REACHED = "reached"  # its outcome
SHOWN: Mapping[str, Q] = {
    "all": Q(),
    "active": Q(state__in=UNDER_WAY),
    "finished": Q(state=State.COMPLETED),
    "stopped": Q(state=State.STOPPED),
    REACHED: Q(outcome_at__isnull=False),
}
RUNS: Mapping[str, tuple[str, ...]] = {"failed": (ActionRun.State.DEAD,), "waiting": NEEDS_A_PERSON}
RECORDED = "recorded"  # by dry runs
FILTERS = (*SHOWN, *RUNS, RECORDED)
# Who applied it, by the beginning of how they are named.
ENTERED_BY = {"rules": "evaluation:", "people": "person:", "api": "key:"}
ENTERED_WORDS = {"rules": "By the rules", "people": "By a person", "api": "Over the API"}


@dataclass(frozen=True, slots=True)
class Place:
    """The last enrollment shown so far."""

    on: date
    id: int

    def __str__(self) -> str:
        return f"{self.on.isoformat()}~{self.id}"

    @classmethod
    def read(cls, text: str) -> "Place | None":
        """None for anything that is no place: the list then starts at its newest."""
        day, _, id = text.partition("~")
        try:
            return cls(date.fromisoformat(day), int(id)) if id.isascii() and len(id) < 19 else None
        except ValueError:
            return None


@dataclass(frozen=True, slots=True)
class Asked:
    """What the address asks of the list; `step` is the key of the action they wait for next."""

    which: str = "all"
    by: str = ""
    version: int | None = None
    step: str = ""
    after: Place | None = None

    @classmethod
    def of(cls, params: Any) -> "Asked | None":
        """None for a filter there is not. Whatever else cannot be read asks for nothing."""
        which, by, version = params.get("show", "all"), params.get("by", ""), params.get("version", "")
        if which not in FILTERS:
            return None
        number = int(version) if version.isascii() and version.isdecimal() and len(version) < 9 else None
        step = params.get("step", "").replace("\x00", "")[:40]
        return cls(which, by if by in ENTERED_BY else "", number, step, Place.read(params.get("after", "")))

    @property
    def is_narrowed(self) -> bool:
        return bool(self.by or self.version or self.step)

    def address(self, **changes: Any) -> str:
        """Of this list, but for `changes`."""
        return "?" + self._encoded(changes)

    @property
    def query(self) -> str:
        return self._encoded({})

    def _encoded(self, changes: Mapping[str, Any]) -> str:
        asked = {"show": self.which, "by": self.by, "version": self.version, "step": self.step, **changes}
        return urlencode({name: value for name, value in asked.items() if value})


@dataclass(frozen=True, slots=True)
class EnrolledPage:
    rows: Sequence[Summary]
    next: Place | None


def load_enrolled(playbook: Playbook, asked: Asked) -> EnrolledPage:
    enrollments = matching(playbook, asked).select_related("account", "end_user", "version")
    if after := asked.after:
        enrollments = enrollments.filter(Q(activated_on__lt=after.on) | Q(activated_on=after.on, pk__lt=after.id))
    found = list(enrollments.order_by("-activated_on", "-pk")[: PAGE_SIZE + 1])
    shown = found[:PAGE_SIZE]
    last = Place(shown[-1].activated_on, shown[-1].pk) if len(found) > PAGE_SIZE else None
    return EnrolledPage(summaries(shown), last)


def matching(playbook: Playbook, asked: Asked) -> QuerySet[Enrollment]:
    found = Enrollment.objects.filter(SHOWN.get(asked.which, Q()), playbook=playbook)
    found = found.filter(is_dry=True) if asked.which == RECORDED else found.that_count()
    runs = ActionRun.objects.filter(enrollment=OuterRef("pk"))
    if asked.which in RUNS:
        found = found.filter(Exists(runs.filter(state__in=RUNS[asked.which])))
    if asked.by:
        found = found.filter(applied_by__startswith=ENTERED_BY[asked.by])
    if asked.version:
        found = found.filter(version__number=asked.version)
    if asked.step:
        waiting = runs.filter(state__in=WAITING).order_by(F("due_at").asc(nulls_last=True), "position")
        found = found.filter(state__in=UNDER_WAY).alias(next=Subquery(waiting.values("step__key")[:1]))
        found = found.filter(next=asked.step)
    return found


def filters_of(playbook: Playbook) -> list[str]:
    """Those that can find something."""
    past = playbook.enrollments.filter(is_dry=True).exclude(playbook__status=Playbook.Status.DRY_RUN)
    useless = {
        *([] if past.exists() else [RECORDED]),
        *([] if playbook.version and playbook.version.outcome_name else [REACHED]),
    }
    return [name for name in FILTERS if name not in useless]


def version_numbers(playbook: Playbook) -> list[int]:
    """Published ones, the newest first."""
    published = playbook.versions.exclude(published_at=None).order_by("-number")
    return list(published.values_list("number", flat=True)[:MOST_CHOICES])


def steps_of(playbook: Playbook) -> list[Step]:
    """What one can wait for on the published version, in the order of its days."""
    return list(Step.objects.filter(version_id=playbook.version_id).order_by("position")) if playbook.version_id else []
