"""Segment's endpoints: who may send, what they hear, and that what they hear is true."""

import gzip
import json
from base64 import b64encode
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import DatabaseError, OperationalError
from django.http import HttpResponse
from django.test import Client
from django.test.utils import CaptureQueriesContext
from pytest_django import DjangoAssertNumQueries

from accounts.ingest import receiving
from accounts.models import DataSource, ReceivedBatch
from accounts.views.tracking import KINDS
from cs_platform.tenancy.context import tenant_context
from cs_platform.tenancy.models import Credential, WorkDue
from tests.accounts.ingest.calls import group, track
from tests.world import MONDAY, Workspace

BATCH = json.dumps({"batch": [track("u_1", "Signed In", of="acc_1"), group("acc_1", plan="Team")]}).encode()


@pytest.fixture(autouse=True)
def _fresh_backlog(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receiving, "_backlog", receiving.Backlog())


@pytest.fixture
def key(orbiton: Workspace) -> Iterator[str]:
    with tenant_context(orbiton.tenant.pk):
        yield DataSource.open(name="Website", by=orbiton.olga, now=MONDAY)[1]


def basic(key: str) -> dict[str, str]:
    return {"Authorization": f"Basic {b64encode(f'{key}:'.encode()).decode()}"}


def post(kind: str, raw: bytes = BATCH, *, key: str = "", type: str = "application/json", **headers: str) -> Any:
    client = Client(enforce_csrf_checks=True, raise_request_exception=False)
    sent = (basic(key) if key else {}) | {name.replace("_", "-"): value for name, value in headers.items()}
    return client.generic("POST", f"/v1/{kind}", raw, content_type=type, headers=sent)


def waiting() -> int:
    return sum(ReceivedBatch.objects.values_list("calls", flat=True))


def said(response: HttpResponse) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(response.content)
    return found


class TestAccepted:
    def test_a_batch_is_kept_whole_and_work_announced(self, key: str, orbiton: Workspace) -> None:
        answer = post("batch", key=key)
        batch = ReceivedBatch.objects.get()

        assert (answer.status_code, said(answer)) == (200, {"success": True})
        assert (batch.calls, batch.source.name, batch.claims) == (2, "Website", 0)
        assert DataSource.objects.get().last_received_at == batch.received_at
        assert WorkDue.objects.get(queue="ingest").tenant_id == orbiton.tenant.pk

    @pytest.mark.parametrize("kind", KINDS)
    def test_every_address_answers_with_and_without_a_slash(self, key: str, kind: str) -> None:
        raw = BATCH if KINDS[kind] == "batch" else b'{"userId": "u", "groupId": "g", "event": "E"}'
        for address in (kind, f"{kind}/"):
            assert post(address, raw, key=key).status_code == 200

    def test_a_beacon_brings_its_key_in_a_body_of_text(self, key: str) -> None:
        raw = json.dumps({"userId": "u", "event": "E", "writeKey": key}).encode()
        assert post("t", raw, type="text/plain;charset=UTF-8").status_code == 200
        assert waiting() == 1

    def test_a_packed_body_is_taken(self, key: str) -> None:
        assert post("batch", gzip.compress(BATCH), key=key, Content_Encoding="gzip").status_code == 200

    def test_a_key_without_its_colon_is_taken_too(self, key: str) -> None:
        answer = post("batch", Authorization=f"Basic {b64encode(key.encode()).decode()}")
        assert answer.status_code == 200

    def test_the_answer_costs_few_statements_and_no_session(
        self, key: str, django_assert_max_num_queries: DjangoAssertNumQueries
    ) -> None:
        with django_assert_max_num_queries(11) as asked:
            post("batch", key=key, Cookie="session=abcdefghijklmnop; csrftoken=x")
        assert "django_session" not in str(asked.captured_queries)
        with CaptureQueriesContext(asked.connection) as later:
            answer = post("batch", key=key)
        assert len(later) < len(asked)  # the backlog is looked at once a second, the last receipt moved once a minute
        assert not answer.cookies


class TestRefused:
    @pytest.mark.parametrize("authorization", ["", "Basic", "Basic !!!", "Basic /w==", "Bearer x", "Basic Og=="])
    def test_without_a_key_nothing_is_kept(self, key: str, authorization: str) -> None:
        answer = post("batch", **({"Authorization": authorization} if authorization else {}))
        assert (answer.status_code, said(answer)["success"]) == (401, False)
        assert waiting() == 0

    @pytest.mark.parametrize("wrong", ["x", "cs_write_", "cs_write_" + "a" * 32, "cs_write_é", "cs_write_" + "a" * 500])
    def test_an_unknown_key_is_refused(self, key: str, wrong: str) -> None:
        assert post("batch", key=wrong).status_code == 401

    def test_a_revoked_and_a_replaced_key_are_refused_at_once(self, key: str) -> None:
        source = DataSource.objects.get()
        new = source.rotate()
        assert [post("batch", key=one).status_code for one in (key, new)] == [401, 200]

        assert source.revoke(now=MONDAY) is True
        assert source.revoke(now=MONDAY) is False
        assert post("batch", key=new).status_code == 401
        assert not Credential.objects.exists()

    def test_an_api_key_is_no_write_key(self, key: str) -> None:
        Credential.objects.update(kind=Credential.Kind.API_KEY)
        assert post("batch", key=key).status_code == 401

    def test_garbage_is_told_so(self, key: str) -> None:
        assert post("batch", b"{", key=key).status_code == 400
        assert post("track", b"[]", key=key).status_code == 400
        assert post("batch", b"x" * 600_000, key=key).status_code == 400
        assert waiting() == 0

    @pytest.mark.parametrize("verb", ["GET", "HEAD", "PUT", "PATCH", "DELETE"])
    def test_other_verbs_are_refused(self, verb: str) -> None:
        answer = Client().generic(verb, "/v1/batch")
        assert (answer.status_code, answer["Allow"]) == (405, "POST, OPTIONS")

    def test_too_much_waiting_asks_for_patience(self, key: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(receiving, "LOOK_EVERY_SECONDS", 0.0)
        monkeypatch.setattr(receiving, "WAITING_CALLS", 4)
        assert [post("batch", key=key).status_code for _ in range(3)] == [200, 200, 429]
        assert post("batch", key=key)["Retry-After"] == "30"
        assert waiting() == 4

    def test_a_database_that_is_away_is_no_acceptance(self, key: str, monkeypatch: pytest.MonkeyPatch) -> None:
        def away(*_: object, **__: object) -> None:
            raise OperationalError("the server closed the connection")

        monkeypatch.setattr(WorkDue, "announce", away)
        answer = post("batch", key=key)
        assert (answer.status_code, answer["Retry-After"]) == (503, "30")
        assert issubclass(OperationalError, DatabaseError)
        assert waiting() == 0

    def test_nothing_is_kept_for_another_workspace(self, key: str, halyard: Workspace) -> None:
        post("batch", key=key)
        with tenant_context(halyard.tenant.pk):
            assert waiting() == 0


class TestBrowsers:
    def test_a_preflight_allows_what_the_library_sends(self) -> None:
        asked = {"Origin": "https://app.customer.example", "Access-Control-Request-Method": "POST"}
        answer = Client().options("/v1/batch", headers=asked)

        assert (answer.status_code, answer["Access-Control-Allow-Origin"]) == (204, "*")
        assert "POST" in answer["Access-Control-Allow-Methods"]
        assert {"Authorization", "Content-Type"} <= set(answer["Access-Control-Allow-Headers"].split(", "))
        assert "Access-Control-Allow-Credentials" not in answer

    def test_every_answer_may_be_read_by_the_page_that_asked(self, key: str) -> None:
        for answer in (post("batch", key=key), post("batch", b"{", key=key), post("batch")):
            assert answer["Access-Control-Allow-Origin"] == "*"
            assert answer["Cross-Origin-Resource-Policy"] == "cross-origin"
            assert answer["Cache-Control"] == "no-store"
