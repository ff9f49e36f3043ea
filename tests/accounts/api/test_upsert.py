"""Accounts and users as an integration sends them."""

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.ingest import ingest_calls
from accounts.models import Account, AccountUser, EndUser, TimelineEntry, TraitDefinition
from cs_platform.tenancy.context import tenant_context
from tests.rest.client import Api
from tests.world import MONDAY, Workspace, account, trait, user

FACTS = {
    "name": "Harbourline",
    "plan": "Pro",
    "lifecycle": "trialing",
    "mrr_cents": 125_000,
    "renewal_on": "2027-03-01",
    "timezone": "Europe/Oslo",
    "health": 61.5,
}


@pytest.fixture(autouse=True)
def _traits(orbiton: Workspace) -> None:
    with tenant_context(orbiton.tenant.pk):
        trait("stage")
        trait("seats", "number")
        trait("owner", "person")
        trait("topics", "list", scope="user")


def bulk(api: Api, items: list[Any], path: str = "/accounts/bulk/") -> Any:
    answer = api.post(path, {"items": items}, Idempotency_Key=f"k{len(items)}-{hash(str(items))}")
    assert answer.status == 200
    return answer.json


def test_put_creates_then_updates_then_changes_nothing(api: Api) -> None:
    path = "/accounts/by-external-id/har%2Fbour line/"
    made = api.put(path, FACTS | {"traits": {"stage": "A", "seats": 12}})
    changed = api.put(path, {"plan": None, "traits": {"seats": 13}})
    same = api.put(path, {"traits": {"seats": 13}})

    assert (made.status, changed.status, same.status) == (201, 200, 200)
    assert made.json["external_id"] == "har/bour line"
    assert {name: made.json[name] for name in FACTS} == FACTS
    assert (changed.json["plan"], changed.json["name"]) == (None, "Harbourline")
    assert changed.json["traits"]["seats"] == 13
    assert same.json["updated_at"] == changed.json["updated_at"]
    assert api.get(path).json == same.json


def test_a_value_that_does_not_fit_refuses_the_whole_account(api: Api) -> None:
    body = {"lifecycle": "gone", "mrr_cents": "a lot", "renewal_on": "1 March"}
    first = api.put("/accounts/by-external-id/a/", body)
    traits = {"seats": "many", "nope": 1, "owner": 7}
    second = api.put("/accounts/by-external-id/a/", {"timezone": "Mars", "csm": 999, "traits": traits})

    assert set(first.errors) == {"/lifecycle", "/mrr_cents", "/renewal_on"}
    assert set(second.errors) == {"/timezone", "/csm", "/traits/seats", "/traits/nope", "/traits/owner"}
    assert api.get("/accounts/").results == []


def test_facts_are_kept_in_the_traits_that_feed_them(api: Api, orbiton: Workspace) -> None:
    api.put("/accounts/by-external-id/a/", {"plan": "Pro", "csm": orbiton.priya.pk})

    with tenant_context(orbiton.tenant.pk):
        found = Account.objects.get()
        assert (found.plan, found.csm) == ("Pro", orbiton.priya)
        assert found.traits == {"plan": "Pro", "csm_email": orbiton.priya.pk}
        assert TraitDefinition.objects.get(key="plan").column == "plan"


def test_what_the_api_says_is_newer_than_a_late_call_of_segment(api: Api, orbiton: Workspace) -> None:
    api.put("/accounts/by-external-id/a/", {"plan": "Pro"})
    late = {"type": "group", "groupId": "a", "traits": {"plan": "Old"}, "timestamp": "2026-01-01T00:00:00Z"}
    ingest_calls([late], tenant=orbiton.tenant, source="test", now=MONDAY)

    assert api.get("/accounts/by-external-id/a/").json["plan"] == "Pro"


def test_a_custom_trait_is_written_in_the_keys_name(api: Api, orbiton: Workspace) -> None:
    for traits in ({"stage": "A", "seats": 3}, {"stage": "B"}, {"seats": None}):
        api.put("/accounts/by-external-id/a/", {"traits": traits})

    with tenant_context(orbiton.tenant.pk):
        found = Account.objects.get()
        assert (found.traits, found.t01, found.n01) == ({"stage": "B"}, "B", None)
        assert found.trait_writers == dict.fromkeys(("stage", "seats"), api.key.actor)  # type: ignore[union-attr]
        assert not TimelineEntry.objects.exists()


def test_a_person_like_edit_is_told(api: Api, orbiton: Workspace) -> None:
    id = api.put("/accounts/by-external-id/a/", {"traits": {"stage": "A"}}).json["id"]
    api.patch(f"/accounts/{id}/", {"traits": {"stage": "B"}})

    with tenant_context(orbiton.tenant.pk):
        assert [entry.text for entry in TimelineEntry.objects.all()] == ["Stage changed from A to B"]


def test_editing_takes_custom_traits_only(api: Api, orbiton: Workspace) -> None:
    id = api.put("/accounts/by-external-id/a/", {"plan": "Pro", "traits": {"stage": "A"}}).json["id"]

    assert api.patch(f"/accounts/{id}/", {"traits": {"stage": None}}).json["traits"] == {"plan": "Pro"}
    assert api.patch(f"/accounts/{id}/", {"traits": {"plan": "Max"}}).errors == {"/traits/plan": "invalid"}
    assert api.patch(f"/accounts/{id}/", {"name": "X", "traits": {}}).errors == {"/name": "unknown_field"}


def test_a_bulk_judges_every_item_by_itself(api: Api) -> None:
    api.put("/accounts/by-external-id/old/", {"name": "Old"})
    answer = bulk(
        api,
        [
            {"external_id": "new", "name": "New", "traits": {"stage": "A"}},
            {"external_id": "old", "name": "Older"},
            {"external_id": "old", "name": "Oldest"},
            {"external_id": "bad", "traits": {"seats": {"a": 1}}},
            {"name": "Nobody"},
            {"external_id": "odd", "colour": "red"},
        ],
    )

    assert [(item["index"], item["outcome"]) for item in answer["results"]] == [
        (0, "created"),
        (1, "updated"),
        (2, "refused"),
        (3, "refused"),
        (4, "refused"),
        (5, "refused"),
    ]
    assert [item["errors"][0]["pointer"] for item in answer["results"][2:]] == [
        "/external_id",
        "/traits/seats",
        "/external_id",
        "/colour",
    ]
    assert {name: answer[name] for name in ("created", "updated", "unchanged", "refused")} == {
        "created": 1,
        "updated": 1,
        "unchanged": 0,
        "refused": 4,
    }
    assert bulk(api, [{"external_id": "new", "name": "New"}])["results"][0]["outcome"] == "unchanged"


def test_a_bulk_of_a_thousand_is_a_handful_of_statements(api: Api) -> None:
    items = [{"external_id": str(n), "name": f"N{n}", "traits": {"stage": "A", "seats": n}} for n in range(1000)]
    with CaptureQueriesContext(connection) as few:
        bulk(api, items[:10])
    with CaptureQueriesContext(connection) as many:
        answer = bulk(api, items)

    assert answer["created"] == 990
    assert len(many) <= len(few) + 3
    assert len(many) < 40


def test_a_bulk_is_limited_to_a_thousand(api: Api) -> None:
    answer = api.post("/accounts/bulk/", {"items": [{"external_id": str(n)} for n in range(1001)]}, Idempotency_Key="k")

    assert answer.errors == {"/items": "max_length"}


def test_a_user_joins_accounts_with_a_role(api: Api, orbiton: Workspace) -> None:
    api.put("/accounts/by-external-id/acme/", {})
    body = {"name": "Una", "email": "una@acme.example", "traits": {"topics": ["a", "b"]}}
    made = api.put("/users/by-external-id/u1/", body | {"accounts": [{"external_id": "acme", "role": "admin"}]})

    assert (made.status, made.json["name"], made.json["traits"]["topics"]) == (201, "Una", ["a", "b"])
    assert [(tie["role"], tie["is_key_contact"]) for tie in made.json["accounts"]] == [("admin", False)]
    with tenant_context(orbiton.tenant.pk):
        assert Account.objects.get().user_count == 1
        assert AccountUser.objects.get().role == "admin"


def test_a_user_leaves_an_account(api: Api) -> None:
    account = api.put("/accounts/by-external-id/acme/", {}).json["id"]
    made = api.put("/users/by-external-id/u1/", {"accounts": [{"external_id": "acme", "role": "admin"}]}).json
    left = api.post(f"/users/{made['id']}/leave/", {"account": account})

    assert (left.status, left.json["accounts"]) == (200, [])
    assert api.get(f"/accounts/{account}/").json["user_count"] == 0
    assert api.post(f"/users/{made['id']}/leave/", {"account": account}).errors == {"/account": "invalid"}


def test_users_come_in_bulk_too(api: Api, orbiton: Workspace) -> None:
    api.put("/accounts/by-external-id/acme/", {})
    items = [
        {"external_id": "u1", "accounts": [{"external_id": "acme"}]},
        {"external_id": "u2", "accounts": [{"external_id": "nowhere"}]},
    ]

    assert [item["outcome"] for item in bulk(api, items, "/users/bulk/")["results"]] == ["created", "refused"]
    with tenant_context(orbiton.tenant.pk):
        assert EndUser.objects.get().external_id == "u1"


def test_creating_twice_is_a_conflict(api: Api) -> None:
    assert api.post("/accounts/", {"external_id": "a"}).status == 201
    answer = api.post("/accounts/", {"external_id": "a"})

    assert (answer.status, answer.errors) == (409, {"/external_id": "exists"})


def test_users_are_listed_with_their_accounts_in_few_queries(api: Api, orbiton: Workspace) -> None:
    with tenant_context(orbiton.tenant.pk):
        home = account()
        for n in range(20):
            user(f"User {n}", home)
    with CaptureQueriesContext(connection) as queries:
        answer = api.get("/users/")

    assert [len(row["accounts"]) for row in answer.results] == [1] * 20
    assert len(queries) < 15
