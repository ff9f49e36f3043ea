"""Many CTAs, or tasks, at once, by a job: what is done, what is refused row by row, and one undo."""

import json
from typing import Any

import pytest

from cs_platform.jobs import bulk as ground
from cs_platform.jobs import starting
from cs_platform.jobs.models import Job, JobError
from cs_platform.jobs.pump import run_jobs
from ctas.bulk.kind import bulk_verbs, start_bulk_edit, task_verbs
from ctas.bulk.selection import Selection, TaskSelection
from ctas.lists import Kind, edit_entry
from ctas.models import Cta, Task
from ctas.opening import open_cta
from tests import world
from tests.visitor import Visitor, text
from tests.world import MONDAY, Workspace, days, on

LATER = MONDAY + days(1)


@pytest.fixture
def ctas(space: Workspace) -> list[Cta]:
    at = world.account()
    facts: dict[str, Any] = {"account": at, "owner": space.priya, "type": "risk", "by": space.priya, "now": MONDAY}
    made = [open_cta(name=f"Call {n}", due_on=on(n + 3), **facts) for n in range(3)]
    for cta in made:
        cta.add_task(title="Dial", owner=space.priya, due_on=cta.due_on, by=space.priya, now=MONDAY)
    return made


def edit(space: Workspace, verb: str, config: dict[str, Any], *, query: str | None = None, of: Any = ()) -> Job:
    selection = Selection(tuple(cta.pk for cta in of), query)
    form = bulk_verbs()[verb].form(config)
    assert form.is_valid(), form.errors
    return run(start_bulk_edit(selection, bulk_verbs()[verb], form.config(), by=space.priya, now=MONDAY))


def undo(job: Job, space: Workspace) -> Job:
    return run(starting.undo(job, by=space.priya, now=MONDAY))


def run(job: Job) -> Job:
    run_jobs(clock=lambda: MONDAY)
    job.refresh_from_db()
    return job


def column(name: str, model: Any = Cta) -> list[Any]:
    return list(model.objects.order_by("pk").values_list(name, flat=True))


VERBS: dict[str, tuple[dict[str, Any], str, list[Any]]] = {
    "assign": ({"owner": "tom", "tasks": "on"}, "owner__name", ["Tom Lindqvist"] * 3),
    "set_due": ({"due_on": "2026-12-24"}, "due_on", [on(24, 12)] * 3),
    "shift_due": ({"days": "7", "tasks": "on"}, "due_on", [on(10), on(11), on(12)]),
    "set_status": ({"stage": "won", "tasks": "on"}, "status", ["won"] * 3),
    "set_priority": ({"priority": "high"}, "priority", ["high"] * 3),
    "snooze": ({"until": "2036-01-01", "reason": "Away"}, "snoozed_until", [on(1, 1, 2036)] * 3),
    "archive": ({}, "archived_at", [MONDAY] * 3),
}


def test_every_verb_has_its_story() -> None:
    assert set(VERBS) <= set(bulk_verbs())


@pytest.mark.parametrize("verb", VERBS)
def test_a_verb_changes_all_of_them_and_is_taken_back_as_a_whole(space: Workspace, ctas: list[Cta], verb: str) -> None:
    config, name, after = VERBS[verb]
    config = config | {"owner": str(space.tom.pk)} if "owner" in config else config
    kept = ("due_on", "status", "owner", "snoozed_until", "archived_at", "closed_at", "closed_by", "stage", "priority")
    before = {name: column(name) for name in kept}
    tasks = {name: column(name, Task) for name in ("status", "owner", "due_on", "reason")}
    job = edit(space, verb, config, of=ctas)

    assert (job.state, job.done, job.failed, column(name)) == ("done", 3, 0, after)
    assert {name: column(name, Task) for name in tasks} != tasks or "tasks" not in config
    assert column("touched_by") == [space.priya.pk] * 3
    assert edit(space, verb, config, of=ctas).result.get("changed", 0) == 0 or verb == "shift_due"
    if verb != "shift_due":
        undo(job, space)
        assert {name: column(name) for name in kept} == before
        assert {name: column(name, Task) for name in tasks} == tasks


def test_what_somebody_changed_since_stays_as_they_set_it(space: Workspace, ctas: list[Cta]) -> None:
    job = edit(space, "shift_due", {"days": "7", "tasks": "on"}, of=ctas)
    first, second, _third = Cta.objects.order_by("pk")
    first.edit(due_on=on(28), by=space.tom, now=MONDAY)
    second.tasks.get().edit(due_on=on(27), by=space.tom, now=MONDAY)
    undone = undo(job, space)

    assert (undone.done, undone.failed) == (2, 1)
    assert "changed it since" in JobError.objects.get(job=undone).message
    assert column("due_on") == [on(28), on(4), on(5)]
    assert column("due_on", Task) == [on(10), on(27), on(5)]


def test_what_cannot_be_done_is_listed_row_by_row(space: Workspace, ctas: list[Cta]) -> None:
    edit_entry(Kind.TYPE, "risk", to_close=["reason"], by=space.jonah, now=MONDAY)
    ctas[0].edit(reason="Renewal", by=space.priya, now=MONDAY)
    ctas[2].archive(by=space.priya, now=MONDAY)
    job = edit(space, "set_status", {"stage": "lost"}, of=ctas)

    assert (job.done, job.failed) == (1, 1)  # what is archived is no longer meant
    assert "fill in its reason" in JobError.objects.get(job=job).message
    assert [cta.status for cta in Cta.objects.order_by("pk")] == ["lost", "open", "open"]
    assert column("status", Task) == ["open"] * 3
    again = edit(space, "set_priority", {"priority": "high"}, of=ctas)
    assert JobError.objects.get(job=again).message == "It is closed. Reopen it first."


def test_nothing_is_snoozed_until_a_day_that_is_over(space: Workspace, ctas: list[Cta]) -> None:
    job = edit(space, "snooze", {"until": MONDAY.date().isoformat()}, of=ctas)

    assert (job.done, job.failed, column("snoozed_until")) == (0, 3, [None] * 3)
    assert {error.message for error in JobError.objects.filter(job=job)} == {"Choose a day after today."}


def test_all_that_match_a_list_are_met_once_though_they_leave_it(
    space: Workspace, ctas: list[Cta], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ground, "AT_ONCE", 1)
    open_cta(account=ctas[0].account, name="Toms", type="risk", owner=space.tom, by=space.tom, now=MONDAY)
    job = edit(space, "snooze", {"until": "2036-01-01"}, query="tab=mine&type=risk&q=call")

    assert (job.done, Cta.objects.filter(snoozed_until=None).get().name) == (3, "Toms")


def test_closing_many_lets_the_recurring_ones_come_again(space: Workspace, ctas: list[Cta]) -> None:
    from ctas.recurring import repeat

    repeat(ctas[0], every=1, unit="week", begins="closed", today=MONDAY.date(), by=space.priya, now=MONDAY)
    edit(space, "set_status", {"stage": "won"}, of=ctas)

    assert Cta.objects.get(recurrence_number=2).due_on == on(10)


def test_reopening_many_opens_what_closing_cancelled_as_by_hand_and_is_taken_back(
    space: Workspace, ctas: list[Cta]
) -> None:
    for cta in ctas:
        cta.add_task(title="Write", by=space.priya, now=MONDAY)
    Task.objects.filter(cta=ctas[0], title="Write").get().cancel(reason="No need", by=space.priya, now=MONDAY)
    edit(space, "set_status", {"stage": "lost", "tasks": "on"}, of=ctas)
    closed = {name: column(name, Task) for name in ("status", "reason", "completed_at")}
    Cta.objects.get(pk=ctas[2].pk).reopen_with_tasks(by=space.priya, now=MONDAY)
    by_hand = column("status", Task)

    job = edit(space, "set_status", {"stage": "new"}, of=ctas[:2])

    assert (job.done, job.failed, column("status")) == (2, 0, ["open"] * 3)
    assert by_hand == ["cancelled", "cancelled", "open", "cancelled", "cancelled", "open"]
    assert column("status", Task) == ["open", "open", "open", "cancelled", "open", "open"]
    assert column("reason", Task) == ["", "", "", "No need", "", ""]
    undo(job, space)
    assert column("status") == ["lost", "lost", "open"]
    assert {name: column(name, Task)[:2] for name in closed} == {name: told[:2] for name, told in closed.items()}
    assert column("reason", Task)[3:5] == ["No need", "the CTA was closed"]


def test_another_status_for_open_ones_leaves_their_tasks_alone(space: Workspace, ctas: list[Cta]) -> None:
    ctas[0].close_with_tasks(status="won", by=space.priya, now=MONDAY)
    ctas[0].reopen(by=space.priya, now=MONDAY)
    edit(space, "set_status", {"stage": "in_progress", "tasks": "on"}, of=ctas)

    assert column("status", Task) == ["cancelled", "open", "open"]


def test_the_dialog_says_what_it_comes_to_and_starts_a_job(space: Workspace, ctas: list[Cta], csm: Visitor) -> None:
    chosen = {"all": "1", "tab": "mine", "type": "risk", "verb": "shift_due"}
    asked = csm.fragment("ctas/bulk/?" + "&".join(f"{key}={value}" for key, value in chosen.items()), "dialog")
    settings = {"verb": "shift_due", "bulk-days": "7", "bulk-tasks": "on", "all": "1", "query": "tab=mine&type=risk"}
    review = csm.send("ctas/bulk/", target="dialog", step="review", **settings)
    started = csm.send("ctas/bulk/", target="dialog", step="run", **settings)

    assert "Edit 3 CTAs" in text(asked)
    assert "Call 0 · " + ctas[0].account.name in text(asked), "one name stands on many accounts"
    assert "Move by 7 days later on 3 CTAs?" in text(review)
    assert "job:started" in json.loads(started["HX-Trigger"])
    assert Job.objects.get().params["selection"] == {"query": "tab=mine&type=risk"}
    assert "Choose at least one CTA." in text(csm.page("ctas/bulk/"))
    assert "Only CTAs are edited together" in text(csm.page("ctas/bulk/?all=1&tab=tasks"))


# --- tasks ------------------------------------------------------------------------------------------------------------


def edit_tasks(space: Workspace, verb: str, config: dict[str, Any], *, query: str | None = None, of: Any = ()) -> Job:
    selection = TaskSelection(tuple(task.pk for task in of), query)
    form = task_verbs()[verb].form(config)
    assert form.is_valid(), form.errors
    return run(start_bulk_edit(selection, task_verbs()[verb], form.config(), by=space.priya, now=MONDAY))


TASK_STORIES: dict[str, tuple[dict[str, Any], str, list[Any]]] = {
    "assign": ({"owner": "tom"}, "owner__name", ["Tom Lindqvist"] * 3),
    "set_due": ({"due_on": "2026-12-24"}, "due_on", [on(24, 12)] * 3),
    "shift_due": ({"days": "-1"}, "due_on", [on(2), on(3), on(4)]),
    "set_status": ({"status": "done"}, "status", ["done"] * 3),
    "archive": ({}, "archived_at", [MONDAY] * 3),
}


def test_every_verb_of_tasks_has_its_story() -> None:
    assert set(TASK_STORIES) == set(task_verbs())


@pytest.mark.parametrize("verb", TASK_STORIES)
def test_tasks_are_changed_together_and_taken_back_but_for_what_somebody_did_since(
    space: Workspace, ctas: list[Cta], verb: str
) -> None:
    config, name, after = TASK_STORIES[verb]
    config = config | {"owner": str(space.tom.pk)} if "owner" in config else config
    kept = ("owner", "due_on", "status", "completed_at", "completed_by", "archived_at")
    before = {one: column(one, Task) for one in kept}
    tasks = list(Task.objects.order_by("pk"))
    job = edit_tasks(space, verb, config, of=tasks)

    assert (job.state, job.done, job.failed, column(name, Task)) == ("done", 3, 0, after)
    assert column("touched_by", Task) == [space.priya.pk] * 3
    assert column("status") == ["open"] * 3
    Task.objects.filter(pk=tasks[0].pk).update(owner=space.maya, due_on=on(30), status="cancelled", archived_at=LATER)
    undone = undo(job, space)
    assert (undone.done, undone.failed) == (2, 1)
    assert {one: column(one, Task)[1:] for one in kept} == {one: values[1:] for one, values in before.items()}


def test_all_tasks_of_a_list_are_meant_and_what_is_over_is_refused(space: Workspace, ctas: list[Cta]) -> None:
    done = Task.objects.order_by("pk")[0]
    done.complete(by=space.priya, now=MONDAY)
    job = edit_tasks(space, "set_due", {"due_on": ""}, query="tab=tasks&type=risk")

    assert (job.done, column("due_on", Task)) == (2, [on(3), None, None])
    again = edit_tasks(space, "set_due", {"due_on": "2026-12-24"}, of=[done])
    assert JobError.objects.get(job=again).message == "It is done or cancelled. Open it again first."


def test_the_list_of_tasks_offers_to_edit_many(space: Workspace, ctas: list[Cta], csm: Visitor) -> None:
    shown = text(csm.page("ctas/?tab=tasks"))
    asked = csm.fragment("ctas/tasks/bulk/?all=1&tab=tasks&verb=set_status", "dialog")
    settings = {"verb": "set_status", "bulk-status": "done", "all": "1", "query": "tab=tasks"}

    assert 'action="/w/orbiton/ctas/tasks/bulk/"' in shown
    assert 'aria-label="Select Dial"' in shown
    assert "Edit 3 tasks" in text(asked)
    assert "Complete on 3 tasks?" in text(csm.send("ctas/tasks/bulk/", target="dialog", step="review", **settings))
    csm.send("ctas/tasks/bulk/", target="dialog", step="run", **settings)
    assert Job.objects.get().kind == "bulk_edit_tasks"
    assert "Only tasks are edited together" in text(csm.page("ctas/tasks/bulk/?all=1&tab=team"))
