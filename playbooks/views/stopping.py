"""Stop playbook: what will happen, item by item, then doing it; and everywhere at once, which a job does."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from django.http import HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from accounts.reach import refuse_beyond
from cs_platform.jobs.bulk import CannotChoose, read_ids
from cs_platform.tenancy.roles import Ability
from cs_platform.web.bulk import given
from cs_platform.web.jobs import started
from cs_platform.web.pages import WorkspaceRequest, requires
from playbooks.forms import StopAllForm, StopForm
from playbooks.history import read_filled
from playbooks.models import Enrollment, Playbook
from playbooks.stop_jobs import NothingToStop, Places, look_ahead_of_stop, start_stop
from playbooks.undo import STOPPABLE, StopLine, StopPreview, preview_stop, request_stop
from playbooks.views.loading import changed, enrollment_or_404, history_address, playbook_or_404, render_dialog


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Ability.RUN_PLAYBOOKS)
def stop(request: WorkspaceRequest, slug: str, pk: int) -> HttpResponse:
    enrollment = enrollment_or_404(pk)
    if enrollment.cta_id:
        return HttpResponseRedirect(reverse("playbooks:remove", args=[slug, pk]))
    refuse_beyond(request.membership, Ability.RUN_PLAYBOOKS, enrollment.account)
    form = StopForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        return _stop(request, enrollment, form)
    context = _preview(request, enrollment) | {"form": form}
    status = 422 if form.is_bound else 200
    return render_dialog(request, "stop", context, status=status)


def _stop(request: WorkspaceRequest, enrollment: Enrollment, form: StopForm) -> HttpResponse:
    acted = request_stop(
        enrollment, by=request.membership, note=form.cleaned_data["note"], keep=form.kept(), now=request.now
    )
    name = enrollment.playbook.name
    text = f"{name} stopped" if acted else f"{name} was stopped before you"
    return changed(request, text, address=history_address(request, enrollment))


def _preview(request: WorkspaceRequest, enrollment: Enrollment) -> dict[str, Any]:
    stoppable = enrollment.state in STOPPABLE
    preview = preview_stop(enrollment, now=request.now) if stoppable else StopPreview([], [], [])
    return {
        "enrollment": enrollment,
        "undone": preview.undone,
        "cancelled": _with_values(enrollment, sorted(preview.cancelled, key=_by_day), now=request.now),
        "kept": sorted(preview.kept, key=_by_day),
        "stoppable": stoppable,
        "ran": len(preview.undone) + len(preview.kept),
        "back": history_address(request, enrollment),
    }


def _with_values(enrollment: Enrollment, lines: Sequence[StopLine], *, now: datetime) -> Sequence[StopLine]:
    """What will not run, in the words it would have had here."""
    says = read_filled(enrollment, {str(at): line.says for at, line in enumerate(lines)}, now=now)
    return [replace(line, says=says[str(at)]) for at, line in enumerate(lines)]


def _by_day(line: StopLine) -> tuple[bool, int]:
    """Actions whose date was never set come last."""
    return line.day is None, line.day or 0


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Ability.RELEASE_EVALUATIONS)
def stop_all(request: WorkspaceRequest, slug: str, pk: int) -> HttpResponse:
    """Everywhere, where `ids` says (those ticked in the list), or with `all` wherever the list's `query` says."""
    playbook = playbook_or_404(pk)
    form = StopAllForm(request.POST if request.method == "POST" else None)
    try:
        places = _places(request, playbook, form)
        if request.method == "POST" and form.is_valid():
            job = start_stop(places, note=form.cleaned_data["note"], by=request.membership, now=request.now)
            return started(request, job)
    except (CannotChoose, NothingToStop) as refusal:
        return render_dialog(request, "stop_all", {"playbook": playbook, "refusal": str(refusal)}, status=422)
    context = {"playbook": playbook, "places": places, "ahead": look_ahead_of_stop(places), "form": form}
    return render_dialog(request, "stop_all", context, status=422 if form.is_bound else 200)


def _places(request: WorkspaceRequest, playbook: Playbook, form: StopAllForm) -> Places:
    """Raises CannotChoose."""
    sent = given(request)
    finished = form.is_bound and form.is_valid() and form.cleaned_data["finished"]
    if sent.get("all"):
        return Places(playbook.pk, finished=finished, query=sent.get("query", ""))
    ticked = sent.getlist("ids")
    return Places(playbook.pk, read_ids(ticked, noun="enrollment") if ticked else None, finished)
