"""Web, worker and beat do not start as a role that could pass row-level security."""

import importlib
import os
import subprocess
import sys
from collections.abc import Iterator

import pytest
from celery.signals import beat_init, worker_init
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.core.management.base import SystemCheckError
from django.db import OperationalError, connections
from pytest_django.plugin import DjangoDbBlocker

from cs_platform import celery
from cs_platform.embedded.postgres import APP_ROLE, OWNER_ROLE, SUPERUSER
from cs_platform.tenancy.checks import refuse_unsafe_role
from tests.databases import servers


@pytest.fixture
def default(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[dict[str, str]]:
    """The settings of the application's connection, to be changed."""
    connection = connections["default"]
    usual = connection.settings_dict["USER"]
    with django_db_blocker.unblock():
        connection.close()
        yield connection.settings_dict
        connection.close()
    connection.settings_dict["USER"] = usual


def test_the_usual_role_may_start_and_leaves_no_connection_to_be_shared_by_a_fork(default: dict[str, str]) -> None:
    refuse_unsafe_role()

    assert connections["default"].connection is None


@pytest.mark.parametrize(("role", "why"), [(SUPERUSER, "BYPASSRLS"), (OWNER_ROLE, "own")])
def test_a_role_that_may_too_much_may_not(default: dict[str, str], role: str, why: str) -> None:
    default["USER"] = role
    with pytest.raises(ImproperlyConfigured, match=f"names the role {role}.*{why}"):
        refuse_unsafe_role()


def test_web_does_not_start(default: dict[str, str]) -> None:
    sys.modules.pop("cs_platform.wsgi", None)
    default["USER"] = OWNER_ROLE
    with pytest.raises(ImproperlyConfigured):
        importlib.import_module("cs_platform.wsgi")


def test_worker_and_beat_ask_too() -> None:
    for start in (worker_init, beat_init):
        assert celery.refuse_to_start in start._live_receivers(None)  # type: ignore[attr-defined]


def test_a_refusal_ends_the_worker(default: dict[str, str]) -> None:
    default["USER"] = OWNER_ROLE
    with pytest.raises(SystemExit, match="own nothing"):
        celery.refuse_to_start()


def test_a_real_worker_ends_with_the_reason(default: dict[str, str]) -> None:
    url = servers().postgres.url(OWNER_ROLE, str(default["NAME"]))
    worker = subprocess.run(
        [sys.executable, "-m", "celery", "--quiet", "-A", "cs_platform", "worker", "--pool", "solo"],
        env=os.environ | {"DATABASE_URL": url, "PYTHONWARNINGS": "ignore"},
        cwd=settings.BASE_DIR,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert worker.returncode == 1
    assert "the role cs_owner, and workspaces would not be safe" in worker.stderr


def test_an_unreachable_database_is_no_permission(default: dict[str, str]) -> None:
    default["USER"] = "nobody_of_this_name"
    with pytest.raises(OperationalError):
        refuse_unsafe_role()


def test_the_check_command_names_the_role_and_what_to_mend(default: dict[str, str]) -> None:
    call_command("check", databases=["default"])
    default["USER"] = OWNER_ROLE
    with pytest.raises(SystemCheckError, match=r"tenancy\.E002.*own nothing"):
        call_command("check", databases=["default"])


def test_plain_checks_do_not_ask_the_database(default: dict[str, str]) -> None:
    default["USER"] = "nobody_of_this_name"
    call_command("check")


def test_the_roles_of_this_test_are_those_of_a_real_installation() -> None:
    assert connections["default"].settings_dict["USER"] == APP_ROLE
    assert connections["owner"].settings_dict["USER"] == OWNER_ROLE
