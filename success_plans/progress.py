"""How far plans are: counted in one statement for any number of them, by the formula of each plan's type.

What was cancelled leaves the count, on both sides; a plan without anything to count is at 0 %.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any

from cs_platform.common.statements import fetch
from cs_platform.tenancy.context import current_tenant_id

# Of one plan `p` of type `pt`: what its objectives and tasks come to. Archived CTAs and tasks do not count.
COUNTED = """
    SELECT count(*) FILTER (WHERE c.status <> 'cancelled') AS objectives,
        count(*) FILTER (WHERE c.status IN ('won', 'lost')) AS closed,
        coalesce(sum(o.weight) FILTER (WHERE c.status <> 'cancelled'), 0) AS weight,
        coalesce(sum(o.weight) FILTER (WHERE c.status IN ('won', 'lost')), 0) AS weight_closed,
        coalesce(sum(t.tasks) FILTER (WHERE c.status <> 'cancelled'), 0)::int AS tasks,
        coalesce(sum(t.done) FILTER (WHERE c.status <> 'cancelled'), 0)::int AS done,
        min(c.due_on) FILTER (WHERE c.status IN ('draft', 'open')) AS next_due,
        max(c.due_on) FILTER (WHERE c.status <> 'cancelled') AS last_due,
        greatest(max(c.closed_at), max(t.last_done_at)) AS last_done_at
    FROM success_plans_objective o
    JOIN ctas_cta c ON c.tenant_id = o.tenant_id AND c.id = o.cta_id AND c.archived_at IS NULL
    LEFT JOIN LATERAL (
        SELECT count(*) FILTER (WHERE k.status <> 'cancelled') AS tasks,
            count(*) FILTER (WHERE k.status = 'done') AS done,
            max(k.completed_at) AS last_done_at
        FROM ctas_task k WHERE k.tenant_id = c.tenant_id AND k.cta_id = c.id AND k.archived_at IS NULL
    ) t ON true
    WHERE o.tenant_id = p.tenant_id AND o.plan_id = p.id
"""
# The formulas, told apart by the type. Whole percents, never rounded up to what is not reached.
PERCENT = """
    coalesce(CASE pt.formula
        WHEN 'objectives' THEN div(100 * n.closed, nullif(n.objectives, 0))
        WHEN 'weighted' THEN div(100 * n.weight_closed, nullif(n.weight, 0))
        ELSE div(100 * n.done, nullif(n.tasks, 0))
    END, 0)::int
"""
# Of an active plan, as `standing` says in words.
STANDING = """
    CASE WHEN p.due_on < %(today)s THEN 'overdue'
        WHEN n.next_due < %(today)s OR n.last_due > p.due_on THEN 'at_risk'
        ELSE 'on_track'
    END
"""
FROM_PLANS = f"""
    FROM success_plans_successplan p
    JOIN success_plans_plantype pt ON pt.tenant_id = p.tenant_id AND pt.id = p.type_id
    CROSS JOIN LATERAL ({COUNTED}) n
"""


@dataclass(frozen=True, slots=True)
class Progress:
    percent: int = 0
    objectives: int = 0
    closed: int = 0
    tasks: int = 0
    done: int = 0
    next_due: date | None = None
    last_due: date | None = None


NOTHING = Progress()


def load_progress(plans: Iterable[int]) -> dict[int, Progress]:
    rows = fetch(
        f"SELECT p.id, {PERCENT}, n.objectives, n.closed, n.tasks, n.done, n.next_due, n.last_due {FROM_PLANS}"
        " WHERE p.tenant_id = %(tenant)s AND p.id = ANY(%(plans)s)",
        {"tenant": current_tenant_id(), "plans": list(plans)},
    )
    return {pk: Progress(*found) for pk, *found in rows}


@dataclass(frozen=True, slots=True)
class Standing:
    """What to make of a plan today, in a word."""

    label: str
    tone: str


def standing(plan: Any, progress: Progress, *, today: date) -> Standing:
    if plan.status != "active":
        return Standing(plan.get_status_display(), "plan" if plan.status == "draft" else "neutral")
    if plan.due_on and plan.due_on < today:
        return Standing("Overdue", "bad")
    late = progress.next_due and progress.next_due < today
    beyond = plan.due_on and progress.last_due and progress.last_due > plan.due_on
    return Standing("At risk", "warn") if late or beyond else Standing("On track", "ok")
