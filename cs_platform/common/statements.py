"""Raw SQL for work on sets of rows. Results are lists."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.db import connection


def fetch(sql: str, params: Mapping[str, Any] | Sequence[Any]) -> list[tuple[Any, ...]]:
    """Run one statement and return its rows (none for a statement that returns nothing)."""
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        return cursor.fetchall() if cursor.description else []
