"""Templates of plans: what they hold, and starting any number of plans from one in as many statements as for one."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from accounts.models import Account
from cs_platform.tenancy.models import Doer, Membership
from cs_platform.workspace.holidays import load_holidays, working_day
from ctas.models import Cta, Task
from ctas.playbooks import cta_playbooks
from success_plans.models import Dependency, Objective, PlanTemplate, SuccessPlan
from success_plans.planning import MOST_OBJECTIVES, CannotPlan, active_members, tell_owner, typed_values

MOST_TASKS = 30  # of one objective
MOST_DAYS = 1_000
OWNER, CSM, AE, MEMBER = "", "csm", "ae", "member:"  # who does it: the plan's owner, or somebody of the account's team


@dataclass(frozen=True, slots=True)
class TaskLine:
    title: str
    description: str = ""
    due_day: int | None = None  # days after the plan's start
    owner: str = OWNER


@dataclass(frozen=True, slots=True)
class ObjectiveLine:
    name: str
    category: str = ""
    weight: int = 1
    start_day: int | None = None
    due_day: int | None = None
    owner: str = OWNER
    comment: str = ""
    needs: tuple[int, ...] = ()  # places of others in the list, from 0
    playbook: str = ""  # key of a CTA playbook that sets up more tasks
    tasks: tuple[TaskLine, ...] = ()


@dataclass(frozen=True, slots=True)
class Outline:
    """What a template's definition says."""

    highlights: str = ""
    values: Mapping[str, Any] = field(default_factory=dict)
    objectives: tuple[ObjectiveLine, ...] = ()
    on_weekends: bool = False  # otherwise due dates move to the next working day


def outline_of(definition: Mapping[str, Any]) -> Outline:
    """Of a definition that was checked when it was stored."""
    lines = [
        ObjectiveLine(
            **{
                **one,
                "needs": tuple(one.get("needs", ())),
                "tasks": tuple(TaskLine(**task) for task in one.get("tasks", ())),
            }
        )
        for one in definition.get("objectives", ())
    ]
    said = {"highlights": definition.get("highlights", ""), "values": definition.get("values", {})}
    return Outline(**said, objectives=tuple(lines), on_weekends=definition.get("on_weekends", False))


# --- checking ---------------------------------------------------------------------------------------------------------


def checked_definition(given: Mapping[str, Any], *, type: Any) -> dict[str, Any]:
    """As it is stored. Raises CannotPlan with the place of what is wrong: `objectives/0/tasks/2/title`."""
    objectives = given.get("objectives") or []
    if len(objectives) > MOST_OBJECTIVES:
        raise CannotPlan(f"A template can have {MOST_OBJECTIVES} objectives.", "objectives")
    emails = {email.lower() for email in active_members().values_list("email", flat=True)}
    checked = [
        _objective(one, f"objectives/{at}", total=len(objectives), emails=emails) for at, one in enumerate(objectives)
    ]
    _refuse_unknown_playbooks(checked)
    _refuse_circles(checked)
    values = typed_values(type, dict(given.get("values") or {}), present={})
    return {
        "highlights": str(given.get("highlights") or "")[:10_000],
        "values": values,
        "objectives": checked,
        "on_weekends": bool(given.get("on_weekends")),
    }


def _objective(one: Mapping[str, Any], at: str, *, total: int, emails: set[str]) -> dict[str, Any]:
    tasks = list(one.get("tasks") or [])
    if len(tasks) > MOST_TASKS:
        raise CannotPlan(f"An objective can have {MOST_TASKS} tasks.", f"{at}/tasks")
    start, due = (_days(one, name, at) for name in ("start_day", "due_day"))
    if start is not None and due is not None and due < start:
        raise CannotPlan("It would be due before it starts.", f"{at}/due_day")
    needs = sorted(set(one.get("needs") or ()))
    if any(not isinstance(place, int) or not 0 <= place < total for place in needs):
        raise CannotPlan("There is no objective in this place.", f"{at}/needs")
    weight = one.get("weight") or 1
    if not isinstance(weight, int) or isinstance(weight, bool) or not 1 <= weight <= 100:
        raise CannotPlan("Enter a weight from 1 to 100.", f"{at}/weight")
    return {
        "name": _text(one, "name", f"{at}/name", 500),
        "category": str(one.get("category") or "").strip()[:100],
        "weight": weight,
        "start_day": start,
        "due_day": due,
        "owner": _owner(one, at, emails),
        "comment": str(one.get("comment") or "")[:10_000],
        "needs": needs,
        "playbook": str(one.get("playbook") or ""),
        "tasks": [_task(task, f"{at}/tasks/{n}", emails) for n, task in enumerate(tasks)],
    }


def _task(one: Mapping[str, Any], at: str, emails: set[str]) -> dict[str, Any]:
    return {
        "title": _text(one, "title", f"{at}/title", 500),
        "description": str(one.get("description") or "")[:10_000],
        "due_day": _days(one, "due_day", at),
        "owner": _owner(one, at, emails),
    }


def _text(one: Mapping[str, Any], name: str, at: str, limit: int) -> str:
    text = " ".join(str(one.get(name) or "").replace("\x00", "").split())
    if not text:
        raise CannotPlan("Write what it is called.", at)
    return text[:limit]


def _days(one: Mapping[str, Any], name: str, at: str) -> int | None:
    days = one.get(name)
    if days is None:
        return None
    if not isinstance(days, int) or isinstance(days, bool) or not 0 <= days <= MOST_DAYS:
        raise CannotPlan(f"Enter days after the start, from 0 to {MOST_DAYS:,}.", f"{at}/{name}")
    return days


def _owner(one: Mapping[str, Any], at: str, emails: set[str]) -> str:
    owner = str(one.get("owner") or "").strip().lower()
    if owner in (OWNER, CSM, AE):
        return owner
    if owner.startswith(MEMBER) and owner.removeprefix(MEMBER) in emails:
        return owner
    raise CannotPlan('Choose "csm", "ae" or "member:" followed by the email of an active team member.', f"{at}/owner")


def _refuse_unknown_playbooks(objectives: Sequence[Mapping[str, Any]]) -> None:
    if not any(one["playbook"] for one in objectives):
        return
    suiting = {one.key for one in cta_playbooks().offered() if one.is_for(Cta.Type.OBJECTIVE)}
    for at, one in enumerate(objectives):
        if one["playbook"] and one["playbook"] not in suiting:
            problem = f"There is no live CTA playbook for objectives with the key {one['playbook']}."
            raise CannotPlan(problem, f"objectives/{at}/playbook")


def _refuse_circles(objectives: Sequence[Mapping[str, Any]]) -> None:
    done: set[int] = set()
    while len(done) < len(objectives):
        free = {at for at, one in enumerate(objectives) if at not in done and done.issuperset(one["needs"])}
        if not free:
            stuck = min(set(range(len(objectives))) - done)
            raise CannotPlan("Some objectives would wait for each other.", f"objectives/{stuck}/needs")
        done |= free


# --- starting ---------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Wanted:
    """One plan to be started. `people` says who a role means: "csm", "ae", "member:<email>"."""

    account_id: int
    name: str
    owner_id: int | None
    people: Callable[[str], int | None]
    start_on: date
    due_on: date | None = None
    run_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Started:
    plan: SuccessPlan
    ctas: Sequence[Cta]
    tasks: Sequence[Task]

    def playbooks(self, outline: Outline) -> list[tuple[int, str]]:
        """Which CTAs are to get which CTA playbook; whoever starts the plan applies it."""
        return [
            (cta.pk, line.playbook) for cta, line in zip(self.ctas, outline.objectives, strict=True) if line.playbook
        ]


def start_plans(
    wanted: Sequence[Wanted], template: PlanTemplate, *, activate: bool, actor: str, now: datetime
) -> list[Started]:
    """Plans, CTAs, places, tasks and dependencies: one statement each, however many plans. Tells no timeline."""
    outline = outline_of(template.definition)
    plans = SuccessPlan.objects.bulk_create(
        [_plan(one, template, outline, activate=activate, actor=actor, now=now) for one in wanted]
    )
    due = _Due.of(outline, since=min(one.start_on for one in wanted))
    ctas = [_ctas(one, outline, due, activate=activate, actor=actor, now=now) for one in wanted]
    Cta.objects.bulk_create([cta for mine in ctas for cta in mine])
    places = [
        _places(plan, mine, outline, one, actor=actor, now=now)
        for plan, mine, one in zip(plans, ctas, wanted, strict=True)
    ]
    Objective.objects.bulk_create([place for mine in places for place in mine])
    tasks = [_tasks(mine, outline, one, due, actor=actor, now=now) for mine, one in zip(ctas, wanted, strict=True)]
    Task.objects.bulk_create([task for mine in tasks for task in mine])
    Dependency.objects.bulk_create([need for mine in places for need in _needs(mine, outline)])
    return [Started(*found) for found in zip(plans, ctas, tasks, strict=True)]


def _plan(
    one: Wanted, template: PlanTemplate, outline: Outline, *, activate: bool, actor: str, now: datetime
) -> SuccessPlan:
    days = template.duration_days
    return SuccessPlan(
        account_id=one.account_id,
        type_id=template.type_id,
        template=template,
        name=one.name,
        owner_id=one.owner_id,
        status=SuccessPlan.Status.ACTIVE if activate else SuccessPlan.Status.DRAFT,
        activated_at=now if activate else None,
        start_on=one.start_on,
        due_on=one.due_on or (None if days is None else one.start_on + timedelta(days=days)),
        highlights=outline.highlights,
        values=dict(outline.values),
        origin_run_id=one.run_id,
        created_at=now,
        created_by=actor,
    )


@dataclass(frozen=True, slots=True)
class _Due:
    """When things are due that are counted from the start of a plan."""

    on_weekends: bool
    holidays: Collection[date]

    @classmethod
    def of(cls, outline: Outline, *, since: date) -> "_Due":
        return cls(outline.on_weekends, () if outline.on_weekends else load_holidays(since=since))

    def __call__(self, one: Wanted, days: int | None) -> date | None:
        day = _day(one, days)
        return day if day is None or self.on_weekends else working_day(day, self.holidays)


def _ctas(one: Wanted, outline: Outline, due: _Due, *, activate: bool, actor: str, now: datetime) -> list[Cta]:
    return [
        Cta(
            account_id=one.account_id,
            name=line.name,
            type=Cta.Type.OBJECTIVE,
            status=Cta.Status.OPEN if activate else Cta.Status.DRAFT,
            owner_id=_owner_id(one, line.owner),
            due_on=due(one, line.due_day),
            comment=line.comment,
            origin_run_id=one.run_id,
            origin_ordinal=at,
            created_at=now,
            created_by=actor,
        )
        for at, line in enumerate(outline.objectives)
    ]


def _places(
    plan: SuccessPlan, ctas: Sequence[Cta], outline: Outline, one: Wanted, *, actor: str, now: datetime
) -> list[Objective]:
    return [
        Objective(
            plan=plan,
            cta=cta,
            category=line.category,
            weight=line.weight,
            position=at,
            start_on=_day(one, line.start_day),
            joined_at=now,
            joined_by=actor,
        )
        for at, (cta, line) in enumerate(zip(ctas, outline.objectives, strict=True))
    ]


def _tasks(ctas: Sequence[Cta], outline: Outline, one: Wanted, due: _Due, *, actor: str, now: datetime) -> list[Task]:
    """Numbered through the whole plan, so that a run's tasks stay apart."""
    lines = [
        (cta, at, task) for cta, of in zip(ctas, outline.objectives, strict=True) for at, task in enumerate(of.tasks)
    ]
    return [
        Task(
            cta=cta,
            title=task.title,
            description=task.description,
            owner_id=_owner_id(one, task.owner) if task.owner else cta.owner_id,
            due_on=due(one, task.due_day),
            position=at,
            origin_run_id=one.run_id,
            origin_ordinal=ordinal,
            created_at=now,
            created_by=actor,
        )
        for ordinal, (cta, at, task) in enumerate(lines)
    ]


def _needs(places: Sequence[Objective], outline: Outline) -> list[Dependency]:
    return [
        Dependency(objective=place, needed=places[at])
        for place, line in zip(places, outline.objectives, strict=True)
        for at in line.needs
    ]


def _owner_id(one: Wanted, role: str) -> int | None:
    """Whoever the role means; where nobody active holds it, the plan's owner."""
    return (one.people(role) if role else None) or one.owner_id


def _day(one: Wanted, days: int | None) -> date | None:
    return None if days is None else one.start_on + timedelta(days=days)


def start_by_hand(
    template: PlanTemplate,
    *,
    account: Account,
    name: str,
    owner: Membership | None,
    start_on: date,
    due_on: date | None = None,
    by: Doer,
    now: datetime,
) -> SuccessPlan:
    """One plan, a draft, for somebody who looks at it before it begins. Raises CannotPlan."""
    if due_on and due_on < start_on:
        raise CannotPlan("It ends before it starts. Choose a later due date or an earlier start.", "due_on")
    outline = outline_of(template.definition)
    _refuse_missing_playbooks(outline)
    people = _people(account)
    wanted = Wanted(account.pk, name, owner.pk if owner else None, people.get, start_on, due_on)
    [started] = start_plans([wanted], template, activate=False, actor=by.actor, now=now)
    for key, ctas in _by_playbook(started.playbooks(outline)).items():
        cta_playbooks().apply_to_many(key, ctas, by=by, now=now)
    tell_owner(started.plan, by=by, now=now)
    started.plan.tell("created", f"Plan started from {template.name}: {name}", by=by, now=now)
    return started.plan


def _refuse_missing_playbooks(outline: Outline) -> None:
    """Somebody is there who can do something about it; a run leaves them out."""
    wanted = {line.playbook for line in outline.objectives if line.playbook}
    missing = wanted and wanted.difference(one.key for one in cta_playbooks().offered())
    if missing:
        problem = (
            f"It applies the CTA playbook {min(missing)}, which is not live. Change the template, or set that live."
        )
        raise CannotPlan(problem, "template")


def _by_playbook(wanted: Iterable[tuple[int, str]]) -> dict[str, list[int]]:
    found: dict[str, list[int]] = defaultdict(list)
    for cta_id, key in wanted:
        found[key].append(cta_id)
    return found


def _people(account: Account) -> dict[str, int]:
    active = {member.pk: member for member in active_members()}
    found = {f"{MEMBER}{member.email.lower()}": pk for pk, member in active.items()}
    return found | {role: pk for role, pk in ((CSM, account.csm_id), (AE, account.ae_id)) if pk in active}
