"""Pages of plans: whole and as fragments, what they show and what can be done on them."""

import json
import re
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from accounts.models import TimelineEntry
from cs_platform.workspace.models import Comment, Notification
from ctas.models import Cta, Task
from success_plans import planning
from success_plans.models import Objective, SuccessPlan
from tests import world
from tests.success_plans.world import NOW, TODAY, day, named, stand_alone, states, template
from tests.visitor import Visitor, is_whole, text
from tests.world import Workspace


@pytest.mark.parametrize("tab", ["", "?tab=gantt", "?tab=gantt&scale=months", "?tab=info", "?tab=timeline", "?tab=x"])
def test_a_plan_is_one_page_in_four_parts(priya: Visitor, plan: SuccessPlan, tab: str) -> None:
    page, part = priya.page(f"plans/{plan.pk}/{tab}"), priya.fragment(f"plans/{plan.pk}/{tab}", "plan")

    assert (page.status_code, is_whole(page), is_whole(part)) == (200, True, False)
    assert "Warehouse roll-out" in text(part)
    assert "0 <small>of 3 done</small>" in text(part)


def test_objectives_stand_under_their_categories_with_their_tasks(priya: Visitor, plan: SuccessPlan) -> None:
    shown = text(priya.page(f"plans/{plan.pk}/"))
    names = ('category">Go live', "<b>Move three", "<b>Go live at", 'category">Adoption', "<b>Cut missed")
    order = [shown.index(words) for words in names]

    assert order == sorted(order)
    assert "Install scanners" in shown
    assert "in nobody’s cockpit" in shown


def test_a_task_is_ticked_where_it_stands(priya: Visitor, plan: SuccessPlan) -> None:
    task = Task.objects.get(title="Install scanners")
    priya.send(f"ctas/tasks/{task.pk}/complete/")

    assert "33% <small>by finished tasks" in text(priya.page(f"plans/{plan.pk}/"))


def test_the_drawer_of_an_objective_stands_beside_the_plan(priya: Visitor, plan: SuccessPlan) -> None:
    cta = named(plan, "Move three").cta
    drawer = text(priya.page(f"plans/{plan.pk}/?tab=gantt&cta={cta.pk}"))

    assert "Draft plan" in drawer
    assert "Add a task to this CTA" in drawer


def test_a_page_costs_the_same_queries_however_many_objectives(
    orbiton: Workspace, priya: Visitor, plan: SuccessPlan, django_assert_max_num_queries: Any
) -> None:
    for number in range(20):
        made = planning.add_objective(plan, name=f"More {number}", owner=orbiton.tom, by=orbiton.tom, now=NOW)
        made.cta.add_task(title="Do it", owner=orbiton.maya, by=orbiton.tom, now=NOW)

    for tab in ("objectives", "gantt", "timeline"):
        with django_assert_max_num_queries(32):
            priya.page(f"plans/{plan.pk}/?tab={tab}")


# --- making one -------------------------------------------------------------------------------------------------------


def test_a_plan_is_made_by_hand(orbiton: Workspace, priya: Visitor, harbour: Any) -> None:
    assert "New success plan" in text(priya.fragment("plans/new/", "dialog"))
    answer = priya.submit("plans/new/", name="Grow", account=harbour.name, owner=orbiton.tom.pk, start_on=TODAY)

    plan = SuccessPlan.objects.get()
    assert answer["Location"] == plan.get_absolute_url()
    assert (plan.status, plan.owner, plan.type.name, plan.account) == ("draft", orbiton.tom, "Success plan", harbour)


def test_a_plan_is_made_from_a_template_and_is_a_draft(orbiton: Workspace, priya: Visitor, harbour: Any) -> None:
    chosen = template(orbiton)
    facts = {"name": "Roll-out", "account": harbour.name, "owner": orbiton.maya.pk, "start_on": day(7)}
    priya.submit("plans/new/", template=chosen.pk, **facts)

    plan = SuccessPlan.objects.get()
    assert (plan.template, plan.due_on, states(plan)) == (chosen, day(67), ["draft", "draft"])
    assert named(plan, "Move").cta.owner == orbiton.priya


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"account": "Nowhere"}, "No account has this name"),
        ({"name": ""}, "This field is required"),
        ({"due_on": "2020-01-01"}, "It ends before it starts"),
    ],
)
def test_what_cannot_be_made_is_said_and_nothing_typed_is_lost(
    orbiton: Workspace, priya: Visitor, harbour: Any, wrong: dict[str, str], words: str
) -> None:
    facts = {"name": "Grow", "account": harbour.name, "start_on": TODAY.isoformat(), "due_on": ""}
    answer = priya.submit("plans/new/", **facts | wrong)

    assert (answer.status_code, SuccessPlan.objects.count()) == (422, 0)
    assert words in text(answer)
    assert wrong.get("name", "Grow") in text(answer)


# --- its life ---------------------------------------------------------------------------------------------------------


def test_it_begins_and_becomes_a_draft_again_with_one_click_each(priya: Visitor, plan: SuccessPlan) -> None:
    begun = priya.send(f"plans/{plan.pk}/activate/")
    assert json.loads(begun["HX-Trigger"])["toast"]["undo"].endswith(f"/plans/{plan.pk}/withdraw/")
    assert set(states(plan)) == {"open"}

    priya.send(f"plans/{plan.pk}/withdraw/")
    assert set(states(plan)) == {"draft"}
    assert "changed it before you" in priya.send(f"plans/{plan.pk}/withdraw/")["HX-Trigger"]


def test_closing_asks_about_open_objectives(orbiton: Workspace, priya: Visitor, plan: SuccessPlan) -> None:
    planning.activate(plan, by=orbiton.priya, now=NOW)
    assert "3 objectives still open" in text(priya.fragment(f"plans/{plan.pk}/close/", "dialog"))
    assert priya.submit(f"plans/{plan.pk}/close/", objectives="nonsense").status_code == 422

    priya.submit(f"plans/{plan.pk}/close/", objectives="close", outcome="lost")

    assert set(states(plan)) == {"lost"}
    assert "Reopen" in text(priya.page(f"plans/{plan.pk}/"))


def test_archived_plans_are_looked_at_and_restored(priya: Visitor, plan: SuccessPlan) -> None:
    priya.send(f"plans/{plan.pk}/archive/")
    page = text(priya.page(f"plans/{plan.pk}/"))

    assert "Archived" in page
    assert "Add objective" not in page
    assert priya.send(f"plans/{plan.pk}/activate/").status_code == 404
    priya.send(f"plans/{plan.pk}/restore/")
    assert SuccessPlan.objects.present().exists()


def test_an_observer_reads_and_comments_and_changes_nothing(orbiton: Workspace, plan: SuccessPlan) -> None:
    omar = Visitor(orbiton.omar)

    assert "Add objective" not in text(omar.page(f"plans/{plan.pk}/"))
    assert omar.send(f"plans/{plan.pk}/comments/", body="Seen").status_code == 204
    assert Comment.objects.get().subject == f"plan:{plan.pk}"
    for path in ("activate", "archive", "edit", "objectives", "links/new"):
        assert omar.send(f"plans/{plan.pk}/{path}/").status_code == 403


# --- what it says -----------------------------------------------------------------------------------------------------


def test_what_a_plan_says_is_edited_with_the_fields_of_its_type(
    orbiton: Workspace, priya: Visitor, plan: SuccessPlan
) -> None:
    form = text(priya.fragment(f"plans/{plan.pk}/edit/", "dialog"))
    facts = {"name": "Renamed", "owner": orbiton.tom.pk, "highlights": "They love it", "due_on": day(100)}
    metric = {"metric": "Missed scans", "metric_unit": "%", "metric_now": "3.1", "metric_goal": "2"}
    own = {"value-sites": "12", "value-phase": "Pilot", "value-signed_on": "2026-11-09", "value-reference": "true"}
    priya.send(f"plans/{plan.pk}/edit/", target="dialog", **facts, **metric, **own)

    plan.refresh_from_db()
    assert "Sponsor&#x27;s wish" in form
    assert plan.values == {"sites": 12.0, "phase": "Pilot", "signed_on": "2026-11-09", "reference": True}
    assert (plan.name, plan.owner, plan.start_on, plan.due_on) == ("Renamed", orbiton.tom, None, day(100))
    info = text(priya.page(f"plans/{plan.pk}/?tab=info"))
    assert "<dt>Missed scans</dt><dd>3.1% <small>goal 2%" in info
    assert "<dt>Sites</dt><dd><span>12</span></dd>" in info
    assert 'name="value-sites" value="12"' in text(priya.fragment(f"plans/{plan.pk}/edit/", "dialog"))


def test_objectives_are_added_edited_and_moved(orbiton: Workspace, priya: Visitor, plan: SuccessPlan) -> None:
    pilot = named(plan, "Move three")
    priya.send(f"plans/{plan.pk}/objectives/", name="Celebrate", weight=2, due_on=day(95), needs=pilot.pk)
    party = named(plan, "Celebrate")

    assert (party.cta.status, party.weight, party.position) == ("draft", 2, 3)
    assert [one.needed for one in party.needs.all()] == [pilot]
    shown = text(priya.page(f"plans/{plan.pk}/"))
    assert "after Move three pilot sites" in shown
    assert "Ends after the plan is due" in shown

    priya.send(f"plans/objectives/{party.pk}/", name="Party", weight=1, category="Adoption", start_on=day(70))
    priya.send(f"plans/objectives/{party.pk}/up/")
    order = Objective.objects.filter(plan=plan).order_by("position").values_list("cta__name", flat=True)
    assert list(order)[2:] == ["Party", "Cut missed scans by half"]
    assert not party.needs.exists()


def test_a_bar_or_a_date_is_moved_alone(orbiton: Workspace, priya: Visitor, plan: SuccessPlan) -> None:
    pilot = named(plan, "Move three")
    priya.send(f"plans/objectives/{pilot.pk}/schedule/", start_on=day(2), due_on=day(14))
    assert (named(plan, "Move").start_on, named(plan, "Move").cta.due_on) == (day(2), day(14))

    priya.send(f"plans/objectives/{pilot.pk}/schedule/", due_on=day(20))
    assert (named(plan, "Move").start_on, named(plan, "Move").cta.due_on) == (day(2), day(20))
    assert "before it starts" in priya.send(f"plans/objectives/{pilot.pk}/schedule/", due_on=day(1))["HX-Trigger"]
    priya.send(f"plans/{plan.pk}/schedule/", due_on=day(99))
    assert SuccessPlan.objects.get().due_on == day(99)


def test_a_cta_joins_and_leaves_from_both_sides(
    orbiton: Workspace, priya: Visitor, plan: SuccessPlan, harbour: Any
) -> None:
    cta = stand_alone(harbour, orbiton)
    assert "In no success plan" in text(priya.fragment(f"ctas/{cta.pk}/", "drawer"))

    priya.send(f"plans/{plan.pk}/join/", cta=cta.pk, category="Adoption")
    joined = named(plan, "Call them")
    assert (joined.cta.status, joined.cta.type, joined.category) == ("open", "risk", "Adoption")
    left = json.loads(priya.send(f"plans/objectives/{joined.pk}/leave/")["HX-Trigger"])["toast"]
    priya.client.post(left["undo"])
    assert named(plan, "Call them").category == "Adoption"

    told = TimelineEntry.objects.filter(subject=f"cta:{cta.pk}").order_by("id").values_list("text", flat=True)
    joined_text, left_text = "CTA joined Warehouse roll-out: Call them", "CTA left Warehouse roll-out: Call them"
    assert list(told) == [joined_text, left_text, joined_text]


def test_stakeholders_are_users_or_named(orbiton: Workspace, priya: Visitor, plan: SuccessPlan, harbour: Any) -> None:
    ines = world.user("Ines Falk", harbour)
    priya.send(f"plans/{plan.pk}/stakeholders/", end_user=ines.pk, role="VP Operations")
    priya.send(f"plans/{plan.pk}/stakeholders/", name="Dario Menotti")
    nobody = priya.submit(f"plans/{plan.pk}/stakeholders/", role="Sponsor")

    assert (nobody.status_code, "write a name" in text(nobody)) == (422, True)
    assert "with Ines Falk, VP Operations" in text(priya.page(f"plans/{plan.pk}/"))
    priya.send(f"plans/stakeholders/{plan.stakeholders.get(name='Dario Menotti').pk}/remove/")
    assert [one.name for one in plan.stakeholders.all()] == ["Ines Falk"]


def test_an_account_shows_its_plans(priya: Visitor, plan: SuccessPlan) -> None:
    assert "0 of 3 objectives" in text(priya.page(f"accounts/{plan.account_id}/"))


def test_draft_objectives_stay_out_of_the_cockpit_until_the_plan_begins(
    orbiton: Workspace, priya: Visitor, plan: SuccessPlan
) -> None:
    assert "Move three" not in text(priya.page("ctas/"))

    planning.activate(plan, by=orbiton.priya, now=NOW)

    assert "Move three" in text(priya.page("ctas/"))
    assert Cta.objects.open().count() == 3


@pytest.mark.parametrize(("begun", "status"), [(False, "draft"), (True, "open")])
def test_a_new_objective_names_its_plan(
    orbiton: Workspace, priya: Visitor, plan: SuccessPlan, harbour: Any, begun: bool, status: str
) -> None:
    if begun:
        planning.activate(plan, by=orbiton.priya, now=NOW)
    facts = {"name": "Agree a target", "account": harbour.name, "type": "objective", "priority": "high"}
    nowhere = priya.submit("ctas/new/", **facts, plan="No such plan")
    priya.submit("ctas/new/", **facts, plan="warehouse roll-out")

    assert (nowhere.status_code, "There is: Warehouse roll-out." in text(nowhere)) == (422, True)
    assert named(plan, "Agree").cta.status == status


def test_files_are_added_on_plan_info(orbiton: Workspace, priya: Visitor, plan: SuccessPlan) -> None:
    file = SimpleUploadedFile("goals.txt", b"What they want")
    priya.send(f"plans/{plan.pk}/files/", files=file)

    assert "goals.txt" in text(priya.page(f"plans/{plan.pk}/?tab=info"))
    assert "Add files" not in text(Visitor(orbiton.omar).page(f"plans/{plan.pk}/?tab=info"))


def test_the_discussion_of_a_plan_stays_its_own_beside_that_of_an_objective(priya: Visitor, plan: SuccessPlan) -> None:
    cta = named(plan, "Move three").cta
    priya.send(f"plans/{plan.pk}/comments/", body="About the plan")
    priya.send(f"ctas/{cta.pk}/comments/", body="About the objective")
    shown = text(priya.page(f"plans/{plan.pk}/?tab=timeline&cta={cta.pk}"))

    assert (shown.count("About the plan"), shown.count("About the objective")) == (1, 1)
    assert f'action="/w/orbiton/plans/{plan.pk}/comments/"' in shown
    ids = re.findall(r' id="([^"]+)"', shown)
    assert sorted(set(ids)) == sorted(ids)


# --- what hangs on an objective ---------------------------------------------------------------------------------------


def asks(answer: Any) -> str:
    return str(json.loads(answer["HX-Trigger"]).get("dialog:ask", {}).get("address", ""))


def test_moving_an_objective_offers_its_open_tasks_to_come_along(
    orbiton: Workspace, priya: Visitor, plan: SuccessPlan
) -> None:
    pilot = named(plan, "Move")
    task = pilot.cta.tasks.order_by("pk")[0]
    task.edit(due_on=day(3), by=orbiton.priya, now=NOW)
    pilot.cta.edit(due_on=day(14), by=orbiton.priya, now=NOW)
    address = f"plans/objectives/{pilot.pk}/schedule/"

    follow = f"/w/orbiton/ctas/{pilot.cta.pk}/follow/?days=7"
    assert asks(priya.send(address, due_on=day(21))) == follow
    assert asks(priya.send(address, start_on=day(2), due_on=day(28))) == follow
    assert asks(priya.send(address, start_on=day(2), due_on=day(35))) == ""  # only its end moved
    priya.send(f"ctas/{pilot.cta.pk}/follow/", days=7)
    task.refresh_from_db()
    assert task.due_on == day(10)


def test_another_owner_of_an_objective_is_told_and_offered_its_tasks(
    orbiton: Workspace, priya: Visitor, plan: SuccessPlan
) -> None:
    planning.activate(plan, by=orbiton.priya, now=NOW)
    pilot = named(plan, "Move")
    facts = {"name": pilot.cta.name, "weight": 1, "owner": orbiton.maya.pk}
    answer = priya.send(f"plans/objectives/{pilot.pk}/", target="dialog", **facts)

    assert asks(answer).startswith(f"/w/orbiton/ctas/{pilot.cta.pk}/follow/?was=")
    assert Notification.objects.get(member=orbiton.maya, subject=pilot.cta.subject).text.startswith(pilot.cta.name)


def test_owners_of_objectives_are_told_as_their_plan_begins_and_not_before(
    orbiton: Workspace, plan: SuccessPlan
) -> None:
    by: dict[str, Any] = {"by": orbiton.maya, "now": NOW}
    planning.add_objective(plan, name="Hold a workshop", owner=orbiton.tom, **by)
    mine = Notification.objects.filter(member=orbiton.tom)
    assert mine.count() == 0

    planning.activate(plan, **by)
    planning.add_objective(plan, name="Hold another", owner=orbiton.tom, **by)
    assert [one.text.partition(" is yours")[0] for one in mine.order_by("pk")] == ["Hold a workshop", "Hold another"]
