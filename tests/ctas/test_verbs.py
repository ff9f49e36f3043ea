"""What people do to CTAs and tasks: verbs in pairs, harmless twice, each remembered as work."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest

from accounts.models import TimelineEntry
from cs_platform.tenancy.context import tenant_context
from cs_platform.tenancy.models import ApiKey
from ctas.models import Cta, Task
from tests import world
from tests.world import MONDAY, Workspace

NOW = MONDAY


@pytest.fixture
def orbiton(db: None) -> Iterator[Workspace]:
    space = world.workspace("orbiton")
    with tenant_context(space.tenant.pk):
        yield space


@pytest.fixture
def cta(orbiton: Workspace) -> Cta:
    return Cta.objects.create(
        account=world.account(), name="Call them", type="risk", created_at=NOW, created_by="playbook:1"
    )


@pytest.fixture
def task(cta: Cta) -> Task:
    return Task.objects.create(cta=cta, title="Dial", created_at=NOW, created_by="playbook:1")


def entries() -> list[str]:
    return list(TimelineEntry.objects.order_by("id").values_list("text", flat=True))


Verb = Callable[[Any, Workspace], bool]

CTA_VERBS: dict[str, Verb] = {
    "edit": lambda cta, space: cta.edit(name="Visit them", by=space.priya, now=NOW),
    "close": lambda cta, space: cta.close(status="won", by=space.priya, now=NOW),
    "archive": lambda cta, space: cta.archive(by=space.priya, now=NOW),
}
TASK_VERBS: dict[str, Verb] = {
    "edit": lambda task, space: task.edit(title="Ring", by=space.priya, now=NOW),
    "complete": lambda task, space: task.complete(by=space.priya, now=NOW),
    "cancel": lambda task, space: task.cancel(by=space.priya, now=NOW),
    "archive": lambda task, space: task.archive(by=space.priya, now=NOW),
}


@pytest.mark.parametrize("verb", CTA_VERBS)
def test_a_verb_on_a_cta_touches_it_once_and_is_told_once(orbiton: Workspace, cta: Cta, verb: str) -> None:
    assert CTA_VERBS[verb](cta, orbiton) is True
    assert CTA_VERBS[verb](Cta.objects.get(), orbiton) is False

    cta = Cta.objects.get()
    assert (cta.touched_at, cta.touched_by) == (NOW, orbiton.priya)
    assert len(entries()) == 1


@pytest.mark.parametrize("verb", TASK_VERBS)
def test_a_verb_on_a_task_touches_it_once_and_is_told_once(orbiton: Workspace, task: Task, verb: str) -> None:
    assert TASK_VERBS[verb](task, orbiton) is True
    assert TASK_VERBS[verb](Task.objects.get(), orbiton) is False

    task = Task.objects.get()
    assert (task.touched_at, task.touched_by) == (NOW, orbiton.priya)
    assert len(entries()) == 1


def test_closing_and_reopening_a_cta(orbiton: Workspace, cta: Cta) -> None:
    cta.close(status="lost", by=orbiton.priya, now=NOW)
    assert (Cta.objects.get().status, Cta.objects.get().closed_by) == ("lost", orbiton.priya.actor)

    assert cta.reopen(by=orbiton.priya, now=NOW)
    assert cta.reopen(by=orbiton.priya, now=NOW) is False

    cta = Cta.objects.get()
    assert (cta.status, cta.closed_at, cta.closed_by) == ("open", None, "")
    assert entries() == ["CTA closed lost: Call them", "CTA reopened: Call them"]


def test_snoozing_and_waking(orbiton: Workspace, cta: Cta) -> None:
    thursday = NOW.date() + timedelta(days=3)
    assert cta.snooze(until=thursday, reason="They are away", by=orbiton.priya, now=NOW)
    assert list(Cta.objects.awake(thursday - timedelta(days=1))) == []
    assert list(Cta.objects.awake(thursday)) == list(Cta.objects.open()) == [cta]

    assert cta.wake(by=orbiton.priya, now=NOW)
    assert cta.wake(by=orbiton.priya, now=NOW) is False
    assert (Cta.objects.get().snoozed_until, Cta.objects.get().snooze_reason) == (None, "")
    assert entries() == [
        "CTA snoozed until 5 Nov 2026 (They are away): Call them",
        "CTA no longer snoozed: Call them",
    ]


def test_closing_ends_a_snooze(orbiton: Workspace, cta: Cta) -> None:
    cta.snooze(until=NOW.date() + timedelta(days=3), by=orbiton.priya, now=NOW)
    cta.close(status="won", by=orbiton.priya, now=NOW)
    cta.reopen(by=orbiton.priya, now=NOW)

    assert Cta.objects.get().snoozed_until is None


def test_a_cta_is_closed_with_the_tasks_that_are_open(orbiton: Workspace, cta: Cta, task: Task) -> None:
    done = cta.add_task(title="Write", by=orbiton.priya, now=NOW)
    done.complete(by=orbiton.priya, now=NOW)

    assert cta.close_with_tasks(status="lost", by=orbiton.priya, now=NOW)
    assert cta.close_with_tasks(status="lost", by=orbiton.priya, now=NOW) is False

    assert list(Task.objects.order_by("title").values_list("title", "status")) == [
        ("Dial", "cancelled"),
        ("Write", "done"),
    ]


def test_completing_and_reopening_a_task(orbiton: Workspace, task: Task) -> None:
    task.complete(by=orbiton.priya, now=NOW)
    assert (Task.objects.get().completed_at, Task.objects.get().completed_by) == (NOW, orbiton.priya)

    task.reopen(by=orbiton.priya, now=NOW)

    task = Task.objects.get()
    assert (task.status, task.completed_at, task.completed_by) == ("open", None, None)


def test_archiving_and_restoring(orbiton: Workspace, cta: Cta, task: Task) -> None:
    for thing in (cta, task):
        thing.archive(by=orbiton.priya, now=NOW)
        assert not type(thing).objects.present().exists()
        assert thing.restore(by=orbiton.priya, now=NOW)
        assert type(thing).objects.present().exists()


def test_a_stale_copy_loses_against_what_happened_meanwhile(orbiton: Workspace, cta: Cta) -> None:
    stale = Cta.objects.get()
    cta.close(status="won", by=orbiton.priya, now=NOW)

    assert stale.close(status="lost", by=orbiton.tom, now=NOW) is False

    assert Cta.objects.get().status == "won"


def test_what_is_archived_cannot_be_worked_on(orbiton: Workspace, cta: Cta, task: Task) -> None:
    Cta.objects.update(archived_at=NOW)
    Task.objects.update(archived_at=NOW)

    assert not cta.edit(name="x", by=orbiton.priya, now=NOW)
    assert not task.complete(by=orbiton.priya, now=NOW)


def test_editing_to_the_same_is_no_work(orbiton: Workspace, cta: Cta) -> None:
    assert cta.edit(name="Call them", by=orbiton.priya, now=NOW) is False
    assert Cta.objects.get().touched_at is None


def test_only_what_people_may_edit_can_be_edited(orbiton: Workspace, cta: Cta, task: Task) -> None:
    with pytest.raises(TypeError, match="origin_run_id"):
        cta.edit(origin_run_id=None, by=orbiton.priya, now=NOW)
    with pytest.raises(TypeError, match="status"):
        task.edit(status="done", by=orbiton.priya, now=NOW)
    with pytest.raises(ValueError, match="won, lost or cancelled"):
        cta.close(status="open", by=orbiton.priya, now=NOW)


def test_a_task_by_hand_goes_last_and_belongs_to_its_maker(orbiton: Workspace, cta: Cta, task: Task) -> None:
    added = cta.add_task(title="Write", owner=orbiton.maya, by=orbiton.priya, now=NOW)

    assert (added.position, added.created_by, added.owner) == (1, orbiton.priya.actor, orbiton.maya)
    assert added.origin_run_id is None
    assert entries() == ["Task added: Write"]


def test_an_api_key_works_without_a_name(orbiton: Workspace, task: Task) -> None:
    key, _token = ApiKey.issue(name="Sync", scopes=["write"], created_by=None, now=NOW)

    assert task.complete(by=key, now=NOW)

    task = Task.objects.get()
    assert (task.touched_at, task.touched_by, task.completed_by) == (NOW, None, None)
    assert TimelineEntry.objects.get().actor == key.actor
