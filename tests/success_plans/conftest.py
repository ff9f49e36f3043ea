from collections.abc import Iterator

import pytest

from accounts.models import Account
from cs_platform.tenancy.context import tenant_context
from success_plans.models import SuccessPlan
from tests import world
from tests.success_plans.world import roll_out
from tests.visitor import Visitor
from tests.world import Workspace


@pytest.fixture
def orbiton(db: None) -> Iterator[Workspace]:
    space = world.workspace("orbiton")
    with tenant_context(space.tenant.pk):
        yield space


@pytest.fixture
def harbour(orbiton: Workspace) -> Account:
    return world.account(csm=orbiton.priya, ae=orbiton.tom)


@pytest.fixture
def priya(orbiton: Workspace) -> Visitor:
    return Visitor(orbiton.priya)


@pytest.fixture
def plan(orbiton: Workspace, harbour: Account) -> SuccessPlan:
    return roll_out(harbour, orbiton)
