"""What all tabs share: the head with its choices, the bar, the files, and what is asked for wrongly."""

import re
from typing import Any

import pytest
from django.urls import reverse

from accounts.revenue import months_until
from cs_platform.dashboard.reports.api import ReportViewSet
from cs_platform.dashboard.reports.asked import Asked
from cs_platform.dashboard.reports.tabs import FILES, TABS
from cs_platform.tenancy.clock import database_now
from cs_platform.web.templatetags.ui import day
from cs_platform.workspace.models import Team, TeamMember
from tests.rest.client import Api
from tests.visitor import Visitor, is_whole, text
from tests.world import Workspace, account, workspace

PAGES = ["reports/", *(f"reports/{tab.key}/" for tab in TABS[1:])]


@pytest.fixture
def halyard(db: None) -> Workspace:
    return workspace("halyard")


@pytest.fixture
def north(orbiton: Workspace) -> Team:
    team = Team.objects.create(name="North", created_at=database_now())
    TeamMember.objects.create(team=team, member=orbiton.tom)
    account("Calyx", csm=orbiton.priya)
    return team


@pytest.mark.parametrize("page", PAGES)
def test_every_tab_has_its_head_and_leads_to_the_others_with_what_is_chosen(
    orbiton: Workspace, north: Team, page: str
) -> None:
    visitor = Visitor(orbiton.omar)
    shown = text(visitor.page(f"{page}?months=3&team={north.pk}"))

    assert "<h1>Reports</h1>" in shown
    assert shown.count('aria-current="page"') == 2  # of the sidebar and of the bar
    for other in [*PAGES, "nps/"]:
        assert f'href="{visitor.at(other)}?months=3&amp;team={north.pk}"' in shown
    assert shown.index(">Overview</a>") < shown.index(">Renewals</a>") < shown.index(">NPS</a>")
    assert f"months=6&amp;team={north.pk}" in shown
    assert f"months=3&amp;csm={orbiton.priya.pk}" in shown
    assert 'aria-current="true">North<' in shown


def test_nps_stands_last_in_the_same_bar_and_leads_back(orbiton: Workspace) -> None:
    visitor = Visitor(orbiton.omar)
    shown = text(visitor.page("nps/?months=1&csm=7"))

    assert f'href="{visitor.at("reports/")}?months=1&amp;csm=7"' in shown
    assert f'href="{visitor.at("nps/")}?months=1&amp;csm=7" aria-current="page">NPS</a>' in shown


def test_the_menu_of_times_says_since_when_each_of_them_is(orbiton: Workspace) -> None:
    today = Asked(orbiton.tenant, database_now()).today
    shown = re.sub(r"<[^>]*>", "", text(Visitor(orbiton.omar).page("reports/")))

    for words, months in [("This month", 1), ("Last 3 months", 3), ("Last 6 months", 6), ("Last 12 months", 12)]:
        assert f"{words} since {day(months_until(today, months)[0], today)}" in shown


@pytest.mark.parametrize("page", PAGES)
def test_a_choice_takes_the_place_of_the_page(orbiton: Workspace, page: str) -> None:
    part = Visitor(orbiton.omar).fragment(f"{page}?months=1", "reports")

    assert not is_whole(part)
    assert "This month" in text(part)


@pytest.mark.parametrize("tab", TABS, ids=lambda tab: tab.key)
def test_the_files_of_a_tab_stand_in_its_menu_and_are_what_they_say(orbiton: Workspace, tab: Any) -> None:
    visitor = Visitor(orbiton.omar)
    shown = text(visitor.page("reports/" if tab is TABS[0] else f"reports/{tab.key}/"))

    for file in tab.files:
        address = reverse("dashboard:report-file", args=[orbiton.tenant.slug, file.key])
        assert f'href="{address}?months=12" download>{file.title} ' in shown
        head = visitor.client.get(address).content.decode().splitlines()[0]
        assert head == ",".join(file.head)


def test_every_file_is_an_endpoint(orbiton: Workspace) -> None:
    api = Api.with_key(orbiton.tenant)

    assert [key for key in FILES if not hasattr(ReportViewSet, key.replace("-", "_"))] == []
    assert {key: api.get(f"/reports/{key}/?months=1").status for key in FILES} == dict.fromkeys(FILES, 200)


def test_what_is_asked_for_wrongly_is_left_out_of_pages_and_refused_by_the_api(
    orbiton: Workspace, halyard: Workspace, north: Team
) -> None:
    Team.objects.filter(pk=north.pk).update(archived_at=database_now())
    wrong = ["months=5", "team=x", f"team={north.pk}", f"csm={halyard.priya.pk}", "csm=99999999999999999999"]
    visitor, api = Visitor(orbiton.omar), Api.with_key(orbiton.tenant)

    for query in wrong:
        assert "Last 12 months" in text(visitor.page(f"reports/?{query}"))
        assert visitor.page(f"reports/books.csv?{query}").status_code == 200
        assert api.get(f"/reports/books/?{query}").status == 400
    assert "Whole team" in text(visitor.page(f"reports/?csm={halyard.priya.pk}"))


def test_a_team_and_a_person_at_once_are_one_too_many(orbiton: Workspace, north: Team) -> None:
    query = f"?team={north.pk}&csm={orbiton.priya.pk}"

    assert "Priya Raman</span>" in text(Visitor(orbiton.omar).page(f"reports/{query}"))
    answer = Api.with_key(orbiton.tenant).get(f"/reports/books/{query}")
    assert answer.status == 400
    assert (answer.json["detail"], answer.errors) == (
        "Ask for a team or for one person, not for both.",
        {"?team": "invalid"},
    )


def test_another_workspace_s_team_is_none(orbiton: Workspace, halyard: Workspace, north: Team) -> None:
    assert Api.with_key(halyard.tenant).get(f"/reports/books/?team={north.pk}").status == 400
    assert "Whole team" in text(Visitor(halyard.omar).page(f"reports/?team={north.pk}"))
