"""The list of holidays: past ones stay below, since schedules were made with them."""

from itertools import groupby

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.views.decorators.http import require_http_methods, require_POST

from cs_platform.tenancy.roles import Ability
from cs_platform.web.pages import WorkspaceRequest, render_page, requires
from cs_platform.workspace import holidays
from cs_platform.workspace.holidays import CannotAdd
from cs_platform.workspace.models import Holiday

from .forms import HolidayForm


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Ability.READ, to_post=Ability.MANAGE_DATA)
def holiday_list(request: WorkspaceRequest, slug: str) -> HttpResponse:
    form = HolidayForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        try:
            added = holidays.add_holiday(**form.cleaned_data, by=request.membership, now=request.now)
        except CannotAdd as refusal:
            form.add_error("on", str(refusal))
        else:
            messages.success(request, f"Added: {added.name}, {added.on:%-d %b %Y}")
            return redirect("dashboard:holidays", slug)
    listed = Holiday.objects.order_by("on", "pk")
    years = [(year, list(days)) for year, days in groupby(listed, key=lambda one: one.on.year)]
    context = {"form": form, "years": years}
    return render_page(request, "dashboard/holidays.html", context, status=422 if form.is_bound else 200)


@require_POST
@requires(Ability.MANAGE_DATA)
def remove_holiday(request: WorkspaceRequest, slug: str, pk: int) -> HttpResponse:
    holiday = get_object_or_404(Holiday.objects.all(), pk=pk)
    holidays.remove_holiday(holiday, by=request.membership, now=request.now)
    messages.success(request, f"Removed: {holiday.name}, {holiday.on:%-d %b %Y}")
    return redirect("dashboard:holidays", slug)
