"""Several imports at once, and what gets in their way."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import OperationalError, connection
from psycopg2.errors import LockNotAvailable

from accounts.ingest import ingest_calls, run
from accounts.models import EventCount
from cs_platform.tenancy.context import tenant_context
from cs_platform.tenancy.models import Tenant
from tests.accounts.ingest.calls import group, track
from tests.accounts.ingest.conftest import NOW
from tests.world import MONDAY

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def tenant() -> Tenant:
    return Tenant.objects.create(slug="busy", name="Busy", timezone="UTC", created_at=MONDAY)


def test_the_same_calls_brought_twice_at_once_count_once(tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "BATCH_CALLS", 10)
    calls = [track(f"u_{n % 7}", f"Event {n % 3}", of=f"acc_{n % 5}") for n in range(120)]
    calls += [group(f"acc_{n}", plan="Team") for n in range(5)]

    def bring(part: list[Any]) -> int:
        try:
            return ingest_calls(part, tenant=tenant, source="segment", now=NOW).taken
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        taken = sum(pool.map(bring, [calls, calls[::-1], calls, calls[::-1]]))

    assert taken == len(calls)
    with tenant_context(tenant.pk):
        assert sum(EventCount.objects.values_list("count", flat=True)) == 120


def test_a_lock_held_too_long_is_waited_for_again(tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    attempts = []
    take_in = run._take_in

    def busy_at_first(*args: Any, **kwargs: Any) -> run.IngestReport:
        attempts.append(1)
        if len(attempts) < 3:
            raise OperationalError from LockNotAvailable()
        return take_in(*args, **kwargs)

    monkeypatch.setattr(run, "_take_in", busy_at_first)
    report = ingest_calls([group("acc_1")], tenant=tenant, source="segment", now=NOW)

    assert (report.taken, len(attempts)) == (1, 3)


def test_other_troubles_are_not_repeated(tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*args: Any, **kwargs: Any) -> run.IngestReport:
        raise OperationalError("the server is gone")

    monkeypatch.setattr(run, "_take_in", broken)
    with pytest.raises(OperationalError, match="gone"):
        ingest_calls([group("acc_1")], tenant=tenant, source="segment", now=NOW)
