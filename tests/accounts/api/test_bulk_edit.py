from accounts.models import Account, AccountUser
from cs_platform.jobs.pump import run_jobs
from cs_platform.tenancy.context import tenant_context
from tests.rest.client import Api, refill_buckets
from tests.world import Workspace, account, trait, user

PATH = "/accounts/bulk-edit/"


def test_many_accounts_are_edited_by_one_call_and_undone_by_another(api: Api, orbiton: Workspace) -> None:
    with tenant_context(orbiton.tenant.pk):
        trait("seats", "number")
        ids = [account(name).pk for name in ("A", "B")]
    body = {"ids": ids, "verb": "set_trait", "config": {"trait": "seats", "value": 12}}
    job = api.post(PATH, body, Idempotency_Key="one")
    run_jobs()
    done = api.get(f"/jobs/{job.json['id']}/").json
    undone = api.post(f"/jobs/{job.json['id']}/undo/")
    run_jobs()

    assert (job.status, done["state"], done["says"]) == (201, "done", "2 changed")
    assert (undone.status, undone.json["undo_of"]) == (201, job.json["id"])
    assert api.post(f"/jobs/{job.json['id']}/undo/").status == 409
    assert api.get(f"/jobs/{undone.json['id']}/errors/").results == []
    with tenant_context(orbiton.tenant.pk):
        assert [one.traits for one in Account.objects.all()] == [{}, {}]


def test_a_list_can_be_meant_instead_of_ids(api: Api, orbiton: Workspace) -> None:
    with tenant_context(orbiton.tenant.pk):
        account("Harbour"), account("Halden")
    body = {"query": "q=harb", "verb": "assign", "config": {"role": "csm", "member": orbiton.tom.pk}}
    api.post(PATH, body, Idempotency_Key="one")
    run_jobs()

    with tenant_context(orbiton.tenant.pk):
        assert [one.name for one in Account.objects.filter(csm=orbiton.tom)] == ["Harbour"]


def test_what_the_dialog_would_refuse_is_refused_with_a_pointer(api: Api, orbiton: Workspace) -> None:
    with tenant_context(orbiton.tenant.pk):
        trait("seats", "number")
        pk = account("A").pk
    bad = [
        ({"ids": [pk], "verb": "explode", "config": {}}, "/verb"),
        ({"ids": [pk], "verb": "set_trait", "config": {"trait": "seats", "value": "many"}}, "/config/value"),
        ({"ids": [pk], "verb": "set_trait", "config": {"trait": "gone", "value": 1}}, "/config/trait"),
        ({"ids": [999_999], "verb": "set_trait", "config": {"trait": "seats", "value": 1}}, "/ids"),
        ({"query": "csm=77777", "verb": "set_trait", "config": {"trait": "seats", "value": 1}}, "/query"),
        ({"ids": [pk], "query": "", "verb": "set_trait", "config": {}}, "/ids"),
    ]
    for at, (body, pointer) in enumerate(bad):
        refill_buckets()
        answer = api.post(PATH, body, Idempotency_Key=f"k{at}")
        assert (answer.status, list(answer.errors)) == (400, [pointer]), body


def test_the_api_starts_it_and_hands_out_the_file(orbiton: Workspace, api: Api) -> None:
    with tenant_context(orbiton.tenant.pk):
        account("Alpha")
    job = api.post("/accounts/export/", {"query": "status=any&column=plan"})
    assert (job.status, api.get(f"/jobs/{job.json['id']}/file/").status) == (201, 404)
    run_jobs()
    answer = api.get(f"/jobs/{job.json['id']}/file/")

    assert b"".join(answer.response.streaming_content) == b"External id,Account,Plan\r\nalpha,Alpha,\r\n"  # type: ignore[attr-defined]
    assert api.post("/accounts/export/", {"query": "filter=nonsense"}).errors == {"/query": "invalid"}


def test_users_are_edited_exported_and_filtered_likewise(api: Api, orbiton: Workspace) -> None:
    with tenant_context(orbiton.tenant.pk):
        trait("mood", scope="user")
        ada = user("Ada", account("Harbourline"), role="admin")
        user("Bob", account("Calyx"))
        AccountUser.objects.filter(end_user=ada).update(is_key_contact=True)
    body = {"query": "role=admin", "verb": "set_trait", "config": {"trait": "mood", "value": "good"}}
    job = api.post("/users/bulk-edit/", body, Idempotency_Key="one")
    exported = api.post("/users/export/", {"query": "sort=name&column=trait:mood"})
    run_jobs()

    assert api.get(f"/jobs/{job.json['id']}/").json["says"] == "1 changed"
    assert api.get(f"/jobs/{exported.json['id']}/").json["says"] == "2 users written"
    for query in ("role=admin", "key_contact=true", "key_contact=true&unsubscribed=false"):
        assert [one["name"] for one in api.get(f"/users/?{query}").results] == ["Ada"], query
    assert [one["name"] for one in api.get("/users/?key_contact=false").results] == ["Bob"]
    assert api.get("/users/?unsubscribed=true").results == []
