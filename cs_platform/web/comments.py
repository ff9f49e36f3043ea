"""Comments on any page: what its view loads and takes in, and what their authors do with them afterwards.

A page that has a discussion includes `workspace/_comments.html` and gives it what `load_discussion` returns; the view
its form posts to asks `said` what was written, and calls the domain.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from django import forms
from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from cs_platform.tenancy.roles import Ability
from cs_platform.web.pages import WorkspaceRequest, render_page, requires, toast, trigger
from cs_platform.workspace import comments, mentions
from cs_platform.workspace.comments import ShownComment
from cs_platform.workspace.models import Comment

# Pages and drawers that show a discussion load themselves again on one of these.
CHANGED = ("account:changed", "comments:changed")
NOTHING_SAID = "Write something first"
NOT_YOURS = "Only its author can do that to a comment"


@dataclass(frozen=True, slots=True)
class Discussion:
    place: str  # an id in the page: a drawer may have a discussion of its own beside it
    say: str  # where its form posts to
    comments: Sequence[ShownComment]
    more: bool


def load_discussion(subject: str, *, say: str) -> Discussion:
    thread = comments.load_thread(subject)
    return Discussion(f"comments-{subject.replace(':', '-')}", say, comments.show(thread.comments), thread.more)


def said(request: WorkspaceRequest) -> str | None:
    """What the form of a discussion sent; None when it says nothing, or too much."""
    form = CommentForm(request.POST)
    return form.cleaned_data["body"] if form.is_valid() else None


class CommentForm(forms.Form):
    body = forms.CharField(label="Comment", max_length=comments.MAX_LENGTH, widget=forms.Textarea(attrs={"rows": 3}))


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Ability.COMMENT)
def edit_comment(request: WorkspaceRequest, slug: str, pk: int) -> HttpResponse:
    comment = get_object_or_404(Comment.objects.filter(archived_at=None), pk=pk)
    if comment.author != request.membership.actor:
        return _changed(request, comment, NOT_YOURS)
    form = CommentForm(request.POST if request.method == "POST" else None, initial=_as_written(comment))
    form.fields["body"].widget.attrs["data-mentions"] = reverse("workspace:team", args=[slug])
    if form.is_valid():
        body = form.cleaned_data["body"]
        acted = comments.edit_comment(comment, body=body, by=request.membership, now=request.now)
        return _changed(request, comment, "Comment saved" if acted else "Nothing changed")
    context = {"comment": comment, "form": form, "back": _page(request, comment)}
    fragments = {f"edit-comment-{comment.pk}": "workspace/_comment_form.html"}
    status = 422 if form.is_bound else 200
    return render_page(request, "workspace/comment.html", context, fragments=fragments, status=status)


def _as_written(comment: Comment) -> dict[str, str]:
    return {"body": mentions.written(comment.body)}


@require_POST
@requires(Ability.COMMENT)
def archive_comment(request: WorkspaceRequest, slug: str, pk: int) -> HttpResponse:
    comment = get_object_or_404(Comment.objects.all(), pk=pk)
    if not comments.archive_comment(comment, by=request.membership, now=request.now):
        return _changed(request, comment, NOT_YOURS)
    return _changed(request, comment, "Comment deleted", undo=reverse("workspace:restore_comment", args=[slug, pk]))


@require_POST
@requires(Ability.COMMENT)
def restore_comment(request: WorkspaceRequest, slug: str, pk: int) -> HttpResponse:
    comment = get_object_or_404(Comment.objects.all(), pk=pk)
    acted = comments.restore_comment(comment, by=request.membership)
    return _changed(request, comment, "Comment is back" if acted else NOT_YOURS)


@require_safe
@requires(Ability.READ)
def team(request: WorkspaceRequest, slug: str) -> HttpResponse:
    """Whom the name somebody is typing after @ may mean."""
    found = mentions.offer(request.GET.get("q", "").replace("\0", "")[:100])
    return JsonResponse({"members": [{"name": one.name, "email": one.email, "handle": at} for one, at in found]})


def _changed(request: WorkspaceRequest, comment: Comment, text: str, *, undo: str | None = None) -> HttpResponse:
    if request.headers.get("HX-Request") != "true":
        messages.success(request, text)
        return HttpResponseRedirect(_page(request, comment))
    response = toast(HttpResponse(status=204), text, undo=undo)
    for event in CHANGED:
        trigger(response, event, {})
    return response


def _page(request: WorkspaceRequest, comment: Comment) -> str:
    return comment.url or reverse("dashboard:home", args=[request.tenant.slug])
