"""Fields whose facts live in this app's other tables. Upper layers write their own sources in the same shape."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from accounts.rules.aggregates import Aggregate
from accounts.rules.fields import Field, FieldType, Subject
from accounts.rules.grammar import Leaf
from accounts.rules.operators import Form, arguments, condition
from accounts.rules.sql import Clock, Sql, compose


@dataclass(frozen=True, slots=True)
class EventRelation:
    """Daily counts of one event. A user's count is over all accounts of the user."""

    event_type_id: int
    subject: Subject

    def hits(self, leaf: Leaf, *, tenant_id: int, clock: Clock) -> Sql:
        tail = condition(leaf.operator, Sql(""), leaf.values, type=leaf.field.type, clock=clock)
        return compose(
            "SELECT {id} FROM {counts} AND {id} IS NOT NULL AND {tail}",
            id=self._id,
            counts=self._counts(tenant_id),
            tail=tail,
        )

    def current(self, leaf: Leaf, subject_id: Sql, *, tenant_id: int, clock: Clock) -> Sql | None:
        values = arguments(leaf.operator, leaf.values, type=leaf.field.type, clock=clock)
        counted = leaf.operator.form is Form.COUNT_IN_DAYS
        shown = "coalesce(sum(e.count), 0)::bigint" if counted else "max(e.day)"
        since = compose(" AND e.day >= {0}", **values) if counted else Sql("")
        return compose(
            f"(SELECT {shown} FROM {{counts}} AND {{id}} = {{subject}} AND e.day <= {{1}}{{since}})",
            counts=self._counts(tenant_id),
            id=self._id,
            subject=subject_id,
            since=since,
            **values,
        )

    @property
    def _id(self) -> Sql:
        return Sql("e.account_id" if self.subject is Subject.ACCOUNT else "e.end_user_id")

    def _counts(self, tenant_id: int) -> Sql:
        return Sql(
            f"accounts_eventcount e WHERE e.tenant_id = {int(tenant_id)}"
            f" AND e.event_type_id = {int(self.event_type_id)}"
        )


@dataclass(frozen=True, slots=True)
class EventFields:
    """`event:<name>` for every event the workspace has received."""

    types: tuple[tuple[int, str], ...]

    def fields(self, subject: Subject) -> Iterable[Field]:
        return (self._field(subject, id, name) for id, name in self.types)

    def find(self, subject: Subject, key: str) -> Field | None:
        prefix, _, wanted = key.partition(":")
        if prefix != "event":
            return None
        return next((self._field(subject, id, name) for id, name in self.types if name == wanted), None)

    def _field(self, subject: Subject, id: int, name: str) -> Field:
        return Field(f"event:{name}", name, FieldType.EVENT, subject, EventRelation(id, subject), group="Events")


@dataclass(frozen=True, slots=True)
class IndicatorRelation:
    title: str

    def hits(self, leaf: Leaf, *, tenant_id: int, clock: Clock) -> Sql:
        state = condition(leaf.operator, Sql(""), leaf.values, type=leaf.field.type, clock=clock)
        return compose(
            "SELECT i.account_id FROM accounts_indicator i"
            " WHERE i.tenant_id = {tenant} AND i.title = {title} AND {state}",
            tenant=Sql(str(int(tenant_id))),
            title=Sql.value(self.title),
            state=state,
        )

    def current(self, leaf: Leaf, subject_id: Sql, *, tenant_id: int, clock: Clock) -> Sql | None:
        return None


@dataclass(frozen=True, slots=True)
class IndicatorFields:
    """`indicator:<title>` on accounts. Any title is known: a rule may wait for one that nobody has raised yet."""

    titles: Iterable[str] = ()

    def fields(self, subject: Subject) -> Iterable[Field]:
        return (self._field(title) for title in self.titles if subject is Subject.ACCOUNT)

    def find(self, subject: Subject, key: str) -> Field | None:
        prefix, _, title = key.partition(":")
        return self._field(title) if prefix == "indicator" and title and subject is Subject.ACCOUNT else None

    def _field(self, title: str) -> Field:
        return Field(
            f"indicator:{title}",
            title,
            FieldType.INDICATOR,
            Subject.ACCOUNT,
            IndicatorRelation(title),
            group="Indicators",
        )


_HELD = """
    SELECT k.account_id, k.member_id FROM accounts_accountrole k WHERE k.tenant_id = {tenant} AND k.role_id = {role}
"""


@dataclass(frozen=True, slots=True)
class KeyRoleFields:
    """`role:<key>` on accounts, for the roles of the workspace's own. An archived one is known and not offered."""

    roles: tuple[tuple[int, str, str, bool], ...]  # id, key, name, whether it is archived

    def fields(self, subject: Subject) -> Iterable[Field]:
        offered = (one for one in self.roles if subject is Subject.ACCOUNT and not one[-1])
        return (self._field(id, key, name) for id, key, name, _ in offered)

    def find(self, subject: Subject, key: str) -> Field | None:
        prefix, _, wanted = key.partition(":")
        if prefix != "role" or subject is not Subject.ACCOUNT:
            return None
        return next((self._field(id, known, name) for id, known, name, _ in self.roles if known == wanted), None)

    def _field(self, id: int, key: str, name: str) -> Field:
        held = Aggregate(_HELD, Subject.ACCOUNT, (("role", id),))
        return Field(f"role:{key}", name, FieldType.PERSON, Subject.ACCOUNT, held, group="Key roles")


_PARENT = """
    SELECT c.id, p.name FROM accounts_account c
    JOIN accounts_account p ON p.tenant_id = c.tenant_id AND p.id = c.parent_id
    WHERE c.tenant_id = {tenant} AND p.archived_at IS NULL
"""
_CHILDREN = """
    SELECT c.parent_id, count(*) FROM accounts_account c
    WHERE c.tenant_id = {tenant} AND c.parent_id IS NOT NULL AND c.archived_at IS NULL GROUP BY 1
"""


class FamilyFields:
    """`parent`, the name of the account above, and `children`, the number of those below."""

    def fields(self, subject: Subject) -> Iterable[Field]:
        return (field for field in _FAMILY if field.subject is subject)

    def find(self, subject: Subject, key: str) -> Field | None:
        return next((field for field in self.fields(subject) if field.key == key), None)


_FAMILY = (
    Field(
        "parent",
        "Parent account",
        FieldType.TEXT,
        Subject.ACCOUNT,
        Aggregate(_PARENT, Subject.ACCOUNT),
        group="Company",
    ),
    Field(
        "children",
        "Number of child accounts",
        FieldType.NUMBER,
        Subject.ACCOUNT,
        Aggregate(_CHILDREN, Subject.ACCOUNT, missing=0),
        group="Company",
    ),
)
