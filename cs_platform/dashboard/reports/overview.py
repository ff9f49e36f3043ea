"""The first tab: what became of revenue, who has how much to do, and what playbooks led to."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from accounts import revenue
from accounts.revenue import RetainedMonth
from cs_platform.dashboard.reports import renewals
from cs_platform.dashboard.reports.asked import Asked
from cs_platform.dashboard.reports.figures import YEAR, counted, money, moved, percent
from cs_platform.dashboard.reports.files import File, share, units
from cs_platform.dashboard.reports.links import accounts_address
from cs_platform.dashboard.reports.playbooks import PLAYBOOKS, effects_of
from cs_platform.dashboard.reports.tab import Tab
from cs_platform.tenancy.models import Membership
from cs_platform.web.charts import Line, apart, line, scale
from cs_platform.web.home import Fact
from cs_platform.web.pages import WorkspaceRequest
from ctas.own_days import own_days
from ctas.ownership import Punctuality, Workload, punctuality, workloads

LATELY = timedelta(days=30)
BOOKS_SHOWN = 100
LINE_ENDS = 448  # what stands beside its end needs room


def retention_of(asked: Asked) -> list[RetainedMonth]:
    return revenue.retention(tenant=asked.tenant, over=asked.months, csms=asked.csms, now=asked.now)


@dataclass(frozen=True, slots=True)
class Book:
    """A CSM's accounts and work, or the accounts nobody has."""

    member: Membership | None
    accounts: int
    arr_cents: int
    risk_arr_cents: int
    good: int
    watch: int
    risk: int
    work: Workload
    net_share: float | None

    @property
    def name(self) -> str:
        return self.member.name if self.member else "Nobody"


def books_of(asked: Asked, retention: Sequence[RetainedMonth]) -> list[Book]:
    """Who has the most revenue first; what nobody looks after last."""
    work = workloads(today=own_days(asked.tenant, now=asked.now), since=asked.now - LATELY)
    stayed = retention[-1].by_csm
    found = revenue.books(tenant=asked.tenant, csms=asked.csms)
    people = Membership.objects.in_tenant(asked.tenant.pk).in_bulk([one.csm_id for one in found if one.csm_id])
    made = [
        Book(
            member=people[one.csm_id] if one.csm_id else None,
            accounts=one.accounts,
            arr_cents=one.mrr_cents * YEAR,
            risk_arr_cents=one.risk_mrr_cents * YEAR,
            good=one.good,
            watch=one.watch,
            risk=one.risk,
            work=work.get(one.csm_id, Workload()),
            net_share=stayed[one.csm_id].net_share if one.csm_id in stayed else None,
        )
        for one in found
    ]
    return sorted(made, key=lambda one: (one.member is None, -one.arr_cents, one.name))


def _context(request: WorkspaceRequest, asked: Asked) -> Mapping[str, Any]:
    months, due = retention_of(asked), renewals.renewals_of(asked)
    books = books_of(asked, months)
    return {
        "facts": list(_facts(asked, months, books)),
        "retention": months,
        "retention_chart": _chart(months),
        "months": due,
        "chart": renewals.chart(due),
        "books": books[:BOOKS_SHOWN],
        "all_accounts": accounts_address(asked),
        "effects": effects_of(asked),
    }


def _facts(asked: Asked, months: Sequence[RetainedMonth], books: Sequence[Book]) -> Iterator[Fact]:
    known = [month.whole for month in months if month.whole.base]
    first, last = (known[0], known[-1]) if known else (None, None)
    for label, name in (("Net revenue retention", "net_share"), ("Gross revenue retention", "gross_share")):
        now, then = (getattr(one, name) if one else None for one in (last, first))
        yield Fact(label, percent(now), *moved(now, then if len(known) > 1 else None))
    yield Fact("ARR", money(sum(book.arr_cents for book in books)))
    at_risk = counted(sum(book.risk for book in books), "account")
    yield Fact("ARR at risk", money(sum(book.risk_arr_cents for book in books)), at_risk)
    lately, before = _punctuality(asked)
    yield Fact("CTAs closed on time", percent(lately.share), *moved(lately.share, before.share))


def _punctuality(asked: Asked) -> tuple[Punctuality, Punctuality]:
    """In the time, and in the same time before it."""
    before = asked.since - (asked.now - asked.since)
    given: dict[str, Any] = {"zone": asked.zone, "owners": asked.csms}
    return (
        punctuality(since=asked.since, until=asked.now, **given),
        punctuality(since=before, until=asked.since, **given),
    )


def _chart(months: Sequence[RetainedMonth]) -> list[tuple[str, str, Line]]:
    shares = [share for one in months for share in (one.whole.net_share, one.whole.gross_share) if share is not None]
    if not shares:
        return []
    marks = scale([min(shares) - 1, max(shares) + 1])  # never a line without a height
    rows = [(mark, f"{mark:g}%") for mark in marks]
    words = [f"{month.first_day:%b}" for month in months]
    net, gross = (
        line(
            list(zip(words, (getattr(month.whole, name) for month in months), strict=True)),
            low=marks[0],
            high=marks[-1],
            rows=rows,
            right=LINE_ENDS,
        )
        for name in ("net_share", "gross_share")
    )
    return list(zip(("c1", "c2"), ("net", "gross"), apart(net, gross), strict=True))


def _retention_rows(asked: Asked) -> Iterator[Sequence[str]]:
    for month in retention_of(asked):
        whole = month.whole
        sums = (units(cents) for cents in (whole.base, whole.net, whole.gross))
        yield (f"{month.first_day:%Y-%m}", share(whole.net_share), share(whole.gross_share), *sums)


def _book_rows(asked: Asked) -> Iterator[Sequence[str]]:
    for book in books_of(asked, retention_of(asked))[:BOOKS_SHOWN]:
        counts = (book.good, book.watch, book.risk, book.work.open, book.work.late, book.work.tasks_done)
        yield (book.name, str(book.accounts), units(book.arr_cents), *map(str, counts), share(book.net_share))


RETENTION = File(
    "retention",
    "Revenue retention",
    ("month", "net_retention", "gross_retention", "base_mrr", "net_mrr", "gross_mrr"),
    _retention_rows,
)
BOOKS = File(
    "books",
    "Book by CSM",
    (
        "csm", "accounts", "arr", "healthy", "watch", "at_risk", "open_ctas", "late_ctas", "tasks_done_30_days",
        "net_retention",
    ),
    _book_rows,
)  # fmt: skip
TAB = Tab(
    "overview",
    "Overview",
    "dashboard/reports/_overview.html",
    _context,
    (RETENTION, renewals.RENEWALS, BOOKS, PLAYBOOKS),
)
