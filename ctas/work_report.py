"""What work there is and what became of it, for reports: in all, step by step, by type, by owner and by who made it.

A step is a part of the time that is looked at, a month or a week of it; whoever asks says when each begins.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo

from cs_platform.common.statements import fetch
from cs_platform.tenancy.context import current_tenant_id
from ctas.own_days import OwnDays


class Origin(StrEnum):
    """Who made a CTA. One that came again was made by nobody, whoever had made the first."""

    PLAYBOOK = "playbook"
    PERSON = "person"
    RECURRING = "recurring"
    API = "api"
    OTHER = "other"


@dataclass(slots=True)
class Work:
    """Of some CTAs: what is open now, what was opened in the time, and how what was closed in it ended."""

    open: int = 0
    late: int = 0
    opened: int = 0
    won: int = 0
    lost: int = 0
    cancelled: int = 0
    dated: int = 0  # of the won and lost, those with a due date
    on_time: int = 0
    median_days: float | None = None  # from opening to closing, of the won and lost
    tasks_done: int = 0  # in all and by owner: whose task it is

    @property
    def closed(self) -> int:
        return self.won + self.lost + self.cancelled

    @property
    def won_share(self) -> float | None:
        """Per cent of the won and lost."""
        return round(100 * self.won / (self.won + self.lost), 1) if self.won + self.lost else None

    @property
    def on_time_share(self) -> float | None:
        """Per cent, as in ctas.ownership."""
        return round(100 * self.on_time / self.dated, 1) if self.dated else None

    @property
    def is_nothing(self) -> bool:
        return not any(getattr(self, field.name) for field in fields(self))


TypeAndReason = tuple[str, str | None]  # no reason: "", all of them together: None


@dataclass(frozen=True, slots=True)
class WorkReport:
    whole: Work
    before: Work  # in the same time before: what was closed and done
    steps: Sequence[Work]  # opened and closed in each
    by_type: Mapping[TypeAndReason, Work]
    by_owner: Mapping[int | None, Work]
    by_origin: Mapping[Origin, Work]


def work_report(
    *, starts: Sequence[datetime], until: datetime, today: OwnDays, zone: ZoneInfo, owners: Sequence[int] | None = None
) -> WorkReport:
    """`starts`: of each step, the first one that of the time. `owners`: whose work; None: everybody's, and nobody's.

    Drafts of plans that have not begun are no work yet. Five statements.
    """
    asked: dict[str, Any] = {
        "tenant": current_tenant_id(),
        "starts": list(starts),
        "since": starts[0],
        "before": starts[0] - (until - starts[0]),
        "until": until,
        "today": today.here,
        "away": list(today.elsewhere),
        "days": list(today.elsewhere.values()),
        "zone": zone.key,
        "all": owners is None,
        "owners": list(owners or ()),
    }
    sums: dict[tuple[Any, ...], Work] = defaultdict(Work)
    for statement, names in _STATEMENTS:
        for place, counts in _rows(statement, asked):
            for name, count in zip(names, counts, strict=True):
                setattr(sums[place], name, count)
    [before] = fetch(_CLOSED_BEFORE, asked)
    sums["before",] = Work(**dict(zip(_ENDED, before, strict=True)))
    for lately, owner_id, done in fetch(_TASKS, asked):
        sums[("whole",) if lately else ("before",)].tasks_done += done
        if lately:
            sums["owner", owner_id].tasks_done = done
    return _told(sums, len(starts))


def _rows(statement: str, asked: Mapping[str, Any]) -> Iterator[tuple[tuple[Any, ...], Sequence[Any]]]:
    """What each row is about (a kind of sums and its key), and its sums."""
    for grouped, step, owner_id, type, reason, origin, *counts in fetch(statement, asked):
        yield (
            {
                _WHOLE: ("whole",),
                _BY_STEP: ("step", step),
                _BY_OWNER: ("owner", owner_id),
                _BY_TYPE: ("type", (type, None)),
                _BY_REASON: ("type", (type, reason)),
                _BY_ORIGIN: ("origin", origin),
            }[grouped],
            counts,
        )


def _told(sums: Mapping[tuple[Any, ...], Work], steps: int) -> WorkReport:
    def of(kind: str) -> dict[Any, Work]:
        return {place[1]: work for place, work in sums.items() if place[0] == kind and not work.is_nothing}

    return WorkReport(
        whole=sums.get(("whole",)) or Work(),
        before=sums.get(("before",)) or Work(),
        steps=[sums.get(("step", at)) or Work() for at in range(1, steps + 1)],
        by_type=of("type"),
        by_owner=of("owner"),
        by_origin={Origin(key): work for key, work in of("origin").items()},
    )


# What a row is grouped by: a bit for each column it is not about, the last one the lowest.
_WHOLE, _BY_STEP, _BY_OWNER, _BY_TYPE, _BY_REASON, _BY_ORIGIN = 0b11111, 0b01111, 0b10111, 0b11011, 0b11001, 0b11110
_PLACE = "GROUPING(step, owner_id, type, reason, origin), step, owner_id, type, reason, origin"
_GROUPS = "GROUPING SETS ((), (step), (owner_id), (type), (type, reason), (origin))"
_COLUMNS = """
c.owner_id, c.type, c.reason, CASE
    WHEN c.recurrence_number > 1 THEN 'recurring'
    WHEN starts_with(c.created_by, 'playbook:') THEN 'playbook'
    WHEN starts_with(c.created_by, 'person:') THEN 'person'
    WHEN starts_with(c.created_by, 'key:') THEN 'api'
    ELSE 'other'
END AS origin
"""
_PRESENT = "c.archived_at IS NULL AND c.status <> 'draft' AND (%(all)s OR c.owner_id = ANY(%(owners)s))"

_OPEN = f"""
WITH cta AS (
    SELECT {_COLUMNS}, 0 AS step, c.due_on < COALESCE(d.day, %(today)s) AS is_late
    FROM ctas_cta c
    LEFT JOIN unnest(%(away)s::bigint[], %(days)s::date[]) AS d(owner_id, day) ON d.owner_id = c.owner_id
    WHERE c.tenant_id = %(tenant)s AND {_PRESENT} AND c.status = 'open'
)
SELECT {_PLACE}, count(*)::int, count(*) FILTER (WHERE is_late)::int FROM cta GROUP BY {_GROUPS}
"""
_OPENED = f"""
WITH cta AS (
    SELECT {_COLUMNS}, width_bucket(c.created_at, %(starts)s::timestamptz[]) AS step
    FROM ctas_cta c
    WHERE c.tenant_id = %(tenant)s AND {_PRESENT} AND c.created_at >= %(since)s AND c.created_at < %(until)s
)
SELECT {_PLACE}, count(*)::int FROM cta GROUP BY {_GROUPS}
"""
# What was cancelled is neither on time nor did it take a time: nobody did it.
_ENDED = ("won", "lost", "cancelled", "dated", "on_time", "median_days")
_ENDS = """
    count(*) FILTER (WHERE status = 'won')::int, count(*) FILTER (WHERE status = 'lost')::int,
    count(*) FILTER (WHERE status = 'cancelled')::int,
    count(due_on) FILTER (WHERE status <> 'cancelled')::int,
    count(*) FILTER (WHERE status <> 'cancelled' AND day <= due_on)::int,
    percentile_cont(0.5) WITHIN GROUP (ORDER BY took) FILTER (WHERE status <> 'cancelled')
"""
_END = """
c.status, c.due_on, (c.closed_at AT TIME ZONE %(zone)s)::date AS day,
extract(epoch FROM c.closed_at - c.created_at)::float8 / 86400 AS took
"""
_CLOSED = f"""
WITH cta AS (
    SELECT {_COLUMNS}, {_END}, width_bucket(c.closed_at, %(starts)s::timestamptz[]) AS step
    FROM ctas_cta c
    WHERE c.tenant_id = %(tenant)s AND {_PRESENT} AND c.closed_at >= %(since)s AND c.closed_at < %(until)s
)
SELECT {_PLACE}, {_ENDS} FROM cta GROUP BY {_GROUPS}
"""
_CLOSED_BEFORE = f"""
WITH cta AS (
    SELECT {_END} FROM ctas_cta c
    WHERE c.tenant_id = %(tenant)s AND {_PRESENT} AND c.closed_at >= %(before)s AND c.closed_at < %(since)s
)
SELECT {_ENDS} FROM cta
"""
# By the owner of the task.
_TASKS = """
SELECT t.completed_at >= %(since)s, t.owner_id, count(*)::int
FROM ctas_task t JOIN ctas_cta c ON c.tenant_id = %(tenant)s AND c.id = t.cta_id AND c.archived_at IS NULL
WHERE t.tenant_id = %(tenant)s AND t.archived_at IS NULL AND t.status = 'done'
    AND (%(all)s OR t.owner_id = ANY(%(owners)s))
    AND t.completed_at >= %(before)s AND t.completed_at < %(until)s
GROUP BY 1, 2
"""
_STATEMENTS = (
    (_OPEN, ("open", "late")),
    (_OPENED, ("opened",)),
    (_CLOSED, _ENDED),
)
