"""Servers that DATABASE_URL and REDIS_URL name are checked before they are used."""

from pathlib import Path

import psycopg2
import pytest

from cs_platform.embedded import external
from cs_platform.embedded.postgres import APP_ROLE, OWNER_ROLE
from cs_platform.embedded.processes import CannotStart
from cs_platform.embedded.servers import Servers
from tests import databases


@pytest.fixture
def servers(django_db_setup: None) -> Servers:
    return databases.servers()


@pytest.fixture(autouse=True)
def nothing_given(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DATABASE_URL", "DATABASE_OWNER_URL", "REDIS_URL"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def draft(servers: Servers) -> str:
    servers.postgres.ensure_database("external")
    return "external"


def test_nothing_given_means_the_embedded_ones(tmp_path: Path) -> None:
    assert external.database_environment(tmp_path) == {}
    assert external.redis_environment() == {}


def test_both_roles_given_are_taken_as_they_are(
    servers: Servers, draft: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = servers.postgres.environment(draft)
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    assert external.database_environment(tmp_path) == given


@pytest.mark.parametrize("name", ["DATABASE_URL", "DATABASE_OWNER_URL"])
def test_an_owner_alone_gets_an_application_role_with_a_password_of_its_own(
    name: str, servers: Servers, draft: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = servers.postgres.url(OWNER_ROLE, draft)
    monkeypatch.setenv(name, url)
    found = external.database_environment(tmp_path)
    password = (tmp_path / "database-password").read_text()
    assert found["DATABASE_OWNER_URL"] == url
    assert found["DATABASE_URL"] == url.replace(OWNER_ROLE, f"external_app:{password}")
    assert external.database_environment(tmp_path) == found
    psycopg2.extensions.parse_dsn(found["DATABASE_URL"])


def test_an_application_role_alone_cannot_migrate_and_is_told_so(
    servers: Servers, draft: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", servers.postgres.url(APP_ROLE, draft))
    with pytest.raises(CannotStart, match="set DATABASE_OWNER_URL to the role that does"):
        external.database_environment(tmp_path)


def test_an_older_postgres_is_refused(
    servers: Servers, draft: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", servers.postgres.url(OWNER_ROLE, draft))
    monkeypatch.setattr(external, "OLDEST_POSTGRES", 99)
    with pytest.raises(CannotStart, match="answers as PostgreSQL 18: 99 or newer is needed"):
        external.database_environment(tmp_path)


def test_an_unreachable_database_is_told_in_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://cs_app@127.0.0.1:1/none")
    with pytest.raises(CannotStart, match="The database cannot be reached: "):
        external.database_environment(tmp_path)


def test_a_redis_of_ones_own_is_taken(servers: Servers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_URL", servers.redis.url())
    assert external.redis_environment() == {"REDIS_URL": servers.redis.url()}


def test_an_older_redis_is_refused(servers: Servers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_URL", servers.redis.url())
    monkeypatch.setattr(external, "OLDEST_REDIS", (99, 0))
    with pytest.raises(CannotStart, match=r"answers as Redis 6\.2\.14"):
        external.redis_environment()


@pytest.mark.parametrize("url", ["redis://127.0.0.1:1/0", "nonsense"])
def test_an_unreachable_redis_is_told_in_one_sentence(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_URL", url)
    with pytest.raises(CannotStart, match="REDIS_URL cannot be reached: "):
        external.redis_environment()
