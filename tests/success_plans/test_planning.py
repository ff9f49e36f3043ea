"""What people do with plans: each verb has its way back, is harmless twice, and leaves CTAs their own history."""

from datetime import date, timedelta
from typing import Any

import pytest

from accounts.models import Account, TimelineEntry
from cs_platform.workspace.holidays import add_holiday
from ctas.models import Cta, Task
from success_plans import planning, scheduling
from success_plans.models import Objective, SuccessPlan
from success_plans.planning import CannotPlan, OpenObjectives
from success_plans.progress import load_progress, standing
from success_plans.templates import start_by_hand
from tests import world
from tests.success_plans.world import (
    NOW,
    TODAY,
    day,
    named,
    objective,
    plan_type,
    roll_out,
    stand_alone,
    states,
    template,
)
from tests.world import Workspace


def by(space: Workspace) -> dict[str, Any]:
    return {"by": space.priya, "now": NOW}


def kinds(account: Account) -> list[str]:
    return list(TimelineEntry.objects.filter(account=account).order_by("id").values_list("kind", flat=True))


def test_beginning_makes_work_of_drafts_and_withdrawing_takes_it_back(orbiton: Workspace, plan: SuccessPlan) -> None:
    assert set(states(plan)) == {"draft"}
    for verb, status, state in ((planning.activate, "active", "open"), (planning.withdraw, "draft", "draft")):
        assert verb(plan, **by(orbiton))
        assert not verb(plan, **by(orbiton))
        assert (SuccessPlan.objects.get().status, set(states(plan))) == (status, {state})


def test_withdrawing_leaves_ctas_of_other_types_with_their_owners(
    orbiton: Workspace, plan: SuccessPlan, harbour: Account
) -> None:
    planning.activate(plan, **by(orbiton))
    planning.join_plan(plan, stand_alone(harbour, orbiton), **by(orbiton))
    planning.withdraw(plan, **by(orbiton))

    assert states(plan) == ["draft", "draft", "draft", "open"]


@pytest.mark.parametrize(
    ("choice", "after", "tasks", "left"),
    [
        (OpenObjectives.CLOSE, ["won", "won", "won"], {"cancelled"}, 3),
        (OpenObjectives.KEEP, ["open", "won", "open"], {"open"}, 3),
        (OpenObjectives.LEAVE, ["won"], {"open"}, 1),
    ],
)
def test_closing_does_with_open_objectives_what_was_chosen(
    orbiton: Workspace, plan: SuccessPlan, choice: OpenObjectives, after: list[str], tasks: set[str], left: int
) -> None:
    planning.activate(plan, **by(orbiton))
    named(plan, "Go live").cta.close(status="won", **by(orbiton))

    assert planning.close_plan(plan, objectives=choice, **by(orbiton))
    assert not planning.close_plan(plan, objectives=choice, **by(orbiton))

    assert (SuccessPlan.objects.get().closed_by, states(plan)) == (orbiton.priya.actor, after)
    assert set(Task.objects.filter(cta__name__startswith="Move").values_list("status", flat=True)) == tasks
    assert Objective.objects.count() == left
    assert planning.reopen_plan(plan, **by(orbiton))
    assert SuccessPlan.objects.get().closed_at is None


def test_a_draft_is_not_closed_and_a_closed_plan_does_not_begin(orbiton: Workspace, plan: SuccessPlan) -> None:
    assert not planning.close_plan(plan, objectives=OpenObjectives.KEEP, **by(orbiton))
    planning.activate(plan, **by(orbiton))
    planning.close_plan(plan, objectives=OpenObjectives.KEEP, **by(orbiton))

    assert not planning.activate(plan, **by(orbiton))
    assert not planning.withdraw(plan, **by(orbiton))


def test_archiving_takes_its_own_objectives_along_and_restoring_brings_back_just_those(
    orbiton: Workspace, plan: SuccessPlan, harbour: Account
) -> None:
    named(plan, "Cut missed").cta.archive(by=orbiton.priya, now=NOW - timedelta(days=1))
    planning.join_plan(plan, stand_alone(harbour, orbiton), **by(orbiton))

    assert planning.archive_plan(plan, **by(orbiton))
    assert not planning.archive_plan(plan, **by(orbiton))
    assert [cta.name for cta in Cta.objects.present()] == ["Call them"]

    assert planning.restore_plan(plan, **by(orbiton))
    assert not planning.restore_plan(plan, **by(orbiton))
    assert Cta.objects.present().count() == 3


def test_a_cta_joins_and_leaves_with_its_history(orbiton: Workspace, plan: SuccessPlan, harbour: Account) -> None:
    cta = stand_alone(harbour, orbiton)
    cta.edit(name="Ring them", **by(orbiton))
    joined = planning.join_plan(plan, cta, category="Adoption", **by(orbiton))
    assert planning.leave_plan(joined, **by(orbiton))
    assert not planning.leave_plan(joined, **by(orbiton))

    assert Cta.objects.get(pk=cta.pk).status == "open"
    mine = TimelineEntry.objects.filter(subject=f"cta:{cta.pk}").order_by("id").values_list("kind", flat=True)
    assert list(mine) == ["cta.edited", "cta.joined", "cta.left"]


def test_a_draft_that_leaves_becomes_work(orbiton: Workspace, plan: SuccessPlan) -> None:
    pilot = named(plan, "Move three")
    planning.leave_plan(pilot, **by(orbiton))

    assert Cta.objects.get(pk=pilot.cta_id).status == "open"


@pytest.mark.parametrize(
    ("which", "words"), [("twice", "in this plan already"), ("taken", "Take it out"), ("far", "another account")]
)
def test_what_cannot_join_is_told_why(
    orbiton: Workspace, plan: SuccessPlan, harbour: Account, which: str, words: str
) -> None:
    here, there = stand_alone(harbour, orbiton), stand_alone(world.account("Yarrow"), orbiton)
    other = planning.create_plan(account=harbour, name="Other", **by(orbiton))
    planning.join_plan(plan, here, **by(orbiton))
    cases = {"twice": (plan, here), "taken": (other, here), "far": (plan, there)}

    with pytest.raises(CannotPlan, match=words):
        planning.join_plan(*cases[which], **by(orbiton))


def test_nothing_joins_an_archived_or_a_full_plan(
    orbiton: Workspace, plan: SuccessPlan, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(planning, "MOST_OBJECTIVES", 3)
    with pytest.raises(CannotPlan, match="can have 3"):
        objective(plan, orbiton, "One more")
    planning.archive_plan(plan, **by(orbiton))
    with pytest.raises(CannotPlan, match="Restore it first"):
        objective(plan, orbiton, "One more")


def test_everything_is_told_on_the_timeline_of_the_account(orbiton: Workspace, harbour: Account) -> None:
    plan = planning.create_plan(account=harbour, name="Grow", **by(orbiton))
    objective(plan, orbiton, "Double it")
    planning.activate(plan, **by(orbiton))
    plan.edit(name="Grow more", **by(orbiton))
    planning.close_plan(plan, objectives=OpenObjectives.CLOSE, outcome="lost", **by(orbiton))

    assert kinds(harbour) == [
        "plan.created", "cta.planned", "plan.activated", "plan.edited", "cta.closed", "plan.closed",
    ]  # fmt: skip


def test_only_what_people_may_edit_can_be_edited_and_the_same_is_no_change(
    orbiton: Workspace, plan: SuccessPlan
) -> None:
    assert not planning.edit_plan(plan, name="Warehouse roll-out", **by(orbiton))
    with pytest.raises(TypeError, match="status"):
        plan.edit(status="closed", **by(orbiton))
    with pytest.raises(CannotPlan, match="ends before it starts"):
        planning.edit_plan(plan, due_on=TODAY - timedelta(days=1), **by(orbiton))


# --- progress ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("formula", "percent"), [("tasks", 66), ("objectives", 33), ("weighted", 60)])
def test_progress_is_counted_by_the_formula_of_the_type(
    orbiton: Workspace, harbour: Account, formula: str, percent: int
) -> None:
    plan = roll_out(harbour, orbiton, formula=formula)
    planning.activate(plan, **by(orbiton))
    pilot = named(plan, "Move three").cta
    for task in pilot.tasks.all():
        task.complete(**by(orbiton))
    pilot.close(status="lost", **by(orbiton))

    assert load_progress([plan.pk])[plan.pk].percent == percent


def test_what_is_cancelled_or_archived_leaves_the_count_on_both_sides(orbiton: Workspace, harbour: Account) -> None:
    plan = roll_out(harbour, orbiton, formula="tasks")
    planning.activate(plan, **by(orbiton))
    Task.objects.get(title="Install scanners").complete(**by(orbiton))
    Task.objects.get(title="Print labels").cancel(**by(orbiton))
    named(plan, "Go live").cta.close(status="cancelled", **by(orbiton))
    named(plan, "Cut missed").cta.archive(**by(orbiton))

    found = load_progress([plan.pk])[plan.pk]
    assert (found.percent, found.done, found.tasks, found.closed, found.objectives) == (100, 1, 1, 0, 1)


def test_a_plan_without_anything_to_count_is_at_nothing(orbiton: Workspace, harbour: Account) -> None:
    plans = [
        planning.create_plan(account=harbour, name=one, type=plan_type(orbiton, one, one), **by(orbiton))
        for one in ("tasks", "objectives", "weighted")
    ]

    assert {found.percent for found in load_progress([plan.pk for plan in plans]).values()} == {0}


@pytest.mark.parametrize(("days", "label"), [(0, "On track"), (13, "At risk"), (91, "Overdue")])
def test_a_plan_says_how_it_stands_today(orbiton: Workspace, plan: SuccessPlan, days: int, label: str) -> None:
    planning.activate(plan, **by(orbiton))
    found = load_progress([plan.pk])[plan.pk]

    assert standing(plan, found, today=day(days)).label == label


def test_a_plan_is_at_risk_when_something_ends_after_it(orbiton: Workspace, plan: SuccessPlan) -> None:
    planning.activate(plan, **by(orbiton))
    named(plan, "Cut missed").cta.edit(due_on=day(91), **by(orbiton))

    assert standing(plan, load_progress([plan.pk])[plan.pk], today=TODAY).label == "At risk"


# --- in time ----------------------------------------------------------------------------------------------------------


def test_objectives_wait_for_others_but_never_in_a_circle(orbiton: Workspace, plan: SuccessPlan) -> None:
    pilot, live, scans = (named(plan, name) for name in ("Move", "Go live", "Cut"))
    assert scheduling.set_needs(live, {pilot.pk}, **by(orbiton))
    assert scheduling.set_needs(scans, {live.pk}, **by(orbiton))
    assert not scheduling.set_needs(scans, {live.pk}, **by(orbiton))

    for needed, words in (({scans.pk}, "each other"), ({pilot.pk}, "itself"), ({987_654}, "same plan")):
        with pytest.raises(CannotPlan, match=words):
            scheduling.set_needs(pilot, needed, **by(orbiton))


def test_an_objective_moves_to_any_place_and_the_others_close_up(orbiton: Workspace, plan: SuccessPlan) -> None:
    def order() -> list[str]:
        rows = Objective.objects.filter(plan=plan).order_by("position").values_list("cta__name", flat=True)
        return [name.split()[0] for name in rows]

    assert scheduling.move(named(plan, "Cut"), to=0, **by(orbiton))
    assert order() == ["Cut", "Move", "Go"]
    assert scheduling.move(named(plan, "Cut"), to=99, **by(orbiton))
    assert not scheduling.move(named(plan, "Cut"), to=2, **by(orbiton))
    assert order() == ["Move", "Go", "Cut"]


# --- templates --------------------------------------------------------------------------------------------------------


def test_a_template_makes_objectives_tasks_dates_owners_and_what_waits_for_what(
    orbiton: Workspace, harbour: Account
) -> None:
    facts: dict[str, Any] = {"account": harbour, "name": "Roll-out", "owner": orbiton.maya, "start_on": day(7)}
    plan = start_by_hand(template(orbiton), **facts, **by(orbiton))
    pilot, training = named(plan, "Move"), named(plan, "Train")

    assert (plan.status, plan.start_on, plan.due_on, plan.highlights) == ("draft", day(7), day(67), "All sites live.")
    assert (pilot.start_on, pilot.cta.due_on, pilot.cta.owner, pilot.cta.status) == (
        day(7), day(21), orbiton.priya, "draft",
    )  # fmt: skip
    assert (training.weight, training.cta.owner) == (2, orbiton.maya)
    assert [one.needed_id for one in training.needs.all()] == [pilot.pk]
    tasks = pilot.cta.tasks.order_by("position").values_list("title", "owner", "due_on")
    assert list(tasks) == [
        ("Install scanners", orbiton.priya.pk, day(14)),  # not on the Saturday before
        ("Sign off", orbiton.tom.pk, day(21)),
    ]


@pytest.mark.parametrize(("on_weekends", "due"), [(False, [day(15), day(15)]), (True, [day(12), day(12)])])
def test_what_would_be_due_on_a_weekend_or_holiday_is_due_on_the_next_working_day(
    orbiton: Workspace, harbour: Account, on_weekends: bool, due: list[date]
) -> None:
    add_holiday(on=day(14), name="Founders", by=orbiton.jonah, now=NOW)
    objectives = [{"name": "Move", "due_day": 5, "tasks": [{"title": "Pack", "due_day": 5}]}]
    made = template(orbiton, definition={"objectives": objectives, "on_weekends": on_weekends})
    start_by_hand(made, account=harbour, name="x", owner=None, start_on=day(7), **by(orbiton))

    assert [*Cta.objects.values_list("due_on", flat=True), *Task.objects.values_list("due_on", flat=True)] == due


def test_a_role_nobody_active_holds_falls_to_the_owner_of_the_plan(orbiton: Workspace) -> None:
    facts: dict[str, Any] = {
        "account": world.account("Nobody's"),
        "name": "x",
        "owner": orbiton.maya,
        "start_on": TODAY,
    }
    plan = start_by_hand(template(orbiton), **facts, **by(orbiton))

    assert {one.cta.owner for one in plan.objectives.select_related("cta__owner")} == {orbiton.maya}
    assert set(Task.objects.values_list("owner", flat=True)) == {orbiton.maya.pk}


@pytest.mark.parametrize(
    ("objectives", "place", "words"),
    [
        ([{"name": " "}], "objectives/0/name", "Write what it is called"),
        ([{"name": "A", "start_day": 9, "due_day": 3}], "objectives/0/due_day", "before it starts"),
        ([{"name": "A", "owner": "boss"}], "objectives/0/owner", "csm"),
        ([{"name": "A", "needs": [4]}], "objectives/0/needs", "no objective in this place"),
        ([{"name": "A", "needs": [1]}, {"name": "B", "needs": [0]}], "objectives/0/needs", "wait for each other"),
        ([{"name": "A", "weight": 500}], "objectives/0/weight", "1 to 100"),
        ([{"name": "A", "tasks": [{"title": ""}]}], "objectives/0/tasks/0/title", "Write what"),
        ([{"name": "A", "tasks": [{"title": "x", "due_day": -1}]}], "objectives/0/tasks/0/due_day", "0 to 1,000"),
    ],
)
def test_a_template_with_a_problem_is_refused_at_its_place(
    orbiton: Workspace, objectives: list[dict[str, Any]], place: str, words: str
) -> None:
    with pytest.raises(CannotPlan, match=words) as refusal:
        template(orbiton, definition={"objectives": objectives})

    assert refusal.value.field == place


# --- a type's own fields ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"sites": "many"}, "Sites: enter a number"),
        ({"sites": True}, "Sites: enter a number"),
        ({"phase": "Never"}, "Phase: choose one of the list"),
        ({"signed_on": "soon"}, "Signed on: enter a day"),
        ({"reference": "yes"}, "Reference: choose yes or no"),
        ({"colour": "red"}, "no field colour"),
    ],
)
def test_values_are_typed_when_they_come_in(
    orbiton: Workspace, plan: SuccessPlan, given: dict[str, Any], words: str
) -> None:
    with pytest.raises(CannotPlan, match=words):
        planning.edit_plan(plan, values=given, **by(orbiton))


def test_values_are_laid_over_those_there_are_and_empty_takes_one_away(orbiton: Workspace, plan: SuccessPlan) -> None:
    planning.edit_plan(plan, values={"sites": 12, "phase": "Pilot"}, **by(orbiton))
    planning.edit_plan(plan, values={"sites": None, "reference": False}, **by(orbiton))

    assert SuccessPlan.objects.get().values == {"phase": "Pilot", "reference": False}


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ([{"label": ""}], "a label"),
        ([{"label": "A", "kind": "picture"}], "no kind of field"),
        ([{"label": "A", "kind": "choice"}], "name its choices"),
        ([{"label": "A", "choices": ["x"]}], "only a single choice"),
        ([{"label": "A", "key": "a"}, {"label": "B", "key": "a"}], "is taken"),
    ],
)
def test_fields_that_make_no_sense_are_refused(orbiton: Workspace, fields: list[dict[str, Any]], words: str) -> None:
    with pytest.raises(CannotPlan, match=words):
        plan_type(orbiton, "Odd", fields=fields)


def test_a_name_is_given_once(orbiton: Workspace) -> None:
    plan_type(orbiton, "Onboarding")
    with pytest.raises(CannotPlan, match="There is a type called Onboarding already"):
        plan_type(orbiton, "Onboarding")
