"""What happens to a playbook wherever it is under way, over REST: stopped, moved to a version, recorded only."""

from cs_platform.jobs.pump import run_jobs
from cs_platform.tenancy.context import tenant_context
from playbooks.pump import pump
from tests.rest.client import Api
from tests.world import MONDAY, Workspace, account, apply_now, live, playbook_json, raise_risk


def test_it_is_previewed_and_stopped(api: Api, orbiton: Workspace) -> None:
    with tenant_context(orbiton.tenant.pk):
        playbook = live(playbook_json(steps=[raise_risk(1), raise_risk(300, key="far", title="Far")]))
        one, _two = [apply_now(playbook, account(name), now=MONDAY) for name in ("One", "Two")]
    here = f"/playbooks/{playbook.pk}"
    assert api.post(f"{here}/stop-preview/", {}).json["places"] == 2
    answer = api.post(f"{here}/stop/", {"enrollments": [one.pk], "note": "Enough"}, Idempotency_Key="first")
    assert (answer.status, answer.json["kind"]) == (201, "stop_playbook")

    run_jobs()
    job = api.get(f"/jobs/{answer.json['id']}/").json
    assert (job["state"], job["says"]) == ("done", "Stopped in 1 place: 1 action undone, 0 kept, 1 not run")
    again = api.post(f"{here}/stop/", {"enrollments": [one.pk]}, Idempotency_Key="second")
    assert (again.status, again.json["code"]) == (409, "nothing_to_stop")


def test_a_version_is_published_for_what_runs_too(api: Api, orbiton: Workspace) -> None:
    with tenant_context(orbiton.tenant.pk):
        playbook = live(playbook_json(steps=[raise_risk(1), raise_risk(300, key="far", title="Far")]))
        one = apply_now(playbook, account("One"), now=MONDAY)
    here = f"/playbooks/{playbook.pk}"
    api.post("/playbooks/import/", playbook_json(steps=[raise_risk(1), raise_risk(400, key="new", title="New")]))
    ahead = api.get(f"{here}/move-preview/").json
    assert (ahead["running"], [step["change"] for step in ahead["steps"]]) == (1, ["same", "removed", "added"])
    assert api.post(f"{here}/publish/", {"running": "perhaps"}).errors == {"/running": "invalid_choice"}
    assert api.post(f"{here}/publish/", {"running": "move"}).json["version"] == 2

    run_jobs()
    assert api.get(f"/enrollments/{one.pk}/").json["version"] == 2
    assert api.get(f"{here}/move-preview/").json == {"running": 0, "steps": []}
    assert api.post(f"{here}/move/", {}, Idempotency_Key="move").json["code"] == "nothing_to_move"


def test_a_dry_run_begins_and_ends(api: Api, orbiton: Workspace) -> None:
    with tenant_context(orbiton.tenant.pk):
        account("One", plan="Pro")
    id = api.post("/playbooks/import/", playbook_json()).json["id"]
    assert api.post(f"/playbooks/{id}/dry-run/", {"expected_count": 5}).json["status"] == "dry_run"
    assert api.post(f"/playbooks/{id}/set-live/", {}).status == 409
    api.post("/evaluations/")
    pump("evaluate")
    [row] = api.get("/enrollments/?dry_run=true").results
    assert row["dry_run"] is True
    assert api.get("/enrollments/?dry_run=false").results == []

    assert api.post(f"/playbooks/{id}/promote/", {"restart": True}).json["status"] == "live"
    run_jobs()
    assert len(api.get("/enrollments/?dry_run=false").results) == 1
    assert api.post(f"/playbooks/{id}/discard-dry-run/").status == 409
