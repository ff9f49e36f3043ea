"""A real worker over a real queue, one process and one connection, with tasks of two workspaces in turns."""

import random
import time
from collections.abc import Iterator
from typing import Any

import pytest
from celery.contrib.testing.worker import start_worker
from celery.signals import setup_logging, task_postrun
from django.conf import settings
from django.db import DatabaseError, connection, connections
from redis import Redis

from accounts.models import EventType, Indicator
from cs_platform.celery import app
from cs_platform.tenancy.context import NoTenant, current_tenant_id, tenant_context
from cs_platform.tenancy.models import Tenant, WorkDue
from playbooks.models import Enrollment, LedgerEntry
from tests.world import MONDAY, account, live, playbook_json, workspace

TASKS = 1_000
QUEUES = ["apply", "deliver", "evaluate", "ingest", "jobs"]
PATIENCE = 60.0
EXPECTED_ERRORS = (ZeroDivisionError, DatabaseError, NoTenant)

left_behind: list[Any] = []  # what was in force after each task
done: dict[str, list[int]] = {}  # of each kind, the tasks that came to their end


@app.task(name="tests.look", shared=False, throws=EXPECTED_ERRORS)
def look(tenant_id: int, turn: int) -> None:
    """Every seventh fails after writing; all must see their own workspace only."""
    with tenant_context(tenant_id):
        EventType.objects.create(name=str(turn))
        seen = set(EventType.objects.values_list("tenant_id", flat=True))
        if turn % 7 == 0:
            raise ZeroDivisionError
    done["look" if seen == {tenant_id} else "saw others"].append(turn)


@app.task(name="tests.write_into_another", shared=False, throws=EXPECTED_ERRORS)
def write_into_another(tenant_id: int, other_id: int, turn: int) -> None:
    with tenant_context(tenant_id):
        EventType.objects.create(name=f"{turn} of mine")
        EventType.objects.create(name=f"{turn} of theirs", tenant_id=other_id)
    done["wrote into another"].append(turn)


@app.task(name="tests.forget", shared=False, throws=EXPECTED_ERRORS)
def forget(turn: int) -> None:
    """A task that names no workspace must not find the one of the task before."""
    EventType.objects.count()
    done["found a workspace"].append(turn)


@app.task(name="tests.leave", shared=False)
def leave() -> None:
    connections.close_all()
    done["left"].append(1)


def note(**_: Any) -> None:
    try:
        left_behind.append(current_tenant_id())
    except NoTenant:
        with connection.cursor() as cursor:
            cursor.execute("SELECT COALESCE(current_setting('app.tenant_id', true), '')")
            left_behind.append(cursor.fetchone()[0])


def keep_logging(**_: Any) -> None:
    """As long as somebody is asked, Celery leaves the loggers of this process as they are."""


@pytest.fixture
def two(transactional_db: None) -> list[Tenant]:
    """Each with a live playbook that applies to its only account."""
    homes = [workspace(slug) for slug in ("orbiton", "halyard")]
    for home in homes:
        with tenant_context(home.tenant.pk):
            account(f"of {home.tenant.slug}", plan="Pro")
            live(playbook_json())
            WorkDue.announce(tenant_id=home.tenant.pk, queue=WorkDue.Queue.EVALUATE, due_at=MONDAY)
    Tenant.objects.update(evaluation_hour=0)  # whatever the time is, today's look is due
    return [home.tenant for home in homes]


@pytest.fixture
def worker(two: list[Tenant]) -> Iterator[None]:
    Redis.from_url(settings.REDIS_URL).flushdb()
    left_behind.clear()
    done.update({name: [] for name in ("look", "saw others", "wrote into another", "found a workspace", "left")})
    task_postrun.connect(note)
    setup_logging.connect(keep_logging)
    with start_worker(app, pool="solo", perform_ping_check=False, queues=QUEUES):
        yield
        leave.delay()
        wait_for(lambda: bool(done["left"]))
    setup_logging.disconnect(keep_logging)
    task_postrun.disconnect(note)


def wait_for(condition: Any) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, f"after {len(left_behind)} tasks"
        time.sleep(0.02)


@pytest.mark.walk
@pytest.mark.usefixtures("worker")
def test_no_task_sees_writes_or_leaves_anothers_workspace(two: list[Tenant]) -> None:
    dice, looks = random.Random(3), {tenant.pk: set[str]() for tenant in two}
    for turn in range(TASKS):
        tenant, other = dice.sample(two, 2)
        if turn % 50 == 11:
            app.send_task(dice.choice(list(app.conf.beat_schedule)))
        elif turn % 10 == 3:
            write_into_another.delay(tenant.pk, other.pk, turn)
        elif turn % 10 == 5:
            forget.delay(turn)
        else:
            look.delay(tenant.pk, turn)
            looks[tenant.pk] |= set() if turn % 7 == 0 else {str(turn)}
    wait_for(lambda: len(left_behind) >= TASKS)

    assert set(left_behind) == {""}
    assert (done["saw others"], done["wrote into another"], done["found a workspace"]) == ([], [], [])
    for tenant in two:
        with tenant_context(tenant.pk):
            assert set(EventType.objects.values_list("name", flat=True)) == looks[tenant.pk]


@pytest.mark.usefixtures("worker")
def test_one_tick_serves_every_workspace_and_keeps_each_to_its_own(two: list[Tenant]) -> None:
    for tick in ("playbooks.tasks.evaluate_due_workspaces", "playbooks.tasks.apply_due_runs"):
        before = len(left_behind)
        app.send_task(tick)
        wait_for(lambda before=before: len(left_behind) > before)

    for tenant in two:
        with tenant_context(tenant.pk):
            assert Enrollment.objects.get().account.name == f"of {tenant.slug}"
            assert Indicator.objects.get().account.name == f"of {tenant.slug}"
            assert set(LedgerEntry.objects.values_list("tenant_id", flat=True)) == {tenant.pk}
    assert set(left_behind) == {""}
