"""One migrated template database per state of the schema; a fresh database is a copy of it, which is quick."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg2

from .fingerprint import schema_fingerprint
from .postgres import OWNER_ROLE, SUPERUSER, Postgres
from .processes import CannotStart
from .servers import ROOT, Servers

PREFIX = "template_"
ONE_AT_A_TIME = 7_366_002


def create_fresh_database(servers: Servers, name: str) -> None:
    postgres = servers.postgres
    with _alone(postgres):
        template = _ensure_template(servers)
        postgres.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        postgres.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"', role=OWNER_ROLE)


def ensure_template(servers: Servers) -> None:
    """Ahead of time: whoever wants a fresh database then only copies."""
    with _alone(servers.postgres):
        _ensure_template(servers)


def prepare_database(environment: dict[str, str]) -> None:
    """In a process of its own: the settings read the environment once."""
    command = [sys.executable, str(ROOT / "manage.py"), "prepare_database", "--verbosity=0"]
    done = subprocess.run(command, env=os.environ | environment, capture_output=True, text=True)
    if done.returncode:
        raise CannotStart(f"The database could not be migrated:\n{done.stdout}{done.stderr}")


@contextmanager
def _alone(postgres: Postgres) -> Iterator[None]:
    connection = psycopg2.connect(postgres.url(SUPERUSER, "postgres"))
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_lock(%s)", [ONE_AT_A_TIME])
            yield
    finally:
        connection.close()


def _ensure_template(servers: Servers) -> str:
    postgres, name = servers.postgres, f"{PREFIX}{schema_fingerprint()}"
    if not postgres.has_database(name):
        _drop_old_templates(postgres)
        postgres.ensure_database("draft")
        prepare_database(servers.environment(database="draft"))
        postgres.execute(f'ALTER DATABASE draft RENAME TO "{name}"')
    return name


def _drop_old_templates(postgres: Postgres) -> None:
    names = postgres.execute("SELECT datname FROM pg_database WHERE NOT datistemplate")
    for name in (str(row[0]) for row in names):
        if name == "draft" or name.startswith(PREFIX):
            postgres.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
