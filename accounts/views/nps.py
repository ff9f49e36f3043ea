"""The report of what users answered, and the settings of the survey that asks them."""

from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect, QueryDict
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_safe

from accounts.models import Account, Segment
from accounts.nps.report import MOST_IN_FILE, SEARCH_LIMIT, Page, Wanted, lines
from accounts.nps.scores import Group, Month, tally, trend
from accounts.nps.survey import the_survey
from accounts.nps_forms import NpsSurveyForm, initial_of
from accounts.places import Place
from cs_platform.common.csv_text import csv_text
from cs_platform.tenancy.roles import Ability
from cs_platform.web.charts import Line, line
from cs_platform.web.pages import WorkspaceRequest, render_page, requires, target_id

FRAGMENTS = {"results": "accounts/nps/_results.html", "older": "accounts/nps/_answers.html"}
MOST_SEGMENTS = 200
BEST, WORST = 100, -100


@require_safe
@requires(Ability.READ)
def report(request: WorkspaceRequest, slug: str) -> HttpResponse:
    wanted = _wanted(request)
    context = {
        "wanted": wanted,
        "page": Page.of(wanted, after=Place.read(request.GET.get("older", ""))),
        "query": _query(wanted),
        "most_in_file": MOST_IN_FILE,
    }
    if target_id(request) == "older":
        return render_page(request, "accounts/nps/report.html", context, fragments=FRAGMENTS)
    months = trend(wanted.base, until=timezone.localdate(request.now), zone=ZoneInfo(request.tenant.timezone))
    context |= {
        "tally": tally(wanted.base),
        "groups": list(Group),
        "months": months,
        "chart": _chart(months),
        "segments": Segment.objects.filter(archived_at__isnull=True).order_by("name", "pk")[:MOST_SEGMENTS],
        "survey": the_survey(),
    }
    return render_page(request, "accounts/nps/report.html", context, fragments=FRAGMENTS)


@require_safe
@requires(Ability.READ)
def export(request: WorkspaceRequest, slug: str) -> HttpResponse:
    """The newest answers of the same filters; more than the file takes are a matter for the API."""
    name = f"nps-{timezone.localdate(request.now)}.csv"
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "X-Content-Type-Options": "nosniff"}
    return HttpResponse(csv_text(lines(_wanted(request))), content_type="text/csv; charset=utf-8", headers=headers)


def _wanted(request: WorkspaceRequest) -> Wanted:
    """What the address names and the workspace has; anything else is not asked for."""
    group, segment, account = (request.GET.get(name, "") for name in ("group", "segment", "account"))
    return Wanted(
        group=Group(group) if group in list(Group) else None,
        segment=Segment.objects.filter(pk=_whole(segment), archived_at__isnull=True).first(),
        account=Account.objects.present().filter(pk=_whole(account)).first(),
        search=request.GET.get("q", "").replace("\x00", "").strip()[:SEARCH_LIMIT],
    )


def _whole(text: str) -> int:
    """0 names nothing."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= 18 else 0


def _query(wanted: Wanted) -> QueryDict:
    """The address of the same answers."""
    named = {"group": wanted.group, "segment": wanted.segment, "account": wanted.account, "q": wanted.search}
    query = QueryDict(mutable=True)
    query.update({name: str(getattr(value, "pk", value)) for name, value in named.items() if value})
    return query


def _chart(months: list[Month]) -> Line:
    values = [(f"{month.first_day:%b}", month.tally.score) for month in months]
    rows = [(float(value), f"{value:+d}".replace("-", "−").replace("+0", "0")) for value in (100, 50, 0, -50, -100)]
    return line(values, low=WORST, high=BEST, rows=rows)


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Ability.READ, to_post=Ability.MANAGE_DATA)
def survey(request: WorkspaceRequest, slug: str) -> HttpResponse:
    form = NpsSurveyForm(request.POST if request.method == "POST" else None, initial=initial_of(the_survey()))
    if form.is_bound and form.is_valid():
        saved = form.save(by=request.membership, now=request.now)
        messages.success(request, "Survey saved. It is shown." if saved.is_on else "Survey saved. It is off.")
        return HttpResponseRedirect(reverse("nps:survey", args=[slug]))
    return render_page(request, "accounts/nps/survey.html", _survey_page(form), status=422 if form.is_bound else 200)


def _survey_page(form: NpsSurveyForm) -> dict[str, Any]:
    return {
        "form": form,
        "script": settings.BASE_URL.rstrip("/") + "/static/nps.js",
        "origin": settings.BASE_URL.rstrip("/"),
        "address": settings.BASE_URL.rstrip("/") + "/api/v1/nps/tokens/",
    }
