"""What a test does to its database as the owner; the test itself runs as the application role (DECISIONS: roles)."""

import os
from pathlib import Path

import psycopg2

from cs_platform.embedded.postgres import DISPOSABLE
from cs_platform.embedded.servers import Servers, known


def servers() -> Servers:
    return known(Path(os.environ["TEST_SERVERS"]), settings=DISPOSABLE)


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
