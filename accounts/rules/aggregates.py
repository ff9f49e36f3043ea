"""Fields worked out from rows of other tables: one value per account or user, of any type a column could have."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

from accounts.rules.fields import Subject
from accounts.rules.grammar import Leaf
from accounts.rules.operators import condition
from accounts.rules.sql import Clock, Sql, compose

_OWNERS = {Subject.ACCOUNT: "accounts_account", Subject.USER: "accounts_enduser"}


@dataclass(frozen=True, slots=True)
class Aggregate:
    """`rows` is SELECT id, value … GROUP BY id; it may name `{tenant}`, `{today}` and the names bound in `values`.

    `missing` is the value of a subject without rows, such as 0 for a count; None leaves it without a value.
    """

    rows: str
    subject: Subject
    values: tuple[tuple[str, Any], ...] = ()
    missing: Any = None

    def hits(self, leaf: Leaf, *, tenant_id: int, clock: Clock) -> Sql:
        holds = condition(leaf.operator, Sql("s.value"), leaf.values, type=leaf.field.type, clock=clock)
        rows = self.rows_of(tenant_id, clock.today)
        if self.missing is not None:
            rows = self._of_everyone(rows, tenant_id)
        return compose("SELECT s.id FROM ({rows}) s (id, value) WHERE {holds}", rows=rows, holds=holds)

    def current(self, leaf: Leaf, subject_id: Sql, *, tenant_id: int, clock: Clock) -> Sql | None:
        return compose(
            "coalesce((SELECT s.value FROM ({rows}) s (id, value) WHERE s.id = {subject}), {missing})",
            rows=self.rows_of(tenant_id, clock.today),
            subject=subject_id,
            missing=Sql.value(self.missing),
        )

    def _of_everyone(self, rows: Sql, tenant_id: int) -> Sql:
        return compose(
            "SELECT o.id, coalesce(r.value, {missing}) FROM {owners} o LEFT JOIN ({rows}) r (id, value) ON r.id = o.id"
            " WHERE o.tenant_id = {tenant}",
            missing=Sql.value(self.missing),
            owners=Sql(_OWNERS[self.subject]),
            rows=rows,
            tenant=Sql(str(int(tenant_id))),
        )

    def rows_of(self, tenant_id: int, today: date) -> Sql:
        """SELECT id, value."""
        bound = {name: Sql.value(value) for name, value in self.values}
        return compose(self.rows, tenant=Sql(str(int(tenant_id))), today=Sql.value(today), **bound)
