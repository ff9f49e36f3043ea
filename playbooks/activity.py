"""What playbooks did of themselves, look by look, newest first: where they were applied, stopped, or held."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.db.models import Case, Count, F, Q, Sum, When, Window
from django.db.models.functions import Coalesce, RowNumber

from playbooks.models import Evaluation, EvaluationRun

PAGE_SIZE = 30
NAMED = 4  # playbooks of a look that are told by name
HELD = Q(state=Evaluation.State.HELD)
ACTED = Q(enrolled__gt=0) | Q(released__gt=0) | HELD
_FIRST = (Case(When(HELD, then=0), default=1), (F("enrolled") + F("released")).desc(), F("pk"))


@dataclass(frozen=True, slots=True)
class Look:
    run: EvaluationRun
    applied: int
    stopped: int
    held: int
    acted: int
    told: Sequence[Evaluation]

    @property
    def untold(self) -> int:
        return self.acted - len(self.told)


@dataclass(frozen=True, slots=True)
class Page:
    looks: Sequence[Look]
    older: int | None  # to be asked for as `before`


def load_activity(*, before: int | None = None) -> Page:
    """Three statements, whatever the number of playbooks."""
    ended = EvaluationRun.objects.exclude(finished_at=None).select_related("requested_by").order_by("-pk")
    runs = list((ended.filter(pk__lt=before) if before else ended)[: PAGE_SIZE + 1])
    shown = runs[:PAGE_SIZE]
    sums, told = _sums(shown), _told(shown)
    looks = [Look(run, *sums.get(run.pk, (0, 0, 0, 0)), told[run.pk]) for run in shown]
    return Page(looks, shown[-1].pk if len(runs) > PAGE_SIZE else None)


def _sums(runs: Sequence[EvaluationRun]) -> Mapping[int, tuple[int, int, int, int]]:
    """Applied, stopped, held and how many playbooks acted, by look."""
    found = Evaluation.objects.filter(run__in=runs).order_by().values("run_id")
    rows = found.annotate(
        applied=Coalesce(Sum("enrolled"), 0),
        stopped=Coalesce(Sum("released"), 0),
        held=Count("pk", filter=HELD),
        acted=Count("pk", filter=ACTED),
    )
    return {run_id: counts for run_id, *counts in rows.values_list("run_id", "applied", "stopped", "held", "acted")}


def _told(runs: Sequence[EvaluationRun]) -> Mapping[int, Sequence[Evaluation]]:
    """Of each look what waits for a person, then whatever reached most."""
    place = Window(RowNumber(), partition_by=F("run_id"), order_by=_FIRST)
    rows = Evaluation.objects.filter(ACTED, run__in=runs).annotate(place=place).filter(place__lte=NAMED)
    told: dict[int, list[Evaluation]] = defaultdict(list)
    for one in rows.select_related("playbook").order_by("run_id", "place"):
        told[one.run_id].append(one)
    return told
