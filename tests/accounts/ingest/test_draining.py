"""What was accepted is taken in once, whatever fails in between, and what cannot be is shown to a person."""

import json
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core.management import call_command
from django.db import OperationalError
from psycopg2.errors import LockNotAvailable

from accounts.ingest import draining
from accounts.ingest.draining import ATTEMPTS, ENDED, drain, retry
from accounts.models import Account, DataSource, EventCount, ReceivedBatch, TraitProblem
from accounts.tasks import take_in_received_calls
from cs_platform.tenancy.context import tenant_context
from cs_platform.tenancy.models import WorkDue
from tests.accounts.ingest.calls import group, track
from tests.world import MONDAY, Workspace

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.fixture
def source(orbiton: Workspace) -> Iterator[DataSource]:
    with tenant_context(orbiton.tenant.pk):
        yield DataSource.open(name="Website", by=orbiton.olga, now=NOW)[0]


def keep(source: DataSource, *calls: Any, at: datetime = NOW) -> ReceivedBatch:
    """As the door does."""
    lines = [call if isinstance(call, bytes) else json.dumps(call).encode() for call in calls]
    body = zlib.compress(b"\n".join(lines))
    WorkDue.announce(tenant_id=source.tenant_id, queue="ingest", due_at=at)
    return ReceivedBatch.objects.create(source=source, received_at=at, calls=len(calls), body=body)


def work(*, at: datetime = NOW) -> int:
    return drain(clock=lambda: at)


def total() -> int:
    return sum(EventCount.objects.values_list("count", flat=True))


def fail(*_: object, **__: object) -> None:
    raise ZeroDivisionError("no \0 such thing")


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    with monkeypatch.context() as patch:
        patch.setattr(draining, "ingest_calls", fail)
        yield patch


class TestTakenIn:
    def test_calls_become_rows_and_the_batch_goes(self, source: DataSource) -> None:
        keep(source, group("acc_1", plan="Team"), track("u_1", "Signed In", of="acc_1"))
        keep(source, track("u_1", "Signed In", of="acc_1"))

        assert work() == 2
        assert Account.objects.get().plan == "Team"
        assert total() == 2
        assert not ReceivedBatch.objects.exists()
        assert not WorkDue.objects.filter(queue="ingest").exists()

    def test_a_repeat_changes_nothing(self, source: DataSource) -> None:
        call = track("u_1", "Signed In", of="acc_1")
        keep(source, call)
        work()
        keep(source, call, call)
        work()

        assert total() == 1

    def test_the_moment_it_came_sets_wrong_clocks_right(self, source: DataSource) -> None:
        call = track("u_1", "Signed In", "2026-11-22T16:00:00Z", of="acc_1") | {"sentAt": "2026-11-22T16:10:00Z"}
        keep(source, call, at=NOW - timedelta(days=1))
        work()

        assert EventCount.objects.get().last_at == NOW - timedelta(days=1, minutes=10)

    def test_broken_lines_are_listed_under_their_source(self, source: DataSource) -> None:
        keep(source, b"{", b"5", group("acc_1"), b'{"type":"group","groupId":"' + b"a" * 33_000 + b'"}')
        work()
        found = TraitProblem.objects.from_source(source.actor).values_list("key", "reason")

        assert {reason for _, reason in found} >= {"a call must be a JSON object", "larger than 32 kB"}
        assert Account.objects.count() == 1

    def test_a_slice_is_of_one_source_and_bounded(self, source: DataSource, orbiton: Workspace) -> None:
        other, _ = DataSource.open(name="App", by=orbiton.olga, now=NOW)
        batches = [keep(one, *[group("a")] * 3_000) for one in (source, other, source, source)]
        claimed = draining._claim(orbiton.tenant, NOW)
        assert claimed is not None
        assert [batch.pk for batch in claimed.batches] == [batches[0].pk]

        ReceivedBatch.objects.update(lease_until=None, claims=0, calls=1)
        claimed = draining._claim(orbiton.tenant, NOW)
        assert claimed is not None
        assert [batch.pk for batch in claimed.batches] == [batches[at].pk for at in (0, 2, 3)]

    def test_workspaces_take_turns(self, source: DataSource, halyard: Workspace) -> None:
        keep(source, group("acc_1"))
        with tenant_context(halyard.tenant.pk):
            keep(DataSource.open(name="Website", by=halyard.olga, now=NOW)[0], group("acc_2"))
        work()

        assert Account.objects.get().external_id == "acc_1"
        with tenant_context(halyard.tenant.pk):
            assert Account.objects.get().external_id == "acc_2"

    @pytest.mark.parametrize("door", ["task", "pump"])
    def test_workers_and_the_pump_do_it(self, source: DataSource, door: str) -> None:
        keep(source, group("acc_1"), at=MONDAY)
        take_in_received_calls() if door == "task" else call_command("pump", "--once")

        assert Account.objects.exists()


class TestClaims:
    def test_a_batch_in_work_is_nobody_elses(self, source: DataSource, orbiton: Workspace) -> None:
        keep(source, group("acc_1"))
        assert draining._claim(orbiton.tenant, NOW) is not None
        assert draining._claim(orbiton.tenant, NOW) is None

    def test_after_the_lease_it_is_taken_up_again_and_the_late_one_finds_nothing(
        self, source: DataSource, orbiton: Workspace
    ) -> None:
        keep(source, track("u_1", "Signed In", of="acc_1"))
        late = draining._claim(orbiton.tenant, NOW)
        assert late is not None
        assert work(at=NOW + timedelta(seconds=61)) == 1
        assert draining.take_in(late, now=NOW) == 0
        assert total() == 1

    def test_the_next_look_is_when_the_lease_ends(self, source: DataSource, orbiton: Workspace) -> None:
        keep(source, group("acc_1"))
        draining._claim(orbiton.tenant, NOW)
        assert work() == 0
        assert WorkDue.objects.get(queue="ingest").due_at == NOW + timedelta(seconds=60)

    def test_one_that_ends_its_process_each_time_is_set_aside(self, source: DataSource, orbiton: Workspace) -> None:
        keep(source, group("acc_1"))
        keep(source, group("acc_2"))
        for attempt in range(ATTEMPTS):
            claimed = draining._claim(orbiton.tenant, NOW + timedelta(minutes=2 * attempt))
            assert claimed is not None
            assert len(claimed.batches) == (1 if attempt else 2)
        ReceivedBatch.objects.exclude(claims=ATTEMPTS).update(lease_until=None)
        work(at=NOW + timedelta(hours=1))

        assert ReceivedBatch.objects.set_aside().get().error == ENDED
        assert Account.objects.get().external_id == "acc_2"


class TestFailures:
    def test_a_failure_leaves_nothing_and_is_tried_again_alone(
        self, source: DataSource, broken: pytest.MonkeyPatch
    ) -> None:
        keep(source, group("acc_1"))
        keep(source, group("acc_2"))
        assert work() == 2
        assert (
            list(ReceivedBatch.objects.values_list("claims", "lease_until")) == [(1, NOW + timedelta(seconds=10))] * 2
        )
        assert WorkDue.objects.get(queue="ingest").due_at == NOW + timedelta(seconds=10)
        broken.undo()

        assert work(at=NOW + timedelta(seconds=9)) == 0
        assert work(at=NOW + timedelta(seconds=10)) == 2
        assert Account.objects.count() == 2

    def test_one_that_keeps_failing_is_set_aside_with_its_error_and_can_be_retried(
        self, source: DataSource, broken: pytest.MonkeyPatch
    ) -> None:
        keep(source, group("acc_1"))
        for attempt in range(ATTEMPTS):
            assert not ReceivedBatch.objects.set_aside().exists()
            work(at=NOW + timedelta(hours=attempt))
        assert ReceivedBatch.objects.set_aside().get().error == "ZeroDivisionError: no  such thing"
        assert work(at=NOW + timedelta(days=9)) == 0
        broken.undo()

        assert (retry(source, now=NOW), retry(source, now=NOW)) == (1, 0)
        assert work() == 1
        assert Account.objects.exists()

    def test_what_fails_does_not_keep_others_waiting(self, source: DataSource, monkeypatch: pytest.MonkeyPatch) -> None:
        real = draining.ingest_calls

        def picky(calls: Any, **context: Any) -> Any:
            found = list(calls)
            if any(call.item["groupId"] == "bad" for call in found):
                raise ValueError("bad")
            return real(found, **context)

        monkeypatch.setattr(draining, "ingest_calls", picky)
        for id in ("acc_1", "bad", "acc_2"):
            keep(source, group(id))
        work()
        work(at=NOW + timedelta(minutes=1))

        assert set(Account.objects.values_list("external_id", flat=True)) == {"acc_1", "acc_2"}
        assert ReceivedBatch.objects.get().error == "ValueError: bad"

    def test_somebody_elses_lock_is_no_fault(self, source: DataSource, broken: pytest.MonkeyPatch) -> None:
        def locked(*_: object, **__: object) -> None:
            raise OperationalError from LockNotAvailable()

        broken.setattr(draining, "ingest_calls", locked)
        keep(source, group("acc_1"))
        for attempt in range(2 * ATTEMPTS):
            work(at=NOW + timedelta(hours=attempt))

        assert ReceivedBatch.objects.waiting().get().claims == 0

    def test_what_was_accepted_from_a_source_that_closed_is_taken_in(self, source: DataSource) -> None:
        keep(source, group("acc_1"))
        source.revoke(now=NOW)
        work()

        assert Account.objects.exists()
