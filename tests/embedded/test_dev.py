"""bin/dev as a whole: it starts, mends itself, answers and ends."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import psutil
import pytest

from cs_platform import dev
from cs_platform.embedded.homes import claimed
from cs_platform.embedded.processes import CannotStart
from cs_platform.embedded.servers import ROOT
from cs_platform.embedded.templates import create_fresh_database
from tests import databases


@pytest.fixture
def port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def running_dev(django_db_setup: None, tmp_path: Path, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """With the run's own servers, as if DATABASE_URL and REDIS_URL named somebody else's."""
    name = f"dev_{os.environ.get('PYTEST_XDIST_WORKER', 'main')}"
    create_fresh_database(databases.servers(), name)
    given = databases.servers().environment(database=name, redis_number=14)
    environment = os.environ | given | {"VAR_DIR": str(tmp_path)}
    del environment["EMAIL_URL"], environment["MAIL_SINK_DIR"]
    command = [sys.executable, "-u", "-m", "cs_platform.dev", "--no-demo", "--port", str(port)]
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE) as process:
        yield process
        process.kill()


def wait_for(words: str, stream: IO[bytes] | None) -> list[str]:
    assert stream is not None
    seen: list[str] = []
    for line in stream:
        seen.append(line.decode())
        if words in seen[-1]:
            return seen
    raise AssertionError(f"never said {words!r}:\n{''.join(seen)}")


def test_it_starts_mends_itself_and_ends_cleanly(
    running_dev: subprocess.Popen[bytes], port: int, tmp_path: Path
) -> None:
    wait_for("Ready after", running_dev.stdout)
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=10) as answer:
        assert answer.status == 200
    assert (tmp_path / "dev" / "environment").exists()

    parts = psutil.Process(running_dev.pid).children()
    worker = next(part for part in parts if "worker" in part.cmdline())
    worker.send_signal(signal.SIGKILL)
    wait_for("worker ended (killed by signal 9); starting it again in 1 s", running_dev.stdout)

    everyone = psutil.Process(running_dev.pid).children(recursive=True)
    running_dev.send_signal(signal.SIGTERM)
    wait_for("ending ...", running_dev.stdout)
    assert running_dev.wait(timeout=60) == 0
    assert not [part for part in everyone if part.is_running() and part.status() != psutil.STATUS_ZOMBIE]
    assert not (tmp_path / "dev" / "environment").exists()


@contextlib.contextmanager
def taken(port: int) -> Iterator[None]:
    with socket.socket() as other:
        other.bind(("127.0.0.1", port))
        other.listen()
        yield


class TestRefusals:
    @pytest.fixture(autouse=True)
    def var(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        monkeypatch.setattr(dev, "VAR", tmp_path)
        monkeypatch.setattr(dev, "HOME", tmp_path / "dev")
        return tmp_path

    def test_a_port_in_use_names_the_next(self, port: int) -> None:
        with taken(port), pytest.raises(CannotStart, match=rf"Address already in use\): try bin/dev --port {port + 1}"):
            dev.main(["--port", str(port)])

    def test_a_second_one_in_the_same_checkout_is_refused(self, var: Path, port: int) -> None:
        with (
            claimed(var / "dev"),
            pytest.raises(CannotStart, match=f"already runs in this checkout .process {os.getpid()}"),
        ):
            dev.main(["--port", str(port)])

    def test_too_old_a_python_is_told_in_one_sentence(self, tmp_path: Path) -> None:
        old = tmp_path / "python3"
        old.write_text('#!/bin/sh\n[ "$1" = --version ] && echo "Python 3.9.2" || exit 1\n')
        old.chmod(0o755)
        environment = {"PATH": "/usr/bin:/bin", "PYTHON": str(old)}
        done = subprocess.run([ROOT / "bin" / "dev"], env=environment, capture_output=True, text=True)
        expected = (
            "Python 3.11 or newer is needed and this is Python 3.9.2: install it, or set PYTHON=/path/to/python3.11.\n"
        )
        assert (done.returncode, done.stderr) == (1, expected)
