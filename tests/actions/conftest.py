from collections.abc import Iterator

import pytest

from accounts.models import Account, EndUser, Segment
from cs_platform.connectors.managing import connect
from cs_platform.tenancy.context import tenant_context
from tests import world
from tests.success_plans.world import template
from tests.world import MONDAY, Workspace

# What the samples of actions name.
CONNECTORS = {
    "webhook": {"url": "https://hooks.example.com/in"},
    "slack": {"secret": "https://hooks.slack.com/services/T0/B0/x"},
    "segment": {"secret": "write-key-0001"},
}


@pytest.fixture
def orbiton(db: None) -> Iterator[Workspace]:
    """The workspace, entered, with a custom trait “Stage” on accounts and on users, and a template of plans."""
    space = world.workspace("orbiton")
    with tenant_context(space.tenant.pk):
        world.trait("stage")
        world.trait("stage", scope="user")
        Segment.objects.create(scope="account", name="Renewal", created_at=MONDAY)
        template(space, "Onboarding")
        for kind, parts in CONNECTORS.items():
            connect(kind=kind, key=f"sample-{kind}", name=f"Sample {kind}", by=space.olga, now=MONDAY, **parts)
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
