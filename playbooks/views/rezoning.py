"""Time zones that have changed since playbooks were applied: what following them comes to, then doing it."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods

from cs_platform.tenancy.roles import Ability
from cs_platform.web.jobs import started
from cs_platform.web.pages import WorkspaceRequest, requires
from playbooks.rezoning import changed_zones, follow_zones
from playbooks.views.loading import render_dialog


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Ability.PUBLISH_PLAYBOOKS)
def zones(request: WorkspaceRequest, slug: str) -> HttpResponse:
    if request.method == "POST":
        job = follow_zones(request.tenant, by=request.membership, now=request.now)
        if job:
            return started(request, job)
        messages.info(request, "Everything runs in the time zone of its account")
        return redirect("playbooks:list", slug)
    return render_dialog(request, "zones", {"changes": changed_zones(request.tenant)})
