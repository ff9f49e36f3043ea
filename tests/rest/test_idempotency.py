"""The same key gives the same answer and never a second effect, also when two requests meet."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from time import monotonic

import pytest
from django.db import connection, connections

from accounts.models import Account
from cs_platform.rest.idempotency import KEPT_FOR
from cs_platform.rest.models import IdempotencyKey
from cs_platform.tenancy.context import tenant_context
from cs_platform.tenancy.models import Tenant
from tests.rest.client import Answer, Api
from tests.world import MONDAY, Workspace

ACME = {"external_id": "acme", "name": "Acme"}


def test_a_repeat_gets_the_same_answer_and_does_nothing(api: Api, orbiton: Workspace) -> None:
    first = api.post("/accounts/", ACME, Idempotency_Key="a-1")
    again = api.post("/accounts/", ACME, Idempotency_Key="a-1")

    assert (first.status, again.status) == (201, 201)
    assert again.response.content == first.response.content
    assert (again["ETag"], again["Idempotent-Replayed"]) == (first["ETag"], "true")
    assert "Idempotent-Replayed" not in first.response.headers
    assert count(orbiton) == 1


def test_another_request_under_the_same_key_is_refused(api: Api) -> None:
    api.post("/accounts/", ACME, Idempotency_Key="a-1")

    for other in (
        api.post("/accounts/", ACME | {"name": "Other"}, Idempotency_Key="a-1"),
        api.put("/accounts/by-external-id/acme/", {"name": "Acme"}, Idempotency_Key="a-1"),
    ):
        assert (other.status, other.json["code"]) == (422, "idempotency_key_reused")


def test_a_request_that_failed_stores_nothing_and_can_be_repeated(api: Api, orbiton: Workspace) -> None:
    assert api.post("/accounts/", {"external_id": ""}, Idempotency_Key="a-1").status == 400
    assert api.post("/accounts/", ACME, Idempotency_Key="a-1").status == 201


def test_keys_of_two_api_keys_do_not_meet(api_with: Callable[..., Api], orbiton: Workspace) -> None:
    one, other = api_with("write"), api_with("write")
    one.post("/accounts/", ACME, Idempotency_Key="a-1")

    assert other.post("/accounts/", {"external_id": "b"}, Idempotency_Key="a-1").status == 201


def test_a_replay_still_needs_the_scope(api: Api, orbiton: Workspace) -> None:
    api.post("/accounts/", ACME, Idempotency_Key="a-1")
    with tenant_context(orbiton.tenant.pk):
        type(api.key).objects.update(scopes=["read"])  # type: ignore[union-attr]

    assert api.post("/accounts/", ACME, Idempotency_Key="a-1").status == 403


@pytest.mark.parametrize("path", ["/accounts/bulk/", "/users/bulk/", "/enrollments/"])
def test_where_a_repeat_would_hurt_the_key_is_required(api: Api, path: str) -> None:
    answer = api.post(path, {})

    assert (answer.status, answer.json["code"]) == (400, "idempotency_key_required")


@pytest.mark.parametrize("key", ["x" * 256, "with space", "ümlaut"])
def test_a_key_is_visible_ascii(api: Api, key: str) -> None:
    assert api.post("/accounts/", ACME, Idempotency_Key=key).json["code"] == "idempotency_key_invalid"


def test_after_a_day_a_key_is_forgotten(api: Api, orbiton: Workspace) -> None:
    api.post("/accounts/", ACME, Idempotency_Key="old")
    api.post("/accounts/", {"external_id": "b"}, Idempotency_Key="older")
    with tenant_context(orbiton.tenant.pk):
        for kept in IdempotencyKey.objects.all():
            IdempotencyKey.objects.filter(pk=kept.pk).update(created_at=kept.created_at - KEPT_FOR - timedelta(hours=1))

    assert api.post("/accounts/", {"external_id": "c"}, Idempotency_Key="old").status == 201
    with tenant_context(orbiton.tenant.pk):
        assert [kept.key for kept in IdempotencyKey.objects.all()] == ["old"]


def count(home: Workspace) -> int:
    with tenant_context(home.tenant.pk):
        return Account.objects.count()


# Two connections ------------------------------------------------------------------------------------------------------


@pytest.fixture
def shared(transactional_db: None) -> Api:
    tenant = Tenant.objects.create(slug="shared", name="Shared", created_at=MONDAY)
    return Api.with_key(tenant)


def in_threads(*calls: Callable[[], Answer]) -> list[Answer]:
    answers: list[Answer] = []

    def run(call: Callable[[], Answer]) -> None:
        try:
            answers.append(call())
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=(call,)) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def test_duplicates_at_the_same_moment_have_one_effect(shared: Api) -> None:
    answers = in_threads(*[lambda: shared.post("/accounts/", ACME, Idempotency_Key="a-1")] * 6)

    assert {answer.status for answer in answers} == {201}
    assert len({answer.response.content for answer in answers}) == 1
    assert sum("Idempotent-Replayed" in answer.response.headers for answer in answers) == 5
    with tenant_context(shared.tenant_id):
        assert Account.objects.count() == 1


@contextmanager
def under_way(api: Api, key: str) -> Iterator[None]:
    """A request under this key that has not finished yet, on another connection."""
    started, finish = threading.Event(), threading.Event()

    def hold() -> None:
        with tenant_context(api.tenant_id):
            IdempotencyKey.objects.create(api_key=api.key, key=key, fingerprint="x", created_at=MONDAY)
            started.set()
            finish.wait(20)
            connection.set_rollback(True)
        connections.close_all()

    thread = threading.Thread(target=hold)
    thread.start()
    started.wait(20)
    yield
    finish.set()
    thread.join()


def test_a_duplicate_waits_no_longer_than_three_seconds(shared: Api) -> None:
    with under_way(shared, "slow"):
        began = monotonic()
        answer = shared.post("/accounts/", ACME, Idempotency_Key="slow")

    assert (answer.status, answer.json["code"]) == (409, "idempotency_in_progress")
    assert 2.5 < monotonic() - began < 8


def test_a_duplicate_of_one_that_fails_does_the_work_itself(shared: Api) -> None:
    answers: list[Answer] = []

    def ask() -> None:
        answers.append(shared.post("/accounts/", ACME, Idempotency_Key="slow"))
        connections.close_all()

    with under_way(shared, "slow"):
        thread = threading.Thread(target=ask)
        thread.start()
        thread.join(0.3)
    thread.join()

    assert [answer.status for answer in answers] == [201]
