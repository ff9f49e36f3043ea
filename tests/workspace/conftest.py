"""Orbiton, in whose context the stories of its team happen."""

from collections.abc import Iterator

import pytest

from accounts.models import Account
from cs_platform.tenancy.context import tenant_context
from ctas.models import Cta
from ctas.opening import open_cta
from tests.visitor import Visitor
from tests.world import MONDAY, Workspace, account, workspace


@pytest.fixture
def inside(db: None) -> Iterator[Workspace]:
    orbiton = workspace("orbiton")
    with tenant_context(orbiton.tenant.pk):
        yield orbiton


@pytest.fixture
def harbourline(inside: Workspace) -> Account:
    return account()


@pytest.fixture
def cta(inside: Workspace, harbourline: Account) -> Cta:
    return open_cta(account=harbourline, name="Call them", type="risk", owner=inside.tom, by=inside.priya, now=MONDAY)


@pytest.fixture
def priya(inside: Workspace) -> Visitor:
    return Visitor(inside.priya)
