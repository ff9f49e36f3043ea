"""Work is late, and what is snoozed comes back, by the day of whoever owns it; what nobody owns by the workspace's."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.http import QueryDict

from cs_platform.tenancy.models import Membership
from ctas.board import By, load_board
from ctas.bulk.selection import Selection
from ctas.cockpit import Asked, load_counts, load_page
from ctas.digest import DueWork
from ctas.lists import current_lists
from ctas.models import Cta
from ctas.opening import open_cta
from ctas.own_days import own_day, own_days
from ctas.ownership import workloads
from tests import world
from tests.world import Workspace

HERE = date(2026, 11, 18)  # a Wednesday
NOW = datetime(2026, 11, 18, 13, tzinfo=UTC)


@pytest.fixture
def priya(space: Workspace) -> Membership:
    """In Auckland, where it is Thursday."""
    space.priya.timezone = "Pacific/Auckland"
    space.priya.save(update_fields=["timezone"])
    return space.priya


@pytest.fixture
def ctas(space: Workspace, priya: Membership) -> dict[str, Cta]:
    """One of each owner, due on Wednesday."""
    at = world.account()
    owners = {"Hers": priya, "His": space.tom, "Nobody’s": None}
    facts: dict[str, Any] = {"account": at, "type": "risk", "due_on": HERE, "by": space.maya, "now": NOW}
    return {name: open_cta(name=name, owner=owner, **facts) for name, owner in owners.items()}


def asked(query: str) -> Asked:
    return Asked.of(QueryDict(query))


def shown(space: Workspace, member: Membership, query: str) -> list[tuple[str, list[str]]]:
    page = load_page(asked(query), member=member, today=own_days(space.tenant, now=NOW))
    return [(group.label, [row.cta.name for row in group.rows]) for group in page.groups]


def test_a_day_is_that_of_the_owner_and_the_workspaces_for_nobody(space: Workspace, priya: Membership) -> None:
    days = own_days(space.tenant, now=NOW)

    assert [days.of(owner) for owner in (priya.pk, space.tom.pk, None)] == [date(2026, 11, 19), HERE, HERE]
    assert own_day(priya, space.tenant, now=NOW) == date(2026, 11, 19)


def test_the_same_due_date_is_over_for_one_and_today_for_another(space: Workspace, ctas: dict[str, Cta]) -> None:
    assert shown(space, space.priya, "") == [("Overdue", ["Hers"])]
    assert shown(space, space.tom, "") == [("Today", ["His"])]


@pytest.mark.parametrize("order", ["due", "priority"])
def test_a_list_of_everybody_has_each_under_their_own_day_and_each_group_once(
    space: Workspace, ctas: dict[str, Cta], order: str
) -> None:
    facts: dict[str, Any] = {"account": ctas["Hers"].account, "type": "risk", "by": space.maya, "now": NOW}
    open_cta(name="Hers, too", owner=space.priya, due_on=HERE, **facts)

    groups = shown(space, space.maya, f"tab=team&order={order}")
    assert groups == [("Overdue", ["Hers", "Hers, too"]), ("Today", ["His", "Nobody’s"])]


def test_filters_columns_and_selections_go_by_it(space: Workspace, ctas: dict[str, Cta]) -> None:
    days = own_days(space.tenant, now=NOW)
    board = load_board(asked("tab=team&look=board"), By.DUE, member=space.tom, today=days, lists=current_lists())
    chosen = Selection(query="tab=team&due=overdue").among(tenant=space.tenant, member=space.tom, now=NOW)

    assert shown(space, space.tom, "tab=team&due=overdue") == [("Overdue", ["Hers"])]
    assert shown(space, space.tom, "tab=team&due=today") == [("Today", ["His", "Nobody’s"])]
    assert {column.key: column.count for column in board if column.count} == {"overdue": 1, "today": 2}
    assert chosen.names() == ["Hers · Harbourline Logistics"]


def test_a_snoozed_one_comes_back_in_the_morning_of_its_owner(space: Workspace, ctas: dict[str, Cta]) -> None:
    for cta in ctas.values():
        cta.snooze(until=HERE + timedelta(days=1), by=space.maya, now=NOW)
    days = own_days(space.tenant, now=NOW)

    assert shown(space, space.priya, "") == [("Overdue", ["Hers"])]
    assert shown(space, space.tom, "tab=team") == [("Overdue", ["Hers"])]
    assert shown(space, space.tom, "tab=snoozed") == [("Today", ["His"])]
    counts = load_counts(Asked(), member=space.priya, today=days)
    assert (counts["mine"], counts["team"], counts["snoozed"]) == (1, 1, 0)


def test_reports_count_as_late_what_is_over_for_its_owner(space: Workspace, ctas: dict[str, Cta]) -> None:
    work = workloads(today=own_days(space.tenant, now=NOW), since=NOW)

    assert {owner: one.late for owner, one in work.items()} == {space.priya.pk: 1, space.tom.pk: 0, None: 0}


def test_a_task_of_a_snoozed_cta_is_in_no_daily_mail(space: Workspace, ctas: dict[str, Cta]) -> None:
    cta = ctas["His"]
    cta.add_task(title="Dial", owner=space.tom, due_on=HERE, by=space.tom, now=NOW)
    assert [part.title for part in DueWork().parts(space.tom, today=HERE)] == ["CTA due today", "task due today"]

    cta.snooze(until=HERE + timedelta(days=1), by=space.tom, now=NOW)
    assert DueWork().parts(space.tom, today=HERE) == []
