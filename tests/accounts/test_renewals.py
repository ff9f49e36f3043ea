"""What is up for renewal, what became of what was, and whose date has passed."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from accounts.changes import Changed, remember_changes
from accounts.models import Account, TraitDefinition
from accounts.renewals import (
    DueMonth,
    Fell,
    all_of,
    due_accounts,
    overdue_accounts,
    renewal_rates,
    renewals,
    sum_of,
)
from tests.world import Workspace, account, on

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
LONG_AGO = datetime(2025, 1, 10, tzinfo=UTC)
NOTHING = Fell()


@pytest.fixture
def paying(inside: Workspace) -> Workspace:
    for key, type, column in (("money", "currency", "mrr_cents"), ("renews", "date", "renewal_on")):
        TraitDefinition.objects.create(scope="account", key=key, label=key, type=type, column=column)
    return inside


def customer(name: str, mrr: int, *, since: datetime = LONG_AGO, **fields: Any) -> Account:
    return account(name, mrr_cents=mrr, now=since, **fields)


def changed(at: Account, field: str, before: Any, after: Any, *, when: datetime) -> None:
    remember_changes([Changed(field, before, after, "import:1", account_id=at.pk)], now=when)


def moved(at: Account, day: date, *, to: date | None = None, when: datetime = NOW - timedelta(days=3)) -> None:
    """Its renewal was on this day until then; `to` where it went at the time, if that is not where it is now."""
    after = to or at.renewal_on
    changed(at, "trait:renews", day.isoformat(), after and after.isoformat(), when=when)


def left(at: Account, *, when: datetime) -> None:
    changed(at, "lifecycle", "subscribed", "churned", when=when)


def rates(space: Workspace, over: int = 3, **more: Any) -> dict[str, Fell | None]:
    found = renewal_rates(tenant=space.tenant, over=over, now=NOW, **more)
    return {f"{month.first_day:%b}": month.fell for month in found}


def test_renewals_are_through_expected_or_at_risk_in_the_month_they_are_due(paying: Workspace) -> None:
    customer("Due", 10_00, renewal_on=on(28), health=80)
    customer("Ailing", 20_00, renewal_on=on(3, 12), health=20)
    moved(customer("Through", 30_00, renewal_on=on(5, 12, 2027)), on(5, 12))
    moved(customer("Corrected", 40_00, renewal_on=on(9, 1, 2027)), on(8, 1, 2027))
    customer("Far", 50_00, renewal_on=on(1, 6, 2027))

    found = {f"{due.first_day:%b}": due for due in renewals(tenant=paying.tenant, now=NOW)}
    assert list(found) == ["Nov", "Dec", "Jan", "Feb", "Mar", "Apr"]
    assert (found["Nov"].forecast, found["Nov"].total) == (10_00, 10_00)
    december = found["Dec"]
    assert (december.renewed, december.at_risk, december.accounts, december.accounts_at_risk) == (30_00, 20_00, 2, 1)
    assert (found["Jan"].renewed, found["Jan"].forecast) == (0, 40_00)
    assert found["Feb"].total == 0


def test_a_date_that_moved_step_by_step_or_moved_back_is_through_only_where_it_was_due_last(paying: Workspace) -> None:
    put_off = customer("Put off", 10_00, renewal_on=on(20, 12, 2027))
    moved(put_off, on(28), to=on(20, 12))
    moved(put_off, on(20, 12))
    taken_back = customer("Taken back", 30_00, renewal_on=on(15, 12))
    moved(taken_back, on(15, 12), to=on(15, 12, 2027))
    moved(taken_back, on(15, 12, 2027))

    found = {f"{due.first_day:%b}": due for due in renewals(tenant=paying.tenant, now=NOW)}
    assert found["Nov"].total == 0
    assert (found["Dec"].renewed, found["Dec"].forecast) == (10_00, 30_00)


def test_what_fell_due_renewed_left_or_is_open_by_what_was_paid_when_the_month_began(paying: Workspace) -> None:
    grew = customer("Renewed and grew", 90_00, renewal_on=on(5, 10, 2027))
    moved(grew, on(5, 10))
    changed(grew, "trait:money", 60_00, 90_00, when=datetime(2026, 10, 5, tzinfo=UTC))
    gone = customer("Left", 0, renewal_on=on(9, 10), lifecycle="churned")
    left(gone, when=datetime(2026, 10, 8, tzinfo=UTC))
    changed(gone, "trait:money", 25_00, 0, when=datetime(2026, 10, 8, tzinfo=UTC))
    without_a_date = customer("Left without a date", 5_00, lifecycle="churned")
    moved(without_a_date, on(20, 10))
    left(without_a_date, when=datetime(2026, 11, 2, tzinfo=UTC))
    customer("Overdue", 10_00, renewal_on=on(31, 10))

    october = rates(paying)["Oct"]
    assert october == Fell(renewed=60_00, left=30_00, open=10_00, accounts=4)
    assert (october.due, october.rate) == (100_00, 60.0)
    assert rates(paying)["Sep"] == NOTHING
    assert NOTHING.rate is None


def test_who_left_before_the_month_or_came_in_it_was_not_due_in_it(paying: Workspace) -> None:
    early = customer("Left early", 10_00, renewal_on=on(9, 10), lifecycle="churned")
    left(early, when=datetime(2026, 9, 20, tzinfo=UTC))
    customer("Came later", 20_00, since=datetime(2026, 10, 4, tzinfo=UTC), renewal_on=on(9, 10))
    customer("Archived", 30_00, renewal_on=on(9, 10), archived_at=NOW)
    customer("On trial", 40_00, renewal_on=on(9, 10), lifecycle="trialing")
    customer("This month", 50_00, renewal_on=on(3))

    assert rates(paying) == {"Aug": NOTHING, "Sep": NOTHING, "Oct": NOTHING}


def test_a_date_moved_on_does_not_renew_who_has_left_by_the_end_of_the_month(paying: Workspace) -> None:
    gone = customer("Moved on by itself", 10_00, renewal_on=on(9, 10, 2027), lifecycle="churned")
    moved(gone, on(9, 10))
    left(gone, when=datetime(2026, 10, 25, tzinfo=UTC))
    later = customer("Left after it renewed", 20_00, renewal_on=on(9, 10, 2027), lifecycle="churned")
    moved(later, on(9, 10))
    left(later, when=datetime(2026, 11, 10, tzinfo=UTC))

    assert rates(paying)["Oct"] == Fell(renewed=20_00, left=10_00, accounts=2)


def test_a_month_before_what_is_kept_is_not_known(paying: Workspace) -> None:
    customer("Overdue", 10_00, renewal_on=on(5, 9))
    paying.tenant.history_days = 80  # since 1 September, noon

    assert rates(paying) == {"Aug": None, "Sep": None, "Oct": NOTHING}
    months = renewal_rates(tenant=paying.tenant, over=3, now=NOW)
    assert all_of([*months, DueMonth(on(1), Fell(renewed=3, left=1, accounts=2))]) == Fell(3, 1, 0, 2)


def test_rates_are_told_of_some_people_s_accounts_only(paying: Workspace) -> None:
    customer("Hers", 10_00, renewal_on=on(5, 10), csm=paying.priya)
    moved(customer("His", 20_00, renewal_on=on(5, 10, 2027), csm=paying.tom), on(5, 10))

    assert rates(paying, csms=[paying.tom.pk])["Oct"] == Fell(renewed=20_00, accounts=1)
    assert rates(paying, csms=[paying.priya.pk])["Oct"] == Fell(open=10_00, accounts=1)
    assert rates(paying, csms=[])["Oct"] == NOTHING


def test_overdue_is_who_subscribes_though_the_day_has_passed(paying: Workspace) -> None:
    customer("Long ago", 10_00, renewal_on=on(5, 1, 2025), csm=paying.tom)
    customer("Yesterday", 20_00, renewal_on=on(19))
    customer("Today", 30_00, renewal_on=on(20))
    customer("Last of the sixth month", 40_00, renewal_on=on(30, 4, 2027))
    customer("Too far", 50_00, renewal_on=on(1, 5, 2027))
    customer("On trial", 60_00, renewal_on=on(5), lifecycle="trialing")
    customer("Left", 70_00, renewal_on=on(5), lifecycle="churned")

    asked: dict[str, Any] = {"tenant": paying.tenant, "now": NOW}
    names = [one.name for one in due_accounts(**asked).order_by("renewal_on")]
    assert names == ["Long ago", "Yesterday", "Today", "Last of the sixth month"]
    assert sum_of(overdue_accounts(**asked)) == (2, 30_00)
    assert sum_of(overdue_accounts(**asked, csms=[paying.tom.pk])) == (1, 10_00)
