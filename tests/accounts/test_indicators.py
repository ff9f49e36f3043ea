"""What people do about indicators."""

from collections.abc import Iterator

import pytest

from accounts.models import Account, Indicator, TimelineEntry
from cs_platform.tenancy.context import tenant_context
from tests import world
from tests.world import MONDAY, Workspace


@pytest.fixture
def orbiton(db: None) -> Iterator[Workspace]:
    space = world.workspace("orbiton")
    with tenant_context(space.tenant.pk):
        yield space


@pytest.fixture
def harbour(orbiton: Workspace) -> Account:
    return world.account()


def raised(harbour: Account, orbiton: Workspace) -> Indicator:
    return Indicator.raise_on(harbour, kind="risk", title="At risk", by=orbiton.priya, now=MONDAY)


def test_raising_twice_is_one_indicator_with_both_claims(orbiton: Workspace, harbour: Account) -> None:
    first = raised(harbour, orbiton)
    second = Indicator.raise_on(harbour, kind="risk", title="At risk", by=orbiton.tom, now=MONDAY)

    assert first == second
    assert sorted(first.claims.values_list("source", flat=True)) == sorted([orbiton.priya.actor, orbiton.tom.actor])
    assert TimelineEntry.objects.get().text == "Risk raised: At risk"


@pytest.mark.parametrize(("verb", "state"), [("address", "addressed"), ("end", "ended")])
def test_settling_says_who_and_closes_every_claim(orbiton: Workspace, harbour: Account, verb: str, state: str) -> None:
    indicator = raised(harbour, orbiton)

    assert getattr(indicator, verb)(by=orbiton.tom, now=MONDAY) is True
    assert getattr(indicator, verb)(by=orbiton.maya, now=MONDAY) is False

    fresh = Indicator.objects.get()
    assert (fresh.state, fresh.settled_by, fresh.settled_at) == (state, orbiton.tom.actor, MONDAY)
    assert not fresh.claims.filter(ended_at=None).exists()


def test_reopening_takes_it_back_under_ones_own_claim(orbiton: Workspace, harbour: Account) -> None:
    indicator = raised(harbour, orbiton)
    indicator.address(by=orbiton.tom, now=MONDAY)

    assert indicator.reopen(by=orbiton.maya, now=MONDAY) is True
    assert indicator.reopen(by=orbiton.maya, now=MONDAY) is False

    fresh = Indicator.objects.get()
    assert (fresh.state, fresh.settled_by, fresh.settled_at) == ("active", "", None)
    assert fresh.claims.get(ended_at=None).source == orbiton.maya.actor


def test_reopening_gives_way_to_one_raised_since(orbiton: Workspace, harbour: Account) -> None:
    old = raised(harbour, orbiton)
    old.end(by=orbiton.tom, now=MONDAY)
    raised(harbour, orbiton)

    assert old.reopen(by=orbiton.tom, now=MONDAY) is False
