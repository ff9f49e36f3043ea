"""The fourth step of the wizard: the whole draft to read from start to end, what it would do tonight, and Set live."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.http import HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST

from accounts.rules.describe import counted
from accounts.table.rule_filter import PARAMETER
from actions.registry import action_for
from cs_platform.tenancy.looked_up import looked_up_once
from cs_platform.tenancy.roles import Ability
from cs_platform.web.pages import WorkspaceRequest, go_to, requires
from playbooks import drafts, versions
from playbooks.ahead import Ahead, look_ahead
from playbooks.conflicts import Finding, find_conflicts
from playbooks.definition import Definition, DefinitionErrors, Problem
from playbooks.drafts import ACTIONS, REVIEW, ChangedByAnother
from playbooks.dry_runs import start_dry_run
from playbooks.field_names import field_name, step_at
from playbooks.forecast import AHEAD
from playbooks.forecast import SHOWN as LOADS_SHOWN
from playbooks.library import Words
from playbooks.models import Playbook
from playbooks.moving import MoveAhead, Passed, look_ahead_of_move, start_move
from playbooks.overview import Overview, overview_of
from playbooks.proposing import decline, propose
from playbooks.views.wizard import TITLES, Wizard, answer, open_wizard, save, show
from playbooks.wizard_forms import whole

VALUES_SHOWN = 3
DRY_RUN = "dry"  # what the button says instead of going live
MOVE = "move"  # what runs goes on on the new version


@dataclass(frozen=True, slots=True)
class Mending:
    """A problem, and the page that mends it."""

    part: str
    field: str  # as that page calls it
    message: str
    address: str


@dataclass(frozen=True, slots=True)
class Check:
    tone: str  # ok, info or warn
    says: str
    detail: str = ""
    address: str = ""
    link: str = ""


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Ability.DRAFT_PLAYBOOKS)
@looked_up_once()
def review(request: WorkspaceRequest, slug: str, pk: int) -> HttpResponse:
    wizard = open_wizard(request, pk, "review")
    if isinstance(wizard, HttpResponse):
        return wizard
    return answer(wizard, _brake(request), _page) if request.method == "POST" else _page(wizard)


def _brake(request: WorkspaceRequest) -> dict[str, Any]:
    return {"brake_limit": whole(request.POST.get("brake_limit"))} if "brake_limit" in request.POST else {}


@require_POST
@requires(Ability.PUBLISH_PLAYBOOKS)
def publish(request: WorkspaceRequest, slug: str, pk: int) -> HttpResponse:
    """Set live accepts the number the person was shown: it comes with the form."""
    wizard = open_wizard(request, pk, "review")
    if isinstance(wizard, HttpResponse):
        return wizard
    try:
        save(wizard, _brake(request))
        said = _published(wizard)
    except ChangedByAnother as conflict:
        wizard.draft = conflict.draft
        return _page(wizard, conflict)
    except DefinitionErrors:
        return _page(wizard)
    except versions.NotPossible as refusal:
        messages.error(request, str(refusal))
        return go_to(request, wizard.home)
    messages.success(request, said)
    return go_to(request, wizard.home)


@require_POST
@requires(Ability.DRAFT_PLAYBOOKS)
def ask(request: WorkspaceRequest, slug: str, pk: int) -> HttpResponse:
    """Whoever may not set it live asks those who may."""
    wizard = open_wizard(request, pk, "review")
    if isinstance(wizard, HttpResponse):
        return wizard
    try:
        save(wizard, _brake(request))
        told = propose(wizard.draft, note=request.POST.get("note", ""), by=request.membership, now=request.now)
    except ChangedByAnother as conflict:
        wizard.draft = conflict.draft
        return _page(wizard, conflict)
    except versions.NotPossible as refusal:
        messages.error(request, str(refusal))
        return go_to(request, wizard.here)
    messages.success(request, f"Asked {counted(told, 'admin')} to set it live" if told else "There is no admin to ask")
    return go_to(request, wizard.here)


@require_POST
@requires(Ability.PUBLISH_PLAYBOOKS)
def not_yet(request: WorkspaceRequest, slug: str, pk: int) -> HttpResponse:
    """Whoever asked is told why, and the draft stays."""
    wizard = open_wizard(request, pk, "review")
    if isinstance(wizard, HttpResponse):
        return wizard
    asker = wizard.draft.asked_by
    try:
        decline(wizard.draft, note=request.POST.get("note", ""), by=request.membership, now=request.now)
    except versions.NotPossible as refusal:
        messages.error(request, str(refusal))
    else:
        messages.success(request, f"{asker.name} is told" if asker else "It is no longer asked for")
    return go_to(request, wizard.here)


def _published(wizard: Wizard) -> str:
    request, playbook = wizard.request, wizard.playbook
    if "live" not in request.POST:
        versions.publish(playbook, by=request.membership, now=request.now)
        moved = _moved(request, playbook)
        return f"Version {wizard.draft.number} of {playbook.name} is published{moved}"
    shown = whole(request.POST.get("expected_count"))
    expected = shown if isinstance(shown, int) and shown >= 0 else None
    if request.POST["live"] == DRY_RUN:
        start_dry_run(playbook, by=request.membership, now=request.now, expected_count=expected)
        return f"{playbook.name} is in a dry run: it records what it would do, and does nothing"
    versions.set_live(playbook, by=request.membership, now=request.now, expected_count=expected)
    hour = f"{request.tenant.evaluation_hour:02}:00"
    return f"{playbook.name} is live{_moved(request, playbook)}. The next check, at {hour}, applies it"


def _moved(request: WorkspaceRequest, playbook: Playbook) -> str:
    """What runs follows the new version, where that was chosen."""
    if request.POST.get("running") != MOVE:
        return ""
    passed = Passed.RUN if request.POST.get("passed") == Passed.RUN else Passed.SKIP
    playbook.refresh_from_db()
    job = start_move(playbook, passed=passed, by=request.membership, now=request.now)
    return f", and a job moves {counted(job.params['count'], 'running application')} to it" if job else ""


def _page(wizard: Wizard, conflict: ChangedByAnother | None = None) -> HttpResponse:
    wizard.judged = bool(wizard.problems) and (wizard.judged or wizard.request.method == "POST")
    context: dict[str, Any] = {"mending": [_mending(wizard, one) for one in wizard.problems]}
    definition = wizard.definition
    if definition:
        context |= _reviewed(wizard, definition)
    return show(wizard, context, conflict)


def _mending(wizard: Wizard, problem: Problem) -> Mending:
    part = drafts.part_of(problem.path)
    step = step_at(problem.path, wizard.content)
    asked = {"check": 1, "step": step["key"]} if step else {"check": 1}
    place = f"#id_{problem.path}" if part == REVIEW else ""
    address = f"{wizard.address(part)}?{urlencode(asked)}{place}"
    return Mending(TITLES[part], field_name(problem.path, wizard.content), problem.message, address)


def _reviewed(wizard: Wizard, definition: Definition) -> dict[str, Any]:
    request = wizard.request
    words = Words.load()
    planned = overview_of(definition.stored(), definition.steps, words, audience=definition.audience)
    ahead = look_ahead(definition, wizard.playbook, tenant=request.tenant, fields=wizard.fields, now=request.now)
    return {
        "definition": definition,
        "overview": planned,
        "stops": _stops(definition),
        "ahead": ahead,
        "day_one": _day_one(planned),
        "running": _running(wizard, definition),
        "ahead_days": AHEAD.days,
        "loads": ahead.loads[:LOADS_SHOWN] if ahead else (),
        "more_loads": max(0, len(ahead.loads) - LOADS_SHOWN) if ahead else 0,
        "checks": [*_checks(wizard, definition, ahead), *_conflicts(wizard, definition)],
    }


@dataclass(frozen=True, slots=True)
class Stop:
    """A day on the scale: where it lies between the first and the last, in per cent, and how many actions it has."""

    at: int
    apart: int  # the same, for a narrow screen
    day: int
    count: int


def _stops(definition: Definition) -> Sequence[Stop]:
    days = sorted(step.offset_days + 1 for step in definition.steps if not step.anchor)
    if not days:
        return ()
    each, length = sorted(set(days)), max(days[-1] - 1, 1)
    places = [100 * (day - 1) / length for day in each]
    lines = zip(_apart(places, by=4), _apart(places, by=8), each, strict=True)
    return [Stop(round(at), round(apart), day, days.count(day)) for at, apart, day in lines]


def _apart(places: Sequence[float], *, by: float) -> list[float]:
    """In the same order and between the same ends, but far enough from each other to be read."""
    by = min(by, 100 / max(len(places) - 1, 1))
    found = [0.0]
    for place in places[1:]:
        found.append(max(place, found[-1] + by))
    for at in range(len(found) - 1, -1, -1):
        found[at] = min(found[at], 100 - by * (len(found) - 1 - at))
    return found


def _day_one(planned: Overview) -> Sequence[str]:
    return [line.says for day in planned.days if day.label == "Day 1" for line in day.lines]


def _running(wizard: Wizard, definition: Definition) -> MoveAhead | None:
    """What becomes of what runs, if it moves to the version that is drafted."""
    request, weekends = wizard.request, definition.skip_weekends
    return look_ahead_of_move(
        wizard.playbook, steps=definition.steps, skips_weekends=weekends, tenant=request.tenant, now=request.now
    )


def _checks(wizard: Wizard, definition: Definition, ahead: Ahead | None) -> list[Check]:
    found = [_stopping(definition)]
    needs_csm = any("csm" in step.config.values() for step in definition.steps)
    if ahead and needs_csm and ahead.without_csm:
        said = f"{counted(ahead.without_csm, 'matching account')} {'has' if ahead.without_csm == 1 else 'have'} no CSM"
        show = _without_csm(wizard, definition)
        found.append(
            Check("warn", said, "What needs one takes the fallback, or waits for a person.", show, "Show them")
        )
    elif ahead and needs_csm and ahead.fresh:
        found.append(Check("ok", "Every account it would be applied to has a CSM"))
    return [*found, *(_values(wizard, ahead) if ahead and ahead.fresh else ())]


def _values(wizard: Wizard, ahead: Ahead) -> list[Check]:
    """Whether its texts find everywhere what they name."""
    missing = {label: count for label, count in ahead.without_value.items() if count}
    if not missing:
        said = "All variables have a value wherever it would be applied"
        return [Check("ok", said)] if ahead.without_value else []
    detail = "Its action waits for a person there. Fill it in, or give the text a default."
    address = wizard.address(ACTIONS)
    return [
        Check("warn", f"{label} has no value on {count:,} of {ahead.fresh:,}", detail, address, TITLES[ACTIONS])
        for label, count in list(missing.items())[:VALUES_SHOWN]
    ]


def _stopping(definition: Definition) -> Check:
    total = len(definition.steps)
    gone = sum(not action_for(step.action).reversible for step in definition.steps)
    if not gone:
        return Check("ok", "Everything it does can be undone by stopping it")
    said = f"{gone} of {counted(total, 'action')} cannot be undone" if total > 1 else "Its one action cannot be undone"
    return Check("warn", said, "What left the workspace stays, whatever is stopped later.")


def _without_csm(wizard: Wizard, definition: Definition) -> str:
    rule = definition.rules.get("account")
    filters = {PARAMETER: json.dumps(rule)} if rule else {}
    return f"{reverse('accounts:list', args=[wizard.request.tenant.slug])}?{urlencode(filters | {'csm': 'nobody'})}"


def _conflicts(wizard: Wizard, definition: Definition) -> list[Check]:
    tenant = wizard.request.tenant
    found = find_conflicts(definition, wizard.playbook, tenant=tenant, fields=wizard.fields, now=wizard.request.now)
    if not found:
        return [Check("ok", "No other playbook disagrees with it, or goes round in a circle with it")]
    return [Check(one.tone, one.says, one.detail, *_place_of(wizard, one)) for one in found]


def _place_of(wizard: Wizard, finding: Finding) -> tuple[str, str]:
    if finding.playbook is None:
        return wizard.address(finding.part), TITLES[finding.part]
    address = reverse("playbooks:detail", args=[wizard.request.tenant.slug, finding.playbook.pk])
    return address, f"Open {finding.playbook.name}"
