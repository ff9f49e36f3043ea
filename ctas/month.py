"""The cockpit as a calendar: the weeks of a month, with the first few of each day and how many there are."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from django.db.models import QuerySet
from django.db.models.expressions import RawSQL

from cs_platform.common.statements import fetch
from cs_platform.tenancy.models import Membership
from ctas.cockpit import Asked, Row, days_of, load_rows, matching, with_names
from ctas.lists import Lists
from ctas.own_days import OwnDays

SHOWN = 3  # of one day
COUNTED = 100


@dataclass(frozen=True, slots=True)
class Day:
    on: date
    rows: Sequence[Row]
    count: int  # COUNTED at most
    in_month: bool

    @property
    def more(self) -> int:
        return self.count - len(self.rows)


@dataclass(frozen=True, slots=True)
class Month:
    first: date
    weeks: Sequence[Sequence[Day]]

    @property
    def before(self) -> date:
        return (self.first - timedelta(days=1)).replace(day=1)

    @property
    def after(self) -> date:
        return (self.first + timedelta(days=31)).replace(day=1)


def load_month(asked: Asked, *, member: Membership, today: OwnDays, lists: Lists) -> Month:
    first = (asked.month or days_of(asked, member, today).here).replace(day=1)
    days = _whole_weeks(first)
    found = _by_day(matching(asked, member=member, today=today, lists=lists), days)
    rows = _shown(asked, {pk for ids in found.values() for pk in ids[:SHOWN]}, member=member, today=today, lists=lists)
    made = [
        Day(on, [rows[pk] for pk in found[on][:SHOWN] if pk in rows], len(found[on]), on.month == first.month)
        for on in days
    ]
    return Month(first, [made[at : at + 7] for at in range(0, len(made), 7)])


def _whole_weeks(first: date) -> list[date]:
    """From the Monday on or before the first of a month to the Sunday on or after its last."""
    monday = first - timedelta(days=first.weekday())
    last = (first + timedelta(days=31)).replace(day=1) - timedelta(days=1)
    return [monday + timedelta(days=at) for at in range((last - monday).days // 7 * 7 + 7)]


def _by_day(rows: QuerySet[Any], days: Sequence[date]) -> dict[date, list[int]]:
    """A bounded range of the index for each day: how many there are of all days says nothing about one."""
    ids = rows.filter(due_on=RawSQL("d.day", [])).order_by("pk").values("pk")[:COUNTED]
    sql, params = ids.query.sql_with_params()
    each = f"SELECT d.day, ARRAY({sql}) FROM unnest(%s::date[]) d(day)"
    return dict(fetch(each, [*params, list(days)]))


def _shown(asked: Asked, ids: set[int], *, member: Membership, today: OwnDays, lists: Lists) -> dict[int, Row]:
    rows = with_names(matching(asked, member=member, today=today, lists=lists).filter(pk__in=ids))
    made = load_rows(list(rows.order_by("pk")))
    return {(row.task or row.cta).pk: row for row in made}
