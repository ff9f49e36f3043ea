"""How the demo's team keeps its customers apart: segments by rule and by hand, and a health score of its own."""

from datetime import datetime
from typing import Any

from accounts.fields import workspace_fields
from accounts.health.defining import MeasureWording, ScoreWording, save_score, set_measures
from accounts.models import Account, HealthMeasure, Segment
from accounts.rules.fields import FieldSet, Subject
from accounts.rules.grammar import Rule, parse
from accounts.segments.defining import Wording, create_segment
from accounts.segments.members import add_by_hand
from cs_platform.tenancy.context import tenant_context
from cs_platform.tenancy.models import Membership, Tenant

STRATEGIC = 15  # accounts a manager has chosen

Json = dict[str, Any]


def _event(name: str, op: str, times: int, days: int) -> Json:
    return {"field": f"event:{name}", "op": op, "value": times, "days": days}


def _not_done(name: str, days: int) -> Json:
    return {"field": f"event:{name}", "op": "not_done_within_days", "value": days}


# score, weight, its measures: name, weight, healthy, poor
SCORES: tuple[tuple[str, float, tuple[tuple[str, float, Json, Json | None], ...]], ...] = (
    (
        "Adoption",
        3,
        (
            ("Sign-ins", 2, _event("Signed In", "at_least", 4, 14), _not_done("Signed In", 14)),
            ("Reports", 1, _event("Report Created", "at_least", 2, 30), _not_done("Report Created", 60)),
            ("Sharing", 1, _event("Dashboard Shared", "at_least", 1, 30), None),
        ),
    ),
    (
        "Support",
        1,
        (
            (
                "Tickets",
                1,
                _event("Support Ticket Opened", "at_most", 1, 30),
                _event("Support Ticket Opened", "at_least", 4, 30),
            ),
            (
                "Failed exports",
                1,
                _event("Export Failed", "at_most", 0, 30),
                _event("Export Failed", "at_least", 3, 30),
            ),
        ),
    ),
    (
        "Billing",
        1,
        (
            (
                "Payments",
                1,
                {"field": "trait:payment_failed", "op": "is_false"},
                {"field": "trait:payment_failed", "op": "is_true"},
            ),
        ),
    ),
)
# scope, name, description, rule
SEGMENTS: tuple[tuple[str, str, str, Json | None], ...] = (
    (
        "account",
        "Renewing this quarter",
        "What the weekly renewal round goes through.",
        {
            "all": [
                {"field": "renewal_on", "op": "within_next_days", "value": 90},
                {"field": "lifecycle", "op": "is", "value": "subscribed"},
            ]
        },
    ),
    (
        "account",
        "Large and unwell",
        "Asked about by the Monday call.",
        {
            "all": [
                {"field": "mrr", "op": "at_least", "value": 200_000},
                {"field": "health", "op": "less", "value": 5},
            ]
        },
    ),
    ("account", "Strategic", "Chosen by hand, looked after by two people each.", None),
    (
        "user",
        "Admins",
        "Who to tell of changes to the product.",
        {"field": "role", "op": "is_any_of", "value": ["admin", "owner"]},
    ),
)


def take_stock(tenant: Tenant, *, now: datetime) -> None:
    with tenant_context(tenant.pk):
        lead = Membership.objects.in_tenant(tenant.pk).get(role="manager")
        fields = workspace_fields()
        for name, weight, measures in SCORES:
            score = save_score(None, wording=ScoreWording(name, weight), tenant=tenant, by=lead, now=now)
            set_measures(score, wordings=[_measure(fields, *one) for one in measures], tenant=tenant, by=lead, now=now)
        for scope, name, description, rule in SEGMENTS:
            parsed = parse(rule, fields=fields, subject=Subject(scope)) if rule else None
            wording = Wording(name, description, parsed)
            create_segment(scope=scope, wording=wording, tenant=tenant, by=lead, now=now)
        largest = Account.objects.tracked().filter(mrr_cents__isnull=False).order_by("-mrr_cents", "pk")
        add_by_hand(
            segment=Segment.objects.get(name="Strategic"),
            subjects=largest.values_list("pk", flat=True)[:STRATEGIC],
            by=lead,
            now=now,
        )


def _measure(fields: FieldSet, name: str, weight: float, healthy: Json, poor: Json | None) -> MeasureWording:
    def read(written: Json) -> Rule:
        return parse(written, fields=fields, subject=Subject.ACCOUNT)

    return MeasureWording(name, read(healthy), read(poor) if poor else None, weight, HealthMeasure.Unknown.LEAVE_OUT)
