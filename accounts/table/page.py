"""One page of the table, by keyset: no OFFSET, whatever the page, the sort and the filters."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection

from accounts.models import Account
from accounts.rules.sql import Sql, compose
from accounts.table.built_in import MONTHS
from accounts.table.columns import Column
from accounts.table.state import Cursor, TableState

PAGE_SIZE = 50
COUNT_LIMIT = 1_000

_ROWS = """
SELECT a.id, {value} FROM accounts_account a{join}
WHERE a.tenant_id = {tenant} AND a.archived_at IS NULL{conditions}{range}
ORDER BY {order} LIMIT {limit}
"""
_TOTALS = """
SELECT count(*), sum(mrr_cents)::bigint FROM (
    SELECT a.mrr_cents FROM accounts_account a
    WHERE a.tenant_id = {tenant} AND a.archived_at IS NULL{conditions} LIMIT {limit}
) t
"""

Row = tuple[int, Any]  # (id, sort value)


@dataclass(frozen=True, slots=True)
class Page:
    accounts: Sequence[Account]
    first: int  # number of the first row in the whole list
    previous: Cursor | None  # set where there is such a page
    next: Cursor | None

    @property
    def last(self) -> int:
        return self.first + len(self.accounts) - 1


@dataclass(frozen=True, slots=True)
class Totals:
    """Over all pages. `capped`: there are more than that, and the sum was not made."""

    count: int
    arr_cents: int | None
    capped: bool


def load_page(state: TableState, *, tenant_id: int) -> Page:
    if state.before:
        return _page_before(state, state.before, tenant_id=tenant_id)
    return _page_after(state, state.after, tenant_id=tenant_id)


def _page_after(state: TableState, cursor: Cursor | None, *, tenant_id: int) -> Page:
    rows = _rows(state, cursor, backwards=False, tenant_id=tenant_id)
    shown, start = rows[:PAGE_SIZE], cursor.position if cursor else 0
    return Page(
        accounts=_accounts(shown, state.columns),
        first=start + 1,
        previous=_beside(shown[0], start) if cursor and shown else None,
        next=_beside(shown[-1], start + PAGE_SIZE) if len(rows) > PAGE_SIZE else None,
    )


def _page_before(state: TableState, cursor: Cursor, *, tenant_id: int) -> Page:
    """A first page that came out short has changed under us: it is read from the beginning instead."""
    rows = _rows(state, cursor, backwards=True, tenant_id=tenant_id)
    if len(rows) <= PAGE_SIZE:
        return _page_after(state, None, tenant_id=tenant_id)
    shown = rows[:PAGE_SIZE][::-1]
    start = max(cursor.position - PAGE_SIZE, 0)
    return Page(
        accounts=_accounts(shown, state.columns),
        first=start + 1,
        previous=_beside(shown[0], start),
        next=_beside(shown[-1], start + PAGE_SIZE),
    )


def _beside(row: Row, position: int) -> Cursor:
    id, value = row
    return Cursor(value, id, position)


def _rows(state: TableState, cursor: Cursor | None, *, backwards: bool, tenant_id: int) -> list[Row]:
    """One row more than a page, to know whether there is another. Rows without a value are a second range."""
    found: list[Row] = []
    for condition in _ranges(state, cursor, backwards=backwards):
        if len(found) <= PAGE_SIZE:
            limit = PAGE_SIZE + 1 - len(found)
            found += _query(state, condition, backwards=backwards, limit=limit, tenant_id=tenant_id)
    return found


def _ranges(state: TableState, cursor: Cursor | None, *, backwards: bool) -> list[Sql]:
    """What is still ahead of the cursor, nearest first."""
    value, sign = state.sort.value, Sql("<" if backwards is not state.descending else ">")
    nullable = state.sort.nullable
    with_value, without = compose("{v} IS NOT NULL", v=value), compose("{v} IS NULL", v=value)
    if cursor is None:
        return [with_value, without] if nullable else [Sql("true")]
    if cursor.value is None:
        rest = compose("{without} AND a.id {sign} {id}", without=without, sign=sign, id=Sql.value(cursor.id))
        return [rest, with_value] if backwards else [rest]
    row = Sql.values([cursor.value, cursor.id])
    rest = compose("({v}, a.id) {sign} ({row})", v=value, sign=sign, row=row)
    return [rest, without] if nullable and not backwards else [rest]


def _query(state: TableState, condition: Sql, *, backwards: bool, limit: int, tenant_id: int) -> list[Row]:
    direction = "ASC" if backwards is state.descending else "DESC"
    sql = compose(
        _ROWS,
        value=state.sort.value,
        join=state.sort.join,
        tenant=Sql.value(tenant_id),
        conditions=_and(state.conditions),
        range=_and([condition]),
        order=compose(f"{{v}} {direction}, a.id {direction}", v=state.sort.value),
        limit=Sql.value(limit),
    )
    with connection.cursor() as cursor:
        cursor.execute(sql.text, sql.params)
        return cursor.fetchall()


def _and(conditions: Sequence[Sql]) -> Sql:
    return Sql.join("", [compose(" AND {one}", one=one) for one in conditions])


def _accounts(rows: Sequence[Row], columns: Sequence[Column]) -> list[Account]:
    fields = {name for column in columns for name in column.loads}
    people = sorted(fields & {"csm", "ae"})
    accounts = Account.objects.filter(pk__in=[id for id, _value in rows])
    accounts = accounts.select_related(*people) if people else accounts
    found = {account.pk: account for account in accounts.only("tenant_id", *fields, *(f"{p}__name" for p in people))}
    return [found[id] for id, _value in rows if id in found]


def load_totals(state: TableState, *, tenant_id: int, exact: bool = False) -> Totals:
    sql = compose(
        _TOTALS,
        tenant=Sql.value(tenant_id),
        conditions=_and(state.conditions),
        limit=Sql.value(None if exact else COUNT_LIMIT + 1),
    )
    with connection.cursor() as cursor:
        cursor.execute(sql.text, sql.params)
        count, mrr_cents = cursor.fetchone()
    if not exact and count > COUNT_LIMIT:
        return Totals(COUNT_LIMIT, None, capped=True)
    return Totals(count, (mrr_cents or 0) * MONTHS, capped=False)
