"""A real web process, and senders that behave like Segment's libraries: a batch is theirs until it is answered 200."""

import http.client
import os
import signal
import socket
import sys
import time
from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from threading import Lock

from cs_platform.chaos.stack import children_of
from cs_platform.embedded.processes import end_group, spawn
from cs_platform.embedded.servers import ROOT

HOST = "127.0.0.1"
READY_SECONDS = 60.0
ANSWER_SECONDS = 5.0
AGAIN_SECONDS = 0.05
ATTEMPTS = 600
GUNICORN = ("--worker-class", "gthread", "--threads", "2", "--no-control-socket", "--log-level", "critical")


@dataclass(frozen=True, slots=True)
class Door:
    port: int
    parent: int

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    def kill_one(self, turn: int) -> bool:
        """As when memory runs out: nothing is finished, nobody is told. The parent starts another."""
        workers = sorted(children_of(self.parent))
        with suppress(ProcessLookupError):
            if workers:
                os.kill(workers[turn % len(workers)], signal.SIGKILL)
                return True
        return False


@contextmanager
def open_door(environment: Mapping[str, str], *, workers: int = 2) -> Iterator[Door]:
    port = _free_port()
    command = (sys.executable, "-m", "gunicorn", "cs_platform.wsgi", "--chdir", ROOT, "--bind", f"{HOST}:{port}")
    process = spawn([*command, "--workers", workers, *GUNICORN], env={**environment, "PYTHONPATH": str(ROOT)})
    try:
        _await_answer(port)
        yield Door(port, process.pid)
    finally:
        end_group(process)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def _await_answer(port: int) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while not _answers(port):
        if time.monotonic() > deadline:
            raise TimeoutError(f"nothing answers on port {port}")
        time.sleep(AGAIN_SECONDS)


def _answers(port: int) -> bool:
    connection = http.client.HTTPConnection(HOST, port, timeout=ANSWER_SECONDS)
    try:
        connection.request("OPTIONS", "/v1/batch")
        return connection.getresponse().status == http.HTTPStatus.NO_CONTENT
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


# --- senders ----------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Delivery:
    """Batches on their way, shared by several senders; on the way so many web processes are killed."""

    door: Door
    bodies: Sequence[bytes]
    write_key: str
    kills: int = 0
    accepted: int = 0
    killed: int = 0
    repeated: int = 0
    lock: Lock = field(default_factory=Lock)

    def send(self, *, senders: int = 2) -> "Delivery":
        """Until every batch was answered 200."""
        with ThreadPoolExecutor(senders) as pool:
            list(pool.map(self._send_share, [self.bodies[at::senders] for at in range(senders)]))
        return self

    def _send_share(self, bodies: Sequence[bytes]) -> None:
        credentials = b64encode(f"{self.write_key}:".encode()).decode()
        headers = {"Authorization": f"Basic {credentials}", "Content-Type": "application/json"}
        connection = http.client.HTTPConnection(HOST, self.door.port, timeout=30)
        for body in bodies:
            attempts = 1
            while not _is_accepted(connection, body, headers):
                attempts += 1
                if attempts > ATTEMPTS:
                    raise TimeoutError("the door does not answer")
                time.sleep(AGAIN_SECONDS)
            self._count(attempts)
        connection.close()

    def _count(self, attempts: int) -> None:
        """Killed by what was accepted and not by the clock: on a busy machine nobody would ever be up again."""
        with self.lock:
            self.accepted += 1
            self.repeated += attempts - 1
            if self.killed < self.kills and self.accepted * (self.kills + 1) >= (self.killed + 1) * len(self.bodies):
                self.killed += self.door.kill_one(self.killed)


def _is_accepted(connection: http.client.HTTPConnection, body: bytes, headers: Mapping[str, str]) -> bool:
    try:
        connection.request("POST", "/v1/batch", body, dict(headers))
        response = connection.getresponse()
        response.read()
        return response.status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        connection.close()
        return False
