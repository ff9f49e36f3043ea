import threading
from collections.abc import Callable

import pytest
from django.conf import settings

from cs_platform.rest import throttling
from cs_platform.rest.throttling import KEY_BURST, Buckets, KeyThrottle
from tests.rest.client import Api
from tests.world import Workspace


@pytest.fixture
def slow_refill(monkeypatch: pytest.MonkeyPatch) -> None:
    """So slow that no machine is too slow for the test."""
    monkeypatch.setattr(throttling, "KEY_RATE", 0.01)


def test_a_burst_of_fifty_passes_and_the_next_waits(api: Api, slow_refill: None) -> None:
    answers = [api.get("/events/") for _ in range(KEY_BURST + 1)]

    assert {answer.status for answer in answers[:KEY_BURST]} == {200}
    assert (answers[-1].status, answers[-1].json["code"]) == (429, "too_many_requests")
    assert 90 <= int(answers[-1]["Retry-After"]) <= 100


def test_every_answer_says_what_is_left(api: Api) -> None:
    first, second = api.get("/events/"), api.get("/nothing/")
    third = api.get("/accounts/9/")

    assert (first["RateLimit-Limit"], first["RateLimit-Remaining"]) == ("50", "49")
    assert "RateLimit-Limit" not in second.response.headers  # no endpoint, nothing was taken
    assert (third.status, third["RateLimit-Remaining"] in ("48", "49")) == (404, True)


def test_keys_have_a_bucket_each(api_with: Callable[..., Api], slow_refill: None) -> None:
    busy, other = api_with("read"), api_with("read")
    for _ in range(KEY_BURST):
        busy.get("/events/")

    assert busy.get("/events/").status == 429
    assert other.get("/events/").status == 200


def test_a_bulk_costs_ten(api: Api) -> None:
    answer = api.post("/accounts/bulk/", {"items": [{"external_id": "a"}]}, Idempotency_Key="k")

    assert answer["RateLimit-Remaining"] == "40"


def test_parallel_requests_cannot_take_more_than_there_is() -> None:
    buckets, taken = Buckets(settings.REDIS_URL), []

    def take() -> None:
        for _ in range(20):
            allowance = buckets.take(tenant_id=1, key_id=1, cost=1)
            taken.append(allowance is not None and allowance.wait == 0)

    threads = [threading.Thread(target=take) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert KEY_BURST <= sum(taken) <= KEY_BURST + 25  # what trickled in meanwhile


def test_a_workspace_is_limited_over_all_its_keys() -> None:
    buckets = Buckets(settings.REDIS_URL)
    taken = [buckets.take(tenant_id=1, key_id=key, cost=50) for key in range(8)]

    assert [allowance is not None and allowance.wait == 0 for allowance in taken] == [True] * 5 + [False] * 3


def test_without_redis_requests_pass_and_are_counted(
    api: Api, orbiton: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    away = Buckets("redis://127.0.0.1:1/0")
    monkeypatch.setattr(KeyThrottle, "buckets", lambda self: away)

    answers = [api.get("/events/") for _ in range(3)]

    assert [answer.status for answer in answers] == [200] * 3
    assert "RateLimit-Limit" not in answers[0].response.headers
    assert away.passed_unlimited == 3
