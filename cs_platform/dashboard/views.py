"""Where people land: their workspace, or the choice of one; and how they want it to look."""

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, resolve_url
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST, require_safe

from cs_platform.tenancy.models import Membership, MembershipQuerySet
from cs_platform.tenancy.roles import Ability
from cs_platform.web.pages import WorkspaceRequest, render_page, requires

from .forms import PreferencesForm


@require_safe
@login_required
def landing(request: HttpRequest) -> HttpResponse:
    """After signing in: straight into the only workspace, else a choice."""
    memberships = list(_memberships(request)[:2])
    if len(memberships) == 1:
        return redirect("dashboard:home", memberships[0].tenant.slug)
    return redirect("dashboard:workspaces")


@require_safe
@login_required
def workspaces(request: HttpRequest) -> HttpResponse:
    return render_page(
        request,
        "dashboard/workspaces.html",
        {"memberships": _memberships(request)},
        fragments={"workspaces": "dashboard/_workspace_menu.html"},
    )


@require_POST
@requires(Ability.READ)
def preferences(request: WorkspaceRequest, slug: str) -> HttpResponse:
    form = PreferencesForm(request.POST, instance=request.membership)
    if not form.is_valid():
        return HttpResponse(status=422)
    form.save()
    if request.headers.get("HX-Request") == "true":
        return HttpResponse(status=204)
    return HttpResponseRedirect(_back(request))


def _memberships(request: HttpRequest) -> MembershipQuerySet:
    """A person joins few workspaces, and each needs an invitation: the list is short by nature."""
    mine = Membership.objects.active().filter(user=request.user).select_related("tenant")  # type: ignore[misc]
    return mine.order_by("tenant__name", "pk")


def _back(request: HttpRequest) -> str:
    came_from = request.headers.get("Referer", "")
    safe = url_has_allowed_host_and_scheme(came_from, {request.get_host()}, require_https=request.is_secure())
    return came_from if safe else resolve_url("dashboard:landing")
