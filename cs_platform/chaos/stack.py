"""The processes of a real installation, twice of each, and how to hurt them."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from cs_platform.dev import WORKER
from cs_platform.embedded.processes import end_group, spawn

WORKERS, BEATS = ("worker-1", "worker-2"), ("beat-1", "beat-2")
APPLICATION = "chaos-worker"  # by this name PostgreSQL knows the connections of the processes below
CELERY = (sys.executable, "-m", "celery", "--quiet", "-A", "cs_platform")


@dataclass(slots=True)
class Stack:
    """Workers and beats by name. Whatever ended is started again by `keep_alive`, as any supervisor would."""

    environment: Mapping[str, str]
    logs: Path
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    frozen: set[str] = field(default_factory=set)
    log_starts: dict[str, int] = field(default_factory=dict)  # where in its log the present process began

    def keep_alive(self) -> None:
        for name in (*WORKERS, *BEATS):
            process = self.processes.get(name)
            if process is None or process.poll() is not None:
                self.processes[name] = self._start(name)

    def _start(self, name: str) -> subprocess.Popen[bytes]:
        worker = ("worker", *WORKER, "--hostname", f"{name}@%h", "--loglevel", "INFO")
        part = ("beat", "--loglevel", "ERROR") if name in BEATS else worker
        with open(self._log(name), "ab") as log:
            self.log_starts[name] = log.tell()
            return spawn([*CELERY, *part], env=self.environment, output=log, orphan_signal=signal.SIGKILL)

    def _log(self, name: str) -> Path:
        return self.logs / f"{name}.log"

    def is_ready(self, name: str) -> bool:
        """It says so itself; before that, Celery takes the death of a pool's process for a reason to give up."""
        with open(self._log(name), "rb") as log:
            log.seek(self.log_starts[name])
            return b" ready." in log.read()

    def kill(self, name: str) -> None:
        """The whole process group, as when a machine dies."""
        end_group(self.processes[name])

    def children(self, name: str) -> list[int]:
        """The pool's processes, which do the work."""
        return children_of(self.processes[name].pid)

    def signal_group(self, name: str, number: signal.Signals) -> None:
        os.killpg(self.processes[name].pid, number)

    def end(self) -> None:
        for process in self.processes.values():
            end_group(process)


@contextmanager
def running(environment: Mapping[str, str], logs: Path) -> Iterator[Stack]:
    stack = Stack({**os.environ, **environment, "PGAPPNAME": APPLICATION}, logs)
    try:
        stack.keep_alive()
        yield stack
    finally:
        stack.end()


def children_of(parent: int) -> list[int]:
    """By the kernel's own list, since nobody else knows which processes a pool has at this moment."""
    found = []
    for directory in Path("/proc").glob("[0-9]*"):
        try:
            stat = (directory / "stat").read_text()
        except OSError:
            continue
        if int(stat.rpartition(")")[2].split()[1]) == parent:
            found.append(int(directory.name))
    return found


def wait_until(condition: Callable[[], bool], *, seconds: float, pause: float = 0.3) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(pause)
    return True
