"""Segments over the API."""

from typing import Any

import pytest

from accounts.models import Segment
from cs_platform.tenancy.context import tenant_context
from tests.rest.client import Api
from tests.world import Workspace, account, user

PRO = {"field": "plan", "op": "is", "value": "Pro"}


@pytest.fixture(autouse=True)
def _accounts(orbiton: Workspace) -> None:
    with tenant_context(orbiton.tenant.pk):
        one, _ = account("One", plan="Pro"), account("Two")
        user("Ada", one)


@pytest.fixture
def api(api_with: Any) -> Api:
    return api_with("read", "write", "data")


def made(api: Api, name: str = "Pros", **parts: Any) -> dict[str, Any]:
    answer = api.post("/segments/", {"scope": "account", "name": name, **parts})
    assert answer.status == 201, answer.json
    return answer.json


def move(api: Api, segment: dict[str, Any], verb: str, *items: Any) -> Any:
    key = f"{verb}-{len(items)}-{hash(str(items))}"
    return api.post(f"/segments/{segment['id']}/members/{verb}/", {"items": list(items)}, Idempotency_Key=key)


def test_a_segment_with_a_rule_is_filled_at_once(api: Api) -> None:
    segment = made(api, rule=PRO)
    assert (segment["members"], segment["rule"]) == (1, PRO)
    [member] = api.get(f"/segments/{segment['id']}/members/").json["results"]
    assert (member["external_id"], [claim["source"] for claim in member["claims"]]) == ("one", ["rule"])


def test_wrong_rules_and_names_are_refused_where_they_stand(api: Api) -> None:
    made(api)
    again = api.post("/segments/", {"scope": "account", "name": "Pros"})
    assert (again.status, again.json["errors"][0]["pointer"]) == (400, "/name")
    wrong = api.post("/segments/", {"scope": "user", "name": "X", "rule": {"all": [PRO]}})
    assert (wrong.status, wrong.json["errors"][0]["pointer"]) == (400, "/rule/all/0/field")


def test_what_is_left_out_stays(api: Api) -> None:
    segment = made(api, rule=PRO, description="Paying")
    changed = api.patch(f"/segments/{segment['id']}/", {"name": "Paying"}).json
    assert (changed["name"], changed["description"], changed["rule"]) == ("Paying", "Paying", PRO)
    assert api.patch(f"/segments/{segment['id']}/", {"rule": None}).json["members"] == 0


def test_a_circle_is_refused(api: Api) -> None:
    one = made(api, "One", rule=PRO)
    two = made(api, "Two", rule={"field": f"segment:{one['id']}", "op": "in"})
    answer = api.patch(f"/segments/{one['id']}/", {"rule": {"field": f"segment:{two['id']}", "op": "in"}})
    assert answer.status == 400
    assert "depend on themselves" in answer.json["errors"][0]["message"]


def test_members_are_put_in_and_taken_out_each_with_its_result(api: Api, orbiton: Workspace) -> None:
    segment = made(api)
    with tenant_context(orbiton.tenant.pk):
        first = Segment.objects.get().tenant_id
    assert first
    answer = move(api, segment, "add", {"external_id": "one"}, {"external_id": "two"}, {"external_id": "nobody"})
    assert answer.json["counts"] == {"entered": 2, "refused": 1}
    assert [result["outcome"] for result in answer.json["results"]] == ["entered", "entered", "refused"]
    again = move(api, segment, "add", {"external_id": "one"}, {"external_id": "one"})
    assert [result["outcome"] for result in again.json["results"]] == ["unchanged", "unchanged"]
    gone = move(api, segment, "remove", {"external_id": "two"})
    assert gone.json["counts"] == {"left": 1}
    assert [one["external_id"] for one in api.get(f"/segments/{segment['id']}/members/").json["results"]] == ["one"]
    assert len(api.get(f"/segments/{segment['id']}/members/?left=true").json["results"]) == 1


def test_an_item_names_one_thing(api: Api) -> None:
    segment = made(api)
    answer = move(api, segment, "add", {"external_id": "one", "id": 1})
    assert answer.status == 400


def test_archived_segments_are_listed_apart_and_take_nobody(api: Api) -> None:
    segment = made(api)
    assert api.post(f"/segments/{segment['id']}/archive/").json["archived_at"]
    assert api.get("/segments/").json["results"] == []
    assert len(api.get("/segments/?archived=true").json["results"]) == 1
    assert move(api, segment, "add", {"external_id": "one"}).status == 409
    assert api.post(f"/segments/{segment['id']}/restore/").json["archived_at"] is None


def test_users_have_segments_too(api: Api) -> None:
    segment = made(api, "Champions", scope="user")
    assert move(api, segment, "add", {"external_id": "u-ada@customer.example"}).json["counts"] == {"entered": 1}
