"""Stopping a playbook wherever it is under way, or in the places somebody chose: a job, a slice of them at a time.

What a slice stops and takes back is one transaction, so a worker that is killed leaves whole slices behind.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Count, Max, Q, QuerySet
from django.http import QueryDict

from accounts.exports import as_csv, neutral
from accounts.rules.describe import counted
from actions.registry import action_for
from cs_platform.common.statements import fetch
from cs_platform.jobs.kinds import Failure, JobKind, Slice
from cs_platform.jobs.models import Job
from cs_platform.jobs.starting import start_job
from cs_platform.tenancy.context import current_tenant_id
from cs_platform.tenancy.models import Doer
from cs_platform.tenancy.roles import Ability
from playbooks.enrolled import Asked, matching
from playbooks.models import ActionRun, Enrollment, Playbook, Step
from playbooks.undo import UNSENT, stop_together

STOP_PLAYBOOK = "stop_playbook"
AT_ONCE = 1_000
State = Enrollment.State


class NothingToStop(Exception):
    def __init__(self) -> None:
        super().__init__("It is under way in none of these places any more.")


@dataclass(frozen=True, slots=True)
class Places:
    """Where a playbook is to be stopped: everywhere, in these enrollments, or in those its list shows for `query`.

    `finished`: where it has finished, too.
    """

    playbook_id: int
    ids: Sequence[int] | None = None
    finished: bool = False
    query: str = ""

    def enrollments(self) -> QuerySet[Enrollment]:
        states = [State.ACTIVE, State.PAUSED, *([State.COMPLETED] if self.finished else [])]
        found = self._meant().filter(playbook_id=self.playbook_id, cta=None, state__in=states)
        return found if self.ids is None else found.filter(pk__in=self.ids)

    def _meant(self) -> QuerySet[Enrollment]:
        asked = Asked.of(QueryDict(self.query)) if self.query else None
        return matching(Playbook.objects.get(pk=self.playbook_id), asked) if asked else Enrollment.objects.all()

    @property
    def params(self) -> dict[str, Any]:
        return {"playbook": self.playbook_id, "ids": self.ids, "finished": self.finished, "query": self.query}

    @classmethod
    def of(cls, params: dict[str, Any]) -> "Places":
        return cls(params["playbook"], params["ids"], params["finished"], params["query"])


# Before ---------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class StepAhead:
    """One action of the schedule, and in how many places it ran or waits."""

    icon: str
    says: str
    on_stop: str
    ran: int
    waiting: int


@dataclass(frozen=True, slots=True)
class StopAhead:
    places: int
    steps: Sequence[StepAhead]

    @property
    def undone(self) -> Sequence[StepAhead]:
        return [step for step in self.steps if step.ran]

    @property
    def cancelled(self) -> Sequence[StepAhead]:
        return [step for step in self.steps if step.waiting]


def look_ahead_of_stop(places: Places) -> StopAhead:
    """What stopping comes to, action by action. What somebody has changed since is known only as it is stopped."""
    enrollments = places.enrollments()
    runs = ActionRun.objects.filter(
        enrollment__in=enrollments.values("pk"), state__in=(ActionRun.State.APPLIED, *UNSENT)
    )
    counts = (
        runs.values("step_id")
        .order_by()
        .annotate(
            ran=Count("pk", filter=Q(state=ActionRun.State.APPLIED)), waiting=Count("pk", filter=Q(state__in=UNSENT))
        )
    )
    by_step = {row["step_id"]: (row["ran"], row["waiting"]) for row in counts}
    steps = Step.objects.filter(pk__in=by_step).select_related("version").order_by("version__number", "position")
    return StopAhead(enrollments.count(), [_ahead(step, *by_step[step.pk]) for step in steps])


def _ahead(step: Step, ran: int, waiting: int) -> StepAhead:
    action = action_for(step.action)
    on_stop = "It stays; this step is marked so." if step.keep_on_stop else action.describe_stop(step.config)
    return StepAhead(action.icon, action.describe(step.config), on_stop, ran, waiting)


# Doing it -------------------------------------------------------------------------------------------------------------


def start_stop(places: Places, *, note: str = "", by: Doer, now: datetime) -> Job:
    """Of those there are now: whoever is enrolled later is not meant. Raises NothingToStop."""
    found = places.enrollments().aggregate(count=Count("pk"), last=Max("pk"))
    if not found["count"]:
        raise NothingToStop
    name = Playbook.objects.values_list("name", flat=True).get(pk=places.playbook_id)
    title = f"Stop {name} in {counted(found['count'], 'place')}"
    params = places.params | {"until": found["last"], "note": note}
    return start_job(STOP_PLAYBOOK, title=title, params=params, by=by, now=now)


class StopPlaybook(JobKind):
    key = STOP_PLAYBOOK
    label = "Stop of a playbook"
    icon = "octagon-x"
    ability = Ability.RELEASE_EVALUATIONS  # a stop of many (TRUST §4.1)
    event = "playbook:changed"
    file_type = "text/csv; charset=utf-8"

    def count(self, job: Job, *, now: datetime) -> int:
        return _meant(job).count()

    def step(self, job: Job, *, now: datetime) -> Slice:
        after = job.cursor.get("after", 0)
        ids = list(_meant(job).filter(pk__gt=after).order_by("pk").values_list("pk", flat=True)[:AT_ONCE])
        if not ids:
            return Slice(None)
        stopped = stop_together(ids, tenant=job.tenant, by=job.actor, note=job.params["note"], now=now)
        outcomes = _outcomes(sorted(stopped))
        failures = _left_to_do(outcomes, place=job.done + job.failed)
        lines = [] if after else [_HEADINGS]
        return Slice(
            cursor={"after": ids[-1]},
            done=len(ids) - len(failures),
            failures=failures,
            content=as_csv([*lines, *(one.line for one in outcomes)]),
            counts={name: sum(getattr(one, name) for one in outcomes) for name in ("undone", "cancelled", "kept")},
        )

    def says(self, job: Job) -> str:
        count = job.result.get
        parts = [
            f"{counted(count('undone', 0), 'action')} undone",
            f"{count('kept', 0):,} kept",
            f"{count('cancelled', 0):,} not run",
        ]
        return f"Stopped in {counted(job.done, 'place')}: {', '.join(parts)}"

    def file_name(self, job: Job) -> str:
        return f"stopped-{job.created_at:%Y-%m-%d}-{job.pk}.csv"


def _meant(job: Job) -> QuerySet[Enrollment]:
    return Places.of(job.params).enrollments().filter(pk__lte=job.params["until"])


_HEADINGS = ("Enrollment", "Account", "User", "State", "Undone", "Kept", "Not run", "Left to do")


@dataclass(frozen=True, slots=True)
class _Outcome:
    id: int
    account: str
    user: str
    state: str
    undone: int
    kept: int
    cancelled: int
    failed: int
    under_way: int

    @property
    def open_question(self) -> str:
        """What is left for a person, or for a moment."""
        if self.failed:
            failed = counted(self.failed, "action")
            return f"{failed} could not be undone. Its history offers to try again, or to let it stay."
        return "An action was under way. It is stopped when that has ended." if self.under_way else ""

    @property
    def line(self) -> tuple[str, ...]:
        counts = map(str, (self.undone, self.kept, self.cancelled))
        return (str(self.id), neutral(self.account), neutral(self.user), self.state, *counts, self.open_question)


def _left_to_do(outcomes: Sequence[_Outcome], *, place: int) -> list[Failure]:
    numbered = enumerate(outcomes, start=place + 1)
    return [Failure(at, one.open_question, one.account) for at, one in numbered if one.open_question]


def _outcomes(ids: Sequence[int]) -> list[_Outcome]:
    rows = fetch(
        """
        SELECT e.id, a.name, COALESCE(NULLIF(u.name, ''), u.email, ''), e.state,
            count(*) FILTER (WHERE r.state = 'undone'), count(*) FILTER (WHERE r.state = 'kept'),
            count(*) FILTER (WHERE r.state = 'cancelled'), count(*) FILTER (WHERE r.state = 'undo_dead'),
            count(*) FILTER (WHERE r.state IN ('running', 'undoing'))
        FROM playbooks_enrollment e
        JOIN accounts_account a ON a.tenant_id = e.tenant_id AND a.id = e.account_id
        LEFT JOIN accounts_enduser u ON u.tenant_id = e.tenant_id AND u.id = e.end_user_id
        LEFT JOIN playbooks_actionrun r ON r.tenant_id = e.tenant_id AND r.enrollment_id = e.id
        WHERE e.tenant_id = %(tenant)s AND e.id = ANY(%(ids)s) GROUP BY e.id, a.name, u.name, u.email ORDER BY e.id
        """,
        {"tenant": current_tenant_id(), "ids": list(ids)},
    )
    return [_Outcome(*row) for row in rows]
