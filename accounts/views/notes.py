"""Notes on an account: writing, editing one's own, archiving and bringing back."""

from typing import Any

from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST

from accounts.forms import NoteForm
from accounts.models import Account, Note
from accounts.notes import load_notes
from accounts.views.loading import account_or_404, changed
from cs_platform.tenancy.roles import Ability
from cs_platform.web.attachments import take_files
from cs_platform.web.pages import WorkspaceRequest, render_page, requires

NOT_YOURS = "Only its author can do that to a note"


@require_POST
@requires(Ability.EDIT_ACCOUNTS)
def write_note(request: WorkspaceRequest, slug: str, pk: int) -> HttpResponse:
    account, form = account_or_404(pk), NoteForm(request.POST)
    if not form.is_valid():
        context = {"account": account, "note_form": form, "notes": load_notes(account)}
        fragments = {"notes": "accounts/_notes.html"}
        return render_page(request, "accounts/notes.html", context, fragments=fragments, status=422)
    Note.write(account, body=form.cleaned_data["body"], by=request.membership, now=request.now)
    return changed(request, account.pk, "Note written")


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Ability.EDIT_ACCOUNTS)
def edit_note(request: WorkspaceRequest, slug: str, pk: int) -> HttpResponse:
    """Only the author changes what a note says."""
    note = note_or_404(pk)
    if not note.is_of(request.membership):
        return changed(request, note.account_id, NOT_YOURS)
    form = NoteForm(request.POST if request.method == "POST" else None, initial={"body": note.body})
    if request.method == "POST" and form.is_valid():
        note.edit(body=form.cleaned_data["body"], by=request.membership, now=request.now)
        return changed(request, note.account_id, "Note saved")
    context: dict[str, Any] = {"note": note, "account": note.account, "form": form}
    fragments = {f"edit-note-{note.pk}": "accounts/_note_form.html"}
    status = 422 if form.is_bound else 200
    return render_page(request, "accounts/note.html", context, fragments=fragments, status=status)


@require_POST
@requires(Ability.EDIT_ACCOUNTS)
def archive_note(request: WorkspaceRequest, slug: str, pk: int) -> HttpResponse:
    """The author, or somebody who answers for the workspace's data."""
    note = note_or_404(pk)
    if not _may_archive(request, note):
        return changed(request, note.account_id, NOT_YOURS)
    note.archive(now=request.now)
    undo = reverse("accounts:restore_note", args=[slug, pk])
    return changed(request, note.account_id, "Note archived", undo=undo)


@require_POST
@requires(Ability.EDIT_ACCOUNTS)
def restore_note(request: WorkspaceRequest, slug: str, pk: int) -> HttpResponse:
    note = get_object_or_404(Note.objects.filter(account__in=Account.objects.present()), pk=pk)
    if not _may_archive(request, note):
        return changed(request, note.account_id, NOT_YOURS)
    note.restore()
    return changed(request, note.account_id, "Note is back")


@require_POST
@requires(Ability.EDIT_ACCOUNTS)
def attach(request: WorkspaceRequest, slug: str, pk: int) -> HttpResponse:
    return take_files(request, note_or_404(pk).subject)


def note_or_404(pk: int) -> Note:
    present = Note.objects.filter(archived_at=None, account__archived_at=None).select_related("account")
    return get_object_or_404(present, pk=pk)


def _may_archive(request: WorkspaceRequest, note: Note) -> bool:
    return note.is_of(request.membership) or request.membership.can(Ability.MANAGE_DATA)
