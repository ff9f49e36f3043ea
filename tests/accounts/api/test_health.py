"""Health scores, an account's breakdown and history, and lifecycle rules over the API."""

from typing import Any

import pytest

from accounts.models import Account
from cs_platform.tenancy.context import tenant_context
from tests.rest.client import Api
from tests.world import Workspace, account

MANY = {"field": "user_count", "op": "at_least", "value": 10}
FEW = {"field": "user_count", "op": "less", "value": 3}


@pytest.fixture
def api(api_with: Any) -> Api:
    return api_with("read", "data")


@pytest.fixture
def one(orbiton: Workspace) -> Account:
    with tenant_context(orbiton.tenant.pk):
        return account("One", user_count=1)


def made(api: Api, **parts: Any) -> Any:
    measure = {"name": "Users", "healthy": MANY, "poor": FEW, "when_unknown": "poor"}
    answer = api.post("/health-scores/", {"name": "Usage", "measures": [measure], **parts})
    assert answer.status == 201, answer.json
    return answer.json


def test_a_score_grades_at_once_and_says_why(api: Api, one: Account) -> None:
    made(api, weight=2)
    found = api.get(f"/accounts/{one.pk}/health/").json
    assert (found["value"], found["scores"][0]["name"], found["scores"][0]["weight"]) == (0, "Usage", 2)
    assert found["scores"][0]["reasons"] == [
        {"name": "Users", "grade": "poor", "sentence": "Number of users is less than 3"}
    ]
    readings = api.get(f"/accounts/{one.pk}/health-readings/?whole=true").results
    assert [reading["value"] for reading in readings] == [0]


def test_measures_are_replaced_as_a_whole_and_keep_themselves_by_name(api: Api, one: Account) -> None:
    score = made(api)
    kept, added = score["measures"][0], {"name": "Plan", "healthy": {"field": "plan", "op": "set"}}
    again = {name: kept[name] for name in ("name", "healthy", "poor", "when_unknown")}
    measures = api.patch(f"/health-scores/{score['id']}/", {"measures": [added, again]}).json["measures"]
    assert {measure["name"]: measure["id"] for measure in measures}["Users"] == kept["id"]
    assert api.patch(f"/health-scores/{score['id']}/", {"measures": [added]}).json["measures"][0]["name"] == "Plan"


def test_what_is_wrong_is_said_where_it_stands(api: Api) -> None:
    wrong = api.post("/health-scores/", {"name": "X", "measures": [{"name": "A", "healthy": {"field": "nope"}}]})
    assert "/measures/0/healthy/field" in wrong.errors
    about_health = {"name": "A", "healthy": {"field": "health", "op": "set"}}
    refused = api.post("/health-scores/", {"name": "Y", "measures": [about_health]})
    assert "/measures/0/healthy" in refused.errors
    assert api.get("/health-scores/").results == []


def test_an_archived_score_is_listed_apart(api: Api) -> None:
    score = made(api)
    assert api.post(f"/health-scores/{score['id']}/archive/").json["archived_at"]
    assert api.get("/health-scores/").results == []
    assert len(api.get("/health-scores/?archived=true").results) == 1
    assert api.post(f"/health-scores/{score['id']}/restore/").json["archived_at"] is None


def test_lifecycle_rules_are_replaced_as_a_whole(api: Api, one: Account) -> None:
    rule = {"field": "name", "op": "is", "value": "One"}
    assert api.put("/lifecycle-rules/", {"churned": rule}).json == {"ignored": None, "trialing": None, "churned": rule}
    assert api.get(f"/accounts/{one.pk}/").json["lifecycle"] == "churned"
    assert api.put("/lifecycle-rules/", {}).json["churned"] is None
    itself = {"field": "lifecycle", "op": "is", "value": "churned"}
    assert "/trialing" in api.put("/lifecycle-rules/", {"trialing": itself}).errors
