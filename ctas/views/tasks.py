"""Tasks in a CTA's drawer: adding, editing where they stand, their order, leaving."""

from django.http import HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST

from cs_platform.tenancy.roles import Ability
from cs_platform.web.pages import WorkspaceRequest, render_page, requires, target_id
from ctas.forms import DueForm, TaskForm, first_errors
from ctas.models import Task
from ctas.views.drawer import BEATEN, answer, cta_or_404, task_or_404
from ctas.working import add_task, edit_task, move_task, order_tasks

MOST_TASKS = 500


@require_POST
@requires(Ability.WORK_CTAS)
def add(request: WorkspaceRequest, slug: str, pk: int) -> HttpResponse:
    cta = cta_or_404(pk)
    form = TaskForm(request.POST, tenant_id=request.tenant.pk)
    if not form.is_valid():
        return answer(request, cta, " ".join(first_errors(form)), refused=True)
    facts = form.cleaned_data | {"owner": form.cleaned_data["owner"] or cta.owner}
    task = add_task(cta, **facts, by=request.membership, now=request.now)
    return answer(request, cta, f"Task added: {task.title}")


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Ability.WORK_CTAS)
def edit(request: WorkspaceRequest, slug: str, pk: int) -> HttpResponse:
    task = task_or_404(pk)
    form = TaskForm(request.POST if request.method == "POST" else None, tenant_id=request.tenant.pk, task=task)
    if request.method != "POST" or not form.is_valid():
        place = target_id(request) or ""
        place = place if place in (f"task-{pk}-form", f"task-{pk}-row") else f"task-{pk}-form"
        context = {"task": task, "cta": task.cta, "form": form, "address": request.path, "place": place}
        fragments, code = {place: "ctas/_cell.html"}, 422 if form.is_bound else 200
        return render_page(request, "ctas/cell.html", context, fragments=fragments, status=code)
    acted = edit_task(task, by=request.membership, now=request.now, **form.cleaned_data)
    return answer(request, task.cta, f"Saved: {task.title}" if acted else "Nothing changed")


@require_POST
@requires(Ability.WORK_CTAS)
def due(request: WorkspaceRequest, slug: str, pk: int) -> HttpResponse:
    """Put on another day of the calendar."""
    task = task_or_404(pk)
    form = DueForm(request.POST)
    if not form.is_valid():
        return answer(request, task.cta, " ".join(first_errors(form)), refused=True)
    acted = task.edit(due_on=form.cleaned_data["due_on"], by=request.membership, now=request.now)
    return answer(request, task.cta, f"Saved: {task.title}" if acted else "Nothing changed")


@require_POST
@requires(Ability.WORK_CTAS)
def move(request: WorkspaceRequest, slug: str, pk: int, way: str) -> HttpResponse:
    task = task_or_404(pk)
    acted = move_task(task, up=way == "up", by=request.membership, now=request.now)
    return answer(request, task.cta, "Task moved" if acted else "It stands at the end already")


@require_POST
@requires(Ability.WORK_CTAS)
def order(request: WorkspaceRequest, slug: str, pk: int) -> HttpResponse:
    """`task` for each, in their new order."""
    cta = cta_or_404(pk)
    ids = [int(text) for text in request.POST.getlist("task")[:MOST_TASKS] if text.isdecimal() and len(text) < 19]
    acted = order_tasks(cta, ids, by=request.membership, now=request.now)
    return answer(request, cta, "Tasks put in order" if acted else "Nothing changed")


@require_POST
@requires(Ability.WORK_CTAS)
def switch(request: WorkspaceRequest, slug: str, pk: int, verb: str) -> HttpResponse:
    """Cancel or archive one; both can be taken back."""
    task = Task.objects.select_related("cta").filter(pk=pk, cta__archived_at=None).first() or task_or_404(pk)
    acts = {"cancel": task.cancel, "archive": task.archive, "restore": task.restore}
    acted = acts[verb](by=request.membership, now=request.now)
    words = {"cancel": "Task cancelled", "archive": "Task removed", "restore": "Task is back"}
    back = {"cancel": ("ctas:tick", "reopen"), "archive": ("ctas:switch_task", "restore")}.get(verb)
    undo = reverse(back[0], args=[slug, pk, back[1]]) if acted and back else None
    return answer(request, task.cta, words[verb] if acted else BEATEN, undo=undo)
