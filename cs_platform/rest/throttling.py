"""Request limits per key and per workspace: token buckets that Redis fills and empties in one atomic step."""

import logging
import time
from dataclasses import dataclass
from math import ceil
from typing import Any, ClassVar

from django.conf import settings
from redis import Redis
from redis.exceptions import RedisError
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

logger = logging.getLogger(__name__)

KEY_RATE, KEY_BURST = 10, 50
WORKSPACE_RATE, WORKSPACE_BURST = 50, 250
PATIENCE_SECONDS = 0.1  # what a request may lose to a Redis that does not answer
RETRY_SECONDS = 5.0  # and how long the next ones then leave it alone

# KEYS: buckets. ARGV: cost, then rate and burst of each bucket. Takes from all buckets or from none.
# Returns the milliseconds to wait (0: taken) and what the first bucket still holds.
TAKE = """
local clock = redis.call('TIME')
local now = clock[1] + clock[2] / 1000000
local cost, wait, held = tonumber(ARGV[1]), 0, {}
for at, bucket in ipairs(KEYS) do
  local rate, burst = tonumber(ARGV[2 * at]), tonumber(ARGV[2 * at + 1])
  local seen = redis.call('HMGET', bucket, 'held', 'at')
  held[at] = burst
  if seen[1] then held[at] = math.min(burst, seen[1] + math.max(0, now - seen[2]) * rate) end
  if held[at] < cost then wait = math.max(wait, (cost - held[at]) / rate) end
end
if wait == 0 then
  for at, bucket in ipairs(KEYS) do
    held[at] = held[at] - cost
    redis.call('HSET', bucket, 'held', tostring(held[at]), 'at', string.format('%.6f', now))
    redis.call('EXPIRE', bucket, math.ceil(ARGV[2 * at + 1] / ARGV[2 * at]) + 1)
  end
end
return {math.ceil(wait * 1000), math.floor(held[1])}
"""


@dataclass(frozen=True, slots=True)
class Allowance:
    """What a request left in its key's bucket; `wait` is above 0 when it was refused."""

    remaining: int
    wait: float

    def headers(self) -> dict[str, str]:
        missing = KEY_BURST - self.remaining
        return {
            "RateLimit-Policy": f"{KEY_RATE};w=1;burst={KEY_BURST}",
            "RateLimit-Limit": str(KEY_BURST),
            "RateLimit-Remaining": str(max(self.remaining, 0)),
            "RateLimit-Reset": str(ceil(missing / KEY_RATE)),
        }


class Buckets:
    """When Redis is away requests pass and are counted, and it is left alone a while: a limit must not stop work."""

    passed_unlimited = 0

    def __init__(self, url: str) -> None:
        self._redis = Redis.from_url(
            url, socket_timeout=PATIENCE_SECONDS, socket_connect_timeout=PATIENCE_SECONDS, retry_on_timeout=False
        )
        self._take = self._redis.register_script(TAKE)
        self._silent_until = 0.0

    def take(self, *, tenant_id: int, key_id: int, cost: int) -> Allowance | None:
        """None when nobody could say."""
        if time.monotonic() < self._silent_until:
            self.passed_unlimited += 1
            return None
        try:
            wait, remaining = self._take(
                keys=[f"rate:{tenant_id}:key:{key_id}", f"rate:{tenant_id}"],
                args=[cost, KEY_RATE, KEY_BURST, WORKSPACE_RATE, WORKSPACE_BURST],
            )
        except (RedisError, OSError) as error:
            self._silent_until = time.monotonic() + RETRY_SECONDS
            logger.warning("Request limits are off, Redis did not answer: %s (%s so far)", error, self.passed_unlimited)
            self.passed_unlimited += 1
            return None
        return Allowance(remaining=remaining, wait=wait / 1000)


class KeyThrottle(BaseThrottle):
    """10 requests a second for a key with bursts of 50; views that cost more say so in `throttle_cost`."""

    _buckets: ClassVar[dict[str, Buckets]] = {}
    _allowance: Allowance | None = None

    def allow_request(self, request: Request, view: Any) -> bool:
        self._allowance = self.buckets().take(tenant_id=view.tenant.pk, key_id=view.caller.pk, cost=view.throttle_cost)
        view.allowance = self._allowance
        return self._allowance is None or self._allowance.wait == 0

    def wait(self) -> float | None:
        return self._allowance.wait if self._allowance else None

    @classmethod
    def buckets(cls) -> Buckets:
        url = settings.REDIS_URL
        if url not in cls._buckets:
            cls._buckets[url] = Buckets(url)
        return cls._buckets[url]
