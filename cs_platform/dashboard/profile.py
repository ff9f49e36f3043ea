"""One's own profile: name, zone, looks, keys, and what one is told."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods

from cs_platform.tenancy.roles import Ability
from cs_platform.web.mailbox import mailbox_context
from cs_platform.web.notifications import choices_context
from cs_platform.web.pages import WorkspaceRequest, render_page, requires

from .forms import ProfileForm

FRAGMENTS = {"mailbox": "workspace/_mailbox.html"}


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Ability.READ)
def profile(request: WorkspaceRequest, slug: str) -> HttpResponse:
    form = ProfileForm(request.POST if request.method == "POST" else None, instance=request.membership)
    if form.is_valid():
        form.save()
        messages.success(request, "Saved")
        return redirect("dashboard:profile", slug)
    context = {"form": form, "own_name": form.initial["name"]} | choices_context(request) | mailbox_context(request)
    return render_page(
        request, "dashboard/profile.html", context, fragments=FRAGMENTS, status=422 if form.is_bound else 200
    )
