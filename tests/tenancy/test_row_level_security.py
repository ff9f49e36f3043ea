"""The second lock: what plain SQL of the application's role can do inside, across and outside of workspaces."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg2
import pytest
from django.conf import settings
from django.db import Error, models, transaction
from psycopg2.errorcodes import INTEGRITY_CONSTRAINT_VIOLATION
from psycopg2.errors import ForeignKeyViolation

from cs_platform.embedded.postgres import APP_ROLE, OWNER_ROLE
from cs_platform.tenancy.append_only import append_only_tables
from cs_platform.tenancy.base import TenantForeignKey
from cs_platform.tenancy.context import tenant_context
from cs_platform.tenancy.models import Membership
from tests.databases import servers
from tests.tenancy.rows import TENANT_MODELS, Rows, sibling
from tests.world import Workspace

TABLES = [model._meta.db_table for model in TENANT_MODELS]
STATEMENTS = {
    "SELECT": "SELECT count(*) FROM {}",
    "INSERT": "INSERT INTO {} (tenant_id) VALUES (1)",
    "UPDATE": "UPDATE {} SET tenant_id = tenant_id",
    "DELETE": "DELETE FROM {}",
}
UNSET = {"22P02": "the setting is empty, as after any transaction", "42704": "the setting was never made"}
REFUSED = "42501"  # insufficient_privilege: row-level security's word, and that of a missing grant
UNKNOWN_ID = 10**15

Sql = Callable[..., list[Any]]


def code_of(sql: Sql, statement: str, *parameters: Any) -> str:
    """The SQLSTATE of what PostgreSQL says to it; empty when it does it."""
    try:
        with transaction.atomic():
            sql(statement, *parameters)
    except Error as error:
        return str(error.__cause__.pgcode)  # type: ignore[union-attr]
    return ""


def verbs_of(table: str) -> set[str]:
    return {"SELECT", "INSERT"} if table in append_only_tables() else set(STATEMENTS)


def test_without_a_workspace_every_statement_is_an_error(mine: Rows, sql: Sql) -> None:
    tried = [(table, verb) for table in TABLES for verb in verbs_of(table)]
    codes = {(table, verb): code_of(sql, STATEMENTS[verb].format(table)) for table, verb in tried}

    assert {at: code for at, code in codes.items() if code not in UNSET} == {}


def test_a_session_that_never_had_a_workspace_gets_errors_even_from_empty_tables(django_db_setup: None) -> None:
    with session(APP_ROLE) as cursor:
        codes = {table: pgcode(cursor, STATEMENTS["SELECT"].format(table)) for table in TABLES}

    assert {table: code for table, code in codes.items() if code not in UNSET} == {}


def test_inside_a_workspace_the_others_rows_are_neither_seen_nor_changed(
    orbiton: Workspace, halyard: Workspace, mine: Rows, theirs: Rows, sql: Sql
) -> None:
    touched = {}
    with tenant_context(orbiton.tenant.pk):
        for model in TENANT_MODELS:
            table, pk = model._meta.db_table, theirs[model].pk
            seen = sql(f"SELECT count(*) FROM {table} WHERE tenant_id <> %s OR id = %s", orbiton.tenant.pk, pk)[0][0]
            touched[table] = [seen, len(sql(f"SELECT id FROM {table}"))]
            if table not in append_only_tables():
                touched[table] += [
                    len(sql(f"UPDATE {table} SET tenant_id = tenant_id WHERE id = %s RETURNING 1", pk)),
                    len(sql(f"DELETE FROM {table} WHERE id = %s RETURNING 1", pk)),
                ]

    expected = {table: [0, 1] if table in append_only_tables() else [0, 1, 0, 0] for table in TABLES}
    assert touched == expected


def test_a_row_cannot_be_made_in_another_workspace_nor_moved_there(
    orbiton: Workspace, halyard: Workspace, mine: Rows, sql: Sql
) -> None:
    elsewhere = halyard.tenant.pk
    with tenant_context(orbiton.tenant.pk):
        codes = {
            table: (
                code_of(sql, f"INSERT INTO {table} (tenant_id) VALUES (%s)", elsewhere),
                code_of(sql, f"UPDATE {table} SET tenant_id = %s", elsewhere),
            )
            for table in TABLES
        }

    assert {table: code for table, code in codes.items() if code != (REFUSED, REFUSED)} == {}


def test_another_workspaces_id_is_refused_in_the_words_for_an_id_that_never_was(
    orbiton: Workspace, mine: Rows, theirs: Rows, sql: Sql
) -> None:
    told_apart = {}
    with tenant_context(orbiton.tenant.pk):
        for model, field in tenant_references():
            foreign = theirs[field.related_model].pk
            unknown = "00000000-0000-7000-8000-000000000000" if isinstance(foreign, str) else UNKNOWN_ID
            answers = [refusal(mine[model], field, value, sql) for value in (foreign, unknown)]
            if answers[0] != answers[1] or answers[0][0] != ForeignKeyViolation:
                told_apart[str(field)] = answers

    assert told_apart == {}


def tenant_references() -> Iterator[tuple[type[models.Model], Any]]:
    for model in TENANT_MODELS:
        for field in model._meta.concrete_fields:
            if isinstance(field, TenantForeignKey):
                assert field.related_model in (*TENANT_MODELS, Membership)
                yield model, field


def refusal(row: models.Model, field: Any, value: Any, sql: Sql) -> tuple[Any, ...]:
    """What PostgreSQL says to this row, or where rows only grow a copy of it, pointing at `value`."""
    statement = copying(row, field) if row._meta.db_table in append_only_tables() else pointing(row, field)
    try:
        with transaction.atomic():
            sql(statement, value, row.pk)
    except Error as error:
        cause: Any = error.__cause__
        return type(cause), cause.diag.constraint_name, re.sub(r"\b[0-9a-f-]*\d[0-9a-f-]*\b", "ID", str(cause))
    return ("accepted",)


def pointing(row: models.Model, field: Any) -> str:
    other = sibling(field)
    emptied = f", {other.column} = NULL" if other else ""
    return f"UPDATE {row._meta.db_table} SET {field.column} = %s{emptied} WHERE id = %s"


def copying(row: models.Model, field: Any) -> str:
    others = [f'"{one.column}"' for one in row._meta.concrete_fields if not one.primary_key and one is not field]
    table, columns = row._meta.db_table, ", ".join(others)
    return f"INSERT INTO {table} ({field.column}, {columns}) SELECT %s, {columns} FROM {table} WHERE id = %s"


def test_the_policy_is_a_condition_of_an_index_on_every_table(orbiton: Workspace, sql: Sql) -> None:
    policy = "(tenant_id = (current_setting('app.tenant_id'::text))::bigint)"
    with tenant_context(orbiton.tenant.pk):
        sql("SET LOCAL enable_seqscan = off")
        plans = {table: "\n".join(line for (line,) in sql(f"EXPLAIN SELECT * FROM {table}")) for table in TABLES}

    assert [table for table, plan in plans.items() if f"Index Cond: {policy}" not in plan] == []


def test_policy_and_question_share_one_index(orbiton: Workspace, sql: Sql) -> None:
    with tenant_context(orbiton.tenant.pk):
        sql("SET LOCAL enable_seqscan = off")
        plan = "\n".join(line for (line,) in sql("EXPLAIN SELECT 1 FROM accounts_account WHERE external_id = 'x'"))

    assert "Index Cond: ((tenant_id = (current_setting('app.tenant_id'::text))::bigint) AND (external_id = " in plan


# --- rows that only grow, and the roles ----------------------------------------------------------------------------


@pytest.mark.parametrize("statement", ["UPDATE {} SET id = id", "DELETE FROM {}", "TRUNCATE {}"])
@pytest.mark.parametrize("table", append_only_tables())
def test_the_application_has_no_right_to_change_what_only_grows(
    orbiton: Workspace, sql: Sql, table: str, statement: str
) -> None:
    with tenant_context(orbiton.tenant.pk):
        assert code_of(sql, statement.format(table)) == REFUSED


@pytest.mark.parametrize("statement", ["UPDATE {} SET id = id", "DELETE FROM {}"])
@pytest.mark.parametrize("table", append_only_tables())
def test_a_trigger_stops_the_owner_too(django_db_setup: None, table: str, statement: str) -> None:
    with session(OWNER_ROLE) as cursor:
        cursor.execute("SET app.tenant_id = '1'")
        assert pgcode(cursor, statement.format(table)) == INTEGRITY_CONSTRAINT_VIOLATION


def test_the_owner_is_bound_by_the_policy_as_well(django_db_setup: None) -> None:
    with session(OWNER_ROLE) as cursor:
        assert {pgcode(cursor, STATEMENTS["SELECT"].format(table)) for table in TABLES} <= set(UNSET)


@pytest.mark.parametrize(
    "statement",
    [
        "TRUNCATE ctas_cta CASCADE",
        "CREATE TABLE mine (id int)",
        "CREATE SCHEMA mine",
        "CREATE FUNCTION public.mine() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "ALTER TABLE ctas_cta DISABLE ROW LEVEL SECURITY",
        "ALTER TABLE tenancy_auditentry DISABLE TRIGGER USER",
        "DROP POLICY tenant ON ctas_cta",
        "DROP TABLE ctas_cta",
        "SET ROLE cs_owner",
        "SET SESSION AUTHORIZATION cs_owner",
        "SET session_replication_role = replica",
        "COPY ctas_cta TO PROGRAM 'cat'",
        "CREATE EXTENSION vector",
        "INSERT INTO django_migrations (app, name, applied) VALUES ('a', 'b', now())",
    ],
)
def test_the_application_role_may_not(django_db_setup: None, statement: str) -> None:
    with session(APP_ROLE) as cursor:
        assert pgcode(cursor, statement) == REFUSED


def test_switching_row_security_off_gives_errors_not_rows(django_db_setup: None) -> None:
    with session(APP_ROLE) as cursor:
        cursor.execute("SET row_security = off; SET app.tenant_id = '1'")
        assert pgcode(cursor, "SELECT count(*) FROM ctas_cta") == REFUSED


def test_temporary_tables_are_all_it_may_create(django_db_setup: None) -> None:
    with session(APP_ROLE) as cursor:
        assert pgcode(cursor, "CREATE TEMP TABLE scratch (id int) ON COMMIT DROP") == ""


@contextmanager
def session(role: str) -> Iterator[Any]:
    """A new connection, whose work is taken back."""
    opened = psycopg2.connect(servers().postgres.url(role, settings.DATABASES["default"]["NAME"]))
    with opened.cursor() as cursor:
        yield cursor
    opened.rollback()
    opened.close()


def pgcode(cursor: Any, statement: str) -> str:
    cursor.execute("SAVEPOINT before")
    try:
        cursor.execute(statement)
    except psycopg2.Error as error:
        return str(error.pgcode)
    finally:
        cursor.execute("ROLLBACK TO before")
    return ""
