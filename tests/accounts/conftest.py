"""Orbiton and Halyard; stories about accounts happen in Orbiton's context."""

from collections.abc import Iterator

import pytest

from cs_platform.tenancy.context import tenant_context
from tests.visitor import Visitor
from tests.world import Workspace, workspace


@pytest.fixture
def halyard(db: None) -> Workspace:
    return workspace("halyard")


@pytest.fixture
def inside(db: None) -> Iterator[Workspace]:
    orbiton = workspace("orbiton")
    with tenant_context(orbiton.tenant.pk):
        yield orbiton


@pytest.fixture
def priya(inside: Workspace) -> Visitor:
    return Visitor(inside.priya)
