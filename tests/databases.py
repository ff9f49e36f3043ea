"""What a test does to its database as the owner; the test itself runs as the application role (DECISIONS: roles)."""

import os
from contextlib import suppress
from pathlib import Path

import psycopg2
from psycopg2 import errors

from cs_platform.embedded.postgres import DISPOSABLE
from cs_platform.embedded.servers import Servers, known

TRIES = 3


def servers() -> Servers:
    return known(Path(os.environ["TEST_SERVERS"]), settings=DISPOSABLE)


def occupied_tables(owner_url: str) -> set[str]:
    """By size on disk: a look at the rows would meet row-level security, which binds the owner too."""
    sql = "SELECT oid::regclass::text FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
    return {row[0] for row in _query(owner_url, f"{sql} AND pg_relation_size(oid) > 0")}


def empty(owner_url: str, *, keep: set[str]) -> None:
    """What `flush` would do, by the role that may: the application cannot truncate.

    The server may still be answering a page that is closed by now, and read these tables in another order. It is done
    soon, so whoever was stopped in a deadlock with it comes again.
    """
    for _ in range(TRIES):
        tables = sorted(occupied_tables(owner_url) - keep)
        if not tables:
            return
        with suppress(errors.DeadlockDetected):
            _query(owner_url, f"SET lock_timeout = '15s'; TRUNCATE {', '.join(tables)} CASCADE")
            return
    raise AssertionError("The server goes on reading tables that a test has left.")


def _query(url: str, sql: str) -> list[tuple[str]]:
    connection = psycopg2.connect(url)
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(sql)
            return cursor.fetchall() if cursor.description else []
    finally:
        connection.close()
