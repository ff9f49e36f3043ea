"""The tab of health: facts, bands over time, who moved, segments and plans, and what pulls health down."""

from datetime import date, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import Account, HealthReading, Segment
from accounts.segments.members import add_by_hand
from cs_platform.dashboard.reports.asked import Asked
from cs_platform.dashboard.reports.health import history_of, standing_of
from cs_platform.tenancy.clock import database_now
from tests.accounts.health.test_grading import FEW, MANY, measure, score
from tests.dashboard.reports.reading import rows
from tests.rest.client import Api
from tests.visitor import Visitor, text
from tests.world import Workspace, account


@pytest.fixture
def fallen(orbiton: Workspace) -> Account:
    """Priya's account fell from 90 to 30 since the time began; Tom's stayed at 80."""
    now = database_now()
    long_ago, before = now - timedelta(days=700), now.date() - timedelta(days=600)
    hers = account("Calyx", csm=orbiton.priya, mrr_cents=100_000, health=30.0, plan="R&D", now=long_ago)
    his = account("=Harbourline", csm=orbiton.tom, mrr_cents=50_000, health=80.0, now=long_ago)
    read(hers, (before, 90), (now.date(), 30))
    read(his, (before, 80))
    return hers


def read(at: Account, *values: tuple[date, float]) -> None:
    for place, (day, value) in enumerate(values, 1):
        HealthReading.objects.create(account=at, on=day, value=value, is_current=place == len(values))


def test_the_page_says_how_customers_are_and_how_that_changed(orbiton: Workspace, fallen: Account) -> None:
    page = text(Visitor(orbiton.omar).page("reports/health/?months=6"))

    assert '<dt>Average health</dt><dd>55.0 <small class="bad-text">−30 pts</small>' in page
    assert "<dt>Healthy</dt><dd>1 <small>$6,000 ARR</small>" in page
    assert "<dt>At risk</dt><dd>1 <small>$12k ARR</small>" in page
    assert "<dt>Without a reading</dt><dd>0</dd>" in page
    assert page.count('<svg class="chart"') == 1
    assert page.index("Fell most") < page.index("Calyx") < page.index("Rose most")
    assert "None’s rose in this time." in page
    assert "?filter=%7B%22field%22%3A+%22plan%22%2C+%22op%22%3A+%22is%22%2C+%22value%22%3A+%22R%26D%22%7D" in page


def test_a_link_of_a_plan_leads_to_its_accounts(orbiton: Workspace, fallen: Account) -> None:
    visitor = Visitor(orbiton.omar)
    address = text(visitor.page("reports/health/")).split("/accounts/?filter=")[1].split('"')[0]

    listed = text(visitor.page(f"accounts/?filter={address}"))
    assert "Calyx" in listed
    assert "Harbourline" not in listed


def test_bars_end_with_each_step_and_the_last_one_is_now(orbiton: Workspace, fallen: Account) -> None:
    asked = Asked(orbiton.tenant, database_now(), months=6)
    found = history_of(asked, standing_of(asked).bands)

    assert found.began.day == asked.since.date() - timedelta(days=1)
    assert [one.day for one in found.steps[:-1]] == [day - timedelta(days=1) for day in asked.steps[1:]]
    assert found.steps[-1].day == asked.today
    assert [(one.bands.good, one.bands.risk) for one in found.steps] == [(2, 0)] * 5 + [(1, 1)]


def test_what_pulls_down_stands_beside_it(orbiton: Workspace) -> None:
    account("Calyx", user_count=5)
    measure(orbiton, score(orbiton), "Users", MANY, FEW)

    page = text(Visitor(orbiton.omar).page("reports/health/"))
    assert '<b>Users</b> <span class="muted">Usage</span>' in page
    assert "0 healthy, 1 concerning, 0 poor, 0 unknown" in page
    assert "<b>50.0</b>" in page


def test_an_empty_workspace_says_what_will_stand_there(orbiton: Workspace) -> None:
    page = text(Visitor(orbiton.omar).page("reports/health/"))

    assert "<dt>Average health</dt><dd>–</dd>" in page
    assert "No account had a health in this time." in page
    assert "Scores with measures say why health is as it is." in page
    assert "Set up scores" not in page
    assert "No account’s health fell in this time." in page
    assert "Segments are named sets of accounts." in page
    assert '<svg class="chart"' not in page
    assert "Set up scores" in text(Visitor(orbiton.maya).page("reports/health/"))


def test_files_and_api_say_the_same_of_the_people_asked_for(orbiton: Workspace, fallen: Account) -> None:
    segment = Segment.objects.create(scope="account", name="Strategic", created_at=database_now())
    add_by_hand(segment=segment, subjects=[fallen.pk], by=orbiton.priya, now=database_now())
    visitor, api, query = Visitor(orbiton.omar), Api.with_key(orbiton.tenant), f"?months=6&csm={orbiton.priya.pk}"

    *_before, last = rows(visitor.page(f"reports/health.csv{query}"))
    assert (last["accounts"], last["average"], last["at_risk"]) == ("1", "30.00", "1")
    shown = api.get(f"/reports/health/{query}").json[-1]
    assert (shown["accounts"], shown["average"], shown["at_risk"]) == (1, 30, 1)
    assert (shown["begins"], shown["until"]) == (last["begins"], last["until"])

    [moved] = rows(visitor.page(f"reports/health-movers.csv{query}"))
    assert (moved["account"], moved["csm"], moved["arr"]) == ("Calyx", "Priya Raman", "12000.00")
    assert (moved["health_then"], moved["health_now"]) == ("90.00", "30.00")
    [shown] = api.get(f"/reports/health-movers/{query}").json
    assert (shown["account"], shown["arr_cents"], shown["change"]) == (fallen.pk, 1_200_000, -60)

    for kind, name, more in (("segments", "Strategic", {"segment": segment.pk}), ("plans", "R&D", {})):
        [line] = rows(visitor.page(f"reports/health-{kind}.csv{query}"))
        assert (line[kind[:-1]], line["accounts"], line["arr"]) == (name, "1", "12000.00")
        [shown] = api.get(f"/reports/health-{kind}/{query}").json
        assert (shown["name"], shown["accounts"], shown["arr_cents"]) == (name, 1, 1_200_000)
        assert more.items() <= shown.items()


def test_costs_are_a_file_and_an_endpoint(orbiton: Workspace) -> None:
    account("Calyx", user_count=5)
    made = measure(orbiton, score(orbiton), "Users", MANY, FEW)

    [line] = rows(Visitor(orbiton.omar).page("reports/health-measures.csv"))
    assert (line["score"], line["measure"], line["points"], line["concerning"]) == ("Usage", "Users", "50.00", "1")
    [shown] = Api.with_key(orbiton.tenant).get("/reports/health-measures/").json
    assert (shown["measure"], shown["score_name"], shown["points"], shown["concerning"]) == (made.pk, "Usage", 50, 1)


def test_the_number_of_statements_does_not_grow(
    orbiton: Workspace, fallen: Account, django_assert_max_num_queries: Any
) -> None:
    visitor = Visitor(orbiton.omar)
    with CaptureQueriesContext(connection) as few:
        visitor.page("reports/health/")
    for at in range(8):
        one = account(f"More {at}", csm=orbiton.maya, health=float(at), plan=f"Plan {at}", mrr_cents=at)
        read(one, (database_now().date(), at + 1))
        segment = Segment.objects.create(scope="account", name=f"Segment {at}", created_at=database_now())
        add_by_hand(segment=segment, subjects=[one.pk], by=orbiton.priya, now=database_now())

    with django_assert_max_num_queries(len(few)):
        visitor.page("reports/health/")
