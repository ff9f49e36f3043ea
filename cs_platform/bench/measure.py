"""What work costs: processor time of the server's backend and of this process, and time on the wall.

Variants run interleaved, round by round and in alternating order, so that a busy moment of the machine meets them all.
"""

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from django.db import connections

from cs_platform.chaos.stack import children_of

ROUNDS = 5


@dataclass(frozen=True, slots=True)
class Cost:
    """Milliseconds. `server` is the backend's processor time, `client` that of this process."""

    server: float
    client: float
    wall: float

    @property
    def processor(self) -> float:
        return self.server + self.client

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(self.server + other.server, self.client + other.client, self.wall + other.wall)

    def times(self, factor: float) -> "Cost":
        return Cost(self.server * factor, self.client * factor, self.wall * factor)


NOTHING = Cost(0, 0, 0)


def serve_alike(alias: str = "default") -> None:
    """One process serves a statement, so that its time is all the time, and the owner plans as the workers do."""
    with connections["default"].cursor() as mine, connections[alias].cursor() as cursor:
        cursor.execute("SET max_parallel_workers_per_gather = 0")
        for setting in ("jit", "work_mem", "random_page_cost"):
            mine.execute("SELECT current_setting(%s)", [setting])
            cursor.execute("SELECT set_config(%s, %s, false)", [setting, mine.fetchone()[0]])


def cost_of(work: Callable[[], Any], *, database: str = "default") -> tuple[Cost, Any]:
    """What the work cost, and what it returned."""
    connections[database].ensure_connection()
    backend = _Backend(connections[database].connection.info.backend_pid)
    server, client, wall = backend.spent(), time.process_time(), time.perf_counter()
    found = work()
    wall, client = time.perf_counter() - wall, time.process_time() - client
    return Cost((backend.spent() - server) * 1000, client * 1000, wall * 1000), found


class _Backend:
    """Linux counts a process's time on the processor to the nanosecond; elsewhere the wall clock has to do."""

    def __init__(self, pid: int) -> None:
        self.path = Path(f"/proc/{pid}/schedstat")
        self.is_near = _command_of(pid).startswith("postgres")

    def spent(self) -> float:
        """In seconds."""
        return int(self.path.read_text().split()[0]) / 1e9 if self.is_near else time.perf_counter()


def spent_by_family(parent: int) -> float:
    """Processor seconds of a process, its children, and those of them that have ended."""
    return _ticks(parent, slice(11, 15)) + sum(_ticks(child, slice(11, 13)) for child in children_of(parent))


def _ticks(pid: int, fields: slice) -> float:
    """By the kernel's own count: 11 to 14 after the name are its time and that of children it has waited for."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return 0.0
    return sum(map(int, stat.rpartition(")")[2].split()[fields])) / os.sysconf("SC_CLK_TCK")


def server_parent() -> int:
    """The postmaster, whose children serve the connections; 0 where the server is elsewhere."""
    connections["default"].ensure_connection()
    backend = connections["default"].connection.info.backend_pid
    if not _command_of(backend).startswith("postgres"):
        return 0
    return int(Path(f"/proc/{backend}/stat").read_text().rpartition(")")[2].split()[1])


def _command_of(pid: int) -> str:
    """Of a process on this machine: a server elsewhere has a process of that number there, and not here."""
    try:
        return Path(f"/proc/{pid}/comm").read_text()
    except OSError:
        return ""


def interleaved(variants: Mapping[str, Callable[[], Cost]], *, at_most: int = ROUNDS) -> dict[str, Cost]:
    """The median cost of each variant over all rounds."""
    costs: dict[str, list[Cost]] = {name: [] for name in variants}
    for number in range(min(ROUNDS, at_most)):
        for name in list(variants)[:: 1 if number % 2 == 0 else -1]:
            costs[name].append(variants[name]())
    return {name: _median(found) for name, found in costs.items()}


def _median(costs: list[Cost]) -> Cost:
    return Cost(*(median(getattr(cost, part) for cost in costs) for part in ("server", "client", "wall")))


def circumstances() -> str:
    """What to know of the machine before believing a figure."""
    with connections["default"].cursor() as cursor:
        cursor.execute("SELECT current_setting('server_version'), current_setting('shared_buffers')")
        version, buffers = cursor.fetchone()
    load, processors = os.getloadavg()[0], os.cpu_count()
    return f"PostgreSQL {version}, shared buffers {buffers}, {processors} processors, load {load:.1f}"
