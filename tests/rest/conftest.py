"""Two workspaces and real keys: the API is asked as an integration asks it."""

from collections.abc import Callable

import pytest

from tests.rest.client import Api, refill_buckets
from tests.world import Workspace, workspace


@pytest.fixture(autouse=True)
def full_buckets() -> None:
    """Every test begins with its limits untouched: ids repeat from one rolled-back test to the next."""
    refill_buckets()


@pytest.fixture
def orbiton(db: None) -> Workspace:
    return workspace("orbiton", timezone="Europe/Berlin")


@pytest.fixture
def halyard(db: None) -> Workspace:
    return workspace("halyard")


@pytest.fixture
def api(orbiton: Workspace) -> Api:
    return Api.with_key(orbiton.tenant)


@pytest.fixture
def api_with(orbiton: Workspace) -> Callable[..., Api]:
    return lambda *scopes: Api.with_key(orbiton.tenant, *scopes)
