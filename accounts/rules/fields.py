"""What a rule can ask about. This module alone knows in which column, slot or jsonb expression a value lives."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING, Any, Protocol

from accounts.rules.sql import Clock, Sql, compose

if TYPE_CHECKING:
    from accounts.rules.grammar import Leaf


class Subject(Enum):
    ACCOUNT = "account"
    USER = "user"


class FieldType(Enum):
    TEXT = "text"
    NUMBER = "number"
    CURRENCY = "currency"
    BOOLEAN = "boolean"
    DATE = "date"
    MOMENT = "moment"
    CHOICE = "choice"
    LIST = "list"
    URL = "url"
    PERSON = "person"
    EVENT = "event"
    INDICATOR = "indicator"
    SEGMENT = "segment"
    STATE = "state"


@dataclass(frozen=True, slots=True)
class Column:
    """A value in the subject's own row: aliases `a` (account), `u` (end user), `au` (the tie between them)."""

    sql: str
    params: tuple[Any, ...] = ()

    @property
    def expression(self) -> Sql:
        return Sql(self.sql, self.params)

    @property
    def plain(self) -> bool:
        """A column as it stands; other expressions cost enough to be worked out once."""
        return not self.params


class Relation(Protocol):
    """Facts in other tables. Implementations are frozen dataclasses, so that equal leaves are computed once."""

    def hits(self, leaf: Leaf, *, tenant_id: int, clock: Clock) -> Sql:
        """One-column SELECT: ids of the accounts (or end users) for which the *positive* form of the leaf holds."""

    def current(self, leaf: Leaf, subject_id: Sql, *, tenant_id: int, clock: Clock) -> Sql | None:
        """Scalar expression with one subject's value, shown beside the verdict; None when there is nothing to show."""


@dataclass(frozen=True, slots=True)
class Field:
    key: str
    label: str
    type: FieldType
    subject: Subject
    source: Column | Relation
    choices: tuple[tuple[str, str], ...] = ()
    group: str = "Details"


class FieldSource(Protocol):
    """How an upper layer adds fields. `fields` fills the picker; `find` may also know keys that are not listed."""

    def fields(self, subject: Subject) -> Iterable[Field]: ...

    def find(self, subject: Subject, key: str) -> Field | None: ...


class Definition(Protocol):
    """The part of a trait definition that is read here."""

    scope: str
    key: str
    label: str
    type: str
    slot: str | None
    column: str
    choices: Any


LIFECYCLES = (("subscribed", "Subscribed"), ("trialing", "Trialing"), ("churned", "Churned"), ("ignored", "Ignored"))


def _built_in(subject: Subject, key: str, label: str, type: FieldType, sql: str, **more: Any) -> Field:
    return Field(key, label, type, subject, Column(sql), **more)


BUILT_IN: tuple[Field, ...] = (
    _built_in(Subject.ACCOUNT, "name", "Name", FieldType.TEXT, "a.name"),
    _built_in(Subject.ACCOUNT, "external_id", "External ID", FieldType.TEXT, "a.external_id"),
    _built_in(Subject.ACCOUNT, "plan", "Plan", FieldType.TEXT, "a.plan"),
    _built_in(Subject.ACCOUNT, "lifecycle", "Lifecycle", FieldType.CHOICE, "a.lifecycle", choices=LIFECYCLES),
    _built_in(Subject.ACCOUNT, "mrr", "MRR", FieldType.CURRENCY, "a.mrr_cents"),
    _built_in(Subject.ACCOUNT, "renewal_on", "Renewal date", FieldType.DATE, "a.renewal_on"),
    _built_in(Subject.ACCOUNT, "trial_end_on", "Trial end", FieldType.DATE, "a.trial_end_on"),
    _built_in(Subject.ACCOUNT, "created_at", "Created", FieldType.MOMENT, "a.created_at"),
    _built_in(Subject.ACCOUNT, "csm", "CSM", FieldType.PERSON, "a.csm_id"),
    _built_in(Subject.ACCOUNT, "ae", "AE", FieldType.PERSON, "a.ae_id"),
    _built_in(Subject.ACCOUNT, "health", "Health", FieldType.NUMBER, "a.health"),
    _built_in(Subject.ACCOUNT, "last_seen_at", "Last seen", FieldType.MOMENT, "a.last_seen_at"),
    _built_in(Subject.ACCOUNT, "user_count", "Number of users", FieldType.NUMBER, "a.user_count"),
    _built_in(Subject.ACCOUNT, "known_cause_until", "Known cause until", FieldType.DATE, "a.known_cause_until"),
    _built_in(Subject.USER, "name", "Name", FieldType.TEXT, "u.name"),
    _built_in(Subject.USER, "email", "Email", FieldType.TEXT, "u.email"),
    _built_in(Subject.USER, "role", "Role", FieldType.TEXT, "au.role"),
    _built_in(Subject.USER, "last_seen_at", "Last seen", FieldType.MOMENT, "au.last_seen_at"),
    _built_in(Subject.USER, "created_at", "Created", FieldType.MOMENT, "u.created_at"),
    _built_in(Subject.USER, "is_key_contact", "Key contact", FieldType.BOOLEAN, "au.is_key_contact"),
)

# Columns that a trait may feed though no built-in field shows them.
_FED_ONLY: dict[tuple[Subject, str], tuple[FieldType, str]] = {
    (Subject.ACCOUNT, "timezone"): (FieldType.TEXT, "a.timezone")
}

_ALIAS = {Subject.ACCOUNT: "a", Subject.USER: "u"}
_SLOT_NAME = re.compile(r"[tnmdsbl]\d\d")

_AS_FLOAT = "CASE WHEN jsonb_typeof({v}) = 'number' AND pg_input_is_valid({t}, 'float8') THEN ({t})::float8 END"
_AS_INTEGER = "CASE WHEN jsonb_typeof({v}) = 'number' AND pg_input_is_valid({t}, 'bigint') THEN ({t})::bigint END"
_AS_MOMENT = "CASE WHEN length({t}) = 20 AND pg_input_is_valid({t}, 'timestamptz') THEN ({t})::timestamptz END"

# Traits are typed when they come in; the guards make sure that one odd value can never fail a whole night's statement.
# Text needs none: whatever is there reads as text.
_JSONB: dict[FieldType, str] = {
    FieldType.TEXT: "{t}",
    FieldType.CHOICE: "{t}",
    FieldType.URL: "{t}",
    FieldType.NUMBER: _AS_FLOAT,
    FieldType.CURRENCY: _AS_INTEGER,
    FieldType.PERSON: _AS_INTEGER,
    FieldType.BOOLEAN: "CASE {v} WHEN 'true'::jsonb THEN true WHEN 'false'::jsonb THEN false END",
    FieldType.DATE: "CASE WHEN length({t}) = 10 AND pg_input_is_valid({t}, 'date') THEN ({t})::date END",
    FieldType.MOMENT: _AS_MOMENT,
    FieldType.LIST: "ARRAY(SELECT jsonb_array_elements_text(CASE WHEN jsonb_typeof({v}) = 'array' THEN {v} END))",
}


@dataclass(frozen=True, slots=True)
class FieldSet:
    """Every field one workspace can use, per subject."""

    known: Mapping[tuple[Subject, str], Field]
    sources: tuple[FieldSource, ...] = ()

    @classmethod
    def of(cls, definitions: Iterable[Definition], extra_sources: Iterable[FieldSource] = ()) -> FieldSet:
        fields = [*BUILT_IN, *(_trait(definition) for definition in definitions)]
        return cls({(field.subject, field.key): field for field in fields}, tuple(extra_sources))

    def find(self, subject: Subject, key: str) -> Field | None:
        found = self.known.get((subject, key))
        if found:
            return found
        return next((field for source in self.sources if (field := source.find(subject, key))), None)

    def all(self, subject: Subject) -> list[Field]:
        """In the order of the picker: built-in, traits, then what the other layers add."""
        own = [field for field in self.known.values() if field.subject is subject]
        return own + [field for source in self.sources for field in source.fields(subject)]


def _trait(definition: Definition) -> Field:
    subject = Subject(definition.scope)
    shape = Field(
        key=f"trait:{definition.key}",
        label=definition.label or definition.key,
        type=FieldType(definition.type),
        subject=subject,
        source=Column(""),
        choices=_choices(definition.choices),
        group="Traits",
    )
    if definition.column:
        return _fed_column(shape, definition.column)
    return replace(shape, source=_stored(subject, shape.type, definition))


def _choices(choices: Any) -> tuple[tuple[str, str], ...]:
    return tuple((choice, choice) if isinstance(choice, str) else (choice[0], choice[1]) for choice in choices or ())


def _fed_column(shape: Field, column: str) -> Field:
    """The trait that feeds a built-in column *is* that column: it takes its type and its place."""
    if (shape.subject, column) in _FED_ONLY:
        type, sql = _FED_ONLY[shape.subject, column]
        return replace(shape, type=type, source=Column(sql))
    for field in BUILT_IN:
        if (
            field.subject is shape.subject
            and isinstance(field.source, Column)
            and field.source.sql.endswith(f".{column}")
        ):
            return replace(shape, type=field.type, source=field.source, choices=field.choices)
    raise ValueError(f"{shape.key} feeds the unknown column {column!r}.")


def _stored(subject: Subject, type: FieldType, definition: Definition) -> Column:
    alias = _ALIAS[subject]
    if not definition.slot:
        return _jsonb(alias, type, definition.key)
    if not _SLOT_NAME.fullmatch(definition.slot):
        raise ValueError(f"{definition.slot!r} is no slot.")
    return Column(f"{alias}.{definition.slot}")


def _jsonb(alias: str, type: FieldType, key: str) -> Column:
    value, text = (Sql(f"({alias}.traits {arrow} %s)", (key,)) for arrow in ("->", "->>"))
    typed = compose(_JSONB[type], v=value, t=text)
    return Column(typed.wrapped().text, typed.params)
