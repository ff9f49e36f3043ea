"""How plans stand by their own words, what was begun and reached, which need somebody, and who has none."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from accounts.models import Account
from cs_platform.tenancy.models import Membership
from ctas.models import Cta, Task
from success_plans.listing import rows_of
from success_plans.models import Objective, SuccessPlan
from success_plans.plan_report import PlanReport, coverage, needing_attention, plan_report
from success_plans.planning import usual_type
from tests import world
from tests.world import Workspace

ZONE = ZoneInfo("UTC")
OCTOBER, NOVEMBER = datetime(2026, 10, 1, tzinfo=UTC), datetime(2026, 11, 1, tzinfo=UTC)
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
TODAY = NOW.date()
YESTERDAY, TOMORROW, NEXT_WEEK = (TODAY + timedelta(days=n) for n in (-1, 1, 7))


def report(**asked: Any) -> PlanReport:
    return plan_report(**({"starts": [OCTOBER, NOVEMBER], "now": NOW, "zone": ZONE} | asked))


def plan(owner: Membership | None = None, **parts: Any) -> SuccessPlan:
    made = {"account": parts.get("account") or world.account(f"A{Account.objects.count()}"), "owner": owner}
    made |= {"type": usual_type(now=OCTOBER), "status": "active", "activated_at": NOW - timedelta(days=3)}
    made |= {"name": "Roll-out", "created_at": OCTOBER, "created_by": "person:1"}
    return SuccessPlan.objects.create(**(made | parts))


def objective(of: SuccessPlan, **parts: Any) -> Cta:
    made = {"account": of.account, "name": "Go live", "type": "objective", "status": "open"}
    cta = Cta.objects.create(**(made | {"created_at": OCTOBER, "created_by": "person:1"} | parts))
    Objective.objects.create(plan=of, cta=cta, joined_at=OCTOBER, joined_by="person:1")
    return cta


def task(of: Cta, **parts: Any) -> Task:
    return Task.objects.create(cta=of, title="Install", created_at=OCTOBER, created_by="person:1", **parts)


def test_plans_stand_as_their_list_says(orbiton: Workspace) -> None:
    on_track = plan(due_on=NEXT_WEEK)
    objective(on_track, due_on=TOMORROW)
    plan(due_on=YESTERDAY)
    late = plan(due_on=NEXT_WEEK)
    objective(late, due_on=YESTERDAY)
    beyond = plan(due_on=TOMORROW)
    objective(beyond, due_on=NEXT_WEEK)
    forgiven = plan(due_on=TOMORROW)
    objective(forgiven, due_on=NEXT_WEEK, status="cancelled", closed_at=NOW)
    for status in ("draft", "closed"):
        plan(status=status, due_on=YESTERDAY)

    whole = report().whole

    assert (whole.active, whole.on_track, whole.at_risk, whole.overdue) == (5, 2, 2, 1)
    words = [row.standing.label for row in rows_of(SuccessPlan.objects.filter(status="active"), today=TODAY)]
    assert sorted(words) == ["At risk", "At risk", "On track", "On track", "Overdue"]


def test_the_average_is_of_what_is_under_way(orbiton: Workspace) -> None:
    half, nothing = plan(), plan()
    for status in ("done", "open"):
        task(objective(half), status=status)
    task(objective(nothing), status="open")
    task(objective(plan(status="closed", closed_at=NOW - timedelta(days=1))), status="done")

    assert report().whole.progress == 25


def test_each_step_has_what_was_begun_closed_and_reached_in_it(orbiton: Workspace) -> None:
    plan(activated_at=OCTOBER)
    plan(activated_at=OCTOBER - timedelta(days=3), status="closed", closed_at=NOVEMBER)
    plan(activated_at=NOVEMBER, status="draft")
    plan(activated_at=NOVEMBER, closed_at=NOVEMBER)  # opened again
    of = plan(activated_at=OCTOBER - timedelta(days=90))
    for day, due_on, status in (
        (OCTOBER, date(2026, 10, 1), "won"),
        (NOVEMBER, None, "won"),
        (NOVEMBER, date(2026, 10, 31), "won"),
        (NOVEMBER, date(2026, 10, 31), "lost"),
        (NOVEMBER, date(2026, 10, 31), "cancelled"),
    ):
        objective(of, status=status, closed_at=day, due_on=due_on)

    found = report()

    assert [(step.begun, step.closed) for step in found.steps] == [(1, 0), (1, 1)]
    assert [(step.reached, step.reached_late, step.lost) for step in found.steps] == [(1, 0, 0), (1, 1, 1)]
    assert (found.before.begun, found.whole.begun, found.whole.reached) == (1, 2, 2)


def test_what_was_archived_is_gone(orbiton: Workspace) -> None:
    plan(archived_at=NOW, due_on=YESTERDAY)
    plan(due_on=YESTERDAY, account=world.account("Gone", archived_at=NOW))
    objective(plan(status="closed"), status="won", closed_at=NOVEMBER, archived_at=NOW)

    found = report()

    assert (found.whole.active, found.whole.reached) == (0, 0)
    assert needing_attention(now=NOW, zone=ZONE) == []


def test_those_that_need_somebody_come_in_the_order_of_need(orbiton: Workspace) -> None:
    long_ago = NOW - timedelta(days=40)
    still = plan(name="Still", activated_at=long_ago)
    moving = plan(name="Moving", activated_at=long_ago)
    task(objective(moving), status="done", completed_at=NOW - timedelta(days=2))
    at_risk = plan(name="At risk", activated_at=long_ago, due_on=TOMORROW)
    objective(at_risk, due_on=NEXT_WEEK)
    objective(at_risk, status="won", closed_at=NOW - timedelta(days=29))
    plan(name="Overdue", due_on=YESTERDAY)
    plan(name="More overdue", due_on=YESTERDAY - timedelta(days=1))

    found = needing_attention(now=NOW, zone=ZONE)

    assert [one.plan.name for one in found] == ["More overdue", "Overdue", "At risk", "Still"]
    assert [one.is_still for one in found] == [False, False, False, True]
    assert (found[-1].plan.pk, found[-1].last_done_at, found[-1].percent) == (still.pk, long_ago, 0)
    assert report().whole.still == 1


@pytest.mark.parametrize("owners", [["tom"], []])
def test_owners_narrow_all_of_it(orbiton: Workspace, owners: list[str]) -> None:
    for owner in (orbiton.priya, orbiton.tom, None):
        objective(plan(owner, due_on=YESTERDAY), status="won", closed_at=NOVEMBER)
    asked = {"owners": [orbiton.people[name].pk for name in owners]}

    found = report(**asked)

    assert found.whole.overdue == found.whole.reached == len(needing_attention(now=NOW, zone=ZONE, **asked))
    assert list(found.by_owner) == asked["owners"]


def test_nobodys_plans_are_a_line_of_their_own(orbiton: Workspace) -> None:
    plan(orbiton.priya)
    plan()

    assert {owner: one.active for owner, one in report().by_owner.items()} == {orbiton.priya.pk: 1, None: 1}


def test_tracked_accounts_are_covered_by_the_furthest_of_their_plans(orbiton: Workspace) -> None:
    hers = world.account("Hers", csm=orbiton.priya, mrr_cents=300)
    plan(account=hers)
    plan(account=hers, status="draft")
    plan(account=world.account("Planned", mrr_cents=20), status="draft")
    plan(account=world.account("Over", csm=orbiton.tom, mrr_cents=7), status="closed")
    plan(account=world.account("Ignored", lifecycle="ignored", mrr_cents=9000))

    def sums(**asked: Any) -> dict[str, tuple[int, int]]:
        return {one.state: (one.accounts, one.mrr_cents) for one in coverage(**asked)}

    assert sums() == {"active": (1, 300), "draft": (1, 20), "none": (1, 7)}
    assert sums(csms=[orbiton.priya.pk]) == {"active": (1, 300), "draft": (0, 0), "none": (0, 0)}


def test_a_fixed_number_of_statements(orbiton: Workspace, django_assert_num_queries: Any) -> None:
    for owner in orbiton.people.values():
        objective(plan(owner, due_on=YESTERDAY), due_on=YESTERDAY)

    with django_assert_num_queries(3 + 2 + 1):
        report()
        needing_attention(now=NOW, zone=ZONE)
        coverage()
