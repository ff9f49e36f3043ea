"""Why, and why not: every condition of an audience for one account or one user, as the database judged it.

The row holds one boolean and one current value per condition; groups are read off those booleans, so that nothing is
judged a second time by other means. `*_statement` and `read_*` agree on the order of columns by `leaves` and `_nodes`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from accounts.rules.compile import Audience, live_users, subject_id, tree, verdict_of_one
from accounts.rules.describe import (
    People,
    counted,
    describe,
    describe_audience,
    describe_leaf,
    describe_lifecycles,
    format_value,
)
from accounts.rules.fields import Column, Field, FieldType
from accounts.rules.grammar import Group, Leaf, Mode, Node, Rule, leaves
from accounts.rules.sql import Clock, Sql, compose

Row = Sequence[Any]


@dataclass(frozen=True, slots=True)
class Explained:
    """One line of the answer; `children` are the lines below it, joined by `mode`."""

    sentence: str
    holds: bool
    value: str = ""
    mode: Mode | None = None
    children: tuple[Explained, ...] = ()
    is_gate: bool = False  # asked of everybody, before the conditions of the rules

    @property
    def telling(self) -> Explained | None:
        """The first condition that is met and has a value: what sets this match apart, in a word."""
        if not self.holds or self.is_gate:
            return None
        if self.value:
            return self
        return next((found for child in self.children if (found := child.telling)), None)


def account_statement(audience: Audience, *, account_id: int, tenant_id: int, clock: Clock) -> Sql:
    """One row: archived, lifecycle, verdict and value per account condition; then users per node of their tree."""
    columns = _account_columns(audience, tenant_id, clock)
    return _of_accounts(audience, columns, [account_id], tenant_id, clock)


def accounts_statement(audience: Audience, *, account_ids: Sequence[int], tenant_id: int, clock: Clock) -> Sql:
    """A row for each of a few accounts: its id, then what `account_statement` says of it."""
    columns = [Sql("a.id"), *_account_columns(audience, tenant_id, clock)]
    return _of_accounts(audience, columns, account_ids, tenant_id, clock)


def user_statement(audience: Audience, *, account_id: int, end_user_id: int, tenant_id: int, clock: Clock) -> Sql:
    """One row: account archived, lifecycle, user archived, then verdict and value per condition of both trees."""
    return _of_users(_user_columns(audience, tenant_id, clock), [(account_id, end_user_id)], tenant_id)


def users_statement(audience: Audience, *, ties: Sequence[tuple[int, int]], tenant_id: int, clock: Clock) -> Sql:
    """A row for each of a few users at an account: both ids, then what `user_statement` says."""
    columns = [Sql("au.account_id, au.end_user_id"), *_user_columns(audience, tenant_id, clock)]
    return _of_users(columns, ties, tenant_id)


def read_account(audience: Audience, row: Row, *, clock: Clock, people: People | None = None) -> Explained:
    """The row of `account_statement` as lines to read."""
    cells = iter(row)
    parts = [*_read_gates(audience, cells), *_read_tree(audience.account, cells, clock, people or {})]
    if audience.user:
        total, *satisfied = cells
        parts.append(_read_counts(audience.user, total, satisfied, people or {}))
    return _all(audience, parts, people)


def read_user(audience: Audience, row: Row, *, clock: Clock, people: People | None = None) -> Explained:
    """The row of `user_statement` as lines to read."""
    cells = iter(row)
    parts = _read_gates(audience, cells)
    if next(cells):
        parts.append(Explained("User is not archived", False, "archived"))
    for rule in (audience.account, audience.user):
        parts += _read_tree(rule, cells, clock, people or {})
    return _all(audience, parts, people)


# Statements ----------------------------------------------------------------------------------------------------------

_GATES = Sql("a.archived_at IS NOT NULL, a.lifecycle")


def _account_columns(audience: Audience, tenant_id: int, clock: Clock) -> list[Sql]:
    columns = [_GATES, *_judged(audience.account, tenant_id, clock)]
    return [*columns, Sql("users.*")] if audience.user else columns


def _of_accounts(
    audience: Audience, columns: Sequence[Sql], account_ids: Sequence[int], tenant_id: int, clock: Clock
) -> Sql:
    users = Sql("")
    if audience.user:
        counts = _user_counts(audience.user, tenant_id, clock)
        users = compose(" CROSS JOIN LATERAL ({counts}) users", counts=counts)
    return compose(
        "SELECT {columns} FROM accounts_account a{users} WHERE a.tenant_id = {tenant} AND a.id IN ({accounts})",
        columns=Sql.join(", ", columns),
        users=users,
        tenant=_integer(tenant_id),
        accounts=Sql.join(", ", [_integer(one) for one in account_ids]),
    )


def _user_columns(audience: Audience, tenant_id: int, clock: Clock) -> list[Sql]:
    judged = [*_judged(audience.account, tenant_id, clock), *_judged(audience.user, tenant_id, clock)]
    return [_GATES, Sql("u.archived_at IS NOT NULL"), *judged]


def _of_users(columns: Sequence[Sql], ties: Sequence[tuple[int, int]], tenant_id: int) -> Sql:
    return compose(
        "SELECT {columns} FROM accounts_accountuser au"
        " JOIN accounts_enduser u ON u.id = au.end_user_id AND u.tenant_id = {tenant}"
        " JOIN accounts_account a ON a.id = au.account_id AND a.tenant_id = {tenant}"
        " WHERE au.tenant_id = {tenant} AND (au.account_id, au.end_user_id) IN ({ties})",
        columns=Sql.join(", ", columns),
        tenant=_integer(tenant_id),
        ties=Sql.join(", ", [Sql(f"({int(account)}, {int(user)})") for account, user in ties]),
    )


def _integer(value: int) -> Sql:
    return Sql(str(int(value)))


def _judged(rule: Rule | None, tenant_id: int, clock: Clock) -> Iterator[Sql]:
    for leaf in leaves(rule) if rule else ():
        yield verdict_of_one(leaf, tenant_id=tenant_id, clock=clock)
        yield _current(leaf, tenant_id, clock)


def _current(leaf: Leaf, tenant_id: int, clock: Clock) -> Sql:
    source = leaf.field.source
    if isinstance(source, Column):
        return source.expression
    return source.current(leaf, subject_id(leaf), tenant_id=tenant_id, clock=clock) or Sql("NULL")


def _user_counts(rule: Rule, tenant_id: int, clock: Clock) -> Sql:
    nodes = [
        tree(node, lambda leaf: verdict_of_one(leaf, tenant_id=tenant_id, clock=clock)) for node in _nodes(rule.root)
    ]
    counts = [compose("count(*) FILTER (WHERE {node})", node=node) for node in nodes]
    return compose(
        "SELECT {counts} FROM {users} WHERE au.tenant_id = {tenant} AND au.account_id = a.id",
        counts=Sql.join(", ", [Sql("count(*)"), *counts]),
        users=live_users(tenant_id),
        tenant=_integer(tenant_id),
    )


def _nodes(node: Node) -> Iterator[Node]:
    yield node
    for child in node.children if isinstance(node, Group) else ():
        yield from _nodes(child)


# Reading -------------------------------------------------------------------------------------------------------------


def _read_gates(audience: Audience, cells: Iterator[Any]) -> list[Explained]:
    archived, lifecycle = next(cells), next(cells)
    lines = [Explained("Account is not archived", False, "archived", is_gate=True)] if archived else []
    if audience.lifecycles is not None:
        sentence = describe_lifecycles(audience.lifecycles)
        lines.append(Explained(sentence, lifecycle in audience.lifecycles, lifecycle, is_gate=True))
    return lines


def _read_tree(rule: Rule | None, cells: Iterator[Any], clock: Clock, people: People) -> list[Explained]:
    return [_read_node(rule.root, cells, clock, people)] if rule else []


def _read_node(node: Node, cells: Iterator[Any], clock: Clock, people: People) -> Explained:
    if isinstance(node, Leaf):
        holds, value = next(cells), next(cells)
        return Explained(describe_leaf(node, people=people), holds, _shown(value, node.field, clock, people))
    children = tuple(_read_node(child, cells, clock, people) for child in node.children)
    verdict = (all if node.mode is Mode.ALL else any)(child.holds for child in children)
    return Explained(describe(node, people=people), verdict, "", node.mode, children)


def _read_counts(rule: Rule, total: int, satisfied: list[int], people: People) -> Explained:
    counts = iter(satisfied)
    whole = _read_count(rule.root, total, counts, people)
    sentence = f"At least one user: {whole.sentence[:1].lower()}{whole.sentence[1:]}"
    return Explained(sentence, whole.holds, whole.value, whole.mode, whole.children)


def _read_count(node: Node, total: int, counts: Iterator[int], people: People) -> Explained:
    count = next(counts)
    value = f"{count:,} of {counted(total, 'user')}"
    if isinstance(node, Leaf):
        return Explained(describe_leaf(node, people=people), count > 0, value)
    children = tuple(_read_count(child, total, counts, people) for child in node.children)
    return Explained(describe(node, people=people), count > 0, value, node.mode, children)


_WITHOUT_VALUE = {FieldType.EVENT: "never", FieldType.INDICATOR: "", FieldType.STATE: "", FieldType.SEGMENT: ""}


def _shown(value: Any, field: Field, clock: Clock, people: People) -> str:
    if value is None and field.type in _WITHOUT_VALUE:
        return _WITHOUT_VALUE[field.type]
    local = value.astimezone(clock.timezone) if isinstance(value, datetime) else value
    return format_value(local, field, people=people)


def _all(audience: Audience, parts: Sequence[Explained], people: People | None) -> Explained:
    return Explained(
        str(describe_audience(audience, people=people)), all(part.holds for part in parts), "", Mode.ALL, tuple(parts)
    )
