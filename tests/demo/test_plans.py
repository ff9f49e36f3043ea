"""The demo's plans: templates that its playbooks name, and plans that people start on their days."""

import json

from actions.checks import clean_config
from actions.registry import action_for
from cs_platform.demo.days import PLAYBOOKS
from cs_platform.demo.plans import set_up_plans, start_plans_of
from cs_platform.tenancy.context import tenant_context
from ctas.models import Cta
from success_plans.listing import rows_of
from success_plans.models import PlanTemplate, ShareLink, SuccessPlan
from tests import world
from tests.world import MONDAY


def test_people_start_plans_and_playbooks_name_templates_that_are_there(db: None) -> None:
    space = world.workspace("orbiton")
    with tenant_context(space.tenant.pk):
        for number in range(5):
            world.account(f"Customer {number}", csm=space.priya, mrr_cents=1_000 * number)
        world.account("Nobody's", mrr_cents=9_000)
    set_up_plans(space.tenant, now=MONDAY)
    for days_left in (45, 44, 2):
        start_plans_of(space.tenant, days_left, now=MONDAY)

    with tenant_context(space.tenant.pk):
        plans = SuccessPlan.objects.order_by("pk")
        assert [(plan.status, plan.objectives.count()) for plan in plans] == [("active", 5)] * 3 + [("draft", 5)]
        assert [row.standing.label for row in rows_of(plans, today=MONDAY.date())][:3] == [
            "At risk",
            "On track",
            "On track",
        ]
        assert {plan.account.name for plan in plans} == {f"Customer {number}" for number in (4, 3, 2, 1)}
        assert (Cta.objects.open().count(), ShareLink.objects.count()) == (15, 3)
        steps = json.loads((PLAYBOOKS / "onboarding.json").read_text())["steps"]
        [step] = [step for step in steps if step["action"] == "start_success_plan"]
        assert PlanTemplate.objects.filter(key=step["config"]["template"]).exists()
        config = step["config"] | {"fallback_owner": ""}
        assert clean_config(action_for("start_success_plan"), config)["begin"] is True
