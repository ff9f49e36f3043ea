"""A workspace to work in, and somebody who does."""

from collections.abc import Iterator

import pytest

from cs_platform.tenancy.context import tenant_context
from tests import world
from tests.visitor import Visitor
from tests.world import Workspace


@pytest.fixture
def space(db: None) -> Iterator[Workspace]:
    made = world.workspace("orbiton")
    with tenant_context(made.tenant.pk):
        yield made


@pytest.fixture
def csm(space: Workspace) -> Visitor:
    return Visitor(space.priya)


@pytest.fixture
def admin(space: Workspace) -> Visitor:
    return Visitor(space.jonah)
