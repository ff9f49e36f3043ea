"""/healthz: up, down and for how long."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from django.db import OperationalError, connection
from django.test import Client
from pytest_django import Settings

from cs_platform.tenancy.clock import database_now
from cs_platform.tenancy.models import Heartbeat

pytestmark = pytest.mark.django_db


def heartbeats(**silent_for: float) -> None:
    now = database_now()
    for part, seconds in silent_for.items():
        Heartbeat.beat(part=part, now=now - timedelta(seconds=seconds))


@contextmanager
def database_down() -> Iterator[None]:
    def refuse(*_: object) -> None:
        raise OperationalError("connection refused")

    with connection.execute_wrapper(refuse):
        yield


@pytest.fixture
def still(monkeypatch: pytest.MonkeyPatch) -> None:
    """The clock of the page stands where the test's does, however long the machine takes in between."""
    now = database_now()
    for module in ("cs_platform.dashboard.health", __name__):
        monkeypatch.setattr(f"{module}.database_now", lambda: now)


@pytest.mark.usefixtures("still")
def test_all_is_well(client: Client) -> None:
    heartbeats(worker=1, beat=59)
    response = client.get("/healthz")
    assert response.status_code == 200
    body = response.json()
    assert body["status"] == "ok"
    assert {part: check["ok"] for part, check in body["checks"].items()} == {
        "database": True,
        "redis": True,
        "worker": True,
        "beat": True,
    }


@pytest.mark.parametrize("part", ["worker", "beat"])
def test_a_part_that_fell_silent_is_down(client: Client, part: str) -> None:
    heartbeats(**{"worker": 1, "beat": 1, part: 61})
    response = client.get("/healthz")
    assert response.status_code == 503
    check = response.json()["checks"][part]
    assert check["ok"] is False
    assert check["last_seen_seconds"] >= 61


def test_a_part_never_heard_of_is_down(client: Client) -> None:
    heartbeats(worker=1)
    response = client.get("/healthz")
    assert (response.status_code, response.json()["checks"]["beat"]) == (503, {"ok": False})


def test_a_redis_that_is_gone_is_down(client: Client, settings: Settings, tmp_path: Path) -> None:
    heartbeats(worker=1, beat=1)
    settings.REDIS_URL = f"unix://{tmp_path}/none.sock"
    response = client.get("/healthz")
    assert (response.status_code, response.json()["checks"]["redis"]) == (503, {"ok": False})


def test_a_redis_that_hangs_costs_a_second_at_most(client: Client, settings: Settings, tmp_path: Path) -> None:
    import socket

    heartbeats(worker=1, beat=1)
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(f"{tmp_path}/silent.sock")
        silent.listen()
        settings.REDIS_URL = f"unix://{tmp_path}/silent.sock"
        begun = time.monotonic()
        response = client.get("/healthz")
    assert response.json()["checks"]["redis"] == {"ok": False}
    assert time.monotonic() - begun < 2


def test_a_database_that_is_gone_takes_worker_and_beat_with_it(client: Client) -> None:
    with database_down():
        response = client.get("/healthz")
    checks = response.json()["checks"]
    assert response.status_code == 503
    assert [checks[part] for part in ("database", "worker", "beat")] == [{"ok": False}] * 3


def test_nobody_needs_to_sign_in_and_nothing_keeps_the_answer(client: Client) -> None:
    response = client.get("/healthz")
    assert response.headers["Cache-Control"] == "no-store"
