"""One trait's value: what is valid, in which column it is mirrored, who wrote it, and how a person sets it.

`traits` is the source of truth; a slot (or a fed built-in column) mirrors one key of it and is always written in the
same UPDATE. Everybody who writes traits in SQL takes the pieces from here, so that a mirror can never disagree.
"""

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any
from urllib.parse import urlsplit

from django.db import connection, transaction

from accounts.changes import TRAIT, Changed, of_subject, remember_changes
from accounts.models import Account, EndUser, TimelineEntry, TraitDefinition
from accounts.models.account import Lifecycle
from accounts.models.traits import SLOT_FAMILY, TraitType
from cs_platform.tenancy.context import current_tenant_id
from cs_platform.tenancy.models import Doer, Membership

TABLES = {TraitDefinition.Scope.ACCOUNT: "accounts_account", TraitDefinition.Scope.USER: "accounts_enduser"}
# The writer of values that carry no tag.
IMPORT = "import"
TEXT_LIMIT = 10_000
LIST_LIMIT = 500
_BIGINT = 2**63 - 1
_EXACT_INTEGER = 2**53


class TraitValueError(ValueError):
    """A value that does not fit its trait's type; the text says so to a person."""


class NotEditable(Exception):
    """The trait comes from an integration."""

    def __init__(self, definition: TraitDefinition) -> None:
        super().__init__(f"{definition.label} comes from an integration and cannot be edited here.")


# --- what is valid ----------------------------------------------------------------------------------------------------


def typed_value(definition: TraitDefinition, value: Any) -> Any:
    """The canonical JSON form of a value: JSON types pass if they fit, a string is read as a person types it.

    So 1250 and "12.50" are the same amount of money: numbers are cents, text is in units. None and "" mean not set.
    """
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    typed = _TYPED[TraitType(definition.type)](value)
    _refuse_unknown_choice(definition, typed)
    return typed


def _refuse_unknown_choice(definition: TraitDefinition, typed: Any) -> None:
    allowed = list(Lifecycle.values) if definition.column == "lifecycle" else choice_values(definition)
    if definition.type == TraitType.CHOICE and allowed and typed not in allowed:
        raise TraitValueError(f"“{typed}” is none of the choices: {', '.join(allowed)}.")


def refuse_empty(definition: TraitDefinition, value: Any) -> None:
    """A trait that feeds the account's name, or the day it began, always holds a value."""
    if value is None and feeds_required_column(definition):
        raise TraitValueError(f"{definition.label} is the account's {_COLUMN_WORDS[definition.column]}: enter a value.")


def feeds_required_column(definition: TraitDefinition) -> bool:
    return definition.column in _COLUMN_WORDS


# The fed columns that are never empty. An account without a lifecycle is subscribed, so that one may be cleared.
_COLUMN_WORDS = {"name": "name", "created_at": "first day"}


def choice_values(definition: TraitDefinition) -> list[str]:
    return [choice if isinstance(choice, str) else choice[0] for choice in definition.choices]


def _text(value: Any) -> str:
    if not isinstance(value, str) or "\x00" in value or len(value) > TEXT_LIMIT:
        raise TraitValueError(f"{_quoted(value)} is not a text of at most {TEXT_LIMIT:,} characters.")
    return value.strip()


def _number(value: Any) -> int | float:
    if isinstance(value, str):
        value = _decimal(value)
        value = int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise TraitValueError(f"{_quoted(value)} is not a number.")
    if abs(value) > _EXACT_INTEGER:
        raise TraitValueError(f"{_quoted(value)} is too large a number to be kept exactly.")
    return value


def _currency(value: Any) -> int:
    if isinstance(value, str):
        value = int((_decimal(value) * 100).to_integral_value())
    if isinstance(value, bool) or not isinstance(value, int) or abs(value) > _BIGINT:
        raise TraitValueError(f"{_quoted(value)} is not an amount of money.")
    return value


def _decimal(text: str) -> Decimal:
    try:
        number = Decimal(text.strip().lstrip("$€£").replace(",", "").replace(" ", ""))
    except InvalidOperation:
        raise TraitValueError(f"{_quoted(text)} is not a number.") from None
    if not number.is_finite() or abs(number) > _BIGINT:
        raise TraitValueError(f"{_quoted(text)} is not a number.")
    return number


def _boolean(value: Any) -> bool:
    typed = {"true": True, "yes": True, "false": False, "no": False}.get(str(value).strip().lower())
    if typed is None:
        raise TraitValueError(f"{_quoted(value)} is neither yes nor no.")
    return typed


def _date(value: Any) -> str:
    try:
        return date.fromisoformat(_text(value).partition("T")[0]).isoformat()
    except ValueError:
        raise TraitValueError(f"{_quoted(value)} is not a date such as 2026-09-22.") from None


def _moment(value: Any) -> str:
    try:
        moment = datetime.fromisoformat(_text(value))
    except ValueError:
        raise TraitValueError(f"{_quoted(value)} is not a date and time such as 2026-09-22T09:30:00Z.") from None
    return moment.replace(tzinfo=moment.tzinfo or UTC).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _list(value: Any) -> list[str]:
    items = value.split(",") if isinstance(value, str) else value
    if not isinstance(items, list) or len(items) > LIST_LIMIT:
        raise TraitValueError(f"{_quoted(value)} is not a list of at most {LIST_LIMIT} texts.")
    return list(dict.fromkeys(text for item in items if (text := _text(item))))


def _url(value: Any) -> str:
    text = _text(value)
    if urlsplit(text).scheme not in ("http", "https") or not urlsplit(text).netloc:
        raise TraitValueError(f"{_quoted(value)} is not a link that starts with https://.")
    return text


def _person(value: Any) -> int:
    if isinstance(value, bool) or not str(value).isdecimal():
        raise TraitValueError(f"{_quoted(value)} is not a team member.")
    return int(value)


def _quoted(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    return f"“{text[:60]}{'…' if len(text) > 60 else ''}”"


_TYPED: Mapping[TraitType, Callable[[Any], Any]] = {
    TraitType.TEXT: _text,
    TraitType.CHOICE: _text,
    TraitType.URL: _url,
    TraitType.NUMBER: _number,
    TraitType.CURRENCY: _currency,
    TraitType.PERSON: _person,
    TraitType.BOOLEAN: _boolean,
    TraitType.DATE: _date,
    TraitType.MOMENT: _moment,
    TraitType.LIST: _list,
}


# --- how it reads -----------------------------------------------------------------------------------------------------


def shown(value: Any, type: str = "") -> str:
    """A canonical value as a person reads it; `type` is the trait's."""
    if value is None:
        return "not set"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(value)
    if type == TraitType.CURRENCY:
        return f"{value / 100:,.2f}".removesuffix(".00")
    return f"{value:,}" if isinstance(value, int | float) else str(value)


# --- where it is mirrored (pieces of SQL) -----------------------------------------------------------------------------

_FROM_JSON = {
    "t": "({0}) #>> '{{}}'",
    "n": "(({0}) #>> '{{}}')::float8",
    "m": "(({0}) #>> '{{}}')::bigint",
    "d": "(({0}) #>> '{{}}')::date",
    "s": "(({0}) #>> '{{}}')::timestamptz",
    "b": "({0})::boolean",
    "l": "CASE WHEN ({0}) IS NOT NULL THEN ARRAY(SELECT jsonb_array_elements_text({0})) END",
}
_LIFECYCLES = ", ".join(f"'{value}'" for value in Lifecycle.values)
# The one fed column that is never empty: an account nobody knows better about is subscribed.
_LIFECYCLE = (
    f"CASE WHEN ({{0}}) #>> '{{{{}}}}' IN ({_LIFECYCLES}) THEN ({{0}}) #>> '{{{{}}}}' ELSE '{Lifecycle.SUBSCRIBED}' END"
)


def mirror_column(definition: TraitDefinition) -> str | None:
    """The column that mirrors a trait: the built-in one it feeds, else its slot, else none."""
    return definition.column or definition.slot or None


def mirror_expression(definition: TraitDefinition, value: str) -> str:
    """SQL of the mirror's value. `value` is the SQL of a canonical jsonb value, or of NULL when the trait is not set.

    It may be repeated in the result, so it holds no placeholders: name a column of a VALUES or unnest join.
    """
    template = _LIFECYCLE if definition.column == "lifecycle" else _FROM_JSON[SLOT_FAMILY[definition.type]]
    return template.format(value)


def mirror_assignment(definition: TraitDefinition, value: str) -> str:
    """`, t03 = …` to append to an UPDATE's SET list; nothing when the trait has no mirror."""
    column = mirror_column(definition)
    return f", {column} = {mirror_expression(definition, value)}" if column else ""


# Documents after writing one key. Document, key (text), value (jsonb or NULL) and writer (text) are SQL.
_VALUE_WRITTEN = "CASE WHEN {value} IS NULL THEN {doc} - {key} ELSE {doc} || jsonb_build_object({key}, {value}) END"
_UNTAGGED, _TAGGED = "{doc} - {key}", "{doc} || jsonb_build_object({key}, {writer})"
_WRITER_WRITTEN = f"CASE WHEN {{writer}} = '{IMPORT}' THEN {_UNTAGGED} ELSE {_TAGGED} END"


def write_assignments(
    definition: TraitDefinition, *, key: str, value: str, writer: str, mirror: str | None = None
) -> str:
    """The whole SET list for one trait of table `t`: document, writer's tag and mirror. All arguments are SQL.

    `mirror` is another jsonb value for the mirror: a fed column may have held one before its trait was ever set.
    """
    traits = _VALUE_WRITTEN.format(doc="t.traits", key=key, value=value)
    writers = _WRITER_WRITTEN.format(doc="t.trait_writers", key=key, writer=writer)
    return f"traits = {traits}, trait_writers = {writers}{mirror_assignment(definition, mirror or value)}"


# --- a person sets it -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Change:
    before: Any
    after: Any

    def __bool__(self) -> bool:
        return self.before != self.after


def set_trait(
    subject: Account | EndUser, definition: TraitDefinition, *, value: Any, by: Doer, now: datetime
) -> Change:
    """A person sets (or with None clears) a custom trait: value, writer and mirror in one UPDATE.

    Choosing the value that is already there still makes it the person's, so that no undo takes it away.
    """
    if definition.source != TraitDefinition.Source.CUSTOM:
        raise NotEditable(definition)
    if TABLES[TraitDefinition.Scope(definition.scope)] != subject._meta.db_table:
        raise TypeError(f"{definition} is a trait of the {definition.scope}.")
    after = typed_value(definition, value)
    refuse_empty(definition, after)
    _refuse_stranger(definition, after)
    with transaction.atomic():
        change = Change(_write(subject, definition, after, by.actor, now), after)
        if change:
            _tell(subject, definition, change, by.actor, now)
    _remember(subject, definition.key, after, by.actor)
    return change


def _refuse_stranger(definition: TraitDefinition, value: Any) -> None:
    if value is None or definition.type != TraitType.PERSON:
        return
    if not Membership.objects.in_tenant(current_tenant_id()).active().filter(pk=value).exists():
        raise TraitValueError(f"“{value}” is not an active member of this workspace.")


def _write(subject: Account | EndUser, definition: TraitDefinition, value: Any, writer: str, now: datetime) -> Any:
    assignments = write_assignments(definition, key="n.key", value="n.value", writer="n.writer")
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE {TABLES[TraitDefinition.Scope(definition.scope)]} t SET {assignments}, updated_at = n.at "
            "FROM (VALUES (%s::text, %s::jsonb, %s::text, %s::timestamptz)) AS n(key, value, writer, at) "
            "WHERE t.tenant_id = %s AND t.id = %s RETURNING (old.traits -> n.key)::text",
            [definition.key, _json(value), writer, now, subject.tenant_id, subject.pk],
        )
        (before,) = cursor.fetchone()
    return None if before is None else json.loads(before)


def _json(value: Any) -> str | None:
    return None if value is None else json.dumps(value)


def _remember(subject: Account | EndUser, key: str, value: Any, writer: str) -> None:
    subject.trait_writers[key] = writer
    if value is None:
        subject.traits.pop(key, None)
    else:
        subject.traits[key] = value


def _tell(subject: Account | EndUser, definition: TraitDefinition, change: Change, actor: str, now: datetime) -> None:
    """In the history; and one entry on the account, or on every account of the user."""
    changed = Changed(TRAIT + definition.key, change.before, change.after, actor, **of_subject(subject))
    remember_changes([changed], now=now)
    is_user = isinstance(subject, EndUser)
    entry = {
        "end_user_id": subject.pk if is_user else None,
        "at": now,
        "kind": "trait.changed",
        "actor": actor,
        "text": change_in_words(definition, change),
        "subject": f"trait:{definition.key}",
        "detail": {"key": definition.key, "before": change.before, "after": change.after},
    }
    accounts = subject.account_users.values_list("account_id", flat=True) if is_user else [subject.pk]
    TimelineEntry.objects.bulk_create([TimelineEntry(account_id=account_id, **entry) for account_id in accounts])


def change_in_words(definition: TraitDefinition, change: Change) -> str:
    before, after = (shown(value, definition.type) for value in (change.before, change.after))
    if change.before is None:
        return f"{definition.label} set to {after}"
    return f"{definition.label} changed from {before} to {after}"
