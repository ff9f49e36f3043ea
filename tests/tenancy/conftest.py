"""Two workspaces alike: Orbiton, from which everything is tried, and Halyard, which nobody may see from there."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection

from cs_platform.tenancy.context import tenant_context
from tests.tenancy.rows import Rows, fill
from tests.world import Workspace, workspace


@pytest.fixture
def orbiton(db: None) -> Workspace:
    return workspace("orbiton")


@pytest.fixture
def halyard(db: None) -> Workspace:
    return workspace("halyard")


@pytest.fixture
def mine(orbiton: Workspace) -> Rows:
    with tenant_context(orbiton.tenant.pk):
        return fill(orbiton)


@pytest.fixture
def theirs(halyard: Workspace) -> Rows:
    with tenant_context(halyard.tenant.pk):
        return fill(halyard)


@pytest.fixture
def sql() -> Callable[..., list[Any]]:
    def run(statement: str, *parameters: Any) -> list[Any]:
        with connection.cursor() as cursor:
            cursor.execute(statement, parameters)
            return cursor.fetchall() if cursor.description else []

    return run
