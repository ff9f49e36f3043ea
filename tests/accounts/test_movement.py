"""How far a book moved: revenue since the quarter began, accounts at risk since a week ago."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from accounts.changes import Changed, remember_changes
from accounts.models import Account, HealthReading, TraitDefinition
from accounts.movement import Moved, moved, quarter_of
from tests.world import Workspace, account

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
QUARTER = datetime(2026, 10, 1, tzinfo=UTC)
WEEK_AGO = date(2026, 11, 13)
LONG_AGO = datetime(2025, 1, 10, tzinfo=UTC)


@pytest.fixture
def feeding(inside: Workspace) -> Workspace:
    TraitDefinition.objects.create(scope="account", key="money", label="Money", type="currency", column="mrr_cents")
    return inside


def customer(name: str, mrr: int = 0, *, since: datetime = LONG_AGO, **fields: Any) -> Account:
    return account(name, mrr_cents=mrr, now=since, **fields)


def was(at: Account, field: str, before: Any, *, until: datetime) -> None:
    remember_changes([Changed(field, before, "else", "import:1", account_id=at.pk)], now=until)


def since(inside: Workspace, csm: Any = None) -> Moved:
    return moved(tenant=inside.tenant, csm_id=csm and csm.pk, quarter=QUARTER, week=WEEK_AGO, now=NOW)


def revenue(inside: Workspace, csm: Any = None) -> int | None:
    return since(inside, csm).mrr_cents


def test_a_quarter_begins_in_january_april_july_or_october() -> None:
    firsts = [quarter_of(date(2026, month, 20)).month for month in range(1, 13)]

    assert firsts == [1, 1, 1, 4, 4, 4, 7, 7, 7, 10, 10, 10]


def test_revenue_that_came_and_went_is_told_and_what_stayed_is_not(feeding: Workspace) -> None:
    customer("Steady", 100_00)
    customer("New", 40_00, since=QUARTER + timedelta(days=3))
    was(customer("Grew", 300_00), "trait:money", 250_00, until=QUARTER + timedelta(days=2))
    was(customer("Left", 70_00, lifecycle="churned"), "lifecycle", "subscribed", until=QUARTER + timedelta(days=9))
    was(customer("Long gone", 70_00, lifecycle="churned"), "lifecycle", "subscribed", until=QUARTER - timedelta(days=9))

    assert revenue(feeding) == 40_00 + 50_00 - 70_00


def test_the_first_change_of_a_quarter_says_what_it_began_with(feeding: Workspace) -> None:
    twice = customer("Twice", 300_00)
    was(twice, "trait:money", 100_00, until=QUARTER + timedelta(days=1))
    was(twice, "trait:money", 900_00, until=QUARTER + timedelta(days=5))

    assert revenue(feeding) == 200_00


def test_revenue_is_told_of_a_book(feeding: Workspace) -> None:
    customer("Theirs", 100_00, csm=feeding.tom)
    customer("Mine", 100_00, csm=feeding.priya)
    customer("Mine too", 30_00, csm=feeding.priya, since=QUARTER + timedelta(days=3))

    assert (revenue(feeding, feeding.priya), revenue(feeding, feeding.tom)) == (30_00, 0)


def test_without_a_history_nothing_is_told(feeding: Workspace) -> None:
    customer("New", 40_00, since=QUARTER + timedelta(days=3))
    assert revenue(feeding) is None

    customer("Old", 40_00)
    assert revenue(feeding) == 40_00
    feeding.tenant.history_days = 30
    assert revenue(feeding) is None


# --- at risk ----------------------------------------------------------------------------------------------------------


def reading(of: Account, value: float, on: date, *, current: bool = True) -> None:
    HealthReading.objects.create(account=of, on=on, value=value, is_current=current)


def went(inside: Workspace, name: str, before: float, after: float, **fields: Any) -> None:
    one = customer(name, health=after, **fields)
    reading(one, before, WEEK_AGO - timedelta(days=20), current=False)
    reading(one, after, WEEK_AGO + timedelta(days=2))


def test_accounts_that_came_into_bad_health_count_up_and_those_out_of_it_down(inside: Workspace) -> None:
    went(inside, "Fell", 80, 20)
    went(inside, "Fell too", 80, 20, csm=inside.priya)
    went(inside, "Rose", 20, 80)
    went(inside, "Fell within", 30, 20)

    assert (since(inside).at_risk, since(inside, inside.priya).at_risk) == (1, 1)


def test_what_was_low_before_or_has_no_past_has_not_moved(inside: Workspace) -> None:
    reading(customer("Low all along", health=10.0), 10, WEEK_AGO - timedelta(days=30))
    reading(customer("New and low", health=10.0), 10, WEEK_AGO + timedelta(days=1))

    assert since(inside).at_risk == 0
