"""What a person does to a CTA: editing in place, status, snoozing, closing, repeating, users, comments."""

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.models import EndUser
from cs_platform.tenancy.models import Membership
from cs_platform.tenancy.roles import Ability
from cs_platform.web.attachments import take_files
from cs_platform.web.comments import NOTHING_SAID, said
from cs_platform.web.pages import WorkspaceRequest, close_dialog, render_page, requires, target_id, toast, trigger
from ctas import recurring
from ctas.forms import CloseForm, EditCtaForm, LinkForm, RepeatForm, SnoozeForm, StatusForm, first_errors
from ctas.lists import Kind, current_lists
from ctas.models import CLOSED, EDITABLE, Cta
from ctas.opening import comment_on
from ctas.own_days import own_day
from ctas.views.drawer import BEATEN, CHANGED, answer, cta_or_404
from ctas.working import (
    CannotWork,
    close_cta,
    edit_cta,
    hand_over_tasks,
    link_user,
    set_status,
    shift_tasks,
    unlink_user,
)

ASKING = ["GET", "HEAD", "POST"]
FURTHEST = 36_500  # days a task can be moved


@require_POST
@requires(Ability.WORK_CTAS)
def edit(request: WorkspaceRequest, slug: str, pk: int) -> HttpResponse:
    """One field or several; what is not sent stays as it is. Then its open tasks are offered to come along."""
    cta = cta_or_404(pk)
    was = {"due_on": cta.due_on, "owner": cta.owner}
    form = EditCtaForm(request.POST, cta=cta)
    if not form.is_valid():
        return answer(request, cta, " ".join(first_errors(form)), refused=True)
    acted = edit_cta(cta, by=request.membership, now=request.now, **form.cleaned_data)
    text = f"Saved: {cta.name}" if acted else "Nothing changed"
    return (acted and _offer_tasks(request, cta, text, was=was)) or answer(request, cta, text)


def _offer_tasks(request: WorkspaceRequest, cta: Cta, text: str, *, was: Mapping[str, Any]) -> HttpResponse | None:
    """The dialog that asks about open tasks, or nothing to ask."""
    address = following(request, cta, was)
    if not address:
        return None
    if request.headers.get("HX-Request") != "true":
        return HttpResponseRedirect(address)
    response = HttpResponse(status=204)
    return trigger(trigger(toast(response, text), CHANGED, {}), "dialog:ask", {"address": address})


def following(request: WorkspaceRequest, cta: Cta, was: Mapping[str, Any]) -> str:
    """Where its open tasks are offered to come along; empty where there is nothing to ask."""
    address, tasks = reverse("ctas:follow", args=[request.tenant.slug, cta.pk]), cta.tasks.open()
    if cta.due_on and was["due_on"] and cta.due_on != was["due_on"] and tasks.filter(due_on__isnull=False).exists():
        return f"{address}?days={(cta.due_on - was['due_on']).days}"
    if cta.owner != was["owner"] and tasks.exclude(owner=cta.owner).exists():
        return f"{address}?was={was['owner'].pk if was['owner'] else ''}"
    return ""


@require_http_methods(ASKING)
@requires(Ability.WORK_CTAS)
def follow(request: WorkspaceRequest, slug: str, pk: int) -> HttpResponse:
    """`days` to move open tasks by, or `was`, whose tasks the CTA's owner may take over."""
    cta, given = cta_or_404(pk), request.POST if request.method == "POST" else request.GET
    days = _days(given.get("days", ""))
    was = _member(request, given.get("was", ""))
    if request.method != "POST":
        tasks = cta.tasks.open()
        found = tasks.filter(due_on__isnull=False) if days else tasks.exclude(owner=cta.owner)
        theirs = found.filter(owner=was).count() if was and not days else 0
        context = {"cta": cta, "days": days, "was": was, "count": found.count(), "theirs": theirs}
        return render_page(request, "ctas/follow.html", context, fragments={"dialog": "ctas/_follow_dialog.html"})
    if days:
        count = shift_tasks(cta, days=days, by=request.membership, now=request.now)
    else:
        only_of = was if given.get("only") else None
        count = hand_over_tasks(cta, to=cta.owner, only_of=only_of, by=request.membership, now=request.now)
    return close_dialog(answer(request, cta, f"{count} {'task' if count == 1 else 'tasks'} moved along"))


def _days(text: str) -> int:
    number = text.removeprefix("-")
    if not number.isascii() or not number.isdecimal() or len(number) > 5:
        return 0
    return max(min(int(text), FURTHEST), -FURTHEST)


def _member(request: WorkspaceRequest, text: str) -> Membership | None:
    known = text.isascii() and text.isdecimal() and len(text) < 19
    return Membership.objects.in_tenant(request.tenant.pk).filter(pk=int(text)).first() if known else None


@require_POST
@requires(Ability.WORK_CTAS)
def status(request: WorkspaceRequest, slug: str, pk: int) -> HttpResponse:
    """Any status there is. One that closes asks first about tasks and what the type wants filled in."""
    cta, lists = cta_or_404(pk), current_lists()
    form = StatusForm(request.POST, cta=cta, lists=lists)
    if not form.is_valid():
        return answer(request, cta, " ".join(first_errors(form)), refused=True)
    chosen = lists.find(Kind.STATUS, form.cleaned_data["stage"])
    if chosen.category in CLOSED and cta.status not in CLOSED:
        return _ask(request, f"{reverse('ctas:finish', args=[slug, pk])}?stage={chosen.key}")
    today = timezone.localdate(request.now)
    try:
        acted = set_status(cta, stage=chosen.key, today=today, by=request.membership, now=request.now)
    except CannotWork as refusal:
        return answer(request, cta, str(refusal), refused=True)
    return answer(request, cta, f"{chosen.name}: {cta.name}" if acted else "Nothing changed")


def _ask(request: WorkspaceRequest, address: str) -> HttpResponse:
    if request.headers.get("HX-Request") != "true":
        return HttpResponseRedirect(address)
    return trigger(trigger(HttpResponse(status=204), "dialog:ask", {"address": address}), CHANGED, {})


@require_safe
@requires(Ability.WORK_CTAS)
def cell(request: WorkspaceRequest, slug: str, pk: int) -> HttpResponse:
    """The form of one value, `?field=owner`, to stand where the value stands."""
    cta, field = cta_or_404(pk), request.GET.get("field", "")
    field = field if field == "stage" or field in EDITABLE else "due_on"
    form: Any
    if field == "stage":
        form = StatusForm(None, cta=cta, lists=current_lists())
        address = reverse("ctas:status", args=[slug, pk])
    else:
        form = EditCtaForm(None, cta=cta, only=[field])
        address = reverse("ctas:edit", args=[slug, pk])
    place = target_id(request) or ""
    place = place if place == f"cell-{pk}-{field}-drawer" else f"cell-{pk}-{field}"
    context = {"cta": cta, "form": form, "address": address, "place": place}
    return render_page(request, "ctas/cell.html", context, fragments={place: "ctas/_cell.html"})


@require_http_methods(ASKING)
@requires(Ability.WORK_CTAS)
def snooze(request: WorkspaceRequest, slug: str, pk: int) -> HttpResponse:
    cta = cta_or_404(pk)
    today = own_day(cta.owner, request.tenant, now=request.now)
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


@require_http_methods(ASKING)
@requires(Ability.WORK_CTAS)
def finish(request: WorkspaceRequest, slug: str, pk: int) -> HttpResponse:
    """Closing asks how it ended, what becomes of open tasks, and what its type wants to know."""
    cta = cta_or_404(pk)
    chosen = {"stage": request.GET["stage"]} if "stage" in request.GET else {}
    form = CloseForm(request.POST if request.method == "POST" else None, cta=cta, initial=chosen)
    if request.method != "POST" or not form.is_valid():
        context = {"cta": cta, "form": form, "open_tasks": list(cta.tasks.open().order_by("position", "pk"))}
        fragments = {"dialog": "ctas/_close_dialog.html"}
        return render_page(
            request, "ctas/close.html", context, fragments=fragments, status=422 if form.is_bound else 200
        )
    if form.facts:
        cta.edit(by=request.membership, now=request.now, **form.facts)
    how = {"stage": form.cleaned_data["stage"], "cancel_tasks": form.cleaned_data["cancel_tasks"]}
    acted = close_cta(cta, **how, today=timezone.localdate(request.now), by=request.membership, now=request.now)
    text = f"{current_lists().stage_of(cta).name}: {cta.name}" if acted else BEATEN
    undo = reverse("ctas:reopen", args=[slug, pk]) if acted else None
    return close_dialog(answer(request, cta, text, undo=undo))


@require_http_methods(ASKING)
@requires(Ability.WORK_CTAS)
def repeat(request: WorkspaceRequest, slug: str, pk: int) -> HttpResponse:
    cta = cta_or_404(pk)
    form = RepeatForm(request.POST if request.method == "POST" else None)
    if request.method != "POST" or not form.is_valid():
        fragments = {"dialog": "ctas/_repeat_dialog.html"}
        context, code = {"cta": cta, "form": form}, 422 if form.is_bound else 200
        return render_page(request, "ctas/repeat.html", context, fragments=fragments, status=code)
    today = timezone.localdate(request.now)
    acted = recurring.repeat(cta, **form.cleaned_data, today=today, by=request.membership, now=request.now)
    return close_dialog(answer(request, cta, f"Comes again {cta.recurrence}" if acted else BEATEN))


@require_POST
@requires(Ability.WORK_CTAS)
def rhythm(request: WorkspaceRequest, slug: str, pk: int, verb: str) -> HttpResponse:
    """Pause, resume or end what comes again."""
    cta = cta_or_404(pk)
    who: dict[str, Any] = {"by": request.membership, "now": request.now}
    match verb:
        case "pause":
            acted, text = recurring.pause(cta, **who), "Does not come again for now"
        case "resume":
            acted, text = recurring.resume(cta, today=timezone.localdate(request.now), **who), "Comes again"
        case _:
            acted, text = recurring.stop_repeating(cta, **who), "No longer comes again"
    return answer(request, cta, text if acted else BEATEN)


@require_POST
@requires(Ability.WORK_CTAS)
def link(request: WorkspaceRequest, slug: str, pk: int) -> HttpResponse:
    cta = cta_or_404(pk)
    form = LinkForm(request.POST, cta=cta)
    if not form.is_valid():
        return answer(request, cta, " ".join(first_errors(form)), refused=True)
    user = form.cleaned_data["user"]
    try:
        acted = link_user(cta, user, by=request.membership, now=request.now)
    except CannotWork as refusal:
        return answer(request, cta, str(refusal), refused=True)
    return answer(request, cta, f"{user} linked" if acted else f"{user} was linked already")


@require_POST
@requires(Ability.WORK_CTAS)
def unlink(request: WorkspaceRequest, slug: str, pk: int, user_id: int) -> HttpResponse:
    cta, user = cta_or_404(pk), get_object_or_404(EndUser, pk=user_id)
    acted = unlink_user(cta, user, by=request.membership, now=request.now)
    return answer(request, cta, f"{user} no longer linked" if acted else BEATEN)


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
