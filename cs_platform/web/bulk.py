"""The dialog of a bulk edit: choose what to do with what was selected, read what it comes to, then let a job do it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from django.http import HttpResponse, QueryDict

from cs_platform.jobs.bulk import BulkVerb, CannotChoose, Chosen, Config, VerbForm
from cs_platform.jobs.models import Job
from cs_platform.web.jobs import started
from cs_platform.web.pages import WorkspaceRequest, render_page, target_id

REVIEW, RUN = "review", "run"
PREFIX = "bulk"


@dataclass(frozen=True, slots=True)
class BulkPage:
    """One kind of list. `kept` is the selection as hidden fields."""

    noun: str
    list: str  # the names of its addresses
    address: str
    verbs: Mapping[str, BulkVerb]
    chosen: Chosen
    kept: Mapping[str, str]
    matching: bool  # all that match the list, not those ticked
    start: Callable[[BulkVerb, Config], Job]


def given(request: WorkspaceRequest) -> QueryDict:
    return request.POST if request.method == "POST" else request.GET


def bulk_dialog(request: WorkspaceRequest, page: BulkPage) -> HttpResponse:
    """`step` says how far somebody is: choosing, reading (`review`), or sure (`run`)."""
    count = page.chosen.count()
    if not count:
        raise CannotChoose(f"None of these {page.noun}s is here any more.")
    offered = [verb for verb in page.verbs.values() if request.membership.can(verb.ability)]
    verb = next((verb for verb in offered if verb.key == given(request).get("verb", "")), offered[0])
    step = given(request).get("step", "")
    form = _form(request, verb, bound=step in (REVIEW, RUN))
    if step == RUN and form.is_valid():
        return started(request, page.start(verb, form.config()))
    context = {
        "page": page,
        "count": count,
        "names": page.chosen.names(),
        "verbs": offered,
        "verb": verb,
        "form": form,
        "says": verb.describe(form.config()) if step == REVIEW and form.is_valid() else "",
    }
    return _dialog(request, context, status=422 if form.is_bound and not form.is_valid() else 200)


def refused(request: WorkspaceRequest, why: str, *, noun: str, list: str) -> HttpResponse:
    context = {"refusal": why, "page": {"noun": noun, "list": list}}
    return _dialog(request, context, status=422 if request.method == "POST" else 200)


def _form(request: WorkspaceRequest, verb: BulkVerb, *, bound: bool) -> VerbForm:
    """What was chosen so far fills the form again when another setting is chosen."""
    sent = given(request)
    if bound:
        return verb.form(sent, prefix=PREFIX)
    start = f"{PREFIX}-"
    return verb.form(
        prefix=PREFIX, initial={name.removeprefix(start): sent[name] for name in sent if name.startswith(start)}
    )


def _dialog(request: WorkspaceRequest, context: dict[str, Any], *, status: int) -> HttpResponse:
    template = "_bulk_dialog" if target_id(request) == "dialog" else "bulk"
    return render_page(request, f"jobs/{template}.html", context, status=status)
