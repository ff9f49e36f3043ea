"""Rules ask about an account's CTAs: accounts without any have none open, and count."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from accounts.fields import workspace_fields
from accounts.models import Account
from accounts.rules.compile import predicate
from accounts.rules.fields import Subject
from accounts.rules.grammar import parse
from accounts.rules.sql import Clock
from cs_platform.tenancy.context import tenant_context
from ctas.models import Cta
from tests import world
from tests.world import MONDAY, Workspace

TODAY = MONDAY.date()


@pytest.fixture
def orbiton(db: None) -> Iterator[Workspace]:
    space = world.workspace("orbiton")
    with tenant_context(space.tenant.pk):
        busy, calm = world.account("Busy"), world.account("Calm")
        world.account("Idle")
        open_cta(busy, "risk", due=TODAY - timedelta(days=1)), open_cta(busy, "activity", due=TODAY)
        open_cta(calm, "activity", due=TODAY + timedelta(days=5))
        open_cta(calm, "risk", due=TODAY - timedelta(days=9), status="won")
        open_cta(calm, "risk", due=TODAY - timedelta(days=9), archived_at=MONDAY)
        yield space


def open_cta(account: Account, type: str, *, due: Any, **more: Any) -> None:
    made = {"name": "Call", "created_at": MONDAY, "created_by": "person:1"}
    Cta.objects.create(account=account, type=type, due_on=due, **made, **more)


def matching(space: Workspace, written: dict[str, Any]) -> set[str]:
    rule = parse(written, fields=workspace_fields(), subject=Subject.ACCOUNT)
    where = predicate(rule, tenant_id=space.tenant.pk, clock=Clock.at(MONDAY, ZoneInfo("UTC")))
    return set(Account.objects.where(where).values_list("name", flat=True))


@pytest.mark.parametrize(
    ("written", "names"),
    [
        ({"field": "open_ctas", "op": "equal", "value": 2}, {"Busy"}),
        ({"field": "open_ctas", "op": "less", "value": 1}, {"Idle"}),
        ({"field": "open_ctas", "op": "not_equal", "value": 1}, {"Busy", "Idle"}),
        ({"field": "open_ctas:risk", "op": "at_least", "value": 1}, {"Busy"}),
        ({"field": "overdue_ctas", "op": "more", "value": 0}, {"Busy"}),
        ({"field": "next_cta_due_on", "op": "within_next_days", "value": 7}, {"Calm"}),
        ({"field": "next_cta_due_on", "op": "not_set"}, {"Idle"}),
    ],
)
def test_accounts_match_by_their_open_ctas(orbiton: Workspace, written: dict[str, Any], names: set[str]) -> None:
    assert matching(orbiton, written) == names


def test_users_have_no_ctas_of_their_own(orbiton: Workspace) -> None:
    assert workspace_fields().find(Subject.USER, "open_ctas") is None
