"""The database of a test is the database of production: same roles, same rights."""

import psycopg2
import pytest
from django.db import connection

from cs_platform.tenancy.management.commands.prepare_database import append_only_tables
from cs_platform.tenancy.models import Heartbeat, Tenant


def one(sql: str, *parameters: object) -> object:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return cursor.fetchone()[0]


@pytest.mark.django_db
def test_tests_run_as_a_role_that_owns_nothing_and_bypasses_nothing() -> None:
    assert one("SELECT current_user") == "cs_app"
    assert (
        one("SELECT count(*) FROM pg_roles WHERE rolname = current_user AND (rolsuper OR rolbypassrls OR rolcreatedb)")
        == 0
    )
    assert one("SELECT count(*) FROM pg_class WHERE pg_get_userbyid(relowner) = current_user") == 0


@pytest.mark.django_db
def test_no_role_that_can_log_in_bypasses_row_level_security_but_the_superuser() -> None:
    found = one("SELECT array_agg(rolname::text) FROM pg_roles WHERE rolcanlogin AND (rolbypassrls OR rolsuper)")
    assert found == ["postgres"]


@pytest.mark.django_db
@pytest.mark.parametrize(
    "statement", ["CREATE TABLE t (a int)", "TRUNCATE tenancy_tenant", "DELETE FROM django_migrations"]
)
def test_the_application_may_not(statement: str) -> None:
    with pytest.raises(Exception, match="permission denied"), connection.cursor() as cursor:
        cursor.execute(statement)


@pytest.mark.django_db
def test_the_application_may_make_temporary_tables() -> None:
    with connection.cursor() as cursor:
        cursor.execute("CREATE TEMP TABLE work (a int) ON COMMIT DROP")


@pytest.mark.django_db
def test_append_only_tables_grant_no_change() -> None:
    tables = append_only_tables()
    assert "playbooks_ledgerentry" in tables
    for table in tables:
        assert one("SELECT has_table_privilege(%s, 'SELECT, INSERT')", table)
        assert not one("SELECT has_table_privilege(%s, 'UPDATE')", table)
        assert not one("SELECT has_table_privilege(%s, 'DELETE')", table)
        assert not one("SELECT has_table_privilege(%s, 'TRUNCATE')", table)


@pytest.mark.django_db
def test_text_sorts_as_in_production() -> None:
    assert (
        one("SELECT datlocprovider::text || datlocale FROM pg_database WHERE datname = current_database()")
        == "bC.UTF-8"
    )


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("attempt", [1, 2])
def test_what_a_committing_test_leaves_is_gone_in_the_next(attempt: int) -> None:
    assert not Tenant.objects.exists()
    assert one("SELECT count(*) FROM django_content_type") > 10
    Tenant.objects.create(slug="acme", name="Acme", created_at="2026-01-01T00:00Z")


@pytest.mark.django_db
@pytest.mark.parametrize("attempt", [1, 2])
def test_what_an_ordinary_test_leaves_is_rolled_back(attempt: int) -> None:
    assert not Heartbeat.objects.exists()
    Heartbeat.objects.create(part="worker", at="2026-01-01T00:00Z")


@pytest.mark.django_db
def test_a_connection_that_is_no_superuser_cannot_reach_the_owner_alias() -> None:
    with pytest.raises(psycopg2.errors.InsufficientPrivilege), connection.cursor() as cursor:
        cursor.cursor.execute("SET ROLE cs_owner")
