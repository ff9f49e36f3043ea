"""Files on any page: what its view loads and takes in, and giving them out again.

A page that has files includes `workspace/_attachments.html` and gives it what `load_files` returns; the view its form
posts to calls `take_files`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from django.contrib import messages
from django.http import Http404, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST, require_safe

from cs_platform.tenancy.roles import Ability
from cs_platform.web.comments import CHANGED
from cs_platform.web.pages import WorkspaceRequest, requires, toast, trigger
from cs_platform.workspace import attachments
from cs_platform.workspace.attachments import FileRefused
from cs_platform.workspace.comments import author_names
from cs_platform.workspace.file_types import TYPES
from cs_platform.workspace.models import Attachment

MOST_AT_ONCE = 10
ACCEPTED = ",".join(f".{ending}" for ending in TYPES)


@dataclass(frozen=True, slots=True)
class Files:
    place: str  # an id in the page: a drawer may have files of its own beside it
    add: str  # where its form posts to; empty for who may add none
    files: Sequence[tuple[Attachment, str]]  # each with who added it
    accepted: str = ACCEPTED


def load_files(subject: str, *, add: str) -> Files:
    found = attachments.load_attachments(subject)
    names = author_names({one.author for one in found})
    return Files(f"files-{subject.replace(':', '-')}", add, [(one, names[one.author]) for one in found])


def take_files(request: WorkspaceRequest, subject: str) -> HttpResponse:
    """Those of the form of `_attachments.html`. The first one that is refused says why; those before it are kept."""
    files = request.FILES.getlist("files")[:MOST_AT_ONCE]
    if not files:
        return _answer(request, "Choose a file first", refused=True)
    for file in files:
        try:
            content = file.read(attachments.MOST_BYTES + 1)
            attachments.attach(
                subject=subject, name=file.name or "file", content=content, by=request.membership, now=request.now
            )
        except FileRefused as refusal:
            return _answer(request, str(refusal), refused=True)
    return _answer(request, f"Added: {files[0].name}" if len(files) == 1 else f"{len(files)} files added")


@require_safe
@requires(Ability.READ)
def attachment(request: WorkspaceRequest, slug: str, pk: int) -> HttpResponse:
    found = _attachment_or_404(pk)
    if found.archived_at or found.state != Attachment.State.CLEAN:
        raise Http404("This file is not given out.")
    return attachments.download(found)


@require_POST
@requires(Ability.EDIT_ACCOUNTS)
def settle_attachment(request: WorkspaceRequest, slug: str, pk: int, verb: str) -> HttpResponse:
    """Whoever added it, or somebody who answers for the workspace's data."""
    found = _attachment_or_404(pk)
    if found.author != request.membership.actor and not request.membership.can(Ability.MANAGE_DATA):
        return _answer(request, "Only who added a file removes it", refused=True)
    if verb == "restore":
        attachments.restore_attachment(found)
        return _answer(request, f"Back: {found.name}")
    attachments.archive_attachment(found, now=request.now)
    undo = reverse("workspace:settle_attachment", args=[slug, pk, "restore"])
    return _answer(request, f"Removed: {found.name}", undo=undo)


def _attachment_or_404(pk: int) -> Attachment:
    return get_object_or_404(Attachment.objects.all(), pk=pk)


def _answer(request: WorkspaceRequest, text: str, *, undo: str | None = None, refused: bool = False) -> HttpResponse:
    if request.headers.get("HX-Request") == "true":
        response = toast(HttpResponse(status=204), text, undo=undo)
        for event in CHANGED:
            trigger(response, event, {})
        return response
    (messages.error if refused else messages.success)(request, text)
    return HttpResponseRedirect(_back(request))


def _back(request: WorkspaceRequest) -> str:
    """The page the form stood on."""
    came_from = request.headers.get("Referer", "")
    safe = url_has_allowed_host_and_scheme(came_from, {request.get_host()}, require_https=request.is_secure())
    return came_from if safe else reverse("dashboard:home", args=[request.tenant.slug])
