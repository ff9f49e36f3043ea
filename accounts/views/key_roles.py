"""Settings: the key roles of the workspace's own."""

from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST

from accounts.key_roles import (
    CannotName,
    archive_role,
    archived_roles,
    define_role,
    move_role,
    present_roles,
    rename_role,
    restore_role,
)
from accounts.models import KeyRole
from cs_platform.tenancy.roles import Ability
from cs_platform.web.pages import WorkspaceRequest, render_page, requires


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Ability.MANAGE_DATA)
def role_list(request: WorkspaceRequest, slug: str) -> HttpResponse:
    """A POST defines one."""
    if request.method != "POST":
        return _list(request)
    name = request.POST.get("name", "")
    try:
        role = define_role(name)
    except CannotName as refusal:
        return _list(request, error=str(refusal), name=name)
    return _done(request, f"{role.name} defined")


@require_POST
@requires(Ability.MANAGE_DATA)
def rename(request: WorkspaceRequest, slug: str, pk: int) -> HttpResponse:
    role, name = get_object_or_404(KeyRole, pk=pk, archived_at=None), request.POST.get("name", "")
    try:
        rename_role(role, name)
    except CannotName as refusal:
        return _list(request, error=str(refusal), renaming=pk)
    return _done(request, f"Renamed to {role.name}")


@require_POST
@requires(Ability.MANAGE_DATA)
def switch(request: WorkspaceRequest, slug: str, pk: int, verb: str) -> HttpResponse:
    role = get_object_or_404(KeyRole, pk=pk)
    try:
        text = _switched(role, verb, request)
    except CannotName as refusal:
        return _list(request, error=str(refusal))
    return _done(request, text)


def _switched(role: KeyRole, verb: str, request: WorkspaceRequest) -> str:
    if verb in ("up", "down"):
        return f"{role.name} moved" if move_role(role, up=verb == "up") else f"{role.name} stands at the end already"
    if verb == "restore":
        restore_role(role)
        return f"{role.name} is back, with whoever held it"
    archive_role(role, now=request.now)
    return f"{role.name} archived"


def _list(request: WorkspaceRequest, *, error: str = "", name: str = "", renaming: int = 0) -> HttpResponse:
    context = {
        "roles": present_roles(),
        "archived": archived_roles(),
        "error": error,
        "name": name,
        "renaming": renaming,
    }
    return render_page(request, "accounts/settings/roles.html", context, status=422 if error else 200)


def _done(request: WorkspaceRequest, text: str) -> HttpResponse:
    messages.success(request, text)
    return HttpResponseRedirect(reverse("traits:roles", args=[request.tenant.slug]))
