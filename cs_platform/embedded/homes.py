"""Where embedded servers keep their files, and who may use them: one run at a time per home."""

import fcntl
import hashlib
import os
import pwd
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .processes import CannotStart

NEEDED_MB = 500
LONGEST_SOCKET_DIR = 80  # a Unix socket's path may have about 100 characters


@contextmanager
def claimed(home: Path) -> Iterator[bool]:
    """Hold `home` for this process; False when another has it. The lock goes with the process, however it ends."""
    make_directory(home)
    with open(home / "lock", "a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield True


@contextmanager
def first_free_home(parent: Path) -> Iterator[Path]:
    """Runs at the same time each get a home of their own: parent/1, parent/2 …"""
    number = 1
    while True:
        with claimed(parent / str(number)) as ours:
            if ours:
                yield parent / str(number)
                return
        number += 1


def make_directory(path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CannotStart(f"Cannot create {path}: {error.strerror}.") from error
    owner = path.stat().st_uid
    if owner != os.getuid():
        raise CannotStart(f"{path} belongs to {_name(owner)}: start as that user, or remove it.")


def check_free_space(path: Path) -> None:
    free = shutil.disk_usage(path).free // 2**20
    if free < NEEDED_MB:
        raise CannotStart(f"The disk is full: {free} MB free at {path}, {NEEDED_MB} MB needed.")


def socket_directory(home: Path) -> Path:
    """Short, since a deep checkout leaves no room for a socket's name; named for its home, so that others find it."""
    name = f"cs-{os.getuid()}-{hashlib.sha256(str(home.resolve()).encode()).hexdigest()[:10]}"
    temporary = Path(tempfile.gettempdir())
    return (temporary if len(str(temporary)) + len(name) < LONGEST_SOCKET_DIR else Path("/tmp")) / name


def make_private(path: Path, *, owner: int) -> None:
    """Its servers ask no password, so nobody else may enter."""
    path.mkdir(mode=0o700, exist_ok=True)
    found = path.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid not in {os.getuid(), owner}:
        raise CannotStart(f"{path} belongs to {_name(found.st_uid)}: remove it.")
    os.chown(path, owner, -1)
    path.chmod(0o700)


def _name(user: int) -> str:
    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:
        return f"user {user}"
