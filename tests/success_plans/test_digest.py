"""Plans that are late or due today are in the daily mail of whoever leads them."""

from datetime import timedelta
from typing import Any

from accounts.models import Account
from success_plans.digest import DuePlans
from success_plans.models import SuccessPlan
from success_plans.planning import OpenObjectives, activate, close_plan, create_plan
from tests.success_plans.world import NOW, TODAY
from tests.world import Workspace


def said(space: Workspace) -> list[tuple[str, list[str]]]:
    parts = DuePlans().parts(space.priya, today=TODAY)
    return [(f"{part.total} {part.title}", [line.text for line in part.lines]) for part in parts]


def test_late_ones_first_and_nothing_of_drafts_or_what_is_closed(orbiton: Workspace, harbour: Account) -> None:
    by: dict[str, Any] = {"by": orbiton.tom, "now": NOW}
    for name, days in (("Late", -1), ("Today", 0), ("Later", 1)):
        due_on = TODAY + timedelta(days=days)
        plan = create_plan(account=harbour, name=name, owner=orbiton.priya, due_on=due_on, **by)
        activate(plan, **by)
    create_plan(account=harbour, name="Draft", owner=orbiton.priya, due_on=TODAY, **by)
    create_plan(account=harbour, name="Another’s", owner=orbiton.tom, due_on=TODAY, **by)
    at = harbour.name
    assert said(orbiton) == [
        ("1 success plan late", [f"Late ({at})"]),
        ("1 success plan due today", [f"Today ({at})"]),
    ]

    close_plan(SuccessPlan.objects.get(name="Late"), objectives=OpenObjectives.KEEP, **by)
    assert said(orbiton) == [("1 success plan due today", [f"Today ({at})"])]
