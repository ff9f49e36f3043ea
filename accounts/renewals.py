"""What is up for renewal, what became of what was, and whose date has passed. Money is a month's, in cents.

History knows dates, not contracts: a renewal is a date that was moved on by four weeks or more. It cannot tell a signed
renewal from one put off that far, and takes a wrong date that was corrected that far for one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import Count, Q, QuerySet, Sum

from accounts.changes import TRAIT
from accounts.models import Account
from accounts.models.account import TRACKED, Lifecycle
from accounts.revenue import CHANGES, OF_BOOK, Csms, feeding, money_at, months_until, pays_at, value_at, values_at
from cs_platform.common.statements import fetch
from cs_platform.tenancy.models import Tenant
from cs_platform.web.templatetags.ui import WATCHED_HEALTH

MONTHS_AHEAD = 6  # this one included


@dataclass(frozen=True, slots=True)
class Renewing:
    """A month's renewals: those that are through, those that are expected, and of these the ones in bad health."""

    first_day: date
    renewed: int = 0
    forecast: int = 0
    at_risk: int = 0
    accounts: int = 0
    accounts_at_risk: int = 0

    @property
    def total(self) -> int:
        return self.renewed + self.forecast + self.at_risk


def renewals(*, tenant: Tenant, csms: Csms = None, now: datetime) -> list[Renewing]:
    """This month and the next five. Whose date was moved on is through, and counts in the month in which it was due."""
    months = months_ahead(tenant, now)
    asked = {
        **_dates(months[0], months[-1] + timedelta(days=31)),
        "tenant": tenant.pk,
        "all": csms is None,
        "csms": list(csms or ()),
        "tracked": [lifecycle.value for lifecycle in TRACKED],
        "watched": watched(tenant),
    }
    found = {month: sums for month, *sums in fetch(_RENEWALS, asked)}
    return [Renewing(month, *found.get(month, ())) for month in months]


def months_ahead(tenant: Tenant, now: datetime) -> list[date]:
    return months_until(now.astimezone(ZoneInfo(tenant.timezone)).date(), -MONTHS_AHEAD)


def watched(tenant: Tenant) -> float:
    """Below it, health is bad."""
    return tenant.health_scale * WATCHED_HEALTH / 100


def _dates(first: date, last: date) -> dict[str, Any]:
    """What _REPLACED is given: the days from `first` on and before `last`."""
    return {"first": first, "last": last, "renewing": [TRAIT + key for key in feeding("renewal_on")]}


def _day(value: str) -> str:
    return f"CASE WHEN pg_input_is_valid({value} #>> '{{}}', 'date') THEN ({value} #>> '{{}}')::date END"


# Days on which an account was due until it got another: moved on, or left without one. A date that was put off by less
# is due on its new day, and one that was taken back had never moved.
_REPLACED = f"""
replaced AS (
    SELECT a.id, was.day, later.day IS NOT NULL AS moved_on
    FROM accounts_traitchange c
    CROSS JOIN LATERAL (SELECT {_day("c.before")}) was(day)
    CROSS JOIN LATERAL (SELECT {_day("c.after")}) later(day)
    JOIN accounts_account a ON a.tenant_id = %(tenant)s AND a.id = c.account_id AND {OF_BOOK}
    WHERE c.tenant_id = %(tenant)s AND c.field = ANY(%(renewing)s) AND c.at > %(first)s::date - interval '1 year'
        AND was.day >= %(first)s AND was.day < %(last)s
        AND CASE WHEN later.day IS NULL THEN a.renewal_on IS NULL
            ELSE later.day >= was.day + 28 AND a.renewal_on >= was.day + 28 END
)"""
_RENEWALS = f"""
WITH {_REPLACED}, due AS (
    SELECT a.renewal_on AS day, a.mrr_cents, a.id, a.health < %(watched)s IS TRUE AS at_risk, false AS renewed
    FROM accounts_account a
    WHERE a.tenant_id = %(tenant)s AND {OF_BOOK} AND a.lifecycle = ANY(%(tracked)s)
        AND a.renewal_on >= %(first)s AND a.renewal_on < %(last)s
), through AS (
    SELECT DISTINCT ON (a.id, date_trunc('month', r.day)) r.day, a.mrr_cents, a.id, false, true
    FROM replaced r
    JOIN accounts_account a ON a.tenant_id = %(tenant)s AND a.id = r.id AND a.lifecycle = ANY(%(tracked)s)
    WHERE r.moved_on
)
SELECT date_trunc('month', day)::date,
    COALESCE(sum(mrr_cents) FILTER (WHERE renewed), 0)::bigint,
    COALESCE(sum(mrr_cents) FILTER (WHERE NOT renewed AND NOT at_risk), 0)::bigint,
    COALESCE(sum(mrr_cents) FILTER (WHERE at_risk), 0)::bigint,
    count(*)::int, count(*) FILTER (WHERE at_risk)::int
FROM (SELECT * FROM due UNION ALL SELECT * FROM through) x GROUP BY 1
"""


# --- what became of those that were due -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Fell:
    """What fell due: how much of it renewed, left, and is still to be settled."""

    renewed: int = 0
    left: int = 0
    open: int = 0
    accounts: int = 0

    @property
    def due(self) -> int:
        return self.renewed + self.left + self.open

    @property
    def rate(self) -> float | None:
        """Per cent that renewed, to a tenth; None where nothing was due."""
        return round(100 * self.renewed / self.due, 1) if self.due else None


@dataclass(frozen=True, slots=True)
class DueMonth:
    """`fell` is None where the month began before what the workspace keeps of its history."""

    first_day: date
    fell: Fell | None


def renewal_rates(*, tenant: Tenant, over: int, csms: Csms = None, now: datetime) -> list[DueMonth]:
    """Of what fell due in each of the `over` months before this one. One statement.

    Accounts that subscribed when the month began, by what they paid then. Whose date was moved on renewed, if they
    subscribed when the month was over; who subscribes no more left; the others are open.
    """
    zone = ZoneInfo(tenant.timezone)
    days = months_until(now.astimezone(zone).date(), over + 1)
    starts = [datetime(day.year, day.month, 1, tzinfo=zone) for day in days]
    known_since = now - timedelta(days=tenant.history_days)
    known = [month for month in zip(days, starts, starts[1:], strict=False) if month[1] >= known_since]
    found: dict[date, Fell | None] = {day: Fell() for day, *_ in known}
    if known:
        asked = values_at(tenant, known, csms) | _dates(known[0][0], days[-1]) | {"days": list(found)}
        found |= {day: Fell(*sums) for day, *sums in fetch(_RATES, asked)}
    return [DueMonth(day, found.get(day)) for day in days[:-1]]


def all_of(months: Sequence[DueMonth]) -> Fell:
    fell = [month.fell for month in months if month.fell]
    return Fell(*(sum(getattr(one, name) for one in fell) for name in ("renewed", "left", "open", "accounts")))


_RATES = f"""
WITH {CHANGES}, {_REPLACED}, month AS (
    SELECT * FROM unnest(%(days)s::date[], %(bases)s::timestamptz[], %(ends)s::timestamptz[])
        m(first_day, base_at, end_at)
), due AS (
    SELECT a.id, a.renewal_on AS day, false AS moved_on FROM accounts_account a
    WHERE a.tenant_id = %(tenant)s AND {OF_BOOK} AND a.renewal_on >= %(first)s AND a.renewal_on < %(last)s
    UNION ALL SELECT * FROM replaced
), fell AS (
    SELECT DISTINCT ON (m.first_day, a.id) m.first_day, {money_at("money_then")} AS mrr,
        d.moved_on AND {pays_at("pays_later")} AS renewed, d.moved_on OR a.lifecycle <> %(paying)s AS settled
    FROM due d
    JOIN accounts_account a ON a.tenant_id = %(tenant)s AND a.id = d.id
    JOIN month m ON m.first_day = date_trunc('month', d.day)::date AND a.created_at <= m.base_at
    {value_at("m.base_at", "money_then", is_money=True)}
    {value_at("m.base_at", "pays_then", is_money=False)}
    {value_at("m.end_at", "pays_later", is_money=False)}
    WHERE {pays_at("pays_then")} AND {money_at("money_then")} > 0
    ORDER BY m.first_day, a.id, d.moved_on DESC, d.day DESC
)
SELECT first_day,
    COALESCE(sum(mrr) FILTER (WHERE renewed), 0)::bigint,
    COALESCE(sum(mrr) FILTER (WHERE settled AND NOT renewed), 0)::bigint,
    COALESCE(sum(mrr) FILTER (WHERE NOT settled), 0)::bigint,
    count(*)::int
FROM fell GROUP BY 1
"""


# --- accounts ---------------------------------------------------------------------------------------------------------


def due_accounts(*, tenant: Tenant, csms: Csms = None, now: datetime) -> QuerySet[Account]:
    """Those of whom the months ahead are made but for the ones that are through, and before them those overdue."""
    today = now.astimezone(ZoneInfo(tenant.timezone)).date()
    last = months_until(months_ahead(tenant, now)[-1], -2)[-1]
    found = Account.objects.tracked().filter(renewal_on__lt=last)
    found = found.filter(Q(renewal_on__gte=today) | Q(lifecycle=Lifecycle.SUBSCRIBED))
    return found if csms is None else found.filter(csm__in=csms)


def overdue_accounts(*, tenant: Tenant, csms: Csms = None, now: datetime) -> QuerySet[Account]:
    """They still subscribe, though the day has passed on which they would have renewed."""
    today = now.astimezone(ZoneInfo(tenant.timezone)).date()
    return due_accounts(tenant=tenant, csms=csms, now=now).filter(renewal_on__lt=today)


def sum_of(accounts: QuerySet[Account]) -> tuple[int, int]:
    """How many, and what they pay."""
    found = accounts.order_by().aggregate(accounts=Count("pk"), mrr=Sum("mrr_cents", default=0))
    return found["accounts"], found["mrr"]
