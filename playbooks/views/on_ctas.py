"""A CTA playbook on a CTA: applying, replacing, removing it, and putting it back."""

from typing import Any

from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST

from cs_platform.tenancy.roles import Ability
from cs_platform.web.pages import WorkspaceRequest, close_dialog, requires
from ctas.models import Cta
from ctas.views.drawer import answer, cta_or_404
from playbooks.forms import ApplyToCtaForm, RemoveForm, ReplaceForm
from playbooks.models import Enrollment
from playbooks.task_lists import NotPossible, apply_to_cta, preview_removal, put_back, remove, replace
from playbooks.views.loading import render_dialog

READING = ("GET", "HEAD")


def on_cta_or_404(pk: int) -> Enrollment:
    found = Enrollment.objects.filter(cta__isnull=False, cta__archived_at=None)
    return get_object_or_404(found.select_related("playbook", "tenant", "cta__account"), pk=pk)


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Ability.WORK_CTAS)
def apply(request: WorkspaceRequest, slug: str, pk: int) -> HttpResponse:
    cta = cta_or_404(pk)
    form = ApplyToCtaForm(None if request.method in READING else request.POST, type=cta.type)
    if form.is_valid():
        try:
            made = apply_to_cta(form.cleaned_data["playbook"], cta, by=request.membership, now=request.now)
        except NotPossible as refusal:
            form.add_error("playbook", str(refusal))
        else:
            undo = reverse("playbooks:remove", args=[slug, made.pk])
            return close_dialog(answer(request, cta, f"{made.playbook.name} applied", undo=undo))
    return _dialog(request, "apply_to_cta", {"cta": cta, "form": form})


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Ability.WORK_CTAS)
def take_off(request: WorkspaceRequest, slug: str, pk: int) -> HttpResponse:
    enrollment = on_cta_or_404(pk)
    form = RemoveForm(None if request.method in READING else request.POST)
    if form.is_valid():
        acted = remove(enrollment, stay=form.cleaned_data["stay"], by=request.membership, now=request.now)
        return close_dialog(_done(request, enrollment, "removed" if acted else "was removed before you", acted=acted))
    return _dialog(request, "remove_from_cta", _shown(request, enrollment, form))


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Ability.WORK_CTAS)
def swap(request: WorkspaceRequest, slug: str, pk: int) -> HttpResponse:
    enrollment = on_cta_or_404(pk)
    form = ReplaceForm(None if request.method in READING else request.POST, type=_cta(enrollment).type)
    if form.is_valid():
        playbook, stay = form.cleaned_data["playbook"], form.cleaned_data["stay"]
        try:
            replace(enrollment, playbook, stay=stay, by=request.membership, now=request.now)
        except NotPossible as refusal:
            form.add_error("playbook", str(refusal))
        else:
            return close_dialog(_done(request, enrollment, f"replaced by {playbook.name}", acted=True))
    return _dialog(request, "replace_on_cta", _shown(request, enrollment, form))


@require_POST
@requires(Ability.WORK_CTAS)
def restore(request: WorkspaceRequest, slug: str, pk: int) -> HttpResponse:
    removed = on_cta_or_404(pk)
    try:
        put_back(removed, by=request.membership, now=request.now)
    except NotPossible as refusal:
        return answer(request, _cta(removed), str(refusal), refused=True)
    return answer(request, _cta(removed), f"{removed.playbook.name} is back")


def _cta(enrollment: Enrollment) -> Cta:
    assert enrollment.cta is not None
    return enrollment.cta


def _done(request: WorkspaceRequest, enrollment: Enrollment, what: str, *, acted: bool) -> HttpResponse:
    undo = reverse("playbooks:put_back", args=[request.tenant.slug, enrollment.pk]) if acted else None
    return answer(request, _cta(enrollment), f"{enrollment.playbook.name} {what}", undo=undo)


def _shown(request: WorkspaceRequest, enrollment: Enrollment, form: RemoveForm) -> dict[str, Any]:
    preview = preview_removal(enrollment, now=request.now)
    return {"enrollment": enrollment, "cta": enrollment.cta, "form": form, "preview": preview}


def _dialog(request: WorkspaceRequest, name: str, context: dict[str, Any]) -> HttpResponse:
    return render_dialog(request, name, context, status=422 if context["form"].is_bound else 200)
