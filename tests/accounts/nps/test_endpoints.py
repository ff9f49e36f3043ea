"""The survey's public endpoints: a good token of the right site is served, everybody else learns nothing."""

from datetime import timedelta
from typing import Any

import orjson
import pytest
from django.http import HttpResponse
from django.test import Client

from accounts.api.survey import MAX_BYTES
from accounts.api.survey_limits import USER_BURST, USERS, Buckets
from accounts.models import EndUser, NpsResponse, NpsShowing
from accounts.nps.tokens import UserToken, issue_token
from cs_platform.tenancy.clock import database_now
from cs_platform.tenancy.context import tenant_context
from tests.world import Workspace, account, user

from .conftest import ORIGIN, Scene

ACTS = ("shown", "dismissed", "answer")
SCORE = {"score": 9}


class Page:
    """The customer's page with a token for Ines, made now: these endpoints read the database's clock."""

    def __init__(self, scene: Scene, **parts: Any) -> None:
        now = database_now()
        self.token = str(UserToken(scene.home.tenant.pk, scene.ines.pk, None, now, now + timedelta(hours=1)))
        if parts:
            plain = {"tenant_id": scene.home.tenant.pk, "user_id": scene.ines.pk, "account_id": None, "issued_at": now}
            self.token = str(UserToken(**(plain | {"expires_at": now + timedelta(hours=1)} | parts)))

    def ask(self, verb: str, name: str, body: Any = None, **headers: str) -> HttpResponse:
        sent = {"Authorization": f"Bearer {self.token}", "Origin": ORIGIN} | headers
        data = body if isinstance(body, bytes) else b"" if body is None else orjson.dumps(body)
        kept = {name: value for name, value in sent.items() if value}
        client = Client(enforce_csrf_checks=True)
        response = client.generic(verb, f"/nps/v1/{name}", data, "application/json", headers=kept)
        assert not response.cookies
        return response  # type: ignore[return-value]

    def survey(self, **headers: str) -> HttpResponse:
        return self.ask("GET", "survey", **headers)

    def post(self, name: str, body: Any = None, **headers: str) -> HttpResponse:
        return self.ask("POST", name, body, **headers)


def told(response: HttpResponse) -> Any:
    return orjson.loads(response.content)


@pytest.fixture
def site(scene: Scene) -> Page:
    return Page(scene)


def test_the_survey_is_shown_answered_and_not_shown_again(site: Page, scene: Scene) -> None:
    seen = told(site.survey())
    assert (seen["show"], seen["question"]) == (True, scene.survey.question)
    assert told(site.post("shown")) == {}
    assert told(site.post("answer", {"score": 9, "comment": " Saves time "})) == {"accepted": True}
    assert told(site.survey()) == {"show": False}
    assert NpsResponse.objects.get().comment == "Saves time"


def test_a_dismissal_is_remembered(site: Page) -> None:
    site.post("shown")
    site.post("dismissed")
    assert told(site.survey()) == {"show": False}
    assert NpsShowing.objects.get().dismissed_at is not None


def test_nothing_says_why_it_is_not_shown(site: Page, scene: Scene) -> None:
    for change in ({"is_on": False}, {"is_on": True, "requires_playbook": True}, {"min_user_age_days": 3_000}):
        scene.changed(**change)
        assert told(site.survey()) == {"show": False}
        site.post("shown")
    assert not NpsShowing.objects.exists()


def test_who_was_asked_is_heard_though_it_was_switched_off(site: Page, scene: Scene) -> None:
    site.post("shown")
    scene.changed(is_on=False)
    assert told(site.post("answer", SCORE)) == {"accepted": True}


def test_who_was_not_asked_is_not_heard(site: Page) -> None:
    assert told(site.post("answer", SCORE)) == {"accepted": False}
    assert not NpsResponse.objects.exists()


def test_an_archived_user_is_not_heard(site: Page, scene: Scene) -> None:
    site.post("shown")
    EndUser.objects.update(archived_at=database_now())
    assert told(site.post("answer", SCORE)) == {"accepted": False}


# --- tokens -----------------------------------------------------------------------------------------------------------


def tokens(scene: Scene) -> dict[str, str]:
    good, now = Page(scene), database_now()
    hour = timedelta(hours=1)
    return {
        "none": "",
        "mistyped": good.token[:-2],
        "expired": Page(scene, issued_at=now - 2 * hour, expires_at=now - hour).token,
        "of no workspace": Page(scene, tenant_id=10**9).token,
        "hostile": "<script>alert(1)</script>",
        "odd": "\u00e9:\u00e9",
        "long": "a:" * 4_000,
    }


def test_bad_tokens_are_refused_alike_and_do_nothing(scene: Scene, site: Page) -> None:
    answers = set()
    for token in tokens(scene).values():
        site.token = token
        for verb, name in [("GET", "survey"), *(("POST", name) for name in ACTS)]:
            response = site.ask(verb, name, SCORE if verb == "POST" else None)
            answers.add((response.status_code, response.content, "Access-Control-Allow-Origin" in response.headers))
    assert answers == {(401, b'{"error": "This token is not valid here."}', False)}
    assert not NpsShowing.objects.exists()


def test_a_token_opens_its_own_workspace_only(scene: Scene, halyard: Workspace) -> None:
    """Its user's id means nobody in another one, and there is no way to ask for another."""
    other = Page(scene, tenant_id=halyard.tenant.pk)
    assert other.survey().status_code == 401  # Halyard's survey names no origins
    assert told(other.survey(Origin="")) == {"show": False}
    other.post("shown", Origin="")
    assert told(other.post("answer", SCORE, Origin="")) == {"accepted": False}
    with tenant_context(halyard.tenant.pk):
        assert not NpsShowing.objects.exists()


def test_a_token_of_another_account_shows_nothing(scene: Scene) -> None:
    assert told(Page(scene, account_id=account("Calyx").pk).survey()) == {"show": False}


def test_a_token_issued_for_the_account_answers_for_it(scene: Scene) -> None:
    site = Page(scene)
    site.token = str(issue_token(scene.ines, scene.at, now=database_now()))
    site.post("shown")
    site.post("answer", SCORE)
    assert NpsResponse.objects.get().account == scene.at


# --- origins ----------------------------------------------------------------------------------------------------------


def test_the_answer_is_readable_on_the_surveys_origins(site: Page) -> None:
    response = site.survey()
    assert response["Access-Control-Allow-Origin"] == ORIGIN
    assert response["Vary"] == "Origin"
    assert response["Cache-Control"] == "no-store"
    assert "Access-Control-Allow-Credentials" not in response.headers


@pytest.mark.parametrize("origin", ["https://evil.example", "null", f"{ORIGIN}.evil.example", "*", ORIGIN.upper()])
def test_other_origins_read_nothing_and_do_nothing(site: Page, origin: str) -> None:
    for verb, name in [("GET", "survey"), *(("POST", name) for name in ACTS)]:
        response = site.ask(verb, name, SCORE if verb == "POST" else None, Origin=origin)
        assert response.status_code == 401
        assert "Access-Control-Allow-Origin" not in response.headers
    assert not NpsShowing.objects.exists()


@pytest.mark.parametrize("name", ["survey", *ACTS])
def test_a_preflight_says_the_same_to_everybody(site: Page, name: str) -> None:
    site.token = ""
    asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization,content-type"}
    responses = [site.ask("OPTIONS", name, Origin=origin, **asked) for origin in (ORIGIN, "https://evil.example")]
    assert {response.status_code for response in responses} == {204}
    assert responses[0].headers == responses[1].headers
    assert "authorization" in responses[0]["Access-Control-Allow-Headers"].lower()


# --- hostile bodies ---------------------------------------------------------------------------------------------------


BODIES: list[bytes] = [
    b"{",
    b"[]",
    b"9",
    b'"9"',
    b"null",
    b'{"score": null}',
    b'{"score": "9"}',
    b'{"score": 9.0}',
    b'{"score": 9.5}',
    b'{"score": true}',
    b'{"score": -1}',
    b'{"score": 11}',
    b'{"score": 99999999999999999999}',
    b'{"score": NaN}',
    b'{"score": [9]}',
    b'{"score": {"$gt": 0}}',
    b'{"score": 9, "comment": 5}',
    b'{"score": 9, "comment": ["x"]}',
    b'{"score": 9, "comment": "\\u0000"}',
    b'{"score": 9, "comment": "\\ud800"}',
    b'{"score": 9, "comment": "\xff"}',
    b'{"score": 9, "comment": "' + b"x" * 2_001 + b'"}',
    b'{"score": 9, "comment": "' + b"x" * MAX_BYTES + b'"}',
    b"[" * 3_000 + b"]" * 3_000,
    b"\x00",
    b"\x1f\x8b\x08\x00",
    b'{"score": 1e400}',
]


@pytest.mark.parametrize("body", BODIES, ids=range(len(BODIES)))
def test_a_hostile_body_is_refused_in_words(site: Page, body: bytes) -> None:
    site.post("shown")
    response = site.post("answer", body)
    assert response.status_code == 400
    assert told(response)["error"].endswith(".")
    assert not NpsResponse.objects.exists()


@pytest.mark.parametrize("name", ACTS)
def test_only_the_verb_that_is_meant_is_taken(site: Page, name: str) -> None:
    for verb in ("GET", "HEAD", "PUT", "PATCH", "DELETE"):
        assert site.ask(verb, name).status_code == 405
    assert site.ask("POST", "survey").status_code == 405


# --- limits -----------------------------------------------------------------------------------------------------------


def test_a_user_who_asks_too_often_waits_and_nobody_else(site: Page, scene: Scene) -> None:
    for _ in range(USER_BURST):
        USERS.take(scene.home.tenant.pk, scene.ines.pk)
    refused = site.survey()
    assert (refused.status_code, refused["Retry-After"]) == (429, "1")
    assert Page(scene, user_id=user("Ben", scene.at).pk).survey().status_code == 200


def test_a_bucket_fills_again_by_the_clock() -> None:
    moments = [0.0]
    buckets = Buckets(rate=2, burst=2, clock=lambda: moments[0])
    assert [buckets.take(1, 7) for _ in range(3)] == [0, 0, 1]
    moments[0] = 0.5
    assert [buckets.take(1, 7) for _ in range(2)] == [0, 1]
    assert buckets.take(2, 7) == 0


def test_buckets_never_outgrow_their_number() -> None:
    buckets = Buckets(rate=1, burst=1, kept=10)
    for key in range(100):
        buckets.take(1, key)
    assert len(buckets._held) == 10
