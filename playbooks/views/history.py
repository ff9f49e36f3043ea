"""The drawer with the history of one enrollment, and what can be done about its actions there."""

from collections.abc import Callable
from uuid import UUID

from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.views.decorators.http import require_POST, require_safe

from accounts.reach import reaches, refuse_beyond
from cs_platform.tenancy.looked_up import looked_up_once
from cs_platform.tenancy.roles import Ability
from cs_platform.web.drawers import Fragment, beneath, page_address
from cs_platform.web.pages import WorkspaceRequest, render_page, requires, target_id
from playbooks import failures, undo
from playbooks.history import load_history
from playbooks.models import ActionRun, Enrollment
from playbooks.panels import in_panel_order
from playbooks.views.loading import changed, enrollment_or_404, history_address

BENEATH = {"cta": "Back to the CTA"}  # what the history was opened from
# What a person may do about a run, and how it is said afterwards.
VERBS: dict[str, tuple[Callable[..., bool], str]] = {
    "retry": (failures.retry, "Tries again now"),
    "skip": (failures.skip, "Skipped"),
    "done": (failures.mark_done, "Marked as done"),
    "undo": (undo.retry_undo, "Tried to undo it again: the history shows what came of it"),
    "keep": (undo.accept_as_kept, "Kept"),
}


@require_safe
@requires(Ability.READ)
def history(request: WorkspaceRequest, slug: str, pk: int) -> HttpResponse:
    """As a page of its own it is the account's, with the drawer open."""
    if target_id(request) is None:
        return HttpResponseRedirect(history_address(request, enrollment_or_404(pk)))
    fragment = drawer(request, pk)
    return render_page(request, fragment.template, fragment.context)


@looked_up_once()
def drawer(request: WorkspaceRequest, pk: int) -> Fragment:
    """Previous and next walk through the playbooks of the same account."""
    enrollment = enrollment_or_404(pk)
    before, after = _neighbours(enrollment)
    under = beneath(request, "history")
    context = {
        "history": load_history(enrollment, now=request.now),
        "here": page_address(request, history=pk, **under),
        "back": page_address(request, **under) if under else "",
        "back_to": BENEATH.get(next(iter(under), ""), ""),
        "close": page_address(request),
        "may_run": reaches(request.membership, Ability.RUN_PLAYBOOKS, enrollment.account),
        "previous": page_address(request, history=before, **under) if before else "",
        "next": page_address(request, history=after, **under) if after else "",
    }
    return Fragment("playbooks/_history.html", context)


def _neighbours(enrollment: Enrollment) -> tuple[int | None, int | None]:
    active, past = in_panel_order(enrollment.account_id)
    ids = [one.pk for one in (*active, *past)]
    if enrollment.pk not in ids:
        return None, None
    at = ids.index(enrollment.pk)
    return (ids[at - 1] if at else None), (ids[at + 1] if at + 1 < len(ids) else None)


@require_POST
@requires(Ability.RUN_PLAYBOOKS)
def settle_run(request: WorkspaceRequest, slug: str, run_id: UUID, verb: str) -> HttpResponse:
    run = get_object_or_404(ActionRun.objects.select_related("enrollment__account"), pk=run_id)
    refuse_beyond(request.membership, Ability.RUN_PLAYBOOKS, run.enrollment.account)
    act, done = VERBS[verb]
    acted = act(run, by=request.membership.actor, now=request.now)
    text = done if acted else "Somebody settled this action before you. The history shows how."
    return changed(request, text, address=history_address(request, run.enrollment))
