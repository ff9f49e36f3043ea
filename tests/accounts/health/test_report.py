"""Health of many accounts at once: bands now and before, who moved, segments and plans, and what pulls down."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from accounts.changes import Changed, remember_changes
from accounts.health.report import Bands, Cost, Movers, by_plan, by_segment, costs, movers, over_time, standing
from accounts.models import Account, HealthMeasure, HealthReading, HealthScore, Segment
from accounts.segments.members import add_by_hand
from cs_platform.tenancy.context import tenant_context
from tests.accounts.health.test_grading import FEW, MANY, grade, measure, score
from tests.world import Workspace, account

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
TODAY = NOW.date()
LONG_AGO = datetime(2025, 1, 10, tzinfo=UTC)
ENDS = [date(2026, 8, 31), date(2026, 9, 30), date(2026, 10, 31)]


def customer(name: str, health: float | None = None, *, since: datetime = LONG_AGO, **fields: Any) -> Account:
    return account(name, health=health, now=since, **fields)


def read(at: Account, *values: tuple[date, float | None], score: HealthScore | None = None) -> None:
    last = max(day for day, _value in values)
    for day, value in values:
        HealthReading.objects.create(account=at, score=score, on=day, value=value, is_current=day == last)


def was(at: Account, lifecycle: str, until: datetime) -> None:
    remember_changes([Changed("lifecycle", lifecycle, "else", "import:1", account_id=at.pk)], now=until)


def then(inside: Workspace, **asked: Any) -> list[tuple[int, int, int, int]]:
    found = over_time(tenant=inside.tenant, days=ENDS, **asked)
    assert [one.day for one in found] == ENDS
    return [(one.bands.good, one.bands.watch, one.bands.risk, one.bands.unknown) for one in found]


# --- now --------------------------------------------------------------------------------------------------------------


def test_bands_are_the_same_as_everywhere_with_what_each_pays(inside: Workspace) -> None:
    for name, health, mrr in (("A", 75, 10), ("B", 74.9, 20), ("C", 50, 40), ("D", 49.9, None), ("E", None, 80)):
        customer(name, health, mrr_cents=mrr)
    customer("Left", 1, lifecycle="churned", mrr_cents=500)
    customer("Archived", 1, archived_at=NOW, mrr_cents=500)

    found = standing(tenant=inside.tenant)
    assert found.bands == Bands(1, 2, 1, 1, (75 + 74.9 + 50 + 49.9) / 4)
    assert found.mrr_cents == {"good": 10, "watch": 60, "risk": 0, "unknown": 80}
    assert [found.bands.share(band) for band in ("good", "watch", "risk", "unknown")] == [20, 40, 20, 20]


def test_a_scale_of_ten_has_its_bands_at_the_same_places(inside: Workspace) -> None:
    inside.tenant.health_scale = 10
    at = customer("A", 7.5)
    customer("B", 4.5)
    read(at, (ENDS[0], 7.5))

    assert standing(tenant=inside.tenant).bands == Bands(1, 0, 1, 0, 6)
    assert then(inside)[0] == (1, 0, 0, 1)


def test_nobody_has_no_average_and_no_shares(inside: Workspace) -> None:
    customer("A")

    bands = standing(tenant=inside.tenant).bands
    assert (bands.average, bands.share("good"), bands.share("unknown")) == (None, None, None)


# --- before -----------------------------------------------------------------------------------------------------------


def test_what_an_account_had_on_a_day_is_its_last_reading_until_then(inside: Workspace) -> None:
    read(customer("Before"), (date(2026, 3, 1), 10), (date(2026, 5, 1), 90))
    read(customer("On the day"), (date(2026, 5, 1), 90), (ENDS[1], 60), (ENDS[1] + timedelta(days=1), 20))
    read(customer("To and fro"), (date(2026, 9, 3), 90), (date(2026, 9, 9), 10), (date(2026, 10, 2), 55))
    read(customer("Lost it"), (date(2026, 8, 2), 90), (date(2026, 9, 9), None))
    read(customer("Later"), (date(2026, 11, 9), 90))

    assert then(inside) == [(3, 0, 0, 2), (1, 1, 1, 2), (1, 1, 1, 2)]
    averages = [one.bands.average for one in over_time(tenant=inside.tenant, days=ENDS)]
    assert averages == [90, pytest.approx((90 + 60 + 10) / 3), pytest.approx((90 + 20 + 55) / 3)]


def test_readings_of_single_scores_are_not_the_whole(inside: Workspace) -> None:
    of = HealthScore.objects.create(name="Usage", created_at=LONG_AGO)
    read(customer("A"), (date(2026, 5, 1), 90), score=of)

    assert then(inside) == [(0, 0, 0, 1)] * 3


def test_who_left_counts_until_then_and_who_came_from_then_on(inside: Workspace) -> None:
    left, back = customer("Left", lifecycle="churned"), customer("Back")
    never = customer("Never", lifecycle="ignored")
    new = customer("New", since=datetime(2026, 9, 30, 23, tzinfo=UTC))
    for at in (left, back, never):
        read(at, (date(2026, 3, 1), 10))
    read(new, (date(2026, 10, 1), 90))
    was(left, "subscribed", datetime(2026, 9, 15, tzinfo=UTC))
    was(back, "subscribed", datetime(2026, 9, 1, 8, tzinfo=UTC))
    was(back, "churned", datetime(2026, 10, 1, 0, tzinfo=UTC))

    assert then(inside) == [(0, 0, 2, 0), (0, 0, 0, 1), (1, 0, 1, 0)]


def test_days_end_where_the_workspace_is(inside: Workspace) -> None:
    inside.tenant.timezone = "America/Los_Angeles"
    customer("A", since=datetime(2026, 9, 1, 5, tzinfo=UTC))

    assert then(inside) == [(0, 0, 0, 1)] * 3


def test_no_day_is_asked_about_in_vain(inside: Workspace, django_assert_num_queries: Any) -> None:
    customer("A", 10)
    with django_assert_num_queries(0):
        assert over_time(tenant=inside.tenant, days=[]) == []
    with django_assert_num_queries(2):
        then(inside)


# --- who moved --------------------------------------------------------------------------------------------------------


def moved(inside: Workspace, **asked: Any) -> tuple[list[tuple[str, float, float]], list[tuple[str, float, float]]]:
    found: Movers = movers(tenant=inside.tenant, since=date(2026, 10, 1), **asked)
    fallen, risen = ([(one.account.name, one.before, one.after) for one in way] for way in (found.fallen, found.risen))
    return fallen, risen


def test_the_furthest_movers_come_first_against_the_day_before_the_time_began(inside: Workspace) -> None:
    for name, before, after in (("Down", 80, 70), ("Up", 20, 25), ("Far down", 80, 10), ("Far up", 20, 90)):
        at = customer(name, after, csm=inside.priya)
        read(at, (date(2026, 5, 1), 1), (date(2026, 9, 30), before), (date(2026, 10, 1), 50), (TODAY, after))
    read(customer("Same", 40), (date(2026, 5, 1), 40))
    read(customer("Left", 1, lifecycle="churned"), (date(2026, 5, 1), 90))
    read(customer("Unknown now"), (date(2026, 5, 1), 90), (TODAY, None))
    customer("Never read", 40)

    assert moved(inside) == ([("Far down", 80, 10), ("Down", 80, 70)], [("Far up", 20, 90), ("Up", 20, 25)])
    assert moved(inside, csms=[inside.tom.pk]) == ([], [])


def test_who_had_no_health_then_is_compared_with_the_first_one(inside: Workspace) -> None:
    read(customer("New", 90), (date(2026, 10, 3), 30), (date(2026, 11, 1), 90))
    read(customer("Unknown then", 10), (date(2026, 9, 1), None), (date(2026, 10, 9), 60), (TODAY, 10))

    assert moved(inside) == ([("Unknown then", 60, 10)], [("New", 30, 90)])


def test_only_so_many_are_shown_in_a_fixed_number_of_statements(
    inside: Workspace, django_assert_num_queries: Any
) -> None:
    for at in range(12):
        read(customer(f"A{at}", at), (date(2026, 5, 1), 90), (TODAY, at))
    with django_assert_num_queries(2):
        fallen, risen = moved(inside)
    assert ([after for _name, _before, after in fallen], risen) == (list(range(10)), [])


# --- segments and plans -----------------------------------------------------------------------------------------------


def test_segments_and_plans_are_told_apart_by_what_their_accounts_pay(inside: Workspace) -> None:
    a = customer("A", 90, mrr_cents=10, plan="Pro", csm=inside.priya)
    b = customer("B", 30, mrr_cents=90, plan="Basic")
    customer("C", mrr_cents=5, plan="Pro")
    left = customer("Left", 1, mrr_cents=900, plan="Gone", lifecycle="churned")
    strategic, old = (
        Segment.objects.create(scope="account", name=name, created_at=NOW) for name in ("Strategic", "Old")
    )
    for one in (strategic, old):
        add_by_hand(segment=one, subjects=[a.pk, b.pk, left.pk], by=inside.priya, now=NOW)
    Segment.objects.filter(pk=old.pk).update(archived_at=NOW)

    [found] = by_segment(tenant=inside.tenant)
    assert (found.id, found.name, found.mrr_cents) == (strategic.pk, "Strategic", 100)
    assert found.bands == Bands(1, 0, 1, 0, 60)
    plans = by_plan(tenant=inside.tenant)
    assert [(one.name, one.mrr_cents, one.bands.accounts, one.bands.average) for one in plans] == [
        ("Basic", 90, 1, 30),
        ("Pro", 15, 2, 90),
    ]
    assert [one.mrr_cents for one in by_segment(tenant=inside.tenant, csms=[inside.priya.pk])] == [10]
    assert [one.name for one in by_plan(tenant=inside.tenant, csms=[inside.priya.pk])] == ["Pro"]


# --- what pulls down --------------------------------------------------------------------------------------------------


def named(found: list[Cost]) -> dict[str, Cost]:
    return {one.measure.name: one for one in found}


def test_costs_and_the_average_add_up_to_the_scale(inside: Workspace) -> None:
    for users, plan, mrr in ((12, "Pro", 100), (5, "Basic", None), (1, "Pro", 0)):
        account(f"A{users}", user_count=users, plan=plan, mrr_cents=mrr)
    account("Not graded", lifecycle="churned", user_count=1)
    usage, money = score(inside, weight=3), score(inside, "Money")
    measure(inside, usage, "Users", MANY, FEW, weight=2)
    measure(inside, usage, "Plan", {"field": "plan", "op": "is", "value": "Pro"})
    measure(inside, money, "MRR", {"field": "mrr", "op": "more", "value": 50}, when_unknown="poor")

    found = costs(tenant=inside.tenant)
    average = standing(tenant=inside.tenant).bands.average
    assert average is not None
    assert sum(one.points for one in found) + average == pytest.approx(100, abs=0.01)
    by_name = named(found)
    assert [one.measure.name for one in found] == ["Users", "MRR", "Plan"]
    assert by_name["Users"].points == pytest.approx(100 * (0 + 0.5 + 1) * (3 / 4) * (2 / 3) / 3)
    assert (by_name["Users"].healthy, by_name["Users"].concerning, by_name["Users"].poor) == (1, 1, 1)
    assert (by_name["MRR"].healthy, by_name["MRR"].concerning, by_name["MRR"].unknown) == (1, 1, 1)


def test_what_is_left_out_costs_nothing_and_the_others_more(inside: Workspace) -> None:
    account("A", user_count=5)
    usage = score(inside)
    measure(inside, usage, "Users", MANY, FEW)
    measure(inside, usage, "MRR", {"field": "mrr", "op": "more", "value": 1}, weight=9)
    unknown = score(inside, "Unknown", weight=7)
    measure(inside, unknown, "Renews", {"field": "mrr", "op": "more", "value": 1})

    by_name = named(costs(tenant=inside.tenant))
    assert (by_name["Users"].points, by_name["MRR"].points, by_name["MRR"].unknown) == (50, 0, 1)
    assert "Renews" not in by_name


def test_measures_that_are_gone_and_scores_that_are_archived_cost_nothing(inside: Workspace) -> None:
    account("A", user_count=5)
    gone = measure(inside, score(inside), "Gone", MANY, FEW)
    HealthMeasure.objects.filter(pk=gone.pk).delete()
    archived = score(inside, "Archived")
    measure(inside, archived, "Users", MANY, FEW)
    HealthScore.objects.filter(pk=archived.pk).update(archived_at=NOW)

    assert costs(tenant=inside.tenant) == []


def test_a_team_is_told_of_its_accounts_only(inside: Workspace) -> None:
    account("Hers", user_count=5, csm=inside.priya)
    account("His", user_count=12, csm=inside.tom)
    measure(inside, score(inside), "Users", MANY, FEW)
    grade(inside)

    assert [one.points for one in costs(tenant=inside.tenant, csms=[inside.priya.pk])] == [50]
    assert [one.points for one in costs(tenant=inside.tenant, csms=[inside.tom.pk])] == [0]
    assert standing(tenant=inside.tenant, csms=[]).bands == Bands()
    HealthReading.objects.filter(score=None).update(on=ENDS[0])
    Account.objects.update(created_at=LONG_AGO)
    assert then(inside, csms=[inside.tom.pk]) == [(1, 0, 0, 0)] * 3


def test_another_workspaces_accounts_are_not_told_of(inside: Workspace, halyard: Workspace) -> None:
    with tenant_context(halyard.tenant.pk):
        read(customer("Theirs", 10, plan="Pro"), (date(2026, 5, 1), 90))
        account("More", user_count=5)
        measure(halyard, score(halyard), "Users", MANY, FEW)

    assert standing(tenant=inside.tenant).bands.accounts == 0
    assert then(inside) == [(0, 0, 0, 0)] * 3
    assert moved(inside) == ([], [])
    assert (by_plan(tenant=inside.tenant), costs(tenant=inside.tenant)) == ([], [])
