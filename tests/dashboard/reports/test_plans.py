"""The tab of success plans: how they stand, what they reached, which need somebody, and who has none."""

from typing import Any

import pytest

from accounts.models import Account
from cs_platform.tenancy.clock import database_now
from ctas.models import Cta
from success_plans.models import Objective, SuccessPlan
from success_plans.planning import usual_type
from tests.dashboard.reports.reading import rows
from tests.rest.client import Api
from tests.visitor import Visitor, text
from tests.world import Workspace, account, days

PAGE = "reports/plans/"


def plan(owner: Any, name: str, **parts: Any) -> SuccessPlan:
    now = database_now()
    made = {"account": account(f"Account of {name}", csm=owner, mrr_cents=10_000), "owner": owner, "name": name}
    made |= {"type": usual_type(now=now), "status": "active", "created_at": now - days(60), "created_by": "person:1"}
    return SuccessPlan.objects.create(**({"activated_at": now - days(1)} | made | parts))


def reached(of: SuccessPlan, **parts: Any) -> None:
    at = database_now() - days(0.001)
    made = {"account": of.account, "name": "Go live", "type": "objective", "status": "won", "closed_at": at}
    cta = Cta.objects.create(**(made | {"created_at": at - days(9), "created_by": "person:1"} | parts))
    Objective.objects.create(plan=of, cta=cta, joined_at=at, joined_by="person:1")


@pytest.fixture
def busy(orbiton: Workspace) -> Workspace:
    """Priya's plan is overdue, Tom's is on track and has reached something late; one account has none."""
    today = database_now().date()
    plan(orbiton.priya, "Roll-out", due_on=today - days(2))
    reached(plan(orbiton.tom, "Expansion"), due_on=today - days(2))
    account("Calyx", csm=orbiton.tom, mrr_cents=60_000)
    return orbiton


def test_the_page_says_how_plans_stand(busy: Workspace) -> None:
    page = text(Visitor(busy.omar).page(PAGE))

    for label, value in (
        ("Plans under way", "2 <small>1 on track</small>"),
        ("At risk or overdue", '1 <small class="bad-text">1 overdue</small>'),
        ("Objectives reached", '1 <small class="warn-text">1 late</small>'),
        ("Accounts with a plan", "2 <small>of 3</small>"),
    ):
        assert f"<dt>{label}</dt><dd>{value}</dd>" in page
    assert page.count('<svg class="chart"') == 2
    assert "<b>Roll-out</b>" in page
    assert "<b>Expansion</b>" not in page
    assert "success_plan=none" in page


def test_an_empty_workspace_says_what_will_stand_there(orbiton: Workspace) -> None:
    page = text(Visitor(orbiton.omar).page(f"{PAGE}?months=1"))

    assert "No plan was begun or closed in this time." in page
    assert "Nothing is overdue, at risk or stands still." in page
    assert '<svg class="chart"' not in page


def test_a_person_narrows_page_files_and_endpoints(busy: Workspace) -> None:
    visitor, api, query = Visitor(busy.omar), Api.with_key(busy.tenant), f"?csm={busy.tom.pk}"

    assert "<b>Roll-out</b>" not in text(visitor.page(PAGE + query))
    [line] = rows(visitor.page(f"reports/plan-owners.csv{query}"))
    assert (line["owner"], line["on_track"], line["objectives_reached_late"]) == ("Tom Lindqvist", "1", "1")
    [shown] = api.get(f"/reports/plan-owners/{query}").json
    assert (shown["owner"], shown["plans"]["active"], shown["plans"]["objectives_reached_late"]) == (busy.tom.pk, 1, 1)
    assert api.get(f"/reports/plans-needing-attention/{query}").json == []
    states = {one["state"]: one["arr_cents"] for one in api.get(f"/reports/plan-coverage/{query}").json}
    assert states == {"active": 120_000, "draft": 0, "none": 720_000}


def test_those_that_need_attention_name_what_is_wrong(busy: Workspace) -> None:
    plan(None, "Forgotten", activated_at=database_now() - days(50))

    late, still = rows(Visitor(busy.omar).page("reports/plans-needing-attention.csv"))
    shown = Api.with_key(busy.tenant).get("/reports/plans-needing-attention/").json

    assert (late["plan"], late["standing"], late["owner"]) == ("Roll-out", "overdue", "Priya Raman")
    assert (still["plan"], still["standing"], still["owner"]) == ("Forgotten", "on_track", "Nobody")
    assert [(one["name"], one["stands_still"]) for one in shown] == [("Roll-out", False), ("Forgotten", True)]
    assert "Stands still" in text(Visitor(busy.omar).page(PAGE))


def test_the_number_of_statements_does_not_grow(busy: Workspace, django_assert_max_num_queries: Any) -> None:
    visitor, yesterday = Visitor(busy.omar), database_now().date() - days(1)
    visitor.page(PAGE)
    for owner in busy.people.values():
        reached(plan(owner, f"Plan of {owner.name}", due_on=yesterday))

    assert Account.objects.count() > 8
    with django_assert_max_num_queries(36):
        visitor.page(PAGE)
