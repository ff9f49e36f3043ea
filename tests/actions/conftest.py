from collections.abc import Iterator

import pytest

from accounts.models import Account, EndUser, Segment
from cs_platform.tenancy.context import tenant_context
from tests import world
from tests.success_plans.world import template
from tests.world import MONDAY, Workspace


@pytest.fixture
def orbiton(db: None) -> Iterator[Workspace]:
    """The workspace, entered, with a custom trait “Stage” on accounts and on users, and a template of plans."""
    space = world.workspace("orbiton")
    with tenant_context(space.tenant.pk):
        world.trait("stage")
        world.trait("stage", scope="user")
        Segment.objects.create(scope="account", name="Renewal", created_at=MONDAY)
        template(space, "Onboarding")
        yield space


@pytest.fixture
def harbour(orbiton: Workspace) -> Account:
    return world.account("Harbourline Logistics", csm=orbiton.priya, ae=orbiton.tom, plan="Pro")


@pytest.fixture
def yarrow(orbiton: Workspace) -> Account:
    return world.account("Yarrow Retail", csm=orbiton.tom, plan="Basic")


@pytest.fixture
def ben(harbour: Account) -> EndUser:
    return world.user("Ben Novak", harbour, role="admin")
