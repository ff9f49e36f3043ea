"""Reports: the page, its files and the API say the same, of the time and the team that was asked for."""

import csv
import io
from datetime import timedelta
from typing import Any

import pytest
from django.http import HttpResponse
from django.utils import timezone

from cs_platform.tenancy.clock import database_now
from cs_platform.workspace.models import Team, TeamMember
from ctas.opening import open_cta
from tests.rest.client import Api
from tests.visitor import Visitor, is_whole, text
from tests.world import Workspace, account, apply_now, live, playbook_json, raise_risk


@pytest.fixture
def busy(orbiton: Workspace) -> Workspace:
    """Priya has a healthy account and a late CTA, Tom one that ails; a playbook was applied to both."""
    now, today = database_now(), timezone.localdate()
    old = now - timedelta(days=700)
    hers = account("Calyx", csm=orbiton.priya, mrr_cents=100_000, health=90.0, now=old, renewal_on=today)
    his = account("=Harbourline", csm=orbiton.tom, mrr_cents=50_000, health=10.0, now=old, renewal_on=today)
    made: dict[str, Any] = {"account": hers, "type": "risk", "by": orbiton.priya, "now": now}
    open_cta(name="Late", owner=orbiton.priya, due_on=today - timedelta(days=1), **made)
    closed = open_cta(name="Done", owner=orbiton.priya, due_on=today, **made)
    closed.close(status="won", by=orbiton.priya, now=now)
    rescue = live(playbook_json("rescue", steps=[raise_risk()]), now=now)
    for at in (hers, his):
        apply_now(rescue, at, now=now)
    return orbiton


def rows(response: HttpResponse) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(response.content.decode())))


def test_the_page_adds_up_what_there_is(busy: Workspace) -> None:
    page = text(Visitor(busy.omar).page("reports/"))

    assert "<dt>Net revenue retention</dt><dd>100%" in page
    assert "<dt>ARR</dt><dd>$18k</dd>" in page
    assert "<dt>ARR at risk</dt><dd>$6,000 <small>1 account</small></dd>" in page
    assert "<dt>CTAs closed on time</dt><dd>100%</dd>" in page
    assert page.index("Priya Raman") < page.index("Tom Lindqvist")
    assert "<b>100%</b>" in page  # rescue, finished of applied
    assert page.count('<svg class="chart"') == 2


def test_an_empty_workspace_says_what_will_stand_there(orbiton: Workspace) -> None:
    page = text(Visitor(orbiton.omar).page("reports/?months=1&team=9&months=x"))

    assert "Nobody who pays now was here" in page
    assert "No account renews in the next six months." in page
    assert "<dt>ARR at risk</dt><dd>$0 <small>0 accounts</small></dd>" in page
    assert "No playbook was applied in this time." in page
    assert '<svg class="chart"' not in page


def test_a_team_and_a_time_narrow_the_page_its_files_and_the_api(busy: Workspace) -> None:
    team = Team.objects.create(name="North", created_at=database_now())
    TeamMember.objects.create(team=team, member=busy.tom)
    visitor, query = Visitor(busy.omar), f"?months=3&team={team.pk}"
    part = visitor.fragment(f"reports/{query}", "reports")

    assert not is_whole(part)
    assert "Tom Lindqvist" in text(part)
    assert "<b>Priya Raman</b>" not in text(part)
    assert f"reports/books.csv?months=3&amp;team={team.pk}" in text(part)
    [book] = rows(visitor.page(f"reports/books.csv{query}"))
    assert (book["csm"], book["arr"], book["at_risk"], book["net_retention"]) == (
        "Tom Lindqvist",
        "6000.00",
        "1",
        "100.0",
    )
    api = Api.with_key(busy.tenant)
    [shown] = api.get(f"/reports/books/{query}").json
    assert (shown["csm"], shown["arr_cents"], shown["at_risk"], shown["net_retention"]) == (
        busy.tom.pk,
        600_000,
        1,
        100,
    )


@pytest.mark.parametrize(("report", "count"), [("retention", 12), ("books", 2), ("playbooks", 1)])
def test_every_report_is_a_file_and_an_endpoint_with_as_many_lines(busy: Workspace, report: str, count: int) -> None:
    file = Visitor(busy.omar).page(f"reports/{report}.csv")
    shown = Api.with_key(busy.tenant).get(f"/reports/{report}/").json

    assert file["Content-Disposition"].startswith("attachment")
    assert len(rows(file)) == len(shown) == count


def test_the_api_says_what_it_does_not_know(busy: Workspace) -> None:
    api = Api.with_key(busy.tenant)

    assert api.get("/reports/books/?months=7").status == 400
    assert api.get("/reports/books/?team=12").status == 400
    [rescue] = api.get("/reports/playbooks/").json
    assert (rescue["key"], rescue["applied"], rescue["finished"]) == ("rescue", 2, 2)


def test_the_number_of_statements_does_not_grow_with_the_team(
    busy: Workspace, django_assert_max_num_queries: Any
) -> None:
    visitor = Visitor(busy.omar)
    visitor.page("reports/")
    for at in range(5):
        account(f"More {at}", csm=busy.people[("olga", "jonah", "maya", "priya", "tom")[at]], mrr_cents=10_000)
        live(playbook_json(f"more-{at}"), now=database_now())

    with django_assert_max_num_queries(45):
        visitor.page("reports/")
