"""What stayed of revenue, read off the history of values; who has how much."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from accounts.changes import Changed, remember_changes
from accounts.models import Account, TraitDefinition
from accounts.revenue import RetainedMonth, books, months_until, retention
from tests.world import Workspace, account

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
LONG_AGO = datetime(2025, 1, 10, tzinfo=UTC)


@pytest.fixture
def paying(inside: Workspace) -> Workspace:
    for key, type, column in (("money", "currency", "mrr_cents"), ("renews", "date", "renewal_on")):
        TraitDefinition.objects.create(scope="account", key=key, label=key, type=type, column=column)
    return inside


def customer(name: str, mrr: int, *, since: datetime = LONG_AGO, **fields: Any) -> Account:
    return account(name, mrr_cents=mrr, now=since, **fields)


def was(at: Account, before: Any, *, until: datetime, field: str = "trait:money") -> None:
    """What a value was until then."""
    remember_changes([Changed(field, before, "else", "import:1", account_id=at.pk)], now=until)


def by_month(inside: Workspace, over: int = 12, **more: Any) -> dict[str, RetainedMonth]:
    found = retention(tenant=inside.tenant, over=over, now=NOW, **more)
    assert [month.first_day for month in found] == months_until(NOW.date(), 12)
    return {f"{month.first_day:%b}": month for month in found}


def test_what_stayed_grew_shrank_and_left_is_told_month_by_month(paying: Workspace) -> None:
    customer("Steady", 100_00)
    grew, shrank, left = (
        customer("Grew", 300_00),
        customer("Shrank", 50_00),
        customer("Left", 200_00, lifecycle="churned"),
    )
    customer("New", 900_00, since=NOW - timedelta(days=40))
    customer("On trial", 70_00, lifecycle="trialing")
    was(grew, 100_00, until=datetime(2026, 6, 15, tzinfo=UTC))
    was(shrank, 100_00, until=datetime(2026, 10, 2, tzinfo=UTC))
    was(left, "subscribed", until=datetime(2026, 9, 30, 23, tzinfo=UTC), field="lifecycle")

    found = by_month(paying)
    now = found["Nov"].whole
    assert (now.base, now.net, now.gross) == (500_00, 450_00, 250_00)
    assert (now.net_share, now.gross_share) == (90.0, 50.0)
    assert (found["May"].whole.net_share, found["Jun"].whole.net_share) == (100.0, 140.0)
    assert (found["Aug"].whole.gross_share, found["Sep"].whole.gross_share) == (100.0, 60.0)
    assert by_month(paying, over=1)["Oct"].whole.net_share == 90.0


def test_a_month_before_anybody_paid_or_before_what_is_kept_has_no_base(paying: Workspace) -> None:
    customer("Young", 100_00, since=datetime(2026, 4, 3, tzinfo=UTC))
    assert [month.whole.base for month in by_month(paying).values()] == [0] * 12
    assert [month.whole.net_share for month in by_month(paying, over=6).values()] == [None] * 10 + [100.0] * 2

    customer("Old", 100_00)
    paying.tenant.history_days = 400
    assert [bool(month.whole.base) for month in by_month(paying).values()] == [False] * 10 + [True] * 2


def test_a_value_that_went_up_and_down_again_is_what_it_was_at_each_moment(paying: Workspace) -> None:
    moved = customer("Moved", 100_00)
    was(moved, 100_00, until=datetime(2026, 3, 10, tzinfo=UTC))
    was(moved, 400_00, until=datetime(2026, 5, 10, tzinfo=UTC))

    shares = {name: month.whole.net_share for name, month in by_month(paying, over=1).items()}
    assert (shares["Feb"], shares["Mar"], shares["Apr"], shares["May"], shares["Jun"]) == (100, 400, 100, 25, 100)


def test_a_team_is_told_of_its_accounts_only_and_books_are_told_apart(paying: Workspace) -> None:
    customer("Hers", 100_00, csm=paying.priya, health=90)
    customer("His", 50_00, csm=paying.tom, health=10)
    customer("Nobody's", 20_00)

    now = by_month(paying)["Nov"]
    assert {id: one.base for id, one in now.by_csm.items()} == {
        paying.priya.pk: 100_00,
        paying.tom.pk: 50_00,
        None: 20_00,
    }
    assert by_month(paying, csms=[paying.tom.pk])["Nov"].whole.base == 50_00
    assert by_month(paying, csms=[])["Nov"].whole.base == 0
    found = {one.csm_id: (one.accounts, one.mrr_cents, one.good, one.risk) for one in books(tenant=paying.tenant)}
    assert found == {paying.priya.pk: (1, 100_00, 1, 0), paying.tom.pk: (1, 50_00, 0, 1), None: (1, 20_00, 0, 0)}
