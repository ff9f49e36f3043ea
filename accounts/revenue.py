"""What became of revenue: how much of it stayed, and who looks after how much. Money is a month's, in cents.

The past is read off the history of values, so nothing has to be kept beside it. Two kinds of accounts are told apart:
those whose revenue and lifecycle never changed since are counted by the day they came; only the others are looked at
one moment at a time.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import Count, Exists, F, OuterRef, Q, Sum

from accounts.changes import TRAIT
from accounts.models import Account, TraitDefinition
from accounts.models.account import Lifecycle
from cs_platform.common.statements import fetch
from cs_platform.tenancy.models import Membership, Tenant
from cs_platform.web.templatetags.ui import GOOD_HEALTH, WATCHED_HEALTH

MONTHS = 12  # looked back on
MOST_CSMS = 200  # to choose from
Csms = Sequence[int] | None  # whose accounts; None: everybody's, and nobody's


@dataclass(slots=True)
class Retained:
    """Of what subscribers paid at one moment, what the same accounts pay later: with and without what they grew by."""

    base: int = 0
    net: int = 0
    gross: int = 0

    def add(self, base: int, net: int, gross: int) -> None:
        self.base += base
        self.net += net
        self.gross += gross

    @property
    def net_share(self) -> float | None:
        """Per cent, to a tenth; None where nobody paid anything then."""
        return round(100 * self.net / self.base, 1) if self.base else None

    @property
    def gross_share(self) -> float | None:
        return round(100 * self.gross / self.base, 1) if self.base else None


@dataclass(frozen=True, slots=True)
class RetainedMonth:
    """At the end of a month, or now; `first_day` is the month's."""

    first_day: date
    whole: Retained
    by_csm: Mapping[int | None, Retained]


def months_until(today: date, count: int) -> list[date]:
    """First days, the month of `today` last; negative counts go ahead from it."""
    at = today.year * 12 + today.month - 1
    numbers = range(at - count + 1, at + 1) if count > 0 else range(at, at - count)
    return [date(number // 12, number % 12 + 1, 1) for number in numbers]


def retention(*, tenant: Tenant, over: int, csms: Csms = None, now: datetime) -> list[RetainedMonth]:
    """What stayed of the revenue of `over` months before, for each of the last twelve months. Two statements.

    A month whose beginning lies before what the workspace keeps of its history has no base.
    """
    moments = _moments(tenant, over, now)
    known_since = now - timedelta(days=tenant.history_days)
    known = [at for at, (_month, base_at, _end) in enumerate(moments) if base_at >= known_since]
    found: list[dict[int | None, Retained]] = [defaultdict(Retained) for _ in moments]
    if known:
        asked = values_at(tenant, [moments[at] for at in known], csms)
        for at, csm_id, *sums in fetch(_MOVED, asked):
            found[known[at]][csm_id].add(*sums)
        for first, csm_id, mrr in fetch(_STEADY, asked):
            for at in known[first:]:
                found[at][csm_id].add(mrr, mrr, mrr)
    return [RetainedMonth(month, _sum(one.values()), one) for (month, *_), one in zip(moments, found, strict=True)]


def _moments(tenant: Tenant, over: int, now: datetime) -> list[tuple[date, datetime, datetime]]:
    """Month, the moment compared with, and its end; the last one ends now."""
    zone = ZoneInfo(tenant.timezone)
    days = months_until(now.astimezone(zone).date(), MONTHS + over)
    starts = [datetime(day.year, day.month, 1, tzinfo=zone) for day in days]
    into_it = now - starts[-1]
    ends = [*starts[over + 1 :], now]
    bases = [*starts[1:MONTHS], starts[MONTHS - 1] + into_it]
    return list(zip(days[over:], bases, ends, strict=True))


def values_at(tenant: Tenant, moments: Sequence[tuple[date, datetime, datetime]], csms: Csms) -> dict[str, Any]:
    """What CHANGES and OF_BOOK are given, for statements that look at two moments of each month."""
    money = [TRAIT + key for key in feeding("mrr_cents")]
    lifecycle = ["lifecycle", *(TRAIT + key for key in feeding("lifecycle"))]
    return {
        "tenant": tenant.pk,
        "bases": [base for _month, base, _end in moments],
        "ends": [end for _month, _base, end in moments],
        "money": money,
        "fields": money + lifecycle,
        "all": csms is None,
        "csms": list(csms or ()),
        "paying": Lifecycle.SUBSCRIBED.value,
    }


def feeding(column: str) -> list[str]:
    """The trait a workspace maps to a column is the one that has its history."""
    return list(TraitDefinition.objects.filter(scope="account", column=column).values_list("key", flat=True))


def _sum(parts: Iterable[Retained]) -> Retained:
    whole = Retained()
    for one in parts:
        whole.add(one.base, one.net, one.gross)
    return whole


# A value at a moment is what the first change after it replaced, or what it is now. `since`: the change before.
CHANGES = """
change AS MATERIALIZED (
    SELECT c.account_id, c.field = ANY(%(money)s) AS is_money, c.at, c.before,
        lag(c.at) OVER (PARTITION BY c.account_id, c.field = ANY(%(money)s) ORDER BY c.at, c.id) AS since
    FROM accounts_traitchange c
    WHERE c.tenant_id = %(tenant)s AND c.account_id IS NOT NULL AND c.at > (%(bases)s::timestamptz[])[1]
        AND c.field = ANY(%(fields)s)
)"""
OF_BOOK = "a.archived_at IS NULL AND (%(all)s OR a.csm_id = ANY(%(csms)s))"


def value_at(moment: str, alias: str, *, is_money: bool) -> str:
    kind = "" if is_money else "NOT "
    return (
        f"LEFT JOIN change {alias} ON {alias}.account_id = a.id AND {kind}{alias}.is_money"
        f" AND {alias}.at > {moment} AND ({alias}.since IS NULL OR {alias}.since <= {moment})"
    )


def money_at(alias: str) -> str:
    was = f"CASE WHEN jsonb_typeof({alias}.before) = 'number' THEN ({alias}.before)::numeric::bigint END"
    return f"CASE WHEN {alias}.at IS NULL THEN a.mrr_cents ELSE {was} END"


def pays_at(alias: str) -> str:
    return f"CASE WHEN {alias}.at IS NULL THEN a.lifecycle ELSE {alias}.before #>> '{{}}' END = %(paying)s"


_MOVED = f"""
WITH {CHANGES}, moment AS (
    SELECT * FROM unnest(%(bases)s::timestamptz[], %(ends)s::timestamptz[]) WITH ORDINALITY m(base_at, end_at, n)
), moved AS (
    SELECT m.n - 1 AS n, a.csm_id,
        CASE WHEN {pays_at("pays_then")} THEN GREATEST({money_at("money_then")}, 0) ELSE 0 END AS base,
        CASE WHEN {pays_at("pays_later")} THEN GREATEST({money_at("money_later")}, 0) ELSE 0 END AS later
    FROM (SELECT DISTINCT account_id FROM change) moving
    JOIN accounts_account a ON a.id = moving.account_id AND a.tenant_id = %(tenant)s AND {OF_BOOK}
    JOIN moment m ON a.created_at <= m.base_at
    {value_at("m.base_at", "money_then", is_money=True)}
    {value_at("m.end_at", "money_later", is_money=True)}
    {value_at("m.base_at", "pays_then", is_money=False)}
    {value_at("m.end_at", "pays_later", is_money=False)}
)
SELECT n::int, csm_id, sum(base)::bigint, sum(later)::bigint, sum(LEAST(base, later))::bigint
FROM moved WHERE base > 0 GROUP BY 1, 2
"""
# From which of the moments on they count: the first one that is not before they came.
_STEADY = f"""
WITH {CHANGES}
SELECT width_bucket(a.created_at - interval '1 microsecond', %(bases)s::timestamptz[]), a.csm_id,
    sum(a.mrr_cents)::bigint
FROM accounts_account a
WHERE a.tenant_id = %(tenant)s AND {OF_BOOK} AND a.lifecycle = %(paying)s AND a.mrr_cents > 0
    AND NOT EXISTS (SELECT 1 FROM change c WHERE c.account_id = a.id)
GROUP BY 1, 2
"""


# --- books ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class BookOf:
    """What one CSM looks after, or nobody does."""

    csm_id: int | None
    accounts: int
    mrr_cents: int
    risk_mrr_cents: int
    good: int
    watch: int
    risk: int


def books(*, tenant: Tenant, csms: Csms = None) -> list[BookOf]:
    """One statement; whoever has the most revenue first, and what nobody has last."""
    good, watched = (tenant.health_scale * band / 100 for band in (GOOD_HEALTH, WATCHED_HEALTH))
    tracked = Account.objects.tracked()
    rows = (tracked if csms is None else tracked.filter(csm__in=csms)).order_by().values("csm_id")
    found = rows.annotate(
        accounts=Count("pk"),
        risk_mrr_cents=Sum("mrr_cents", filter=Q(health__lt=watched), default=0),
        mrr_cents=Sum("mrr_cents", default=0),  # last: its name hides the column
        good=Count("pk", filter=Q(health__gte=good)),
        watch=Count("pk", filter=Q(health__gte=watched, health__lt=good)),
        risk=Count("pk", filter=Q(health__lt=watched)),
    )
    return [BookOf(**row) for row in found.order_by(F("csm_id").asc(nulls_last=True))]


def csms_with_accounts(tenant: Tenant) -> list[Membership]:
    """Whose book there is to look at, deactivated members included as long as accounts are theirs; by name."""
    theirs = Account.objects.present().filter(csm=OuterRef("pk"))
    members = Membership.objects.in_tenant(tenant.pk).filter(Exists(theirs))
    return list(members.order_by("name", "pk")[:MOST_CSMS])
