"""GET /healthz: does each part do its work? Judged by what it last did, not by whether a process exists."""

import time
from collections.abc import Callable
from datetime import timedelta

from django.conf import settings
from django.db import Error as DatabaseTrouble
from django.http import HttpRequest, JsonResponse
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from cs_platform.tenancy.clock import database_now
from cs_platform.tenancy.models import Heartbeat

LONGEST_SILENCE = timedelta(seconds=60)
REDIS_SECONDS = 1

Check = dict[str, object]


def healthz(request: HttpRequest) -> JsonResponse:
    """Open to all, so it tells nothing but up, down and for how long."""
    checks = _database_and_heartbeats() | {"redis": _timed(_ping_redis)}
    healthy = all(check["ok"] for check in checks.values())
    body = {"status": "ok" if healthy else "down", "checks": checks}
    response = JsonResponse(body, status=200 if healthy else 503, headers={"Cache-Control": "no-store"})
    # Whoever asks learns it; Django would log every 503 as an error besides.
    response._has_been_logged = True  # type: ignore[attr-defined]
    return response


def _database_and_heartbeats() -> dict[str, Check]:
    silences: dict[str, timedelta] = {}
    database = _timed(lambda: silences.update(_silences()))
    return {"database": database, "worker": _alive(silences.get("worker")), "beat": _alive(silences.get("beat"))}


def _silences() -> dict[str, timedelta]:
    now = database_now()
    return {part: now - at for part, at in Heartbeat.objects.values_list("part", "at")}


def _alive(silence: timedelta | None) -> Check:
    if silence is None:
        return {"ok": False}
    return {"ok": silence < LONGEST_SILENCE, "last_seen_seconds": round(silence.total_seconds(), 1)}


def _timed(check: Callable[[], object]) -> Check:
    begun = time.monotonic()
    try:
        check()
    except (DatabaseTrouble, RedisError):
        return {"ok": False}
    return {"ok": True, "ms": round(1000 * (time.monotonic() - begun), 1)}


def _ping_redis() -> None:
    retry = Retry(NoBackoff(), 0)
    limits = {"socket_timeout": REDIS_SECONDS, "socket_connect_timeout": REDIS_SECONDS}
    with Redis.from_url(settings.REDIS_URL, retry=retry, **limits) as client:
        client.ping()
