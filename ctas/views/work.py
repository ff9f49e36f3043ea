"""What a person does to a CTA: editing in place, snoozing, closing, adding tasks, commenting."""

from datetime import date, timedelta

from django.http import HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST

from cs_platform.tenancy.roles import Ability
from cs_platform.web.attachments import take_files
from cs_platform.web.comments import NOTHING_SAID, said
from cs_platform.web.pages import WorkspaceRequest, close_dialog, render_page, requires
from ctas.forms import CloseForm, EditCtaForm, SnoozeForm, TaskForm, first_errors
from ctas.opening import comment_on
from ctas.views.drawer import BEATEN, answer, cta_or_404


@require_POST
@requires(Ability.WORK_CTAS)
def edit(request: WorkspaceRequest, slug: str, pk: int) -> HttpResponse:
    """One field or several; what is not sent stays as it is."""
    cta = cta_or_404(pk)
    form = EditCtaForm(request.POST, tenant_id=request.tenant.pk)
    if not form.is_valid():
        return answer(request, cta, " ".join(first_errors(form)), refused=True)
    acted = cta.edit(by=request.membership, now=request.now, **form.cleaned_data)
    return answer(request, cta, f"Saved: {cta.name}" if acted else "Nothing changed")


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Ability.WORK_CTAS)
def snooze(request: WorkspaceRequest, slug: str, pk: int) -> HttpResponse:
    cta, today = cta_or_404(pk), timezone.localdate(request.now)
    form = SnoozeForm(request.POST if request.method == "POST" else None, today=today)
    if request.method != "POST" or not form.is_valid():
        context = {"cta": cta, "form": form, "days": _snooze_days(today)}
        fragments = {"dialog": "ctas/_snooze_dialog.html"}
        return render_page(
            request, "ctas/snooze.html", context, fragments=fragments, status=422 if form.is_bound else 200
        )
    acted = cta.snooze(**form.cleaned_data, by=request.membership, now=request.now)
    text = f"Snoozed until {cta.snoozed_until:%-d %b}" if acted and cta.snoozed_until else BEATEN
    undo = reverse("ctas:wake", args=[slug, pk]) if acted else None
    return close_dialog(answer(request, cta, text, undo=undo))


def _snooze_days(today: date) -> list[tuple[str, date]]:
    monday = today + timedelta(days=7 - today.weekday())
    return [
        ("Tomorrow", today + timedelta(days=1)),
        ("Next Monday", monday),
        ("In two weeks", today + timedelta(days=14)),
    ]


@require_POST
@requires(Ability.WORK_CTAS)
def wake(request: WorkspaceRequest, slug: str, pk: int) -> HttpResponse:
    cta = cta_or_404(pk)
    acted = cta.wake(by=request.membership, now=request.now)
    return answer(request, cta, f"Back in the cockpit: {cta.name}" if acted else BEATEN)


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Ability.WORK_CTAS)
def finish(request: WorkspaceRequest, slug: str, pk: int) -> HttpResponse:
    """Closing asks how it ended, and what becomes of the tasks that are still open."""
    cta = cta_or_404(pk)
    form = CloseForm(request.POST if request.method == "POST" else None)
    if request.method != "POST" or not form.is_valid():
        context = {"cta": cta, "form": form, "open_tasks": list(cta.tasks.open().order_by("position", "pk"))}
        fragments = {"dialog": "ctas/_close_dialog.html"}
        return render_page(
            request, "ctas/close.html", context, fragments=fragments, status=422 if form.is_bound else 200
        )
    close = cta.close_with_tasks if form.cleaned_data["cancel_tasks"] else cta.close
    acted = close(status=form.cleaned_data["status"], by=request.membership, now=request.now)
    text = f"{cta.get_status_display()}: {cta.name}" if acted else BEATEN
    undo = reverse("ctas:reopen", args=[slug, pk]) if acted else None
    return close_dialog(answer(request, cta, text, undo=undo))


@require_POST
@requires(Ability.WORK_CTAS)
def add_task(request: WorkspaceRequest, slug: str, pk: int) -> HttpResponse:
    cta = cta_or_404(pk)
    form = TaskForm(request.POST, tenant_id=request.tenant.pk)
    if not form.is_valid():
        return answer(request, cta, " ".join(first_errors(form)), refused=True)
    facts = form.cleaned_data | {"owner": form.cleaned_data["owner"] or cta.owner}
    task = cta.add_task(**facts, by=request.membership, now=request.now)
    return answer(request, cta, f"Task added: {task.title}")


@require_POST
@requires(Ability.COMMENT)
def comment(request: WorkspaceRequest, slug: str, pk: int) -> HttpResponse:
    cta, body = cta_or_404(pk), said(request)
    if body is None:
        return answer(request, cta, NOTHING_SAID, refused=True)
    comment_on(cta, body=body, by=request.membership, now=request.now)
    return answer(request, cta, "Comment added")


@require_POST
@requires(Ability.WORK_CTAS)
def attach(request: WorkspaceRequest, slug: str, pk: int) -> HttpResponse:
    return take_files(request, cta_or_404(pk).subject)
