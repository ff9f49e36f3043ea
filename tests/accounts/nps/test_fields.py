"""What rules ask about answers, against hand-counted cases; thousands of rules meet them in rules/test_agreement.py."""

from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.db import connection

from accounts.fields import workspace_fields
from accounts.models import EndUser, NpsResponse
from accounts.rules.compile import Audience, matching_accounts, matching_users
from accounts.rules.describe import describe
from accounts.rules.grammar import parse_pair
from accounts.rules.sql import Clock, Sql
from tests.world import MONDAY, account, days, user

from .conftest import Scene


def rows(sql: Sql) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(sql.text, sql.params)
        return cursor.fetchall()


def audience(account: Any = None, user: Any = None) -> Audience:
    return Audience(*parse_pair(account, user, fields=workspace_fields()), None)


@pytest.fixture
def answers(scene: Scene) -> dict[str, int]:
    """Harbourline at 0 (9 and 4, each user's last), Calyx at 100, Silent without any."""
    ben, cora = user("Ben", scene.at), user("Cora", account("Calyx"))
    silent = account("Silent")
    user("Dan", silent)
    for who, score, age in ((scene.ines, 1, 100), (scene.ines, 9, 3), (ben, 4, 40), (cora, 10, 0)):
        at = who.account_users.get().account
        NpsResponse.objects.create(end_user=who, account=at, score=score, answered_at=MONDAY - days(age), source="s")
    calyx = cora.account_users.get().account
    return {"Harbourline": scene.at.pk, "Calyx": calyx.pk, "Silent": silent.pk}


ACCOUNTS = [
    ({"field": "nps", "op": "equal", "value": 0}, {"Harbourline"}),
    ({"field": "nps", "op": "more", "value": 50}, {"Calyx"}),
    ({"field": "nps", "op": "not_equal", "value": 0}, {"Calyx", "Silent"}),
    ({"field": "nps", "op": "not_set"}, {"Silent"}),
    ({"field": "nps_answered_at", "op": "less_than_days_ago", "value": 2}, {"Calyx"}),
    ({"field": "nps_answered_at", "op": "within_last_days", "value": 3}, {"Calyx", "Harbourline"}),
]
USERS = [
    ({"field": "nps_score", "op": "at_most", "value": 6}, {"Ben"}),
    ({"field": "nps_score", "op": "equal", "value": 1}, set()),
    ({"field": "nps_score", "op": "not_set"}, {"Dan"}),
    ({"field": "nps_answered_at", "op": "more_than_days_ago", "value": 30}, {"Ben"}),
]


@pytest.mark.parametrize(("rule", "names"), ACCOUNTS)
def test_accounts_are_found_by_score_and_last_answer(
    scene: Scene, answers: dict[str, int], rule: dict[str, Any], names: set[str]
) -> None:
    where = {"tenant_id": scene.home.tenant.pk, "clock": Clock.at(MONDAY, ZoneInfo("UTC"))}
    found = {pk for (pk,) in rows(matching_accounts(audience(account=rule), **where))}  # type: ignore[arg-type]
    assert found == {answers[name] for name in names}


@pytest.mark.parametrize(("rule", "names"), USERS)
def test_users_are_found_by_their_last_answer(
    scene: Scene, answers: dict[str, int], rule: dict[str, Any], names: set[str]
) -> None:
    where = {"tenant_id": scene.home.tenant.pk, "clock": Clock.at(MONDAY, ZoneInfo("UTC"))}
    found = {pk for _, pk in rows(matching_users(audience(user=rule), **where))}  # type: ignore[arg-type]
    assert {one.name for one in EndUser.objects.filter(pk__in=found)} == names


def test_they_are_said_in_words(scene: Scene) -> None:
    asked = audience(account=ACCOUNTS[1][0], user=USERS[0][0])
    assert asked.account is not None
    assert asked.user is not None
    assert (describe(asked.account), describe(asked.user)) == ("NPS is more than 50", "Last NPS score is at most 6")
