"""Tasks a playbook gives: into the CTA it works in, or one of their own; and what a stop leaves of them."""

from datetime import timedelta
from typing import Any

import pytest

from accounts.models import Account
from actions.base import Held
from cs_platform.tenancy.models import Membership
from ctas.models import Cta, Task
from playbooks.models import Enrollment
from playbooks.undo import request_stop
from tests import world
from tests.actions.world import LATER, kept, play, undone
from tests.world import MONDAY, Workspace, on

CALL = {"title": "Call {{ account.name }}", "owner": "csm", "due_in_days": 3, "cta_name": "Renewal"}


def test_it_opens_a_cta_for_it_where_the_application_has_none(orbiton: Workspace, harbour: Account) -> None:
    played = play("create_task", CALL, harbour)

    task = Task.objects.get()
    assert (task.title, task.owner, task.due_on) == ("Call Harbourline Logistics", orbiton.priya, on(5))
    assert (task.cta.name, task.cta.type, task.cta.owner) == ("Renewal", "lifecycle", orbiton.priya)
    assert played.told == ["Task created: Call Harbourline Logistics"]


def test_untouched_it_is_archived_with_the_cta_opened_for_it(harbour: Account) -> None:
    played = play("create_task", CALL, harbour)

    assert undone(played.undo()) == ["“Renewal” and its 1 task are archived"]
    assert not Cta.objects.present().exists()
    assert not Task.objects.present().exists()


@pytest.mark.parametrize(
    ("work", "status"),
    [
        (lambda task, by: task.edit(title="Mine", by=by, now=LATER), "cancelled"),
        (lambda task, by: task.edit(owner=None, by=by, now=LATER), "cancelled"),
        (lambda task, by: task.edit(due_on=on(20), by=by, now=LATER), "cancelled"),
        (lambda task, by: task.complete(by=by, now=LATER), "done"),
    ],
)
def test_worked_on_its_content_stays(orbiton: Workspace, harbour: Account, work: Any, status: str) -> None:
    played = play("create_task", CALL, harbour)
    task = Task.objects.get()
    assert work(task, orbiton.tom)

    played.undo()

    task.refresh_from_db()
    assert (task.status, task.archived_at, task.cta.archived_at) == (status, None, None)


def test_nobody_to_do_it_holds_the_run(orbiton: Workspace, harbour: Account) -> None:
    Membership.objects.update(deactivated_at=MONDAY)

    (result,) = play("create_task", CALL, harbour).results

    assert isinstance(result, Held)
    assert result.code == "no_assignee"


# In a playbook


def plan(*steps: dict[str, Any]) -> Any:
    return world.live(world.playbook_json("plan", steps=list(steps)))


def step(action: str, day: int, **config: Any) -> dict[str, Any]:
    return {"key": f"{action}-{day}", "day": day, "action": action, "config": config}


def started(harbour: Account, *steps: dict[str, Any], until: int = 3) -> Enrollment:
    return world.apply_now(plan(*steps), harbour, now=MONDAY, until=MONDAY + timedelta(days=until))


OPEN = step("create_cta", 1, name="Renewal", owner="csm", tasks=[])
TASK = step("create_task", 2, title="Call", owner="ae")


def test_it_goes_into_the_cta_an_earlier_step_opened(harbour: Account) -> None:
    enrollment = started(harbour, OPEN, TASK)

    assert [(task.title, task.cta.name) for task in Task.objects.all()] == [("Call", "Renewal")]
    request_stop(enrollment, by=enrollment.version.published_by or _somebody(), now=LATER)
    assert not Cta.objects.present().exists()


def _somebody() -> Membership:
    return Membership.objects.order_by("pk")[0]


def test_it_goes_into_the_cta_an_earlier_step_joined_and_leaves_that_open(orbiton: Workspace, harbour: Account) -> None:
    theirs = Cta.objects.create(
        account=harbour, name="Theirs", type="lifecycle", owner=orbiton.priya, created_at=MONDAY, created_by="person:1"
    )
    enrollment = started(harbour, OPEN, TASK)

    assert [task.cta for task in Task.objects.all()] == [theirs]
    request_stop(enrollment, by=orbiton.priya, now=LATER)
    assert list(Cta.objects.open()) == [theirs]
    assert not Task.objects.present().exists()


def test_a_cta_closed_meanwhile_is_left_alone(orbiton: Workspace, harbour: Account) -> None:
    enrollment = started(harbour, OPEN, TASK, until=0)
    Cta.objects.get().close(status="won", by=orbiton.priya, now=MONDAY)
    world.tick(now=MONDAY + timedelta(days=3))

    assert [(cta.name, cta.status) for cta in Cta.objects.order_by("pk")] == [("Renewal", "won"), ("Call", "open")]
    request_stop(enrollment, by=orbiton.priya, now=LATER)
    assert [(cta.name, cta.status) for cta in Cta.objects.present()] == [("Renewal", "won")]


def test_a_completed_task_is_kept_and_told_by_whom(orbiton: Workspace, harbour: Account) -> None:
    played = play("create_task", CALL, harbour)
    Task.objects.get().complete(by=orbiton.tom, now=LATER)

    assert kept(played.undo()) == [
        ("completed", "“Renewal” is closed as cancelled, 1 task completed by Tom Lindqvist stays"),
    ]
