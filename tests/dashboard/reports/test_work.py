"""The tab of CTAs and tasks: what there is to do, how it ended, and whether automation helps."""

from datetime import datetime
from typing import Any

import pytest

from cs_platform.dashboard.reports.work import TAB
from cs_platform.tenancy.clock import database_now
from cs_platform.workspace.models import Team, TeamMember
from ctas.models import Cta, Task
from tests.dashboard.reports.reading import rows
from tests.rest.client import Api
from tests.visitor import Visitor, text
from tests.world import Workspace, account, days

PAGE = f"reports/{TAB.key}/"


def cta(owner: Any, *, now: datetime, took: float | None = None, **parts: Any) -> Cta:
    """Closed a moment ago after so many days, or open."""
    made = {"account": account(f"A{Cta.objects.count()}"), "name": "Call", "type": "risk", "owner": owner}
    made |= {"created_at": now - days(20), "created_by": "person:1"}
    if took is not None:
        made |= {"status": "won", "closed_at": now, "created_at": now - days(took)}
    return Cta.objects.create(**(made | parts))


@pytest.fixture
def busy(orbiton: Workspace) -> Workspace:
    """Priya is late with three; Tom closed one in time and one late, which a playbook had opened."""
    now = database_now()
    for _ in range(3):
        cta(orbiton.priya, now=now, due_on=(now - days(3)).date(), reason="Renewal")
    cta(orbiton.tom, now=now - days(0.001), took=2, due_on=(now + days(3)).date())
    cta(orbiton.tom, now=now - days(0.001), took=8, due_on=(now - days(3)).date(), created_by="playbook:4")
    done = cta(None, now=now)
    made = {"title": "Call", "status": "done", "completed_at": now - days(0.001), "created_at": now}
    Task.objects.create(cta=done, owner=orbiton.tom, created_by="person:1", **made)
    return orbiton


def test_the_page_says_what_there_is_to_do_and_how_it_ended(busy: Workspace) -> None:
    page = text(Visitor(busy.omar).page(PAGE))

    for label, value in (
        ("Open CTAs", "4"),
        ("Late", "3"),
        ("CTAs closed", "2"),
        ("Closed on time", "50%"),
        ("Median time to close", "5 days"),
        ("Tasks done", "1"),
    ):
        assert f"<dt>{label}</dt><dd>{value}</dd>" in page
    assert '<td class="right"><b class="bad-text">3</b></td>' in page
    assert page.count('<svg class="chart"') == 2
    assert page.index("<b>Priya Raman</b>") < page.index("<b>Tom Lindqvist</b>") < page.index("Nobody")
    assert "<b>Playbooks</b>" in page


def test_an_empty_workspace_says_what_will_stand_there(orbiton: Workspace) -> None:
    page = text(Visitor(orbiton.omar).page(f"{PAGE}?months=1"))

    assert "No CTA was opened or closed in this time." in page
    assert "What playbooks made and what people made is compared here." in page
    assert '<svg class="chart"' not in page


def test_what_was_before_is_compared_with(orbiton: Workspace) -> None:
    now = database_now()
    cta(None, now=now - days(0.001), took=9, due_on=now.date())
    cta(None, now=now - days(400), took=4, due_on=(now - days(402)).date())

    page = text(Visitor(orbiton.omar).page(PAGE))

    assert '<dd>100% <small class="ok-text">+100 pts</small></dd>' in page
    assert '<dd>9 days <small class="bad-text">+5 days</small></dd>' in page


def test_a_person_and_a_team_narrow_page_file_and_endpoint(busy: Workspace) -> None:
    team = Team.objects.create(name="North", created_at=database_now())
    TeamMember.objects.create(team=team, member=busy.tom)
    for query in (f"?team={team.pk}", f"?csm={busy.tom.pk}"):
        page = text(Visitor(busy.omar).page(PAGE + query))
        [line] = rows(Visitor(busy.omar).page(f"reports/cta-owners.csv{query}"))
        [shown] = Api.with_key(busy.tenant).get(f"/reports/cta-owners/{query}").json

        assert "<dt>Open CTAs</dt><dd>0</dd>" in page
        assert (line["owner"], line["closed"], line["on_time"], line["tasks_done"]) == (
            "Tom Lindqvist",
            "2",
            "50.0",
            "1",
        )
        assert (shown["owner"], shown["work"]["closed"], shown["work"]["on_time"]) == (busy.tom.pk, 2, 50)


def test_types_are_told_with_their_reasons_where_they_have_any(busy: Workspace) -> None:
    now = database_now()
    cta(None, now=now, type="activity")

    lines = [
        (line["type"], line["reason"], line["open"]) for line in rows(Visitor(busy.omar).page("reports/cta-types.csv"))
    ]
    shown = Api.with_key(busy.tenant).get("/reports/cta-types/").json

    assert lines == [
        ("Risk", "All", "4"),
        ("Risk", "Renewal", "3"),
        ("Risk", "No reason", "1"),
        ("Activity", "All", "1"),
    ]
    assert [one["reason"] for one in shown] == [None, "Renewal", "", None]


def test_origins_stand_side_by_side(busy: Workspace) -> None:
    lines = {line["origin"]: line for line in rows(Visitor(busy.omar).page("reports/cta-origins.csv"))}

    assert list(lines) == ["Playbooks", "People", "Recurring", "The API"]
    assert (lines["Playbooks"]["on_time"], lines["People"]["on_time"]) == ("0.0", "100.0")


def test_a_short_time_is_told_by_weeks(busy: Workspace) -> None:
    visitor = Visitor(busy.omar)

    assert "Opened and closed by week" in text(visitor.page(f"{PAGE}?months=3"))
    assert len(rows(visitor.page("reports/ctas.csv?months=6"))) == 6
    assert len(rows(visitor.page("reports/ctas.csv?months=3"))) > 8


def test_the_number_of_statements_does_not_grow(busy: Workspace, django_assert_max_num_queries: Any) -> None:
    visitor, now = Visitor(busy.omar), database_now()
    visitor.page(PAGE)
    for owner in busy.people.values():
        cta(owner, now=now, type="activity", reason=owner.name)

    with django_assert_max_num_queries(36):
        visitor.page(PAGE)
