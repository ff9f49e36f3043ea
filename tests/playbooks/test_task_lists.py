"""A CTA playbook on a CTA: its tasks, what removing and replacing leave, and taking that back."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError

from accounts.models import TimelineEntry
from cs_platform.workspace.holidays import add_holiday
from ctas.models import Cta, Task
from ctas.opening import open_cta
from playbooks.definition import DefinitionErrors
from playbooks.history import load_history
from playbooks.models import Enrollment, LedgerEntry, Playbook
from playbooks.on_ctas import offered
from playbooks.task_lists import NotPossible, applied_to, apply_to_cta, preview_removal, put_back, remove, replace
from playbooks.undo import outcome_of_stop, preview_stop, request_stop
from playbooks.versions import archive, exported, import_playbook, pause, unarchive
from success_plans.models import PlanTemplate, SuccessPlan
from success_plans.planning import CannotPlan
from success_plans.templates import start_by_hand
from tests.success_plans.world import template
from tests.world import MONDAY, Workspace, account, apply_now, days, live, on, playbook_json, task_list_json, tick


@pytest.fixture
def cta(inside: Workspace) -> Cta:
    harbour = account(csm=inside.priya, ae=inside.tom)
    return open_cta(
        account=harbour, name="Usage down", type="risk", owner=inside.maya, by=inside.maya, now=MONDAY - days(1)
    )


@pytest.fixture
def kickoff(inside: Workspace) -> Playbook:
    return live(task_list_json(category="Onboarding"))


def titles(cta: Cta, **only: Any) -> list[str]:
    return list(
        Task.objects.present().filter(cta=cta, **only).order_by("position", "pk").values_list("title", flat=True)
    )


def task(cta: Cta, title: str) -> Task:
    return Task.objects.select_related("cta").get(cta=cta, title=title)


def test_all_its_tasks_are_there_at_once_with_their_days_and_owners(
    inside: Workspace, cta: Cta, kickoff: Playbook
) -> None:
    cta.add_task(title="Mine", by=inside.maya, now=MONDAY)
    made = apply_to_cta(kickoff, cta, by=inside.maya, now=MONDAY)

    found = Task.objects.filter(cta=cta).order_by("position").values_list("title", "due_on", "owner_id", "created_by")
    assert list(found)[1:] == [
        ("Prepare", on(2), inside.maya.pk, kickoff.actor),
        ("Call Harbourline Logistics", on(7), inside.tom.pk, kickoff.actor),
    ]
    assert (made.state, made.cta_id, made.applied_by) == ("active", cta.pk, inside.maya.actor)
    assert "Kickoff applied" in TimelineEntry.objects.values_list("text", flat=True)


def test_days_that_nobody_works_on_are_passed_over(inside: Workspace, cta: Cta) -> None:
    add_holiday(on=on(9), name="Founding day", by=inside.jonah, now=MONDAY)
    apply_to_cta(live(task_list_json(skip_weekends=True)), cta, by=inside.maya, now=MONDAY)
    assert task(cta, "Call Harbourline Logistics").due_on == on(10)


def test_an_owner_that_is_not_there_falls_back_as_stated(inside: Workspace, cta: Cta) -> None:
    tom = f"member:{inside.tom.email}"
    tasks = [
        {"title": "A", "day": 1, "owner": tom, "fallback_owner": "csm"},
        {"title": "B", "day": 1, "owner": tom},
    ]
    book = live(task_list_json(tasks=tasks))
    inside.tom.deactivated_at = MONDAY
    inside.tom.save()
    apply_to_cta(book, cta, by=inside.maya, now=MONDAY)
    assert [task(cta, title).owner_id for title in "AB"] == [inside.priya.pk, inside.maya.pk]


def test_progress_is_tasks_closed(inside: Workspace, cta: Cta, kickoff: Playbook) -> None:
    made = apply_to_cta(kickoff, cta, by=inside.maya, now=MONDAY)
    task(cta, "Prepare").complete(by=inside.maya, now=MONDAY)
    history = load_history(made, now=MONDAY)
    assert (history.enrollment.progress, history.marks) == (50, ("done", "next"))
    assert "2 tasks set up in Usage down" in [line.says for day in history.days for line in day.lines]


def test_it_is_finished_when_the_cta_is_closed_and_goes_on_when_that_is_reopened(
    inside: Workspace, cta: Cta, kickoff: Playbook
) -> None:
    made = apply_to_cta(kickoff, cta, by=inside.maya, now=MONDAY)
    cta.close(status="won", by=inside.maya, now=MONDAY + days(2))
    made.refresh_from_db()
    assert (made.state, made.completed_at) == ("completed", MONDAY + days(2))
    cta.reopen(by=inside.maya, now=MONDAY + days(3))
    made.refresh_from_db()
    assert (made.state, made.completed_at) == ("active", None)
    told = LedgerEntry.objects.filter(enrollment_id=made.pk, run_id=None).order_by("pk")
    assert list(told.values_list("to_state", "reason"))[1:] == [
        ("completed", "The CTA was closed."),
        ("active", "The CTA was reopened."),
    ]


def test_a_cta_has_one_at_a_time(inside: Workspace, cta: Cta, kickoff: Playbook) -> None:
    apply_to_cta(kickoff, cta, by=inside.maya, now=MONDAY)
    other = live(task_list_json("other"))
    with pytest.raises(NotPossible, match="applied already"):
        apply_to_cta(other, cta, by=inside.maya, now=MONDAY)
    known = Enrollment.objects.values().get()
    with pytest.raises(IntegrityError, match="playbooks_enrollment_one_on_cta"):
        Enrollment.objects.create(**{**known, "id": None, "playbook_id": other.pk, "version_id": other.version_id})


def test_it_is_offered_for_the_types_it_names(inside: Workspace, cta: Cta, kickoff: Playbook) -> None:
    renewals = live(task_list_json("renewals", types=["lifecycle"]))
    assert list(offered(type="risk")) == [kickoff]
    assert list(offered(type="lifecycle")) == [kickoff, renewals]
    with pytest.raises(NotPossible, match="not for CTAs of this type"):
        apply_to_cta(renewals, cta, by=inside.maya, now=MONDAY)
    cta.close(status="won", by=inside.maya, now=MONDAY)
    with pytest.raises(NotPossible, match="closed"):
        apply_to_cta(kickoff, cta, by=inside.maya, now=MONDAY)


def test_archiving_ends_the_offer_and_leaves_the_tasks(inside: Workspace, cta: Cta, kickoff: Playbook) -> None:
    apply_to_cta(kickoff, cta, by=inside.maya, now=MONDAY)
    pause(kickoff, by=inside.jonah, now=MONDAY)
    archive(kickoff, by=inside.jonah, now=MONDAY)
    assert not offered().exists()
    assert titles(cta) == ["Prepare", "Call Harbourline Logistics"]
    assert applied_to(cta.pk) is not None
    unarchive(kickoff, by=inside.jonah, now=MONDAY)


# Removing and replacing -----------------------------------------------------------------------------------------------


@pytest.fixture
def worked_on(inside: Workspace, cta: Cta) -> Enrollment:
    """One task completed, one edited, two untouched, one added by hand."""
    book = live(task_list_json(tasks=[{"title": title, "day": 3} for title in ("Done", "Edited", "Left", "Left too")]))
    made = apply_to_cta(book, cta, by=inside.maya, now=MONDAY)
    task(cta, "Done").complete(by=inside.maya, now=MONDAY)
    task(cta, "Edited").edit(description="Ask Ines first", by=inside.maya, now=MONDAY)
    cta.add_task(title="Mine", by=inside.maya, now=MONDAY)
    return made


def test_a_preview_says_what_goes_what_is_asked_about_and_what_stays_and_writes_nothing(
    inside: Workspace, cta: Cta, worked_on: Enrollment
) -> None:
    preview = preview_removal(worked_on, now=MONDAY)
    assert [[one.title for one in part] for part in (preview.going, preview.asked, preview.staying)] == [
        ["Left", "Left too"],
        ["Edited"],
        ["Done", "Mine"],
    ]
    assert titles(cta, status="open") == ["Edited", "Left", "Left too", "Mine"]
    assert applied_to(cta.pk) == worked_on


@pytest.mark.parametrize("keeps", [True, False])
def test_removing_does_what_the_preview_said_and_can_be_undone(
    inside: Workspace, cta: Cta, worked_on: Enrollment, keeps: bool
) -> None:
    before = list(Task.objects.filter(cta=cta).order_by("pk").values_list("pk", "status", "archived_at", "reason"))
    stay = [one.pk for one in preview_removal(worked_on, now=MONDAY).asked] if keeps else []

    assert remove(worked_on, stay=stay, by=inside.priya, now=MONDAY + days(1))
    assert not remove(worked_on, stay=stay, by=inside.priya, now=MONDAY + days(1))
    assert titles(cta, status="open") == (["Edited", "Mine"] if keeps else ["Mine"])
    assert titles(cta) == ["Done", "Edited", "Mine"]
    assert applied_to(cta.pk) is None

    worked_on.refresh_from_db()
    again = put_back(worked_on, by=inside.priya, now=MONDAY + days(2))
    assert (
        list(Task.objects.filter(cta=cta).order_by("pk").values_list("pk", "status", "archived_at", "reason")) == before
    )
    assert (applied_to(cta.pk), again.activated_on) == (again, worked_on.activated_on)
    assert len(preview_removal(again, now=MONDAY).going) == 2
    with pytest.raises(NotPossible, match="nothing to put back"):
        put_back(worked_on, by=inside.priya, now=MONDAY + days(2))


def test_replacing_is_one_act_and_can_be_undone(inside: Workspace, cta: Cta, worked_on: Enrollment) -> None:
    other = live(task_list_json("other", tasks=[{"title": "New", "day": 1}]))
    replace(worked_on, other, by=inside.maya, now=MONDAY + days(1))
    assert titles(cta, status="open") == ["Mine", "New"]

    worked_on.refresh_from_db()
    put_back(worked_on, by=inside.maya, now=MONDAY + days(1))
    assert titles(cta, status="open") == ["Edited", "Left", "Left too", "Mine"]
    assert Enrollment.objects.filter(cta=cta, state="active").count() == 1


def test_what_cannot_take_its_place_leaves_everything_as_it_was(
    inside: Workspace, cta: Cta, worked_on: Enrollment
) -> None:
    wrong = live(task_list_json("wrong", types=["lifecycle"]))
    with pytest.raises(NotPossible, match="not for CTAs of this type"):
        replace(worked_on, wrong, by=inside.maya, now=MONDAY)
    assert titles(cta, status="open") == ["Edited", "Left", "Left too", "Mine"]
    assert applied_to(cta.pk) == worked_on


# Through another playbook ---------------------------------------------------------------------------------------------


@pytest.fixture
def opener(inside: Workspace, kickoff: Playbook) -> Playbook:
    config = {"name": "Save it", "type": "risk", "owner": "csm", "cta_playbook": "kickoff"}
    return live(playbook_json(steps=[{"key": "cta", "day": 1, "action": "create_cta", "config": config}]))


def test_a_playbook_that_opens_a_cta_can_give_it_its_tasks(inside: Workspace, opener: Playbook) -> None:
    parent = apply_now(opener, account(plan="Pro", csm=inside.priya, ae=inside.tom), now=MONDAY)
    child = Enrollment.objects.get(cta__isnull=False)
    assert child.parent_run_id == parent.runs.get().pk
    assert titles(Cta.objects.get()) == ["Prepare", "Call Harbourline Logistics"]
    assert child.applied_by == opener.actor


def test_it_is_stopped_with_the_playbook_that_opened_the_cta_and_the_preview_says_so(
    inside: Workspace, opener: Playbook
) -> None:
    parent = apply_now(opener, account(plan="Pro", csm=inside.priya), now=MONDAY)
    preview = preview_stop(parent, now=MONDAY + days(1))
    assert Task.objects.open().count() == 2

    assert request_stop(parent, by=inside.priya, now=MONDAY + days(1))
    assert outcome_of_stop(parent) == preview
    assert [line.says for line in preview.undone] == ["“Save it” is archived"]
    assert set(Enrollment.objects.values_list("state", flat=True)) == {"stopped"}
    assert not Cta.objects.present().exists()
    assert not Task.objects.present().exists()


def test_a_completed_task_of_it_keeps_the_cta(inside: Workspace, opener: Playbook) -> None:
    parent = apply_now(opener, account(plan="Pro", csm=inside.priya), now=MONDAY)
    cta = Cta.objects.get()
    task(cta, "Prepare").complete(by=inside.priya, now=MONDAY)
    request_stop(parent, by=inside.priya, now=MONDAY + timedelta(hours=1))
    cta.refresh_from_db()
    assert (cta.status, titles(cta)) == ("cancelled", ["Prepare"])


# As a document --------------------------------------------------------------------------------------------------------


def test_it_is_exported_as_it_is_imported_and_versions_keep_what_they_said(
    inside: Workspace, cta: Cta, kickoff: Playbook
) -> None:
    assert kickoff.version is not None
    said = exported(kickoff, kickoff.version)
    assert said["tasks"][0] == {"title": "Prepare", "description": "", "day": 1, "owner": "", "fallback_owner": ""}
    assert (said["category"], said["types"], "steps" in said) == ("Onboarding", [], False)
    assert import_playbook(said, by=None, now=MONDAY).versions.count() == 1

    made = apply_to_cta(kickoff, cta, by=inside.maya, now=MONDAY)
    live(task_list_json(tasks=[{"title": "Only this", "day": 1}]))
    assert made.version_id == kickoff.version_id
    assert titles(cta) == ["Prepare", "Call Harbourline Logistics"]


def test_everything_that_is_wrong_is_said_with_its_place(inside: Workspace) -> None:
    wrong = task_list_json(
        types=["chore"], tasks=[{"title": "", "day": 0}, {"title": "{{ account.nope }}", "day": 1, "who": "me"}]
    )
    with pytest.raises(DefinitionErrors) as caught:
        import_playbook(wrong, by=None, now=MONDAY)
    places = {problem.path for problem in caught.value.problems}
    assert {"types", "tasks[0].title", "tasks[0].day", "tasks[1].who"} <= places
    with pytest.raises(DefinitionErrors, match="tasks"):
        import_playbook(task_list_json(tasks=[]), by=None, now=MONDAY)


def test_it_may_be_named_only_while_it_is_live(inside: Workspace) -> None:
    step = {"key": "cta", "day": 1, "action": "create_cta", "config": {"name": "A", "cta_playbook": "nowhere"}}
    with pytest.raises(DefinitionErrors, match="There is no CTA playbook “nowhere” that is live"):
        import_playbook(playbook_json(steps=[step]), by=None, now=MONDAY)


# --- named by templates of success plans ------------------------------------------------------------------------------


@pytest.fixture
def roll_out(inside: Workspace, kickoff: Playbook) -> PlanTemplate:
    objectives = [{"name": "Go live", "due_day": 14, "playbook": "kickoff", "tasks": [{"title": "Sign"}]}]
    return template(inside, definition={"objectives": objectives})


def test_a_plan_made_from_a_template_applies_the_playbook_it_names_for_an_objective(
    inside: Workspace, roll_out: PlanTemplate, kickoff: Playbook
) -> None:
    harbour = account(csm=inside.priya)
    facts: dict[str, Any] = {"account": harbour, "owner": inside.maya, "start_on": MONDAY.date()}
    plan = start_by_hand(roll_out, name="Roll-out", **facts, by=inside.maya, now=MONDAY)
    goal = plan.objectives.get().cta

    assert titles(goal) == ["Sign", "Prepare", "Call Harbourline Logistics"]
    assert (goal.status, task(goal, "Prepare").owner) == ("draft", inside.maya)
    archive(kickoff, by=inside.jonah, now=MONDAY)
    with pytest.raises(CannotPlan, match="kickoff, which is not live"):
        start_by_hand(roll_out, name="Again", **facts, by=inside.maya, now=MONDAY)


def test_a_playbook_that_starts_the_plan_applies_it_too_and_takes_it_back(
    inside: Workspace, roll_out: PlanTemplate
) -> None:
    config = {"template": roll_out.key, "name": "Roll-out", "owner": "csm", "begin": True}
    step = {"key": "plan", "day": 1, "action": "start_success_plan", "config": config}
    begun = apply_now(live(playbook_json("onboard", steps=[step])), account(csm=inside.priya), now=MONDAY)
    goal = SuccessPlan.objects.get().objectives.get().cta
    assert titles(goal) == ["Sign", "Prepare", "Call Harbourline Logistics"]

    request_stop(begun, by=inside.jonah, now=MONDAY + days(1))
    tick(now=MONDAY + days(1))
    assert SuccessPlan.objects.get().archived_at is not None
    assert not Task.objects.present().exists()


def test_a_template_names_only_a_live_playbook_for_objectives(inside: Workspace) -> None:
    live(task_list_json("risky", types=["risk"]))
    for key in ("gone", "risky"):
        with pytest.raises(CannotPlan, match=f"no live CTA playbook for objectives with the key {key}") as refusal:
            template(inside, definition={"objectives": [{"name": "Go live", "playbook": key}]})
        assert refusal.value.field == "objectives/0/playbook"
