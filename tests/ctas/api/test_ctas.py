import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.actors import load_actors
from cs_platform.tenancy.context import tenant_context
from ctas.models import Cta
from tests.rest.client import Api
from tests.world import Workspace, account


@pytest.fixture
def at(orbiton: Workspace) -> int:
    with tenant_context(orbiton.tenant.pk):
        return account().pk


@pytest.fixture
def cta(api: Api, at: int) -> str:
    return f"/ctas/{api.post('/ctas/', {'account': at, 'name': 'Renewal', 'type': 'risk'}).json['id']}/"


def test_a_cta_is_opened_edited_closed_and_reopened(api: Api, orbiton: Workspace, at: int, cta: str) -> None:
    edited = api.patch(cta, {"owner": orbiton.tom.pk, "due_on": "2026-12-01", "priority": "high"}).json

    assert (edited["owner"], edited["due_on"], edited["priority"]) == (orbiton.tom.pk, "2026-12-01", "high")
    assert [api.post(f"{cta}close/", {"status": "won"}).json["status"] for _ in range(2)] == ["won", "won"]
    assert api.post(f"{cta}close/", {"status": "lost"}).status == 409
    assert api.post(f"{cta}close/", {"status": "open"}).errors == {"/status": "invalid_choice"}
    assert api.post(f"{cta}reopen/").json["status"] == "open"
    assert [row["kind"] for row in api.get(f"/accounts/{at}/timeline/").results] == [
        "cta.reopened",
        "cta.closed",
        "cta.edited",
        "cta.opened",
    ]


def test_the_timeline_of_one_cta_is_that_of_its_account_by_subject(api: Api, orbiton: Workspace, at: int) -> None:
    first, other = (api.post("/ctas/", {"account": at, "name": name, "type": "risk"}).json for name in ("A", "B"))
    api.patch(f"/ctas/{first['id']}/", {"due_on": "2026-12-09"})
    rows = api.get(f"/accounts/{at}/timeline/?subject=cta:{first['id']}").results

    assert [row["text"] for row in rows] == ["CTA changed (due): A", "CTA opened: A"]
    assert rows[0]["detail"] == {"before": {"due_on": ""}, "after": {"due_on": "2026-12-09"}}
    both = f"cta:{first['id']},cta:{other['id']}"
    assert len(api.get(f"/accounts/{at}/timeline/?subject={both}").results) == 3


def test_an_archived_cta_leaves_the_lists_until_it_is_restored(api: Api, cta: str) -> None:
    api.post(f"{cta}archive/")

    assert api.get("/ctas/").results == []
    assert len(api.get("/ctas/?archived=true").results) == 1
    assert "archived" in api.post(f"{cta}close/", {"status": "won"}).json["detail"]
    assert api.post(f"{cta}restore/").json["archived_at"] is None
    assert len(api.get("/ctas/").results) == 1


def test_a_cta_is_snoozed_until_a_day_to_come_and_woken(api: Api, cta: str) -> None:
    assert api.post(f"{cta}snooze/", {"until": "2020-01-01"}).errors == {"/until": "too_early"}
    assert api.post(f"{cta}snooze/", {"until": "2036-01-01", "reason": "Away"}).json["snoozed_until"] == "2036-01-01"
    assert [api.post(f"{cta}wake/").json["snoozed_until"] for _ in range(2)] == [None, None]


def test_a_closed_cta_cannot_be_snoozed(api: Api, cta: str) -> None:
    api.post(f"{cta}close/", {"status": "won"})

    assert api.post(f"{cta}snooze/", {"until": "2036-01-01"}).status == 409


def test_a_cta_is_closed_with_its_open_tasks_where_asked(api: Api, cta: str) -> None:
    id = int(cta.strip("/").split("/")[1])
    api.post("/tasks/", {"cta": id, "title": "Call"})
    api.post(f"{cta}close/", {"status": "lost", "cancel_tasks": True})

    assert [task["status"] for task in api.get(f"/tasks/?cta={id}").results] == ["cancelled"]


def test_comments_are_written_and_read(api: Api, cta: str) -> None:
    assert api.post(f"{cta}comment/", {"body": "They called back"}).status == 201
    assert api.post(f"{cta}comment/", {"body": ""}).errors == {"/body": "blank"}

    thread = api.get(f"{cta}comments/").json
    assert [(one["body"], thread["more"]) for one in thread["comments"]] == [("They called back", False)]


def test_tasks_are_worked_through(api: Api, cta: str) -> None:
    id = int(cta.strip("/").split("/")[1])
    first, second = (api.post("/tasks/", {"cta": id, "title": title}).json["id"] for title in ("Call", "Write"))

    assert api.post(f"/tasks/{first}/complete/").json["status"] == "done"
    assert api.post(f"/tasks/{second}/cancel/", {"reason": "not needed"}).json["status"] == "cancelled"
    assert api.post(f"/tasks/{first}/cancel/").status == 409
    assert api.patch(f"/tasks/{second}/", {"title": "Write again"}).json["title"] == "Write again"
    assert api.post(f"/tasks/{second}/reopen/").json["status"] == "open"
    assert [row["title"] for row in api.get(f"/tasks/?cta={id}&status=done").results] == ["Call"]
    shown = api.get(cta).json
    assert (shown["tasks_done"], shown["tasks_total"]) == (1, 2)
    assert api.post(f"/tasks/{second}/archive/").json["archived_at"]
    assert api.get(cta).json["tasks_total"] == 1
    assert api.post(f"/tasks/{second}/restore/").json["archived_at"] is None


def test_updated_since_sees_work_on_it(api: Api, cta: str) -> None:
    moment = "2099-01-01T00:00:00Z"

    assert api.get(f"/ctas/?updated_since={moment}").results == []
    assert len(api.get("/ctas/?updated_since=2026-01-01T00:00:00Z").results) == 1


def test_the_list_takes_the_same_queries_for_any_number(api: Api, at: int) -> None:
    counts = []
    for _ in range(2):
        for _ in range(5):
            api.post("/ctas/", {"account": at, "name": "x", "type": "risk"})
        with CaptureQueriesContext(connection) as queries:
            api.get("/ctas/")
        counts.append(len(queries))

    assert counts[0] == counts[1]


def test_a_key_is_named_where_something_says_who_did_it(api: Api, orbiton: Workspace, cta: str) -> None:
    with tenant_context(orbiton.tenant.pk):
        actor = api.get(cta).json["created_by"]
        assert load_actors({actor})[actor].name == "Test (API)"


def test_a_draft_is_read_by_its_id_but_in_no_list(api: Api, orbiton: Workspace, cta: str) -> None:
    id = int(cta.strip("/").split("/")[1])
    api.post("/tasks/", {"cta": id, "title": "Call"})
    with tenant_context(orbiton.tenant.pk):
        Cta.objects.withdraw()

    for path in ("/ctas/", "/ctas/?type=risk", f"/tasks/?cta={id}", "/tasks/"):
        assert api.get(path).results == [], path
    assert api.get("/ctas/?status=draft").status == 400
    assert api.get(cta).json["status"] == "draft"
    assert api.post(f"{cta}close/", {"status": "won"}).status == 409
    assert api.post(f"{cta}close/", {"status": "draft"}).errors == {"/status": "invalid_choice"}
