"""The cockpit as a calendar: six weeks, with the first few of each day and how many there are."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from django.db.models import QuerySet

from cs_platform.common.statements import fetch
from cs_platform.tenancy.models import Membership
from ctas.cockpit import Asked, Row, load_rows, matching, with_names
from ctas.lists import Lists

SHOWN = 3  # of one day
COUNTED = 100
WEEKS = 6
_SOME_DAY = date(1, 1, 1)  # nothing is due then


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


def load_month(asked: Asked, *, member: Membership, today: date, lists: Lists) -> Month:
    first = (asked.month or today).replace(day=1)
    monday = first - timedelta(days=first.weekday())
    days = [monday + timedelta(days=at) for at in range(7 * WEEKS)]
    found = _by_day(matching(asked, member=member, today=today, lists=lists), days)
    rows = _shown(asked, {pk for ids in found.values() for pk in ids[:SHOWN]}, member=member, today=today, lists=lists)
    made = [
        Day(on, [rows[pk] for pk in found[on][:SHOWN] if pk in rows], len(found[on]), on.month == first.month)
        for on in days
    ]
    return Month(first, [made[at : at + 7] for at in range(0, len(made), 7)])


def _by_day(rows: QuerySet[Any], days: Sequence[date]) -> dict[date, list[int]]:
    """A bounded range of the index for each day: how many there are of all days says nothing about one. The statement
    for one day is written once and said for each.
    """
    ids = rows.filter(due_on=_SOME_DAY).order_by("pk").values_list("due_on", "pk")[:COUNTED]
    sql, params = ids.query.sql_with_params()
    said = [day if value == _SOME_DAY else value for day in days for value in params]
    found: dict[date, list[int]] = defaultdict(list)
    for day, pk in fetch(" UNION ALL ".join([f"({sql})"] * len(days)), said):
        found[day].append(pk)
    return found


def _shown(asked: Asked, ids: set[int], *, member: Membership, today: date, lists: Lists) -> dict[int, Row]:
    rows = with_names(matching(asked, member=member, today=today, lists=lists).filter(pk__in=ids))
    made = load_rows(list(rows.order_by("pk")))
    return {(row.task or row.cta).pk: row for row in made}
