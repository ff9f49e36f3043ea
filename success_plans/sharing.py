"""The page a customer sees through a link: nothing but what was picked, as long as the link holds.

What is shown is built here from the picked parts alone; the template gets nothing else, so it cannot show more.
"""

import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final

from django.db import transaction

from cs_platform.tenancy.audit import record
from cs_platform.tenancy.models import Credential, Doer, hash_token
from ctas.models import Cta, Task
from success_plans.custom_fields import ShownValue, fields_of
from success_plans.models import ShareLink, ShareVisit, SuccessPlan
from success_plans.objectives import Line, load_lines
from success_plans.planning import CannotPlan
from success_plans.progress import NOTHING, Standing, load_progress, standing

PREFIX: Final = "plan_"
MOST_LINKS = 50  # of one plan
MOST_DAYS, USUAL_DAYS = 730, 90
SOON_DAYS = 14
VISITS_SHOWN = 100
ONE_VISIT = timedelta(hours=1)
OBJECTIVE, FIELD = "objective:", "field:"
PARTS: Final = (
    ("name", "Name of the plan"),
    ("standing", "On track, at risk or overdue"),
    ("progress", "Progress"),
    ("highlights", "Highlights"),
    ("dates", "Start and due date of the plan"),
    ("owner", "Who leads it"),
    ("metric", "What the customer measures"),
    ("due_dates", "When objectives and tasks are due"),
    ("tasks", "Tasks of the picked objectives"),
    ("people", "Who does what"),
    ("soon", "The next two weeks"),
    ("stakeholders", "Stakeholders"),
    ("act", "Stakeholders may do their tasks and write to you, by a code in their mail"),
)
_KNOWN = frozenset(key for key, _label in PARTS)


# --- links ------------------------------------------------------------------------------------------------------------


def make_link(
    plan: SuccessPlan, *, name: str, parts: Iterable[str], days: int = USUAL_DAYS, by: Doer, now: datetime
) -> tuple[ShareLink, str]:
    """The link and its token, which nobody can show again. Raises CannotPlan."""
    if plan.links.count() >= MOST_LINKS:
        raise CannotPlan(f"A plan can have {MOST_LINKS} links.")
    token = PREFIX + secrets.token_urlsafe(32)
    with transaction.atomic():
        link = ShareLink.objects.create(
            plan=plan,
            name=name,
            parts=checked_parts(plan, parts),
            token_hash=hash_token(token),
            last_four=token[-4:],
            created_at=now,
            created_by=by.actor,
            expires_at=now + timedelta(days=days),
        )
        kind = Credential.Kind.SHARE_LINK
        Credential.objects.create(token_hash=link.token_hash, kind=kind, tenant_id=link.tenant_id)
        _write_down("made", link, {}, by=by, now=now)
        plan.tell("shared", f"Plan shared with {name}: {plan.name}", by=by, now=now)
        return link, token


def change_link(
    link: ShareLink, *, name: str | None = None, parts: Iterable[str] | None = None, days: int | None = None,
    by: Doer, now: datetime,
) -> bool:  # fmt: skip
    """What is shown from now on, and for how long from now. False for one that was revoked. Raises CannotPlan."""
    before = _said(link)
    with transaction.atomic():
        held = ShareLink.objects.filter(pk=link.pk, revoked_at=None).select_for_update().first()
        if held is None:
            return False
        link.name = name or link.name
        link.parts = link.parts if parts is None else checked_parts(link.plan, parts)
        link.expires_at = link.expires_at if days is None else now + timedelta(days=days)
        link.save(update_fields=["name", "parts", "expires_at"])
        if _said(link) != before:
            _write_down("changed", link, before, by=by, now=now)
        return True


def revoke_link(link: ShareLink, *, by: Doer, now: datetime) -> bool:
    """It shows nothing from the next opening on. False: it was revoked before."""
    with transaction.atomic():
        if not ShareLink.objects.filter(pk=link.pk, revoked_at=None).update(revoked_at=now):
            return False
        Credential.objects.filter(token_hash=link.token_hash, tenant=link.tenant_id).delete()
        _write_down("revoked", link, {}, by=by, now=now)
        link.plan.tell("unshared", f"Share link of {link.name} revoked: {link.plan.name}", by=by, now=now)
        return True


def checked_parts(plan: SuccessPlan, parts: Iterable[str]) -> list[str]:
    """Of this plan only, each once, in a fixed order. Raises CannotPlan."""
    offered = [key for key, _label in offered_parts(plan)]
    picked = set(parts)
    if unknown := sorted(picked - set(offered)):
        raise CannotPlan(f"There is no part {', '.join(unknown)} to share.", "parts")
    return [key for key in offered if key in picked]


def offered_parts(plan: SuccessPlan) -> list[tuple[str, str]]:
    objectives = plan.objectives.filter(cta__archived_at=None).select_related("cta").order_by("position", "pk")
    return [
        *PARTS,
        *((f"{FIELD}{one.key}", one.label) for one in fields_of(plan.type.fields)),
        *((f"{OBJECTIVE}{one.pk}", one.cta.name) for one in objectives),
    ]


def _said(link: ShareLink) -> dict[str, Any]:
    return {"name": link.name, "parts": link.parts, "expires_at": link.expires_at.isoformat()}


def _write_down(verb: str, link: ShareLink, before: dict[str, Any], *, by: Doer, now: datetime) -> None:
    about: dict[str, Any] = {
        "subject_type": "share_link",
        "subject_id": link.pk,
        "name": f"{link.plan.name}: {link.name}",
    }
    record(verb=f"share_link.{verb}", **about, before=before, after=_said(link), by=by, now=now)


# --- what the customer sees -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SharedTask:
    title: str
    is_done: bool
    due_on: date | None
    who: str


@dataclass(frozen=True, slots=True)
class SharedObjective:
    name: str
    is_closed: bool
    closed_on: date | None
    due_on: date | None
    who: str
    percent: int | None  # None where progress was not picked
    done: int
    total: int
    tasks: Sequence[SharedTask]


@dataclass(frozen=True, slots=True)
class Soon:
    day: date
    title: str
    of: str
    who: str
    house: str  # whose they are: the customer's, or the workspace's own


@dataclass(frozen=True, slots=True)
class Metric:
    label: str
    unit: str
    start: float | None
    now: float | None
    goal: float | None


@dataclass(slots=True)
class SharedPlan:
    """Everything the page may say. What was not picked is empty here."""

    name: str = ""
    standing: Standing | None = None
    percent: int | None = None
    counted: str = ""
    highlights: str = ""
    start_on: date | None = None
    due_on: date | None = None
    owner: str = ""
    metric: Metric | None = None
    values: Sequence[ShownValue] = ()
    objectives: Sequence[SharedObjective] = ()
    soon: Sequence[Soon] = ()
    stakeholders: Sequence[tuple[str, str]] = ()
    has_soon: bool = False

    @property
    def is_empty(self) -> bool:
        counted = self.percent is not None or self.has_soon
        texts = (self.name, self.standing, self.highlights, self.start_on, self.due_on, self.owner, self.metric)
        return not (counted or any(texts) or any((self.values, self.objectives, self.stakeholders)))


def shared_plan(link: ShareLink, *, today: date) -> SharedPlan:
    plan, parts = link.plan, frozenset(link.parts)
    progress = load_progress([plan.pk]).get(plan.pk, NOTHING)
    lines = load_lines(plan, today=today)
    picked = [line for line in lines if f"{OBJECTIVE}{line.objective.pk}" in parts]
    shown = SharedPlan()
    if "name" in parts:
        shown.name = plan.name
    if "standing" in parts:
        shown.standing = standing(plan, progress, today=today)
    if "progress" in parts:
        shown.percent, shown.counted = progress.percent, _counted(plan, progress)
    if "highlights" in parts:
        shown.highlights = plan.highlights
    if "dates" in parts:
        shown.start_on, shown.due_on = plan.start_on, plan.due_on
    if "owner" in parts:
        shown.owner = plan.owner.name if plan.owner else ""
    if "metric" in parts and plan.metric:
        shown.metric = Metric(plan.metric, plan.metric_unit, plan.metric_start, plan.metric_now, plan.metric_goal)
    shown.values = [
        ShownValue(one, plan.values.get(one.key)) for one in fields_of(plan.type.fields) if f"{FIELD}{one.key}" in parts
    ]
    shown.objectives = [_objective(line, parts) for line in picked]
    if "soon" in parts:
        shown.soon, shown.has_soon = _soon(plan, picked, parts, today), True
    if "stakeholders" in parts:
        shown.stakeholders = list(plan.stakeholders.order_by("pk").values_list("name", "role"))
    return shown


def _counted(plan: SuccessPlan, progress: Any) -> str:
    if plan.type.formula == "tasks":
        return f"{progress.done} of {progress.tasks} tasks"
    return f"{progress.closed} of {progress.objectives} objectives"


def _objective(line: Line, parts: frozenset[str]) -> SharedObjective:
    """How it ended inside the house (won, lost, cancelled) is nobody else's business: it is closed."""
    cta, dated, counted = line.cta, "due_dates" in parts, "progress" in parts
    closed = cta.closed_at.date() if cta.closed_at and dated else None
    return SharedObjective(
        cta.name,
        not line.is_open,
        closed,
        cta.due_on if dated else None,
        _who(cta, parts),
        line.percent if counted else None,
        line.done if counted else 0,
        line.total if counted else 0,
        [_task(task, parts) for task in line.counted] if "tasks" in parts else (),
    )


def _task(task: Task, parts: frozenset[str]) -> SharedTask:
    due = task.due_on if "due_dates" in parts else None
    return SharedTask(task.title, task.status == Task.Status.DONE, due, _who(task, parts))


def _who(one: Cta | Task, parts: frozenset[str]) -> str:
    """Somebody at the customer, where a task was given to them, else whoever owns it here."""
    if "people" not in parts:
        return ""
    return _customer(one) or (one.owner.name if one.owner else "")


def _customer(one: Cta | Task) -> str:
    return getattr(one, "customer", None) or ""


def _soon(plan: SuccessPlan, lines: Sequence[Line], parts: frozenset[str], today: date) -> Sequence[Soon]:
    """Of picked objectives: their open tasks where tasks are shown, and the objectives themselves."""
    last, ours, theirs = today + timedelta(days=SOON_DAYS), plan.tenant.name, plan.account.name
    found = [
        Soon(line.cta.due_on, line.cta.name, "", _who(line.cta, parts), ours)
        for line in lines
        if line.is_open and line.cta.due_on and line.cta.due_on <= last
    ]
    if "tasks" in parts:
        found += [
            Soon(task.due_on, task.title, line.cta.name, _who(task, parts), theirs if _customer(task) else ours)
            for line in lines
            for task in line.tasks
            if task.status == Task.Status.OPEN and task.due_on and task.due_on <= last
        ]
    return sorted(found, key=lambda one: (one.day, one.title))


# --- who opened it ----------------------------------------------------------------------------------------------------


def note_visit(link: ShareLink, *, ip: str | None, browser: str, now: datetime) -> None:
    here = {"link": link, "ip_address": ip, "browser": browser[:200]}
    recent = ShareVisit.objects.filter(**here, last_at__gt=now - ONE_VISIT).order_by("-last_at", "-pk")
    latest = recent.select_for_update().first()
    if latest is None:
        ShareVisit.objects.create(**here, first_at=now, last_at=now)
        return
    latest.last_at, latest.times = now, latest.times + 1
    latest.save(update_fields=["last_at", "times"])


def visits_of(link: ShareLink) -> Sequence[ShareVisit]:
    return list(link.visits.order_by("-last_at", "-pk")[:VISITS_SHOWN])
