"""Small questions of one kind, asked in one statement.

Written and sent one by one, each would cost a page more than its answer does.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from django.core.exceptions import EmptyResultSet
from django.db.models import QuerySet

from cs_platform.common.statements import fetch


def count_each(asked: Iterable[QuerySet[Any]], *, most: int) -> list[int]:
    """How many rows each would find, counted up to `most`, in one statement."""
    return _ask_together("(SELECT count(*) FROM ({}) t)", [rows.order_by()[:most] for rows in asked])


def first_ids_of_each(asked: Iterable[QuerySet[Any]], *, most: int) -> list[list[int]]:
    """The first of each in its own order, in one statement."""
    return _ask_together("ARRAY({})", [rows[:most] for rows in asked])


def _ask_together(form: str, asked: Sequence[QuerySet[Any]]) -> list[Any]:
    if not asked:
        return []
    said = [_said(rows) for rows in asked]
    answers = ", ".join(form.format(text) for text, _params in said)
    [row] = fetch(f"SELECT {answers}", [value for _text, params in said for value in params])
    return list(row)


def _said(rows: QuerySet[Any]) -> tuple[str, Sequence[Any]]:
    try:
        text, params = rows.values("pk").query.sql_with_params()
    except EmptyResultSet:
        return "SELECT NULL::bigint WHERE false", ()
    return text, params
