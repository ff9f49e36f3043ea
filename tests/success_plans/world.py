"""A plan to tell stories with: three objectives, two of them with tasks, from Monday on."""

from datetime import timedelta
from typing import Any

from accounts.models import Account
from ctas.models import Cta
from success_plans.defining import save_template, save_type
from success_plans.models import Objective, PlanTemplate, PlanType, SuccessPlan
from success_plans.planning import add_objective, create_plan
from tests.world import MONDAY, Workspace

NOW = MONDAY
TODAY = MONDAY.date()
FIELDS = [
    {"label": "Sponsor's wish", "kind": "long_text", "group": "Goals"},
    {"label": "Sites", "kind": "number"},
    {"label": "Phase", "kind": "choice", "choices": ["Pilot", "Roll-out"]},
    {"label": "Signed on", "kind": "date"},
    {"label": "Reference", "kind": "yes_no"},
]


def day(n: int) -> Any:
    return TODAY + timedelta(days=n)


def plan_type(space: Workspace, name: str = "Onboarding", formula: str = "tasks", **parts: Any) -> PlanType:
    made = {"categories": ["Go live", "Adoption"], "fields": FIELDS} | parts
    return save_type(None, name=name, formula=formula, **made, by=space.olga, now=NOW)


def roll_out(account: Account, space: Workspace, *, formula: str = "tasks", **parts: Any) -> SuccessPlan:
    type = plan_type(space, f"Type {PlanType.objects.count()}", formula)
    made = {"start_on": TODAY, "due_on": day(90), "owner": space.priya} | parts
    plan = create_plan(account=account, name="Warehouse roll-out", type=type, by=space.priya, now=NOW, **made)
    pilot = objective(plan, space, "Move three pilot sites", category="Go live", due_on=day(12), weight=3)
    live = objective(plan, space, "Go live at the first sites", category="Go live", due_on=day(25))
    objective(plan, space, "Cut missed scans by half", category="Adoption", due_on=day(80))
    for title, where in (("Install scanners", pilot), ("Print labels", pilot), ("Move user accounts", live)):
        where.cta.add_task(title=title, owner=space.tom, due_on=day(5), by=space.priya, now=NOW)
    return plan


def objective(plan: SuccessPlan, space: Workspace, name: str, **parts: Any) -> Objective:
    return add_objective(plan, name=name, owner=space.priya, by=space.priya, now=NOW, **parts)


def named(plan: SuccessPlan, name: str) -> Objective:
    return Objective.objects.select_related("cta", "plan").get(plan=plan, cta__name__startswith=name)


def states(plan: SuccessPlan) -> list[str]:
    rows = Objective.objects.filter(plan=plan).order_by("position")
    return list(rows.values_list("cta__status", flat=True))


def stand_alone(account: Account, space: Workspace, name: str = "Call them", **parts: Any) -> Cta:
    made = {"type": "risk", "created_at": NOW, "created_by": space.priya.actor} | parts
    return Cta.objects.create(account=account, name=name, **made)


OUTLINE = {
    "highlights": "All sites live.",
    "objectives": [
        {
            "name": "Move the pilot sites",
            "category": "Go live",
            "start_day": 0,
            "due_day": 14,
            "owner": "csm",
            "tasks": [
                {"title": "Install scanners", "due_day": 5},
                {"title": "Sign off", "due_day": 14, "owner": "ae"},
            ],
        },
        {"name": "Train dispatchers", "due_day": 40, "needs": [0], "weight": 2},
    ],
}


def template(space: Workspace, name: str = "Site roll-out", **parts: Any) -> PlanTemplate:
    type = PlanType.objects.filter(name="Onboarding").first() or plan_type(space)
    made = {"duration_days": 60, "definition": OUTLINE} | parts
    return save_template(None, name=name, type=type, by=space.olga, now=NOW, **made)
