"""Asking about a rule over the API: whether it is one, who it is about, who nearly, and why."""

from typing import Any

import pytest

from accounts.models import Account
from cs_platform.tenancy.context import tenant_context
from tests.rest.client import Api
from tests.world import Workspace, account, user

PRO = {"field": "plan", "op": "is", "value": "Pro"}
RICH = {"field": "mrr", "op": "more", "value": 5_000}
ADMIN = {"field": "role", "op": "is", "value": "admin"}


@pytest.fixture
def three(orbiton: Workspace) -> dict[str, Account]:
    with tenant_context(orbiton.tenant.pk):
        ada = account("Ada", plan="Pro", mrr_cents=10_000)
        bob = account("Bob", plan="Pro", mrr_cents=100)
        cyd = account("Cyd", plan="Free", lifecycle="churned", mrr_cents=10_000)
        user("Ines", ada, role="admin")
        user("Joe", bob, role="viewer")
    return {"Ada": ada, "Bob": bob, "Cyd": cyd}


def check(api: Api, **question: Any) -> Any:
    return api.post("/rules/check/", question)


def test_a_rule_is_checked_with_who_matches_and_who_nearly(api: Api, three: dict[str, Account]) -> None:
    answer = check(api, rules={"account": {"all": [PRO, RICH]}}).json

    assert answer["sentence"] == "Plan is Pro and MRR is more than $50"
    assert (answer["count"], answer["is_complete"]) == (1, True)
    assert [one["account"]["name"] for one in answer["examples"]] == ["Ada"]
    near = {one["account"]["name"]: one["missing"] for one in answer["near_misses"]}
    assert near == {
        "Bob": [{"sentence": "MRR is more than $50", "value": "$1"}],
        "Cyd": [{"sentence": "Plan is Pro", "value": "Free"}],
    }


def test_lifecycles_narrow_the_question(api: Api, three: dict[str, Account]) -> None:
    answer = check(api, rules={"account": {"all": [PRO, RICH]}}, lifecycles=["subscribed"]).json

    assert [one["account"]["name"] for one in answer["near_misses"]] == ["Bob"]


def test_users_are_asked_about_at_their_accounts(api: Api, three: dict[str, Account]) -> None:
    answer = check(api, rules={"account": PRO, "user": ADMIN}, audience="users").json

    assert answer["count"] == 1
    assert [(one["user"]["name"], one["account"]["name"]) for one in answer["examples"]] == [("Ines", "Ada")]
    assert [(one["user"]["name"], one["missing"][0]["sentence"]) for one in answer["near_misses"]] == [
        ("Joe", "Role is admin")
    ]


def test_a_wrong_rule_says_where(api: Api) -> None:
    answer = check(api, rules={"account": {"all": [PRO, {"field": "mrr", "op": "more", "value": "much"}]}})

    assert (answer.status, answer.json["code"]) == (400, "invalid_rule")
    assert list(answer.errors) == ["/rules/account/all/1/value"]


NO_RULES = [{}, {"account": None}, {"account": []}, {"account": "all"}, {"acount": PRO}, None, 5]


@pytest.mark.parametrize("rules", NO_RULES)
def test_what_is_no_rule_is_refused(api: Api, rules: Any) -> None:
    assert check(api, rules=rules).status == 400


def test_a_verdict_is_explained_by_either_id(api: Api, three: dict[str, Account]) -> None:
    question = {"rules": {"account": {"all": [PRO, RICH]}}}
    by_id = api.post("/rules/explain/", question | {"account": three["Bob"].pk}).json
    by_external_id = api.post("/rules/explain/", question | {"account_external_id": three["Bob"].external_id}).json

    assert by_id == by_external_id
    assert not by_id["holds"]
    [tree] = by_id["children"]
    assert [(line["sentence"], line["holds"], line["value"]) for line in tree["children"]] == [
        ("Plan is Pro", True, "Pro"),
        ("MRR is more than $50", False, "$1"),
    ]


def test_a_verdict_on_a_user_is_explained(api: Api, three: dict[str, Account]) -> None:
    question = {"rules": {"user": ADMIN}, "audience": "users", "account": three["Bob"].pk}
    answer = api.post("/rules/explain/", question | {"user_external_id": "u-joe@customer.example"})

    assert answer.status == 200, answer.json
    assert answer.json["children"][0]["value"] == "viewer"


@pytest.mark.parametrize(
    ("more", "pointer"),
    [
        ({}, "/account"),
        ({"account_external_id": "nobody"}, "/account_external_id"),
        ({"account": "mine"}, "/user"),
        ({"account": "mine", "user_external_id": "nobody"}, "/user_external_id"),
    ],
)
def test_who_is_unknown_is_said(api: Api, three: dict[str, Account], more: dict[str, Any], pointer: str) -> None:
    mine = {name: three["Ada"].pk if value == "mine" else value for name, value in more.items()}
    answer = api.post("/rules/explain/", {"rules": {"user": ADMIN}, "audience": "users"} | mine)

    assert answer.status == 400
    assert list(answer.errors) == [pointer]
