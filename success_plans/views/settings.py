"""Settings: types of plans with their fields, and templates."""

from typing import Any

from django.contrib import messages
from django.db.models import Count, Q
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from cs_platform.tenancy.roles import Ability
from cs_platform.web.pages import WorkspaceRequest, go_to, render_page, requires
from ctas.models import Cta
from ctas.playbooks import cta_playbooks
from success_plans import defining
from success_plans.forms import (
    FieldFormSet,
    OutlineFormSet,
    TemplateForm,
    TypeForm,
    as_typed,
    outline_initial,
    read_fields,
    read_outline,
    show_refusal,
    with_one_line_more,
)
from success_plans.models import PlanTemplate, PlanType
from success_plans.planning import CannotPlan
from success_plans.templates import outline_of


@require_safe
@requires(Ability.READ)
def overview(request: WorkspaceRequest, slug: str) -> HttpResponse:
    present = Q(plans__archived_at=None)
    types = PlanType.objects.annotate(used=Count("plans", filter=present)).order_by("name", "pk")
    templates = PlanTemplate.objects.select_related("type").annotate(used=Count("plans", filter=present))
    context = {
        "types": [one for one in types if one.archived_at is None],
        "templates": [
            (one, outline_of(one.definition)) for one in templates.filter(archived_at=None).order_by("name", "pk")
        ],
        "archived_types": [one for one in types if one.archived_at],
        "archived_templates": list(templates.exclude(archived_at=None).order_by("name", "pk")),
    }
    return render_page(request, "plans/settings/overview.html", context)


# --- types ------------------------------------------------------------------------------------------------------------


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Ability.MANAGE_DATA)
def new_type(request: WorkspaceRequest, slug: str) -> HttpResponse:
    return _type(request, None)


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Ability.MANAGE_DATA)
def edit_type(request: WorkspaceRequest, slug: str, pk: int) -> HttpResponse:
    return _type(request, get_object_or_404(PlanType, pk=pk, archived_at=None))


def _type(request: WorkspaceRequest, held: PlanType | None) -> HttpResponse:
    data = request.POST if request.method == "POST" else None
    facts = {name: getattr(held, name) for name in ("name", "formula", "categories")} if held else {"formula": "tasks"}
    form = TypeForm(data, initial=facts)
    fields = FieldFormSet(data, initial=list(held.fields) if held else [], prefix="fields")
    if data is not None and form.is_valid() and fields.is_valid():
        try:
            saved = defining.save_type(
                held, **form.cleaned_data, fields=read_fields(fields), by=request.membership, now=request.now
            )
            return _saved(request, saved.name)
        except CannotPlan as refusal:
            show_refusal(form, refusal)
    context = {"form": form, "fields": fields, "held": held}
    return render_page(request, "plans/settings/type.html", context, status=422 if form.is_bound else 200)


# --- templates --------------------------------------------------------------------------------------------------------


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Ability.MANAGE_DATA)
def new_template(request: WorkspaceRequest, slug: str) -> HttpResponse:
    return _template(request, None)


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Ability.MANAGE_DATA)
def edit_template(request: WorkspaceRequest, slug: str, pk: int) -> HttpResponse:
    return _template(request, get_object_or_404(PlanTemplate.objects.select_related("type"), pk=pk, archived_at=None))


def _template(request: WorkspaceRequest, held: PlanTemplate | None) -> HttpResponse:
    data = request.POST if request.method == "POST" else None
    form = TemplateForm(data, initial=_template_facts(held))
    outline = OutlineFormSet(data, initial=outline_initial(held.definition) if held else [], prefix="objectives")
    if data is not None and "add" in data:
        form, outline = as_typed(form), with_one_line_more(outline)
    elif data is not None and form.is_valid() and outline.is_valid():
        try:
            return _saved(request, _template_saved(request, held, form, outline).name)
        except CannotPlan as refusal:
            _show_in_outline(form, outline, refusal)
    offered = [one for one in cta_playbooks().offered() if one.is_for(Cta.Type.OBJECTIVE)]
    context = {"form": form, "outline": outline, "held": held, "playbooks": offered}
    return render_page(request, "plans/settings/template.html", context, status=422 if form.is_bound else 200)


def _template_facts(held: PlanTemplate | None) -> dict[str, Any]:
    if held is None:
        return {}
    facts = {name: getattr(held, name) for name in ("name", "key", "description", "duration_days")}
    said = {"highlights": held.definition.get("highlights", ""), "on_weekends": held.definition.get("on_weekends")}
    return facts | said | {"type": held.type_id}


def _template_saved(
    request: WorkspaceRequest, held: PlanTemplate | None, form: TemplateForm, outline: Any
) -> PlanTemplate:
    facts = dict(form.cleaned_data)
    before = held.definition if held else {}
    definition = {
        "highlights": facts.pop("highlights"),
        "on_weekends": facts.pop("on_weekends"),
        "values": before.get("values", {}) if held and facts["type"] == held.type else {},
        "objectives": read_outline(outline, before=before.get("objectives", ())),
    }
    return defining.save_template(held, **facts, definition=definition, by=request.membership, now=request.now)


def _show_in_outline(form: TemplateForm, outline: Any, refusal: CannotPlan) -> None:
    """`objectives/2/due_day` and `objectives/2/tasks/0/title` stand beside the third objective."""
    parts = refusal.field.split("/")
    if parts[0] != "objectives" or len(parts) < 3:
        return show_refusal(form, refusal)
    lines = [one for one in outline if one.cleaned_data.get("name") and not one.cleaned_data["DELETE"]]
    return lines[int(parts[1])].add_error(parts[2], str(refusal))


# --- shared -----------------------------------------------------------------------------------------------------------


@require_POST
@requires(Ability.MANAGE_DATA)
def archive_type(request: WorkspaceRequest, slug: str, pk: int) -> HttpResponse:
    return _put_away(request, get_object_or_404(PlanType, pk=pk))


@require_POST
@requires(Ability.MANAGE_DATA)
def restore_type(request: WorkspaceRequest, slug: str, pk: int) -> HttpResponse:
    return _taken_out(request, get_object_or_404(PlanType, pk=pk))


@require_POST
@requires(Ability.MANAGE_DATA)
def archive_template(request: WorkspaceRequest, slug: str, pk: int) -> HttpResponse:
    return _put_away(request, get_object_or_404(PlanTemplate, pk=pk))


@require_POST
@requires(Ability.MANAGE_DATA)
def restore_template(request: WorkspaceRequest, slug: str, pk: int) -> HttpResponse:
    return _taken_out(request, get_object_or_404(PlanTemplate, pk=pk))


def _put_away(request: WorkspaceRequest, held: PlanType | PlanTemplate) -> HttpResponse:
    if defining.put_away(held, by=request.membership, now=request.now):
        messages.success(request, f"{held.name} archived. Plans that have it keep it.")
    return redirect("plan_settings:overview", request.tenant.slug)


def _taken_out(request: WorkspaceRequest, held: PlanType | PlanTemplate) -> HttpResponse:
    try:
        if defining.take_out(held, by=request.membership, now=request.now):
            messages.success(request, f"{held.name} restored")
    except CannotPlan as refusal:
        messages.error(request, str(refusal))
    return redirect("plan_settings:overview", request.tenant.slug)


def _saved(request: WorkspaceRequest, name: str) -> HttpResponse:
    messages.success(request, f"{name} saved")
    return go_to(request, reverse("plan_settings:overview", args=[request.tenant.slug]))
