"""Exports are read line by line, whatever stands in them."""

import gzip
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import orjson
import pytest

from accounts.ingest import by_day, read_calls, shift_to_today
from accounts.ingest.calls import Unreadable
from tests.accounts.ingest.calls import group, track

CALLS = [
    group("a", "2026-11-02T06:00:00Z"),
    group("b", "2026-11-01T23:30:00Z"),
    track("u", "E", "2026-11-01T10:00:00Z"),
]
LINES = b"".join(orjson.dumps(call) + b"\n" for call in CALLS)


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_a_file_may_be_plain_or_gzipped(tmp_path: Path, pack: Callable[[bytes], bytes]) -> None:
    path = tmp_path / "export"
    path.write_bytes(pack(LINES))

    assert list(read_calls(path)) == CALLS


def test_broken_lines_are_handed_on_as_unreadable(tmp_path: Path) -> None:
    path = tmp_path / "export"
    good = orjson.dumps(CALLS[0])
    path.write_bytes(b'{"a": NaN}\n\n{"b": "\\ud800"}\n\xff\n' + b"x" * 600_000 + b"\n" + good)
    *broken, last = read_calls(path)

    assert last == CALLS[0]
    assert len(broken) == 4
    assert all(isinstance(item, Unreadable) for item in broken)
    assert broken[-1].reason == "a line of more than 256 kB"
    assert len({item.identity for item in broken}) == 4


def test_the_shift_is_whole_days_and_ends_before_now(tmp_path: Path) -> None:
    path = tmp_path / "export"
    path.write_bytes(LINES)

    assert shift_to_today(path, now=datetime(2026, 11, 22, 7, tzinfo=UTC)) == timedelta(days=20)
    assert shift_to_today(path, now=datetime(2026, 11, 22, 5, tzinfo=UTC)) == timedelta(days=19)


def test_days_come_in_order_of_time_in_the_zone_of_the_workspace() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    unreadable = Unreadable("x", "not JSON", "")

    assert list(by_day([*CALLS, unreadable], zone=berlin)) == [
        (date(2026, 11, 1), [unreadable, CALLS[2]]),
        (date(2026, 11, 2), [CALLS[1], CALLS[0]]),
    ]
    shifted = [day for day, _ in by_day(CALLS, zone=berlin, shift=timedelta(days=5))]
    assert shifted == [date(2026, 11, 6), date(2026, 11, 7)]
