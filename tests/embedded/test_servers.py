"""The embedded servers: started twice, orphaned, in deep and in closed directories."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg2
import pytest

from cs_platform.embedded import homes, servers
from cs_platform.embedded.postgres import DISPOSABLE, Postgres
from cs_platform.embedded.processes import CannotStart
from cs_platform.embedded.redis import Redis
from cs_platform.embedded.servers import ROOT, running


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """Root's temporary directories are closed to other users: there the server moves to /var/tmp."""
    home = tmp_path / "home"
    yield home
    moved = home / "postgres"
    if moved.is_symlink():
        shutil.rmtree(moved.readlink().parent)


def test_both_servers_answer_and_are_gone_afterwards(home: Path) -> None:
    with running(home, settings=DISPOSABLE) as both:
        assert both.postgres.execute("SELECT 1") == [(1,)]
        assert both.redis._answers()
    with pytest.raises(psycopg2.OperationalError):
        both.postgres.execute("SELECT 1")
    assert not both.redis._answers()


def test_what_was_written_is_there_after_the_next_start(home: Path) -> None:
    with running(home, settings=DISPOSABLE) as both:
        both.postgres.ensure_database("kept")
    with running(home, settings=DISPOSABLE) as both:
        assert both.postgres.has_database("kept")


def test_a_server_whose_starter_is_lost_is_replaced(home: Path) -> None:
    homes.make_directory(home)
    postgres, redis = Postgres(home, settings=DISPOSABLE), Redis(home)
    lost = [postgres.start(), redis.start()]
    with running(home, settings=DISPOSABLE) as both:
        assert both.postgres.execute("SELECT 1") == [(1,)]
        assert [process.wait(timeout=10) for process in lost] == [0, 0]


def test_a_killed_starter_takes_its_servers_along_or_leaves_them_to_be_replaced(home: Path) -> None:
    program = f"""
import time
from pathlib import Path
from cs_platform.embedded.postgres import DISPOSABLE
from cs_platform.embedded.servers import running
with running(Path({str(home)!r}), settings=DISPOSABLE):
    print("up", flush=True)
    time.sleep(60)
"""
    starter = subprocess.Popen([sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE)
    assert starter.stdout is not None
    assert starter.stdout.readline() == b"up\n"
    starter.send_signal(signal.SIGKILL)
    starter.communicate()
    if sys.platform.startswith("linux"):  # elsewhere nothing tells a child that its parent died
        _wait_until_gone(Postgres(home, settings=DISPOSABLE), Redis(home))
    with running(home, settings=DISPOSABLE) as both:
        assert both.postgres.execute("SELECT 1") == [(1,)]


def _wait_until_gone(postgres: Postgres, redis: Redis) -> None:
    deadline = time.monotonic() + 20
    while postgres._answers() or redis._answers():
        assert time.monotonic() < deadline, "the servers outlived their starter"
        time.sleep(0.1)


def test_a_deep_checkout_still_finds_room_for_its_sockets(home: Path) -> None:
    deep = home / ("d" * 120)
    with running(deep, settings=DISPOSABLE) as both:
        assert len(str(both.postgres.sockets / ".s.PGSQL.5432")) < 100
    if (deep / "postgres").is_symlink():
        shutil.rmtree((deep / "postgres").readlink().parent)


def test_data_of_another_postgres_is_refused_in_one_sentence(home: Path) -> None:
    with running(home, settings=DISPOSABLE) as both:
        data = both.postgres.data
    (data / "PG_VERSION").write_text("16\n")
    with pytest.raises(CannotStart, match=r"made by PostgreSQL 16; this is 18"):
        Postgres(home, settings=DISPOSABLE).start()


def test_a_refusal_to_start_repeats_the_servers_own_complaint(home: Path) -> None:
    homes.make_directory(home)
    with pytest.raises(CannotStart, match=r"did not start: .*shared_buffers"):
        Postgres(home, settings={"shared_buffers": "nonsense"}).start()


def test_runs_at_the_same_time_get_homes_of_their_own(tmp_path: Path) -> None:
    with homes.first_free_home(tmp_path) as first, homes.first_free_home(tmp_path) as second:
        assert [first.name, second.name] == ["1", "2"]
    with homes.first_free_home(tmp_path) as again:
        assert again.name == "1"


def test_a_home_of_another_user_is_refused_in_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    owner = tmp_path.owner()
    monkeypatch.setattr(os, "getuid", lambda: 4321)
    with pytest.raises(CannotStart, match=f"belongs to {owner}: start as that user, or remove it"):
        homes.make_directory(tmp_path)


def test_a_full_disk_is_told_in_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(homes, "NEEDED_MB", 10**9)
    with pytest.raises(CannotStart, match=r"The disk is full: \d+ MB free at"):
        homes.check_free_space(tmp_path)


class TestPublishedEnvironment:
    @pytest.fixture(autouse=True)
    def var(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        monkeypatch.setattr(servers, "VAR", tmp_path)
        return tmp_path

    def test_manage_py_finds_what_a_running_dev_has_published(self, var: Path) -> None:
        home, given = var / "dev", {"DATABASE_URL": "postgresql://a@/b?host=/tmp/x y", "DEBUG": ""}
        homes.make_directory(home)
        program = f"""
import fcntl, time
lock = open({str(home / "lock")!r}, "a")
fcntl.flock(lock, fcntl.LOCK_EX)
print("held", flush=True)
time.sleep(60)
"""
        with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as dev:
            assert dev.stdout is not None
            dev.stdout.readline()
            with servers.published(home, given):
                assert servers.published_environment() == given
            assert servers.published_environment() == {}
            dev.kill()

    def test_what_a_killed_one_left_behind_is_not_believed(self, var: Path) -> None:
        homes.make_directory(var / "dev")
        with servers.published(var / "dev", {"DATABASE_URL": "x"}):
            assert servers.published_environment() == {}
