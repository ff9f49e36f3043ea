"""One program out of several processes."""

import subprocess
import sys
import time
from collections.abc import Callable

import pytest

from cs_platform.embedded.processes import end, spawn
from cs_platform.embedded.supervisor import Part, Supervisor

Process = subprocess.Popen[bytes]


def python(code: str) -> Callable[[], Process]:
    return lambda: spawn([sys.executable, "-u", "-c", code], output=subprocess.PIPE)


def look_until(supervisor: Supervisor, reached: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 15
    while not reached():
        assert time.monotonic() < deadline, "waited in vain"
        supervisor.look()
        time.sleep(0.02)


def test_lines_carry_the_name_of_their_part(capsys: pytest.CaptureFixture[str]) -> None:
    part = Part("web", python("print('listening')"))
    part.launch()
    assert part.process is not None
    part.process.wait()
    part.end()
    assert capsys.readouterr().out == "     web | listening\n"


def test_a_crashed_part_is_named_and_started_again(capsys: pytest.CaptureFixture[str]) -> None:
    supervisor = Supervisor()
    part = Part("worker", python("import time; time.sleep(60)"), pause=0.1)
    supervisor.add(part)
    first = part.process
    assert first is not None
    first.kill()
    look_until(supervisor, lambda: part.process is not first)
    supervisor.end()
    assert "worker ended (killed by signal 9); starting it again in 0.1 s" in capsys.readouterr().out


def test_a_part_that_keeps_failing_is_given_longer_pauses(capsys: pytest.CaptureFixture[str]) -> None:
    supervisor = Supervisor()
    part = Part("beat", python("raise SystemExit(3)"), pause=0.05)
    supervisor.add(part)
    look_until(supervisor, lambda: part.pause >= 0.2)
    supervisor.end()
    out = capsys.readouterr().out
    assert "beat ended (exit code 3); starting it again in 0.05 s" in out
    assert "starting it again in 0.1 s" in out


def test_servers_end_after_those_who_use_them() -> None:
    ended: list[str] = []

    def stop(name: str) -> Callable[[Process], None]:
        return lambda process: (ended.append(name), end(process))[1]

    supervisor = Supervisor()
    for name in ("postgres", "web"):
        part = Part(name, python("import time; time.sleep(60)"), stop(name), serves_others=name == "postgres")
        supervisor.add(part)
    supervisor.end()
    assert ended == ["web", "postgres"]


def test_a_part_that_ignores_the_request_is_killed() -> None:
    process = python("import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(1); time.sleep(60)")()
    assert process.stdout is not None
    with process.stdout:
        process.stdout.readline()
        end(process, seconds=0.2)
    assert process.returncode == -9
