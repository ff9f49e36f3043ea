"""With the playbook and without it, on pages, in the file and over the API."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from accounts.models import Account
from cs_platform.tenancy.clock import database_now
from cs_platform.tenancy.context import tenant_context
from playbooks.models import Enrollment, Playbook, Withheld
from tests.dashboard.reports.reading import rows
from tests.rest.client import Api
from tests.visitor import Visitor, text
from tests.world import Workspace, account, apply_now, evaluate, live, playbook_json

GROWN: dict[str, Any] = {"name": "Grown", "rule": {"field": "mrr", "op": "more", "value": 100_000}, "days": 5}


def at(days: float) -> datetime:
    return database_now() - timedelta(days=days)


@pytest.fixture
def runway(orbiton: Workspace) -> Playbook:
    """Sixty accounts found twenty days ago: all with the playbook grow, of those without half."""
    with tenant_context(orbiton.tenant.pk):
        for n in range(60):
            account(f"Account {n:02}", plan="Pro", csm=orbiton.priya, now=at(30))
        data = playbook_json("runway", name="Runway", outcome=GROWN, holdout=50)
        playbook = live(data, by=orbiton.jonah, now=at(20))
        evaluate(orbiton.tenant, now=at(20))
        with_it = Enrollment.objects.values_list("account_id", flat=True)
        without = Withheld.objects.order_by("pk").values_list("account_id", flat=True)
        Account.objects.filter(pk__in=[*with_it, *list(without)[::2]]).update(mrr_cents=200_000)
        evaluate(orbiton.tenant, now=at(19))
        return playbook


def test_two_bars_stand_beside_each_other(orbiton: Workspace, runway: Playbook) -> None:
    with_it, without = runway.enrollments.count(), Withheld.objects.count()
    half = -(-without // 2)
    page = text(Visitor(orbiton.omar).page("reports/"))

    assert "finished runs, against matching accounts without the playbook" in page
    assert 'show=stopped">0</a>' in page
    assert '<td data-label="Outcome" class="muted" title="Within 5 days of being applied">Grown</td>' in page
    assert '<b aria-hidden="true">100%</b>' in page
    percent = round(100 * half / without)
    assert f'<small class="muted" aria-hidden="true">{percent}%</small>' in page
    both = f"With the playbook {with_it} of {with_it} (100%), without it {half} of {without} ({percent}%)"
    assert f"{both}. Difference +" in page
    assert "95% interval +" in page


def test_the_playbooks_own_page_says_the_same_and_whether_it_may_be_chance(
    orbiton: Workspace, runway: Playbook
) -> None:
    page = text(Visitor(orbiton.omar).page(f"playbooks/{runway.pk}/"))
    assert "<h2>Outcome: Grown</h2>" in page
    assert "<b>More than chance.</b>" in page
    assert "95% interval +" in page


def test_the_file_and_the_api_hold_the_numbers(orbiton: Workspace, runway: Playbook) -> None:
    with_it, without = runway.enrollments.count(), Withheld.objects.count()
    [row] = rows(Visitor(orbiton.omar).page("reports/playbooks.csv"))
    assert (row["outcome"], row["outcome_days"]) == ("Grown", "5")
    assert (row["compared_with"], row["reached_with"], row["percent_with"]) == (str(with_it), str(with_it), "100.0")
    assert (row["compared_without"], row["reached_without"]) == (str(without), str(-(-without // 2)))
    assert float(row["difference_low"]) < float(row["difference"]) < float(row["difference_high"])

    [shown] = Api.with_key(orbiton.tenant).get("/reports/playbooks/").json
    compared = shown["compared"]
    assert (compared["outcome"], compared["days"], compared["holdout"]) == ("Grown", 5, 50)
    assert compared["with_playbook"] == {"compared": with_it, "reached": with_it, "percent": 100.0}
    assert compared["without_playbook"]["compared"] == without
    assert compared["difference"]["low"] == pytest.approx(float(row["difference_low"]), abs=0.05)

    [nobody] = rows(Visitor(orbiton.omar).page(f"reports/playbooks.csv?csm={orbiton.priya.pk}"))
    assert nobody["compared_with"] == str(with_it)
    assert rows(Visitor(orbiton.omar).page(f"reports/playbooks.csv?csm={orbiton.tom.pk}")) == []


def test_too_few_are_not_compared_and_what_has_no_outcome_says_so(orbiton: Workspace) -> None:
    with tenant_context(orbiton.tenant.pk):
        here = account("Here", now=at(30))
        few = live(playbook_json("few", name="Few", outcome=GROWN, holdout=10), by=orbiton.jonah, now=at(20))
        young = live(playbook_json("young", outcome=GROWN), by=orbiton.jonah, now=at(20))
        aimless = live(playbook_json("aimless", name="Aimless"), by=orbiton.jonah, now=at(20))
        apply_now(few, here, now=at(10))
        apply_now(young, here, now=at(1))
        apply_now(aimless, here, now=at(10))

    page = text(Visitor(orbiton.omar).page("reports/"))
    assert "Too few accounts to compare" in page
    assert "Known for the first when 5 days are over" in page
    assert "No outcome chosen" in page
    assert "Choose one" not in page  # an observer drafts nothing
    assert Api.with_key(orbiton.tenant).get("/reports/playbooks/").json[-1]["compared"] is None

    maya = Visitor(orbiton.maya)
    assert 'Choose one<span class="sr"> for Aimless</span>' in text(maya.page("reports/"))
    led = maya.submit(f"playbooks/{aimless.pk}/edit/", part="outcome")
    assert led["Location"].endswith(f"playbooks/{aimless.pk}/draft/rules/?outcome=1#outcome")
