"""Success plans over the API, from the first type to the last link."""

from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from cs_platform.tenancy.context import tenant_context
from tests.rest.client import Api
from tests.success_plans.world import OUTLINE
from tests.world import Workspace, account, user


@pytest.fixture
def at(orbiton: Workspace) -> int:
    with tenant_context(orbiton.tenant.pk):
        return account(csm=orbiton.priya).pk


@pytest.fixture
def admin(api_with: Any) -> Api:
    made: Api = api_with("data", "write", "read")
    return made


@pytest.fixture
def plan(api: Api, at: int) -> str:
    made = api.post(
        "/success-plans/", {"account": at, "name": "Grow", "start_on": "2026-11-02", "due_on": "2027-01-29"}
    )
    return f"/success-plans/{made.json['id']}/"


def add(api: Api, plan: str, **body: Any) -> dict[str, Any]:
    made: dict[str, Any] = api.post("/objectives/", {"plan": int(plan.split("/")[2]), **body}).json
    return made


def test_a_plan_is_made_edited_begun_closed_and_reopened(api: Api, orbiton: Workspace, plan: str) -> None:
    edited = api.patch(plan, {"owner": orbiton.tom.pk, "metric": "Missed scans", "metric_now": 3.1}).json
    assert (edited["owner"], edited["metric_now"], edited["status"], edited["standing"]) == (
        orbiton.tom.pk, 3.1, "draft", "Draft",
    )  # fmt: skip
    add(api, plan, name="Double it")

    assert api.post(f"{plan}close/", {"objectives": "keep"}).status == 409
    assert [api.post(f"{plan}activate/").json["status"] for _ in range(2)] == ["active", "active"]
    assert len(api.get("/ctas/?type=objective").results) == 1
    closed = api.post(f"{plan}close/", {"objectives": "close", "outcome": "won"}).json
    assert (closed["status"], closed["progress"]["closed"], closed["standing"]) == ("closed", 1, "Closed")
    assert api.post(f"{plan}withdraw/").status == 409
    assert api.post(f"{plan}reopen/").json["status"] == "active"
    assert api.post(f"{plan}close/", {"objectives": "burn"}).errors == {"/objectives": "invalid_choice"}
    assert api.patch(plan, {"due_on": "2020-01-01"}).errors == {"/due_on": "impossible"}


def test_an_archived_plan_leaves_the_list_until_it_is_restored(api: Api, plan: str) -> None:
    api.post(f"{plan}archive/")

    assert api.get("/success-plans/").results == []
    assert len(api.get("/success-plans/?archived=true").results) == 1
    assert api.post(f"{plan}comment/", {"body": "Hello?"}).status == 409
    assert api.post(f"{plan}restore/").json["archived_at"] is None
    assert len(api.get("/success-plans/?status=draft").results) == 1


def test_objectives_are_added_joined_arranged_and_taken_out(api: Api, at: int, plan: str) -> None:
    first = add(api, plan, name="Move the sites", due_on="2026-11-20", weight=2, category="Go live")
    second = add(api, plan, name="Train", start_on="2026-11-16", due_on="2027-02-20", needs=[first["id"]])
    cta = api.post("/ctas/", {"account": at, "name": "Call them", "type": "risk"}).json["id"]
    joined = add(api, plan, cta=cta, position=0)
    api.post("/tasks/", {"cta": first["cta"], "title": "Pack"})

    shown = api.get(f"{plan}objectives/").json["objectives"]
    assert [one["name"] for one in shown] == ["Call them", "Move the sites", "Train"]
    assert [one["status"] for one in shown] == ["open", "draft", "draft"]
    assert [task["title"] for task in shown[1]["tasks"]] == ["Pack"]
    assert shown[2]["warnings"] == ["Ends after the plan is due", "Starts before “Move the sites” ends"]
    assert api.patch(f"/objectives/{first['id']}/", {"needs": [second["id"]]}).errors == {"/needs": "impossible"}
    assert api.patch(f"/objectives/{second['id']}/", {"needs": [], "due_on": "2027-01-10"}).json["warnings"] == []
    assert api.get(f"/success-plans/?cta={cta}").results[0]["name"] == "Grow"
    assert api.post(f"/objectives/{joined['id']}/leave/").status == 204
    assert api.get(f"/ctas/{cta}/").json["status"] == "open"


def test_what_an_objective_says_twice_or_not_at_all_is_refused(api: Api, at: int, plan: str) -> None:
    cta = api.post("/ctas/", {"account": at, "name": "Call", "type": "risk"}).json["id"]
    body = {"plan": int(plan.split("/")[2])}

    assert set(api.post("/objectives/", body).errors) == {"/name"}
    assert set(api.post("/objectives/", body | {"cta": cta, "name": "x"}).errors) == {"/name"}
    assert set(api.post("/objectives/", {"name": "x"}).errors) == {"/plan"}


def test_stakeholders_and_comments(api: Api, orbiton: Workspace, at: int, plan: str) -> None:
    with tenant_context(orbiton.tenant.pk):
        from accounts.models import Account

        ines = user("Ines Falk", Account.objects.get(pk=at)).pk
        stranger = user("Stranger").pk
    added = api.post(f"{plan}add-stakeholder/", {"user": ines, "role": "Sponsor"}).json

    assert (added["name"], added["role"]) == ("Ines Falk", "Sponsor")
    assert api.post(f"{plan}add-stakeholder/", {"user": stranger}).errors == {"/end_user": "impossible"}
    assert api.post(f"{plan}add-stakeholder/", {"role": "x"}).errors == {"/name": "impossible"}
    goal = add(api, plan, name="Train")
    task = api.post("/tasks/", {"cta": goal["cta"], "title": "Pack"}).json["id"]
    given = api.post(f"/objectives/{goal['id']}/give-tasks/", {"tasks": [{"task": task, "stakeholder": added["id"]}]})
    assert given.status == 200
    assert api.get(f"{plan}stakeholders/").json["stakeholders"][0]["tasks"] == [task]
    wrong = {"tasks": [{"task": task + 99, "stakeholder": None}]}
    assert api.post(f"/objectives/{goal['id']}/give-tasks/", wrong).errors == {"/tasks": "impossible"}
    assert api.post(f"{plan}answer/", {"body": "See you"}).status == 201
    assert api.post(f"{plan}remove-stakeholder/", {"id": added["id"]}).json == {"stakeholders": []}
    assert api.post(f"{plan}comment/", {"body": "Well done"}).status == 201
    assert [one["body"] for one in api.get(f"{plan}comments/").json["comments"]] == ["Well done"]


def test_types_and_templates_are_made_changed_and_start_plans(admin: Api, at: int) -> None:
    fields = [{"label": "Sites", "kind": "number"}]
    type = admin.post("/plan-types/", {"name": "Onboarding", "formula": "weighted", "fields_of_its_own": fields}).json
    assert type["fields_of_its_own"][0]["key"] == "sites"
    definition = {**OUTLINE, "values": {"sites": 12}}
    made = admin.post(
        "/plan-templates/", {"name": "Roll-out", "type": type["id"], "duration_days": 60, "definition": definition}
    ).json
    assert (made["key"], len(made["definition"]["objectives"])) == ("roll-out", 2)

    facts = {"template": made["id"], "account": at, "name": "Go", "start_on": "2026-11-02"}
    started = admin.post("/success-plans/start/", facts).json
    assert (started["due_on"], started["values"], started["progress"]["objectives"]) == (
        "2027-01-01", {"sites": 12.0}, 2,
    )  # fmt: skip
    wrong = {"objectives": [{"name": "A", "needs": [7]}]}
    refused = admin.patch(f"/plan-templates/{made['id']}/", {"definition": wrong})
    assert refused.errors == {"/objectives/0/needs": "impossible"}
    assert admin.post("/plan-types/", {"name": "Onboarding"}).errors == {"/name": "impossible"}
    assert admin.patch(f"/plan-types/{type['id']}/", {"formula": "tasks"}).json["formula"] == "tasks"
    for path in (f"/plan-templates/{made['id']}/", f"/plan-types/{type['id']}/"):
        assert admin.post(f"{path}archive/").json["archived_at"]
        assert admin.post(f"{path}restore/").json["archived_at"] is None


def test_the_set_up_needs_more_than_working_on_plans(api_with: Any) -> None:
    assert api_with("write").post("/plan-types/", {"name": "Mine"}).status == 403


def test_a_link_tells_its_address_once_and_nothing_after_it_is_revoked(api: Api, plan: str) -> None:
    body = {"plan": int(plan.split("/")[2]), "name": "Ines", "parts": ["name"]}
    made = api.post("/share-links/", body).json
    address, link = made["address"].removeprefix("http://testserver"), f"/share-links/{made['id']}/"

    assert b"Grow" in Client().get(address).content
    assert "address" not in api.get(link).json
    assert api.get(f"{link}visits/").json["visits"][0]["times"] == 1
    assert api.patch(link, {"parts": ["progress"]}).json["parts"] == ["progress"]
    assert api.patch(link, {"parts": ["health"]}).errors == {"/parts": "impossible"}
    assert api.post(f"{link}revoke/").json["holds"] is False
    assert Client().get(address).status_code == 404
    assert api.patch(link, {"parts": []}).status == 409
    assert len(api.get(f"/share-links/?plan={body['plan']}").results) == 1


def test_the_list_takes_the_same_queries_for_any_number(api: Api, at: int) -> None:
    counts = []
    for _ in range(2):
        for _ in range(5):
            api.post("/success-plans/", {"account": at, "name": "x"})
        with CaptureQueriesContext(connection) as queries:
            api.get("/success-plans/")
        counts.append(len(queries))

    assert counts[0] == counts[1]
