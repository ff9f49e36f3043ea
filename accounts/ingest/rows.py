"""Rows on their way into one statement: a JSON array that PostgreSQL reads as a table."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import orjson


def as_json(rows: Sequence[Any]) -> str:
    """For json_to_recordset: one parameter whatever the number of rows; moments as RFC 3339, None as NULL."""
    return orjson.dumps(rows).decode()


def whole_second(moment: datetime) -> datetime:
    """What is shown is kept to the second: a message repeated with another fraction of it is still the same."""
    return moment.replace(microsecond=0)
