"""One look at a workspace at a time: a worker goes on, a person is told."""

from collections.abc import Iterator

import pytest
from django.db import connection

from cs_platform.celery import app
from cs_platform.tenancy.models import WorkDue
from playbooks.evaluation import EVALUATING, UnderWay, ask_for_look, evaluate_if_due, evaluate_now, release
from playbooks.models import Evaluation, EvaluationRun
from playbooks.pump import pump
from playbooks.tasks import apply_due_runs, evaluate_due_workspaces
from tests.world import MONDAY, Workspace, account, days, live, playbook_json


@pytest.fixture
def looking(inside: Workspace) -> Iterator[None]:
    """Somebody else's evaluation of this workspace, which does not end."""
    other = connection.get_new_connection(connection.get_connection_params())
    with other.cursor() as cursor, connection.cursor() as mine:
        cursor.execute("SELECT pg_advisory_lock(%s, %s)", [EVALUATING, inside.tenant.pk])
        mine.execute("SET LOCAL lock_timeout = '50ms'")
        yield
    other.close()


@pytest.mark.usefixtures("looking")
def test_a_second_worker_leaves_the_workspace_due_and_opens_no_run(inside: Workspace) -> None:
    account(plan="Pro"), live(playbook_json())
    due = WorkDue.objects.get(queue=WorkDue.Queue.EVALUATE, tenant=inside.tenant).due_at

    assert evaluate_if_due(inside.tenant, now=MONDAY + days(1)) is None
    pump(WorkDue.Queue.EVALUATE, clock=lambda: MONDAY + days(1))

    assert WorkDue.objects.get(queue=WorkDue.Queue.EVALUATE, tenant=inside.tenant).due_at == due
    assert not EvaluationRun.objects.exists()


@pytest.mark.usefixtures("looking")
def test_who_asks_meanwhile_is_told_and_can_go_on(inside: Workspace) -> None:
    with pytest.raises(UnderWay, match="checked already"):
        evaluate_now(inside.tenant, by=inside.priya, now=MONDAY)

    assert not EvaluationRun.objects.exists()


@pytest.mark.usefixtures("looking")
def test_who_only_asks_for_one_does_not_wait_and_gets_it_afterwards(inside: Workspace) -> None:
    asked = [ask_for_look(inside.tenant, by=inside.jonah, now=MONDAY) for _ in range(2)]
    pump(WorkDue.Queue.EVALUATE, clock=lambda: MONDAY)

    assert asked[0] == asked[1]
    assert EvaluationRun.objects.get().finished_at is None
    assert WorkDue.objects.get(queue=WorkDue.Queue.EVALUATE, tenant=inside.tenant).due_at <= MONDAY


def test_what_was_asked_for_and_the_night_are_two_looks(inside: Workspace) -> None:
    ask_for_look(inside.tenant, by=inside.jonah, now=MONDAY)
    pump(WorkDue.Queue.EVALUATE, clock=lambda: MONDAY + days(1))

    found = dict(EvaluationRun.objects.values_list("trigger", "started_at"))
    assert found == {"manual": MONDAY + days(1), "nightly": MONDAY + days(1)}
    assert not EvaluationRun.objects.asked().exists()


@pytest.mark.usefixtures("looking")
def test_a_held_one_is_let_through_at_once_and_applied_after_the_look_under_way(inside: Workspace) -> None:
    playbook = live(playbook_json())
    run = EvaluationRun.objects.create(
        trigger="manual", local_date=MONDAY.date(), started_at=MONDAY, finished_at=MONDAY
    )
    held = Evaluation.objects.create(run=run, playbook=playbook, version=playbook.version, state=Evaluation.State.HELD)
    let_through = release(held, by=inside.jonah, now=MONDAY)
    asked = ask_for_look(inside.tenant, by=inside.jonah, now=MONDAY)
    pump(WorkDue.Queue.EVALUATE, clock=lambda: MONDAY)

    held.refresh_from_db()
    assert held.state == Evaluation.State.RELEASED
    assert list(EvaluationRun.objects.asked().order_by("pk")) == [let_through, asked]
    assert WorkDue.objects.get(queue=WorkDue.Queue.EVALUATE, tenant=inside.tenant).due_at <= MONDAY


def test_an_evaluation_has_time_and_is_nobody_elses_meanwhile() -> None:
    """Kept unacknowledged, it would be given to a second worker after the visibility timeout."""
    app.finalize()
    task = evaluate_due_workspaces
    assert (task.soft_time_limit, task.time_limit) == (1200, 1260)
    assert (task.acks_late, task.reject_on_worker_lost) == (False, False)
    assert apply_due_runs.acks_late
    assert 2 * app.conf.task_time_limit < app.conf.broker_transport_options["visibility_timeout"]
