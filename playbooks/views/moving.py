"""What runs on earlier versions follows the published one: what that changes, then doing it."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods

from cs_platform.tenancy.roles import Ability
from cs_platform.web.jobs import started
from cs_platform.web.pages import WorkspaceRequest, requires
from playbooks.forms import MoveForm
from playbooks.moving import Passed, look_ahead_of_late_move, start_move
from playbooks.views.loading import playbook_or_404, render_dialog


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Ability.PUBLISH_PLAYBOOKS)
def move(request: WorkspaceRequest, slug: str, pk: int) -> HttpResponse:
    playbook = playbook_or_404(pk)
    form = MoveForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid() and playbook.version_id:
        passed = Passed(form.cleaned_data["passed"])
        job = start_move(playbook, passed=passed, by=request.membership, now=request.now)
        if job:
            return started(request, job)
        messages.info(request, "Nothing runs on an earlier version any more")
        return redirect("playbooks:versions", slug, pk)
    ahead = look_ahead_of_late_move(playbook, tenant=request.tenant, now=request.now)
    context = {"playbook": playbook, "form": form, "ahead": ahead}
    return render_dialog(request, "move", context, status=422 if form.is_bound else 200)
