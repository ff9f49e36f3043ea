"""Days on which a workspace does not work: weekends, and the holidays it lists."""

from collections.abc import Collection
from datetime import date, datetime, timedelta
from typing import Any

from django.db import IntegrityError, transaction

from cs_platform.tenancy.audit import record
from cs_platform.tenancy.models import Doer
from cs_platform.workspace.models import Holiday

SATURDAY = 5
DAY = timedelta(days=1)
MOST_HOLIDAYS = 1_000


class CannotAdd(Exception):
    """The text says why."""


def is_working_day(day: date, holidays: Collection[date]) -> bool:
    return day.weekday() < SATURDAY and day not in holidays


def working_day(day: date, holidays: Collection[date]) -> date:
    """The day itself, or the next one on which people work."""
    while not is_working_day(day, holidays):
        day += DAY
    return day


def working_days_after(day: date, count: int, holidays: Collection[date]) -> date:
    """So many working days later; with 0 the day itself or the next working one."""
    day = working_day(day, holidays)
    for _ in range(count):
        day = working_day(day + DAY, holidays)
    return day


def load_holidays(*, since: date | None = None) -> frozenset[date]:
    """Of the workspace in force. At most as many as a workspace may list."""
    listed = Holiday.objects.filter(on__gte=since) if since else Holiday.objects.all()
    return frozenset(listed.values_list("on", flat=True))


def add_holiday(*, on: date, name: str, by: Doer, now: datetime) -> Holiday:
    if Holiday.objects.count() >= MOST_HOLIDAYS:
        raise CannotAdd(f"There are {MOST_HOLIDAYS:,} holidays already. Remove past ones first.")
    try:
        with transaction.atomic():
            added: Holiday = Holiday.objects.create(on=on, name=name)
    except IntegrityError as taken:
        raise CannotAdd(f"{on:%-d %b %Y} is a holiday already.") from taken
    _record("holiday.added", added, after={"on": on.isoformat()}, by=by, now=now)
    return added


def remove_holiday(holiday: Holiday, *, by: Doer, now: datetime) -> bool:
    if not Holiday.objects.filter(pk=holiday.pk).delete()[0]:
        return False
    _record("holiday.removed", holiday, before={"on": holiday.on.isoformat()}, by=by, now=now)
    return True


def _record(verb: str, holiday: Holiday, *, by: Doer, now: datetime, **said: Any) -> None:
    record(verb=verb, subject_type="holiday", subject_id=holiday.pk, name=holiday.name, by=by, now=now, **said)
