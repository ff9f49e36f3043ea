"""One plan: its page in four parts, and what is done with it as a whole."""

from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.actors import load_actors
from accounts.models import TimelineEntry
from accounts.places import Place, older_than
from cs_platform.tenancy.roles import Ability
from cs_platform.web.attachments import load_files, take_files
from cs_platform.web.comments import NOTHING_SAID, load_discussion, said
from cs_platform.web.drawers import render_beside
from cs_platform.web.pages import WorkspaceRequest, requires
from ctas.own_days import own_days
from success_plans import guests, planning
from success_plans.custom_fields import laid_out
from success_plans.forms import ClosePlanForm, PlanForm, StakeholderForm, show_refusal
from success_plans.gantt import ObjectiveRow, Scale, draw
from success_plans.models import Objective, Stakeholder, SuccessPlan
from success_plans.objectives import Line, by_category, load_lines
from success_plans.planning import CannotPlan, OpenObjectives, open_objectives
from success_plans.progress import NOTHING, load_progress, standing
from success_plans.views.loading import BEATEN, dialog, plan_or_404, told, with_one_more

FRAGMENTS = {"plan": "plans/_plan.html", "older": "plans/_timeline.html"}
TABS = {"objectives": "Objectives", "gantt": "Gantt", "info": "Plan info", "timeline": "Timeline"}
ENTRIES = 30
MOST_DIGITS = 18


@require_safe
@requires(Ability.READ)
def plan_page(request: WorkspaceRequest, slug: str, pk: int) -> HttpResponse:
    plan = plan_or_404(pk, archived=True)
    return render_beside(request, "plans/plan.html", lambda: _page(request, plan), fragments=FRAGMENTS)


def _page(request: WorkspaceRequest, plan: SuccessPlan) -> dict[str, Any]:
    today = timezone.localdate(request.now)
    tab = request.GET.get("tab", "")
    tab = tab if tab in TABS else "objectives"
    lines = load_lines(plan, today=today)
    progress = load_progress([plan.pk]).get(plan.pk, NOTHING)
    return {
        "plan": plan,
        "progress": progress,
        "standing": standing(plan, progress, today=today),
        "lines": lines,
        "next": _next_line(lines),
        "warnings": sum(bool(line.warnings) for line in lines),
        "stakeholders": plan.stakeholders.select_related("end_user").order_by("pk"),
        "links": plan.links.usable(request.now).count(),
        "tab": tab,
        "tabs": TABS.items(),
        "may_work": request.membership.can(Ability.WORK_CTAS) and plan.archived_at is None,
        "beside": with_one_more(request),
        **PARTS[tab](request, plan, lines, progress),
    }


def _next_line(lines: list[Line]) -> Line | None:
    dated = [line for line in lines if line.is_open and line.cta.due_on]
    return min(dated, key=lambda line: line.cta.due_on) if dated else None  # type: ignore[arg-type,return-value]


def _objectives(request: WorkspaceRequest, plan: SuccessPlan, lines: list[Line], progress: Any) -> dict[str, Any]:
    days = own_days(request.tenant, now=request.now)
    tasks = [task for line in lines for task in line.tasks]
    late = {task.pk for task in tasks if task.due_on and task.due_on < days.of(task.owner_id)}
    return {"categories": by_category(lines, plan.type.categories), "last": len(lines) - 1, "late_tasks": late}


def _gantt(request: WorkspaceRequest, plan: SuccessPlan, lines: list[Line], progress: Any) -> dict[str, Any]:
    scale = Scale.MONTHS if request.GET.get("scale") == Scale.MONTHS else Scale.WEEKS
    today = timezone.localdate(request.now)
    chart = draw(plan, lines, percent=progress.percent, today=today, scale=scale)
    every = {row.line.objective.pk for row in chart.rows if row.tasks}
    asked = {int(pk) for pk in request.GET.getlist("fold") if pk.isdecimal() and len(pk) <= MOST_DIGITS}
    folded = every if request.GET.get("tasks") == "hidden" else every & asked
    rows = [(row, row.line.objective.pk in folded, _folding(scale, folded, row)) for row in chart.rows]
    return {"chart": chart, "rows": rows, "scale": scale, "collapsed": bool(every) and folded == every}


def _folding(scale: Scale, folded: set[int], row: ObjectiveRow) -> str:
    """Where its tasks are hidden, or shown again."""
    if not row.tasks:
        return ""
    pks = sorted(folded ^ {row.line.objective.pk})
    return "?" + urlencode([("tab", "gantt"), ("scale", scale), *(("fold", pk) for pk in pks)])


def _info(request: WorkspaceRequest, plan: SuccessPlan, lines: list[Line], progress: Any) -> dict[str, Any]:
    made_by = load_actors({plan.created_by})[plan.created_by]
    may_add = request.membership.can(Ability.WORK_CTAS) and plan.archived_at is None
    add = reverse("plans:attach", args=[request.tenant.slug, plan.pk]) if may_add else ""
    return {
        "groups": laid_out(plan.type.fields, plan.values),
        "created_by": made_by,
        "files": load_files(plan.subject, add=add),
    }


def _timeline(request: WorkspaceRequest, plan: SuccessPlan, lines: list[Line], progress: Any) -> dict[str, Any]:
    """What happened to the plan and to what is in it now; what was said stands beside it."""
    subjects = [plan.subject, *(f"cta:{line.cta.pk}" for line in lines)]
    subjects += [f"task:{task.pk}" for line in lines for task in line.tasks]
    entries = TimelineEntry.objects.filter(account=plan.account_id, subject__in=subjects)
    after = Place.read(request.GET.get("older", ""))
    found = list((entries.filter(older_than(after)) if after else entries).order_by("-at", "-pk")[: ENTRIES + 1])
    actors = load_actors({one.actor for one in found})
    answers = reverse("plans:answer", args=[request.tenant.slug, plan.pk])
    return {
        "may_not_answer": not request.membership.can(Ability.WORK_CTAS),
        "customer": load_discussion(guests.thread_of(plan), say=answers),
        "is_open": plan.links.usable(request.now).filter(parts__contains=[guests.ACT]).exists(),
        "entries": [(one, actors[one.actor]) for one in found[:ENTRIES]],
        "older": Place(found[ENTRIES - 1].at, found[ENTRIES - 1].pk) if len(found) > ENTRIES else None,
        "discussion": load_discussion(plan.subject, say=reverse("plans:comment", args=[request.tenant.slug, plan.pk])),
    }


PARTS: dict[str, Callable[..., dict[str, Any]]] = {
    "objectives": _objectives,
    "gantt": _gantt,
    "info": _info,
    "timeline": _timeline,
}


# --- changing what it says --------------------------------------------------------------------------------------------


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Ability.WORK_CTAS)
def edit_plan(request: WorkspaceRequest, slug: str, pk: int) -> HttpResponse:
    plan = plan_or_404(pk)
    form = PlanForm(request.POST if request.method == "POST" else None, plan=plan)
    if form.is_valid():
        try:
            acted = planning.edit_plan(plan, by=request.membership, now=request.now, **form.changes())
            return told(request, plan, f"Saved: {plan.name}" if acted else "Nothing changed")
        except CannotPlan as refusal:
            show_refusal(form, refusal)
    return dialog(request, "plans/_edit_dialog.html", {"plan": plan, "title": "Edit plan"}, form=form)


@require_POST
@requires(Ability.COMMENT)
def comment(request: WorkspaceRequest, slug: str, pk: int) -> HttpResponse:
    plan, body = plan_or_404(pk), said(request)
    if body is None:
        return told(request, plan, NOTHING_SAID, refused=True)
    planning.comment_on(plan, body=body, by=request.membership, now=request.now)
    return told(request, plan, "Comment added")


@require_POST
@requires(Ability.WORK_CTAS)
def answer(request: WorkspaceRequest, slug: str, pk: int) -> HttpResponse:
    """To the customer: it stands on the shared page."""
    plan, body = plan_or_404(pk), said(request)
    if body is None:
        return told(request, plan, NOTHING_SAID, refused=True)
    guests.answer(plan, body=body, by=request.membership, now=request.now)
    return told(request, plan, "Written to the customer")


@require_POST
@requires(Ability.WORK_CTAS)
def attach(request: WorkspaceRequest, slug: str, pk: int) -> HttpResponse:
    return take_files(request, plan_or_404(pk).subject)


# --- its life ---------------------------------------------------------------------------------------------------------


@require_POST
@requires(Ability.WORK_CTAS)
def activate(request: WorkspaceRequest, slug: str, pk: int) -> HttpResponse:
    return _turn(request, pk, planning.activate, "Plan begun: {}", undo="plans:withdraw")


@require_POST
@requires(Ability.WORK_CTAS)
def withdraw(request: WorkspaceRequest, slug: str, pk: int) -> HttpResponse:
    return _turn(request, pk, planning.withdraw, "A draft again: {}", undo="plans:activate")


@require_POST
@requires(Ability.WORK_CTAS)
def reopen(request: WorkspaceRequest, slug: str, pk: int) -> HttpResponse:
    return _turn(request, pk, planning.reopen_plan, "Plan reopened: {}")


@require_POST
@requires(Ability.WORK_CTAS)
def archive(request: WorkspaceRequest, slug: str, pk: int) -> HttpResponse:
    return _turn(request, pk, planning.archive_plan, "Plan archived: {}", undo="plans:restore")


@require_POST
@requires(Ability.WORK_CTAS)
def restore(request: WorkspaceRequest, slug: str, pk: int) -> HttpResponse:
    return _turn(request, pk, planning.restore_plan, "Plan restored: {}", archived=True)


def _turn(
    request: WorkspaceRequest, pk: int, verb: Any, words: str, *, undo: str = "", archived: bool = False
) -> HttpResponse:
    plan = plan_or_404(pk, archived=archived)
    acted = verb(plan, by=request.membership, now=request.now)
    way_back = reverse(undo, args=[request.tenant.slug, pk]) if acted and undo else None
    return told(request, plan, words.format(plan.name) if acted else BEATEN, undo=way_back)


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Ability.WORK_CTAS)
def close(request: WorkspaceRequest, slug: str, pk: int) -> HttpResponse:
    """Closing asks what becomes of objectives that are still open."""
    plan = plan_or_404(pk)
    form = ClosePlanForm(request.POST if request.method == "POST" else None)
    if not form.is_valid():
        context = {"plan": plan, "open": list(open_objectives(plan)), "title": "Close plan"}
        return dialog(request, "plans/_close_dialog.html", context, form=form)
    choice, outcome = OpenObjectives(form.cleaned_data["objectives"]), form.cleaned_data["outcome"] or "won"
    acted = planning.close_plan(plan, objectives=choice, outcome=outcome, by=request.membership, now=request.now)
    undo = reverse("plans:reopen", args=[slug, pk]) if acted else None
    return told(request, plan, f"Plan closed: {plan.name}" if acted else BEATEN, undo=undo)


# --- people -----------------------------------------------------------------------------------------------------------


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Ability.WORK_CTAS)
def new_stakeholder(request: WorkspaceRequest, slug: str, pk: int) -> HttpResponse:
    plan = plan_or_404(pk)
    form = StakeholderForm(request.POST if request.method == "POST" else None, plan=plan)
    if form.is_valid():
        try:
            added = planning.add_stakeholder(plan, **form.cleaned_data, by=request.membership, now=request.now)
            return told(request, plan, f"Stakeholder added: {added.name}")
        except CannotPlan as refusal:
            show_refusal(form, refusal)
    return dialog(request, "plans/_stakeholder_dialog.html", {"plan": plan, "title": "Add stakeholder"}, form=form)


@require_POST
@requires(Ability.WORK_CTAS)
def remove_stakeholder(request: WorkspaceRequest, slug: str, pk: int) -> HttpResponse:
    rows = Stakeholder.objects.filter(plan__archived_at=None).select_related("plan")
    stakeholder = get_object_or_404(rows, pk=pk)
    acted = planning.remove_stakeholder(stakeholder, by=request.membership, now=request.now)
    return told(request, stakeholder.plan, f"Stakeholder removed: {stakeholder.name}" if acted else BEATEN)


def objectives_of(plan: SuccessPlan) -> Any:
    rows = Objective.objects.filter(plan=plan, cta__archived_at=None)
    return rows.select_related("cta").order_by("position", "pk")
