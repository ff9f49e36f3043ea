"""What the demo's customers want to reach: a type of plans, templates for it, and plans that people started."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from accounts.models import Account, EndUser
from cs_platform.tenancy.context import tenant_context
from cs_platform.tenancy.models import Membership, Tenant
from success_plans.defining import save_template, save_type
from success_plans.guests import give_tasks
from success_plans.models import PlanTemplate, Stakeholder, SuccessPlan
from success_plans.planning import activate, add_stakeholder, edit_plan
from success_plans.sharing import make_link, offered_parts
from success_plans.templates import start_by_hand

FIELDS: list[dict[str, Any]] = [
    {"label": "Business case", "kind": "long_text", "group": "Why"},
    {"label": "Executive sponsor", "kind": "text", "group": "Why"},
    {"label": "Sites", "kind": "number", "group": "How much"},
    {"label": "Approach", "kind": "choice", "choices": ["Pilot first", "All at once"], "group": "How much"},
]


def _task(title: str, day: int, owner: str = "") -> dict[str, Any]:
    return {"title": title, "due_day": day, "owner": owner}


ONBOARDING = [
    {
        "name": "Agree on the first goal",
        "category": "Start",
        "start_day": 0,
        "due_day": 7,
        "tasks": [_task("Hold the kick-off call", 2), _task("Write the goal down", 4), _task("Name a sponsor", 7)],
    },
    {
        "name": "First team works with it",
        "category": "Go live",
        "start_day": 5,
        "due_day": 21,
        "needs": [0],
        "tasks": [_task("Invite the first team", 7), _task("Connect their data", 12), _task("Share a dashboard", 20)],
    },
    {
        "name": "Value is seen",
        "category": "Adoption",
        "start_day": 21,
        "due_day": 45,
        "needs": [1],
        "tasks": [_task("Look at the first report together", 30), _task("Ask for the next team", 45, "ae")],
    },
]
ROLL_OUT = [
    {
        "name": "Move three pilot sites",
        "category": "Go live",
        "start_day": 0,
        "due_day": 12,
        "tasks": [
            _task("Choose the sites", 3),
            _task("Install scanners", 8),
            _task("Train the shift leads", 10),
            _task("Sign off", 12),
        ],
    },
    {
        "name": "Go live at the first four sites",
        "category": "Go live",
        "start_day": 10,
        "due_day": 32,
        "needs": [0],
        "tasks": [
            _task("Test label printing", 14),
            _task("Move user accounts", 20),
            _task("Fix single sign-on", 26),
            _task("Sign off with site leads", 32),
        ],
    },
    {
        "name": "Train dispatchers on exceptions",
        "category": "Adoption",
        "start_day": 20,
        "due_day": 53,
        "tasks": [
            _task("Choose regions and trainers", 24),
            _task("Record the two short lessons", 39),
            _task("Run a session per region", 51, "ae"),
        ],
    },
    {
        "name": "Go live at the last five sites",
        "category": "Go live",
        "start_day": 40,
        "due_day": 84,
        "needs": [1],
        "tasks": [_task("Plan the weekends", 48), _task("Install scanners", 70), _task("Sign off", 84)],
    },
    {
        "name": "Cut missed scans by half",
        "category": "Adoption",
        "start_day": 60,
        "due_day": 96,
        "needs": [2],
        "tasks": [_task("Measure again", 75), _task("Review with operations", 96)],
    },
]
# days before the end of the past in which it was started; how many of the strategic accounts; whether it has begun
BY_HAND = ((45, 3, True), (12, 3, True), (2, 1, False))
SOONER = timedelta(days=70)  # the largest of those that began together want to be through by then


def set_up_plans(tenant: Tenant, *, now: datetime) -> None:
    """A type and two templates; playbooks name the first."""
    with tenant_context(tenant.pk):
        by: dict[str, Any] = {"by": tenant.memberships.get(role="manager"), "now": now}
        type = save_type(
            None, name="Adoption", formula="tasks", categories=["Start", "Go live", "Adoption"], fields=FIELDS, **by
        )
        for key, name, days, objectives in (
            ("onboarding", "Onboarding", 60, ONBOARDING),
            ("site-roll-out", "Site roll-out", 100, ROLL_OUT),
        ):
            definition = {"objectives": objectives}
            save_template(None, key=key, name=name, type=type, duration_days=days, definition=definition, **by)


def start_plans_of(tenant: Tenant, days_left: int, *, now: datetime) -> None:
    """What the team starts on this day of the past: some of the largest accounts roll out to more sites."""
    with tenant_context(tenant.pk):
        busy = SuccessPlan.objects.present().values("account")
        free = Account.objects.tracked().filter(csm__isnull=False, mrr_cents__isnull=False).exclude(pk__in=busy)
        for days, count, begun in BY_HAND:
            if days == days_left:
                largest = free.select_related("csm", "ae").order_by("-mrr_cents", "pk")[:count]
                for at, account in enumerate(largest):
                    _start(account, begun=begun, is_rushed=begun and at == 0, now=now)


def _give_work(plan: SuccessPlan, theirs: Sequence[Stakeholder], *, by: Membership, now: datetime) -> None:
    """What the customer does: the sponsor decides, and operations, where somebody is known there, does the work."""
    doers = {"Choose regions and trainers": theirs[0], "Review with operations": theirs[0]}
    doers |= dict.fromkeys(("Train the shift leads", "Test label printing", "Run a session per region"), theirs[-1])
    for objective in plan.objectives.select_related("cta"):
        given = {task.pk: doers[task.title] for task in objective.cta.tasks.present() if task.title in doers}
        give_tasks(objective, given, by=by, now=now)


def _start(account: Account, *, begun: bool, is_rushed: bool, now: datetime) -> None:
    owner = account.csm
    assert owner is not None
    by: dict[str, Any] = {"by": owner, "now": now}
    template = PlanTemplate.objects.get(key="site-roll-out")
    name = "Roll-out to 12 sites"
    plan = start_by_hand(template, account=account, name=name, owner=owner, start_on=now.date(), **by)
    metric: dict[str, Any] = {"metric": "Missed scans", "metric_unit": "%", "metric_start": 4.2, "metric_now": 3.1}
    words = f"All 12 sites of {account.name} on the new scanners, and half as many missed scans."
    values = {"business_case": "Every missed scan costs a call.", "sites": 12, "approach": "Pilot first"}
    edit_plan(plan, highlights=words, values=values, metric_goal=2.0, **metric, **by)
    people = EndUser.objects.filter(archived_at=None, account_users__account=account).order_by("name", "pk")
    theirs = [
        add_stakeholder(plan, end_user=person, role=role, **by)
        for role, person in zip(("Sponsor", "Operations"), people[:2], strict=False)
    ]
    if theirs:
        _give_work(plan, theirs, **by)
    if is_rushed:
        edit_plan(plan, due_on=now.date() + SOONER, **by)
    if begun:
        activate(plan, **by)
        shown = ["name", "standing", "progress", "highlights", "due_dates", "tasks", "people", "soon", "metric"]
        objectives = [key for key, _label in offered_parts(plan) if key.startswith("objective:")]
        make_link(
            plan, name="Their project lead", parts=[*shown, *objectives], by=owner, now=now + timedelta(minutes=5)
        )
