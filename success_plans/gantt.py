"""A plan laid out in time: columns of weeks or months, and where in percent of their width each bar stands."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

from ctas.models import Task
from success_plans.models import SuccessPlan, span
from success_plans.objectives import Line

FEWEST, MOST_WEEKS, MOST_MONTHS = 6, 60, 36


class Scale(StrEnum):
    WEEKS = "weeks"
    MONTHS = "months"


@dataclass(frozen=True, slots=True)
class Column:
    first: date
    label: str


@dataclass(frozen=True, slots=True)
class Axis:
    """From the first day to the day after the last."""

    scale: Scale
    columns: Sequence[Column]
    first: date
    end: date

    @property
    def days(self) -> int:
        return (self.end - self.first).days

    @property
    def day_width(self) -> float:
        """Of one day, in percent."""
        return round(100 / self.days, 4)

    def at(self, day: date) -> float:
        return round(100 * (day - self.first).days / self.days, 3)

    def mark(self, day: date | None) -> float | None:
        """None for a day that is not on it."""
        return self.at(day) if day and self.first <= day < self.end else None


@dataclass(frozen=True, slots=True)
class Bar:
    """Both days are part of it."""

    start: date
    due: date
    left: float
    width: float
    percent: int
    tone: str

    @property
    def flips(self) -> bool:
        """Its label stands before it: behind it is no room."""
        return self.left + self.width > 92


@dataclass(frozen=True, slots=True)
class TaskRow:
    task: Task
    bar: Bar | None


@dataclass(frozen=True, slots=True)
class ObjectiveRow:
    line: Line
    bar: Bar | None
    tasks: Sequence[TaskRow]


@dataclass(frozen=True, slots=True)
class Chart:
    axis: Axis
    rows: Sequence[ObjectiveRow]
    plan: Bar | None
    today: float | None
    renewal: float | None


def draw(plan: SuccessPlan, lines: Sequence[Line], *, percent: int, today: date, scale: Scale) -> Chart:
    axis = _axis(_reach(plan, lines, today), scale)
    whole = span(plan.start_on, plan.due_on)
    return Chart(
        axis,
        [_row(line, axis) for line in lines],
        _bar(axis, whole, percent, "plan") if whole else None,
        axis.mark(today),
        axis.mark(plan.account.renewal_on),
    )


def _row(line: Line, axis: Axis) -> ObjectiveRow:
    tone = "plan" if line.is_open else "ok" if line.cta.status == "won" else "neutral"
    bar = _bar(axis, line.bar, line.percent, tone) if line.bar else None
    tasks = [
        TaskRow(task, _bar(axis, found, 0 if task.status == Task.Status.OPEN else 100, "plan") if found else None)
        for task, found in line.task_bars()
    ]
    return ObjectiveRow(line, bar, tasks)


def _bar(axis: Axis, days: tuple[date, date], percent: int, tone: str) -> Bar | None:
    """What lies outside the axis is cut off; None where nothing is left."""
    start, due = max(days[0], axis.first), min(days[1], axis.end - timedelta(days=1))
    if start > due:
        return None
    left = axis.at(start)
    width = round(100 * ((due - start).days + 1) / axis.days, 3)
    return Bar(days[0], days[1], left, width, percent, tone)


# --- the axis ---------------------------------------------------------------------------------------------------------


def _reach(plan: SuccessPlan, lines: Sequence[Line], today: date) -> tuple[date, date]:
    """Everything that has a day. Today and the renewal belong to it while they are not far off."""
    days = [day for day in (plan.start_on, plan.due_on) if day]
    for line in lines:
        days += line.bar or ()
        days += [task.due_on for task in line.tasks if task.due_on]
    first, last = (min(days), max(days)) if days else (today, today)
    for near in (today, plan.account.renewal_on):
        if near and first - timedelta(days=28) <= near <= last + timedelta(days=56):
            first, last = min(first, near), max(last, near)
    return first, last


def _axis(reach: tuple[date, date], scale: Scale) -> Axis:
    starts = list(_weeks(*reach) if scale is Scale.WEEKS else _months(*reach))
    return Axis(scale, list(_labelled(starts[:-1], scale)), starts[0], starts[-1])


def _weeks(first: date, last: date) -> Iterator[date]:
    """Mondays, from the one before the first day to the one after the last."""
    monday = first - timedelta(days=first.weekday())
    count = min(max((last - monday).days // 7 + 1, FEWEST), MOST_WEEKS)
    return (monday + timedelta(weeks=n) for n in range(count + 1))


def _months(first: date, last: date) -> Iterator[date]:
    start = 12 * first.year + first.month - 1
    count = min(max(12 * last.year + last.month - start, FEWEST), MOST_MONTHS)
    return (date((start + n) // 12, (start + n) % 12 + 1, 1) for n in range(count + 1))


def _labelled(starts: Sequence[date], scale: Scale) -> Iterator[Column]:
    before: date | None = None
    for day in starts:
        yield Column(day, _label(day, before, scale))
        before = day


def _label(day: date, before: date | None, scale: Scale) -> str:
    """The month where it begins, and the year where it changes."""
    if scale is Scale.MONTHS:
        return f"{day:%b %Y}" if before is None or before.year != day.year else f"{day:%b}"
    if before is None or before.month != day.month:
        return f"{day.day} {day:%b}"
    return str(day.day)
