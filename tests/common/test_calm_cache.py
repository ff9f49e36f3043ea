"""With Redis away people still sign in, and still cannot guess passwords for ever."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.cache import cache, caches
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from cs_platform.common.calm_cache import CalmCache
from cs_platform.tenancy.models import User

BACKEND = "cs_platform.common.calm_cache.CalmCache"


@pytest.fixture
def without_redis(settings: Settings, tmp_path: Path) -> Iterator[None]:
    settings.CACHES = {"default": {"BACKEND": BACKEND, "LOCATION": f"unix://{tmp_path}/none.sock"}}
    yield
    cache.clear()
    CalmCache._silent_until.clear()


@pytest.mark.usefixtures("without_redis")
def test_it_remembers_for_itself() -> None:
    assert cache.add("door", 1)
    assert not cache.add("door", 2)
    cache.set("count", 1)
    assert cache.incr("count") == 2
    assert cache.get_many(["door", "count", "gone"]) == {"door": 1, "count": 2}
    cache.delete("door")
    assert "door" not in cache


def test_redis_is_left_alone_for_a_while(
    without_redis: None, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(3):
        cache.set("key", number)
    assert len(caplog.records) == 1

    later = time.monotonic() + 11
    monkeypatch.setattr("cs_platform.common.calm_cache.time.monotonic", lambda: later)
    cache.set("key", 3)
    assert len(caplog.records) == 2


def test_with_redis_there_all_processes_share_it() -> None:
    cache.set("shared", "yes", 5)
    other: Any = CalmCache(caches.settings["default"]["LOCATION"], {})
    assert other.get("shared") == "yes"


@pytest.mark.django_db
@pytest.mark.usefixtures("without_redis")
def test_people_sign_in_and_guessing_ends(client: Client) -> None:
    User.objects.create_user(email="ada@orbiton.example", password="a long enough word")
    guesses = [sign_in(client, f"guess {number}").status_code for number in range(8)]
    assert 429 in guesses or b"Too many" in sign_in(client, "guess").content
    cache.clear()
    assert sign_in(client, "a long enough word").status_code == 302


def sign_in(client: Client, password: str) -> Any:
    return client.post(reverse("account_login"), {"login": "ada@orbiton.example", "password": password})
