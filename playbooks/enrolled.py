"""The enrollments of one playbook, newest first, a page at a time by keyset."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from django.db.models import Exists, OuterRef, Q, QuerySet

from playbooks.history import Summary, summaries
from playbooks.models import ActionRun, Enrollment, Playbook
from playbooks.progress import UNDER_WAY

PAGE_SIZE = 50
FILTERS = ("all", "active", "finished", "stopped", "failed")


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
class EnrolledPage:
    rows: Sequence[Summary]
    next: Place | None


def load_enrolled(playbook: Playbook, *, which: str, after: Place | None) -> EnrolledPage:
    enrollments = _filtered(playbook, which).select_related("account", "end_user")
    if after:
        enrollments = enrollments.filter(Q(activated_on__lt=after.on) | Q(activated_on=after.on, pk__lt=after.id))
    found = list(enrollments.order_by("-activated_on", "-pk")[: PAGE_SIZE + 1])
    shown = found[:PAGE_SIZE]
    last = Place(shown[-1].activated_on, shown[-1].pk) if len(found) > PAGE_SIZE else None
    return EnrolledPage(summaries(shown), last)


def _filtered(playbook: Playbook, which: str) -> QuerySet[Enrollment]:
    enrollments = Enrollment.objects.filter(playbook=playbook)
    match which:
        case "active":
            return enrollments.filter(state__in=UNDER_WAY)
        case "finished":
            return enrollments.filter(state=Enrollment.State.COMPLETED)
        case "stopped":
            return enrollments.filter(state=Enrollment.State.STOPPED)
        case "failed":
            dead = ActionRun.objects.filter(enrollment=OuterRef("pk"), state=ActionRun.State.DEAD)
            return enrollments.filter(Exists(dead))
    return enrollments
