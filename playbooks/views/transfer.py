"""Playbooks as files: export, and import with a plan of what would change."""

import json
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_safe

from cs_platform.tenancy.roles import Ability
from cs_platform.web.pages import WorkspaceRequest, go_to, render_page, requires
from playbooks import transfer
from playbooks.definition import DefinitionErrors
from playbooks.drafts import open_draft
from playbooks.versions import NotPossible, exported
from playbooks.views.loading import playbook_or_404

FILE_LIMIT = 2_000_000


@require_safe
@requires(Ability.READ)
def export(request: WorkspaceRequest, slug: str, pk: int) -> HttpResponse:
    """What is published, else the draft, as a file that import reads."""
    playbook = playbook_or_404(pk)
    version = playbook.version or open_draft(playbook)
    if version is None:
        raise Http404("This playbook says nothing yet.")
    text = json.dumps(exported(playbook, version), indent=2, ensure_ascii=False) + "\n"
    name = f'attachment; filename="{playbook.key}.json"'
    return HttpResponse(text, content_type="application/json", headers={"Content-Disposition": name})


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Ability.DRAFT_PLAYBOOKS)
def import_playbooks(request: WorkspaceRequest, slug: str) -> HttpResponse:
    if request.method != "POST":
        return render_page(request, "playbooks/import.html", {})
    text = _text(request)
    try:
        found = transfer.read_file(text)
    except transfer.Unreadable as refusal:
        return _page(request, text, refusal=str(refusal))
    if request.POST.get("step") != "import":
        return _page(request, text, planned=transfer.plan_import(found))
    try:
        made = transfer.import_all(found, by=request.membership, now=request.now)
    except (DefinitionErrors, NotPossible):
        return _page(request, text, planned=transfer.plan_import(found))
    messages.success(request, f"{made[0].name} imported" if len(made) == 1 else f"{len(made)} playbooks imported")
    return go_to(request, reverse("playbooks:list", args=[slug]) + "?tab=drafts")


def _text(request: WorkspaceRequest) -> str:
    """A file that was chosen goes before what stands in the field."""
    file = request.FILES.get("file")
    if file is None or file.size is None or file.size > FILE_LIMIT:
        return request.POST.get("text", "")[:FILE_LIMIT]
    return file.read().decode("utf-8-sig", errors="replace")  # type: ignore[no-any-return]


def _page(
    request: WorkspaceRequest, text: str, *, planned: list[transfer.Planned] | None = None, **more: Any
) -> HttpResponse:
    may_import = bool(planned) and all(one.change != transfer.WRONG for one in planned or ())
    context = {"text": text, "planned": planned, "may_import": may_import, **more}
    return render_page(request, "playbooks/import.html", context, status=200 if may_import else 422)
