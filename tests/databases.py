"""One template database per state of the migrations, and a clone of it for each worker (DECISIONS: roles)."""

import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg2

from cs_platform.embedded.postgres import DISPOSABLE, OWNER_ROLE, SUPERUSER, Postgres
from cs_platform.embedded.servers import ROOT, known

# What decides the schema and its grants. Third-party migrations come with their pinned versions.
SCHEMA_SOURCES = (
    "*/migrations/*.py",
    "*/*/migrations/*.py",
    "*/models.py",
    "*/models/*.py",
    "*/*/models.py",
    "cs_platform/tenancy/**/*.py",
    "requirements/base.txt",
)
ONE_AT_A_TIME = 7_366_002


def create_clone(name: str) -> None:
    postgres = known(Path(os.environ["TEST_SERVERS"]), settings=DISPOSABLE).postgres
    with _alone(postgres):
        template = _ensure_template(postgres)
        postgres.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        postgres.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"', role=OWNER_ROLE)


def occupied_tables(owner_url: str) -> set[str]:
    """By size on disk: a look at the rows would meet row-level security, which binds the owner too."""
    sql = "SELECT oid::regclass::text FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
    return {row[0] for row in _query(owner_url, f"{sql} AND pg_relation_size(oid) > 0")}


def empty(owner_url: str, *, keep: set[str]) -> None:
    """What `flush` would do, by the role that may: the application cannot truncate."""
    tables = sorted(occupied_tables(owner_url) - keep)
    if tables:
        _query(owner_url, f"SET lock_timeout = '15s'; TRUNCATE {', '.join(tables)} CASCADE")


def _query(url: str, sql: str) -> list[tuple[str]]:
    connection = psycopg2.connect(url)
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(sql)
            return cursor.fetchall() if cursor.description else []
    finally:
        connection.close()


@contextmanager
def _alone(postgres: Postgres) -> Iterator[None]:
    connection = psycopg2.connect(postgres.url(SUPERUSER, "postgres"))
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_lock(%s)", [ONE_AT_A_TIME])
            yield
    finally:
        connection.close()


def _ensure_template(postgres: Postgres) -> str:
    name = f"template_{_fingerprint()}"
    if not postgres.has_database(name):
        for (old,) in postgres.execute(
            "SELECT datname FROM pg_database WHERE datname LIKE 'template\\__%\\_%' OR datname = 'draft'"
        ):
            postgres.execute(f'DROP DATABASE "{old}" WITH (FORCE)')
        postgres.ensure_database("draft")
        _prepare(postgres, "draft")
        postgres.execute(f'ALTER DATABASE draft RENAME TO "{name}"')
    return name


def _prepare(postgres: Postgres, database: str) -> None:
    servers = known(Path(os.environ["TEST_SERVERS"]), settings=DISPOSABLE)
    command = [sys.executable, str(ROOT / "manage.py"), "prepare_database", "--verbosity=0"]
    environment = os.environ | servers.environment(database=database)
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"The template database could not be migrated:\n{done.stdout}{done.stderr}")


def _fingerprint() -> str:
    digest = hashlib.sha256()
    for path in sorted({path for pattern in SCHEMA_SOURCES for path in ROOT.glob(pattern)}):
        if ".venv" not in path.parts:
            digest.update(str(path.relative_to(ROOT)).encode() + path.read_bytes())
    return digest.hexdigest()[:16]
