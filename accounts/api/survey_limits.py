"""Limits of the survey's public endpoints: token buckets in this process's memory.

The survey answers while Redis is away, so nothing is shared: each web process allows as much as is written here.
"""

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from math import ceil
from threading import Lock

USER_RATE, USER_BURST = 1, 20
WORKSPACE_RATE, WORKSPACE_BURST = 50, 500


@dataclass(slots=True)
class Buckets:
    """Tokens come back at `rate` a second, up to `burst`. The longest untouched bucket is forgotten first."""

    rate: float
    burst: int
    kept: int = 20_000
    clock: Callable[[], float] = time.monotonic
    _held: OrderedDict[tuple[int, ...], tuple[float, float]] = field(default_factory=OrderedDict)
    _lock: Lock = field(default_factory=Lock)

    def take(self, *key: int) -> int:
        """The seconds to wait; 0 when there was a token. A key begins with the workspace."""
        now = self.clock()
        with self._lock:
            held, at = self._held.pop(key, (float(self.burst), now))
            held = min(self.burst, held + (now - at) * self.rate)
            taken = held >= 1
            self._held[key] = (held - taken, now)
            if len(self._held) > self.kept:
                self._held.popitem(last=False)
        return 0 if taken else ceil((1 - held) / self.rate)

    def clear(self) -> None:
        with self._lock:
            self._held.clear()


USERS = Buckets(USER_RATE, USER_BURST)
WORKSPACES = Buckets(WORKSPACE_RATE, WORKSPACE_BURST)


def seconds_to_wait(tenant_id: int, user_id: int) -> int:
    return USERS.take(tenant_id, user_id) or WORKSPACES.take(tenant_id)
