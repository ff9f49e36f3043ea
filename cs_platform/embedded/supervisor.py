"""Several processes as one: their lines side by side, a crashed one started again, all ended together."""

import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import IO

from .processes import CannotStart, end

FIRST_PAUSE, LONGEST_PAUSE = 1.0, 30.0
STEADY_SECONDS = 60  # a part that ran this long earns a quick restart again

_printing = threading.Lock()


def say(text: str, *, name: str = "dev") -> None:
    with _printing:
        print(f"{name:>8} | {text}", flush=True)


@dataclass
class Part:
    name: str
    start: Callable[[], subprocess.Popen[bytes]]
    stop: Callable[[subprocess.Popen[bytes]], None] = end
    serves_others: bool = False
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0
    pause: float = FIRST_PAUSE
    due_at: float | None = None
    reader: threading.Thread | None = field(default=None, repr=False)

    def launch(self) -> None:
        self.process, self.started_at, self.due_at = self.start(), time.monotonic(), None
        self.reader = repeat_lines(self.process, name=self.name)

    def end(self) -> None:
        if self.process is not None:
            self.stop(self.process)
        if self.reader is not None:
            self.reader.join(timeout=2)

    def look(self) -> None:
        """Notice a crash, and start again once the pause is over."""
        if self.due_at is not None:
            if time.monotonic() >= self.due_at:
                self._start_again()
        elif self.process is not None and self.process.poll() is not None:
            self._plan_restart(f"ended ({_reason(self.process.returncode)})")

    def _start_again(self) -> None:
        try:
            self.launch()
        except CannotStart as refusal:
            self._plan_restart(f"failed: {refusal}")

    def _plan_restart(self, what: str) -> None:
        if time.monotonic() - self.started_at > STEADY_SECONDS:
            self.pause = FIRST_PAUSE
        say(f"{self.name} {what}; starting it again in {self.pause:g} s")
        self.due_at = time.monotonic() + self.pause
        self.pause = min(2 * self.pause, LONGEST_PAUSE)


class Supervisor:
    """Parts start in the order they are given; those that serve others end after the others."""

    def __init__(self) -> None:
        self.parts: list[Part] = []

    def add(self, part: Part) -> None:
        self.parts.append(part)
        part.launch()

    def look(self) -> None:
        for part in self.parts:
            part.look()

    def end(self) -> None:
        for serving in (False, True):
            endings = [threading.Thread(target=part.end) for part in self.parts if part.serves_others is serving]
            for ending in endings:
                ending.start()
            for ending in endings:
                ending.join()


def repeat_lines(process: subprocess.Popen[bytes], *, name: str) -> threading.Thread | None:
    """Say what a child says, under its name, until it ends."""
    if process.stdout is None:
        return None
    reader = threading.Thread(target=_repeat, args=(name, process.stdout), daemon=True)
    reader.start()
    return reader


def _repeat(name: str, stream: IO[bytes]) -> None:
    with stream:
        for line in stream:
            say(line.decode(errors="replace").rstrip(), name=name)


def _reason(code: int) -> str:
    return f"killed by signal {-code}" if code < 0 else f"exit code {code}"
