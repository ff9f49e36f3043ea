"""Beat: the first ticks at once, none piled up, and a sign of life."""

import pytest
from django.db import DatabaseError

from cs_platform import beat
from cs_platform.beat import Ticker
from cs_platform.celery import app
from cs_platform.tenancy.models import Heartbeat


@pytest.fixture(autouse=True)
def one_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """The test's transaction lives on the connection that beat would replace."""
    monkeypatch.setattr(beat, "close_old_connections", lambda: None)
    app.finalize()


class Recorder(Ticker):
    """Notes what would be sent."""

    def __init__(self) -> None:
        self.sent: list[str] = []
        super().__init__(app)

    producer = None

    def apply_entry(self, entry: object, producer: object = None) -> None:
        self.sent.append(entry.task)  # type: ignore[attr-defined]


@pytest.mark.django_db
def test_the_first_ticks_come_at_once_and_then_wait() -> None:
    ticker = Recorder()
    pauses = [ticker.tick() for _ in range(8)]
    assert sorted(ticker.sent) == [
        "accounts.tasks.forget_what_is_old",
        "accounts.tasks.take_in_received_calls",
        "cs_platform.jobs.tasks.run_due_jobs",
        "cs_platform.workspace.tasks.run_due_errands",
        "playbooks.tasks.apply_due_runs",
        "playbooks.tasks.deliver_due_runs",
        "playbooks.tasks.evaluate_due_workspaces",
    ]
    assert pauses[:7] == [0] * 7
    assert 0 < pauses[7] <= 5


def test_ticks_of_a_long_outage_expire_but_a_slow_worker_still_finds_its_own() -> None:
    entries = app.conf.beat_schedule.values()
    assert len(entries) == 7
    assert all(60 < entry["options"]["expires"] <= 7200 for entry in entries)


@pytest.mark.django_db
def test_beat_gives_a_sign_of_life() -> None:
    Recorder().tick()
    assert Heartbeat.objects.filter(part="beat").exists()


@pytest.mark.django_db
def test_a_database_that_is_gone_does_not_stop_the_ticks(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**_: object) -> None:
        raise DatabaseError("gone")

    monkeypatch.setattr(Heartbeat, "beat", refuse)
    ticker = Recorder()
    ticker.tick()
    assert len(ticker.sent) == 1
