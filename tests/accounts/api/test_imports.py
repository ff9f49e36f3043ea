from accounts.models import Account
from cs_platform.jobs.pump import run_jobs
from cs_platform.tenancy.context import tenant_context
from tests.rest.client import Api
from tests.world import Workspace

FILE = {"scope": "account", "content": "id,name,seats\na,Alpha,12\nb,Bolt,many\n"}


def test_a_file_is_sent_tried_run_and_undone(api: Api, orbiton: Workspace) -> None:
    made = api.post("/imports/", FILE)
    path = f"/imports/{made.json['id']}"
    assert (made.status, made.json["header"], made.json["columns"]["0"]) == (
        201,
        ["id", "name", "seats"],
        "external_id",
    )
    columns = {"0": "external_id", "1": "fact:name", "2": "new:number:Seats"}
    assert api.post(f"{path}/dry-run/").status == 409
    assert api.post(f"{path}/mapping/", {"columns": columns}).json["columns"] == columns
    tried = api.post(f"{path}/dry-run/")
    run_jobs()
    assert api.get(f"/jobs/{tried.json['id']}/").json["result"]["created"] == 1
    assert api.get(f"{path}/").json["state"] == "checked"
    done = api.post(f"{path}/run/")
    run_jobs()
    assert api.get(f"/jobs/{done.json['id']}/errors/").results[0]["message"] == "seats: not a number (“many”)."
    assert (api.get(f"{path}/").json["state"], api.post(f"{path}/run/").status) == ("done", 409)
    assert api.post(f"{path}/undo/").status == 201
    run_jobs()

    assert api.get(f"{path}/").json["state"] == "undone"
    with tenant_context(orbiton.tenant.pk):
        assert Account.objects.get().archived_at is not None


def test_what_cannot_be_is_refused_with_a_pointer(api: Api) -> None:
    made = api.post("/imports/", FILE).json["id"]

    assert api.post("/imports/", FILE | {"content": "PK\x03\x04"}).errors == {"/content": "invalid"}
    assert api.post("/imports/", FILE | {"content": "only,headings\n"}).errors == {"/content": "invalid"}
    wrong = api.post(f"/imports/{made}/mapping/", {"columns": {"0": "trait:gone", "1": "fact:name"}})
    assert set(wrong.errors) == {"/columns", "/columns/0"}
    assert api.post(f"/imports/{made}/undo/").status == 409
