"""How long a worker works at a stretch, and what time it is meanwhile."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

Clock = Callable[[], datetime]


@dataclass(frozen=True, slots=True)
class Turn:
    """The time is asked anew for every claim: a lease counted from the start of a long turn would be born expired."""

    now: Clock
    ends_at: float = math.inf  # by time.monotonic()

    @classmethod
    def lasting(cls, seconds: float, *, clock: Clock) -> "Turn":
        return cls(clock, time.monotonic() + seconds)

    @classmethod
    def at(cls, now: datetime) -> "Turn":
        """One moment, for as long as it takes."""
        return cls(lambda: now)

    @property
    def is_over(self) -> bool:
        return time.monotonic() > self.ends_at
