"""The history of one enrollment: its schedule by day, what came of every action in words, its description filled in."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from itertools import groupby
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db.models import F
from django.utils.timezone import localdate, localtime

from accounts.actors import Actor, load_actors
from actions.registry import action_for
from cs_platform.web.templatetags.ui import moment, uncap
from playbooks.asking import HELD_FOR
from playbooks.failures import OPEN as NEEDS_A_PERSON
from playbooks.filling import NOTHING, Piece, fill_in
from playbooks.filling import Subject as Filled
from playbooks.goals import Goal, goal_of
from playbooks.models import ActionRun, Enrollment, LedgerEntry, Step
from playbooks.on_ctas import count_tasks, task_marks, tasks_of
from playbooks.progress import UNDER_WAY, marks, track_state
from playbooks.rehearsing import DRY_RUN
from playbooks.undo import STOPPABLE

MOVES_SHOWN = 5
DESCRIPTION = "description"
State = ActionRun.State
WAITING = (State.SCHEDULED, State.RUNNING, State.HELD)


@dataclass(frozen=True, slots=True)
class Line:
    """One action: what it did (or will do), and in smaller letters the kind of action and what came of it."""

    run: ActionRun
    icon: str
    says: str
    kind: str
    outcome: str
    tone: str

    @property
    def needs_a_person(self) -> bool:
        return self.run.state in NEEDS_A_PERSON

    @property
    def could_not_be_undone(self) -> bool:
        return self.run.state == State.UNDO_DEAD

    @property
    def waits_for_approval(self) -> bool:
        return self.run.state == State.HELD and self.run.reason_code == HELD_FOR

    @property
    def can_retry(self) -> bool:
        return self.needs_a_person and not self.waits_for_approval

    @property
    def can_skip(self) -> bool:
        return self.run.state in (State.DEAD, State.HELD) and not self.waits_for_approval

    @property
    def can_mark_done(self) -> bool:
        return self.run.state in (State.DEAD, State.UNCERTAIN)


@dataclass(frozen=True, slots=True)
class Day:
    number: int | None  # None: anchored to a date that is not set
    on: date | None
    state: str  # done, next or pending
    lines: Sequence[Line]

    @property
    def is_skipped(self) -> bool:
        return all(line.run.state == State.SKIPPED for line in self.lines)

    @property
    def was_before(self) -> bool:
        """Counted from a date, its day was over when the playbook was applied."""
        return self.number is not None and self.number < 1


@dataclass(frozen=True, slots=True)
class History:
    enrollment: Enrollment
    days: Sequence[Day]
    marks: Sequence[str]
    description: Sequence[Piece]
    applied_by: Actor
    stopped_by: Actor | None
    today_is_day: int
    last_day: int
    moves: Sequence[LedgerEntry]  # from version to version, the latest first
    goal: Goal | None  # none of a dry run, which reaches nothing

    @property
    def track_state(self) -> str:
        return track_state(self.enrollment.state)

    @property
    def is_under_way(self) -> bool:
        return self.enrollment.state in UNDER_WAY

    @property
    def spans_years(self) -> bool:
        """Then some dates are shown with their year, and need the room."""
        return len({day.on.year for day in self.days if day.on}) > 1

    @property
    def can_be_stopped(self) -> bool:
        return self.enrollment.state in STOPPABLE and not self.enrollment.is_dry


def load_history(enrollment: Enrollment, *, now: datetime) -> History:
    """The enrollment comes with its playbook, version, account and end user."""
    runs = scheduled_runs([enrollment.pk])
    lines = _with_what_followed({run.pk: line(run, today=localdate(now)) for run in runs}, now=now)
    planned = {str(run.pk): lines[run.pk].says for run in runs if _is_planned(run)}
    texts = filled_in(enrollment, {DESCRIPTION: enrollment.version.definition.get(DESCRIPTION, ""), **planned}, now=now)
    lines |= {run.pk: replace(lines[run.pk], says=_read(texts[str(run.pk)])) for run in runs if str(run.pk) in texts}
    days = _days(enrollment, runs, lines)
    count_tasks([enrollment])
    actors = load_actors({enrollment.applied_by, enrollment.stopped_by})
    today = now.astimezone(ZoneInfo(enrollment.timezone)).date()
    return History(
        enrollment=enrollment,
        days=days,
        marks=task_marks(tasks_of(enrollment)) if enrollment.cta_id else _marks(runs),
        description=texts.get(DESCRIPTION, ()),
        applied_by=actors[enrollment.applied_by],
        stopped_by=actors[enrollment.stopped_by] if enrollment.stopped_by else None,
        today_is_day=(today - enrollment.activated_on).days + 1,
        last_day=max((day.number for day in days if day.number), default=1),
        moves=_moves(enrollment),
        goal=None if enrollment.is_dry else _goal(enrollment, now=now),
    )


def _goal(enrollment: Enrollment, *, now: datetime) -> Goal | None:
    since, reached_at = enrollment.activated_at, enrollment.outcome_at
    return goal_of(enrollment.version, since=since, reached_at=reached_at, tenant=enrollment.tenant, now=now)


def _moves(enrollment: Enrollment) -> list[LedgerEntry]:
    """Entries of the enrollment itself that left it in its state."""
    own = LedgerEntry.objects.filter(enrollment_id=enrollment.pk, run_id=None, from_state=F("to_state"))
    return list(own.order_by("-pk")[:MOVES_SHOWN])


def _marks(runs: Iterable[ActionRun]) -> tuple[str, ...]:
    return marks(run.state for run in runs if not run.fan_key)


def scheduled_runs(enrollment_ids: Sequence[int]) -> list[ActionRun]:
    """In the order of their days; one query for any number of enrollments."""
    runs = ActionRun.objects.filter(enrollment_id__in=enrollment_ids).select_related("step")
    far = datetime.max.replace(tzinfo=ZoneInfo("UTC"))
    return sorted(runs, key=lambda run: (run.enrollment_id, run.due_at or far, run.position, run.fan_key))


# Days and lines -------------------------------------------------------------------------------------------------------


def _days(enrollment: Enrollment, runs: Iterable[ActionRun], lines: Mapping[UUID, Line]) -> list[Day]:
    """Day n is n - 1 days after the date applied, also where a step hangs on another date."""
    days: list[Day] = []
    for on, group in groupby(runs, key=lambda run: run.due_on):
        members = list(group)
        number = (on - enrollment.activated_on).days + 1 if on else None
        reached = any(day.state == "next" for day in days)
        days.append(Day(number, on, _day_state(members, reached), [lines[run.pk] for run in members]))
    return days


def _day_state(runs: Iterable[ActionRun], reached: bool) -> str:
    states = {run.state for run in runs}
    if not states & set(WAITING):
        return "pending" if states == {State.CANCELLED} else "done"
    return "pending" if reached else "next"


def line(run: ActionRun, planned: dict[int, str] | None = None, *, today: date | None = None) -> Line:
    """`planned` remembers what steps will do, for many lines: some sentences name things that are looked up."""
    action = action_for(run.step.action)
    says = _says(run, {} if planned is None else planned)
    return Line(run, action.icon, says, action.label, _outcome(run, today), _tone(run))


def _with_what_followed(lines: Mapping[UUID, Line], *, now: datetime) -> dict[UUID, Line]:
    """What was done may have been answered, or got on, since: one question for all that one type of action did."""
    done: dict[str, dict[UUID, dict[str, Any]]] = defaultdict(dict)
    for id, one in lines.items():
        if one.run.state == State.APPLIED and one.run.receipt:
            done[one.run.step.action][id] = one.run.receipt
    since = {
        id: words for key, receipts in done.items() for id, words in action_for(key).since(receipts, now=now).items()
    }
    return {
        id: replace(one, outcome=" · ".join(filter(None, (one.outcome, since.get(id))))) for id, one in lines.items()
    }


def _says(run: ActionRun, planned: dict[int, str]) -> str:
    """In the past tense once it happened, from the receipt; before that, what is planned."""
    step, receipt = run.step, run.receipt or {}
    if run.reason_code == DRY_RUN:
        return run.reason
    action = action_for(step.action)
    if _is_planned(run):
        if step.pk not in planned:
            planned[step.pk] = action.describe(step.config)
        return planned[step.pk]
    return action.tell(step.config, receipt)


def _is_planned(run: ActionRun) -> bool:
    """What is said of it is what its step says, not what came of it."""
    happened = run.state in (State.APPLIED, State.KEPT, State.UNDONE, State.UNDOING, State.UNDO_DEAD)
    return run.reason_code != DRY_RUN and (not happened or "marked_done" in (run.receipt or {}))


def _outcome(run: ActionRun, today: date | None) -> str:
    undo = (run.receipt or {}).get("undo", {})
    if run.reason_code == DRY_RUN:
        return "only recorded"
    match run.state:
        case State.APPLIED:
            return "marked as done by hand" if "marked_done" in (run.receipt or {}) else ""
        case State.SCHEDULED if run.prepared_at and run.try_at:
            leaves = f"leaves {uncap(moment(localtime(run.try_at), today))}"
            return f"in review, {leaves}" if run.step.config.get("review_hours") else leaves
        case State.SCHEDULED:
            return f"tries again: {run.reason}" if run.attempt and run.reason else ""
        case State.RUNNING | State.UNDOING:
            return "under way"
        case State.UNDONE:
            return _joined("undone", undo.get("says", ""))
        case State.KEPT:
            return _joined("kept", undo.get("says") or run.reason)
        case State.CANCELLED:
            return "did not run"
    return _joined(run.get_state_display().lower(), run.reason)


def _joined(word: str, sentence: str) -> str:
    return f"{word}: {sentence}" if sentence else word


def _tone(run: ActionRun) -> str:
    if run.state in (State.DEAD, State.UNCERTAIN, State.UNDO_DEAD):
        return "bad"
    return "warn" if run.state == State.HELD else ""


# Texts filled in ------------------------------------------------------------------------------------------------------


def filled_in(enrollment: Enrollment, texts: Mapping[str, str], *, now: datetime) -> dict[str, list[Piece]]:
    """The note and the planned actions with this account's values, by their keys.

    Without those that name somebody who is found on the day only, as the one a message is written to: they say more as
    they are written.
    """
    written = {key: text for key, text in texts.items() if (key == DESCRIPTION and text) or "{{" in text}
    if not written:
        return {}
    user = enrollment.end_user_id
    about = Filled(enrollment.tenant, enrollment.account, enrollment.timezone, end_user_id=user, recipient_id=user)
    found = fill_in(written, about, now=now)
    return {key: pieces for key, pieces in found.items() if key == DESCRIPTION or _is_whole(pieces)}


def _is_whole(pieces: Sequence[Piece]) -> bool:
    return all(piece.text != NOTHING for piece in pieces if piece.is_value)


def read_filled(enrollment: Enrollment, texts: Mapping[str, str], *, now: datetime) -> dict[str, str]:
    """The same as plain sentences, each as it was written where it cannot be filled in."""
    return {**texts, **{key: _read(pieces) for key, pieces in filled_in(enrollment, texts, now=now).items()}}


def _read(pieces: Sequence[Piece]) -> str:
    return "".join(piece.text for piece in pieces)


# One line per enrollment, for lists -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Summary:
    enrollment: Enrollment
    marks: Sequence[str]
    next_step: Step | None
    next_on: date | None
    held: int  # actions that wait for a person
    stopped_by: Actor | None

    @property
    def track_state(self) -> str:
        return track_state(self.enrollment.state)

    @property
    def next_label(self) -> str:
        label = action_for(self.next_step.action).label if self.next_step else ""
        return label[:1].lower() + label[1:]


def summaries(enrollments: Sequence[Enrollment]) -> list[Summary]:
    """Two queries for any number of them."""
    runs: dict[int, list[ActionRun]] = {enrollment.pk: [] for enrollment in enrollments}
    for run in scheduled_runs(list(runs)):
        runs[run.enrollment_id].append(run)
    count_tasks(enrollments)
    actors = load_actors({enrollment.stopped_by for enrollment in enrollments if enrollment.stopped_by})
    return [_summary(enrollment, runs[enrollment.pk], actors) for enrollment in enrollments]


def _summary(enrollment: Enrollment, runs: Sequence[ActionRun], actors: dict[str, Actor]) -> Summary:
    waiting = next((run for run in runs if run.state in (State.SCHEDULED, State.RUNNING)), None)
    return Summary(
        enrollment=enrollment,
        marks=_marks(runs),
        next_step=waiting.step if waiting else None,
        next_on=waiting.due_on if waiting else None,
        held=sum(run.state in NEEDS_A_PERSON for run in runs),
        stopped_by=actors.get(enrollment.stopped_by),
    )
