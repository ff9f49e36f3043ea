from collections.abc import Iterator

import pytest
from pytest_django import Settings

from cs_platform.jobs.kinds import job_kinds
from tests.accounts.conftest import halyard, inside, priya
from tests.visitor import Visitor
from tests.world import Workspace

__all__ = ["halyard", "inside", "priya"]


@pytest.fixture(autouse=True)
def kinds(settings: Settings) -> Iterator[None]:
    settings.JOB_KINDS = ["tests.jobs.kinds.Counting", "tests.jobs.kinds.Writing"]
    job_kinds.cache_clear()
    yield
    job_kinds.cache_clear()


@pytest.fixture
def maya(inside: Workspace) -> Visitor:
    return Visitor(inside.maya)
