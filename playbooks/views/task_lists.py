"""CTA playbooks themselves: a page each, and a simple editor."""

from typing import Any

from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_safe

from actions.base import Audience
from actions.checks import form_of, read_config
from actions.people import role_words
from actions.registry import action_for
from actions.widgets import is_at_work
from cs_platform.tenancy.roles import Ability
from cs_platform.web.pages import WorkspaceRequest, go_to, render_page, requires
from ctas.lists import Kind, current_lists
from playbooks.definition import TASKS_ACTION, DefinitionErrors
from playbooks.drafts import free_key, open_draft
from playbooks.forms import TaskListForm
from playbooks.library import Counts, count_enrollments
from playbooks.models import Playbook
from playbooks.versions import exported, import_playbook, set_live

FRAGMENTS = {"task-list": "playbooks/_task_list_form.html"}


def task_list_or_404(pk: int) -> Playbook:
    found = Playbook.objects.filter(audience=Playbook.Audience.CTAS).select_related("version", "tenant", "created_by")
    return get_object_or_404(found, pk=pk)


@require_safe
@requires(Ability.READ)
def task_list(request: WorkspaceRequest, slug: str, pk: int) -> HttpResponse:
    playbook = task_list_or_404(pk)
    said = _said(playbook)
    lists = current_lists()
    context = {
        "playbook": playbook,
        "types": [lists.find(Kind.TYPE, one).name for one in said["types"]],
        "tasks": [
            (task, _owner(task["owner"]), _owner(task["fallback_owner"]))
            for task in sorted(said["tasks"], key=lambda task: task["day"])
        ],
        "said": said,
        "counts": count_enrollments([pk]).get(pk, Counts()),
        "versions": playbook.versions.select_related("published_by").order_by("-number")[:20],
    }
    return render_page(
        request, "playbooks/task_list.html", context, fragments={"playbooks": "playbooks/_task_list.html"}
    )


def _owner(role: str) -> str:
    return role_words(role) if role else "the CTA’s owner"


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Ability.READ, to_post=Ability.PUBLISH_PLAYBOOKS)
def edit(request: WorkspaceRequest, slug: str, pk: int | None = None) -> HttpResponse:
    """Saving publishes: CTAs that have it keep their tasks, the next ones get the new list."""
    playbook = task_list_or_404(pk) if pk else None
    if request.method != "POST":
        return _page(request, playbook, said=_said(playbook) if playbook else {}, judged=False)
    config = read_config(action_for(TASKS_ACTION), request.POST, audience=Audience.CTAS)
    form = TaskListForm(request.POST)
    is_sound = form.is_valid()
    said = {**{name: form.cleaned_data.get(name, request.POST.get(name)) for name in form.fields}, **config}
    if is_at_work(request.POST) or not is_sound:
        return _page(request, playbook, said=said, judged=not is_at_work(request.POST), form=form)
    try:
        saved = _save(request, playbook, said)
    except DefinitionErrors:
        return _page(request, playbook, said=said, judged=True, form=form)
    return go_to(request, reverse("playbooks:task_list", args=[slug, saved.pk]))


def _said(playbook: Playbook) -> dict[str, Any]:
    """What is being drafted, as an import leaves it, else what is published."""
    version = open_draft(playbook) or playbook.version
    return {"types": [], "tasks": [], **(exported(playbook, version) if version else {})}


def _save(request: WorkspaceRequest, playbook: Playbook | None, said: dict[str, Any]) -> Playbook:
    key = playbook.key if playbook else free_key(said["name"])
    data = {"key": key, "audience": Audience.CTAS.value, **said}
    saved = import_playbook(data, by=request.membership, now=request.now)
    set_live(saved, by=request.membership, now=request.now)
    return saved


def _page(
    request: WorkspaceRequest,
    playbook: Playbook | None,
    *,
    said: dict[str, Any],
    judged: bool,
    form: TaskListForm | None = None,
) -> HttpResponse:
    said = said or {"tasks": [{"day": 1}], "skip_weekends": True}
    config = {name: said.get(name) for name in ("tasks", "skip_weekends")}
    context = {
        "playbook": playbook,
        "form": form if judged and form else TaskListForm(initial=said),
        "tasks": form_of(action_for(TASKS_ACTION), config, audience=Audience.CTAS, judged=judged),
    }
    return render_page(
        request, "playbooks/task_list_form.html", context, fragments=FRAGMENTS, status=422 if judged else 200
    )
