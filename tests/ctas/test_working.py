"""What people do with a CTA and its tasks together."""

import json
from typing import Any

import pytest

from accounts.models import TimelineEntry
from cs_platform.workspace.holidays import add_holiday
from ctas.lists import Kind, add_entry, edit_entry
from ctas.models import Cta, Task
from ctas.opening import open_cta
from ctas.recurring import open_due, pause, repeat, resume, stop_repeating
from ctas.working import (
    Completed,
    FieldsMissing,
    close_cta,
    complete_task,
    hand_over_tasks,
    link_user,
    linked_users,
    move_task,
    order_tasks,
    set_status,
    shift_tasks,
    unlink_user,
)
from success_plans.planning import OpenObjectives, activate, add_objective, close_plan, create_plan
from tests import world
from tests.visitor import Visitor, text
from tests.world import MONDAY, Workspace, days, live, on, task_list_json

TODAY = MONDAY.date()


@pytest.fixture
def who(space: Workspace) -> dict[str, Any]:
    return {"by": space.priya, "now": MONDAY}


@pytest.fixture
def cta(space: Workspace, who: dict[str, Any]) -> Cta:
    facts = {"account": world.account(), "type": "risk", "owner": space.priya, "due_on": on(6)}
    return open_cta(name="Call them", **facts, **who)


def titles(cta: Cta) -> list[str]:
    return list(cta.tasks.present().order_by("position", "pk").values_list("title", flat=True))


# --- status -----------------------------------------------------------------------------------------------------------


def test_any_status_can_follow_any_other(cta: Cta, who: dict[str, Any]) -> None:
    seen = []
    for stage in ("in_progress", "won", "lost", "in_progress", "new"):
        assert set_status(cta, stage=stage, today=TODAY, **who)
        cta = Cta.objects.get()
        seen.append((cta.stage, cta.status, cta.closed_at is not None))

    assert seen == [
        ("in_progress", "open", False),
        ("won", "won", True),
        ("lost", "lost", True),
        ("in_progress", "open", False),
        ("new", "open", False),
    ]
    assert not set_status(cta, stage="new", today=TODAY, **who)


def test_a_type_asks_for_what_must_be_filled_in_before_closing(
    space: Workspace, cta: Cta, csm: Visitor, who: dict[str, Any]
) -> None:
    edit_entry(Kind.TYPE, "risk", to_close=["reason", "comment"], by=space.jonah, now=MONDAY)
    with pytest.raises(FieldsMissing, match="fill in its reason and description"):
        close_cta(cta, stage="won", today=TODAY, **who)
    refused = csm.submit(f"ctas/{cta.pk}/close/", stage="won", reason="Renewal")
    csm.submit(f"ctas/{cta.pk}/close/", stage="won", reason="Renewal", comment="They stay")

    assert (refused.status_code, "This field is required" in text(refused)) == (422, True)
    cta.refresh_from_db()
    assert (cta.status, cta.stage, cta.reason, cta.comment) == ("won", "won", "Renewal", "They stay")


def test_a_closing_status_of_ones_own_closes(space: Workspace, cta: Cta, csm: Visitor) -> None:
    add_entry(Kind.STATUS, name="Saved", category="won", by=space.jonah, now=MONDAY)
    asked = csm.send(f"ctas/{cta.pk}/status/", stage="saved")
    csm.send(f"ctas/{cta.pk}/close/", target="dialog", stage="saved")

    assert f"/ctas/{cta.pk}/close/?stage=saved" in asked["HX-Trigger"]
    cta.refresh_from_db()
    assert (cta.status, cta.stage) == ("won", "saved")
    assert "Saved" in text(csm.page("ctas/?tab=closed"))


# --- tasks come along -------------------------------------------------------------------------------------------------


def test_moving_a_due_date_offers_to_move_open_tasks(
    space: Workspace, cta: Cta, csm: Visitor, who: dict[str, Any]
) -> None:
    dated = cta.add_task(title="Dial", due_on=on(4), **who)
    cta.add_task(title="Some day", **who)
    done = cta.add_task(title="Read", due_on=on(3), **who)
    done.complete(**who)
    asked = csm.send(f"ctas/{cta.pk}/edit/", due_on=on(9).isoformat())
    offered = csm.fragment(f"ctas/{cta.pk}/follow/?days=3", "dialog")
    csm.send(f"ctas/{cta.pk}/follow/", target="dialog", days="3")

    assert f"/ctas/{cta.pk}/follow/?days=3" in asked["HX-Trigger"]
    assert "Move 1 open task, too?" in text(offered)
    assert list(Task.objects.order_by("pk").values_list("due_on", flat=True)) == [on(7), None, on(3)]
    dated.refresh_from_db()
    assert dated.touched_by == space.priya


def test_a_new_owner_can_take_over_all_open_tasks_or_only_the_old_owners(
    space: Workspace, cta: Cta, who: dict[str, Any]
) -> None:
    for title, owner in (("A", space.priya), ("B", space.maya), ("C", None)):
        cta.add_task(title=title, owner=owner, **who)

    assert hand_over_tasks(cta, to=space.tom, only_of=space.priya, **who) == 1
    assert hand_over_tasks(cta, to=space.tom, **who) == 2
    assert hand_over_tasks(cta, to=space.tom, **who) == 0
    assert set(Task.objects.values_list("owner", flat=True)) == {space.tom.pk}
    assert shift_tasks(cta, days=2, **who) == 0


def test_tasks_have_an_order_of_their_own(cta: Cta, who: dict[str, Any]) -> None:
    a, b, c = (cta.add_task(title=title, **who) for title in "ABC")
    order_tasks(cta, [c.pk, 999_999, a.pk], **who)
    assert titles(cta) == ["C", "A", "B"]

    assert move_task(b, up=True, **who)
    assert not move_task(c, up=True, **who)
    assert titles(cta) == ["C", "B", "A"]
    assert Task.objects.filter(touched_at__isnull=False).count() == 0


def test_a_task_is_edited_where_it_stands_and_removed_with_an_undo(
    space: Workspace, cta: Cta, csm: Visitor, who: dict[str, Any]
) -> None:
    task = cta.add_task(title="Dial", **who)
    place = f"task-{task.pk}-form"
    form = csm.fragment(f"ctas/tasks/{task.pk}/edit/", place)
    csm.send(f"ctas/tasks/{task.pk}/edit/", target=place, title="Ring", description="Twice", owner=space.tom.pk)
    removed = csm.send(f"ctas/tasks/{task.pk}/archive/")

    assert 'value="Dial"' in text(form)
    task.refresh_from_db()
    assert (task.title, task.description, task.owner) == ("Ring", "Twice", space.tom)
    assert f"/ctas/tasks/{task.pk}/restore/" in removed["HX-Trigger"]
    csm.send(f"ctas/tasks/{task.pk}/restore/")
    assert titles(cta) == ["Ring"]


# --- users ------------------------------------------------------------------------------------------------------------


def test_a_cta_is_about_several_users_of_its_account(
    space: Workspace, cta: Cta, csm: Visitor, who: dict[str, Any]
) -> None:
    ben, cy = (world.user(name, cta.account) for name in ("Ben", "Cy"))
    Cta.objects.update(end_user=ben)
    cta.refresh_from_db()
    csm.send(f"ctas/{cta.pk}/users/", user=cy.email)
    stranger = csm.send(f"ctas/{cta.pk}/users/", user=world.user("Eve", world.account("Else")).email)

    assert linked_users(cta) == [ben, cy]
    assert "No user of this account" in stranger["HX-Trigger"]
    assert not link_user(cta, cy, **who)
    assert unlink_user(cta, cy, **who)
    assert unlink_user(cta, ben, **who)
    assert linked_users(Cta.objects.get()) == []


# --- again and again --------------------------------------------------------------------------------------------------


def test_the_next_one_comes_when_the_last_is_closed_with_its_tasks_and_users(
    space: Workspace, cta: Cta, who: dict[str, Any]
) -> None:
    cta.add_task(title="Dial", due_on=on(4), **who)
    link_user(cta, world.user("Ben", cta.account), **who)
    assert repeat(cta, every=2, unit="week", begins="closed", today=TODAY, **who)
    assert not repeat(cta, every=1, unit="day", begins="closed", today=TODAY, **who)

    close_cta(cta, stage="won", today=on(10), **who)

    again = Cta.objects.get(recurrence_number=2)
    assert (again.status, again.due_on, again.owner, again.type) == ("open", on(20), space.priya, "risk")
    assert [(task.title, task.due_on) for task in again.tasks.all()] == [("Dial", on(18))]
    assert [user.name for user in linked_users(again)] == ["Ben"]


def test_it_comes_once_whoever_makes_it(cta: Cta, who: dict[str, Any]) -> None:
    repeat(cta, every=1, unit="month", begins="closed", today=TODAY, **who)
    close_cta(cta, stage="won", today=TODAY, **who)
    cta.reopen(**who)
    close_cta(cta, stage="lost", today=TODAY, **who)
    assert open_due(today=TODAY, now=MONDAY) == 0

    assert list(Cta.objects.order_by("pk").values_list("recurrence_number", "due_on")) == [(1, on(6)), (2, on(7, 12))]


def test_the_night_makes_what_was_closed_by_something_else(cta: Cta, who: dict[str, Any]) -> None:
    repeat(cta, every=1, unit="week", begins="closed", today=TODAY, **who)
    Cta.objects.update(status="cancelled", closed_at=MONDAY)

    assert (open_due(today=TODAY, now=MONDAY), open_due(today=TODAY, now=MONDAY)) == (1, 0)
    assert Cta.objects.get(recurrence_number=2).due_on == on(13)


def test_on_its_day_it_comes_whatever_became_of_the_last(cta: Cta, who: dict[str, Any]) -> None:
    repeat(cta, every=3, unit="day", begins="day", today=TODAY, **who)
    made = [open_due(today=TODAY + days(day), now=MONDAY + days(day)) for day in range(9)]

    assert made == [0, 0, 0, 0, 0, 0, 0, 1, 0]
    assert open_due(today=on(30), now=MONDAY) == 1  # nights that were missed are not made up for
    assert list(Cta.objects.order_by("pk").values_list("due_on", flat=True)) == [on(6), on(9), on(30)]


def _due_dates() -> list[tuple[Any, Any]]:
    ctas = Cta.objects.order_by("recurrence_number")
    return [(cta.due_on, [task.due_on for task in cta.tasks.order_by("position")]) for cta in ctas]


def test_what_would_be_due_on_a_weekend_or_holiday_is_due_after_it_and_the_rhythm_goes_on(
    space: Workspace, cta: Cta, who: dict[str, Any]
) -> None:
    cta.add_task(title="Dial", due_on=on(4), **who)
    cta.add_task(title="Write", **who)
    add_holiday(on=on(7, 12), name="Away day", by=space.jonah, now=MONDAY)
    repeat(cta, every=1, unit="month", begins="closed", today=TODAY, **who)
    for day in (on(6), on(8, 12), on(6, 1, 2027), on(8, 2, 2027)):
        close_cta(Cta.objects.get(status="open"), stage="won", today=day, **who)

    assert _due_dates() == [
        (on(6), [on(4), None]),
        (on(8, 12), [on(4, 12), None]),  # Sunday 6, and a holiday
        (on(6, 1, 2027), [on(4, 1, 2027), None]),
        (on(8, 2, 2027), [on(4, 2, 2027), None]),  # Saturday 6
        (on(8, 3, 2027), [on(4, 3, 2027), None]),
    ]


def test_its_tasks_keep_their_distance_though_they_moved_off_weekends(cta: Cta, who: dict[str, Any]) -> None:
    cta.add_task(title="Dial", due_on=on(4), **who)
    repeat(cta, every=1, unit="week", begins="closed", today=TODAY, **who)
    close_cta(cta, stage="won", today=TODAY, **who)
    again = Cta.objects.get(recurrence_number=2)
    task = again.tasks.get()
    assert (again.due_on, task.due_on) == (on(13), on(11))
    task.edit(due_on=on(8), **who)  # a Sunday, by hand
    close_cta(again, stage="won", today=TODAY, **who)
    close_cta(Cta.objects.get(recurrence_number=3), stage="won", today=TODAY, **who)

    assert [tasks for _day, tasks in _due_dates()] == [[on(4)], [on(8)], [on(16)], [on(23)]]


def test_a_due_date_somebody_changed_is_what_the_next_one_counts_from(cta: Cta, who: dict[str, Any]) -> None:
    repeat(cta, every=1, unit="month", begins="closed", today=TODAY, **who)
    close_cta(cta, stage="won", today=TODAY, **who)
    again = Cta.objects.get(recurrence_number=2)
    again.edit(due_on=on(9, 12), **who)
    close_cta(again, stage="won", today=TODAY, **who)

    assert Cta.objects.get(recurrence_number=3).due_on == on(11, 1, 2027)  # the ninth is a Saturday


def test_on_a_day_nobody_works_it_comes_and_is_due_after_it(cta: Cta, who: dict[str, Any]) -> None:
    repeat(cta, every=1, unit="day", begins="day", today=TODAY, **who)
    assert open_due(today=on(7), now=MONDAY) == 1

    assert Cta.objects.get(recurrence_number=2).due_on == on(9)


def test_a_pause_leaves_out_what_would_have_come(cta: Cta, who: dict[str, Any]) -> None:
    repeat(cta, every=1, unit="day", begins="day", today=TODAY, **who)
    assert pause(cta, **who)
    assert open_due(today=on(12), now=MONDAY) == 0
    cta.refresh_from_db()
    assert resume(cta, today=on(12), **who)
    cta.recurrence.refresh_from_db()  # type: ignore[union-attr]
    assert cta.recurrence.next_on == on(12)  # type: ignore[union-attr]

    assert stop_repeating(cta, **who)
    assert open_due(today=on(20), now=MONDAY) == 0
    assert TimelineEntry.objects.filter(text__contains="no longer comes again").exists()


# --- twins ------------------------------------------------------------------------------------------------------------


def test_the_form_says_what_is_open_already(cta: Cta, csm: Visitor) -> None:
    same = f"ctas/new/twins/?account={cta.account.name}&type=risk"

    assert "Call them" in text(csm.page(same))
    assert "Call them" not in text(csm.page(same.replace("risk", "activity")))


def test_a_new_cta_is_offered_what_suits_its_account_and_type(space: Workspace, csm: Visitor) -> None:
    live(task_list_json(types=["lifecycle"]))
    create_plan(account=world.account("Harbourline"), name="Grow with them", by=space.priya, now=MONDAY)
    address = "ctas/new/twins/?account=Harbourline&playbook=kickoff&type="
    for_risk, for_lifecycle = (text(csm.fragment(address + type, "twins")) for type in ("risk", "lifecycle"))

    assert '<option value="Grow with them">' in for_risk
    assert ("Kickoff" in for_risk, '<option value="kickoff" selected>' in for_lifecycle) == (False, True)
    assert "Grow with them" not in text(csm.fragment("ctas/new/twins/?account=Calyx&type=risk", "twins"))


# --- the last task ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("last_task", "needs", "outcome"),
    [
        ("", [], (False, True, "open")),
        ("leave", [], (False, False, "open")),
        ("close:won", [], (True, False, "won")),
        ("close:won", ["reason"], (False, True, "open")),
    ],
)
def test_once_its_last_task_is_done_a_cta_asks_stays_or_closes_as_its_type_says(
    cta: Cta, who: dict[str, Any], last_task: str, needs: list[str], outcome: tuple[bool, bool, str]
) -> None:
    edit_entry(Kind.TYPE, "risk", last_task=last_task, to_close=needs, **who)
    first, last = (cta.add_task(title=title, **who) for title in ("Dial", "Talk"))

    assert complete_task(first, today=TODAY, **who) == Completed(True)
    done = complete_task(last, today=TODAY, **who)
    assert (done.closed, done.asks, Cta.objects.get().status) == outcome
    assert not complete_task(last, today=TODAY, **who).acted


def test_ticking_the_last_task_asks_whether_the_cta_is_done(cta: Cta, who: dict[str, Any], csm: Visitor) -> None:
    task = cta.add_task(title="Dial", **who)
    told = json.loads(csm.send(f"ctas/tasks/{task.pk}/complete/")["HX-Trigger"])

    assert told["dialog:ask"] == {"address": f"/w/orbiton/ctas/{cta.pk}/close/"}
    edit_entry(Kind.TYPE, "risk", last_task="close:won", **who)
    csm.send(f"ctas/tasks/{task.pk}/reopen/")
    told = json.loads(csm.send(f"ctas/tasks/{task.pk}/complete/")["HX-Trigger"])
    assert told["toast"] == {"text": "Task done, and with it Call them", "undo": f"/w/orbiton/ctas/{cta.pk}/reopen/"}


# Closed by what waits for nobody


def test_the_end_of_a_plan_closes_without_what_is_missing_and_the_drawer_says_so(
    space: Workspace, csm: Visitor
) -> None:
    edit_entry(Kind.TYPE, "objective", to_close=["reason", "comment"], by=space.jonah, now=MONDAY)
    plan = create_plan(account=world.account(), name="Grow", by=space.priya, now=MONDAY)
    goal = add_objective(plan, name="Go live", comment="Done", by=space.priya, now=MONDAY).cta
    activate(plan, by=space.priya, now=MONDAY)
    close_plan(plan, objectives=OpenObjectives.CLOSE, by=space.priya, now=MONDAY)

    goal.refresh_from_db()
    assert goal.status == "won"
    assert "Closed without its reason</span>" in text(csm.fragment(f"ctas/{goal.pk}/", "drawer"))
