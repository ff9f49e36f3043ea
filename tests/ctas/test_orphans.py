"""What those who have left still own goes on every night to who is there, and whoever leads them hears of it."""

from typing import Any

import pytest

from accounts.models import Account, TimelineEntry
from cs_platform.tenancy.models import Membership
from cs_platform.workspace.handover import hand_over, work_of
from cs_platform.workspace.members import deactivate
from cs_platform.workspace.models import Notification
from cs_platform.workspace.teams import create_team, set_team
from ctas.models import Cta, Task
from ctas.opening import open_cta
from ctas.orphans import hand_on, managers_of
from success_plans.handover import hand_on_plans
from success_plans.models import SuccessPlan
from success_plans.planning import create_plan
from tests import world
from tests.visitor import Visitor, text
from tests.world import MONDAY, Workspace, days, evaluate, on

TUESDAY = MONDAY + days(1)


@pytest.fixture
def harbour(space: Workspace) -> Account:
    return world.account(csm=space.priya, ae=space.maya)


def cta_at(space: Workspace, at: Account, **facts: Any) -> Cta:
    facts = {"name": "Call them", "type": "risk", "owner": space.tom} | facts
    made = open_cta(account=at, by=space.jonah, now=MONDAY, **facts)
    made.add_task(title="Dial", owner=facts["owner"], due_on=on(3), by=space.jonah, now=MONDAY)
    return made


def leave(space: Workspace, member: Membership) -> None:
    deactivate(member, revoke_keys=False, by=space.jonah, now=MONDAY)
    Notification.objects.all().delete()


def told(member: Membership) -> list[str]:
    return list(Notification.objects.filter(member=member).order_by("pk").values_list("text", flat=True))


def test_a_cta_and_its_tasks_go_to_the_accounts_csm(space: Workspace, harbour: Account) -> None:
    cta = cta_at(space, harbour)
    leave(space, space.tom)
    hand_on(space.tenant, now=TUESDAY)

    cta.refresh_from_db()
    assert (cta.owner, cta.tasks.get().owner) == (space.priya, space.priya)
    assert told(space.priya) == ["1 CTA is yours now", "1 task is yours now"]
    lines = TimelineEntry.objects.filter(actor="handover").order_by("pk").values_list("text", "subject")
    assert list(lines) == [
        ("CTA handed on to Priya Raman, as Tom Lindqvist has left: Call them", f"cta:{cta.pk}"),
        ("Task handed on to Priya Raman, as Tom Lindqvist has left: Dial", f"task:{cta.tasks.get().pk}"),
    ]


def test_without_a_csm_to_the_ae_and_without_either_to_nobody(space: Workspace, harbour: Account) -> None:
    left, lonely = cta_at(space, harbour), cta_at(space, world.account("Lonely", csm=space.tom))
    leave(space, space.tom)
    leave(space, space.priya)
    hand_on(space.tenant, now=TUESDAY)

    owners = dict(Cta.objects.values_list("pk", "owner"))
    assert owners == {left.pk: space.maya.pk, lonely.pk: None}
    assert "Lonely" in text(Visitor(space.maya).page("ctas/?tab=team&group=owner"))


def test_a_task_goes_first_to_the_owner_of_its_cta(space: Workspace, harbour: Account) -> None:
    cta = cta_at(space, harbour, owner=space.jonah)
    cta.tasks.update(owner=space.tom)
    leave(space, space.tom)
    hand_on(space.tenant, now=TUESDAY)

    assert Task.objects.get().owner == space.jonah


def test_what_is_closed_and_what_others_own_stays_with_them(space: Workspace, harbour: Account) -> None:
    closed, others = cta_at(space, harbour), cta_at(space, harbour, owner=space.maya)
    closed.close_with_tasks(status="won", by=space.tom, now=MONDAY)
    leave(space, space.tom)
    hand_on(space.tenant, now=TUESDAY)

    owners = dict(Cta.objects.values_list("pk", "owner"))
    assert owners == {closed.pk: space.tom.pk, others.pk: space.maya.pk}
    assert Notification.objects.count() == 0


def test_managers_are_told_what_went_on_and_what_found_nobody(space: Workspace, harbour: Account) -> None:
    cta_at(space, harbour)
    cta_at(space, world.account("Lonely"))
    leave(space, space.tom)
    hand_on(space.tenant, now=TUESDAY)

    said = "Tom Lindqvist has left. Handed on: 2 CTAs and 2 tasks; 2 of it to nobody, for want of a CSM"
    assert {name: told(one) for name, one in space.people.items() if one in managers_of(space.tom, space.tenant)} == {
        "maya": [said]
    }


def test_whoever_leads_their_team_is_told_before_any_other_manager(space: Workspace) -> None:
    team = create_team(name="North", by=space.jonah, now=MONDAY)
    set_team(team, name="North", members=[space.tom, space.priya], leads=[space.priya.pk], by=space.jonah, now=MONDAY)

    assert managers_of(space.tom, space.tenant) == [space.priya]


def test_it_happens_in_the_night_and_once(space: Workspace, harbour: Account) -> None:
    cta = cta_at(space, harbour)
    leave(space, space.tom)
    evaluate(space.tenant, now=TUESDAY)
    assert hand_on(space.tenant, now=TUESDAY + days(1))[0].counts == {}

    cta.refresh_from_db()
    assert cta.owner == space.priya


def test_plans_they_led_go_the_same_way(space: Workspace, harbour: Account) -> None:
    plan = create_plan(account=harbour, name="Grow", owner=space.tom, by=space.jonah, now=MONDAY)
    leave(space, space.tom)
    hand_on_plans(space.tenant, now=TUESDAY)

    plan.refresh_from_db()
    assert (plan.owner, told(space.priya)) == (space.priya, ["Grow is yours now"])
    assert TimelineEntry.objects.filter(subject=plan.subject, text__startswith="Plan handed on to Priya").count() == 1


def test_whoever_hands_everything_over_hands_over_plans_too(space: Workspace, harbour: Account) -> None:
    plan = create_plan(account=harbour, name="Grow", owner=space.tom, by=space.jonah, now=MONDAY)
    assert ("success plans", 1) in [(work.what, work.count) for work in work_of(space.tom)]
    hand_over(space.tom, space.maya, by=space.jonah, now=MONDAY)

    assert SuccessPlan.objects.get(pk=plan.pk).owner == space.maya
