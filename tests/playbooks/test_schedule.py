from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from playbooks.schedule import Activation, PlannedStep, due, instant, known_zone, next_time_of_day

ZONES = sorted(available_timezones() - {"localtime"})
YEARS = (datetime(2024, 1, 1), datetime(2028, 1, 1))  # noqa: DTZ001 - Hypothesis adds the zone
DAYS = st.dates(date(2024, 1, 1), date(2028, 12, 31))


def activation(**parts: object) -> Activation:
    known = {"at": datetime(2026, 11, 2, 12, tzinfo=UTC), "on": date(2026, 11, 2), "zone": "UTC", "action_hour": 9}
    return Activation(**(known | {"skip_weekends": False} | parts))  # type: ignore[arg-type]


def step(offset_days: int, anchor: str = "") -> PlannedStep:
    return PlannedStep(step_id=1, position=0, offset_days=offset_days, anchor=anchor, is_external=False)


def test_day_one_runs_at_once() -> None:
    assert due(step(0), activation()).at == datetime(2026, 11, 2, 12, tzinfo=UTC)


def test_day_four_falls_three_days_later_at_the_action_hour() -> None:
    assert due(step(3), activation()).at == datetime(2026, 11, 5, 9, tzinfo=UTC)


@settings(max_examples=2_000, deadline=None)
@given(zone=st.sampled_from(ZONES), day=DAYS, offset=st.integers(1, 400), hour=st.integers(0, 23))
def test_no_change_of_clocks_moves_a_step_to_another_day(zone: str, day: date, offset: int, hour: int) -> None:
    when = due(step(offset), activation(zone=zone, on=day, action_hour=hour))

    assert when.at is not None
    local = when.at.astimezone(ZoneInfo(zone))
    assert when.on == day + timedelta(days=offset)
    assert local.date() == when.on
    assert local.hour >= hour


@settings(max_examples=2_000, deadline=None)
@given(zone=st.sampled_from(ZONES), day=DAYS)
def test_nine_in_the_morning_exists_on_every_day_in_every_zone(zone: str, day: date) -> None:
    assert instant(day, time(9), zone).astimezone(ZoneInfo(zone)).replace(tzinfo=None) == datetime.combine(day, time(9))


def test_a_time_that_is_skipped_becomes_the_first_instant_after_the_gap() -> None:
    assert instant(date(2026, 3, 29), time(2, 30), "Europe/Paris") == datetime(2026, 3, 29, 1, 0, tzinfo=UTC)


def test_a_time_that_comes_twice_is_its_first() -> None:
    assert instant(date(2026, 10, 25), time(2, 30), "Europe/Paris") == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)


@pytest.mark.parametrize(("offset", "falls_on"), [(4, 9), (5, 9), (6, 9)])
def test_weekends_are_passed_over_where_the_playbook_says_so(offset: int, falls_on: int) -> None:
    begun_on_a_tuesday = activation(on=date(2026, 11, 3), skip_weekends=True)

    assert due(step(offset), begun_on_a_tuesday).on == date(2026, 11, falls_on)


def test_holidays_are_passed_over_with_the_weekends_and_not_without_them() -> None:
    friday_and_monday = {date(2026, 11, 6), date(2026, 11, 9)}
    begun = {"on": date(2026, 11, 3), "holidays": friday_and_monday}

    assert due(step(3), activation(skip_weekends=True, **begun)).on == date(2026, 11, 10)
    assert due(step(-1, "renewal_on"), activation(skip_weekends=True, **begun), date(2026, 11, 7)).on == date(
        2026, 11, 10
    )
    assert due(step(3), activation(**begun)).on == date(2026, 11, 6)


def test_an_anchored_step_counts_from_its_date() -> None:
    when = due(step(-30, "renewal_on"), activation(), date(2026, 12, 20))

    assert when.on == date(2026, 11, 20)


def test_an_anchored_step_waits_while_its_date_is_not_set() -> None:
    when = due(step(-30, "renewal_on"), activation(), None)

    assert when.at is None
    assert not when.past


def test_an_anchored_step_whose_day_was_over_before_the_start_is_past() -> None:
    assert due(step(-30, "renewal_on"), activation(), date(2026, 11, 20)).past


@pytest.mark.parametrize("odd", [None, "", "Mars/Olympus", "../etc/passwd", "x" * 300])
def test_an_unknown_zone_falls_back_to_the_workspaces(odd: str | None) -> None:
    assert known_zone(odd, otherwise="Europe/Berlin") == "Europe/Berlin"


@settings(max_examples=500, deadline=None)
@given(zone=st.sampled_from(ZONES), now=st.datetimes(*YEARS, timezones=st.just(UTC)))
def test_the_next_evaluation_is_always_ahead_and_never_more_than_two_days(zone: str, now: datetime) -> None:
    assert now < next_time_of_day(now, hour=6, zone=zone) <= now + timedelta(hours=49)
