"""A playbook's whole life over REST: imported, set live, evaluated, applied, looked into, stopped."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import Account, Conversation, Indicator
from actions.registry import ACTIONS
from cs_platform.tenancy.context import tenant_context
from playbooks.models import ActionRun, Enrollment, Evaluation
from playbooks.pump import pump
from tests.rest.client import Answer, Api
from tests.world import MONDAY, Workspace, account, apply_now, live, playbook_json, set_trait_step, tick, trait, user


@pytest.fixture
def at(orbiton: Workspace) -> int:
    with tenant_context(orbiton.tenant.pk):
        trait("stage")
        return account("Ada", plan="Pro").pk


@pytest.fixture
def playbook(api: Api, at: int) -> int:
    steps = [playbook_json()["steps"][0], set_trait_step("B"), set_trait_step("C", day=30, key="later")]
    id = api.post("/playbooks/import/", playbook_json(steps=steps)).json["id"]
    assert api.post(f"/playbooks/{id}/set-live/", {"expected_count": 100}).json["status"] == "live"
    return id


def apply(api: Api, playbook: int, at: int, key: str = "apply", **more: Any) -> Answer:
    return api.post("/enrollments/", {"playbook": playbook, "account": at} | more, Idempotency_Key=key)


def work_in(days: int) -> None:
    """What the workers do so many days from the moment the API lives in."""
    tick(now=datetime.now(UTC) + timedelta(days=days))


def look_at_rules() -> None:
    pump("evaluate", clock=lambda: datetime.now(UTC))


def test_an_imported_playbook_is_a_draft_until_it_is_published(api: Api, at: int) -> None:
    made = api.post("/playbooks/import/", playbook_json()).json
    path = f"/playbooks/{made['id']}"

    assert (made["status"], made["version"], made["has_draft"]) == ("draft", None, True)
    assert made["draft"]["steps"][0]["action"] == "create_indicator"
    published = api.post(f"{path}/publish/").json
    assert (published["version"], published["has_draft"], published["draft"]) == (1, False, None)
    assert api.post("/playbooks/import/", published["definition"]).json["has_draft"] is False
    assert [row["number"] for row in api.get(f"{path}/versions/").results] == [1]


def test_an_import_with_problems_points_at_each(api: Api, at: int) -> None:
    step = {"key": "x", "day": 0, "action": "nope", "config": {}}
    answer = api.post("/playbooks/import/", playbook_json(name="", steps=[step], rules={"account": {"all": []}}))

    assert answer.json["code"] == "invalid_playbook"
    assert {"/name", "/rules/account/all", "/steps/0/day", "/steps/0/action"} <= set(answer.errors)
    assert api.get("/playbooks/").results == []


@pytest.mark.parametrize("body", [b"[]", b"null", b'"x"', b"{}", b'{"rules": 1, "steps": {"a": 1}}'])
def test_an_import_of_something_else_is_no_crash(api: Api, body: bytes) -> None:
    assert api.post("/playbooks/import/", body).status == 400


def test_pausing_and_resuming(api: Api, playbook: int) -> None:
    path = f"/playbooks/{playbook}"

    assert [api.post(f"{path}/pause/").json["status"] for _ in range(2)] == ["paused", "paused"]
    assert [api.post(f"{path}/resume/").json["status"] for _ in range(2)] == ["live", "live"]
    draft = api.post("/playbooks/import/", playbook_json("other")).json["id"]
    assert api.post(f"/playbooks/{draft}/pause/").status == 409


def test_an_evaluation_enrolls_who_matches(api: Api, playbook: int, at: int) -> None:
    asked = api.post("/evaluations/", Idempotency_Key="e")
    again = api.post("/evaluations/")
    assert (asked.status, asked.json["finished_at"], again.json["id"]) == (202, None, asked.json["id"])

    look_at_rules()
    run = api.get(f"/evaluation-runs/{asked.json['id']}/").json
    assert (run["trigger"], run["looked_at"], run["finished_at"] is None) == ("manual", 1, False)
    (row,) = api.get(f"/evaluations/?playbook={playbook}&run={run['id']}").results
    assert (row["run"], row["state"], row["enrolled"], row["version"]) == (run["id"], "done", 1, 1)
    (enrollment,) = api.get(f"/enrollments/?account={at}&state=active").results
    assert (enrollment["playbook"], enrollment["applied_by"]) == (playbook, f"evaluation:{row['id']}")


def test_why_a_playbook_is_not_applied_is_said_condition_by_condition(
    api: Api, orbiton: Workspace, playbook: int, at: int
) -> None:
    path, about = f"/playbooks/{playbook}/explain/", {"account": at}
    assert api.post(path, about).json["holds"]
    definition = api.get(f"/playbooks/{playbook}/").json["definition"] | {"respects_known_cause": True}
    api.post("/playbooks/import/", definition)
    api.post(f"/playbooks/{playbook}/publish/")
    api.patch(f"/accounts/{at}/", {"known_cause": "They move", "known_cause_until": "2199-01-31"})

    why = api.post(path, about).json
    assert not why["holds"]
    assert why["children"][-1]["value"] == "until 31 January 2199: They move"
    api.post("/evaluations/")
    look_at_rules()
    row = api.get(f"/evaluations/?playbook={playbook}").results[0]
    assert (row["matched"], row["enrolled"], row["held_back"]) == (1, 0, 1)


def test_a_playbook_is_applied_once(api: Api, orbiton: Workspace, playbook: int, at: int) -> None:
    made, again, other = apply(api, playbook, at), apply(api, playbook, at), apply(api, playbook, at, "another")

    assert (made.status, again.status, again["Idempotent-Replayed"]) == (201, 201, "true")
    assert (other.status, other.json["code"]) == (409, "already_active")
    assert made.json["applied_by"] == api.key.actor  # type: ignore[union-attr]
    with tenant_context(orbiton.tenant.pk):
        assert Enrollment.objects.count() == 1


def test_an_enrollment_shows_its_runs_and_its_history(api: Api, playbook: int, at: int) -> None:
    id = apply(api, playbook, at).json["id"]
    work_in(days=40)
    shown = api.get(f"/enrollments/{id}/").json

    assert [(run["step"], run["state"]) for run in shown["runs"]] == [
        ("risk", "applied"),
        ("stage", "applied"),
        ("later", "applied"),
    ]
    assert shown["runs"][0]["says"] == "Risk raised: At risk"
    assert (shown["state"], shown["progress"]) == ("completed", 100)
    assert shown["history"][-1]["actor"] == api.key.actor  # type: ignore[union-attr]
    assert api.get(f"/action-runs/?enrollment={id}&state=applied").results[0]["account"] == at


def test_a_stop_is_shown_then_done_then_repeated(api: Api, orbiton: Workspace, playbook: int, at: int) -> None:
    id = apply(api, playbook, at).json["id"]
    work_in(days=2)
    path = f"/enrollments/{id}"
    preview = api.post(f"{path}/stop-preview/").json

    assert [line["says"] for line in preview["undone"]]
    assert api.get(f"{path}/").json["state"] == "active"
    kept = [run["id"] for run in api.get(f"{path}/").json["runs"] if run["step"] == "stage"]
    stopped = api.post(f"{path}/stop/", {"note": "Churned anyway", "keep": kept}, Idempotency_Key="s").json
    assert (stopped["enrollment"]["state"], stopped["enrollment"]["stop_note"]) == ("stopped", "Churned anyway")
    assert [line["run"] for line in stopped["outcome"]["kept"]] == kept
    with tenant_context(orbiton.tenant.pk):
        assert Indicator.objects.get().state == "ended"
        assert Account.objects.get(pk=at).traits["stage"] == "B"
    again = api.post(f"{path}/stop/", {}, Idempotency_Key="t").json
    assert again["outcome"] == stopped["outcome"]
    assert again["enrollment"]["stop_note"] == "Churned anyway"
    assert api.post(f"{path}/stop/", {}).json["code"] == "idempotency_key_required"


def test_a_playbook_about_users_wants_one_of_the_account(api: Api, orbiton: Workspace, at: int) -> None:
    rules = {"user": {"field": "role", "op": "is", "value": "admin"}}
    with tenant_context(orbiton.tenant.pk):
        about_users = live(playbook_json("people", audience="users", rules=rules)).pk
        una = user("Una", Account.objects.get(pk=at), role="admin").pk
        stranger = user("Stan").pk

    assert apply(api, about_users, at).errors == {"/user": "invalid"}
    assert apply(api, about_users, at, user=stranger).errors == {"/user": "invalid"}
    assert apply(api, about_users, at, "ok", user=una).json["user"] == una


def test_only_a_live_playbook_can_be_applied(api: Api, at: int) -> None:
    draft = api.post("/playbooks/import/", playbook_json()).json["id"]

    assert apply(api, draft, at).errors == {"/playbook": "invalid"}


def test_what_failed_is_tried_again_skipped_or_settled(api: Api, orbiton: Workspace, playbook: int, at: int) -> None:
    id = apply(api, playbook, at).json["id"]
    with tenant_context(orbiton.tenant.pk):
        runs = list(ActionRun.objects.filter(enrollment_id=id).order_by("position").values_list("pk", flat=True))
        for pk in runs:  # as the engine leaves them
            ActionRun.objects.filter(pk=pk).update(state="running", lease_token=pk, lease_until=MONDAY)
            ActionRun.objects.filter(pk=pk).update(state="dead", lease_token=None, lease_until=None, reason="No answer")

    assert len(api.get(f"/action-runs/?state=dead&playbook={playbook}").results) == 3
    assert api.post(f"/action-runs/{runs[0]}/retry/").json["state"] == "scheduled"
    assert [api.post(f"/action-runs/{runs[1]}/skip/").json["state"] for _ in range(2)] == ["skipped"] * 2
    assert api.post(f"/action-runs/{runs[2]}/settle/").json["state"] == "applied"
    assert api.post(f"/action-runs/{runs[1]}/settle/").status == 409


def test_a_held_evaluation_is_let_through_or_dropped(api: Api, orbiton: Workspace) -> None:
    with tenant_context(orbiton.tenant.pk):
        for n in range(40):
            account(f"Account {n}", plan="Pro")
    ids = [api.post("/playbooks/import/", playbook_json(key)).json["id"] for key in ("one", "two")]
    for id in ids:
        api.post(f"/playbooks/{id}/set-live/", {"expected_count": 0})
    api.post("/evaluations/")
    look_at_rules()
    held = {row["playbook"]: row["id"] for row in api.get("/evaluations/?state=held").results}

    assert set(held) == set(ids)
    assert [api.post(f"/evaluations/{held[ids[0]]}/release/").json["state"] for _ in range(2)] == ["released"] * 2
    assert api.post(f"/evaluations/{held[ids[1]]}/drop/").json["state"] == "dropped"
    assert api.post(f"/evaluations/{held[ids[1]]}/release/").status == 409
    look_at_rules()
    with tenant_context(orbiton.tenant.pk):
        assert Enrollment.objects.filter(playbook_id=ids[0]).count() == 40
        assert not Enrollment.objects.filter(playbook_id=ids[1]).exists()
        assert Evaluation.objects.filter(pk__in=held.values(), state="held").count() == 0


def test_actions_are_listed_with_a_schema_their_samples_fit(api: Api) -> None:
    shown = {one["key"]: one for one in api.get("/actions/").json}

    assert set(shown) == {kind.key for kind in ACTIONS}
    for one in shown.values():
        assert set(one["sample"]) <= set(one["config"]["properties"])
        assert set(one["config"].get("required", ())) <= set(one["sample"])
    assert shown["create_indicator"]["config"]["properties"]["kind"]["enum"] == ["risk", "opportunity"]


def test_lists_take_the_same_queries_for_any_number(api: Api, orbiton: Workspace, playbook: int) -> None:
    counts: dict[str, list[int]] = {}
    for start in (0, 6):
        with tenant_context(orbiton.tenant.pk):
            for n in range(start, start + 6):
                account(f"More {n}", plan="Pro")
        api.post("/evaluations/")
        look_at_rules()
        for path in ("/enrollments/", "/action-runs/", "/evaluations/", "/playbooks/"):
            with CaptureQueriesContext(connection) as queries:
                api.get(path)
            counts.setdefault(path, []).append(len(queries))

    assert {path: few for path, (few, many) in counts.items() if many > few} == {}


def test_what_asks_for_approval_is_approved_rejected_and_decided_in_bulk(api: Api, orbiton: Workspace) -> None:
    with tenant_context(orbiton.tenant.pk):
        asks = {"approval": {"by": "csm", "within_days": 5, "otherwise": "skip"}}
        rescue = live(playbook_json(steps=[playbook_json()["steps"][0] | asks]))
        for n in range(4):
            apply_now(rescue, account(f"Account {n}"), now=MONDAY)
    first, second, *rest = (row["id"] for row in api.get("/approvals/?state=waiting&ordering=id").results)

    approved = api.post(f"/approvals/{first}/approve/", {"note": "Go on"}).json
    assert (approved["state"], approved["note"], approved["says"]) == ("approved", "Go on", "Raise the risk “At risk”")
    assert api.post(f"/approvals/{second}/reject/").json["state"] == "rejected"
    assert api.post(f"/approvals/{second}/approve/").status == 409
    bulk = api.post("/approvals/decide/", {"ids": [first, *rest], "verdict": "approve"}, Idempotency_Key="all").json
    assert bulk == {"decided": rest, "unchanged": [first]}
    work_in(0)
    with tenant_context(orbiton.tenant.pk):
        assert Indicator.objects.count() == 3


def test_drafts_are_sent_or_cancelled_in_bulk(api: Api, orbiton: Workspace) -> None:
    with tenant_context(orbiton.tenant.pk):
        config = {"subject": "Hello", "body": "Shall we talk?", "sender": "csm", "review_hours": 24}
        step = {"key": "mail", "day": 1, "action": "start_conversation", "config": config}
        runway = live(playbook_json(steps=[step]))
        for n in range(3):
            at = account(f"Account {n}", csm=orbiton.priya)
            user(f"User {n}", at, role="admin")
            apply_now(runway, at, now=MONDAY)
    first, *rest = (row["id"] for row in api.get("/conversations/?state=pending&ordering=id").results)

    asked = {"ids": [first, 10**9], "verdict": "cancel"}
    assert api.post("/conversations/decide/", asked, Idempotency_Key="one").json == {
        "decided": [first],
        "unchanged": [10**9],
    }
    sent = api.post("/conversations/decide/", {"ids": rest, "verdict": "send_now"}, Idempotency_Key="two").json
    assert sent == {"decided": rest, "unchanged": []}
    with tenant_context(orbiton.tenant.pk):
        assert Conversation.objects.exclude(released_at=None).count() == 2
        assert Conversation.objects.get(pk=first).state == "cancelled"
