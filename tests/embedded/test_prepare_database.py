"""prepare_database: run by every deploy, so harmless twice, and strict about roles."""

import os
from collections.abc import Iterator

import psycopg2
import pytest
from django.core.management import CommandError, call_command
from django.db import connections
from django.db.backends.utils import CursorWrapper
from pytest_django.plugin import DjangoDbBlocker

from cs_platform.embedded.postgres import SUPERUSER
from cs_platform.embedded.templates import create_fresh_database
from cs_platform.tenancy.management.commands.prepare_database import ensure_app_role, grant_rights
from tests.databases import servers


@pytest.fixture
def owner(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[CursorWrapper]:
    """The owner's connection to a database of its own."""
    name = f"prepare_{os.environ.get('PYTEST_XDIST_WORKER', 'main')}"
    create_fresh_database(servers(), name)
    settings = [connections[alias].settings_dict for alias in ("default", "owner")]
    usual = settings[0]["NAME"]
    with django_db_blocker.unblock():
        _move_to(name)
        with connections["owner"].cursor() as cursor:
            yield cursor
        _move_to(usual)


def _move_to(name: str) -> None:
    for alias in ("default", "owner"):
        connections[alias].close()
        connections[alias].settings_dict["NAME"] = name


def test_a_second_run_changes_nothing(owner: CursorWrapper) -> None:
    call_command("prepare_database", verbosity=0)
    owner.execute("SELECT has_table_privilege('cs_app', 'playbooks_ledgerentry', 'UPDATE')")
    assert owner.fetchone() == (False,)
    owner.execute("SELECT has_table_privilege('cs_app', 'accounts_account', 'UPDATE')")
    assert owner.fetchone() == (True,)


def test_a_table_made_later_is_granted_at_once(owner: CursorWrapper) -> None:
    owner.execute("CREATE TABLE later (id bigint GENERATED ALWAYS AS IDENTITY)")
    for right, granted in (("SELECT", True), ("INSERT", True), ("UPDATE", True), ("DELETE", True), ("TRUNCATE", False)):
        owner.execute("SELECT has_table_privilege('cs_app', 'later', %s)", [right])
        assert owner.fetchone() == (granted,)


def test_the_application_may_not_be_the_owner(owner: CursorWrapper) -> None:
    usual = connections["default"].settings_dict["USER"]
    connections["default"].settings_dict["USER"] = connections["owner"].settings_dict["USER"]
    try:
        with pytest.raises(CommandError, match="the application must not own its tables"):
            call_command("prepare_database", verbosity=0)
    finally:
        connections["default"].settings_dict["USER"] = usual


def test_a_role_that_passes_row_level_security_is_refused(owner: CursorWrapper) -> None:
    with pytest.raises(CommandError, match="may pass row-level security"):
        ensure_app_role(owner, name=SUPERUSER, password="")


def test_a_missing_role_that_the_owner_may_not_create_is_told(owner: CursorWrapper) -> None:
    with pytest.raises(CommandError, match="CREATE ROLE newcomer LOGIN"):
        ensure_app_role(owner, name="newcomer", password="")


def test_a_missing_role_is_created_by_who_may(owner: CursorWrapper) -> None:
    role = f"made_{os.environ.get('PYTEST_XDIST_WORKER', 'main')}"
    postgres, database = servers().postgres, connections["owner"].settings_dict["NAME"]
    connection = psycopg2.connect(postgres.url(SUPERUSER, database))
    with connection.cursor() as raw:
        cursor = CursorWrapper(raw, connections["owner"])
        ensure_app_role(cursor, name=role, password="secret")
        grant_rights(cursor, role=role, database=database)
        cursor.execute(
            "SELECT rolcanlogin, rolsuper, rolbypassrls, rolcreatedb FROM pg_roles WHERE rolname = %s", [role]
        )
        assert cursor.fetchone() == (True, False, False, False)
    connection.rollback()
    connection.close()
