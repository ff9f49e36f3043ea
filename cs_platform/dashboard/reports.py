"""Reports: what became of revenue, what is up for renewal, who has how much to do, and what playbooks led to."""

from collections.abc import Iterator, Sequence
from typing import Any

from django.http import HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_safe

from accounts.matching import TooLong, at_most
from accounts.revenue import Renewing, RetainedMonth
from cs_platform.common.csv_text import csv_text
from cs_platform.dashboard.reporting import PERIODS, USUAL_PERIOD, YEAR, Asked, Report, lines
from cs_platform.tenancy.roles import Ability
from cs_platform.web.charts import Bars, Line, apart, bars, line, scale
from cs_platform.web.drawers import render_beside
from cs_platform.web.home import Book, Fact
from cs_platform.web.pages import WorkspaceRequest, requires
from cs_platform.web.templatetags.ui import MINUS, money_short
from cs_platform.workspace.models import Team
from playbooks.home import Renewals

FRAGMENTS = {"reports": "dashboard/_reports.html"}
LIMIT_MS = 10_000
MOST_TEAMS = 200
LINE_ENDS = 448  # what stands beside its end needs room


@require_safe
@requires(Ability.READ)
def reports(request: WorkspaceRequest, slug: str) -> HttpResponse:
    return render_beside(request, "dashboard/reports.html", lambda: _page(request), fragments=FRAGMENTS)


@require_safe
@requires(Ability.READ)
def export(request: WorkspaceRequest, slug: str, report: str) -> HttpResponse:
    """The table of one report as a file, of the same time and team."""
    name = f"{report}-{timezone.localdate(request.now)}.csv"
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "X-Content-Type-Options": "nosniff"}
    text = csv_text(lines(Report(report), _asked(request)))
    return HttpResponse(text, content_type="text/csv; charset=utf-8", headers=headers)


def _asked(request: WorkspaceRequest) -> Asked:
    """What is asked for wrongly is as if it had not been."""
    months, team = (request.GET.get(name, "") for name in ("months", "team"))
    known = int(months) if months.isascii() and months.isdecimal() and len(months) < 3 else 0
    pk = int(team) if team.isascii() and team.isdecimal() and len(team) < 19 else None
    found = Team.objects.filter(pk=pk, archived_at=None).first() if pk else None
    return Asked(request.tenant, request.now, known if known in PERIODS else USUAL_PERIOD, found)


def _page(request: WorkspaceRequest) -> dict[str, Any]:
    asked = _asked(request)
    context: dict[str, Any] = {
        "asked": asked,
        "periods": PERIODS,
        "teams": Team.objects.filter(archived_at=None).order_by("name", "pk")[:MOST_TEAMS],
        "query": f"months={asked.months}" + (f"&team={asked.team.pk}" if asked.team else ""),
    }
    try:
        with at_most(LIMIT_MS):
            return context | _summed_up(request, asked)
    except TooLong:
        return context | {"too_long": True}


def _summed_up(request: WorkspaceRequest, asked: Asked) -> dict[str, Any]:
    next_ones = Renewals().fragment(request, Book(None, timezone.localdate(request.now), request.now))
    return {
        "facts": list(_facts(asked)),
        "retention": _retention_chart(asked.retention),
        "renewals": _renewals_chart(asked.renewals),
        "next_ones": next_ones if asked.team is None else None,
        "applied": sum(one.applied for one in asked.effects),
    }


def _facts(asked: Asked) -> Iterator[Fact]:
    known = [month.whole for month in asked.retention if month.whole.base]
    first, last = (known[0], known[-1]) if known else (None, None)
    for label, share in (("Net revenue retention", "net_share"), ("Gross revenue retention", "gross_share")):
        now, then = (getattr(one, share) if one else None for one in (last, first))
        yield Fact(label, _percent(now), *_moved(now, then if len(known) > 1 else None))
    yield Fact("ARR", _money(sum(book.arr_cents for book in asked.books)))
    at_risk = asked.renewals
    yield Fact("Renewing at risk", _money(YEAR * sum(due.at_risk for due in at_risk)), "in six months")
    lately, before = asked.punctuality
    yield Fact("CTAs closed on time", _percent(lately.share), *_moved(lately.share, before.share))


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{share:g}%"


def _moved(now: float | None, then: float | None) -> tuple[str, str]:
    """How far it moved, in points, and whether that is good."""
    if now is None or then is None:
        return "", ""
    points = round(now - then, 1)
    sign = "+" if points > 0 else MINUS if points < 0 else ""
    return f"{sign}{abs(points):g} pts", "ok" if points > 0 else "bad" if points < 0 else ""


def _money(cents: int) -> str:
    return str(money_short(cents))


def _retention_chart(months: Sequence[RetainedMonth]) -> dict[str, Line] | None:
    shares = [share for one in months for share in (one.whole.net_share, one.whole.gross_share) if share is not None]
    if not shares:
        return None
    marks = scale([min(shares) - 1, max(shares) + 1])  # never a line without a height
    rows = [(mark, f"{mark:g}%") for mark in marks]
    words = [f"{month.first_day:%b}" for month in months]
    net, gross = (
        line(
            list(zip(words, (getattr(month.whole, share) for month in months), strict=True)),
            low=marks[0],
            high=marks[-1],
            rows=rows,
            right=LINE_ENDS,
        )
        for share in ("net_share", "gross_share")
    )
    return dict(zip(("net", "gross"), apart(net, gross), strict=True))


def _renewals_chart(months: Sequence[Renewing]) -> Bars | None:
    if not any(due.total for due in months):
        return None
    marks = scale([0, *(YEAR * due.total for due in months)], steps=4)
    parts = (("ok", "renewed"), ("c1", "forecast"), ("bad", "at_risk"))
    values = [
        (
            f"{due.first_day:%b}",
            _money(YEAR * due.total) if due.total else "",
            [(kind, YEAR * getattr(due, name)) for kind, name in parts],
        )
        for due in months
    ]
    return bars(values, rows=[(mark, _money(int(mark))) for mark in marks])
