from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from accounts.rules.sql import Clock, Sql, compose

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


def test_parameters_follow_the_order_of_the_text() -> None:
    made = compose("{b} AND {a} OR {b}", a=Sql("x = %s", (1,)), b=Sql("y = %s", (2,)))
    assert made == Sql("y = %s AND x = %s OR y = %s", (2, 1, 2))


def test_today_is_the_workspaces_date() -> None:
    late = datetime(2026, 6, 1, 23, 30, tzinfo=UTC)
    assert Clock.at(late, ZoneInfo("Pacific/Auckland")).today == date(2026, 6, 2)
    assert Clock.at(late, ZoneInfo("America/Lima")).today == date(2026, 6, 1)


STARTS = [
    ("UTC", date(2026, 6, 1), datetime(2026, 6, 1, tzinfo=UTC)),
    ("Europe/Rome", date(2026, 6, 1), datetime(2026, 5, 31, 22, tzinfo=UTC)),
    ("Asia/Kathmandu", date(2026, 6, 1), datetime(2026, 5, 31, 18, 15, tzinfo=UTC)),
    # Midnight does not exist: the day begins at 01:00.
    ("America/Santiago", date(2026, 9, 6), datetime(2026, 9, 6, 4, tzinfo=UTC)),
    # The clock jumped over midnight from 23:30 to 00:30.
    ("America/Toronto", date(1919, 3, 31), datetime(1919, 3, 31, 4, 30, tzinfo=UTC)),
    # The whole day does not exist: it begins, and ends, where the next one begins.
    ("Pacific/Apia", date(2011, 12, 30), datetime(2011, 12, 30, 10, tzinfo=UTC)),
    ("Pacific/Apia", date(2011, 12, 31), datetime(2011, 12, 30, 10, tzinfo=UTC)),
    # The last hour happens twice; the next day begins once.
    ("America/Havana", date(2026, 11, 1), datetime(2026, 11, 1, 4, tzinfo=UTC)),
    ("America/Santiago", date(2026, 4, 5), datetime(2026, 4, 5, 4, tzinfo=UTC)),
]


@pytest.mark.parametrize(("zone", "day", "start"), STARTS)
def test_a_day_starts_at_its_first_instant(zone: str, day: date, start: datetime) -> None:
    assert Clock.at(NOON, ZoneInfo(zone)).start_of(day) == start


@pytest.mark.parametrize(
    "zone", ["Europe/Rome", "America/Santiago", "Asia/Beirut", "Africa/Cairo", "Australia/Lord_Howe"]
)
def test_the_instant_before_a_day_belongs_to_the_day_before(zone: str) -> None:
    clock = Clock.at(NOON, ZoneInfo(zone))
    for ahead in range(800):
        day = date(2025, 1, 1) + timedelta(days=ahead)
        start = clock.start_of(day).astimezone(clock.timezone)
        before = (clock.start_of(day) - timedelta(seconds=1)).astimezone(clock.timezone)
        assert (start.date(), before.date()) == (day, day - timedelta(days=1))
