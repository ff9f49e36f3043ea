"""A column for every value that rules can ask about and no other source shows: scores, key roles, the family, NPS.

They lie in other tables, so a page asks for its own rows only; sorting reads all that have a value.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import partial
from typing import Any

from accounts.fields import counted_fields
from accounts.rules.aggregates import Aggregate
from accounts.rules.fields import Field, FieldType, Subject
from accounts.rules.sql import Sql, compose
from accounts.table import cells
from accounts.table.built_in import EARLIEST, FIRST, LAST, LATEST, LEAST, MOST
from accounts.table.cells import Scored
from accounts.table.columns import Cells, Column, Sort, Walk, Writer
from accounts.trait_values import TraitValue
from cs_platform.common.statements import fetch
from cs_platform.tenancy.context import current_tenant_id

TABLES = {Subject.ACCOUNT: "accounts_account a", Subject.USER: "accounts_enduser u"}
HEALTH = "Health"
NET_SCORE = "nps"
_SORTS: Mapping[FieldType, tuple[type, str, str]] = {
    FieldType.NUMBER: (float, LEAST, MOST),
    FieldType.CURRENCY: (int, LEAST, MOST),
    FieldType.DATE: (date, EARLIEST, LATEST),
    FieldType.MOMENT: (datetime, EARLIEST, LATEST),
    FieldType.TEXT: (str, FIRST, LAST),
    FieldType.CHOICE: (str, FIRST, LAST),
    FieldType.PERSON: (str, FIRST, LAST),
}
_VALUED = "({rows}) p (id, value) JOIN {table} ON {alias}.tenant_id = {tenant} AND {alias}.id = p.id"
_WITHOUT = "NOT EXISTS (SELECT FROM ({rows}) r (id, value) WHERE r.id = {alias}.id AND r.value IS NOT NULL)"
_VALUE = "(SELECT v.value FROM ({rows}) v (id, value) WHERE v.id = s.id)"
_NAMED = """
SELECT r.id, m.name FROM ({rows}) r (id, value)
JOIN tenancy_membership m ON m.tenant_id = {tenant} AND m.id = r.value
"""


@dataclass
class FactColumns:
    subject: Subject
    today: date
    _by_column: dict[str, Field] = field(default_factory=dict)

    def columns(self) -> Sequence[Column]:
        return list(self._columns())

    def facets(self) -> Sequence[Any]:
        return ()

    def cells(self, columns: Sequence[Column], things: Sequence[Any], *, now: datetime, here: str) -> Cells:
        """One query for the page: each value is asked of its rows alone."""
        shown = [(column.key, self._by_column[column.key]) for column in columns]
        values = [compose(_VALUE, rows=self._rows(one)) for _key, one in shown]
        query = compose(
            "SELECT s.id, {values} FROM unnest({ids}::bigint[]) s (id)",
            values=Sql.join(", ", values),
            ids=Sql("%s", ([thing.pk for thing in things],)),
        )
        return {
            (id, key): _shown(one, found)
            for id, *row in fetch(query.text, query.params)
            for (key, one), found in zip(shown, row, strict=True)
        }

    def _columns(self) -> Iterator[Column]:
        for one in counted_fields(self.subject):
            if one.type in _SORTS:
                self._by_column[one.key] = one
                yield self._column(one)

    def _column(self, one: Field) -> Column:
        is_number = one.type in (FieldType.NUMBER, FieldType.CURRENCY)
        return Column(
            one.key,
            one.label,
            _writer(one),
            icon="heart-pulse" if one.group == HEALTH else "",
            group=one.group,
            classes="right" if is_number and one.group != HEALTH else "",
            sorts=(self._sort(one),),
            usual=False,
            without="Not known",
            shared=True,
        )

    def _sort(self, one: Field) -> Sort:
        kind, ascending, descending = _SORTS[one.type]
        counts = isinstance(one.source, Aggregate) and one.source.missing == 0
        walk = partial(self._walk, one)
        return Sort(one.key, Sql("p.value"), kind, ascending, descending, absent_is_least=counts, walk=walk)

    def _walk(self, one: Field) -> Walk:
        alias = TABLES[self.subject].rpartition(" ")[2]
        parts = {
            "rows": self._rows(one),
            "table": Sql(TABLES[self.subject]),
            "alias": Sql(alias),
            "tenant": Sql.value(current_tenant_id()),
        }
        return Walk(
            compose(_VALUED, **parts),
            absent=compose(_WITHOUT, **parts),
            condition=Sql("p.value IS NOT NULL"),
            id=Sql("p.id"),
        )

    def _rows(self, one: Field) -> Sql:
        """SELECT id, value; people by their names."""
        assert isinstance(one.source, Aggregate), "counted_fields() has no others."
        tenant_id = current_tenant_id()
        rows = one.source.rows_of(tenant_id, self.today)
        return compose(_NAMED, rows=rows, tenant=Sql.value(tenant_id)) if one.type is FieldType.PERSON else rows


def _writer(one: Field) -> Writer:
    if one.group == HEALTH:
        return cells.health
    if one.key == NET_SCORE:
        return cells.net_score
    return cells.person if one.type is FieldType.PERSON else cells.trait


def _shown(one: Field, value: Any) -> Any:
    """As its cell takes it. A count that has no rows is 0."""
    if value is None and isinstance(one.source, Aggregate):
        value = one.source.missing
    if value is None or one.type is FieldType.PERSON:
        return value
    if one.group == HEALTH:
        return Scored(value)
    label = dict(one.choices).get(value, value) if one.choices else value
    return TraitValue(one.type.value, int(label) if isinstance(label, float) and label.is_integer() else label)
