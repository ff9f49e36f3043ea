"""Rules ask how another playbook stands: under way, finished, stopped, never applied; since when; how far."""

from typing import Any
from zoneinfo import ZoneInfo

import pytest

from accounts.fields import workspace_fields
from accounts.models import Account
from accounts.rules.compile import Audience, matching_users, predicate
from accounts.rules.fields import Subject
from accounts.rules.grammar import parse
from accounts.rules.sql import Clock
from cs_platform.common.statements import fetch
from playbooks.models import Playbook
from playbooks.undo import request_stop
from tests.world import (
    MONDAY,
    Workspace,
    account,
    apply_now,
    days,
    enrolled,
    evaluate,
    live,
    playbook_json,
    raise_risk,
    tick,
    user,
)

PRO = {"account": {"field": "plan", "op": "is", "value": "Pro"}}


@pytest.fixture
def rescue(inside: Workspace) -> Playbook:
    """Under way on A, finished on B, stopped on C, never applied on D."""
    playbook = live(playbook_json("rescue", rules=PRO, steps=[raise_risk(), raise_risk(3, key="later")]))
    for name in "ABC":
        account(name, plan="Pro")
    account("D", plan="Basic")
    apply_now(playbook, Account.objects.get(name="B"), now=MONDAY - days(9), until=MONDAY - days(1))
    evaluate(inside.tenant, now=MONDAY)
    tick(now=MONDAY)
    request_stop(enrolled(playbook, Account.objects.get(name="C")), by=inside.priya, now=MONDAY)
    tick(now=MONDAY)
    return playbook


def matching(space: Workspace, written: dict[str, Any]) -> set[str]:
    rule = parse(written, fields=workspace_fields(), subject=Subject.ACCOUNT)
    where = predicate(rule, tenant_id=space.tenant.pk, clock=clock())
    return set(Account.objects.where(where).values_list("name", flat=True))


def clock() -> Clock:
    return Clock.at(MONDAY, ZoneInfo("UTC"))


@pytest.mark.parametrize(
    ("written", "names"),
    [
        ({"field": "playbook:rescue", "op": "is", "value": "active"}, {"A"}),
        ({"field": "playbook:rescue", "op": "is", "value": "finished"}, {"B"}),
        ({"field": "playbook:rescue", "op": "is", "value": "stopped"}, {"C"}),
        ({"field": "playbook:rescue", "op": "is", "value": "never"}, {"D"}),
        ({"field": "playbook:rescue", "op": "is_not", "value": "never"}, {"A", "B", "C"}),
        ({"field": "playbook:rescue", "op": "is_none_of", "value": ["active", "finished"]}, {"C", "D"}),
        ({"field": "playbook_applied:rescue", "op": "on", "value": "2026-11-02"}, {"A", "C"}),
        ({"field": "playbook_applied:rescue", "op": "not_set"}, {"D"}),
        ({"field": "playbook_progress:rescue", "op": "equal", "value": 50}, {"A", "C"}),
        ({"field": "playbook_progress:rescue", "op": "at_least", "value": 100}, {"B"}),
    ],
)
def test_accounts_match_by_how_a_playbook_stands(
    inside: Workspace, rescue: Playbook, written: dict[str, Any], names: set[str]
) -> None:
    assert matching(inside, written) == names


def test_one_under_way_outshines_those_before(inside: Workspace, rescue: Playbook) -> None:
    apply_now(rescue, Account.objects.get(name="B"), now=MONDAY)

    assert matching(inside, {"field": "playbook:rescue", "op": "is", "value": "active"}) == {"A", "B"}


def test_users_match_by_a_playbook_about_users_alone(inside: Workspace, rescue: Playbook) -> None:
    ada, bo = user("Ada", Account.objects.get(name="A"), role="admin"), user("Bo", Account.objects.get(name="A"))
    admins = {"account": None, "user": {"field": "role", "op": "is", "value": "admin"}}
    live(playbook_json("welcome", audience="users", rules=admins))
    evaluate(inside.tenant, now=MONDAY)
    never = {"field": "playbook:welcome", "op": "is", "value": "never"}
    audience = Audience(None, parse(never, fields=workspace_fields(), subject=Subject.USER))

    select = matching_users(audience, tenant_id=inside.tenant.pk, clock=clock())
    found = {end_user for _account, end_user in fetch(select.text, select.params)}

    assert found == {bo.pk} != {ada.pk}
    assert workspace_fields().find(Subject.USER, "playbook:rescue") is None


def test_a_playbook_that_is_not_there_is_no_field(inside: Workspace) -> None:
    assert workspace_fields().find(Subject.ACCOUNT, "playbook:nothing") is None


def test_fields_cost_one_query_however_many_playbooks_there_are(
    inside: Workspace, django_assert_num_queries: Any
) -> None:
    for number in range(3):
        live(playbook_json(f"book-{number}"))
    fields = workspace_fields()

    with django_assert_num_queries(1):
        assert all(fields.find(Subject.ACCOUNT, f"playbook:book-{number}") for number in range(3))
