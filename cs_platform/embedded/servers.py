"""Both servers at once, and the environment by which everything else finds them.

Nothing here may import Django: the servers stand before its settings are read.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from .homes import check_free_space, make_directory
from .postgres import APP_ROLE, OWNER_ROLE, Postgres
from .redis import Redis

ROOT = Path(__file__).resolve().parents[2]
VAR = ROOT / "var"
DATABASE = "cs_platform"


@dataclass(frozen=True)
class Servers:
    postgres: Postgres
    redis: Redis

    def environment(self, *, database: str = DATABASE, redis_number: int = 0) -> dict[str, str]:
        return {
            "DATABASE_URL": self.postgres.url(APP_ROLE, database),
            "DATABASE_OWNER_URL": self.postgres.url(OWNER_ROLE, database),
            "REDIS_URL": self.redis.url(redis_number),
        }


@contextmanager
def running(home: Path, *, settings: Mapping[str, str]) -> Iterator[Servers]:
    """Both servers, for as long as the block lasts; their words go to `home`/*.log. The caller holds the home."""
    make_directory(home)
    check_free_space(home)
    postgres = Postgres(home, settings=settings)
    redis = Redis(postgres.sockets)
    with open(home / "postgres.log", "wb") as postgres_log, open(home / "redis.log", "wb") as redis_log:
        database_process = postgres.start(output=postgres_log)
        try:
            redis_process = redis.start(output=redis_log)
            try:
                postgres.ensure_roles()
                yield Servers(postgres, redis)
            finally:
                redis.stop(redis_process)
        finally:
            postgres.stop(database_process)


def known(home: Path, *, settings: Mapping[str, str]) -> Servers:
    """The servers another process of ours has started in `home`."""
    postgres = Postgres(home, settings=settings)
    return Servers(postgres, Redis(postgres.sockets))
