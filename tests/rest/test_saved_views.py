"""Shared views over the API: set up once for a team, and what is somebody's own stays theirs."""

from typing import Any

from accounts.models import Account
from cs_platform.tenancy.context import tenant_context
from cs_platform.workspace.saved_views import Setup, save_view
from ctas.opening import open_cta
from tests.rest.client import Api
from tests.world import MONDAY, Workspace, account


def test_a_shared_view_is_made_edited_archived_and_restored(api: Api, orbiton: Workspace) -> None:
    body = {
        "page": "accounts",
        "name": "At risk",
        "owner": orbiton.olga.pk,
        "params": "csm=me&after=x",
        "widths": {"arr": 90},
    }
    made = api.post("/views/", body).json
    view = f"/views/{made['id']}/"

    assert (made["params"], made["widths"], made["owner"]) == ("csm=me", {"arr": 90}, orbiton.olga.pk)
    assert api.patch(view, {"params": "sort=-arr"}).json["params"] == "sort=-arr"
    assert api.get(view).json["widths"] == {"arr": 90}
    assert api.post(f"{view}archive/").json["archived_at"]
    assert api.get("/views/?archived=false").results == []
    assert api.post(f"{view}restore/").json["archived_at"] is None
    assert [one["name"] for one in api.get("/views/?page=accounts").results] == ["At risk"]


def test_a_view_keeps_which_columns_are_pinned_as_it_keeps_which_are_shown(api: Api, orbiton: Workspace) -> None:
    params = "column=arr&column=plan&pin=plan"
    body = {"page": "accounts", "name": "At risk", "owner": orbiton.olga.pk, "params": params}
    made = api.post("/views/", body).json

    assert made["params"] == params
    assert api.patch(f"/views/{made['id']}/", {"params": "column=arr&pin=arr"}).json["params"] == "column=arr&pin=arr"


def test_a_picture_is_chosen_and_stays_until_another_is(api: Api, orbiton: Workspace) -> None:
    body = {"page": "accounts", "name": "At risk", "owner": orbiton.olga.pk}
    made = api.post("/views/", body | {"icon": "triangle-alert"}).json
    view = f"/views/{made['id']}/"

    assert made["icon"] == "triangle-alert"
    assert api.patch(view, {"name": "Unwell"}).json["icon"] == "triangle-alert"
    assert api.patch(view, {"icon": ""}).json["icon"] == ""
    assert "/icon" in api.patch(view, {"icon": "moon"}).errors


def test_what_is_wrong_is_pointed_at(api: Api, orbiton: Workspace) -> None:
    body = {"page": "accounts", "name": "At risk", "owner": orbiton.olga.pk}
    api.post("/views/", body)

    assert api.post("/views/", body).status == 400
    assert "/page" in api.post("/views/", body | {"page": "moon"}).errors
    assert "/widths/arr" in api.post("/views/", body | {"name": "Other", "widths": {"arr": 9}}).errors


def test_somebodys_own_views_are_not_a_keys_business(api: Api, orbiton: Workspace) -> None:
    with tenant_context(orbiton.tenant.pk):
        own = {"page": "accounts", "setup": Setup("", {}), "owner": orbiton.priya, "is_shared": False, "now": MONDAY}
        view = save_view(name="Mine", **own)

    assert api.get("/views/").results == []
    assert api.get(f"/views/{view.pk}/").status == 404
    assert api.get(f"/views/{view.pk}/count/").status == 404


def test_a_shared_view_says_how_many_it_finds_for_nobody_in_particular(api: Api, orbiton: Workspace) -> None:
    with tenant_context(orbiton.tenant.pk):
        shared: dict[str, Any] = {"owner": orbiton.priya, "is_shared": True, "now": MONDAY}
        account("Harbourline", csm=orbiton.priya)
        account("Calyx")
        views = {
            (page, params): save_view(page=page, name=f"{page} {params}", setup=Setup(params, {}), **shared).pk
            for page, params in (
                ("accounts", ""),
                ("accounts", "csm=me"),
                ("accounts", "trait:lost=yes"),
                ("users", ""),
                ("cockpit", ""),
                ("cockpit", "tab=team"),
                ("plans", "owner=me"),
            )
        }
        open_cta(
            account=Account.objects.first(), name="Nobody's", type="risk", owner=None, by=orbiton.priya, now=MONDAY
        )
    told = {asked: api.get(f"/views/{pk}/count/").json["count"] for asked, pk in views.items()}

    assert told == {
        ("accounts", ""): 2,
        ("accounts", "csm=me"): 0,
        ("accounts", "trait:lost=yes"): None,
        ("users", ""): 0,
        ("cockpit", ""): 0,
        ("cockpit", "tab=team"): 1,
        ("plans", "owner=me"): 0,
    }
    assert api.get(f"/views/{views['accounts', '']}/count/?fields=is_capped").json == {"is_capped": False}
