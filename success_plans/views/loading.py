"""Loading and answering, shared by the views of plans."""

from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect

from cs_platform.web.drawers import page_address
from cs_platform.web.pages import WorkspaceRequest, close_dialog, go_to, render_page, target_id, toast, trigger
from success_plans.models import Objective, ShareLink, SuccessPlan

CHANGED = "account:changed"  # pages reload the parts that show a plan
BEATEN = "Somebody changed it before you"


def plan_or_404(pk: int, *, archived: bool = False) -> SuccessPlan:
    """Of the workspace in force. What is archived is looked at and restored, nothing else."""
    rows = SuccessPlan.objects.all() if archived else SuccessPlan.objects.present()
    return get_object_or_404(rows.select_related("account", "owner", "type", "template"), pk=pk)


def objective_or_404(pk: int) -> Objective:
    rows = Objective.objects.filter(plan__archived_at=None, cta__archived_at=None)
    return get_object_or_404(rows.select_related("plan__type", "plan__account", "cta__owner"), pk=pk)


def link_or_404(pk: int) -> ShareLink:
    rows = ShareLink.objects.filter(plan__archived_at=None)
    return get_object_or_404(rows.select_related("plan__type", "plan__account", "plan__owner", "plan__tenant"), pk=pk)


def told(
    request: WorkspaceRequest, plan: SuccessPlan, text: str, *, undo: str | None = None, refused: bool = False
) -> HttpResponse:
    """What was done, or why not: parts of the page reload, or without scripts the page as a whole."""
    if request.headers.get("HX-Request") == "true":
        return trigger(close_dialog(toast(HttpResponse(status=204), text, undo=undo)), CHANGED, {})
    (messages.error if refused else messages.success)(request, text)
    return redirect("plans:detail", request.tenant.slug, plan.pk)


def moved_on(request: WorkspaceRequest, plan: SuccessPlan, text: str) -> HttpResponse:
    """To the plan's page, from wherever somebody was."""
    messages.success(request, text)
    return go_to(request, plan.get_absolute_url())


def dialog(request: WorkspaceRequest, template: str, context: dict[str, Any], *, form: Any = None) -> HttpResponse:
    """A dialog beside the page, or a page of its own where somebody comes by its address: never both at once."""
    page = template if target_id(request) == "dialog" else "plans/dialog_page.html"
    status = 422 if form is not None and form.is_bound else 200
    return render_page(request, page, {"dialog_template": template, "form": form, **context}, status=status)


def with_one_more(request: WorkspaceRequest) -> str:
    """The page, ready for one more parameter."""
    here = page_address(request)
    return here + ("&" if "?" in here else "?")
