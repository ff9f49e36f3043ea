"""What goes wrong, and when: planned from the seed, done to the running stack."""

import contextlib
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from django.conf import settings
from django.db import DatabaseError, close_old_connections, connection
from redis import Redis
from redis.exceptions import RedisError

from cs_platform.chaos.stack import APPLICATION, BEATS, WORKERS, Stack

KILLS = 60  # at least
BETWEEN_KILLS = (0.4, 1.4)  # seconds; a worker that is still starting is not worth killing
LONGEST = 1.5  # times the planned seconds: for making up kills that found nobody at work
FROZEN_REDIS_SECONDS = 4.0


@dataclass(slots=True)
class Nemesis:
    """Counts what it really did: a kill is a process that was alive and is not any more."""

    stack: Stack
    seed: int
    done: Counter[str] = field(default_factory=Counter)
    chance: random.Random = field(init=False)
    later: list[tuple[float, Callable[[], None]]] = field(default_factory=list)
    begun: float = 0
    seconds: float = 0

    def __post_init__(self) -> None:
        self.chance = random.Random(f"faults {self.seed}")

    def strike(self, seconds: float) -> None:
        """Returns when the time is up and all has been done: a little later when workers are slow to come back."""
        self.begun, self.seconds = time.monotonic(), seconds
        self.later = sorted(((self.begun + at, fault) for at, fault in self._plan()), key=lambda item: item[0])
        while self.later and time.monotonic() < self.begun + LONGEST * seconds:
            self.stack.keep_alive()
            self._strike_due()
            time.sleep(0.05)

    def _strike_due(self) -> None:
        while self.later and self.later[0][0] <= time.monotonic():
            _at, fault = self.later.pop(0)
            fault()

    def _plan(self) -> Iterator[tuple[float, Callable[[], None]]]:
        yield 0.0, self.kill
        for fault, times in (
            (self.kill_worker, 6),
            (self.kill_beat, 2),
            (self.flush_redis, 2),
            (self.freeze_redis, 1),
            (self.freeze_worker, 1),
            (self.cut_connections, 4),
            (self.crash_database, 1),
        ):
            for _ in range(times):
                yield self.chance.uniform(0.1, 0.9) * self.seconds, fault

    def _soon(self, seconds: float, what: Callable[[], None]) -> None:
        self.later = sorted([*self.later, (time.monotonic() + seconds, what)], key=lambda item: item[0])

    # --- faults ---

    def kill(self) -> None:
        """One process of a pool, and soon the next."""
        working = self._working()
        if working:
            children = self.stack.children(self.chance.choice(working))
            self.done["kills"] += bool(children) and _kill(self.chance.choice(children))
        if time.monotonic() < self.begun + self.seconds or self.done["kills"] < KILLS:
            self._soon(self.chance.uniform(*BETWEEN_KILLS), self.kill)

    def kill_worker(self) -> None:
        """The whole group, as when a machine dies."""
        working = self._working()
        if not working:
            self._soon(0.5, self.kill_worker)
            return
        self.stack.kill(self.chance.choice(working))
        self.done["kills"] += 1
        self.done["workers killed whole"] += 1

    def _working(self) -> list[str]:
        return [name for name in WORKERS if name not in self.stack.frozen and self.stack.is_ready(name)]

    def kill_beat(self) -> None:
        self.stack.kill(self.chance.choice(BEATS))
        self.done["kills"] += 1
        self.done["beats killed"] += 1

    def flush_redis(self) -> None:
        try:
            self._redis().flushall()
        except RedisError:
            self._soon(1, self.flush_redis)
        else:
            self.done["flushes"] += 1

    def freeze_redis(self) -> None:
        with contextlib.suppress(RedisError):
            pid = int(self._redis().info("server")["process_id"])
            os.kill(pid, signal.SIGSTOP)
            self._soon(FROZEN_REDIS_SECONDS, lambda: os.kill(pid, signal.SIGCONT))
            self.done["redis frozen"] += 1

    def freeze_worker(self) -> None:
        """Longer than its leases: it wakes up in the belief that they are still its own."""
        name = self.chance.choice(WORKERS)
        process = self.stack.processes[name]
        self.stack.frozen.add(name)
        self.stack.signal_group(name, signal.SIGSTOP)
        self._soon(settings.LEASE_SECONDS + 2, lambda: self._thaw(name, process.pid))
        self.done["workers frozen"] += 1

    def _thaw(self, name: str, pid: int) -> None:
        self.stack.frozen.discard(name)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGCONT)

    def cut_connections(self) -> None:
        """Every connection of every worker, whatever it is doing."""
        self.done["connections cut"] += len(_ask_database("SELECT pg_terminate_backend(pid) FROM ({workers}) w"))

    def crash_database(self) -> None:
        """One server process killed: PostgreSQL drops them all and recovers from its log."""
        victims = [pid for (pid,) in _ask_database("{workers}")]
        self.done["databases crashed"] += any(_kill(pid) for pid in victims[:1])

    def _redis(self) -> Redis:
        return Redis.from_url(settings.REDIS_URL, socket_timeout=2, socket_connect_timeout=2)


_WORKERS = "SELECT pid FROM pg_stat_activity WHERE application_name = %s AND datname = current_database()"


def _ask_database(sql: str) -> list[tuple[int]]:
    """A database that is just recovering has nothing to cut."""
    close_old_connections()
    try:
        with connection.cursor() as cursor:
            cursor.execute(sql.format(workers=_WORKERS), [APPLICATION])
            return cursor.fetchall()
    except DatabaseError:
        connection.close()
        return []


def _kill(pid: int) -> bool:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True
