"""The bell: what a member was told, marking it read, and what they want to hear."""

from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from cs_platform.tenancy.roles import Ability
from cs_platform.web.pages import WorkspaceRequest, render_page, requires, toast, trigger
from cs_platform.workspace import notifications
from cs_platform.workspace.comments import author_names
from cs_platform.workspace.models import Notification
from cs_platform.workspace.notifications import Choice, Kind, Mail

FRAGMENTS = {"notifications": "workspace/_notifications.html", "bell-list": "workspace/_bell.html"}
CHANGED = "notifications:changed"
ICONS = {
    Kind.MENTION: "at-sign",
    Kind.ASSIGNMENT: "user-plus",
    Kind.DUE: "clock",
    Kind.JOB: "list-checks",
    Kind.HELD: "hand",
    Kind.APPROVAL: "circle-check",
    Kind.REPLY: "message-square",
    Kind.FAILURE: "triangle-alert",
}


@require_safe
@requires(Ability.READ)
def notification_list(request: WorkspaceRequest, slug: str) -> HttpResponse:
    only_new = request.GET.get("show") == "new"
    before = _mine(request).filter(pk=_whole(request.GET.get("before", ""))).first()
    page = notifications.load_notifications(request.membership, before=before, only_new=only_new)
    names = author_names({one.actor for one in page.notifications if one.actor})
    context = {
        "lines": [(one, names.get(one.actor, ""), ICONS[Kind(one.kind)]) for one in page.notifications],
        "next": page.next,
        "only_new": only_new,
    }
    return render_page(request, "workspace/notifications.html", context, fragments=FRAGMENTS)


@require_safe
@requires(Ability.READ)
def count(request: WorkspaceRequest, slug: str) -> HttpResponse:
    return render_page(request, "workspace/_tally.html", {})


@require_POST
@requires(Ability.READ)
def mark(request: WorkspaceRequest, slug: str, pk: int, verb: str) -> HttpResponse:
    notification = get_object_or_404(Notification.objects.all(), pk=pk)
    if notification.member_id != request.membership.pk:
        return _answer(request, "That was told to somebody else")
    if verb == "read":
        notifications.mark_read(notification, now=request.now)
    else:
        notifications.mark_unread(notification)
    return _answer(request, "")


@require_POST
@requires(Ability.READ)
def mark_all(request: WorkspaceRequest, slug: str) -> HttpResponse:
    marked = notifications.mark_all_read(request.membership, now=request.now)
    return _answer(request, f"{marked} marked as read" if marked else "Nothing is new")


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Ability.READ)
def choose(request: WorkspaceRequest, slug: str) -> HttpResponse:
    if request.method == "POST":
        notifications.choose(request.membership, dict(_chosen(request)))
        messages.success(request, "Saved")
        return redirect("workspace:notification_choices", slug)
    return render_page(request, "workspace/choices.html", choices_context(request))


def choices_context(request: WorkspaceRequest) -> dict[str, Any]:
    chosen = notifications.choices(request.membership)
    rows = [(kind, ICONS[kind], HINTS[kind], chosen[kind]) for kind in Kind]
    return {"choices": rows, "mails": Mail.choices}


HINTS = {
    Kind.MENTION: "Somebody writes @ and your name in a comment.",
    Kind.ASSIGNMENT: "A CTA, a task, an indicator or an account becomes yours.",
    Kind.DUE: "Once a day, what of yours is due or late.",
    Kind.JOB: "An import, an export or a bulk edit you started is over.",
    Kind.HELD: "A playbook would enroll more accounts than its limit, and waits for you.",
    Kind.APPROVAL: "Actions of playbooks wait for your approval.",
    Kind.REPLY: "A customer of yours, or whom a playbook wrote to in your name, answers.",
    Kind.FAILURE: "An action of a playbook failed for good.",
}


def _chosen(request: WorkspaceRequest) -> Any:
    for kind in Kind.values:
        mail = request.POST.get(f"mail-{kind}")
        if mail in Mail.values:
            yield kind, Choice(in_app=f"in_app-{kind}" in request.POST, mail=mail)


def _answer(request: WorkspaceRequest, text: str) -> HttpResponse:
    if request.headers.get("HX-Request") == "true":
        response = trigger(HttpResponse(status=204), CHANGED, {})
        return toast(response, text) if text else response
    return redirect("workspace:notifications", request.tenant.slug)


def _mine(request: WorkspaceRequest) -> Any:
    return Notification.objects.filter(member=request.membership, is_shown=True)


def _whole(text: str) -> int:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 18 else 0
