"""A cache in Redis that nobody waits for: while Redis is away each process remembers for itself.

Rate limits of sign-in live here. A limit per process is weaker than one for all, and better than no sign-in at all.
"""

import logging
import time
from collections.abc import Callable
from typing import Any, ClassVar

from django.core.cache.backends.base import DEFAULT_TIMEOUT, BaseCache
from django.core.cache.backends.locmem import LocMemCache
from django.core.cache.backends.redis import RedisCache
from redis.exceptions import RedisError

RETRY_SECONDS = 10  # Redis is left alone for so long after it did not answer

log = logging.getLogger(__name__)


class CalmCache(BaseCache):
    def __init__(self, server: str, params: dict[str, Any]) -> None:
        super().__init__(params)
        self._redis = RedisCache(server, params)
        self._memory = LocMemCache(f"beside {server}", params)
        self._server = server

    _silent_until: ClassVar[dict[str, float]] = {}  # by server: Django makes a cache for each thread

    def add(self, key: Any, value: Any, timeout: Any = DEFAULT_TIMEOUT, version: Any = None) -> Any:
        return self._ask(lambda cache: cache.add(key, value, timeout, version))

    def get(self, key: Any, default: Any = None, version: Any = None) -> Any:
        return self._ask(lambda cache: cache.get(key, default, version))

    def set(self, key: Any, value: Any, timeout: Any = DEFAULT_TIMEOUT, version: Any = None) -> None:
        self._ask(lambda cache: cache.set(key, value, timeout, version))

    def touch(self, key: Any, timeout: Any = DEFAULT_TIMEOUT, version: Any = None) -> Any:
        return self._ask(lambda cache: cache.touch(key, timeout, version))

    def delete(self, key: Any, version: Any = None) -> Any:
        return self._ask(lambda cache: cache.delete(key, version))

    def incr(self, key: Any, delta: int = 1, version: Any = None) -> Any:
        return self._ask(lambda cache: cache.incr(key, delta, version))

    def clear(self) -> None:
        self._ask(lambda cache: cache.clear())

    def _ask(self, question: Callable[[BaseCache], Any]) -> Any:
        if time.monotonic() >= self._silent_until.get(self._server, 0):
            try:
                return question(self._redis)
            except (RedisError, OSError) as error:
                self._silent_until[self._server] = time.monotonic() + RETRY_SECONDS
                log.warning("The cache is each process's own for now, Redis did not answer: %s", error)
        return question(self._memory)
