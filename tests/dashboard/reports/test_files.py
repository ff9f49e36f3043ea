"""Every table of every tab is a file and an endpoint that says the same."""

from typing import Any

import pytest

from cs_platform.dashboard.reports.tabs import FILES
from cs_platform.tenancy.clock import database_now
from ctas.opening import open_cta
from success_plans.planning import activate, create_plan
from tests.dashboard.reports.reading import rows
from tests.rest.client import Api
from tests.visitor import Visitor
from tests.world import Workspace, account, apply_now, days, live, playbook_json, raise_risk


@pytest.fixture
def lively(orbiton: Workspace) -> Workspace:
    """Something of everything that a report tells of."""
    now = database_now()
    here = account("Calyx", csm=orbiton.priya, mrr_cents=100_000, health=20.0, now=now - days(700))
    by: dict[str, Any] = {"by": orbiton.priya, "now": now}
    open_cta(account=here, name="Late", type="risk", owner=orbiton.priya, due_on=(now - days(2)).date(), **by)
    plan = create_plan(account=here, name="Roll-out", owner=orbiton.priya, due_on=(now - days(2)).date(), **by)
    activate(plan, **by)
    apply_now(live(playbook_json("rescue", steps=[raise_risk()]), now=now), here, now=now)
    return orbiton


@pytest.mark.parametrize("key", FILES)
def test_a_file_and_its_endpoint_have_the_same_lines(lively: Workspace, key: str) -> None:
    file = Visitor(lively.omar).page(f"reports/{key}.csv")
    shown = Api.with_key(lively.tenant).get(f"/reports/{key}/")

    assert file["Content-Disposition"].startswith("attachment")
    assert shown.status == 200
    assert len(rows(file)) == len(shown.json)
    assert all(list(row) == list(FILES[key].head) and None not in row.values() for row in rows(file))
