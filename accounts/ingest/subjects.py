"""Accounts and end users of a batch: found or made, locked, and written where they changed."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from django.db import connection

from accounts.ingest import history
from accounts.ingest.definitions import ACCOUNT, USER, Definitions
from accounts.ingest.gather import ROLE, UNSUBSCRIBED
from accounts.ingest.merge import Document, News, unsubscribed_since
from accounts.ingest.rows import as_json, whole_second
from accounts.models import TraitDefinition
from accounts.models.account import Lifecycle
from accounts.traits import TABLES, mirror_column, mirror_expression

# Columns that are never empty keep what they have when their trait is removed.
_NEVER_EMPTY = ("name", "created_at")
UNSUBSCRIBED_AT = "unsubscribed_at"


@dataclass(frozen=True, slots=True)
class Subjects:
    """What differs between the two tables."""

    scope: TraitDefinition.Scope
    # Columns of a row that is known by its id alone, and their SQL.
    bare: Mapping[str, str]
    # Columns beside the document that calls decide.
    also: tuple[str, ...] = ()

    @property
    def table(self) -> str:
        return TABLES[self.scope]


ACCOUNTS = Subjects(ACCOUNT, {"name": "s.external_id", "lifecycle": f"'{Lifecycle.SUBSCRIBED}'", "user_count": "0"})
USERS = Subjects(USER, {"name": "''"}, also=(UNSUBSCRIBED_AT,))


def ensure(subjects: Subjects, news: Mapping[str, News], *, tenant_id: int, now: datetime) -> dict[str, int]:
    """external id -> id of all that the batch mentions; who is missing is made, who was archived is back."""
    found = _found(subjects, list(news), tenant_id)
    _bring_back(subjects, found.values(), tenant_id, now)
    missing = {external_id: one for external_id, one in news.items() if external_id not in found}
    if missing:
        _make(subjects, missing, tenant_id, now)
        found |= _found(subjects, list(missing), tenant_id)
    return found


def _found(subjects: Subjects, external_ids: list[str], tenant_id: int) -> dict[str, int]:
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT t.external_id, t.id FROM unnest(%s::text[]) AS w(external_id) "
            f"JOIN {subjects.table} t ON t.tenant_id = %s AND t.external_id = w.external_id",
            [external_ids, tenant_id],
        )
        return dict(cursor.fetchall())


def _bring_back(subjects: Subjects, ids: Iterable[int], tenant_id: int, now: datetime) -> None:
    """An import that was undone archived them; what is said of them now would be lost on whoever reads. What a person
    has archived stays so.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE {subjects.table} SET archived_at = NULL, updated_at = %s WHERE id IN ("
            f"SELECT id FROM {subjects.table} WHERE tenant_id = %s AND id = ANY(%s) AND archived_at IS NOT NULL"
            " AND archived_by = '' ORDER BY id FOR NO KEY UPDATE)",
            [now, tenant_id, list(ids)],
        )


def _make(subjects: Subjects, missing: Mapping[str, News], tenant_id: int, now: datetime) -> None:
    columns, values = ", ".join(subjects.bare), ", ".join(subjects.bare.values())
    rows = [{"external_id": id, "first_at": whole_second(news.first_at)} for id, news in sorted(missing.items())]
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            INSERT INTO {subjects.table}
                (tenant_id, external_id, created_at, updated_at, traits, trait_writers, trait_moments, {columns})
            SELECT %s, s.external_id, s.first_at, %s, '{{}}', '{{}}', '{{}}', {values}
            FROM json_to_recordset(%s) AS s(external_id text, first_at timestamptz)
            ON CONFLICT (tenant_id, external_id) DO NOTHING
            """,
            [tenant_id, now, as_json(rows)],
        )


def write(
    subjects: Subjects,
    news: Mapping[str, News],
    ids: Mapping[str, int],
    definitions: Definitions,
    *,
    actor: str,
    now: datetime,
) -> None:
    spoken_of = {ids[external_id]: one for external_id, one in news.items() if one.traits}
    changed = _changed(subjects, spoken_of, definitions)
    if changed:
        keys = sorted({key for one in changed for key in one.keys})
        mirrored = [definitions.known[subjects.scope, key] for key in keys]
        _write_documents(subjects, [one.row() for one in changed], mirrored, definitions.tenant.pk, now)
        documents = [(one.id, one.document) for one in changed]
        history.remember(documents, scope=subjects.scope, actor=actor, tenant_id=definitions.tenant.pk, now=now)
    seen = sorted((ids[external_id], one) for external_id, one in news.items())
    _write_seen(subjects, [_seen(id, one) for id, one in seen], definitions)


def _seen(id: int, news: News) -> dict[str, Any]:
    return {"id": id, "seen_at": news.seen_at and whole_second(news.seen_at), "first_at": whole_second(news.first_at)}


@dataclass(slots=True)
class _Changed:
    id: int
    document: Document
    keys: set[str]
    unsubscribed_at: datetime | None

    def row(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "traits": self.document.traits,
            "writers": self.document.writers,
            "moments": self.document.moments,
            "changed": sorted(self.keys),
            UNSUBSCRIBED_AT: self.unsubscribed_at,
        }


def _changed(subjects: Subjects, news: Mapping[int, News], definitions: Definitions) -> list[_Changed]:
    """New documents of those to whom the batch brings anything newer."""
    own = definitions.integration_keys(subjects.scope)
    found = []
    for id, document, unsubscribed_at in _documents(subjects, list(news), definitions.tenant.pk):
        known_at = document.moment_of(UNSUBSCRIBED)
        since = unsubscribed_since(unsubscribed_at, news[id].unsubscribed, known_at=known_at)
        changed = document.take(news[id].traits, own=own)
        if changed is not None or since != unsubscribed_at:
            found.append(_Changed(id, document, changed or set(), since))
    return found


def _documents(subjects: Subjects, ids: list[int], tenant_id: int) -> list[tuple[int, Document, datetime | None]]:
    """Locked in the order of ids, like every batch of the engine."""
    unsubscribed_at = "t.unsubscribed_at" if UNSUBSCRIBED_AT in subjects.also else "NULL::timestamptz"
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT t.id, t.traits::text, t.trait_writers::text, t.trait_moments::text, {unsubscribed_at} "
            f"FROM unnest(%s::bigint[]) AS w(id) JOIN {subjects.table} t ON t.tenant_id = %s AND t.id = w.id "
            "ORDER BY t.id FOR NO KEY UPDATE OF t",
            [ids, tenant_id],
        )
        return [(id, Document(*map(orjson.loads, texts)), since) for id, *texts, since in cursor.fetchall()]


def _write_documents(
    subjects: Subjects, rows: list[dict[str, Any]], mirrored: list[TraitDefinition], tenant_id: int, now: datetime
) -> None:
    """Document and mirrors in one UPDATE. Only what people see moves `updated_at`; moments alone do not."""
    visible = ["traits", *subjects.also]
    old, new = (", ".join(f"{table}.{column}" for column in visible) for table in "ts")
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            UPDATE {subjects.table} t SET
                ({", ".join(visible)}, trait_writers, trait_moments) = ROW({new}, s.writers, s.moments),
                updated_at = CASE WHEN ({old}) IS DISTINCT FROM ({new}) THEN %s ELSE t.updated_at END
                {"".join(_mirror(definition, place) for place, definition in enumerate(mirrored, start=1))}
            FROM json_to_recordset(%s) AS s(
                id bigint, traits jsonb, writers jsonb, moments jsonb, changed text[], unsubscribed_at timestamptz
            ), (SELECT %s::text[] AS names) AS keys
            WHERE t.tenant_id = %s AND t.id = s.id
            """,
            [now, as_json(rows), [definition.key for definition in mirrored], tenant_id],
        )


def _mirror(definition: TraitDefinition, place: int) -> str:
    """Only where its trait changed: what was set here stays until the integration says something new."""
    column = mirror_column(definition)
    if column is None or column == ROLE:  # a role is mirrored on the tie
        return ""
    value = mirror_expression(definition, f"s.traits -> keys.names[{place}]")
    if column in _NEVER_EMPTY:
        value = f"COALESCE({value}, t.{column})"
    return f", {column} = CASE WHEN keys.names[{place}] = ANY(s.changed) THEN {value} ELSE t.{column} END"


def _write_seen(subjects: Subjects, rows: list[dict[str, Any]], definitions: Definitions) -> None:
    """Last seen, and since when: `created_at` is the first mention as long as no trait says better."""
    created = definitions.feeding(subjects.scope, "created_at")
    first = "LEAST(t.created_at, s.first_at)"
    if created:
        first = f"CASE WHEN jsonb_exists(t.traits, %s) THEN t.created_at ELSE {first} END"
    last = "GREATEST(t.last_seen_at, s.seen_at)"
    keys = [created.key] if created else []
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            UPDATE {subjects.table} t SET last_seen_at = {last}, created_at = {first}
            FROM json_to_recordset(%s) AS s(id bigint, seen_at timestamptz, first_at timestamptz)
            WHERE t.tenant_id = %s AND t.id = s.id
              AND (t.last_seen_at, t.created_at) IS DISTINCT FROM ({last}, {first})
            """,
            [*keys, as_json(rows), definitions.tenant.pk, *keys],
        )
