"""Health of many accounts at once: how many are in which band, how that was before, who moved, and what pulls down.

The past is read off the readings: what an account had on a day is its last reading until then. Lifecycles are read off
the history of values, so that whoever was a customer then counts then.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import Avg, Count, Q, QuerySet, Sum

from accounts.changes import TRAIT
from accounts.health.terms import CONCERNING, GRADES, HEALTHY, POOR, SHARES, UNKNOWN
from accounts.models import Account, HealthMeasure, Segment, SegmentMembership, TraitDefinition
from accounts.models.account import TRACKED
from cs_platform.common.statements import fetch
from cs_platform.tenancy.models import Tenant
from cs_platform.web.templatetags.ui import GOOD_HEALTH, WATCHED_HEALTH

Csms = Sequence[int] | None  # whose accounts; None: everybody's, and nobody's
MOVERS_SHOWN = 10
GROUPS_SHOWN = 50
MEASURES_SHOWN = 50
BANDS = ("good", "watch", "risk", "unknown")


@dataclass(frozen=True, slots=True)
class Bands:
    """Tracked accounts by the band of their health; `unknown` have none. `average`: of those that have one."""

    good: int = 0
    watch: int = 0
    risk: int = 0
    unknown: int = 0
    average: float | None = None

    @property
    def known(self) -> int:
        return self.good + self.watch + self.risk

    @property
    def accounts(self) -> int:
        return self.known + self.unknown

    def share(self, band: str) -> float | None:
        """Per cent of the accounts, to a tenth; None where nobody's health was known."""
        return round(100 * int(getattr(self, band)) / self.accounts, 1) if self.known else None


@dataclass(frozen=True, slots=True)
class Standing:
    """How it is now, with what each band pays in a month."""

    bands: Bands
    mrr_cents: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class HealthOn:
    """At the end of a day; of today, now."""

    day: date
    bands: Bands


@dataclass(frozen=True, slots=True)
class Group:
    """Accounts of one segment (`id` is its), or of one plan."""

    id: int | None
    name: str
    bands: Bands
    mrr_cents: int


@dataclass(frozen=True, slots=True)
class Mover:
    account: Account
    before: float
    after: float

    @property
    def change(self) -> float:
        return self.after - self.before


@dataclass(frozen=True, slots=True)
class Movers:
    """The furthest first, each way."""

    fallen: Sequence[Mover]
    risen: Sequence[Mover]


@dataclass(frozen=True, slots=True)
class Cost:
    """How many points of the average health one measure costs, and how accounts are graded by it."""

    measure: HealthMeasure
    points: float
    healthy: int
    concerning: int
    poor: int
    unknown: int


# --- now --------------------------------------------------------------------------------------------------------------


def standing(*, tenant: Tenant, csms: Csms = None) -> Standing:
    """One statement."""
    sums = {f"{band}_mrr": Sum("mrr_cents", filter=which, default=0) for band, which in _bands(tenant).items()}
    row = _of_book(csms).aggregate(**_counts(tenant), **sums)
    return Standing(_read(row), {band: row[f"{band}_mrr"] for band in BANDS})


def by_segment(*, tenant: Tenant, csms: Csms = None) -> list[Group]:
    """The segments of accounts that somebody tracked is in, those with the most revenue first. One statement."""
    stays = SegmentMembership.objects.filter(
        left_at=None, segment__archived_at=None, segment__scope=Segment.Scope.ACCOUNT, account__in=_of_book(csms)
    )
    found = stays.order_by().values("segment_id", "segment__name")
    counted = found.annotate(**_counts(tenant, of="account__"), mrr=Sum("account__mrr_cents", default=0))
    rows = counted.order_by("-mrr", "segment_id")[:GROUPS_SHOWN]
    return [Group(row["segment_id"], row["segment__name"], _read(row), row["mrr"]) for row in rows]


def by_plan(*, tenant: Tenant, csms: Csms = None) -> list[Group]:
    """As by segment, of the plans there are."""
    found = _of_book(csms).exclude(plan=None).exclude(plan="").order_by().values("plan")
    rows = found.annotate(**_counts(tenant), mrr=Sum("mrr_cents", default=0)).order_by("-mrr", "plan")[:GROUPS_SHOWN]
    return [Group(None, row["plan"] or "", _read(row), row["mrr"]) for row in rows]


def _of_book(csms: Csms) -> QuerySet[Account]:
    tracked = Account.objects.tracked().order_by()
    return tracked if csms is None else tracked.filter(csm__in=csms)


def _limits(tenant: Tenant) -> tuple[float, float]:
    good, watched = (tenant.health_scale * band / 100 for band in (GOOD_HEALTH, WATCHED_HEALTH))
    return good, watched


def _bands(tenant: Tenant, of: str = "") -> dict[str, Q]:
    good, watched = _limits(tenant)
    health = f"{of}health"
    return {
        "good": Q(**{f"{health}__gte": good}),
        "watch": Q(**{f"{health}__gte": watched, f"{health}__lt": good}),
        "risk": Q(**{f"{health}__lt": watched}),
        "unknown": Q(**{f"{health}__isnull": True}),
    }


def _counts(tenant: Tenant, of: str = "") -> dict[str, Any]:
    counts = {band: Count("pk", filter=which) for band, which in _bands(tenant, of).items()}
    return {**counts, "average": Avg(f"{of}health")}


def _read(row: Mapping[str, Any]) -> Bands:
    return Bands(*(row[name] for name in (*BANDS, "average")))


# --- before -----------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Sum:
    good: int = 0
    watch: int = 0
    risk: int = 0
    tracked: int = 0
    points: float = 0

    def add(self, good: int, watch: int, risk: int, tracked: int, points: float) -> None:
        self.good += good
        self.watch += watch
        self.risk += risk
        self.tracked += tracked
        self.points += points

    def bands(self) -> Bands:
        known = self.good + self.watch + self.risk
        average = self.points / known if known else None
        return Bands(self.good, self.watch, self.risk, self.tracked - known, average)


def over_time(*, tenant: Tenant, days: Sequence[date], csms: Csms = None) -> list[HealthOn]:
    """At the end of each of these days, which are past and in order. Two statements.

    Two kinds of accounts are told apart: those whose lifecycle never changed since are read along their readings, once;
    only the others are looked at one day at a time.
    """
    if not days:
        return []
    good, watched = _limits(tenant)
    feeding = TraitDefinition.objects.filter(scope=TraitDefinition.Scope.ACCOUNT, column="lifecycle")
    asked = _asked(tenant, csms) | {
        "days": list(days),
        "ends": [_end_of(day, tenant) for day in days],
        "good": good,
        "watched": watched,
        "fields": ["lifecycle", *(TRAIT + key for key in feeding.values_list("key", flat=True))],
    }
    found = [_Sum() for _day in days]
    for first, last, *sums in fetch(_OVER_TIME, asked):
        for one in found[first:last]:
            one.add(*sums)
    return [HealthOn(day, one.bands()) for day, one in zip(days, found, strict=True)]


def _end_of(day: date, tenant: Tenant) -> datetime:
    after = day + timedelta(days=1)
    return datetime(after.year, after.month, after.day, tzinfo=ZoneInfo(tenant.timezone))


def _asked(tenant: Tenant, csms: Csms) -> dict[str, Any]:
    return {
        "tenant": tenant.pk,
        "tracked": [lifecycle.value for lifecycle in TRACKED],
        "all": csms is None,
        "csms": list(csms or ()),
    }


_OF_BOOK = "a.archived_at IS NULL AND (%(all)s OR a.csm_id = ANY(%(csms)s))"
_IS_TRACKED = "a.lifecycle = ANY(%(tracked)s)"
_WHOLE = "r.account_id = a.id AND r.score_id IS NULL"


def _last(which: str) -> str:
    """Ordered by all the index has, which the planner does not see to be the same as by the day alone."""
    return (
        f'SELECT r."on", r.value FROM accounts_healthreading r WHERE r.tenant_id = %(tenant)s AND {_WHOLE} AND {which}'
        ' ORDER BY r.score_id DESC, r."on" DESC LIMIT 1'
    )


_SUMS = """
    count(*) FILTER (WHERE value >= %(good)s)::int,
    count(*) FILTER (WHERE value >= %(watched)s AND value < %(good)s)::int,
    count(*) FILTER (WHERE value < %(watched)s)::int"""
# CASE, because the planner takes COALESCE for something that might tell of rows a policy hides, and asks no index.
# `first` and `until` number the days: a row counts on each day from the one on, up to but without the other.
_OVER_TIME = f"""
WITH change AS MATERIALIZED (
    SELECT c.account_id, c.at, c.before #>> '{{}}' AS before,
        lag(c.at) OVER (PARTITION BY c.account_id ORDER BY c.at, c.id) AS since
    FROM accounts_traitchange c
    WHERE c.tenant_id = %(tenant)s AND c.account_id IS NOT NULL AND c.at >= (%(ends)s::timestamptz[])[1]
        AND c.field = ANY(%(fields)s)
), steady AS MATERIALIZED (
    SELECT a.id, width_bucket(a.created_at, %(ends)s::timestamptz[]) AS came FROM accounts_account a
    WHERE a.tenant_id = %(tenant)s AND {_OF_BOOK} AND {_IS_TRACKED}
        AND NOT EXISTS (SELECT FROM change c WHERE c.account_id = a.id)
), held AS (
    SELECT GREATEST(a.came, width_bucket(r."on" - 1, %(days)s::date[])) AS first,
        COALESCE(width_bucket(r.until - 1, %(days)s::date[]), cardinality(%(days)s::date[])) AS until, r.value
    FROM steady a
    LEFT JOIN LATERAL ({_last('r."on" <= (%(days)s::date[])[1]')}) begun ON true
    CROSS JOIN LATERAL (
        SELECT r."on", r.value, lead(r."on") OVER (ORDER BY r.score_id, r."on") AS until FROM accounts_healthreading r
        WHERE r.tenant_id = %(tenant)s AND {_WHOLE}
            AND r."on" >= CASE WHEN begun."on" IS NULL THEN '-infinity' ELSE begun."on" END
    ) r
), day AS (
    SELECT * FROM unnest(%(days)s::date[], %(ends)s::timestamptz[]) WITH ORDINALITY m(day, ends_at, n)
), moving AS (
    SELECT (m.n - 1)::int AS n, r.value
    FROM (SELECT DISTINCT account_id FROM change) moving
    JOIN accounts_account a ON a.id = moving.account_id AND a.tenant_id = %(tenant)s AND {_OF_BOOK}
    JOIN day m ON a.created_at < m.ends_at
    LEFT JOIN change c ON c.account_id = a.id AND c.at >= m.ends_at AND (c.since IS NULL OR c.since < m.ends_at)
    LEFT JOIN LATERAL ({_last('r."on" <= m.day')}) r ON true
    WHERE CASE WHEN c.at IS NULL THEN a.lifecycle ELSE c.before END = ANY(%(tracked)s)
)
SELECT first, until, {_SUMS}, 0, COALESCE(sum(value), 0) FROM held WHERE first < until GROUP BY 1, 2
UNION ALL
SELECT came, cardinality(%(days)s::date[]), 0, 0, 0, count(*)::int, 0 FROM steady GROUP BY 1
UNION ALL
SELECT n, n + 1, {_SUMS}, count(*)::int, COALESCE(sum(value), 0) FROM moving GROUP BY 1
"""


# --- who moved --------------------------------------------------------------------------------------------------------


def movers(*, tenant: Tenant, since: date, csms: Csms = None) -> Movers:
    """Against the day before `since`; who had no health then, against the first they had after it. Two statements."""
    rows = fetch(_MOVERS, _asked(tenant, csms) | {"since": since, "shown": MOVERS_SHOWN})
    accounts = Account.objects.select_related("csm").in_bulk([id for id, *_ in rows])
    moved = [Mover(accounts[id], before, after) for id, before, after in rows]
    return Movers(
        sorted((one for one in moved if one.change < 0), key=lambda one: (one.change, one.account.pk)),
        sorted((one for one in moved if one.change > 0), key=lambda one: (-one.change, one.account.pk)),
    )


_MOVERS = f"""
WITH moved AS MATERIALIZED (
    SELECT a.id, a.health AS after, COALESCE(earlier.value, (
        SELECT r.value FROM accounts_healthreading r
        WHERE r.tenant_id = %(tenant)s AND {_WHOLE} AND r."on" >= %(since)s AND r.value IS NOT NULL
        ORDER BY r.score_id, r."on" LIMIT 1
    )) AS before
    FROM accounts_account a LEFT JOIN LATERAL ({_last('r."on" < %(since)s')}) earlier ON true
    WHERE a.tenant_id = %(tenant)s AND {_OF_BOOK} AND {_IS_TRACKED} AND a.health IS NOT NULL
)
(SELECT id, before, after FROM moved WHERE after < before ORDER BY after - before, id LIMIT %(shown)s)
UNION ALL
(SELECT id, before, after FROM moved WHERE after > before ORDER BY before - after, id LIMIT %(shown)s)
"""


# --- what pulls down --------------------------------------------------------------------------------------------------


def costs(*, tenant: Tenant, csms: Csms = None) -> list[Cost]:
    """The dearest measure first, as the last evaluation graded. With the average health they add up to the scale.

    Two statements: accounts that are graded alike are counted together before anything is worked out.
    """
    shares = {grade: SHARES.get(grade) for grade in GRADES}
    asked = _asked(tenant, csms) | {
        "scale": tenant.health_scale,
        "shown": MEASURES_SHOWN,
        "unknown": UNKNOWN,
        "grades": list(shares),
        "shares": list(shares.values()),
    }
    rows = fetch(_COSTS, asked)
    measures = HealthMeasure.objects.select_related("score").in_bulk([id for id, *_ in rows])
    return [Cost(measures[id], *counts) for id, *counts in rows]


_COSTS = f"""
WITH book AS MATERIALIZED (
    SELECT a.id FROM accounts_account a WHERE a.tenant_id = %(tenant)s AND {_OF_BOOK} AND {_IS_TRACKED}
), reading AS MATERIALIZED (
    SELECT r.account_id, r.score_id, r.grades, s.weight FROM accounts_healthscore s
    JOIN accounts_healthreading r ON r.tenant_id = %(tenant)s AND r.score_id = s.id AND r.is_current
        AND r.value IS NOT NULL
    JOIN book ON book.id = r.account_id
    WHERE s.tenant_id = %(tenant)s AND s.archived_at IS NULL
), whole AS (
    SELECT account_id, sum(weight) AS weight FROM reading GROUP BY 1
), alike AS (
    SELECT row_number() OVER () AS id, r.score_id, r.grades, r.weight / w.weight AS part, count(*) AS accounts
    FROM reading r JOIN whole w USING (account_id) GROUP BY r.score_id, r.grades, r.weight / w.weight
), graded AS (
    SELECT k.id, k.part, k.accounts, m.id AS measure_id, m.weight, g.value AS grade,
        CASE WHEN g.value = %(unknown)s THEN counts_as.share ELSE said.share END AS share
    FROM alike k CROSS JOIN LATERAL jsonb_each_text(k.grades) g
    JOIN accounts_healthmeasure m ON m.tenant_id = %(tenant)s AND m.score_id = k.score_id AND m.id::text = g.key
    LEFT JOIN unnest(%(grades)s::text[], %(shares)s::float8[]) said(grade, share) ON said.grade = g.value
    LEFT JOIN unnest(%(grades)s::text[], %(shares)s::float8[]) counts_as(grade, share)
        ON counts_as.grade = m.when_unknown
), costing AS (
    SELECT *, part * weight * (1 - share) / sum(weight) FILTER (WHERE share IS NOT NULL) OVER (PARTITION BY id) AS cost
    FROM graded
)
SELECT measure_id,
    COALESCE(%(scale)s * sum(accounts * cost) / (SELECT count(*) FROM whole), 0)::float8 AS points,
    COALESCE(sum(accounts) FILTER (WHERE grade = '{HEALTHY}'), 0)::int,
    COALESCE(sum(accounts) FILTER (WHERE grade = '{CONCERNING}'), 0)::int,
    COALESCE(sum(accounts) FILTER (WHERE grade = '{POOR}'), 0)::int,
    COALESCE(sum(accounts) FILTER (WHERE grade = '{UNKNOWN}'), 0)::int
FROM costing GROUP BY 1 ORDER BY points DESC, 1 LIMIT %(shown)s
"""
