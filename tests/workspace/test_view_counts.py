"""How many things each saved view in the sidebar finds: for whoever looks, up to a limit, and within a time."""

import json
import re
from datetime import timedelta
from typing import Any

import pytest
from django.db import DataError, connection
from django.test.utils import CaptureQueriesContext

from accounts.models import AccountUser
from accounts.table import view_counts as account_views
from cs_platform.common.time_limit import TooLong, at_most
from cs_platform.tenancy.context import tenant_context
from cs_platform.tenancy.models import Membership
from cs_platform.web.saved_views import BESIDE
from cs_platform.workspace import saved_views, view_counts
from cs_platform.workspace.models import SavedView
from cs_platform.workspace.saved_views import Setup, save_view
from ctas.models import Cta, Task
from ctas.opening import open_cta
from success_plans.models import PlanType
from success_plans.planning import create_plan
from tests.visitor import Visitor, is_whole, text
from tests.world import MONDAY, Workspace, account, on, user, workspace

QUERIES = 150  # of six views of four pages, however many things there are
LONG_AGO, FAR_AHEAD = on(1, year=2020), on(1, year=2100)


@pytest.fixture(autouse=True)
def unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine is no reason to find no number."""
    monkeypatch.setattr(view_counts, "LIMIT_MS", 20_000)


def keep(owner: Membership, params: str = "", *, page: str = "accounts", name: str = "", **more: Any) -> SavedView:
    setup = Setup(params, {})
    more = {"is_shared": False, "now": MONDAY} | more
    return save_view(page=page, name=name or f"{page} {params}"[:100], setup=setup, owner=owner, **more)


def asked_by(visitor: Visitor) -> str:
    """The address the sidebar asks at."""
    return re.findall(r'hx-get="(/w/\w+/views/counts/\?of=\w+)"', text(visitor.page("jobs/")))[0]


def counts(visitor: Visitor) -> dict[str, str]:
    told = text(visitor.page("views/counts/"))
    found = re.findall(r'<hx-partial hx-target="#tally-view-(\d+)">(.*?)</hx-partial>', told)
    return {SavedView.objects.get(pk=pk).name: re.sub("<[^>]+>", "", said) for pk, said in found}


def test_each_view_says_how_many_it_finds_and_of_what(priya: Visitor, inside: Workspace) -> None:
    harbourline, calyx = account("Harbourline", csm=inside.priya), account("Calyx")
    user("Ines", harbourline)
    user("Per", calyx)
    keep(inside.priya, "csm=me", name="My book")
    keep(inside.priya, "", name="All of them")
    keep(inside.priya, "q=ines", page="users", name="Ines")
    keep(inside.priya, "q=nobody", page="users", name="Nobody")

    assert counts(priya) == {"My book": "1 account", "All of them": "2 accounts", "Ines": "1 user", "Nobody": "0 users"}


def test_work_and_plans_are_counted_as_their_pages_do(priya: Visitor, inside: Workspace) -> None:
    at = account("Harbourline")
    by: dict[str, Any] = {"by": inside.priya, "now": MONDAY}
    for owner, due in ((inside.priya, LONG_AGO), (inside.priya, FAR_AHEAD), (inside.tom, LONG_AGO)):
        open_cta(account=at, name="Call", type="risk", owner=owner, due_on=due, **by)
    Task.objects.create(
        cta=Cta.objects.filter(owner=inside.priya).first(),
        title="Ask",
        owner=inside.priya,
        position=1,
        created_at=MONDAY,
    )
    create_plan(account=at, name="Roll-out", type=PlanType.objects.first(), owner=inside.priya, **by)
    for page, params in (
        ("cockpit", "due=overdue"),
        ("cockpit", "tab=team&due=overdue"),
        ("cockpit", "tab=tasks"),
        ("cockpit", "tab=conversations"),
        ("plans", "tab=draft&owner=me"),
    ):
        keep(inside.priya, params, page=page, name=params)

    assert counts(priya) == {
        "due=overdue": "1 CTA",
        "tab=team&due=overdue": "2 CTAs",
        "tab=tasks": "1 task",
        "tab=conversations": "0 conversations",
        "tab=draft&owner=me": "1 plan",
    }


def test_me_is_whoever_looks_at_a_shared_view(priya: Visitor, inside: Workspace) -> None:
    account("Harbourline", csm=inside.tom)
    keep(inside.olga, "csm=me", name="Book", is_shared=True)

    assert counts(priya) == {"Book": "0 accounts"}
    assert counts(Visitor(inside.tom)) == {"Book": "1 account"}


def test_what_others_keep_for_themselves_and_other_workspaces_stay_out(priya: Visitor, inside: Workspace) -> None:
    keep(inside.tom, name="Toms own")
    keep(inside.priya, name="Gone")
    saved_views.delete_view(SavedView.objects.get(name="Gone"), now=MONDAY)
    halyard = workspace("halyard")
    with tenant_context(halyard.tenant.pk):
        keep(halyard.priya, name="Theirs", is_shared=True)

    assert counts(priya) == {}
    assert Visitor(halyard.priya).client.get(priya.at("views/counts/")).status_code == 404


def test_no_more_are_counted_than_the_sidebar_shows(priya: Visitor, inside: Workspace) -> None:
    for number in range(BESIDE + 2):
        keep(inside.priya, name=f"View {number}")

    assert len(counts(priya)) == BESIDE


def test_counting_stops_at_the_limit(priya: Visitor, inside: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(view_counts, "MOST_COUNTED", 1)
    for name in ("Harbourline", "Calyx", "Drumlin"):
        account(name)
    keep(inside.priya, name="All of them")

    assert counts(priya) == {"All of them": "1+ account"}


def test_a_view_that_means_nothing_any_more_has_no_number(priya: Visitor, inside: Workspace) -> None:
    keep(inside.priya, "trait:lost=yes", name="By a lost trait")
    keep(inside.priya, f"filter={json.dumps({'field': 'moon', 'op': 'set'})}", name="By a lost field")
    keep(inside.priya, name="All of them")

    assert counts(priya) == {"By a lost trait": "", "By a lost field": "", "All of them": "0 accounts"}


def test_a_slow_view_and_one_that_goes_wrong_leave_the_others_their_time(
    priya: Visitor, inside: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    account("Harbourline")
    usual = account_views.count_up_to

    def count(state: Any, *rest: Any) -> int:
        with connection.cursor() as cursor:
            if state.search:
                cursor.execute("SELECT pg_sleep(10)" if state.search == "slow" else "SELECT 1 / 0")
        return usual(state, *rest)

    monkeypatch.setattr(account_views, "count_up_to", count)
    monkeypatch.setattr(view_counts, "LIMIT_MS", 3_000)
    for params in ("q=slow", "q=wrong", ""):
        keep(inside.priya, params, name=params or "All of them")

    assert counts(priya) == {"q=slow": "", "q=wrong": "", "All of them": "1 account"}


def test_nothing_is_asked_once_the_time_is_over(
    priya: Visitor, inside: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(inside.priya, name="All of them")
    monkeypatch.setattr(view_counts, "LIMIT_MS", 0)

    assert counts(priya) == {"All of them": ""}


def test_a_limit_of_time_ends_with_what_it_was_set_for(inside: Workspace) -> None:
    def limit() -> str:
        with connection.cursor() as cursor:
            cursor.execute("SELECT current_setting('statement_timeout')")
            return str(cursor.fetchone()[0])

    before = limit()
    with at_most(1234):
        assert limit() == "1234ms"
    assert limit() == before
    with pytest.raises(TooLong), at_most(5), connection.cursor() as cursor:
        cursor.execute("SELECT pg_sleep(10)")
    with pytest.raises(DataError), at_most(1000), connection.cursor() as cursor:
        cursor.execute("SELECT 1 / 0")
    assert limit() == before


def test_the_browser_may_keep_the_numbers_for_a_minute_for_this_person(priya: Visitor, inside: Workspace) -> None:
    keep(inside.priya)
    answer = priya.client.get(asked_by(priya), headers={"HX-Request": "true"})

    assert set(answer["Cache-Control"].split(", ")) == {"private", "max-age=60"}
    assert "Cookie" in answer["Vary"].split(", ")
    assert not answer.cookies
    assert not is_whole(answer)


def test_another_person_a_new_view_and_a_changed_one_are_asked_for_anew(priya: Visitor, inside: Workspace) -> None:
    view = keep(inside.priya, is_shared=True)
    at_first = asked_by(priya)
    assert asked_by(priya) == at_first
    assert asked_by(Visitor(inside.tom)) != at_first

    saved_views.keep_setup(view, setup=Setup("q=x", {}), now=MONDAY + timedelta(minutes=1))
    changed = asked_by(priya)
    keep(inside.priya, name="One more")
    assert len({at_first, changed, asked_by(priya)}) == 3


def test_a_page_counts_nothing_itself_and_asks_for_nothing_where_there_is_no_view(
    priya: Visitor, inside: Workspace
) -> None:
    assert "views/counts/" not in text(priya.page("jobs/"))
    priya.page("jobs/")
    with CaptureQueriesContext(connection) as without:
        priya.page("jobs/")
    view = keep(inside.priya)
    with CaptureQueriesContext(connection) as beside:
        shown = text(priya.page("jobs/"))

    assert len(beside) == len(without)
    assert f'<span class="count" id="tally-view-{view.pk}"></span>' in shown


def test_the_number_of_statements_is_bounded(priya: Visitor, inside: Workspace) -> None:
    for page in ("accounts", "users", "cockpit", "plans"):
        keep(inside.priya, page=page, name="All of them")
    keep(inside.priya, "csm=me")
    keep(inside.priya, "tab=tasks", page="cockpit")
    for number in range(20):
        user(f"User {number}", account(f"Account {number}"))
    priya.page("views/counts/")
    with CaptureQueriesContext(connection) as captured:
        priya.page("views/counts/")

    assert AccountUser.objects.count() == 20
    assert len(captured) <= QUERIES
