"""The drawer of one CTA, and what a person does in it with one click."""

from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from accounts.actors import load_actors
from accounts.health.reading import change_of
from accounts.places import Place
from cs_platform.tenancy.roles import Ability
from cs_platform.web.attachments import load_files
from cs_platform.web.comments import load_discussion
from cs_platform.web.drawers import Fragment, page_address
from cs_platform.web.pages import (
    WorkspaceRequest,
    close_drawer,
    render_page,
    requires,
    target_id,
    toast,
    trigger,
)
from ctas.forms import EditCtaForm, account_users
from ctas.lists import current_lists
from ctas.models import CLOSED, Cta, Task
from ctas.own_days import own_days
from ctas.panels import drawer_parts
from ctas.timeline import load_timeline
from ctas.working import (
    CannotWork,
    close_cta,
    complete_task,
    linked_users,
    missing_to_close,
    missing_words,
)

CHANGED = "account:changed"  # the account's page and this drawer reload what they show
BEATEN = "Somebody changed it before you"
USERS_OFFERED = 200


def cta_or_404(pk: int) -> Cta:
    return get_object_or_404(Cta.objects.present().select_related("account", "owner", "end_user", "recurrence"), pk=pk)


def task_or_404(pk: int) -> Task:
    return get_object_or_404(Task.objects.present().select_related("cta", "owner"), pk=pk, cta__archived_at=None)


@require_safe
@requires(Ability.READ)
def cta_page(request: WorkspaceRequest, slug: str, pk: int) -> HttpResponse:
    """As a page of its own it is the account's, with the drawer open."""
    if target_id(request) is None:
        return HttpResponseRedirect(address_of(request, cta_or_404(pk)))
    fragment = drawer(request, pk)
    return render_page(request, fragment.template, fragment.context)


def drawer(request: WorkspaceRequest, pk: int) -> Fragment:
    cta, lists = cta_or_404(pk), current_lists()
    days = own_days(request.tenant, now=request.now)
    actors = load_actors({cta.created_by, cta.closed_by})
    tasks = _tasks(cta)
    context = {
        "cta": cta,
        "today": days.of(cta.owner_id),
        "health_delta": change_of(cta.account, days.here),
        "late_tasks": {task.pk for task in tasks if task.due_on and task.due_on < days.of(task.owner_id)},
        "stages": lists.stages("open", *CLOSED),
        "form": EditCtaForm(None, cta=cta, only=["due_on", "owner", "priority", "reason", "type"]),
        "parts": list(drawer_parts(request, cta)),
        "is_workable": cta.status in (Cta.Status.OPEN, Cta.Status.DRAFT),
        "tasks": tasks,
        "tasks_done": sum(task.status == Task.Status.DONE for task in tasks),
        "discussion": load_discussion(cta.subject, say=reverse("ctas:comment", args=[request.tenant.slug, pk])),
        "files": load_files(cta.subject, add=_where_to_add(request, cta)),
        "linked_users": linked_users(cta),
        "users_offered": account_users(cta).order_by("name", "pk")[:USERS_OFFERED],
        "created_by": actors[cta.created_by],
        "closed_by": actors[cta.closed_by],
        "missing": missing_words(missing_to_close(cta, lists=lists)) if cta.status in CLOSED else "",
        "timeline": load_timeline(cta, today=days.of(cta.owner_id), lists=lists),
        "link": request.build_absolute_uri(cta.get_absolute_url()),
        "here": page_address(request, cta=pk),
        "close": page_address(request),
    }
    return Fragment("ctas/_drawer.html", context)


def _tasks(cta: Cta) -> list[Task]:
    return list(cta.tasks.filter(archived_at=None).select_related("owner").order_by("position", "pk"))


def _where_to_add(request: WorkspaceRequest, cta: Cta) -> str:
    may = request.membership.can(Ability.WORK_CTAS)
    return reverse("ctas:attach", args=[request.tenant.slug, cta.pk]) if may else ""


def address_of(request: WorkspaceRequest, cta: Cta) -> str:
    return f"{reverse('accounts:detail', args=[request.tenant.slug, cta.account_id])}?cta={cta.pk}"


@require_safe
@requires(Ability.READ)
def timeline(request: WorkspaceRequest, slug: str, pk: int) -> HttpResponse:
    """From a place on; as a page of its own without scripts."""
    cta, after = cta_or_404(pk), Place.read(request.GET.get("older", ""))
    found = load_timeline(cta, after=after, today=timezone.localdate(request.now), lists=current_lists())
    context = {"cta": cta, "timeline": found}
    return render_page(request, "ctas/timeline.html", context, fragments={"cta-older": "ctas/_timeline.html"})


@require_POST
@requires(Ability.WORK_CTAS)
def put_away(request: WorkspaceRequest, slug: str, pk: int, verb: str) -> HttpResponse:
    """Archived with its tasks: it leaves every list, and comes back with one click."""
    if verb == "restore":
        cta = get_object_or_404(Cta, pk=pk)
        acted = cta.restore(by=request.membership, now=request.now)
        return answer(request, cta, f"Back again: {cta.name}" if acted else BEATEN)
    cta = cta_or_404(pk)
    acted = cta.archive(by=request.membership, now=request.now)
    if request.headers.get("HX-Request") != "true":
        messages.success(request, f"Archived: {cta.name}")
        return HttpResponseRedirect(reverse("ctas:cockpit", args=[slug]))
    undo = reverse("ctas:put_away", args=[slug, pk, "restore"]) if acted else None
    closed = close_drawer(HttpResponse(status=204))  # first: a drawer that is shown anew would not find it any more
    return trigger(toast(closed, f"Archived: {cta.name}" if acted else BEATEN, undo=undo), CHANGED, {})


@require_POST
@requires(Ability.WORK_CTAS)
def close(request: WorkspaceRequest, slug: str, pk: int, status: str) -> HttpResponse:
    cta = cta_or_404(pk)
    today = timezone.localdate(request.now)
    try:
        acted = close_cta(cta, stage=status, today=today, by=request.membership, now=request.now)
    except CannotWork as refusal:
        return answer(request, cta, str(refusal), refused=True)
    undo = reverse("ctas:reopen", args=[slug, pk])
    if not acted:
        return answer(request, cta, BEATEN)
    return answer(request, cta, f"{cta.get_status_display()}: {cta.name}", undo=undo)


@require_POST
@requires(Ability.WORK_CTAS)
def reopen(request: WorkspaceRequest, slug: str, pk: int) -> HttpResponse:
    cta = cta_or_404(pk)
    acted = cta.reopen_with_tasks(by=request.membership, now=request.now)
    return answer(request, cta, f"Reopened: {cta.name}" if acted else BEATEN)


@require_POST
@requires(Ability.WORK_CTAS)
def tick(request: WorkspaceRequest, slug: str, pk: int, verb: str) -> HttpResponse:
    """Ticking a task never navigates. Whether its CTA is done is asked after the last one."""
    task = task_or_404(pk)
    if verb == "reopen":
        acted = task.reopen(by=request.membership, now=request.now)
        return answer(request, task.cta, "Task open again" if acted else BEATEN)
    done = complete_task(task, today=timezone.localdate(request.now), by=request.membership, now=request.now)
    if done.closed:
        undo = reverse("ctas:reopen", args=[slug, task.cta_id])
        return answer(request, task.cta, f"Task done, and with it {task.cta.name}", undo=undo)
    response = answer(request, task.cta, "Task done" if done.acted else BEATEN)
    return ask(request, response, reverse("ctas:finish", args=[slug, task.cta_id])) if done.asks else response


def ask(request: WorkspaceRequest, response: HttpResponse, address: str) -> HttpResponse:
    """What was done is said, and then a dialog asks."""
    if request.headers.get("HX-Request") != "true":
        return HttpResponseRedirect(address)
    return trigger(response, "dialog:ask", {"address": address})


def answer(
    request: WorkspaceRequest, cta: Cta, text: str, *, undo: str | None = None, refused: bool = False
) -> HttpResponse:
    """What was done, or why not: pages reload what they show, or without scripts the drawer opens again."""
    if request.headers.get("HX-Request") == "true":
        return trigger(toast(HttpResponse(status=204), text, undo=undo), CHANGED, {})
    (messages.error if refused else messages.success)(request, text)
    return HttpResponseRedirect(address_of(request, cta))
