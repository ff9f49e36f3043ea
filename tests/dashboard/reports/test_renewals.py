"""The tab of renewals: the page, its files and the API say the same, of the time and the people asked for."""

import csv
import io
from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.http import HttpResponse
from django.utils import timezone

from accounts.changes import Changed, remember_changes
from accounts.models import TraitDefinition
from accounts.revenue import months_until
from cs_platform.tenancy.clock import database_now
from cs_platform.workspace.models import Team, TeamMember
from tests.rest.client import Api
from tests.visitor import Visitor, text
from tests.world import Workspace, account


def rows(response: HttpResponse) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(response.content.decode())))


@pytest.fixture
def last_month(orbiton: Workspace) -> date:
    return months_until(timezone.localdate(), 2)[0]


@pytest.fixture
def due(orbiton: Workspace, last_month: date) -> Workspace:
    """Of last month's renewals Tom's is through and Priya's is overdue; today two more are due."""
    TraitDefinition.objects.create(scope="account", key="renews", label="Renews", type="date", column="renewal_on")
    now, today = database_now(), timezone.localdate()
    old: Mapping[str, Any] = {"now": now - timedelta(days=500)}
    next_year = last_month + timedelta(days=380)
    through = account("Through", csm=orbiton.tom, mrr_cents=300_000, renewal_on=next_year, **old)
    moved = Changed("trait:renews", last_month.isoformat(), next_year.isoformat(), "import:1", account_id=through.pk)
    remember_changes([moved], now=now - timedelta(days=40))
    account("Overdue", csm=orbiton.priya, mrr_cents=100_000, renewal_on=last_month, **old)
    account("Healthy", csm=orbiton.tom, mrr_cents=50_000, renewal_on=today, health=90.0, **old)
    account("Ailing", csm=orbiton.priya, mrr_cents=20_000, renewal_on=today, health=10.0, **old)
    return orbiton


def test_the_page_says_what_is_due_what_renewed_and_what_is_late(due: Workspace) -> None:
    page = text(Visitor(due.omar).page("reports/renewals/"))

    assert "<dt>ARR up for renewal</dt><dd>$8,400 <small>2 accounts</small></dd>" in page
    assert "<dt>Forecast</dt><dd>$6,000</dd>" in page
    assert "<dt>At risk</dt><dd>$2,400 <small>1 account</small></dd>" in page
    assert '<dt>Overdue</dt><dd>$12k <small class="bad-text">1 account</small></dd>' in page
    assert page.count('<svg class="chart"') == 2
    assert "75% of $48k renewed" in page
    assert page.index('id="next-renewals"') < page.index(">Ailing</a>") < page.index('id="overdue-renewals"')
    assert page.index('id="overdue-renewals"') < page.index(">Overdue</a>")


def test_page_files_and_api_agree(due: Workspace, last_month: date) -> None:
    visitor, api = Visitor(due.omar), Api.with_key(due.tenant)

    fell = rows(visitor.page("reports/renewal-rates.csv?months=3"))
    assert [month["rate"] for month in fell] == ["", "", "75.0"]
    assert fell[-1] == {
        "month": f"{last_month:%Y-%m}",
        "rate": "75.0",
        "accounts": "2",
        "due_arr": "48000.00",
        "renewed_arr": "36000.00",
        "left_arr": "0.00",
        "open_arr": "12000.00",
    }
    told = api.get("/reports/renewal-rates/?months=3").json
    assert told[-1] == {
        "month": last_month.isoformat(),
        "rate": 75.0,
        "accounts": 2,
        "due_arr_cents": 4_800_000,
        "renewed_arr_cents": 3_600_000,
        "left_arr_cents": 0,
        "open_arr_cents": 1_200_000,
    }
    listed = rows(visitor.page("reports/renewing-accounts.csv"))
    assert [(one["account"], one["csm"], one["arr"], one["expected"]) for one in listed] == [
        ("Overdue", "Priya Raman", "12000.00", "overdue"),
        ("Healthy", "Tom Lindqvist", "6000.00", "forecast"),
        ("Ailing", "Priya Raman", "2400.00", "at_risk"),
    ]
    told = api.get("/reports/renewing-accounts/").json
    assert [(one["name"], one["csm"], one["arr_cents"], one["expected"]) for one in told] == [
        ("Overdue", due.priya.pk, 1_200_000, "overdue"),
        ("Healthy", due.tom.pk, 600_000, "forecast"),
        ("Ailing", due.priya.pk, 240_000, "at_risk"),
    ]
    [now, *_ahead] = api.get("/reports/renewals/").json
    assert (now["accounts"], now["accounts_at_risk"], now["at_risk_arr_cents"]) == (2, 1, 240_000)


def test_a_person_and_a_team_narrow_all_of_it(due: Workspace) -> None:
    team = Team.objects.create(name="North", created_at=database_now())
    TeamMember.objects.create(team=team, member=due.tom)
    visitor, api = Visitor(due.omar), Api.with_key(due.tenant)

    for query in (f"team={team.pk}", f"csm={due.tom.pk}"):
        page = text(visitor.page(f"reports/renewals/?{query}"))
        assert "<dt>ARR up for renewal</dt><dd>$6,000 <small>1 account</small></dd>" in page
        assert "100% of $36k renewed" in page
        assert ">Healthy</a>" in page
        assert ">Ailing</a>" not in page
        assert ">Overdue</a>" not in page
        assert "No date has passed without a new one." in page
        assert [one["account"] for one in rows(visitor.page(f"reports/renewing-accounts.csv?{query}"))] == ["Healthy"]
        assert [one["name"] for one in api.get(f"/reports/renewing-accounts/?{query}").json] == ["Healthy"]
        assert api.get(f"/reports/renewal-rates/?{query}").json[-1]["rate"] == 100.0


def test_the_lists_lead_to_the_table_of_accounts_filtered_the_same_way(due: Workspace) -> None:
    visitor = Visitor(due.omar)
    page = text(visitor.page(f"reports/renewals/?csm={due.priya.pk}"))

    card = page[page.index('id="overdue-renewals"') :]
    address = card[card.index('href="') + 6 :].partition('"')[0].replace("&amp;", "&")
    assert parse_qs(urlsplit(address).query).keys() == {"status", "renews", "sort", "filter"}
    table = text(visitor.client.get(address))
    assert ">Overdue<" in table
    assert ">Ailing<" not in table
    assert ">Healthy<" not in table


def test_an_empty_workspace_says_what_will_stand_there(orbiton: Workspace) -> None:
    page = text(Visitor(orbiton.omar).page("reports/renewals/?months=3"))

    assert "<dt>ARR up for renewal</dt><dd>$0 <small>0 accounts</small></dd>" in page
    assert "No account renews in the next six months." in page
    assert "No renewal fell due in the 3 months before this one." in page
    assert "No account renews in the next 90 days." in page
    assert "No date has passed without a new one." in page
    assert '<svg class="chart"' not in page


def test_the_number_of_statements_does_not_grow_with_accounts(
    due: Workspace, django_assert_max_num_queries: Any
) -> None:
    visitor = Visitor(due.omar)
    visitor.page("reports/renewals/")
    for at in range(12):
        account(f"More {at}", csm=due.tom, mrr_cents=10_000, renewal_on=timezone.localdate() - timedelta(days=at - 6))

    with django_assert_max_num_queries(40):
        visitor.page("reports/renewals/")
