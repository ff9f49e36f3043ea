"""Before a forecast call: what is up for renewal, what became of what was, and whose date has passed."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import F

from accounts import renewals
from accounts.home import SOON
from accounts.models import Account
from accounts.renewals import DueMonth, Fell, Renewing
from cs_platform.dashboard.reports.asked import Asked
from cs_platform.dashboard.reports.figures import YEAR, counted, money, percent
from cs_platform.dashboard.reports.files import File, share, units
from cs_platform.dashboard.reports.links import accounts_address
from cs_platform.dashboard.reports.tab import Tab
from cs_platform.web.charts import Bars, bars, scale
from cs_platform.web.home import Fact
from cs_platform.web.pages import WorkspaceRequest
from playbooks.home import next_renewals

KINDS = (("ok", "renewed"), ("c1", "forecast"), ("bad", "at_risk"))
OUTCOMES = (("ok", "renewed"), ("warn", "open"), ("bad", "left"))
OVERDUE_SHOWN = 10
LARGEST = F("mrr_cents").desc(nulls_last=True)
MOST_ACCOUNTS = 1_000


def renewals_of(asked: Asked) -> list[Renewing]:
    return renewals.renewals(tenant=asked.tenant, csms=asked.csms, now=asked.now)


def rates_of(asked: Asked) -> list[DueMonth]:
    return renewals.renewal_rates(tenant=asked.tenant, over=asked.months, csms=asked.csms, now=asked.now)


@dataclass(frozen=True, slots=True)
class Due:
    """An account up for renewal, and what is expected: "overdue", "at_risk" or "forecast"."""

    account: Account
    expected: str

    @property
    def arr_cents(self) -> int:
        return (self.account.mrr_cents or 0) * YEAR


def due_accounts_of(asked: Asked) -> list[Due]:
    """By their day, so overdue ones first."""
    found = renewals.due_accounts(tenant=asked.tenant, csms=asked.csms, now=asked.now)
    watched = renewals.watched(asked.tenant)
    rows = found.select_related("csm").order_by("renewal_on", "pk")[:MOST_ACCOUNTS]
    return [Due(one, _expected(one, asked, watched)) for one in rows]


def _expected(account: Account, asked: Asked, watched: float) -> str:
    if account.renewal_on and account.renewal_on < asked.today:
        return "overdue"
    return "at_risk" if account.health is not None and account.health < watched else "forecast"


def chart(months: Sequence[Renewing]) -> Bars | None:
    return _stacks(
        [(f"{due.first_day:%b}", money(YEAR * due.total) if due.total else "", _parts(due, KINDS)) for due in months]
    )


def _rates_chart(months: Sequence[DueMonth]) -> Bars | None:
    fell = [(f"{due.first_day:%b}", due.fell or Fell()) for due in months]
    return _stacks([(word, percent(one.rate) if one.due else "", _parts(one, OUTCOMES)) for word, one in fell])


def _parts(sums: object, kinds: Sequence[tuple[str, str]]) -> list[tuple[str, float]]:
    return [(kind, YEAR * getattr(sums, name)) for kind, name in kinds]


def _stacks(values: Sequence[tuple[str, str, Sequence[tuple[str, float]]]]) -> Bars | None:
    heights = [sum(value for _kind, value in parts) for _word, _total, parts in values]
    if not any(heights):
        return None
    return bars(values, rows=[(mark, money(mark)) for mark in scale([0, *heights], steps=4)])


def _context(request: WorkspaceRequest, asked: Asked) -> Mapping[str, Any]:
    months, rates = renewals_of(asked), rates_of(asked)
    due = renewals.due_accounts(tenant=asked.tenant, csms=asked.csms, now=asked.now)
    overdue = renewals.overdue_accounts(tenant=asked.tenant, csms=asked.csms, now=asked.now)
    late, late_mrr = renewals.sum_of(overdue)
    soon = accounts_address(asked, renews=str(SOON.days), sort="renewal_on")
    return {
        "facts": list(_facts(months, late, late_mrr)),
        "months": months,
        "chart": chart(months),
        "rates": rates,
        "rates_chart": _rates_chart(rates),
        "rates_in_all": renewals.all_of(rates),
        "next_ones": next_renewals(due, asked.today, all_of_them=soon),
        "late": late,
        "overdue": overdue.select_related("csm").order_by(LARGEST, "renewal_on", "pk")[:OVERDUE_SHOWN],
        "all_overdue": accounts_address(asked, status="subscribed", renews="past", sort="-arr"),
    }


def _facts(months: Sequence[Renewing], late: int, late_mrr: int) -> Iterator[Fact]:
    total, renewed, forecast, at_risk, accounts, ailing = (
        sum(getattr(due, name) for due in months)
        for name in ("total", "renewed", "forecast", "at_risk", "accounts", "accounts_at_risk")
    )
    yield Fact("ARR up for renewal", money(YEAR * total), counted(accounts, "account"))
    yield Fact("Renewed so far", money(YEAR * renewed), percent(round(100 * renewed / total, 1)) if total else "")
    yield Fact("Forecast", money(YEAR * forecast))
    yield Fact("At risk", money(YEAR * at_risk), counted(ailing, "account"))
    yield Fact("Overdue", money(YEAR * late_mrr), counted(late, "account"), "bad" if late else "")


def _renewal_rows(asked: Asked) -> Iterator[Sequence[str]]:
    for due in renewals_of(asked):
        sums = (units(cents * YEAR) for cents in (due.renewed, due.forecast, due.at_risk))
        yield (f"{due.first_day:%Y-%m}", str(due.accounts), *sums)


def _rate_rows(asked: Asked) -> Iterator[Sequence[str]]:
    for due in rates_of(asked):
        sums = [""] * 6
        if fell := due.fell:
            amounts = (units(cents * YEAR) for cents in (fell.due, fell.renewed, fell.left, fell.open))
            sums = [share(fell.rate), str(fell.accounts), *amounts]
        yield (f"{due.first_day:%Y-%m}", *sums)


def _account_rows(asked: Asked) -> Iterator[Sequence[str]]:
    for due in due_accounts_of(asked):
        one = due.account
        csm, health = one.csm.name if one.csm else "", "" if one.health is None else f"{one.health:g}"
        yield (one.external_id, one.name, csm, str(one.renewal_on), units(due.arr_cents), health, due.expected)


RENEWALS = File(
    "renewals",
    "Renewals by month",
    ("month", "accounts", "renewed_arr", "forecast_arr", "at_risk_arr"),
    _renewal_rows,
)
RATES = File(
    "renewal-rates",
    "Renewal rate",
    ("month", "rate", "accounts", "due_arr", "renewed_arr", "left_arr", "open_arr"),
    _rate_rows,
)
ACCOUNTS = File(
    "renewing-accounts",
    "Accounts up for renewal",
    ("account_id", "account", "csm", "renewal_on", "arr", "health", "expected"),
    _account_rows,
)
TAB = Tab("renewals", "Renewals", "dashboard/reports/_renewals.html", _context, (RENEWALS, RATES, ACCOUNTS))
