"""Two workspaces, and ingest as its callers use it."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from accounts.ingest import IngestReport, ingest_calls
from tests.world import Workspace, workspace

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)

Ingest = Callable[..., IngestReport]


@pytest.fixture
def orbiton(db: None) -> Workspace:
    return workspace("orbiton", timezone="Europe/Berlin")


@pytest.fixture
def halyard(db: None) -> Workspace:
    return workspace("halyard", timezone="Europe/Berlin")


@pytest.fixture
def ingest(orbiton: Workspace) -> Ingest:
    def run(*calls: Any, into: Workspace = orbiton, **options: Any) -> IngestReport:
        settings: dict[str, Any] = {"source": "segment", "now": NOW} | options
        return ingest_calls(calls, tenant=into.tenant, **settings)

    return run


def problems(report: IngestReport) -> set[tuple[str, str, str]]:
    return {(f"{problem.scope}.{problem.key}", problem.outcome, problem.reason) for problem in report.problems}


def reasons(report: IngestReport) -> dict[str, str]:
    return {key: reason for key, _, reason in problems(report)}
