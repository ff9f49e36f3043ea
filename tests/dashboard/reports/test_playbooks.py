"""The tab of playbooks: how much was applied, what became of it, what people did, and what failed."""

from datetime import datetime
from typing import Any

import pytest

from cs_platform.tenancy.clock import database_now
from playbooks.models import ActionRun, Playbook
from tests.dashboard.reports.reading import rows
from tests.playbooks.test_applied import fail
from tests.rest.client import Api
from tests.visitor import Visitor, text
from tests.world import Workspace, account, apply_now, days, live, playbook_json, raise_risk


@pytest.fixture
def now() -> datetime:
    return database_now()


@pytest.fixture
def rescue(orbiton: Workspace, now: datetime) -> Playbook:
    """Finished at Priya's account; at Tom's it goes on, and an action of it failed."""
    steps = [raise_risk(), raise_risk(400, key="far", title="Far")]
    quick, slow = live(playbook_json("quick", steps=[raise_risk()]), now=now), live(playbook_json(steps=steps), now=now)
    apply_now(quick, account("Calyx", csm=orbiton.priya), now=now)
    going_on = apply_now(slow, account("Harbourline", csm=orbiton.tom), now=now)
    ActionRun.objects.filter(enrollment=going_on, step__key="risk").delete()
    fail(going_on, "dead", "=No mailbox")
    return slow


def test_the_page_says_what_was_applied_and_what_became_of_it(orbiton: Workspace, rescue: Playbook) -> None:
    page = text(Visitor(orbiton.omar).page("reports/playbooks/"))

    assert "<dt>Applied</dt><dd>2 <small>in the last 12 months</small>" in page
    assert "<dt>Under way now</dt><dd>1 " in page
    assert "<dt>Finished</dt><dd>1 <small>50% of applied</small>" in page
    assert '<dt>Failed actions open</dt><dd>1 <small class="bad-text">of 1 playbook</small>' in page
    assert "Applied by month" in page
    assert page.count('<svg class="chart"') == 1
    assert "=No mailbox" in page
    assert f"/playbooks/{rescue.pk}/enrollments/?show=failed" in page
    assert "Applied by week" in text(Visitor(orbiton.omar).page("reports/playbooks/?months=3"))


def test_an_empty_workspace_says_what_will_stand_there(orbiton: Workspace) -> None:
    page = text(Visitor(orbiton.omar).page("reports/playbooks/"))

    assert "Once one is, this shows how many applications began" in page
    assert "No action waits for anybody." in page
    assert '<svg class="chart"' not in page


def test_files_and_api_say_the_same_of_the_people_asked_for(orbiton: Workspace, rescue: Playbook) -> None:
    visitor, api, query = Visitor(orbiton.omar), Api.with_key(orbiton.tenant), f"?months=3&csm={orbiton.tom.pk}"

    *_before, last = rows(visitor.page(f"reports/applied.csv{query}"))
    assert (last["applied"], last["finished"], last["under_way"], last["stopped"]) == ("1", "0", "1", "0")
    shown = api.get(f"/reports/applied/{query}").json[-1]
    assert (shown["applied"], shown["finished"], shown["under_way"]) == (1, 0, 1)
    assert shown["begins"] == last["begins"]

    [failed] = rows(visitor.page(f"reports/failed-actions.csv{query}"))
    assert (failed["playbook"], failed["failed"], failed["accounts"]) == (rescue.name, "1", "1")
    assert failed["reason"] == "'=No mailbox"  # no spreadsheet takes it for a formula
    [shown] = api.get(f"/reports/failed-actions/{query}").json
    assert (shown["playbook"], shown["failed"], shown["reason"]) == (rescue.pk, 1, "=No mailbox")
    assert api.get(f"/reports/failed-actions/?csm={orbiton.priya.pk}").json == []

    took = {one["key"]: one["days_to_finish"] for one in api.get("/reports/playbooks/").json}
    assert took == {"quick": pytest.approx(0, abs=0.1), rescue.key: None}


def test_the_number_of_statements_does_not_grow(
    orbiton: Workspace, rescue: Playbook, now: datetime, django_assert_max_num_queries: Any
) -> None:
    visitor = Visitor(orbiton.omar)
    visitor.page("reports/playbooks/")
    for at in range(5):
        more = live(playbook_json(f"more-{at}", steps=[raise_risk(40)]), now=now - days(9))
        fail(apply_now(more, account(f"More {at}"), now=now), "dead")

    with django_assert_max_num_queries(28):
        visitor.page("reports/playbooks/")
