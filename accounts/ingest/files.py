"""Exports on disk: newline-delimited JSON, plain or gzipped, read line by line."""

import gzip
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from io import BufferedReader
from itertools import groupby
from pathlib import Path
from typing import Any, BinaryIO, cast
from zoneinfo import ZoneInfo

import orjson

from accounts.ingest.calls import BYTES_LIMIT, Call, Unreadable, fingerprint, read_call

_GZIP = b"\x1f\x8b"
_LONG_AGO = datetime(1, 1, 2, tzinfo=UTC)


def read_calls(path: Path | str) -> Iterator[Any]:
    """The calls of a file, `-` being standard input; a line that is no JSON comes as `Unreadable`."""
    with _opened(path) as lines:
        while line := lines.readline(BYTES_LIMIT + 1):
            if len(line) > BYTES_LIMIT:
                yield _overlong(line, lines)
            elif not line.isspace():
                yield parsed(line)


def shift_to_today(path: Path | str, *, now: datetime) -> timedelta:
    """Whole days, so that times of day stay: the last call then happened within the 24 hours before `now`."""
    moments = (call.at for call in map(_read, read_calls(path)) if call is not None)
    last = max(moments, default=now)
    return timedelta(days=(now - last) // timedelta(days=1))


def by_day(
    calls: Iterable[Any], *, zone: ZoneInfo, shift: timedelta = timedelta(0)
) -> Iterator[tuple[date, list[Any]]]:
    """The calls in order of time, as lists of one local day. Holds them all; what has no moment comes first."""
    timed = [(_moment(item), item) for item in calls]
    timed.sort(key=lambda pair: pair[0])
    first = next((at for at, _ in timed if at != _LONG_AGO), _LONG_AGO)

    def day(pair: tuple[datetime, Any]) -> date:
        return (max(pair[0], first) + shift).astimezone(zone).date()

    for key, pairs in groupby(timed, key=day):
        yield key, [item for _, item in pairs]


def _moment(item: Any) -> datetime:
    call = _read(item)
    return call.at if call else _LONG_AGO


def _read(item: Any) -> Call | None:
    call = read_call(item, now=_LONG_AGO)
    return call if isinstance(call, Call) and call.at != _LONG_AGO else None


def parsed(line: bytes) -> Any:
    try:
        return orjson.loads(line)
    except orjson.JSONDecodeError as error:
        return unreadable(line, f"not JSON: {error.msg}")


def _overlong(line: bytes, lines: BinaryIO) -> Unreadable:
    rest = line
    while rest and not rest.endswith(b"\n"):
        rest = lines.readline(BYTES_LIMIT)
    return unreadable(line, f"a line of more than {BYTES_LIMIT // 1000} kB")


def unreadable(line: bytes, reason: str) -> Unreadable:
    return Unreadable(fingerprint(line), reason, repr(line[:180])[1:])


@contextmanager
def _opened(path: Path | str) -> Iterator[BinaryIO]:
    with standard_input() if str(path) == "-" else open(path, "rb") as raw:
        is_gzip = raw.peek(2)[:2] == _GZIP
        yield cast(BinaryIO, gzip.GzipFile(fileobj=raw)) if is_gzip else cast(BinaryIO, raw)


def standard_input() -> BufferedReader:
    return open(sys.stdin.fileno(), "rb", closefd=False)
