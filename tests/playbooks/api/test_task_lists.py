"""A CTA playbook over REST: imported, applied to a CTA, replaced, removed and put back."""

import pytest

from cs_platform.tenancy.context import tenant_context
from ctas.models import Cta, Task
from ctas.opening import open_cta
from tests.rest.client import Answer, Api
from tests.world import MONDAY, Workspace, account, task_list_json


@pytest.fixture
def cta(orbiton: Workspace) -> int:
    with tenant_context(orbiton.tenant.pk):
        return open_cta(account=account(), name="Usage down", type="risk", by=orbiton.priya, now=MONDAY).pk


@pytest.fixture
def kickoff(api: Api) -> int:
    return made(api, "kickoff")


def made(api: Api, key: str, **parts: object) -> int:
    id = api.post("/playbooks/import/", task_list_json(key, **parts)).json["id"]
    assert api.post(f"/playbooks/{id}/set-live/", {}).json["definition"]["tasks"][0]["day"] == 1
    return id


def apply(api: Api, playbook: int, cta: int, key: str = "apply", **more: object) -> Answer:
    return api.post("/enrollments/", {"playbook": playbook, "cta": cta, **more}, Idempotency_Key=key)


def open_tasks(home: Workspace) -> list[str]:
    with tenant_context(home.tenant.pk):
        return list(Task.objects.open().order_by("title").values_list("title", flat=True))


def test_its_tasks_are_set_up_counted_and_taken_away(api: Api, orbiton: Workspace, kickoff: int, cta: int) -> None:
    applied = apply(api, kickoff, cta)
    assert (applied.status, applied.json["cta"], applied.json["steps_total"]) == (201, cta, 2)
    with tenant_context(orbiton.tenant.pk):
        Task.objects.get(title="Prepare").complete(by=orbiton.priya, now=MONDAY)
        edited = Task.objects.get(title="Call Harbourline Logistics")
        edited.edit(title="Ring them", by=orbiton.priya, now=MONDAY)
    [listed] = api.get(f"/enrollments/?cta={cta}").json["results"]
    assert (listed["progress"], listed["state"]) == (50, "active")

    at = f"/enrollments/{listed['id']}"
    preview = api.post(f"{at}/removal-preview/").json
    assert (preview["going"], preview["asked"], len(preview["staying"])) == ([], [edited.pk], 1)
    stopped = api.post(f"{at}/stop/", {"keep_tasks": preview["asked"]}, Idempotency_Key="stop")
    assert stopped.json["enrollment"]["state"] == "stopped"
    assert open_tasks(orbiton) == ["Ring them"]


def test_it_is_replaced_and_put_back(api: Api, orbiton: Workspace, kickoff: int, cta: int) -> None:
    first = apply(api, kickoff, cta).json["id"]
    other = made(api, "other", tasks=[{"title": "New", "day": 1}])
    second = api.post(f"/enrollments/{first}/replace/", {"playbook": other}, Idempotency_Key="r").json
    assert (second["playbook"], open_tasks(orbiton)) == (other, ["New"])
    third = api.post(f"/enrollments/{first}/put-back/", Idempotency_Key="p").json
    assert (third["playbook"], open_tasks(orbiton)) == (kickoff, ["Call Harbourline Logistics", "Prepare"])
    assert api.post(f"/enrollments/{first}/put-back/", Idempotency_Key="q").json["code"] == "cannot_put_back"


def test_what_does_not_fit_is_refused_in_words(
    api: Api, orbiton: Workspace, halyard: Workspace, kickoff: int, cta: int
) -> None:
    with tenant_context(orbiton.tenant.pk):
        at = Cta.objects.get(pk=cta).account_id
    with tenant_context(halyard.tenant.pk):
        theirs = open_cta(account=account(), name="Theirs", type="risk", by=halyard.priya, now=MONDAY).pk
    assert apply(api, kickoff, theirs).status == 400
    assert apply(api, kickoff, cta, "a", account=at).errors == {"/cta": "invalid"}
    assert api.post("/enrollments/", {"playbook": kickoff}, Idempotency_Key="b").errors == {"/account": "invalid"}
    assert apply(api, made(api, "renewals", types=["lifecycle"]), cta, "c").json["code"] == "cannot_apply"
    first = apply(api, kickoff, cta, "d").json["id"]
    assert apply(api, kickoff, cta, "e").json["code"] == "cannot_apply"
    assert api.post(f"/enrollments/{first}/replace/", {"playbook": kickoff + 999}, Idempotency_Key="f").status == 400
