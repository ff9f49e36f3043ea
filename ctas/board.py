"""The cockpit as a board: a column per status, or per day by which things are due, with what comes first in each."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from typing import Any

from django.db.models import Q, QuerySet

from cs_platform.tenancy.models import Membership
from ctas.cockpit import (
    COUNT_LIMIT,
    DUE_LABELS,
    Asked,
    Due,
    Row,
    by_due,
    due_range,
    end_of_week,
    in_stages,
    load_rows,
    matching,
    with_names,
)
from ctas.lists import Lists
from ctas.models import CLOSED

CARDS = 15  # of one column


class By(StrEnum):
    STATUS = "status"
    DUE = "due"


@dataclass(slots=True)
class ColumnOfCards:
    """`change` is what a card takes over that is put here; none: nothing can be put here."""

    key: str
    label: str
    tone: str = "neutral"
    change: dict[str, str] | None = None
    rows: Sequence[Row] = ()
    count: int = 0
    is_ending: bool = False  # putting a card here closes it: that asks first


def load_board(asked: Asked, by: By, *, member: Membership, today: date, lists: Lists) -> list[ColumnOfCards]:
    rows = matching(asked, member=member, today=today, lists=lists)
    columns = list(_of_statuses(rows, lists) if by is By.STATUS else _of_days(rows, today))
    _fill(columns)
    return columns


def _of_statuses(rows: QuerySet[Any], lists: Lists) -> Iterator[ColumnOfCards]:
    for entry in lists.stages("open"):
        column = ColumnOfCards(entry.key, entry.name, entry.tone, {"stage": entry.key})
        yield _counted(column, rows, in_stages([entry.key], lists=lists))
    for entry in lists.stages(*CLOSED):
        yield ColumnOfCards(entry.key, entry.name, entry.tone, {"stage": entry.key}, is_ending=True)


def _of_days(rows: QuerySet[Any], today: date) -> Iterator[ColumnOfCards]:
    for due in Due:
        change = None if due is Due.OVERDUE else {"due_on": _put_on(due, today)}
        column = ColumnOfCards(due, DUE_LABELS[due], "bad" if due is Due.OVERDUE else "neutral", change)
        yield _counted(column, rows, due_range(due, today=today))


def _put_on(due: Due, today: date) -> str:
    """This week means its last working day, or its Sunday when that is over; later means next Monday."""
    sunday = end_of_week(today)
    friday = sunday - timedelta(days=2)
    days = {Due.TODAY: today, Due.WEEK: friday if friday > today else sunday, Due.LATER: sunday + timedelta(days=1)}
    return days[due].isoformat() if due in days else ""


def _counted(column: ColumnOfCards, rows: QuerySet[Any], which: Q) -> ColumnOfCards:
    mine = rows.filter(which)
    found: list[Any] = []
    for part in by_due(mine):
        if len(found) <= CARDS:
            found += with_names(part)[: CARDS + 1 - len(found)]
    column.count = len(found) if len(found) <= CARDS else mine.order_by()[: COUNT_LIMIT + 1].count()
    column.rows = found[:CARDS]
    return column


def _fill(columns: Sequence[ColumnOfCards]) -> None:
    """What the cards show beside their row, for all columns at once."""
    made = iter(load_rows([row for column in columns for row in column.rows]))
    for column in columns:
        column.rows = [next(made) for _row in column.rows]
