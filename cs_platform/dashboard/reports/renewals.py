"""What is up for renewal: by month, and the next ones with what is done about them."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from accounts import revenue
from accounts.revenue import Renewing
from cs_platform.dashboard.reports.asked import Asked
from cs_platform.dashboard.reports.figures import YEAR, money
from cs_platform.dashboard.reports.files import File, units
from cs_platform.dashboard.reports.tab import Tab
from cs_platform.web.charts import Bars, bars, scale
from cs_platform.web.home import Book
from cs_platform.web.pages import WorkspaceRequest
from playbooks.home import Renewals

KINDS = (("ok", "renewed"), ("c1", "forecast"), ("bad", "at_risk"))


def renewals_of(asked: Asked) -> list[Renewing]:
    return revenue.renewals(tenant=asked.tenant, csms=asked.csms, now=asked.now)


def chart(months: Sequence[Renewing]) -> Bars | None:
    if not any(due.total for due in months):
        return None
    values = [
        (
            f"{due.first_day:%b}",
            money(YEAR * due.total) if due.total else "",
            [(kind, YEAR * getattr(due, name)) for kind, name in KINDS],
        )
        for due in months
    ]
    marks = scale([0, *(YEAR * due.total for due in months)], steps=4)
    return bars(values, rows=[(mark, money(mark)) for mark in marks])


def _context(request: WorkspaceRequest, asked: Asked) -> Mapping[str, Any]:
    months = renewals_of(asked)
    next_ones = Renewals().fragment(request, Book(None, asked.today, asked.now)) if asked.csms is None else None
    return {"months": months, "chart": chart(months), "next_ones": next_ones}


def _rows(asked: Asked) -> Iterator[Sequence[str]]:
    for due in renewals_of(asked):
        sums = (units(cents * YEAR) for cents in (due.renewed, due.forecast, due.at_risk))
        yield (f"{due.first_day:%Y-%m}", str(due.accounts), *sums)


RENEWALS = File(
    "renewals", "Renewals by month", ("month", "accounts", "renewed_arr", "forecast_arr", "at_risk_arr"), _rows
)
TAB = Tab("renewals", "Renewals", "dashboard/reports/_renewals.html", _context, (RENEWALS,))
