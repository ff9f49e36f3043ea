"""Loading, shared by the views of playbooks. Another workspace's id is as unknown as one that never was."""

from collections.abc import Mapping
from typing import Any

from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import reverse

from cs_platform.web.pages import WorkspaceRequest, close_dialog, render_page, target_id, toast, trigger
from playbooks.models import Enrollment, Playbook

# Browser events on which the parts of a page that show such a thing load themselves again.
ACCOUNT_CHANGED, PLAYBOOK_CHANGED = "account:changed", "playbook:changed"


def playbook_or_404(pk: int) -> Playbook:
    return get_object_or_404(Playbook.objects.select_related("version", "created_by"), pk=pk)


def enrollment_or_404(pk: int) -> Enrollment:
    found = Enrollment.objects.select_related("playbook__created_by", "version", "account", "end_user", "tenant")
    return get_object_or_404(found, pk=pk)


def history_address(request: WorkspaceRequest, enrollment: Enrollment) -> str:
    """Where a history is seen by somebody who comes from nowhere: beside the account."""
    page = reverse("accounts:detail", args=[request.tenant.slug, enrollment.account_id])
    return f"{page}?history={enrollment.pk}"


def render_dialog(
    request: WorkspaceRequest, name: str, context: Mapping[str, Any], *, status: int = 200
) -> HttpResponse:
    """In the dialog, where htmx asks for it; without scripts, or from a bookmark, as a page of its own."""
    template = f"_{name}_dialog" if target_id(request) == "dialog" else name
    return render_page(request, f"playbooks/{template}.html", context, status=status)


def changed(request: WorkspaceRequest, text: str, *, address: str) -> HttpResponse:
    """The answer to a form: the dialog closes and what it changed reloads, or without scripts the page at `address`."""
    if request.headers.get("HX-Request") == "true":
        return close_dialog(trigger(toast(HttpResponse(status=204), text), ACCOUNT_CHANGED, {}))
    messages.success(request, text)
    return HttpResponseRedirect(address)


def playbook_changed(request: WorkspaceRequest, text: str, *, address: str, undo: str | None = None) -> HttpResponse:
    """The same for pages that show playbooks."""
    if request.headers.get("HX-Request") == "true":
        return trigger(toast(HttpResponse(status=204), text, undo=undo), PLAYBOOK_CHANGED, {})
    messages.success(request, text)
    return HttpResponseRedirect(address)
