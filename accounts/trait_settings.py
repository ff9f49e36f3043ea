"""Changing what a trait is: its name, its choices, its type, the column it feeds. Values follow in one statement.

Of a new type every distinct value is tried once; what does not fit is shown first and cleared with its line in the
history. All values of a workspace are rewritten at once, so it takes the longer limit of a statement.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import connection
from django.db.models import QuerySet
from django.db.models.expressions import RawSQL

from accounts.changes import TRAIT
from accounts.definitions import change_written_down
from accounts.fast_traits import REWRITE_MINUTES, make_fast, make_slow, mend
from accounts.ingest.definitions import ACCOUNT, COLUMN_TYPES, DEFAULT_COLUMNS
from accounts.models import TraitDefinition
from accounts.models.slots import slot_names
from accounts.models.traits import COLUMN_WORDS, SLOT_FAMILY, TraitType
from accounts.traits import TABLES, TraitValueError, mirror_expression, typed_value
from cs_platform.common.statements import fetch
from cs_platform.tenancy.context import current_tenant_id
from cs_platform.tenancy.models import Doer, Tenant

LABEL_LIMIT, DESCRIPTION_LIMIT, CHOICES_LIMIT = 100, 1_000, 200
COUNTED = 1_000  # "where used" says "1,000+" beyond
DISTINCT_LIMIT = 5_000
MAPPABLE = tuple(column for column in dict.fromkeys(DEFAULT_COLUMNS.values()) if column in COLUMN_TYPES)


class CannotChange(ValueError):
    """The text says why, and what to do first."""


# --- names and choices ------------------------------------------------------------------------------------------------


def describe_trait(
    definition: TraitDefinition, *, label: str, description: str, choices: Sequence[str], by: Doer, now: datetime
) -> None:
    label = " ".join(label.split())
    if not label or len(label) > LABEL_LIMIT:
        raise CannotChange(f"Give it a name of 1 to {LABEL_LIMIT} characters.")
    if choices and definition.type != TraitType.CHOICE:
        raise CannotChange("Only a single choice has choices.")
    if len(choices) > CHOICES_LIMIT:
        raise CannotChange(f"A trait can have {CHOICES_LIMIT} choices.")
    with change_written_down(definition, by=by, now=now):
        definition.label, definition.description = label, description
        definition.choices = list(dict.fromkeys(choices))
        definition.save(update_fields=["label", "description", "choices"])


def archive_trait(definition: TraitDefinition, *, by: Doer, now: datetime) -> bool:
    """It leaves pages and pickers. Values are kept, and integrations go on filling it."""
    with change_written_down(definition, by=by, now=now):
        return bool(TraitDefinition.objects.filter(pk=definition.pk, archived_at=None).update(archived_at=now))


def restore_trait(definition: TraitDefinition, *, by: Doer, now: datetime) -> bool:
    with change_written_down(definition, by=by, now=now):
        return bool(TraitDefinition.objects.filter(pk=definition.pk).exclude(archived_at=None).update(archived_at=None))


def set_fast(definition: TraitDefinition, *, fast: bool, by: Doer, now: datetime) -> None:
    """Raises CannotBeFast."""
    with change_written_down(definition, by=by, now=now):
        if fast:
            make_fast(definition)
            mend(definition)
        else:
            make_slow(definition)


# --- where it is used -------------------------------------------------------------------------------------------------


def usage_of(definitions: Sequence[TraitDefinition]) -> dict[int, int]:
    """How many accounts or users have a value, counted as far as COUNTED."""
    found: dict[int, int] = {}
    for scope in TraitDefinition.Scope.values:
        mine = {one.key: one.pk for one in definitions if one.scope == scope}
        found |= {mine[key]: count for key, count in _counts(scope, list(mine)) if key in mine}
    return found


def _counts(scope: str, keys: Sequence[str]) -> Any:
    """One bounded look per key, in one statement."""
    return fetch(
        f"""
        SELECT k.key, (SELECT count(*) FROM (
            SELECT 1 FROM {TABLES[TraitDefinition.Scope(scope)]} t
            WHERE t.tenant_id = %(tenant)s AND jsonb_exists(t.traits, k.key) LIMIT %(limit)s
        ) found) FROM unnest(%(keys)s::text[]) k(key)
        """,
        {"tenant": current_tenant_id(), "keys": list(keys), "limit": COUNTED + 1},
    )


def listed(scope: str) -> QuerySet[TraitDefinition]:
    rows: QuerySet[TraitDefinition] = TraitDefinition.objects.filter(scope=scope)
    return rows.order_by("archived_at", "source", "label", "pk")


# --- another type -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Retyping:
    """What a new type would do. `refused` are the values it would clear: the commonest first, with its count."""

    type: str
    kept: int
    lost: int
    refused: Sequence[tuple[str, int, str]]
    values: Mapping[str, Any]  # the old value as JSON -> the new one


def preview_type(definition: TraitDefinition, type: str) -> Retyping:
    refuse_type(definition, type)
    as_new = TraitDefinition(type=type, choices=definition.choices if type == TraitType.CHOICE else [])
    values: dict[str, Any] = {}
    refused: list[tuple[str, int, str]] = []
    kept = 0
    for text, count in _distinct(definition):
        before = json.loads(text)
        try:
            values[text] = typed_value(as_new, _as_typed(definition, before))
            kept += count
        except TraitValueError as refusal:
            values[text] = None
            refused.append((_as_typed(definition, before)[:60], count, str(refusal)))
    lost = sum(count for _, count, _ in refused)
    return Retyping(type, kept, lost, sorted(refused, key=lambda one: -one[1]), values)


def change_type(definition: TraitDefinition, type: str, *, by: Doer, now: datetime) -> Retyping:
    """Values, slot and definition together; what is cleared is in the history of each account or user."""
    with change_written_down(definition, by=by, now=now):
        locked = TraitDefinition.objects.select_for_update().get(pk=definition.pk)
        retyping = preview_type(locked, type)
        slot = _free_slot(locked.scope, type, but=locked)
        _rewrite(locked, type, slot, retyping.values, by=by, now=now)
        choices = locked.choices if type == TraitType.CHOICE else []
        TraitDefinition.objects.filter(pk=locked.pk).update(type=type, slot=slot, choices=choices)
    return retyping


def refuse_type(definition: TraitDefinition, type: str) -> None:
    if type not in TraitType.values or type == definition.type:
        raise CannotChange("Choose another type.")
    if definition.column:
        raise CannotChange("It feeds a built-in field, which has its type. Take it off that field first.")
    if definition.is_fast:
        raise CannotChange("It is fast: its place has its type. Make it slow first.")
    if TraitType.PERSON in (type, definition.type):
        raise CannotChange("Team members cannot be made of other values, nor other values of them.")


def _distinct(definition: TraitDefinition) -> list[tuple[str, int]]:
    rows = fetch(
        f"SELECT (t.traits -> %(key)s)::text, count(*) FROM {_table(definition)} t "
        "WHERE t.tenant_id = %(tenant)s AND jsonb_exists(t.traits, %(key)s) GROUP BY 1 LIMIT %(limit)s",
        {"key": definition.key, "tenant": current_tenant_id(), "limit": DISTINCT_LIMIT + 1},
    )
    if len(rows) > DISTINCT_LIMIT:
        raise CannotChange(f"It has more than {DISTINCT_LIMIT:,} different values. Define a new trait instead.")
    return [(text, count) for text, count in rows]


def _as_typed(definition: TraitDefinition, value: Any) -> str:
    """As a person would type the value."""
    if definition.type == TraitType.CURRENCY and isinstance(value, int):
        return f"{Decimal(value) / 100:.2f}".removesuffix(".00")
    if isinstance(value, bool):
        return "true" if value else "false"
    return ", ".join(value) if isinstance(value, list) else str(value)


def _free_slot(scope: str, type: str, *, but: TraitDefinition) -> str | None:
    others = TraitDefinition.objects.filter(scope=scope).exclude(pk=but.pk)
    taken = set(others.values_list("slot", flat=True))
    if SLOT_FAMILY[type] == SLOT_FAMILY[but.type] and but.slot:
        return but.slot
    return next((name for name in slot_names(SLOT_FAMILY[type]) if name not in taken), None)


def _rewrite(
    definition: TraitDefinition, type: str, slot: str | None, values: Mapping[str, Any], *, by: Doer, now: datetime
) -> None:
    subject = "account_id" if definition.scope == TraitDefinition.Scope.ACCOUNT else "end_user_id"
    mirrors = {}
    if definition.slot and definition.slot != slot:
        mirrors[definition.slot] = "NULL"
    if slot:
        mirrors[slot] = mirror_expression(TraitDefinition(type=type, slot=slot), "m.after")
    sets = "".join(f", {column} = {value}" for column, value in mirrors.items())
    pairs = [{"before": json.loads(before), "after": after} for before, after in values.items()]
    _patiently(
        f"""
        WITH m AS (SELECT * FROM jsonb_to_recordset(%(pairs)s) AS m(before jsonb, after jsonb)),
        written AS (
            UPDATE {_table(definition)} t SET updated_at = %(now)s, traits = CASE WHEN m.after IS NULL
                THEN t.traits - %(key)s ELSE t.traits || jsonb_build_object(%(key)s::text, m.after) END{sets}
            FROM m WHERE t.tenant_id = %(tenant)s AND t.traits -> %(key)s = m.before
            RETURNING t.id, m.before, m.after
        )
        INSERT INTO accounts_traitchange (tenant_id, {subject}, field, at, actor, before, after)
        SELECT %(tenant)s, id, %(field)s, %(now)s, %(actor)s, before, after FROM written WHERE after IS NULL
        """,
        {
            "pairs": json.dumps(pairs),
            "key": definition.key,
            "tenant": current_tenant_id(),
            "now": now,
            "field": TRAIT + definition.key,
            "actor": by.actor,
        },
    )


# --- the built-in field it feeds --------------------------------------------------------------------------------------


def feed_column(definition: TraitDefinition, column: str, *, by: Doer, now: datetime) -> None:
    """The trait fills a built-in field of accounts from now on, at once; whoever fed it becomes an ordinary trait."""
    with change_written_down(definition, by=by, now=now):
        fellows = list(TraitDefinition.objects.filter(scope=ACCOUNT).order_by("pk").select_for_update())
        definition.refresh_from_db()
        refuse_column(definition, column)
        for fed in fellows:
            if fed.column == column and fed.pk != definition.pk:
                with change_written_down(fed, by=by, now=now):
                    _stop_feeding(fed)
        TraitDefinition.objects.filter(pk=definition.pk).update(column=column, slot=None, is_fast=False)
        definition.refresh_from_db()
        _name_feeder("column_traits || jsonb_build_object(%s::text, %s::text)", column, definition.key)
        value = mirror_expression(definition, "t.traits -> %(key)s")
        kept = f"COALESCE({value}, t.{column})" if column in ("name", "created_at") else value
        _patiently(
            f"UPDATE {_table(definition)} t SET {column} = {kept} WHERE t.tenant_id = %(tenant)s",
            {"key": definition.key, "tenant": current_tenant_id()},
        )


def stop_feeding(definition: TraitDefinition, *, by: Doer, now: datetime) -> None:
    """The field keeps what it holds; the trait is an ordinary one again."""
    with change_written_down(definition, by=by, now=now):
        definition.refresh_from_db()
        if definition.column:
            _name_feeder("column_traits - %s::text", definition.column)
            _stop_feeding(definition)


def _stop_feeding(definition: TraitDefinition) -> None:
    slot = _free_slot(definition.scope, definition.type, but=definition)
    TraitDefinition.objects.filter(pk=definition.pk).update(column="", slot=slot)
    definition.column, definition.slot = "", slot
    if slot:
        value = mirror_expression(definition, "t.traits -> %(key)s")
        _patiently(
            f"UPDATE {_table(definition)} t SET {slot} = {value} WHERE t.tenant_id = %(tenant)s",
            {"key": definition.key, "tenant": current_tenant_id()},
        )


def refuse_column(definition: TraitDefinition, column: str) -> None:
    if definition.scope != ACCOUNT or column not in MAPPABLE:
        raise CannotChange("Choose one of the built-in fields of accounts.")
    if definition.column:
        raise CannotChange("It feeds a built-in field already.")
    if definition.type != COLUMN_TYPES[column]:
        wanted = COLUMN_TYPES[column].label
        raise CannotChange(f"This field is of the type “{wanted}”. Change the type of the trait first.")
    if Tenant.objects.values_list("column_traits", flat=True).get(pk=current_tenant_id()).get(column) == "":
        raise CannotChange("This field is decided by the workspace's own rules.")


def _name_feeder(expression: str, *params: str) -> None:
    Tenant.objects.filter(pk=current_tenant_id()).update(column_traits=RawSQL(expression, params))


# --- statements -------------------------------------------------------------------------------------------------------


def _table(definition: TraitDefinition) -> str:
    return TABLES[TraitDefinition.Scope(definition.scope)]


def _patiently(sql: str, params: Mapping[str, Any]) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('statement_timeout', %s, true)", [f"{REWRITE_MINUTES}min"])
        cursor.execute(sql, params)


# --- what can be chosen -----------------------------------------------------------------------------------------------


def types_for(definition: TraitDefinition) -> list[tuple[str, str]]:
    if definition.column or definition.is_fast or definition.type == TraitType.PERSON:
        return []
    return [(one.value, str(one.label)) for one in TraitType if one not in (definition.type, TraitType.PERSON)]


def columns_for(definition: TraitDefinition) -> list[tuple[str, str]]:
    """Built-in fields of its type, in words."""
    if definition.scope != ACCOUNT or definition.column:
        return []
    fitting = [column for column in MAPPABLE if COLUMN_TYPES[column] == definition.type]
    return [(column, column_words(column)) for column in fitting]


def column_words(column: str) -> str:
    return COLUMN_WORDS.get(column, column)
