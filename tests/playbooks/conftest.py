"""Orbiton and Halyard; stories about one enrollment happen in Orbiton's context."""

from collections.abc import Iterator

import pytest

from cs_platform.tenancy.context import tenant_context
from tests.world import Workspace, workspace


@pytest.fixture
def orbiton(db: None) -> Workspace:
    return workspace("orbiton")


@pytest.fixture
def halyard(db: None) -> Workspace:
    return workspace("halyard")


@pytest.fixture
def inside(orbiton: Workspace) -> Iterator[Workspace]:
    with tenant_context(orbiton.tenant.pk):
        yield orbiton
