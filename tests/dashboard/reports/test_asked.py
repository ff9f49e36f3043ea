"""What a report is asked for: the steps of its time."""

from datetime import UTC, date, datetime
from typing import Any

import pytest

from cs_platform.dashboard.reports.asked import PERIODS, Asked
from cs_platform.tenancy.models import Tenant

NOVEMBER = datetime(2026, 11, 20, 12, tzinfo=UTC)


def asked(now: datetime = NOVEMBER, *, zone: str = "UTC", **parts: Any) -> Asked:
    return Asked(Tenant(timezone=zone), now, **parts)


def test_a_short_time_goes_by_weeks_that_begin_with_it() -> None:
    """The 1st was a Sunday."""
    month = asked(months=1)

    assert month.steps == [date(2026, 11, day) for day in (1, 2, 9, 16)]
    assert (month.step, month.step_words[:2]) == ("week", ["1 Nov", "2 Nov"])
    assert asked(datetime(2026, 11, 1, tzinfo=UTC), months=1).steps == [date(2026, 11, 1)]


def test_a_long_time_goes_by_months() -> None:
    half = asked(months=6)

    assert half.steps == [date(2026, month, 1) for month in range(6, 12)]
    assert (half.step, half.step_words) == ("month", ["Jun", "Jul", "Aug", "Sep", "Oct", "Nov"])


def test_a_month_alone_is_this_one_in_words_and_in_days() -> None:
    """On its first day it is that day, and does not pass for the month before."""
    first = asked(datetime(2026, 12, 1, 12, tzinfo=UTC), months=1)

    assert (first.period, first.during) == ("This month", "this month")
    assert (first.since, first.steps) == (datetime(2026, 12, 1, tzinfo=UTC), [date(2026, 12, 1)])


def test_several_months_are_this_one_and_those_before_it() -> None:
    quarter = asked(months=3)

    assert (quarter.period, quarter.during) == ("Last 3 months", "in the last 3 months")
    assert quarter.since == datetime(2026, 9, 1, tzinfo=UTC)


@pytest.mark.parametrize("months", PERIODS)
@pytest.mark.parametrize("zone", ["UTC", "Pacific/Kiritimati", "America/New_York"])
def test_steps_begin_with_the_time_and_end_today(months: int, zone: str) -> None:
    for day in range(1, 31):
        one = asked(datetime(2026, 11, day, 12, tzinfo=UTC), months=months, zone=zone)

        assert one.starts[0] == one.since
        assert all(earlier < later for earlier, later in zip(one.starts, one.starts[1:], strict=False))
        assert one.starts[-1] <= one.now
        assert (one.today - one.steps[-1]).days < (31 if months > 3 else 7)
