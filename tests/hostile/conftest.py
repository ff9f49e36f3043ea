"""One busy day, and people who try to break it; every try is taken back."""

import logging
from collections.abc import Iterator
from unittest.mock import patch

import pytest
from django.db import transaction
from pytest_django.plugin import DjangoDbBlocker

from cs_platform.rest.throttling import KeyThrottle
from cs_platform.tenancy.context import tenant_context
from tests.tenancy.story import tell
from tests.world import workspace

from .scene import Scene


@pytest.fixture(scope="module")
def scene(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[Scene]:
    """Told once a module, in a transaction that is never committed."""
    with (
        django_db_blocker.unblock(),
        transaction.atomic(),
        patch.object(KeyThrottle, "allow_request", return_value=True),
    ):
        home = workspace("orbiton")
        with tenant_context(home.tenant.pk):
            story = tell(home, mark="orbiton")
        logging.disable(logging.WARNING)  # thousands of refusals
        yield Scene(home, story)
        logging.disable(logging.NOTSET)
        transaction.set_rollback(True)


@pytest.fixture(autouse=True)
def taken_back(request: pytest.FixtureRequest) -> Iterator[None]:
    if "scene" not in request.fixturenames:
        yield
        return
    with request.getfixturevalue("scene").undone():
        yield
