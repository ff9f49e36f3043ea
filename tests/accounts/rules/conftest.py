from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection

from accounts.rules.sql import Sql

Run = Callable[[Sql], list[tuple[Any, ...]]]


@pytest.fixture
def run() -> Run:
    """Every row of a compiled statement."""

    def rows(sql: Sql) -> list[tuple[Any, ...]]:
        with connection.cursor() as cursor:
            cursor.execute(sql.text, sql.params)
            return list(cursor.fetchall())

    return rows
