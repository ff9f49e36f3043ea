"""The cockpit as a board: a column per status, or per day by which things are due, with what comes first in each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from typing import Any

from django.db.models import Q, QuerySet

from cs_platform.common.together import count_each, first_ids_of_each
from cs_platform.tenancy.models import Membership
from ctas.cockpit import (
    COUNT_LIMIT,
    DUE_LABELS,
    Asked,
    Due,
    Row,
    by_due,
    days_of,
    due_in,
    end_of_week,
    in_stages,
    load_rows,
    matching,
    with_names,
)
from ctas.lists import Entry, Lists
from ctas.models import CLOSED, Cta
from ctas.own_days import OwnDays

CARDS = 15  # of one column


class By(StrEnum):
    STATUS = "status"
    DUE = "due"


@dataclass(slots=True, eq=False)
class ColumnOfCards:
    """`change` is what a card takes over that is put here; none: nothing can be put here."""

    key: str
    label: str
    tone: str = "neutral"
    change: dict[str, str] | None = None
    rows: Sequence[Row] = ()
    count: int = 0
    is_ending: bool = False  # putting a card here closes it: that asks first


def load_board(asked: Asked, by: By, *, member: Membership, today: OwnDays, lists: Lists) -> list[ColumnOfCards]:
    """In a fixed number of statements, however many columns."""
    today = days_of(asked, member, today)
    rows = matching(asked, member=member, today=today, lists=lists)
    columns = _of_statuses(lists) if by is By.STATUS else _of_days(today)
    _fill(by, {column: rows.filter(which) for column, which in columns if which is not None})
    return [column for column, _which in columns]


def _of_statuses(lists: Lists) -> list[tuple[ColumnOfCards, Q | None]]:
    opened = [(_of_status(one), in_stages([one.key], lists=lists)) for one in lists.stages("open")]
    return [*opened, *((_of_status(one, is_ending=True), None) for one in lists.stages(*CLOSED))]


def _of_status(entry: Entry, *, is_ending: bool = False) -> ColumnOfCards:
    return ColumnOfCards(entry.key, entry.name, entry.tone, {"stage": entry.key}, is_ending=is_ending)


def _of_days(today: OwnDays) -> list[tuple[ColumnOfCards, Q | None]]:
    return [(_of_day(due, today.here), due_in(due, today=today)) for due in Due]


def _of_day(due: Due, today: date) -> ColumnOfCards:
    change = None if due is Due.OVERDUE else {"due_on": _put_on(due, today)}
    return ColumnOfCards(due, DUE_LABELS[due], "bad" if due is Due.OVERDUE else "neutral", change)


def _put_on(due: Due, today: date) -> str:
    """This week means its last working day, or its Sunday when that is over; later means next Monday."""
    sunday = end_of_week(today)
    friday = sunday - timedelta(days=2)
    days = {Due.TODAY: today, Due.WEEK: friday if friday > today else sunday, Due.LATER: sunday + timedelta(days=1)}
    return days[due].isoformat() if due in days else ""


def _fill(by: By, columns: Mapping[ColumnOfCards, QuerySet[Any]]) -> None:
    counts = count_each(columns.values(), most=COUNT_LIMIT + 1)
    parts = {column: _parts(by, column, rows) for column, rows in columns.items()}
    firsts = iter(first_ids_of_each((one for some in parts.values() for one in some), most=CARDS))
    ids = {column: [pk for _part in some for pk in next(firsts)][:CARDS] for column, some in parts.items()}
    found = with_names(Cta.objects.filter(pk__in=[pk for some in ids.values() for pk in some]))
    rows = {row.cta.pk: row for row in load_rows(list(found))}
    for column, count in zip(columns, counts, strict=True):
        column.rows, column.count = [rows[pk] for pk in ids[column] if pk in rows], count


def _parts(by: By, column: ColumnOfCards, rows: QuerySet[Any]) -> list[QuerySet[Any]]:
    """A column reads as the list does: what has a day, by it, and then what has none. One of days has only either."""
    dated, undated = by_due(rows)
    if by is By.STATUS:
        return [dated, undated]
    return [undated if column.key == Due.NONE else dated]
