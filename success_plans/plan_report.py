"""How success plans are doing, for reports: those that are under way, what was begun and reached, and who has none."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from accounts.models.account import TRACKED
from cs_platform.common.statements import fetch
from cs_platform.tenancy.context import current_tenant_id
from success_plans.models import SuccessPlan
from success_plans.progress import FROM_PLANS, PERCENT, STANDING

STILL = timedelta(days=30)  # without a task done or an objective closed: it stands still
NEEDING = 50  # listed at most


@dataclass(slots=True)
class Plans:
    """Of some plans: how those under way stand now, and what was begun, closed and reached in the time."""

    on_track: int = 0
    at_risk: int = 0
    overdue: int = 0
    still: int = 0  # of all under way
    progress: float | None = None  # per cent, of those under way on average
    begun: int = 0
    closed: int = 0
    reached: int = 0  # objectives won in time, or without a due date
    reached_late: int = 0
    lost: int = 0

    @property
    def active(self) -> int:
        return self.on_track + self.at_risk + self.overdue

    @property
    def all_reached(self) -> int:
        return self.reached + self.reached_late

    @property
    def is_nothing(self) -> bool:
        return not any(getattr(self, field.name) for field in fields(self))


@dataclass(frozen=True, slots=True)
class Needing:
    """A plan under way that is overdue, at risk or stands still."""

    plan: SuccessPlan
    standing: str  # "overdue", "at_risk" or "on_track"
    percent: int
    last_done_at: datetime  # begun at, while nothing is done
    is_still: bool


@dataclass(frozen=True, slots=True)
class PlanReport:
    whole: Plans
    before: Plans  # in the same time before: what was begun, closed and reached
    steps: Sequence[Plans]
    by_owner: Mapping[int | None, Plans]


def plan_report(
    *, starts: Sequence[datetime], now: datetime, zone: ZoneInfo, owners: Sequence[int] | None = None
) -> PlanReport:
    """`starts` as in ctas.work_report. `owners`: whose plans; None: everybody's, and nobody's. Three statements."""
    asked = _asked(now, zone, owners) | {
        "starts": list(starts),
        "since": starts[0],
        "before": starts[0] - (now - starts[0]),
    }
    sums: dict[tuple[Any, ...], Plans] = defaultdict(Plans)
    for statement, names in _STATEMENTS:
        for place, counts in _rows(statement, asked):
            for name, count in zip(names, counts, strict=True):
                setattr(sums[place], name, count)
    return PlanReport(
        whole=sums.get(("whole",)) or Plans(),
        before=sums.get(("before",)) or Plans(),
        steps=[sums.get(("step", at)) or Plans() for at in range(1, len(starts) + 1)],
        by_owner={place[1]: one for place, one in sums.items() if place[0] == "owner" and not one.is_nothing},
    )


def needing_attention(*, now: datetime, zone: ZoneInfo, owners: Sequence[int] | None = None) -> list[Needing]:
    """The first ones, overdue before at risk before standing still, the longest due before the others.

    Two statements.
    """
    found = {pk: rest for pk, *rest in fetch(_NEEDING, _asked(now, zone, owners))}
    plans = SuccessPlan.objects.select_related("account", "owner", "tenant").in_bulk(list(found))
    return [Needing(plans[pk], *rest) for pk, rest in found.items() if pk in plans]


def _asked(now: datetime, zone: ZoneInfo, owners: Sequence[int] | None) -> dict[str, Any]:
    return {
        "tenant": current_tenant_id(),
        "now": now,
        "today": now.astimezone(zone).date(),
        "zone": zone.key,
        "still_since": now - STILL,
        "all": owners is None,
        "owners": list(owners or ()),
        "shown": NEEDING,
    }


def _rows(statement: str, asked: Mapping[str, Any]) -> Iterator[tuple[tuple[Any, ...], Sequence[Any]]]:
    """What each row is about (a kind of sums and its key), and its sums."""
    for grouped, lately, step, owner_id, *counts in fetch(statement, asked):
        if grouped == _WHOLE:
            yield ("whole" if lately else "before",), counts
        elif lately:
            yield ("step", step) if grouped == _BY_STEP else ("owner", owner_id), counts


# What a row is grouped by: a bit for each column it is not about, the last one the lowest.
_WHOLE, _BY_STEP = 0b11, 0b01
_PLACE = "GROUPING(step, owner_id), lately, step, owner_id"
_GROUPS = "GROUPING SETS ((lately), (lately, step), (lately, owner_id))"
# Those of archived accounts are gone with them.
_PRESENT = """
    p.archived_at IS NULL AND (%(all)s OR p.owner_id = ANY(%(owners)s))
    AND EXISTS (
        SELECT 1 FROM accounts_account a
        WHERE a.tenant_id = %(tenant)s AND a.id = p.account_id AND a.archived_at IS NULL
    )
"""
_LAST_DONE_AT = "greatest(n.last_done_at, coalesce(p.activated_at, p.created_at))"
_UNDER_WAY = f"""
    SELECT p.id, p.owner_id, p.due_on, {PERCENT} AS percent, {STANDING} AS standing, {_LAST_DONE_AT} AS last_done_at,
        {_LAST_DONE_AT} < %(still_since)s AS is_still
    {FROM_PLANS} WHERE p.tenant_id = %(tenant)s AND p.status = 'active' AND {_PRESENT}
"""

_STANDING = f"""
WITH plan AS (SELECT u.*, true AS lately, 0 AS step FROM ({_UNDER_WAY}) u)
SELECT {_PLACE}, count(*) FILTER (WHERE standing = 'on_track')::int, count(*) FILTER (WHERE standing = 'at_risk')::int,
    count(*) FILTER (WHERE standing = 'overdue')::int, count(*) FILTER (WHERE is_still)::int, avg(percent)::float8
FROM plan GROUP BY {_GROUPS}
"""
# A plan is begun once, however often it was a draft again; it is closed as long as nobody opens it again.
_LIVES = f"""
WITH life AS (
    SELECT p.owner_id, m.at >= %(since)s AS lately, width_bucket(m.at, %(starts)s::timestamptz[]) AS step, m.is_end
    FROM success_plans_successplan p
    CROSS JOIN LATERAL (VALUES
        (CASE WHEN p.status <> 'draft' THEN p.activated_at END, false),
        (CASE WHEN p.status = 'closed' THEN p.closed_at END, true)
    ) m(at, is_end)
    WHERE p.tenant_id = %(tenant)s AND {_PRESENT} AND m.at >= %(before)s AND m.at < %(now)s
)
SELECT {_PLACE}, count(*) FILTER (WHERE NOT is_end)::int, count(*) FILTER (WHERE is_end)::int
FROM life GROUP BY {_GROUPS}
"""
_OBJECTIVES = f"""
WITH objective AS (
    SELECT p.owner_id, c.closed_at >= %(since)s AS lately, c.status,
        width_bucket(c.closed_at, %(starts)s::timestamptz[]) AS step,
        (c.closed_at AT TIME ZONE %(zone)s)::date > c.due_on IS TRUE AS is_late
    FROM ctas_cta c
    JOIN success_plans_objective o ON o.tenant_id = %(tenant)s AND o.cta_id = c.id
    JOIN success_plans_successplan p ON p.tenant_id = %(tenant)s AND p.id = o.plan_id AND {_PRESENT}
    WHERE c.tenant_id = %(tenant)s AND c.archived_at IS NULL AND c.status IN ('won', 'lost')
        AND c.closed_at >= %(before)s AND c.closed_at < %(now)s
)
SELECT {_PLACE}, count(*) FILTER (WHERE status = 'won' AND NOT is_late)::int,
    count(*) FILTER (WHERE status = 'won' AND is_late)::int, count(*) FILTER (WHERE status = 'lost')::int
FROM objective GROUP BY {_GROUPS}
"""
_STATEMENTS = (
    (_STANDING, ("on_track", "at_risk", "overdue", "still", "progress")),
    (_LIVES, ("begun", "closed")),
    (_OBJECTIVES, ("reached", "reached_late", "lost")),
)
_NEEDING = f"""
SELECT id, standing, percent, last_done_at, is_still FROM ({_UNDER_WAY}) plan
WHERE standing <> 'on_track' OR is_still
ORDER BY CASE standing WHEN 'overdue' THEN 1 WHEN 'at_risk' THEN 2 ELSE 3 END, due_on, last_done_at, id LIMIT %(shown)s
"""


# --- who has one ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Covered:
    """Tracked accounts and their revenue, by the furthest of their plans: under way, a draft, or none of these."""

    state: str
    accounts: int = 0
    mrr_cents: int = 0


def coverage(*, csms: Sequence[int] | None = None) -> list[Covered]:
    """`csms` as in accounts.revenue. One statement."""
    asked = {
        "tenant": current_tenant_id(),
        "tracked": [lifecycle.value for lifecycle in TRACKED],
        "all": csms is None,
        "csms": list(csms or ()),
    }
    found = {state: sums for state, *sums in fetch(_COVERED, asked)}
    return [Covered(state, *found.get(state, ())) for state in ("active", "draft", "none")]


_COVERED = """
SELECT coalesce(s.state, 'none'), count(*)::int, coalesce(sum(a.mrr_cents), 0)::bigint
FROM accounts_account a
LEFT JOIN (
    SELECT p.account_id, CASE WHEN bool_or(p.status = 'active') THEN 'active' ELSE 'draft' END AS state
    FROM success_plans_successplan p
    WHERE p.tenant_id = %(tenant)s AND p.archived_at IS NULL AND p.status IN ('active', 'draft') GROUP BY 1
) s ON s.account_id = a.id
WHERE a.tenant_id = %(tenant)s AND a.archived_at IS NULL AND a.lifecycle = ANY(%(tracked)s)
    AND (%(all)s OR a.csm_id = ANY(%(csms)s))
GROUP BY 1
"""
