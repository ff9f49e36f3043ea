"""What customers of the demo do of themselves: the same in every load, once, and for good."""

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Any

import pytest

from accounts.ingest import ingest_calls
from accounts.models import Account
from accounts.sources import EXPORTS
from cs_platform.demo.customers import Customers
from cs_platform.tenancy.context import tenant_context
from playbooks.enrollment import apply_by_hand
from playbooks.models import Withheld
from tests.world import MONDAY, Workspace, account, days, live, playbook_json, user, workspace

DUE = MONDAY.date() + timedelta(days=20)


@pytest.fixture
def inside(db: None) -> Iterator[Workspace]:
    with tenant_context((home := workspace("orbiton")).tenant.pk):
        yield home


def looked_after(inside: Workspace) -> list[Account]:
    """Half of a hundred have the playbook, the others were left out."""
    runway = live(playbook_json("renewal-runway"))
    found = [account(f"Account {n:02}", renewal_on=DUE) for n in range(100)]
    for n, one in enumerate(found):
        user(f"User {n}", one)
        if n % 2:
            apply_by_hand(playbook=runway, account=one, by="person:1", now=MONDAY)
        else:
            row: dict[str, Any] = {"playbook": runway, "version": runway.version, "account": one}
            Withheld.objects.create(**row, matched_at=MONDAY)
    return found


def lived(customers: Customers, number: int) -> list[dict[str, Any]]:
    found = []
    for n in range(number):
        at: datetime = MONDAY + days(n)
        found += customers.act(at.date(), at=at)
    return found


def test_some_sign_early_each_once_and_those_with_the_playbook_more_often(inside: Workspace) -> None:
    looked_after(inside)
    calls = lived(Customers(), 28)

    signed = [call["groupId"] for call in calls]
    assert 50 < len(signed) == len(set(signed)) < 100
    assert {call["traits"]["renewal_date"] for call in calls} == {(DUE + timedelta(days=365)).isoformat()}
    odd = sum(int(id[-2:]) % 2 for id in signed)
    assert odd > len(signed) - odd
    assert [call["groupId"] for call in lived(Customers(), 28)] == signed


def test_their_calls_are_taken_in_and_the_export_does_not_unsay_them(inside: Workspace) -> None:
    looked_after(inside)
    customers = Customers()
    [first, *_rest] = lived(customers, 28)
    ingest_calls([first], tenant=inside.tenant, source=EXPORTS, now=MONDAY + days(50))
    assert Account.objects.get(external_id=first["groupId"]).renewal_on == DUE + timedelta(days=365)

    told = {"type": "group", "groupId": first["groupId"], "traits": {"renewal_date": str(DUE), "plan": "Pro"}}
    other = told | {"groupId": "somebody"}
    assert customers.as_they_are([told, other, "no call"]) == [told | {"traits": {"plan": "Pro"}}, other, "no call"]


def test_nobody_signs_long_before_or_after_it_is_due(inside: Workspace) -> None:
    looked_after(inside)
    for due in (MONDAY.date() + timedelta(days=200), date(2026, 1, 1)):
        Account.objects.update(renewal_on=due)
        assert lived(Customers(), 30) == []
