"""The tabs of the reports, and their tables as files."""

from dataclasses import replace
from typing import Any

from django.http import HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_safe

from accounts.matching import TooLong, at_most
from accounts.revenue import csms_with_accounts
from cs_platform.common.csv_text import csv_text
from cs_platform.dashboard.reports.asked import PERIODS, Asked
from cs_platform.dashboard.reports.tab import Tab
from cs_platform.dashboard.reports.tabs import BY_KEY, FILES
from cs_platform.tenancy.roles import Ability
from cs_platform.web.drawers import render_beside
from cs_platform.web.pages import WorkspaceRequest, requires
from cs_platform.workspace.models import Team

FRAGMENTS = {"reports": "dashboard/reports/_report.html"}
LIMIT_MS = 10_000
MOST_TEAMS = 200


@require_safe
@requires(Ability.READ)
def report(request: WorkspaceRequest, slug: str, tab: str = "overview") -> HttpResponse:
    return render_beside(
        request, "dashboard/reports/page.html", lambda: _page(request, BY_KEY[tab]), fragments=FRAGMENTS
    )


@require_safe
@requires(Ability.READ)
def export(request: WorkspaceRequest, slug: str, file: str) -> HttpResponse:
    """The table of one report as a file, of the same time and people."""
    name = f"{file}-{timezone.localdate(request.now)}.csv"
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "X-Content-Type-Options": "nosniff"}
    text = csv_text(FILES[file].lines(_asked(request)))
    return HttpResponse(text, content_type="text/csv; charset=utf-8", headers=headers)


def _asked(request: WorkspaceRequest) -> Asked:
    """What is asked for wrongly is as if it had not been."""
    asked, _problems = Asked.read(request.tenant, request.now, request.GET.dict())
    return asked


def _page(request: WorkspaceRequest, tab: Tab) -> dict[str, Any]:
    asked = _asked(request)
    context = {"asked": asked, "tab": tab, "query": asked.query(), **_choices(asked)}
    try:
        with at_most(LIMIT_MS):
            return context | dict(tab.context(request, asked))
    except TooLong:
        return context | {"too_long": True}


def _choices(asked: Asked) -> dict[str, Any]:
    """Of the head's menus: words, what the address becomes, and whether it is so now."""
    periods = [replace(asked, months=months) for months in PERIODS]
    teams = Team.objects.filter(archived_at=None).order_by("name", "pk")[:MOST_TEAMS]
    return {
        "periods": [(one, asked.query(months=one.months), one.months == asked.months) for one in periods],
        "everybody": asked.query(team=None),
        "teams": [(team.name, asked.query(team=team.pk), team == asked.team) for team in teams],
        "people": [(one.name, asked.query(csm=one.pk), one == asked.csm) for one in csms_with_accounts(asked.tenant)],
    }
