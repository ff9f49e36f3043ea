"""The cockpit as a board and as a calendar, saved views, and what is edited in a row."""

from datetime import date, timedelta
from typing import Any

import pytest
from django.http import QueryDict

from cs_platform.workspace.models import SavedView
from ctas import board, month
from ctas.board import By, load_board
from ctas.cockpit import Asked
from ctas.lists import current_lists
from ctas.models import Cta
from ctas.month import load_month
from ctas.opening import open_cta
from ctas.own_days import OwnDays
from tests import world
from tests.visitor import Visitor, text
from tests.world import MONDAY, Workspace, on

WEDNESDAY = date(2026, 11, 4)


def cta(space: Workspace, name: str, *, due: date | None = None, owner: str = "priya", **more: Any) -> Cta:
    facts = {"account": world.account(f"Account of {name}"), "type": "risk", "by": space.tom, "now": MONDAY}
    return open_cta(name=name, due_on=due, owner=space.people[owner], **facts, **more)


def columns(space: Workspace, by: By, query: str = "") -> list[tuple[str, list[str], int]]:
    asked = Asked.of(QueryDict(query))
    made = load_board(asked, by, member=space.priya, today=OwnDays(WEDNESDAY), lists=current_lists())
    return [(one.label, [row.cta.name for row in one.rows], one.count) for one in made]


def test_a_board_has_a_column_per_status_and_places_that_close(space: Workspace) -> None:
    cta(space, "Later", due=on(20)), cta(space, "Soon", due=on(5)), cta(space, "Undated")
    cta(space, "Begun", stage="in_progress"), cta(space, "Toms", owner="tom")

    assert columns(space, By.STATUS) == [
        ("New", ["Soon", "Later", "Undated"], 3),
        ("In progress", ["Begun"], 1),
        ("Closed won", [], 0),
        ("Closed lost", [], 0),
        ("Cancelled", [], 0),
    ]


def test_a_board_by_due_date_says_which_day_a_place_means(space: Workspace) -> None:
    cta(space, "Late", due=on(3)), cta(space, "Now", due=on(4)), cta(space, "Sunday", due=on(8))
    cta(space, "Monday", due=on(9)), cta(space, "Undated")
    asked, lists = Asked.of(QueryDict("")), current_lists()
    made = load_board(asked, By.DUE, member=space.priya, today=OwnDays(WEDNESDAY), lists=lists)
    friday = load_board(asked, By.DUE, member=space.priya, today=OwnDays(on(6)), lists=lists)

    assert [[row.cta.name for row in one.rows] for one in made] == [
        ["Late"],
        ["Now"],
        ["Sunday"],
        ["Monday"],
        ["Undated"],
    ]
    days = [one.change and one.change["due_on"] for one in made]
    assert days == [None, "2026-11-04", "2026-11-06", "2026-11-09", ""]
    assert friday[2].change == {"due_on": "2026-11-08"}


def test_a_column_shows_the_first_and_counts_the_rest(space: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(board, "CARDS", 2)
    for n in range(4):
        cta(space, f"CTA {n}", due=on(5 + n))

    assert columns(space, By.STATUS)[0] == ("New", ["CTA 0", "CTA 1"], 4)


def test_a_calendar_shows_the_first_of_each_day_and_how_many_there_are(
    space: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(month, "SHOWN", 2)
    for n in range(3):
        cta(space, f"CTA {n}", due=on(5))
    cta(space, "December", due=on(3, 12)), cta(space, "Far", due=on(24, 12)), cta(space, "Undated")
    made = load_month(Asked(), member=space.priya, today=OwnDays(WEDNESDAY), lists=current_lists())
    days = {day.on: day for week in made.weeks for day in week}

    assert (made.weeks[0][0].on, len(days)) == (on(26, 10), 42)
    assert ([row.cta.name for row in days[on(5)].rows], days[on(5)].more) == (["CTA 0", "CTA 1"], 1)
    assert (days[on(3, 12)].rows[0].cta.name, days[on(3, 12)].in_month) == ("December", False)
    assert sum(day.count for day in days.values()) == 4


@pytest.mark.parametrize(("asked", "weeks"), [("2026-11", 6), ("2026-12", 5), ("2027-02", 4)])
def test_a_calendar_has_the_weeks_of_its_month(space: Workspace, asked: str, weeks: int) -> None:
    which = Asked(month=date.fromisoformat(f"{asked}-01"))
    made = load_month(which, member=space.priya, today=OwnDays(WEDNESDAY), lists=current_lists())

    assert [len(week) for week in made.weeks] == [7] * weeks
    assert all(any(day.in_month for day in week) for week in made.weeks)


def test_tasks_have_a_calendar_too(space: Workspace, csm: Visitor) -> None:
    task = cta(space, "Call").add_task(title="Dial", owner=space.priya, due_on=on(5), by=space.tom, now=MONDAY)
    shown = text(csm.page("ctas/?tab=tasks&look=calendar&month=2026-11"))
    csm.send(f"ctas/tasks/{task.pk}/due/", due_on="2026-11-09")

    assert "Dial" in shown
    task.refresh_from_db()
    assert task.due_on == on(9)


@pytest.mark.parametrize("query", ["look=board", "look=board&by=due", "look=calendar", "look=calendar&month=2026-13"])
def test_a_look_is_a_page_and_a_fragment(space: Workspace, csm: Visitor, query: str) -> None:
    cta(space, "Call", due=MONDAY.date() + timedelta(days=1))

    assert "Call" in text(csm.page(f"ctas/?{query}")) or "calendar" in query
    assert csm.fragment(f"ctas/?{query}", "cockpit").status_code == 200


def test_a_look_costs_the_same_queries_however_much_there_is(
    space: Workspace, csm: Visitor, django_assert_max_num_queries: Any
) -> None:
    for n in range(12):
        cta(space, f"CTA {n}", due=on(1 + n))
    for query in ("look=board", "look=calendar&month=2026-11"):
        with django_assert_max_num_queries(40):
            csm.page(f"ctas/?{query}")


def test_a_card_that_is_put_elsewhere_takes_over_what_the_place_says(space: Workspace, csm: Visitor) -> None:
    one = cta(space, "Call", due=on(5))
    csm.send(f"ctas/{one.pk}/status/", stage="in_progress")
    csm.send(f"ctas/{one.pk}/edit/", due_on="")

    one.refresh_from_db()
    assert (one.stage, one.due_on) == ("in_progress", None)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("group=status", ["New", "In progress"]),
        ("group=priority&order=newest", ["High priority", "Medium priority"]),
        ("order=priority", ["Overdue"]),
    ],
)
def test_groups_stand_in_the_order_of_their_list(space: Workspace, csm: Visitor, query: str, found: list[str]) -> None:
    cta(space, "Begun", stage="in_progress", due=on(1)), cta(space, "Fresh", priority="high", due=on(1))
    page = text(csm.page(f"ctas/?{query}"))

    assert [page.index(f">{label}<") for label in found] == sorted(page.index(f">{label}<") for label in found)
    if "order=priority" in query:
        assert page.index("Fresh") < page.index("Begun")


def test_a_list_is_kept_as_a_view_and_opened_by_it(space: Workspace, csm: Visitor) -> None:
    cta(space, "Call"), cta(space, "Ring", priority="high")
    csm.submit("views/cockpit/new/?tab=mine&priority=high", name="Urgent")
    view = SavedView.objects.get()
    leads = csm.page(f"ctas/?view={view.pk}")
    opened = text(csm.client.get(leads["Location"]))

    assert f"view={view.pk}" in text(csm.page("ctas/"))
    assert ("Account of Ring" in opened, "Account of Call" in opened) == (True, False)


@pytest.mark.parametrize("field", ["due_on", "owner", "priority", "stage", "reason", "name"])
def test_a_value_of_a_row_has_its_form(space: Workspace, csm: Visitor, field: str) -> None:
    one = cta(space, "Call", due=on(5))
    form = text(csm.fragment(f"ctas/{one.pk}/cell/?field={field}", f"cell-{one.pk}-{field}"))

    assert f'name="{field}"' in form
    assert f"/ctas/{one.pk}/" in form
