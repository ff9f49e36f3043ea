"""Objectives of a plan: adding, changing, moving in the list and in time; CTAs that join and leave."""

from collections.abc import Mapping
from functools import partial
from typing import Any
from urllib.parse import urlencode

from django.db import transaction
from django.http import HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST

from cs_platform.tenancy.roles import Ability
from cs_platform.web.pages import WorkspaceRequest, requires
from ctas.forms import first_errors
from ctas.models import Cta
from ctas.views.drawer import ask, cta_or_404
from ctas.views.work import following
from ctas.working import edit_cta
from success_plans import guests, planning, scheduling
from success_plans.forms import GiveForm, JoinForm, ObjectiveForm, ScheduleForm, show_refusal
from success_plans.models import Objective, SuccessPlan
from success_plans.planning import CannotPlan
from success_plans.views.loading import BEATEN, dialog, objective_or_404, plan_or_404, told
from success_plans.views.plan import objectives_of

OF_CTA = ("name", "owner", "due_on", "comment")
OF_PLACE = ("category", "weight", "start_on")


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Ability.WORK_CTAS)
def new_objective(request: WorkspaceRequest, slug: str, pk: int) -> HttpResponse:
    plan = plan_or_404(pk)
    initial = {"owner": plan.owner_id, "due_on": plan.due_on}
    form = ObjectiveForm(_data(request), others=objectives_of(plan), initial=initial)
    if form.is_valid():
        try:
            objective = _added(request, plan, form)
            return told(request, plan, f"Objective added: {objective.cta.name}")
        except CannotPlan as refusal:
            show_refusal(form, refusal)
    return dialog(request, "plans/_objective_dialog.html", {"plan": plan, "title": "Add objective"}, form=form)


def _added(request: WorkspaceRequest, plan: SuccessPlan, form: ObjectiveForm) -> Objective:
    facts = {name: form.cleaned_data[name] for name in (*OF_CTA, *OF_PLACE)}
    by: dict[str, Any] = {"by": request.membership, "now": request.now}
    with transaction.atomic():
        objective = planning.add_objective(plan, **facts, **by)
        if form.needed:
            scheduling.set_needs(objective, form.needed, **by)
        return objective


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Ability.WORK_CTAS)
def edit_objective(request: WorkspaceRequest, slug: str, pk: int) -> HttpResponse:
    objective = objective_or_404(pk)
    plan, cta = objective.plan, objective.cta
    needs = scheduling.needs_of(plan.pk)[objective.pk]
    held = {name: getattr(cta, name) for name in OF_CTA} | {name: getattr(objective, name) for name in OF_PLACE}
    others = objectives_of(plan).exclude(pk=objective.pk)
    initial = held | {"owner": cta.owner_id, "needs": [str(one) for one in needs]}
    form = ObjectiveForm(_data(request), others=others, initial=initial)
    if form.is_valid():
        try:
            _edited(request, objective, form)
            return _offer_tasks(request, told(request, plan, f"Saved: {objective.cta.name}"), objective, held)
        except CannotPlan as refusal:
            show_refusal(form, refusal)
    context = {"plan": plan, "objective": objective, "title": "Edit objective"}
    return dialog(request, "plans/_objective_dialog.html", context, form=form)


def _edited(request: WorkspaceRequest, objective: Objective, form: ObjectiveForm) -> None:
    by: dict[str, Any] = {"by": request.membership, "now": request.now}
    with transaction.atomic():
        edit = objective.cta.edit if objective.cta.status == Cta.Status.DRAFT else partial(edit_cta, objective.cta)
        edit(**{name: form.cleaned_data[name] for name in OF_CTA}, **by)
        scheduling.change_place(objective, **{name: form.cleaned_data[name] for name in OF_PLACE}, **by)
        scheduling.set_needs(objective, form.needed, **by)


@require_POST
@requires(Ability.WORK_CTAS)
def schedule(request: WorkspaceRequest, slug: str, pk: int) -> HttpResponse:
    """One end or both; what is not sent stays. A bar that was moved, or a date that was typed: then its open tasks are
    offered to come along.
    """
    objective = objective_or_404(pk)
    start_on, was = objective.start_on, {"due_on": objective.cta.due_on, "owner": objective.cta.owner}
    form = ScheduleForm(request.POST)
    if not form.is_valid():
        return told(request, objective.plan, " ".join(first_errors(form)), refused=True)
    sent = {name: form.cleaned_data[name] for name in form.fields if name in request.POST}
    ends = {"start_on": objective.start_on, "due_on": objective.cta.due_on} | sent
    try:
        acted = scheduling.reschedule(objective, **ends, by=request.membership, now=request.now)
    except CannotPlan as refusal:
        return told(request, objective.plan, str(refusal), refused=True)
    answer = told(request, objective.plan, f"Saved: {objective.cta.name}" if acted else "Nothing changed")
    only_its_end = "start_on" in sent and objective.start_on == start_on
    return answer if only_its_end or not acted else _offer_tasks(request, answer, objective, was)


def _offer_tasks(
    request: WorkspaceRequest, answer: HttpResponse, objective: Objective, was: Mapping[str, Any]
) -> HttpResponse:
    """As in the cockpit, where a CTA becomes due on another day or somebody else's."""
    address = following(request, objective.cta, was)
    return ask(request, answer, address) if address else answer


@require_POST
@requires(Ability.WORK_CTAS)
def schedule_plan(request: WorkspaceRequest, slug: str, pk: int) -> HttpResponse:
    plan, form = plan_or_404(pk), ScheduleForm(request.POST)
    if not form.is_valid():
        return told(request, plan, " ".join(first_errors(form)), refused=True)
    sent = {name: form.cleaned_data[name] for name in form.fields if name in request.POST}
    try:
        acted = planning.edit_plan(plan, **sent, by=request.membership, now=request.now)
    except CannotPlan as refusal:
        return told(request, plan, str(refusal), refused=True)
    return told(request, plan, f"Saved: {plan.name}" if acted else "Nothing changed")


@require_POST
@requires(Ability.WORK_CTAS)
def move(request: WorkspaceRequest, slug: str, pk: int, way: str) -> HttpResponse:
    objective = objective_or_404(pk)
    order = list(objectives_of(objective.plan).values_list("pk", flat=True))
    to = order.index(objective.pk) + (1 if way == "down" else -1)
    acted = scheduling.move(objective, to=max(to, 0), by=request.membership, now=request.now)
    return told(request, objective.plan, f"Moved {way}: {objective.cta.name}" if acted else "Nothing changed")


# --- CTAs that join and leave -----------------------------------------------------------------------------------------


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Ability.WORK_CTAS)
def join(request: WorkspaceRequest, slug: str, pk: int) -> HttpResponse:
    """From the plan: one of the account's CTAs."""
    plan = plan_or_404(pk)
    form = JoinForm(_data(request), plan=plan)
    if form.is_valid():
        try:
            joined = planning.join_plan(plan, **form.cleaned_data, by=request.membership, now=request.now)
            return told(request, plan, f"Joined: {joined.cta.name}")
        except CannotPlan as refusal:
            show_refusal(form, refusal)
    return dialog(request, "plans/_join_dialog.html", {"plan": plan, "title": "Take in a CTA"}, form=form)


@require_POST
@requires(Ability.WORK_CTAS)
def join_from_cta(request: WorkspaceRequest, slug: str, pk: int) -> HttpResponse:
    """From the CTA: one of the account's plans. Undoing a leave names the old place in the address."""
    cta, before = cta_or_404(pk), request.GET
    plan = plan_or_404(_whole(request.POST.get("plan") or before.get("plan", "")))
    weight = min(_whole(before.get("weight", "")) or 1, 100)
    place = {"category": before.get("category", "").replace("\x00", "")[:100], "weight": weight}
    try:
        planning.join_plan(plan, cta, **place, by=request.membership, now=request.now)
    except CannotPlan as refusal:
        return told(request, plan, str(refusal), refused=True)
    return told(request, plan, f"{cta.name} joined {plan.name}")


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Ability.WORK_CTAS)
def give(request: WorkspaceRequest, slug: str, pk: int) -> HttpResponse:
    """Which tasks somebody at the customer does."""
    objective = objective_or_404(pk)
    plan, tasks = objective.plan, list(objective.cta.tasks.present().order_by("position", "pk"))
    people = list(plan.stakeholders.order_by("name", "pk"))
    form = GiveForm(_data(request), tasks=tasks, stakeholders=people)
    if form.is_valid():
        try:
            count = guests.give_tasks(objective, form.given, by=request.membership, now=request.now)
            return told(request, plan, "Saved" if count else "Nothing changed")
        except CannotPlan as refusal:
            form.add_error(None, str(refusal))
    context = {"plan": plan, "objective": objective, "people": people, "title": "Who at the customer does it"}
    return dialog(request, "plans/_give_dialog.html", context, form=form)


@require_POST
@requires(Ability.WORK_CTAS)
def leave(request: WorkspaceRequest, slug: str, pk: int) -> HttpResponse:
    objective = objective_or_404(pk)
    acted = planning.leave_plan(objective, by=request.membership, now=request.now)
    place = {"plan": objective.plan_id, "category": objective.category, "weight": objective.weight}
    undo = f"{reverse('plans:join_from_cta', args=[slug, objective.cta_id])}?{urlencode(place)}"
    words = f"Taken out of the plan: {objective.cta.name}" if acted else BEATEN
    return told(request, objective.plan, words, undo=undo if acted else None)


def _whole(text: str) -> int:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 19 else 0


def _data(request: WorkspaceRequest) -> Any:
    return request.POST if request.method == "POST" else None
