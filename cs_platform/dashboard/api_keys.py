"""Keys of the REST API: made here, shown once, revoked at once."""

from datetime import timedelta

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.views.decorators.http import require_http_methods, require_POST

from cs_platform.tenancy.keys import issue_key, revoke_key
from cs_platform.tenancy.models import ApiKey
from cs_platform.tenancy.roles import Ability
from cs_platform.web.pages import WorkspaceRequest, render_page, requires

from .forms import KeyForm

REVOKED_SHOWN = 20


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Ability.MANAGE_CONNECTIONS)
def key_list(request: WorkspaceRequest, slug: str) -> HttpResponse:
    form, token = KeyForm(request.POST if request.method == "POST" else None), ""
    if form.is_valid():
        days = form.cleaned_data["days"]
        expires_at = request.now + timedelta(days=days) if days else None
        known = {"name": form.cleaned_data["name"], "scopes": form.cleaned_data["scopes"]}
        _, token = issue_key(**known, by=request.membership, now=request.now, expires_at=expires_at)
        form = KeyForm()
    keys = ApiKey.objects.select_related("created_by")
    context = {
        "form": form,
        "token": token,
        "keys": keys.filter(revoked_at=None).order_by("name", "pk"),
        "revoked": keys.filter(revoked_at__isnull=False).order_by("-revoked_at", "-pk")[:REVOKED_SHOWN],
    }
    response = render_page(request, "dashboard/api_keys.html", context, status=422 if form.is_bound else 200)
    response.headers["Cache-Control"] = "no-store"
    return response


@require_POST
@requires(Ability.MANAGE_CONNECTIONS)
def revoke(request: WorkspaceRequest, slug: str, pk: int) -> HttpResponse:
    key = get_object_or_404(ApiKey.objects.all(), pk=pk)
    acted = revoke_key(key, by=request.membership, now=request.now)
    messages.success(request, f"{key.name} revoked" if acted else f"{key.name} was revoked before")
    return redirect("dashboard:api-keys", slug)
