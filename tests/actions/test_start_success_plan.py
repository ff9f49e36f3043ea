"""TRUST §2.3, “Success plan”: untouched it goes with its objectives; otherwise people's work stays, ours goes."""

from datetime import timedelta
from typing import Any

import pytest

from accounts.models import Account
from actions.base import Held
from actions.checks import ActionErrors, clean_config
from actions.registry import action_for
from cs_platform.workspace.comments import write_comment
from cs_platform.workspace.models import Notification
from ctas.models import Cta, Task
from success_plans import planning, sharing
from success_plans.models import Objective, PlanTemplate, ShareLink, SuccessPlan
from tests import world
from tests.actions.world import LATER, Played, kept, play, undone, visible
from tests.success_plans.world import named
from tests.world import MONDAY, Workspace

KEY = "start_success_plan"


def config(**parts: Any) -> dict[str, Any]:
    return {"template": "onboarding", "name": "Onboarding of {{ account.name }}", "begin": True} | parts


def started(account: Account, **parts: Any) -> tuple[Played, SuccessPlan]:
    return play(KEY, config(**parts), account), SuccessPlan.objects.get(account=account)


def test_it_starts_a_plan_with_objectives_owners_dates_and_tasks(orbiton: Workspace, harbour: Account) -> None:
    played, plan = started(harbour, start_in_days=7)
    start = MONDAY.date() + timedelta(days=7)

    assert (plan.name, plan.owner, plan.status) == ("Onboarding of Harbourline Logistics", orbiton.priya, "active")
    assert (plan.start_on, plan.due_on, plan.created_by) == (start, start + timedelta(days=60), "playbook:1")
    pilot = named(plan, "Move")
    assert (pilot.cta.owner, pilot.cta.status, pilot.cta.due_on) == (orbiton.priya, "open", start + timedelta(days=14))
    assert pilot.cta.tasks.get(title="Sign off").owner == orbiton.tom
    assert played.told == ["Success plan started: Onboarding of Harbourline Logistics with 2 objectives"]


def test_as_a_draft_it_is_work_for_nobody_yet(harbour: Account) -> None:
    _played, plan = started(harbour, begin=False, due_in_days=10)

    assert (plan.status, plan.due_on) == ("draft", MONDAY.date() + timedelta(days=10))
    assert not Cta.objects.open().exists()


def test_with_nobody_to_own_it_or_without_its_template_the_run_is_held(orbiton: Workspace, harbour: Account) -> None:
    [nobody] = play(KEY, config(), world.account("Nobody's")).results
    maya = play(KEY, config(fallback_owner="member:maya@orbiton.example"), world.account("Elsewhere"))
    assert (type(nobody), nobody.code) == (Held, "no_assignee")
    assert SuccessPlan.objects.get(pk=maya.receipts[0]["plan_id"]).owner == orbiton.maya

    checked = play(KEY, config(), harbour).batch
    PlanTemplate.objects.all().update(key="renamed")
    [gone] = action_for(KEY).apply(checked).values()
    assert isinstance(gone, Held)
    assert gone.code == "no_template"


def test_the_history_says_to_whom_a_plan_fell_and_why(orbiton: Workspace, harbour: Account) -> None:
    fallback = {"fallback_owner": "member:maya@orbiton.example"}
    to_the_csm = play(KEY, config(owner="ae", **fallback), world.account("Second", csm=orbiton.tom))
    to_maya = play(KEY, config(**fallback), world.account("Elsewhere"))

    assert to_the_csm.told[0].endswith(f"; it fell to {orbiton.tom}, as the account’s AE is nobody active")
    assert to_maya.told[0].endswith("; it fell to Maya Osei, as the account’s CSM is nobody active")
    assert to_maya.receipts[0]["fell_to"] == "Maya Osei"
    assert "fell_to" not in play(KEY, config(), harbour).receipts[0]


def _hand_the_pilot_to_tom() -> None:
    template = PlanTemplate.objects.get()
    template.definition["objectives"][0]["owner"] = "member:tom@orbiton.example"
    template.save()


@pytest.mark.parametrize(("begin", "told"), [(True, ["Move the pilot sites is yours now"]), (False, [])])
def test_who_owns_an_objective_of_it_is_told_once_that_is_work(
    orbiton: Workspace, harbour: Account, begin: bool, told: list[str]
) -> None:
    _hand_the_pilot_to_tom()

    _played, plan = started(harbour, begin=begin)

    assert named(plan, "Move").cta.owner == orbiton.tom
    assert [one.text for one in Notification.objects.filter(member=orbiton.tom)] == told
    of_priya = [one.text for one in Notification.objects.filter(member=orbiton.priya)]
    assert of_priya == ["Onboarding of Harbourline Logistics is yours now"]


def test_a_template_nobody_knows_is_found_before_the_playbook_goes_live(orbiton: Workspace) -> None:
    with pytest.raises(ActionErrors, match="no template of plans with the key nowhere"):
        clean_config(action_for(KEY), config(template="nowhere"))


@pytest.mark.parametrize("begin", [True, False])
def test_untouched_it_goes_with_its_objectives_and_their_tasks(harbour: Account, begin: bool) -> None:
    before = visible()
    played, _plan = started(harbour, begin=begin)

    [says] = undone(played.undo())

    assert says == "“Onboarding of Harbourline Logistics” and its 2 objectives are archived"
    assert visible() == before
    assert not Task.objects.present().exists()


def _complete(space: Workspace, plan: SuccessPlan) -> None:
    Task.objects.get(title="Sign off").complete(by=space.tom, now=LATER)


def _add_a_task(space: Workspace, plan: SuccessPlan) -> None:
    named(plan, "Move").cta.add_task(title="By hand", by=space.tom, now=LATER)


def _comment_below(space: Workspace, plan: SuccessPlan) -> None:
    write_comment(subject=f"cta:{named(plan, 'Move').cta_id}", body="Soon", by=space.tom, now=LATER)


def _add_an_objective(space: Workspace, plan: SuccessPlan) -> None:
    planning.add_objective(plan, name="By hand", by=space.tom, now=LATER)


def _share(space: Workspace, plan: SuccessPlan) -> None:
    sharing.make_link(plan, name="Ines", parts=["name"], by=space.tom, now=LATER)


def _rename(space: Workspace, plan: SuccessPlan) -> None:
    plan.edit(name="Ours", by=space.tom, now=LATER)


def _comment(space: Workspace, plan: SuccessPlan) -> None:
    write_comment(subject=plan.subject, body="Well done", by=space.tom, now=LATER)


def _close(space: Workspace, plan: SuccessPlan) -> None:
    planning.close_plan(plan, objectives=planning.OpenObjectives.KEEP, by=space.tom, now=LATER)


@pytest.mark.parametrize(
    ("work", "code", "left"),
    [
        (_complete, "progress", {"Move the pilot sites"}),
        (_add_a_task, "progress", {"Move the pilot sites"}),
        (_comment_below, "progress", {"Move the pilot sites"}),
        (_add_an_objective, "worked_on", {"By hand"}),
        (_share, "shared", set()),
        (_rename, "worked_on", set()),
        (_comment, "commented", set()),
        (_close, "closed", set()),
    ],
)
def test_what_people_did_stays_and_untouched_objectives_go(
    orbiton: Workspace, harbour: Account, work: Any, code: str, left: set[str]
) -> None:
    played, plan = started(harbour)
    work(orbiton, plan)

    [(found, says)] = kept(played.undo())

    assert (found, SuccessPlan.objects.present().count()) == (code, 1)
    present = Objective.objects.filter(cta__archived_at=None).values_list("cta__name", flat=True)
    assert set(present) == left
    untouched = 2 - len(left & {"Move the pilot sites"})
    assert f"({untouched} untouched objective" in says


def test_a_share_link_holds_as_before(orbiton: Workspace, harbour: Account) -> None:
    played, plan = started(harbour)
    _share(orbiton, plan)

    [(_code, says)] = kept(played.undo())

    assert "the link holds as before" in says
    assert ShareLink.objects.get().holds_at(LATER)


def test_a_plan_that_was_archived_since_is_left_alone(orbiton: Workspace, harbour: Account) -> None:
    played, plan = started(harbour)
    planning.archive_plan(plan, by=orbiton.tom, now=LATER)

    assert [code for code, _says in kept(played.undo())] == ["target_gone"]


def test_plans_of_other_runs_and_of_people_stay(orbiton: Workspace, harbour: Account, yarrow: Account) -> None:
    mine = planning.create_plan(account=harbour, name="By hand", by=orbiton.priya, now=MONDAY)
    played, _plan = started(yarrow)
    other = play(KEY, config(), harbour)

    undone(played.undo())

    assert set(SuccessPlan.objects.present().values_list("pk", flat=True)) == {mine.pk, other.receipts[0]["plan_id"]}


def test_whoever_leads_plans_that_were_started_is_told_once(orbiton: Workspace, harbour: Account) -> None:
    others = [world.account(name, csm=orbiton.tom) for name in ("Second", "Third")]
    play(KEY, config(), harbour, *others)

    told = Notification.objects.filter(kind="assignment").order_by("member__name")
    assert [(one.member, one.text) for one in told] == [
        (orbiton.priya, "Onboarding of Harbourline Logistics is yours now"),
        (orbiton.tom, "2 success plans are yours now, the first: Onboarding of Second"),
    ]
