"""The list of plans, and a plan laid out in time."""

from datetime import date, timedelta
from typing import Any

import pytest
from django.http import QueryDict

from accounts.models import Account
from cs_platform.workspace.models import SavedView
from success_plans import listing, planning
from success_plans.gantt import Scale, draw
from success_plans.listing import Asked, load_page
from success_plans.models import PlanType, SuccessPlan
from success_plans.objectives import load_lines
from success_plans.planning import create_plan
from success_plans.scheduling import set_needs
from tests import world
from tests.success_plans.world import NOW, TODAY, day, named, roll_out, stand_alone
from tests.visitor import Visitor, is_whole, text
from tests.world import Workspace


def make(space: Workspace, name: str, *, due: int | None = 0, owner: str = "priya", **parts: Any) -> SuccessPlan:
    known = {"account": world.account(f"Account of {name}"), "owner": space.people[owner]} | parts
    plan = create_plan(name=name, due_on=None if due is None else day(due), by=space.priya, now=NOW, **known)
    planning.activate(plan, by=space.priya, now=NOW)
    return plan


def names(space: Workspace, query: str = "") -> list[str]:
    page = load_page(Asked.of(QueryDict(query)), member=space.priya, today=TODAY)
    return [row.plan.name for row in page.rows]


@pytest.mark.parametrize("sort", ["due", "-due", "name", "-name", "created", "-created", "nonsense"])
def test_every_plan_comes_once_however_many_pages_there_are(
    orbiton: Workspace, monkeypatch: pytest.MonkeyPatch, sort: str
) -> None:
    for number, due in enumerate((None, 5, 0, 0, None, -2)):
        make(orbiton, f"Plan {number}", due=due)
    whole = names(orbiton, f"sort={sort}")
    monkeypatch.setattr(listing, "PAGE_SIZE", 2)

    found: list[str] = []
    after = ""
    while True:
        page = load_page(Asked.of(QueryDict(f"sort={sort}&after={after}")), member=orbiton.priya, today=TODAY)
        found += [row.plan.name for row in page.rows]
        if not page.next:
            break
        after = page.next

    assert found == whole
    assert len(set(found)) == 6


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("owner=me", ["Late", "Mine"]),
        ("due=overdue", ["Late"]),
        ("due=undated", ["Some day"]),
        ("q=account%20of%20mine", ["Mine"]),
        ("tab=draft", []),
        ("type=99999&owner=x&due=y&tab=z&after=%00&account=", ["Late", "Mine", "Some day"]),
    ],
)
def test_filters_narrow_the_list(orbiton: Workspace, query: str, found: list[str]) -> None:
    make(orbiton, "Mine", due=3), make(orbiton, "Late", due=-3), make(orbiton, "Some day", due=None, owner="tom")

    assert names(orbiton, query) == found


def test_drafts_closed_and_archived_plans_stand_apart(orbiton: Workspace) -> None:
    draft, closed, archived = (make(orbiton, name) for name in ("Draft", "Closed", "Archived"))
    by: dict[str, Any] = {"by": orbiton.priya, "now": NOW}
    planning.withdraw(draft, **by)
    planning.close_plan(closed, objectives=planning.OpenObjectives.KEEP, **by)
    planning.archive_plan(archived, **by)

    assert [names(orbiton, f"tab={tab}") for tab in listing.TABS] == [[], ["Draft"], ["Closed"], ["Archived"]]


def test_the_page_the_rows_and_a_saved_view(orbiton: Workspace, priya: Visitor) -> None:
    make(orbiton, "Mine", due=None), make(orbiton, "Toms", owner="tom")
    rows = priya.fragment("plans/?owner=me", "results")
    assert (is_whole(rows), "Toms" in text(rows), "On track" in text(rows)) == (False, False, True)

    priya.submit("views/plans/new/?owner=me", name="My plans")
    view = SavedView.objects.get()
    assert "Mine" in text(priya.page(f"plans/?owner=me&view={view.pk}"))
    assert priya.page(f"plans/?view={view.pk}").status_code == 302
    assert "No plan matches" in text(priya.page("plans/?q=nothing"))
    assert "No drafts" in text(priya.page("plans/?tab=draft"))


def test_a_page_costs_the_same_queries_however_many_plans(
    orbiton: Workspace, priya: Visitor, django_assert_max_num_queries: Any
) -> None:
    for number in range(12):
        make(orbiton, f"Plan {number}")

    with django_assert_max_num_queries(21):
        priya.page("plans/")


# --- in time ----------------------------------------------------------------------------------------------------------


def chart(plan: SuccessPlan, scale: Scale = Scale.WEEKS, today: date = TODAY) -> Any:
    plan.refresh_from_db()
    return draw(plan, load_lines(plan, today=today), percent=0, today=today, scale=scale)


def test_bars_stand_where_their_days_are(orbiton: Workspace, plan: SuccessPlan) -> None:
    drawn = chart(plan)
    axis, pilot = drawn.axis, drawn.rows[0]

    assert (axis.first, axis.columns[0].label, axis.columns[1].label) == (TODAY, "2 Nov", "9")
    assert (pilot.bar.start, pilot.bar.due, pilot.bar.left) == (TODAY, day(12), 0)
    assert pilot.bar.width == pytest.approx(100 * 13 / axis.days, abs=0.01)
    assert [(task.bar.start, task.bar.due) for task in pilot.tasks] == [(TODAY, day(5)), (day(5), day(5))]
    assert (drawn.plan.start, drawn.plan.due, drawn.today) == (TODAY, day(90), 0)


def test_months_begin_with_their_first_day_and_name_the_year_where_it_changes(
    orbiton: Workspace, plan: SuccessPlan
) -> None:
    labels = [column.label for column in chart(plan, Scale.MONTHS).axis.columns]

    assert labels == ["Nov 2026", "Dec", "Jan 2027", "Feb", "Mar", "Apr"]


def test_a_renewal_is_marked_while_it_is_near(orbiton: Workspace, plan: SuccessPlan) -> None:
    for days, near in ((36, True), (900, False)):
        Account.objects.update(renewal_on=day(days))
        assert (chart(plan).renewal is not None) is near


def test_a_plan_without_any_date_is_drawn_too(orbiton: Workspace, harbour: Account) -> None:
    plan = create_plan(account=harbour, name="Undated", by=orbiton.priya, now=NOW)

    assert (chart(plan).plan, chart(plan).today, len(chart(plan).axis.columns)) == (None, 0, 6)


def test_what_does_not_fit_in_time_is_said(orbiton: Workspace, plan: SuccessPlan) -> None:
    by: dict[str, Any] = {"by": orbiton.priya, "now": NOW}
    pilot, live = named(plan, "Move three"), named(plan, "Go live")
    set_needs(live, {pilot.pk}, **by)
    live.cta.tasks.get().edit(due_on=day(30), **by)
    named(plan, "Cut").cta.edit(due_on=day(91), **by)

    said = {line.cta.name.split()[0]: list(line.warnings) for line in load_lines(plan, today=day(13))}
    assert said == {
        "Move": ["Overdue"],
        "Go": ["Task “Move user accounts” is due after it", "Starts before “Move three pilot sites” ends"],
        "Cut": ["Ends after the plan is due"],
    }


def test_the_gantt_page_offers_bars_to_those_who_may_move_them(
    orbiton: Workspace, priya: Visitor, plan: SuccessPlan
) -> None:
    Account.objects.update(renewal_on=TODAY + timedelta(days=36))
    ours = text(priya.page(f"plans/{plan.pk}/?tab=gantt"))
    theirs = text(Visitor(orbiton.omar).page(f"plans/{plan.pk}/?tab=gantt"))

    assert ours.count("data-bar=") == 4
    assert "Renewal 8 Dec" in ours
    assert "data-bar=" not in theirs
    assert 'aria-label="Move three pilot sites, 2 Nov' in theirs
    assert "Install scanners" not in text(priya.page(f"plans/{plan.pk}/?tab=gantt&tasks=hidden"))


# --- settings ---------------------------------------------------------------------------------------------------------


def test_a_type_and_a_template_are_set_up_on_pages(orbiton: Workspace) -> None:
    maya = Visitor(orbiton.maya)
    counts = {"fields-TOTAL_FORMS": "2", "fields-INITIAL_FORMS": "0"}
    fields = {"fields-0-label": "Phase", "fields-0-kind": "choice", "fields-0-choices": "Pilot\nRoll-out"}
    maya.submit("settings/plans/types/new/", name="Sites", formula="weighted", categories="A\nB", **counts, **fields)
    type = PlanType.objects.get()
    assert (type.formula, type.categories, type.fields[0]["choices"]) == ("weighted", ["A", "B"], ["Pilot", "Roll-out"])

    lines = {
        "objectives-0-name": "Go live",
        "objectives-0-due_day": "14",
        "objectives-0-tasks": "Install | 5\nSign off | 14 | ae",
        "objectives-1-name": "Train",
        "objectives-1-needs": "1",
    }
    facts = {"name": "Roll-out", "type": type.pk, "objectives-TOTAL_FORMS": "2", "objectives-INITIAL_FORMS": "0"}
    maya.submit("settings/plans/templates/new/", **facts, **lines)
    shown = text(maya.page("settings/plans/"))
    assert "2 objectives" in shown
    made = type.templates.get()
    first, second = made.definition["objectives"]
    assert [(task["title"], task["due_day"], task["owner"]) for task in first["tasks"]] == [
        ("Install", 5, ""), ("Sign off", 14, "ae"),
    ]  # fmt: skip
    assert second["needs"] == [0]
    assert "Sign off | 14 | ae" in maya.page(f"settings/plans/templates/{made.pk}/").content.decode()

    more = text(maya.submit(f"settings/plans/templates/{made.pk}/", **facts, **lines, add="1"))
    assert ('value="Go live"' in more, 'value="Train"' in more, "Objective 3" in more) == (True, True, True)
    assert type.templates.get().definition == made.definition  # nothing is saved by it

    again = {**facts, **lines, "objectives-1-needs": "2"}
    refused = maya.submit(f"settings/plans/templates/{made.pk}/", **again)
    assert (refused.status_code, "wait for each other" in text(refused)) == (422, True)
    gone = {**facts, **lines, "objectives-0-DELETE": "on"}
    maya.submit(f"settings/plans/templates/{made.pk}/", **gone)
    assert [(one["name"], one["needs"]) for one in type.templates.get().definition["objectives"]] == [("Train", [])]


def test_the_set_up_is_for_managers_and_everybody_reads_it(orbiton: Workspace, priya: Visitor) -> None:
    roll_out(world.account(), orbiton)

    assert "Progress by finished tasks" in text(priya.page("settings/plans/"))
    assert priya.page("settings/plans/types/new/").status_code == 403
    assert priya.submit(f"settings/plans/types/{PlanType.objects.get().pk}/archive/").status_code == 403


def test_the_cockpit_groups_work_by_plan_and_keeps_plans_of_one_name_apart(
    orbiton: Workspace, harbour: Account, priya: Visitor
) -> None:
    for at in (harbour, world.account("Calyx")):
        cta = stand_alone(at, orbiton, f"Call {at.name}", owner=orbiton.priya)
        plan = create_plan(account=at, name="Onboarding", by=orbiton.priya, now=NOW)
        planning.join_plan(plan, cta, by=orbiton.priya, now=NOW)
    stand_alone(harbour, orbiton, "Alone", owner=orbiton.priya)
    shown = text(priya.page("ctas/?group=plan"))
    order = [shown.index(words) for words in (">Onboarding · Harbour", ">Onboarding · Calyx", ">In no plan")]

    assert order == sorted(order)
