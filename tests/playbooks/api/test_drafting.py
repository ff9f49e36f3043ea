"""Drafts over REST: written unfinished, told what is wrong, tried out, compared; imports say what they change."""

from typing import Any

import pytest

from cs_platform.tenancy.context import tenant_context
from tests.rest.client import Api
from tests.world import Workspace, account, live, playbook_json, raise_risk, user


@pytest.fixture
def rescue(orbiton: Workspace) -> int:
    with tenant_context(orbiton.tenant.pk):
        account("Ada", plan="Pro")
        account("Bea", plan="Basic")
        return live(playbook_json()).pk


def test_a_draft_is_written_unfinished_and_says_what_is_missing(api: Api, orbiton: Workspace) -> None:
    made = api.post("/playbooks/begin/", {"name": "Quiet"}).json

    assert made["content"]["key"] == "quiet"
    assert {one["path"] for one in made["problems"]} == {"rules", "steps"}
    path = f"/playbooks/{made['playbook']}/draft/"
    written = api.ask("put", path, playbook_json("other", name="Quiet")).json
    assert (written["content"]["key"], written["problems"], written["revision"]) == ("quiet", [], 1)
    assert api.post(f"/playbooks/{made['playbook']}/set-live/", {}).json["status"] == "live"


def test_a_template_begins_a_finished_draft(api: Api, orbiton: Workspace) -> None:
    keys = [one["key"] for one in api.get("/playbooks/templates/").json]
    made = api.post("/playbooks/begin/", {"template": "renewal"}).json

    assert "renewal" in keys
    assert (made["content"]["name"], made["problems"]) == ("Renewal", [])
    assert api.post("/playbooks/begin/", {"template": "unheard of"}).status == 400


def test_a_draft_that_changed_meanwhile_is_not_written_over(api: Api, rescue: int) -> None:
    path = f"/playbooks/{rescue}/draft/"
    assert api.get(path).status == 404
    seen = api.post(path, {})
    api.ask("put", path, playbook_json(name="Theirs"))

    assert api.ask("put", path, playbook_json(name="Mine"), If_Match=seen["ETag"]).status == 412
    assert api.get(path).json["content"]["name"] == "Theirs"
    assert api.ask("delete", path).status == 204
    assert api.get(path).status == 404


def test_the_preview_counts_whom_the_next_check_would_enroll(api: Api, rescue: int) -> None:
    shown = api.get(f"/playbooks/{rescue}/preview/").json

    assert (shown["ahead"]["matched"], shown["ahead"]["would_enroll"]) == (1, 1)
    assert [one["name"] for one in shown["ahead"]["examples"]] == ["Ada"]
    made = api.post("/playbooks/begin/", {"name": "Unfinished"}).json
    assert api.get(f"/playbooks/{made['playbook']}/preview/").json["ahead"] is None


def test_a_draft_is_tried_on_an_account_and_nothing_of_it_is_kept(api: Api, orbiton: Workspace, rescue: int) -> None:
    with tenant_context(orbiton.tenant.pk):
        ada, stranger = account("Ada Two"), user("Sam", account("Elsewhere"))
    path = f"/playbooks/{rescue}/draft"
    assert api.post(f"{path}/try/", {"account": ada.pk}).status == 404
    api.post(f"{path}/", {})

    [tried] = api.post(f"{path}/try/", {"account": ada.pk}).json
    assert (tried["says"], tried["became"], tried["approval"]) == ("Raise the risk “At risk”", "applied", "")
    assert api.get(f"/indicators/?account={ada.pk}").json["results"] == []
    assert api.post(f"{path}/try/", {"account": ada.pk, "user": stranger.pk}).status == 400
    api.ask("put", f"{path}/", playbook_json(steps=[]))
    assert "not finished" in api.post(f"{path}/try/", {"account": ada.pk}).json["detail"]


def test_a_draft_about_users_is_tried_on_one(api: Api, orbiton: Workspace) -> None:
    with tenant_context(orbiton.tenant.pk):
        home = account("Ada")
        sam = user("Sam", home)
    about = playbook_json("people", audience="users", rules={"user": {"field": "email", "op": "set"}})
    made = api.post("/playbooks/begin/", {"content": about}).json
    path = f"/playbooks/{made['playbook']}/draft/try/"

    assert "say on which one" in api.post(path, {"account": home.pk}).json["detail"]
    assert [one["became"] for one in api.post(path, {"account": home.pk, "user": sam.pk}).json] == ["applied"]


def test_versions_are_compared_and_an_earlier_one_is_drafted_again(api: Api, rescue: int) -> None:
    path = f"/playbooks/{rescue}"
    api.post(f"{path}/draft/", {})
    api.ask("put", f"{path}/draft/", playbook_json(steps=[raise_risk(4)]))
    api.post(f"{path}/publish/", {})

    found = api.get(f"{path}/versions/1/compare/2/").json
    assert [(one["what"], one["after"]) for one in found] == [("Action risk", "Day 4: Raise the risk “At risk”")]
    assert api.post(f"{path}/draft/", {"version": 1}).json["content"]["steps"][0]["day"] == 1
    assert api.post(f"{path}/draft/", {"version": 9}).status == 404


def test_an_import_is_planned_before_it_is_written(api: Api, rescue: int) -> None:
    sent: list[Any] = [playbook_json(steps=[raise_risk(4)]), playbook_json("fresh"), {"key": "odd"}]
    planned = api.post("/playbooks/import-plan/", {"playbooks": sent}).json

    assert [one["change"] for one in planned] == ["revises", "new", "wrong"]
    assert planned[2]["problems"]
    assert len(api.get("/playbooks/").results) == 1


def test_a_duplicate_is_a_draft_of_its_own(api: Api, rescue: int) -> None:
    assert api.post(f"/playbooks/{rescue}/duplicate/", {}).json["content"]["key"] == "copy-of-rescue"
