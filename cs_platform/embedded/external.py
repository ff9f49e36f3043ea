"""Servers that somebody else runs, named by DATABASE_URL, DATABASE_OWNER_URL and REDIS_URL."""

import os
import secrets
from pathlib import Path
from urllib.parse import quote, urlsplit, urlunsplit

import psycopg2
from redis import Redis
from redis.exceptions import RedisError

from .processes import CannotStart

OLDEST_POSTGRES = 18
OLDEST_REDIS = (6, 2)
_FACTS = """
    SELECT current_setting('server_version_num')::int / 10000,
           (SELECT rolsuper OR pg_has_role(datdba, 'USAGE') FROM pg_roles, pg_database
            WHERE rolname = current_user AND datname = current_database())
"""


def database_environment(var: Path) -> dict[str, str]:
    """Both roles' addresses; the application's is made up when only the owner's is known. Empty when none is given."""
    app, owner = os.environ.get("DATABASE_URL"), os.environ.get("DATABASE_OWNER_URL")
    known = owner or app
    if not known:
        return {}
    if not _role_may_migrate(known):
        raise CannotStart(
            "DATABASE_URL's role does not own its database: set DATABASE_OWNER_URL to the role that does."
        )
    if not (app and owner):
        app = _as_application_role(known, password=remembered_secret(var / "database-password"))
    return {"DATABASE_URL": app, "DATABASE_OWNER_URL": known}


def redis_environment() -> dict[str, str]:
    url = os.environ.get("REDIS_URL")
    if not url:
        return {}
    try:
        with Redis.from_url(url, socket_connect_timeout=5) as client:
            version = str(client.info("server")["redis_version"])
    except (RedisError, ValueError) as error:
        raise CannotStart(f"REDIS_URL cannot be reached: {error}") from error
    if tuple(map(int, version.split(".")[:2])) < OLDEST_REDIS:
        raise CannotStart(f"REDIS_URL answers as Redis {version}: 6.2 or newer is needed.")
    return {"REDIS_URL": url}


def remembered_secret(path: Path) -> str:
    if not path.exists():
        path.touch(mode=0o600)
        path.write_text(secrets.token_urlsafe(50))
    return path.read_text()


def _role_may_migrate(url: str) -> bool:
    try:
        connection = psycopg2.connect(url, connect_timeout=10)
    except psycopg2.Error as error:
        raise CannotStart(f"The database cannot be reached: {str(error).strip().splitlines()[-1]}") from error
    with connection, connection.cursor() as cursor:
        cursor.execute(_FACTS)
        version, may_migrate = cursor.fetchone()
    connection.close()
    if version < OLDEST_POSTGRES:
        raise CannotStart(f"The database answers as PostgreSQL {version}: {OLDEST_POSTGRES} or newer is needed.")
    return bool(may_migrate)


def _as_application_role(url: str, *, password: str) -> str:
    """A role belongs to the whole server, so it carries the database's name."""
    parts = urlsplit(url)
    role = f"{parts.path.strip('/')}_app"
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{quote(role)}:{quote(password)}@{host}"))
