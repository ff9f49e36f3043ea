"""When each step of an enrollment falls due. Pure: dates and zones in, moments out; nothing here reads a clock.

Day 1 is the day of activation and runs at once; day N falls N - 1 days later, at the workspace's action hour in the
enrollment's own zone. A step anchored to a date counts from that date instead.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from zoneinfo import ZoneInfo

from cs_platform.workspace.holidays import working_day


@dataclass(frozen=True, slots=True)
class PlannedStep:
    """The part of a Step that dates depend on. `anchor` is a date field's key, or empty."""

    step_id: int
    position: int
    offset_days: int
    anchor: str
    is_external: bool


@dataclass(frozen=True, slots=True)
class Activation:
    """When an enrollment begins, in one zone."""

    at: datetime
    on: date
    zone: str
    action_hour: int
    skip_weekends: bool
    holidays: Collection[date] = frozenset()  # skipped with the weekends


@dataclass(frozen=True, slots=True)
class Due:
    """`on` and `at` are empty while the anchor date is not set; `past` says that the day was over before it began."""

    on: date | None
    at: datetime | None
    past: bool = False


@cache
def zone_info(name: str) -> ZoneInfo:
    return ZoneInfo(name)


def known_zone(name: str | None, *, otherwise: str) -> str:
    """The name if it is a zone, else the workspace's: an odd value from an import must not stop an enrollment."""
    if not name:
        return otherwise
    try:
        zone_info(name)
    except (ValueError, OSError, KeyError):
        return otherwise
    return name


def due(step: PlannedStep, activation: Activation, anchor: date | None = None) -> Due:
    if step.anchor:
        return _due_from_anchor(step, activation, anchor)
    day = _day(activation.on + timedelta(days=step.offset_days), activation)
    if day == activation.on:
        return Due(on=day, at=activation.at)
    return Due(on=day, at=_at_action_hour(day, activation))


def _due_from_anchor(step: PlannedStep, activation: Activation, anchor: date | None) -> Due:
    if anchor is None:
        return Due(on=None, at=None)
    day = _day(anchor + timedelta(days=step.offset_days), activation)
    if day < activation.on:
        return Due(on=day, at=activation.at, past=True)
    return Due(on=day, at=max(_at_action_hour(day, activation), activation.at))


def _day(day: date, activation: Activation) -> date:
    return working_day(day, activation.holidays) if activation.skip_weekends else day


def _at_action_hour(day: date, activation: Activation) -> datetime:
    return instant(day, time(activation.action_hour), activation.zone)


def instant(day: date, wall: time, zone: str) -> datetime:
    """The moment a wall clock in `zone` shows this time, in UTC.

    A time that a change of clocks skips becomes the first instant after the gap; one that comes twice, the first.
    """
    info = zone_info(zone)
    wanted = datetime.combine(day, wall)
    moment = wanted.replace(tzinfo=info, fold=0).astimezone(UTC)
    if moment.astimezone(info).replace(tzinfo=None) == wanted:
        return moment
    return _end_of_gap(wanted, info)


def _end_of_gap(wanted: datetime, info: ZoneInfo) -> datetime:
    """Bisects for the jump: before it the wall shows less than `wanted`, after it more."""
    earlier, later = sorted(wanted.replace(tzinfo=info, fold=fold).astimezone(UTC) for fold in (0, 1))
    earlier -= timedelta(hours=1)
    while later - earlier > timedelta(seconds=1):
        middle = earlier + (later - earlier) / 2
        if middle.astimezone(info).replace(tzinfo=None) >= wanted:
            later = middle
        else:
            earlier = middle
    return later.replace(microsecond=0)


def next_time_of_day(now: datetime, *, hour: int, zone: str) -> datetime:
    """The next moment, strictly later than now, at which the local clock reaches this hour."""
    today = now.astimezone(zone_info(zone)).date()
    days = (today + timedelta(days=n) for n in range(3))
    return next(moment for day in days if (moment := instant(day, time(hour), zone)) > now)


def plan(
    steps: Iterable[PlannedStep], activation: Activation, anchors: dict[str, set[date | None]]
) -> list[tuple[PlannedStep, date | None, Due]]:
    """Every (step, anchor date) an enrollment in this zone can need: few rows, whatever the number of accounts."""
    return [
        (step, anchor, due(step, activation, anchor))
        for step in steps
        for anchor in (anchors.get(step.anchor, {None}) if step.anchor else {None})
    ]
