"""A workspace to report on: Priya and Tom look after accounts."""

from collections.abc import Iterator

import pytest

from cs_platform.tenancy.context import tenant_context
from tests.world import Workspace, workspace


@pytest.fixture
def orbiton(db: None) -> Iterator[Workspace]:
    space = workspace("orbiton")
    with tenant_context(space.tenant.pk):
        yield space
