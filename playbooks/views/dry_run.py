"""Ending a dry run: what it recorded, then live or discarded."""

from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from cs_platform.tenancy.roles import Ability
from cs_platform.web.jobs import started
from cs_platform.web.pages import WorkspaceRequest, close_dialog, requires, toast, trigger
from playbooks.dry_runs import discard, promote, recorded_by
from playbooks.forms import EndDryRunForm
from playbooks.models import Playbook
from playbooks.versions import NotPossible
from playbooks.views.loading import PLAYBOOK_CHANGED, playbook_or_404, render_dialog


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Ability.PUBLISH_PLAYBOOKS)
def end(request: WorkspaceRequest, slug: str, pk: int) -> HttpResponse:
    playbook = playbook_or_404(pk)
    form = EndDryRunForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        return _ended(request, playbook, form.cleaned_data["how"])
    recorded = recorded_by(playbook).count() if playbook.status == Playbook.Status.DRY_RUN else None
    context = {"playbook": playbook, "form": form, "recorded": recorded}
    return render_dialog(request, "end_dry_run", context, status=422 if form.is_bound else 200)


def _ended(request: WorkspaceRequest, playbook: Playbook, how: str) -> HttpResponse:
    try:
        if how == EndDryRunForm.DISCARD:
            text = f"{playbook.name} is paused; nothing of its dry run goes on"
            job = discard(playbook, by=request.membership, now=request.now)
        else:
            text = f"{playbook.name} is live"
            restart = how == EndDryRunForm.RESTART
            job = promote(playbook, restart=restart, by=request.membership, now=request.now)
    except NotPossible as refusal:
        text, job = str(refusal), None
    if request.headers.get("HX-Request") != "true":
        messages.success(request, text)
        return HttpResponseRedirect(reverse("playbooks:detail", args=[request.tenant.slug, playbook.pk]))
    answer = started(request, job) if job else close_dialog(HttpResponse(status=204))
    return toast(trigger(answer, PLAYBOOK_CHANGED, {}), text)
