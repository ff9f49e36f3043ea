"""Lists of accounts and what is known about them, and the verbs on them."""

from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import orjson
import pytest

from accounts.models import (
    Account,
    AccountRole,
    AccountUser,
    Conversation,
    EventType,
    Indicator,
    KeyRole,
    Segment,
    SegmentMembership,
    TraitProblem,
)
from cs_platform.tenancy.context import tenant_context
from tests.rest.client import Api
from tests.world import MONDAY, Workspace, account, on, trait, user


@pytest.fixture
def three(orbiton: Workspace) -> list[str]:
    with tenant_context(orbiton.tenant.pk):
        trait("stage")
        trait("seats", "number")
        known = {"csm": orbiton.priya, "t01": "A", "n01": 5, "traits": {"stage": "A", "seats": 5}}
        ada = account("Ada", plan="Pro", mrr_cents=100, renewal_on=on(5), known_cause_until=on(9), **known)
        account("Bob", plan="Free", mrr_cents=200, renewal_on=on(9), lifecycle="churned", parent=ada, user_count=3)
        account("Cyd", plan="Pro", health=80, archived_at=MONDAY)
    return ["Ada", "Bob", "Cyd"]


def names(api: Api, query: str) -> list[str]:
    answer = api.get(f"/accounts/?{query}")
    assert answer.status == 200, answer.json
    return [row["name"] for row in answer.results]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", ["Ada", "Bob"]),
        ("archived=true", ["Cyd"]),
        ("plan=Pro,Free&lifecycle=churned", ["Bob"]),
        ("name=da", ["Ada"]),
        ("external_id=ada,bob", ["Ada", "Bob"]),
        ("mrr_cents_min=150", ["Bob"]),
        ("renewal_from=2026-11-05&renewal_to=2026-11-06", ["Ada"]),
        ("ordering=-mrr_cents", ["Bob", "Ada"]),
        ("known_cause_at=2026-11-09&users_max=0&created_to=2026-11-03T00:00Z", ["Ada"]),
        ("users_min=1", ["Bob"]),
        ("trait[stage]=A,B&trait[seats]=5", ["Ada"]),
        ("trait[stage]=", ["Bob"]),
        ("trait[stage]=B", []),
    ],
)
def test_filters_narrow_the_list(api: Api, three: list[str], query: str, expected: list[str]) -> None:
    assert names(api, query) == expected


def test_a_filter_by_people_takes_their_ids(api: Api, orbiton: Workspace, three: list[str]) -> None:
    assert names(api, f"csm={orbiton.priya.pk},{orbiton.tom.pk}") == ["Ada"]


def test_accounts_are_found_by_what_stands_in_other_rows(api: Api, orbiton: Workspace, three: list[str]) -> None:
    with tenant_context(orbiton.tenant.pk):
        ada = Account.objects.get(name="Ada")
        vip = Segment.objects.create(scope="account", name="VIP", created_at=MONDAY)
        SegmentMembership.objects.create(segment=vip, account=ada, entered_at=MONDAY)
        role = KeyRole.objects.create(key="onboarding", name="Onboarding")
        AccountRole.objects.create(account=ada, role=role, member=orbiton.tom, since_at=MONDAY, assigned_by="person:1")

    assert names(api, f"segment={vip.pk}&role_holder={orbiton.tom.pk}") == ["Ada"]
    assert names(api, f"parent={ada.pk}") == ["Bob"]
    assert names(api, f"role_holder={orbiton.priya.pk}") == []


def test_users_are_found_by_their_traits_and_without_those_that_are_archived(api: Api, orbiton: Workspace) -> None:
    with tenant_context(orbiton.tenant.pk):
        trait("teams", "list", scope="user")
        user("Ida", l01=["ops", "it"], traits={"teams": ["ops", "it"]})
        user("Gone", archived_at=MONDAY)

    assert [one["name"] for one in api.get("/users/?trait[teams]=it,hr").results] == ["Ida"]
    assert [one["name"] for one in api.get("/users/").results] == ["Ida"]
    assert [one["name"] for one in api.get("/users/?archived=true").results] == ["Gone"]


@pytest.mark.parametrize("query", ["trait[seats]=many", "trait[gone]=1", "trait[stage", "trait=A", "trait[]=A"])
def test_a_trait_that_cannot_be_asked_is_refused_by_name(api: Api, three: list[str], query: str) -> None:
    answer = api.get(f"/accounts/?{query}")

    assert (answer.status, list(answer.errors)) == (400, [f"?{query.partition('=')[0]}"])


@pytest.mark.parametrize("query", ["csm=x", "mrr_cents_min=x", "renewal_from=2026-13-01", "lifecycle=gone", "csm=1,2,"])
def test_a_filter_of_the_wrong_type_is_refused(api: Api, query: str) -> None:
    answer = api.get(f"/accounts/?{query}")

    assert answer.status in (200, 400)
    if query != "csm=1,2,":
        assert list(answer.errors) == [f"?{query.partition('=')[0]}"]


def test_a_rule_filters_like_a_playbook(api: Api, three: list[str]) -> None:
    rule = {"all": [{"field": "trait:stage", "op": "is", "value": "A"}, {"field": "mrr", "op": "less", "value": 150}]}

    assert names(api, f"rule={quote(orjson.dumps(rule))}") == ["Ada"]


def test_users_are_found_by_a_rule_that_holds_at_one_of_their_accounts(api: Api, orbiton: Workspace) -> None:
    with tenant_context(orbiton.tenant.pk):
        one, other = account("One"), account("Other")
        both = user("Both", one, role="member")
        AccountUser.objects.create(account=other, end_user=both, role="admin")
        user("Neither", one, role="member")
    rule = {"field": "role", "op": "is", "value": "admin"}

    found = api.get(f"/users/?rule={quote(orjson.dumps(rule))}").results

    assert [user["name"] for user in found] == ["Both"]


@pytest.mark.parametrize(
    ("rule", "pointer"),
    [
        ("{", "?rule"),
        ('{"all": []}', "?rule/all"),
        ('{"all": [{"field": "nope", "op": "is"}]}', "?rule/all/0/field"),
        ('{"field": "mrr", "op": "less", "value": "x"}', "?rule/value"),
        ('{"field": "name", "op": "is", "value": "a\\u0000"}', "?rule/value"),
        ("[" * 2000, "?rule"),
    ],
)
def test_a_rule_that_cannot_be_asked_says_where(api: Api, three: list[str], rule: str, pointer: str) -> None:
    answer = api.get(f"/accounts/?rule={quote(rule)}")

    assert (answer.status, answer.json["code"], list(answer.errors)) == (400, "invalid_rule", [pointer])


def test_traits_are_defined_with_a_slot(api: Api) -> None:
    body = {"scope": "account", "key": "tier", "label": "Tier", "type": "choice", "choices": ["A", "B"]}
    made = api.post("/traits/", body)

    assert (made.status, made.json["sortable"], made.json["source"]) == (201, True, "custom")
    assert api.post("/traits/", body).errors == {"/key": "invalid"}
    assert api.post("/traits/", body | {"key": "x", "type": "date"}).errors == {"/choices": "invalid"}
    assert api.post("/traits/", body | {"key": "9x"}).errors == {"/key": "invalid"}
    assert [row["key"] for row in api.get("/traits/?scope=account&source=custom").results] == ["tier"]


def test_an_indicator_is_raised_addressed_and_reopened(api: Api, orbiton: Workspace) -> None:
    with tenant_context(orbiton.tenant.pk):
        at = account().pk
    body = {"account": at, "kind": "risk", "title": "Quiet", "assignee": orbiton.tom.pk}
    made = api.post("/indicators/", body).json
    path = f"/indicators/{made['id']}"

    assert (made["raised_by"], made["assignee"]) == (api.key.actor, orbiton.tom.pk)  # type: ignore[union-attr]
    assert [api.post(f"{path}/address/").json["state"] for _ in range(2)] == ["addressed"] * 2
    assert api.post(f"{path}/end/").status == 409
    assert api.post(f"{path}/reopen/").json["state"] == "active"
    assert [row["title"] for row in api.get(f"/indicators/?account={at}&state=active").results] == ["Quiet"]
    assert [row["kind"] for row in api.get(f"/accounts/{at}/timeline/").results][:1] == ["indicator.reopened"]


def test_a_pending_conversation_is_edited_sent_or_cancelled(api: Api, orbiton: Workspace) -> None:
    with tenant_context(orbiton.tenant.pk):
        at = account()
        draft = {"account": at, "end_user": user("Una", at), "to_email": "una@x.example", "body": "Hello"}
        later = {"send_at": datetime.now(UTC) + timedelta(days=9), "created_at": MONDAY}
        one, other = (Conversation.objects.create(subject="Hi", **draft, **later).pk for _ in range(2))

    assert api.patch(f"/conversations/{one}/", {"subject": "Welcome"}).json["subject"] == "Welcome"
    assert api.patch(f"/conversations/{one}/", {"send_at": "2099-01-01T09:00:00Z"}).errors == {"/send_at": "invalid"}
    assert api.post(f"/conversations/{one}/send-now/").json["code"] == "idempotency_key_required"
    sent = api.post(f"/conversations/{one}/send-now/", Idempotency_Key="s").json
    assert datetime.fromisoformat(sent["send_at"]) < datetime.now(UTC) + timedelta(days=1)
    assert [api.post(f"/conversations/{other}/cancel/").json["state"] for _ in range(2)] == ["cancelled"] * 2
    assert api.patch(f"/conversations/{other}/", {"subject": "Late"}).status == 409
    assert [row["id"] for row in api.get("/conversations/?state=cancelled").results] == [other]


def test_events_and_ingest_problems_are_listed(api: Api, orbiton: Workspace) -> None:
    with tenant_context(orbiton.tenant.pk):
        EventType.objects.create(name="Report exported")
        problem = {"source": "segment", "scope": "account", "key": "seats", "reason": "not a number", "sample": '"x"'}
        TraitProblem.objects.create(outcome="refused", count=3, first_at=MONDAY, last_at=MONDAY, **problem)

    assert [row["name"] for row in api.get("/events/").results] == ["Report exported"]
    assert [row["count"] for row in api.get("/ingest-problems/?key=seats&outcome=refused").results] == [3]


def test_no_field_of_the_model_slips_out_or_in(api: Api, orbiton: Workspace) -> None:
    """Whatever the model gains, the API shows and takes what is named there."""
    with tenant_context(orbiton.tenant.pk):
        at = account()
        raised = Indicator.raise_on(at, kind="risk", title="Quiet", by=orbiton.olga, now=MONDAY).pk

    assert "tenant" not in api.get(f"/accounts/{at.pk}/").json
    assert "trait_writers" not in api.get(f"/accounts/{at.pk}/").json
    for name in ("tenant", "state", "raised_by", "id"):
        body = {"account": at.pk, "kind": "risk", "title": "x", name: 1}
        assert api.post("/indicators/", body).errors == {f"/{name}": "unknown_field"}
    assert api.get(f"/indicators/{raised}/").json["state"] == "active"
