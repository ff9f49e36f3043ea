"""A piece of SQL with its parameters, and the clock a statement is compiled for."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

_SLOT = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True, slots=True)
class Sql:
    """Text with psycopg2 `%s` placeholders; values never enter the text. Hashable: equal leaves are found equal."""

    text: str
    params: tuple[Any, ...] = ()

    @classmethod
    def value(cls, value: object) -> Sql:
        return cls("%s", (value,))

    @classmethod
    def values(cls, values: Iterable[object]) -> Sql:
        return cls.join(", ", [cls.value(value) for value in values])

    @classmethod
    def join(cls, separator: str, parts: Iterable[Sql]) -> Sql:
        parts = list(parts)
        return cls(separator.join(part.text for part in parts), tuple(param for part in parts for param in part.params))

    def wrapped(self) -> Sql:
        return Sql(f"({self.text})", self.params)


def compose(template: str, **parts: Sql) -> Sql:
    """Fill `{name}` slots with pieces of SQL, keeping parameters in the order of the text."""
    pieces = _SLOT.split(template)
    return Sql.join("", [parts[piece] if at % 2 else Sql(piece) for at, piece in enumerate(pieces)])


@dataclass(frozen=True, slots=True)
class Clock:
    """The one moment a statement is about. `today` is the workspace's date, not the server's."""

    now: datetime
    today: date
    timezone: ZoneInfo

    @classmethod
    def at(cls, now: datetime, timezone: ZoneInfo) -> Clock:
        return cls(now, now.astimezone(timezone).date(), timezone)

    def start_of(self, day: date) -> datetime:
        """The first instant of a local day, in UTC; where midnight is skipped, the first instant after the gap."""
        before, after = (self._midnight(day, fold) for fold in (1, 0))
        if after <= before or self._wall(after) == datetime.combine(day, time()):
            return after
        while after - before > timedelta(seconds=1):
            middle = before + (after - before) / 2
            before, after = (before, middle) if self._wall(middle).date() >= day else (middle, after)
        return after.replace(microsecond=0)

    def _midnight(self, day: date, fold: int) -> datetime:
        return datetime.combine(day, time(fold=fold), tzinfo=self.timezone).astimezone(UTC)

    def _wall(self, instant: datetime) -> datetime:
        return instant.astimezone(self.timezone).replace(tzinfo=None)
