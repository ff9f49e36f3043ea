"""One page of a table, by keyset: no OFFSET, whatever the page, the sort and the filters."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection

from accounts.models.account import MONTHS_IN_A_YEAR
from accounts.rules.sql import Sql, compose
from accounts.table.columns import TRUE, Column, Walk
from accounts.table.listing import Listing, Thing
from accounts.table.state import Cursor, TableState

PAGE_SIZE = 50
COUNT_LIMIT = 1_000

_ROWS = """
SELECT {id}, {value} FROM {tables} WHERE {present}{conditions} ORDER BY {order} LIMIT {limit}
"""
_ROWS_OF_EACH = """
SELECT {id}, {value} FROM {tables} CROSS JOIN LATERAL (
    SELECT {own} FROM {table} WHERE {present}{conditions} ORDER BY {last} LIMIT {limit}
) {alias}
ORDER BY {order} LIMIT {limit}
"""
_MATCHING = "FROM {table} WHERE {present}{conditions}"
_TOTALS = """
SELECT count(*), sum(summed)::bigint FROM (SELECT {summed} AS summed {rows} LIMIT {limit}) t
"""

Row = tuple[int, Any]  # (id, sort value)


@dataclass(frozen=True, slots=True)
class Page:
    things: Sequence[Thing]
    first: int  # number of the first row in the whole list
    previous: Cursor | None  # set where there is such a page
    next: Cursor | None

    @property
    def last(self) -> int:
        return self.first + len(self.things) - 1


@dataclass(frozen=True, slots=True)
class Totals:
    """Over all pages. `capped`: there are more than that, and the sum was not made. Users have none."""

    count: int
    arr_cents: int | None
    capped: bool


def load_page(state: TableState, *, tenant_id: int) -> Page:
    if state.before:
        return _page_before(state, state.before, tenant_id=tenant_id)
    return _page_after(state, state.after, tenant_id=tenant_id)


def _page_after(state: TableState, cursor: Cursor | None, *, tenant_id: int) -> Page:
    rows = rows_after(state, cursor, limit=PAGE_SIZE + 1, tenant_id=tenant_id)
    shown, start = rows[:PAGE_SIZE], cursor.position if cursor else 0
    return Page(
        things=things_of(state.listing, shown, state.columns),
        first=start + 1,
        previous=_beside(shown[0], start) if cursor and shown else None,
        next=_beside(shown[-1], start + PAGE_SIZE) if len(rows) > PAGE_SIZE else None,
    )


def _page_before(state: TableState, cursor: Cursor, *, tenant_id: int) -> Page:
    """A first page that came out short has changed under us: it is read from the beginning instead."""
    rows = _rows(state, cursor, backwards=True, limit=PAGE_SIZE + 1, tenant_id=tenant_id)
    if len(rows) <= PAGE_SIZE:
        return _page_after(state, None, tenant_id=tenant_id)
    shown = rows[:PAGE_SIZE][::-1]
    start = max(cursor.position - PAGE_SIZE, 0)
    return Page(
        things=things_of(state.listing, shown, state.columns),
        first=start + 1,
        previous=_beside(shown[0], start),
        next=_beside(shown[-1], start + PAGE_SIZE),
    )


def _beside(row: Row, position: int) -> Cursor:
    id, value = row
    return Cursor(value, id, position)


@dataclass(frozen=True, slots=True)
class Stretch:
    """A part of the list that one index serves: those with a value in its order, or those without, by id."""

    tables: Sql
    condition: Sql
    id: Sql
    value: Sql | None = None
    each: bool = False
    implied: frozenset[Sql] = (
        frozenset()
    )  # filters that `condition` says already: asked twice, they mislead the planner

    @property
    def keys(self) -> list[Sql]:
        return [self.id] if self.value is None else [self.value, self.id]

    def beyond(self, cursor: Cursor, sign: str) -> Sql:
        """The value alone is said beside the pair, for a walk whose value and id lie in two tables."""
        if self.value is None:
            return compose(f"{{id}} {sign} {{at}}", id=self.id, at=Sql.value(cursor.id))
        at, pair = Sql.value(cursor.value), Sql.values([cursor.value, cursor.id])
        return compose(
            f"{{v}} {sign}= {{at}} AND ({{v}}, {{id}}) {sign} ({{pair}})", v=self.value, id=self.id, at=at, pair=pair
        )


def _stretches(state: TableState) -> list[Stretch]:
    """In the order of the list."""
    sort, listing = state.sort, state.listing
    if sort.walk:
        found = _walked(listing, sort.walk(), sort.value, state.conditions)
    elif sort.nullable:
        found = [
            Stretch(listing.table, compose("{v} IS NOT NULL", v=sort.value), listing.id, sort.value),
            Stretch(listing.table, compose("{v} IS NULL", v=sort.value), listing.id),
        ]
    else:
        found = [Stretch(listing.table, TRUE, listing.id, sort.value)]
    return found[::-1] if sort.absent_is_least and not state.descending else found


def _walked(listing: Listing, walk: Walk, value: Sql, conditions: Sequence[Sql]) -> list[Stretch]:
    """Whoever asks for the absent alone need not wait for a walk that can find none of them."""
    absent = Stretch(listing.table, walk.absent, listing.id)
    if walk.absent.wrapped() in conditions:
        return [absent]
    implied = frozenset(one for one in conditions if one in walk.alike)
    condition = _all_of([walk.condition, *(walk.alike[one] for one in implied)])
    return [Stretch(walk.tables, condition, walk.id or listing.id, value, walk.each, implied), absent]


def rows_after(state: TableState, cursor: Cursor | None, *, limit: int, tenant_id: int) -> list[Row]:
    """The next ids in the order of the list. A page asks for one more than it shows: is there another?"""
    return _rows(state, cursor, backwards=False, limit=limit, tenant_id=tenant_id)


def _rows(state: TableState, cursor: Cursor | None, *, backwards: bool, limit: int, tenant_id: int) -> list[Row]:
    found: list[Row] = []
    for stretch, condition in _ahead(state, cursor, backwards=backwards):
        if len(found) < limit:
            rest = limit - len(found)
            found += _query(state, stretch, condition, backwards=backwards, limit=rest, tenant_id=tenant_id)
    return found


def _ahead(state: TableState, cursor: Cursor | None, *, backwards: bool) -> list[tuple[Stretch, Sql]]:
    """What is still ahead of the cursor, nearest first: the rest of its own stretch, and those after it."""
    stretches = _stretches(state)[:: -1 if backwards else 1]
    own = next(
        (at for at, one in enumerate(stretches) if cursor and (one.value is None) is (cursor.value is None)), None
    )
    if cursor is None or own is None:
        return [(stretch, TRUE) for stretch in stretches]
    rest = stretches[own].beyond(cursor, _sign(state, backwards=backwards))
    return [(stretches[own], rest), *((stretch, TRUE) for stretch in stretches[own + 1 :])]


def _sign(state: TableState, *, backwards: bool) -> str:
    return "<" if backwards is not state.descending else ">"


def _query(
    state: TableState, stretch: Stretch, ahead: Sql, *, backwards: bool, limit: int, tenant_id: int
) -> list[Row]:
    direction = "ASC" if backwards is state.descending else "DESC"
    sql = compose(
        _ROWS_OF_EACH if stretch.each else _ROWS,
        id=stretch.id,
        value=stretch.value or Sql("NULL"),
        tables=stretch.tables,
        table=state.listing.table,
        own=state.listing.id,
        alias=Sql(state.listing.alias),
        present=state.scope(tenant_id),
        conditions=_and([*(one for one in state.conditions if one not in stretch.implied), stretch.condition, ahead]),
        order=_ordered(stretch.keys, direction),
        last=_ordered(stretch.keys[-1:], direction),
        limit=Sql.value(limit),
    )
    with connection.cursor() as cursor:
        cursor.execute(sql.text, sql.params)
        return cursor.fetchall()


def _ordered(keys: Sequence[Sql], direction: str) -> Sql:
    return Sql.join(", ", [compose(f"{{key}} {direction}", key=key) for key in keys])


def _all_of(conditions: Sequence[Sql]) -> Sql:
    return Sql.join(" AND ", conditions)


def _and(conditions: Sequence[Sql]) -> Sql:
    return Sql.join("", [compose(" AND {one}", one=one) for one in conditions])


def things_of(listing: Listing, rows: Sequence[Row], columns: Sequence[Column]) -> list[Thing]:
    fields = {name for column in columns for name in column.loads}
    people = sorted(fields & {"csm", "ae"})
    things = listing.model.objects.filter(pk__in=[id for id, _value in rows])
    things = things.select_related(*people) if people else things
    found = {thing.pk: thing for thing in things.only("tenant_id", *fields, *(f"{p}__name" for p in people))}
    return [found[id] for id, _value in rows if id in found]


def matching(state: TableState, tenant_id: int) -> Sql:
    """All that the list holds, in no order."""
    scope, conditions = state.scope(tenant_id), _and(state.conditions)
    return compose(_MATCHING, table=state.listing.table, present=scope, conditions=conditions)


def load_totals(state: TableState, *, tenant_id: int, exact: bool = False) -> Totals:
    sql = compose(
        _TOTALS,
        summed=Sql(state.listing.summed),
        rows=matching(state, tenant_id),
        limit=Sql.value(None if exact else COUNT_LIMIT + 1),
    )
    with connection.cursor() as cursor:
        cursor.execute(sql.text, sql.params)
        count, mrr_cents = cursor.fetchone()
    if not exact and count > COUNT_LIMIT:
        return Totals(COUNT_LIMIT, None, capped=True)
    return Totals(count, None if mrr_cents is None else mrr_cents * MONTHS_IN_A_YEAR, capped=False)
