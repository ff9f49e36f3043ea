"""Both servers at once, and the environment by which everything else finds them.

Nothing here may import Django: the servers stand before its settings are read.
"""

import os
import shlex
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from .homes import check_free_space, claimed, make_directory
from .postgres import Postgres
from .redis import Redis

ROOT = Path(__file__).resolve().parents[2]
VAR = Path(os.environ.get("VAR_DIR", ROOT / "var"))
DATABASE = "cs_platform"


@dataclass(frozen=True)
class Servers:
    postgres: Postgres
    redis: Redis

    def environment(self, *, database: str = DATABASE, redis_number: int = 0) -> dict[str, str]:
        return self.postgres.environment(database) | {"REDIS_URL": self.redis.url(redis_number)}


@contextmanager
def running(home: Path, *, settings: Mapping[str, str]) -> Iterator[Servers]:
    """Both servers, for as long as the block lasts; their words go to `home`/*.log. The caller holds the home."""
    make_directory(home)
    check_free_space(home)
    postgres = Postgres(home, settings=settings)
    redis = Redis(home)
    database_process = postgres.start()
    try:
        redis_process = redis.start()
        try:
            postgres.ensure_roles()
            yield Servers(postgres, redis)
        finally:
            redis.stop(redis_process)
    finally:
        postgres.stop(database_process)


@contextmanager
def published(home: Path, environment: Mapping[str, str]) -> Iterator[None]:
    """While they run, `manage.py` finds the servers without being told (and so does a shell that reads the file)."""
    path = home / "environment"
    path.touch(mode=0o600)
    path.write_text("".join(f"export {name}={shlex.quote(value)}\n" for name, value in environment.items()))
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


def published_environment() -> dict[str, str]:
    """What a running bin/dev has published; empty when none runs, though a killed one left its file behind."""
    path = VAR / "dev" / "environment"
    if not path.exists():
        return {}
    with claimed(path.parent) as nobody_else_has_it:
        if nobody_else_has_it:
            return {}
    words = (word for word in shlex.split(path.read_text()) if word != "export")
    return dict(word.split("=", 1) for word in words)


def known(home: Path, *, settings: Mapping[str, str]) -> Servers:
    """The servers another process of ours has started in `home`."""
    postgres = Postgres(home, settings=settings)
    return Servers(postgres, Redis(home))
