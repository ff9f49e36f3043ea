"""One playbook: what it does, who is in it, how its rules were checked, its versions."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.http import Http404, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from accounts.actors import load_actors
from accounts.places import Place
from accounts.rules.grammar import RuleErrors
from accounts.rules.sql import Clock
from accounts.views.rules import accounts_named
from actions.registry import action_for
from cs_platform.tenancy.looked_up import looked_up_once
from cs_platform.tenancy.roles import Ability
from cs_platform.web.drawers import page_address, render_beside
from cs_platform.web.pages import WorkspaceRequest, requires
from playbooks import evaluation
from playbooks.audience import why_of
from playbooks.comparing import Difference, differences
from playbooks.drafts import open_draft, read
from playbooks.effect import effects
from playbooks.enrolled import (
    ENTERED_WORDS,
    REACHED,
    RECORDED,
    Asked,
    filters_of,
    load_enrolled,
    steps_of,
    version_numbers,
)
from playbooks.left_out import leaves_out, load_left_out
from playbooks.library import Counts, Words, asked_look, count_enrollments
from playbooks.models import Evaluation, Playbook, PlaybookVersion
from playbooks.moving import running_elsewhere
from playbooks.overview import Overview, overview, overview_of
from playbooks.pausing import Missed, count_missed
from playbooks.versions import exported
from playbooks.views.loading import playbook_changed, playbook_or_404

FRAGMENTS = {"playbook": "playbooks/_playbook.html"}
EVALUATIONS_SHOWN = 50
A_YEAR = timedelta(days=365)
LEFT_OUT = "left_out"  # a filter of those it was applied to that shows the others
RESUME_CHOICES = ((Missed.RUN, "Run what fell due meanwhile"), (Missed.SKIP, "Skip what fell due meanwhile"))


@require_safe
@requires(Ability.READ)
@looked_up_once()
def detail(request: WorkspaceRequest, slug: str, pk: int, tab: str = "overview") -> HttpResponse:
    playbook = playbook_or_404(pk)
    if playbook.audience == Playbook.Audience.CTAS:
        return HttpResponseRedirect(reverse("playbooks:task_list", args=[slug, pk]))
    return render_beside(request, "playbooks/playbook.html", lambda: _page(request, playbook, tab), fragments=FRAGMENTS)


def _page(request: WorkspaceRequest, playbook: Playbook, tab: str) -> dict[str, Any]:
    here = page_address(request)
    return {
        "playbook": playbook,
        "tab": tab,
        "draft": open_draft(playbook),
        "asked": asked_look(),
        "resume_choices": RESUME_CHOICES,
        "missed": count_missed(playbook, now=request.now) if playbook.status == Playbook.Status.PAUSED else 0,
        "counts": count_enrollments([playbook.pk]).get(playbook.pk, Counts()),
        "here": here,
        "beside": here + ("&" if "?" in here else "?"),
        **TABS[tab](request, playbook),
    }


def _overview(request: WorkspaceRequest, playbook: Playbook) -> dict[str, Any]:
    """What is published; of a playbook that never was, what its draft comes to once it is finished."""
    version = playbook.version or open_draft(playbook)
    clock = Clock.at(request.now, ZoneInfo(request.tenant.timezone))
    led_to = effects(since=request.now - A_YEAR, clock=clock, playbooks=[playbook.pk])
    shown = {
        "version": version,
        "overview": _said(version) if version else None,
        "effect": led_to[0] if led_to else None,
    }
    return shown | (_checked(request, version) if version and version.draft is None else {})


def _said(version: PlaybookVersion) -> Overview | None:
    if version.draft is None:
        return overview(version)
    definition, _problems = read(version.draft)
    if definition is None:
        return None
    return overview_of(definition.stored(), definition.steps, Words.load(), audience=definition.audience)


def _checked(request: WorkspaceRequest, version: PlaybookVersion) -> dict[str, Any]:
    """Why it is applied to the account somebody asks about, or why not."""
    accounts = accounts_named(request.GET.get("check", ""), pk=request.GET.get("account", ""))
    alone = accounts[0] if len(accounts) == 1 else None
    try:
        why = why_of(version, alone, tenant=request.tenant, now=request.now) if alone else None
    except RuleErrors:
        why = None  # the overview says that its rules ask about something that is gone
    return {"check": request.GET.get("check", ""), "accounts": accounts, "account": alone, "why": why}


def _enrollments(request: WorkspaceRequest, playbook: Playbook) -> dict[str, Any]:
    """Whom it was applied to; `?show=left_out`: whom it was not, to compare."""
    out = leaves_out(playbook)
    if request.GET.get("show") == LEFT_OUT:
        return {"filters": _filters(playbook, Asked(), out), **_left_out(request, playbook)}
    wanted = Asked.of(request.GET)
    if wanted is None:
        raise Http404("There is no such filter.")
    return {"filters": _filters(playbook, wanted, out), **_applied_to(playbook, wanted)}


def _filters(playbook: Playbook, wanted: Asked, out: bool) -> list[tuple[str, str, str]]:
    """Name, words and address."""
    names = [*filters_of(playbook), *([LEFT_OUT] if out else [])]
    return [(name, _filter_label(name), wanted.address(show=name)) for name in names]


def _filter_label(name: str) -> str:
    words = {"waiting": "Waits for somebody", REACHED: "Reached", LEFT_OUT: "Left out to compare", RECORDED: "Dry runs"}
    return words.get(name, name.capitalize())


def _applied_to(playbook: Playbook, wanted: Asked) -> dict[str, Any]:
    page = load_enrolled(playbook, wanted)
    steps = [(step.key, action_for(step.action).describe(step.config)) for step in steps_of(playbook)]
    return {
        "wanted": wanted,
        "entered_by": ENTERED_WORDS.items(),
        "versions": version_numbers(playbook),
        "steps": steps,
        "page": page,
        "older": wanted.address(after=page.next) if page.next else "",
    }


def _left_out(request: WorkspaceRequest, playbook: Playbook) -> dict[str, Any]:
    after = Place.read(request.GET.get("after", ""))
    page = load_left_out(playbook, after=after, tenant=request.tenant, now=request.now)
    wanted = Asked(LEFT_OUT)
    return {"wanted": wanted, "left_out": page.rows, "older": wanted.address(after=page.next) if page.next else ""}


def _evaluations(request: WorkspaceRequest, playbook: Playbook) -> dict[str, Any]:
    """Newest first; `before` is the run of the last one shown."""
    found = Evaluation.objects.filter(playbook=playbook).select_related("run__requested_by").order_by("-run_id")
    before = request.GET.get("before", "")
    if before.isascii() and before.isdecimal() and len(before) < 19:
        found = found.filter(run_id__lt=int(before))
    rows = list(found[: EVALUATIONS_SHOWN + 1])
    shown = rows[:EVALUATIONS_SHOWN]
    actors = load_actors({one.settled_by for one in shown if one.settled_by})
    return {
        "evaluations": [(one, actors.get(one.settled_by)) for one in shown],
        "older": shown[-1].run_id if len(rows) > EVALUATIONS_SHOWN else None,
    }


def _versions(request: WorkspaceRequest, playbook: Playbook) -> dict[str, Any]:
    """`?compare=2`: that version beside the current one, the older first."""
    found = playbook.versions.select_related("published_by", "changed_by").order_by("-number")
    wanted = request.GET.get("compare", "")
    number = int(wanted) if wanted.isascii() and wanted.isdecimal() and len(wanted) < 9 else None
    other = found.filter(number=number).first() if number else None
    compared = _compared(playbook, other) if other else None
    return {
        "versions": found[:EVALUATIONS_SHOWN],
        "compared": compared,
        "elsewhere": running_elsewhere(playbook) if playbook.version_id else 0,
    }


@dataclass(frozen=True, slots=True)
class Compared:
    before: PlaybookVersion
    after: PlaybookVersion
    differences: Sequence[Difference]
    before_label: str
    after_label: str


def _compared(playbook: Playbook, other: PlaybookVersion) -> Compared | None:
    if playbook.version is None or other.pk == playbook.version.pk:
        return None
    before, after = sorted((playbook.version, other), key=lambda version: version.number)
    labels = [f"Version {one.number}" + ("" if one.published_at else ", draft") for one in (before, after)]
    found = differences(exported(playbook, before), exported(playbook, after))
    return Compared(before, after, found, *labels)


TABS = {"overview": _overview, "enrollments": _enrollments, "evaluations": _evaluations, "versions": _versions}


@require_POST
@requires(Ability.RELEASE_EVALUATIONS)
def settle_check(request: WorkspaceRequest, slug: str, pk: int, verb: str) -> HttpResponse:
    """A held evaluation is let through or dropped, once."""
    held = get_object_or_404(Evaluation.objects.select_related("tenant", "playbook"), pk=pk)
    text = _settle(held, verb, request)
    address = reverse("playbooks:evaluations", args=[slug, held.playbook_id])
    return playbook_changed(request, text, address=address)


def _settle(held: Evaluation, verb: str, request: WorkspaceRequest) -> str:
    by, now = request.membership, request.now
    if verb == "drop":
        dropped = evaluation.drop(held, by=by, now=now)
        return "Dropped: nothing was applied" if dropped else "Somebody settled it before you"
    released = evaluation.release(held, by=by, now=now)
    return "Let through: it is being applied" if released else "Somebody settled it before you"
