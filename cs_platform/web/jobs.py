"""Long jobs on pages: the list, one job with its progress, the strip beside the page it was started from, its file."""

from collections.abc import Sequence
from typing import Any, cast

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import Q
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from cs_platform.jobs import files, starting
from cs_platform.jobs.kinds import JobRefused, ability_for, ended_event, kind_of
from cs_platform.jobs.models import Job, JobError
from cs_platform.tenancy.roles import Ability
from cs_platform.web.pages import WorkspaceRequest, close_dialog, render_page, requires, toast, trigger

PAGE_SIZE = 50
STARTED = "job:started"  # the browser event on which the strip shows a job
FRAGMENTS = {"jobs": "jobs/_list.html"}


@require_safe
@requires(Ability.READ)
def job_list(request: WorkspaceRequest, slug: str) -> HttpResponse:
    before = _whole(request.GET.get("before", ""))
    jobs = Job.objects.select_related("member", "undo_of")
    found = list((jobs.filter(pk__lt=before) if before else jobs).order_by("-pk")[: PAGE_SIZE + 1])
    shown = found[:PAGE_SIZE]
    context = {
        "rows": [(job, kind_of(job), kind_of(job).says(job)) for job in shown],
        "next": shown[-1].pk if len(found) > PAGE_SIZE else None,
        "waiting": any(not job.is_over for job in shown),
    }
    return render_page(request, "jobs/list.html", context, fragments=FRAGMENTS)


@require_safe
@requires(Ability.READ)
def job_page(request: WorkspaceRequest, slug: str, pk: int) -> HttpResponse:
    job = _job_or_404(pk)
    context = shown_job(request, job) | _errors(request, job)
    return render_page(request, "jobs/job.html", context, fragments={"job": "jobs/_job.html"})


@require_safe
@requires(Ability.READ)
def job_strip(request: WorkspaceRequest, slug: str, pk: int) -> HttpResponse:
    """Asks for itself again until the job is over; then the page shows anew what the job has changed."""
    job = _job_or_404(pk)
    response = render_page(request, "jobs/_strip.html", shown_job(request, job))
    event = ended_event(job)
    return trigger(response, event, {}) if job.is_over and event else response


@require_POST
@requires(Ability.EDIT_ACCOUNTS)
def cancel_job(request: WorkspaceRequest, slug: str, pk: int) -> HttpResponse:
    job = _changeable_or_denied(request, pk)
    acted = starting.cancel(job, by=request.membership, now=request.now)
    text = "It stops after the slice it is working on" if acted else "It was over already"
    if request.headers.get("HX-Request") == "true":
        return toast(HttpResponse(status=204), text)
    messages.success(request, text)
    return redirect("jobs:detail", slug, pk)


@require_POST
@requires(Ability.EDIT_ACCOUNTS)
def undo_job(request: WorkspaceRequest, slug: str, pk: int) -> HttpResponse:
    job = _changeable_or_denied(request, pk)
    try:
        undoing = starting.undo(job, by=request.membership, now=request.now)
    except JobRefused as refusal:
        messages.error(request, str(refusal))
        return redirect("jobs:detail", slug, pk)
    return started(request, undoing)


@require_safe
@requires(Ability.MANAGE_DATA)
def job_file(request: WorkspaceRequest, slug: str, pk: int) -> HttpResponse:
    job = _changeable_or_denied(request, pk)
    if not files.has_file(job, now=request.now):
        raise Http404("There is no such file, or it is kept no longer.")
    return cast(HttpResponse, files.download(job))  # a stream, which the decorators let through as it is


def started(request: WorkspaceRequest, job: Job) -> HttpResponse:
    """The answer to a form that started a job: its strip appears where the person is, or without scripts its page."""
    if request.headers.get("HX-Request") != "true":
        return redirect("jobs:detail", request.tenant.slug, job.pk)
    address = reverse("jobs:strip", args=[request.tenant.slug, job.pk])
    return trigger(close_dialog(HttpResponse(status=204)), STARTED, {"address": address})


def shown_job(request: WorkspaceRequest, job: Job) -> dict[str, Any]:
    kind, may_change = kind_of(job), request.membership.can(ability_for(job))
    return {
        "job": job,
        "kind": kind,
        "says": kind.says(job),
        "may_change": may_change,
        "may_undo": may_change and not starting.why_not_undo(job, now=request.now),
        "undoing": job.undoing if job.is_over else None,
        "has_file": may_change and files.has_file(job, now=request.now),
        "keeps_files_for": starting.KEEP_FILES.days,
    }


def _errors(request: WorkspaceRequest, job: Job) -> dict[str, Any]:
    """By position and id, a page at a time."""
    position, _, id = request.GET.get("after", "").partition("~")
    errors, after = JobError.objects.filter(job=job), (_whole(position), _whole(id))
    if after[1]:
        errors = errors.filter(Q(position__gt=after[0]) | Q(position=after[0], pk__gt=after[1]))
    found: Sequence[JobError] = list(errors.order_by("position", "pk")[: PAGE_SIZE + 1])
    last = found[PAGE_SIZE - 1] if len(found) > PAGE_SIZE else None
    return {"errors": found[:PAGE_SIZE], "next": f"{last.position}~{last.pk}" if last else "", "after": after[1]}


def _job_or_404(pk: int) -> Job:
    return get_object_or_404(Job.objects.select_related("member", "undo_of"), pk=pk)


def _changeable_or_denied(request: WorkspaceRequest, pk: int) -> Job:
    job = _job_or_404(pk)
    if not request.membership.can(ability_for(job)):
        raise PermissionDenied(f"Your role does not include this: {ability_for(job)}.")
    return job


def _whole(text: str) -> int:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 18 else 0
