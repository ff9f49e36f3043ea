"""Net promoter score over the API: tokens for a backend, answers of another tool, the score, the survey's settings."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from accounts.models import NpsResponse, NpsSurvey, Segment, SegmentMembership
from accounts.nps.tokens import read_token
from cs_platform.tenancy.clock import database_now
from cs_platform.tenancy.context import tenant_context
from tests.rest.client import Answer, Api
from tests.world import MONDAY, Workspace, account, user

BULK = {"Idempotency_Key": "answers-1"}


@pytest.fixture
def people(orbiton: Workspace) -> dict[str, Any]:
    with tenant_context(orbiton.tenant.pk):
        at = account("Harbourline")
        return {"at": at, "ines": user("Ines", at, external_id="ines"), "ben": user("Ben", at, external_id="ben")}


def body(**more: Any) -> dict[str, Any]:
    return {"external_id": "a-1", "user": "ines", "score": 9, "answered_at": "2026-10-01T10:00:00Z"} | more


# --- tokens -----------------------------------------------------------------------------------------------------------


def test_a_token_is_for_one_user_and_a_day(api: Api, people: dict[str, Any]) -> None:
    answer = api.post("/nps/tokens/", {"user": "ines", "account": "harbourline"})
    assert answer.status == 201
    token = read_token(answer.json["token"])
    assert token is not None
    assert (token.tenant_id, token.user_id, token.account_id) == (api.tenant_id, people["ines"].pk, people["at"].pk)
    assert token.expires_at - token.issued_at == timedelta(hours=24)
    assert token.holds_at(database_now())


@pytest.mark.parametrize(
    ("sent", "pointer"),
    [
        ({}, "/user"),
        ({"user": "nobody"}, "/user"),
        ({"user": 7}, "/user"),
        ({"user": "ines", "account": "nowhere"}, "/account"),
        ({"user": "ines", "account": "elsewhere"}, "/account"),
        ({"user": "ines", "expires_in": 10**9}, "/expires_in"),
        ({"user": "ines", "expires_in": 0}, "/expires_in"),
        ({"user": "ines", "tenant": 1}, "/tenant"),
    ],
)
def test_a_token_for_nobody_is_not_issued(
    api: Api, orbiton: Workspace, people: dict[str, Any], sent: dict[str, Any], pointer: str
) -> None:
    with tenant_context(orbiton.tenant.pk):
        account("Elsewhere")
    answer = api.post("/nps/tokens/", sent)
    if sent.get("user") == 7:  # numbers are read as texts, as everywhere
        assert answer.status == 400
        return
    assert (answer.status, list(answer.errors)) == (400, [pointer])


def test_another_workspaces_user_is_nobody_here(api: Api, halyard: Workspace) -> None:
    with tenant_context(halyard.tenant.pk):
        user("Fay", account("Foreign"), external_id="fay")
    assert api.post("/nps/tokens/", {"user": "fay"}).status == 400
    assert api.post("/nps/responses/", body(user="fay")).status == 400


def test_reading_is_not_enough_for_a_token(api_with: Callable[..., Api], people: dict[str, Any]) -> None:
    assert api_with("read").post("/nps/tokens/", {"user": "ines"}).status == 403


# --- answers ----------------------------------------------------------------------------------------------------------


def test_an_answer_comes_in_once(api: Api, people: dict[str, Any]) -> None:
    first, again = (api.post("/nps/responses/", body(comment="Bien")) for _ in range(2))
    assert (first.status, again.status) == (201, 200)
    assert first.json == again.json
    assert first.json | {"id": 0} == {
        "id": 0,
        "external_id": "a-1",
        "user": people["ines"].pk,
        "account": people["at"].pk,
        "score": 9,
        "group": "promoter",
        "comment": "Bien",
        "answered_at": "2026-10-01T10:00:00Z",
        "source": f"key:{api.key.pk}",  # type: ignore[union-attr]
    }


def test_another_value_changes_it(api: Api, people: dict[str, Any]) -> None:
    api.post("/nps/responses/", body())
    assert api.post("/nps/responses/", body(score=3)).json["score"] == 3
    assert len(api.get("/nps/responses/").results) == 1


@pytest.mark.parametrize(
    ("wrong", "pointer"),
    [
        ({"score": 11}, "/score"),
        ({"score": 9.5}, "/score"),
        ({"user": "nobody"}, "/user"),
        ({"account": "nowhere"}, "/account"),
        ({"external_id": "showing:1"}, "/external_id"),
        ({"answered_at": "2999-01-01T00:00:00Z"}, "/answered_at"),
        ({"answered_at": "yesterday"}, "/answered_at"),
        ({"comment": "x" * 10_001}, "/comment"),
        ({"source": "survey"}, "/source"),
    ],
)
def test_a_bad_answer_is_refused_where_it_is_bad(
    api: Api, people: dict[str, Any], wrong: dict[str, Any], pointer: str
) -> None:
    answer = api.post("/nps/responses/", body(**wrong))
    assert (answer.status, list(answer.errors)) == (400, [pointer])


def test_many_come_in_each_judged_by_itself(api: Api, people: dict[str, Any]) -> None:
    items = [body(), body(external_id="a-2", user="nobody"), body(external_id="a-3", score=99), {"score": 1}]
    answer = api.post("/nps/responses/bulk/", {"items": items}, **BULK)
    assert answer.status == 200
    assert [(one["index"], one["outcome"]) for one in answer.results] == [
        (0, "created"),
        (1, "refused"),
        (2, "refused"),
        (3, "refused"),
    ]
    assert [one["errors"][0]["pointer"] for one in answer.results[1:3]] == ["/user", "/score"]
    assert (answer.json["created"], answer.json["refused"]) == (1, 3)


@pytest.fixture
def answered(api: Api, people: dict[str, Any]) -> Answer:
    items = [
        body(external_id="a-1", score=2, answered_at="2026-08-01T00:00:00Z"),
        body(external_id="a-2", score=9),
        body(external_id="a-3", user="ben", score=7),
    ]
    return api.post("/nps/responses/bulk/", {"items": items}, **BULK)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", ["a-3", "a-2", "a-1"]),
        ("?group=detractors", ["a-1"]),
        ("?user={ben}", ["a-3"]),
        ("?account={at}&group=promoters", ["a-2"]),
        ("?answered_since=2026-09-01T00:00:00Z", ["a-3", "a-2"]),
        ("?answered_before=2026-09-01T00:00:00Z", ["a-1"]),
        ("?segment={segment}", ["a-2", "a-1"]),
    ],
)
def test_answers_are_filtered(
    api: Api, orbiton: Workspace, people: dict[str, Any], answered: Answer, query: str, found: list[str]
) -> None:
    with tenant_context(orbiton.tenant.pk):
        segment = Segment.objects.create(scope="user", name="Fans", created_at=MONDAY)
        SegmentMembership.objects.create(segment=segment, end_user=people["ines"], entered_at=MONDAY)
    ids = {name: one.pk for name, one in people.items()} | {"segment": segment.pk}
    rows = api.get("/nps/responses/" + query.format(**ids)).results
    assert [row["external_id"] for row in rows] == found


@pytest.mark.parametrize("query", ["?group=fans", "?segment=999999", "?segment=x", "?scores=9"])
def test_a_filter_that_means_nothing_is_refused(api: Api, query: str) -> None:
    assert api.get(f"/nps/responses/{query}").status == 400


def test_the_score_counts_each_user_once(api: Api, answered: Answer) -> None:
    assert api.get("/nps/responses/score/").json == {
        "score": 50,
        "answers": 2,
        "promoters": 1,
        "passives": 1,
        "detractors": 0,
    }
    assert api.get("/nps/responses/score/?group=detractors").json["score"] == -100


def test_without_answers_there_is_no_score(api: Api) -> None:
    assert api.get("/nps/responses/score/").json["score"] is None


# --- settings ---------------------------------------------------------------------------------------------------------


def test_settings_are_read_and_changed_in_part(api: Api) -> None:
    assert api.get("/nps/survey/").json["is_on"] is False
    sent = {"is_on": True, "origins": ["https://App.example.com/"], "theme": {"accent": "#AA0000"}}
    changed = api.patch("/nps/survey/", sent).json
    assert (changed["is_on"], changed["origins"]) == (True, ["https://app.example.com"])
    assert changed["theme"] == {"accent": "#aa0000", "position": "right", "appearance": "system"}
    assert api.get("/nps/survey/").json == changed


@pytest.mark.parametrize(
    ("sent", "pointer"),
    [
        ({"is_on": True}, "/origins"),
        ({"origins": ["http://app.example.com"]}, "/origins"),
        ({"theme": {"accent": "red"}}, "/theme/accent"),
        ({"theme": {"position": "top"}}, "/theme/position"),
        ({"theme": {"css": "x"}}, "/theme/css"),
        ({"months_between": 0}, "/months_between"),
        ({"max_showings": 31}, "/max_showings"),
        ({"question": ""}, "/question"),
        ({"question": "x" * 201}, "/question"),
        ({"colour": "red"}, "/colour"),
    ],
)
def test_bad_settings_are_refused_where_they_are_bad(
    api: Api, orbiton: Workspace, sent: dict[str, Any], pointer: str
) -> None:
    answer = api.patch("/nps/survey/", sent)
    assert (answer.status, list(answer.errors)) == (400, [pointer])
    with tenant_context(orbiton.tenant.pk):
        assert not NpsSurvey.objects.exists()


def test_settings_take_another_scope_than_answers(api_with: Callable[..., Api]) -> None:
    assert api_with("write").patch("/nps/survey/", {}).status == 403
    assert api_with("data").patch("/nps/survey/", {}).status == 200


def test_a_workspace_has_settings_and_answers_of_its_own(
    api: Api, halyard: Workspace, people: dict[str, Any], answered: Answer
) -> None:
    theirs = Api.with_key(halyard.tenant)
    theirs.patch("/nps/survey/", {"question": "Would you, Halyard?"})
    assert api.get("/nps/survey/").json["question"] != "Would you, Halyard?"
    assert theirs.get("/nps/responses/").results == []
    with tenant_context(halyard.tenant.pk):
        assert not NpsResponse.objects.exists()
