"""Many CTAs at once: assign, move, close, snooze, rank or archive those ticked, or all that a list holds.

Each verb says what a CTA and its open tasks become; writing that down, and taking back what is still so, is the same
for all of them.
"""

import json
from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cache
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

from django import forms
from django.conf import settings
from django.db.models import QuerySet
from django.http import QueryDict
from django.utils.module_loading import import_string

from accounts.models import TimelineEntry
from cs_platform.common.statements import fetch
from cs_platform.jobs import bulk
from cs_platform.jobs.bulk import BulkKind, CannotChoose, Config, Done, VerbForm
from cs_platform.jobs.kinds import Item, JobRefused
from cs_platform.jobs.models import Job, JobItem
from cs_platform.jobs.starting import start_job
from cs_platform.tenancy.context import current_tenant_id
from cs_platform.tenancy.models import Doer, Membership, Tenant
from cs_platform.tenancy.roles import Ability
from ctas.cockpit import Asked, Tab, matching
from ctas.entry_fields import EntryField
from ctas.forms import DAY
from ctas.lists import Kind, Lists, current_lists
from ctas.models import CLOSED, Cta, Task
from ctas.recurring import open_next
from ctas.telling import tell_of_many
from ctas.working import FieldsMissing, missing_to_close

BULK_EDIT_CTAS = "bulk_edit_ctas"
NAMES_SHOWN = 5
FURTHEST = 3_650
MOST_MEMBERS = 1_000
GONE = "The CTA is archived."
NOT_OPEN = "It is closed. Reopen it first."
CHANGED_SINCE = "Somebody or something has changed it since: it stays."
CLOSED_WITH_IT = "the CTA was closed"


# Which ----------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Selection:
    """Kept in the job as `{"ids": […]}` or `{"query": "tab=team&type=risk"}`."""

    ids: tuple[int, ...] = ()
    query: str | None = None

    @classmethod
    def of(cls, params: Mapping[str, Any]) -> "Selection":
        return cls(tuple(params.get("ids", ())), params.get("query"))

    @property
    def params(self) -> dict[str, Any]:
        return {"ids": list(self.ids)} if self.query is None else {"query": self.query}

    def among(self, *, tenant: Tenant, member: Membership | None, now: datetime) -> "Chosen":
        """Raises CannotChoose. `now` is the moment of choosing, so that “today” stays the same through a long job."""
        if self.query is None:
            return Chosen(Cta.objects.present().filter(pk__in=self.ids))
        asked = Asked.of(QueryDict(self.query))
        if asked.tab in (Tab.TASKS, Tab.CONVERSATIONS):
            raise CannotChoose("Only CTAs are edited together. Choose a list of CTAs.")
        if member is None and asked.tab is not Tab.TEAM:
            raise CannotChoose("A key has no CTAs of its own. Ask for tab=team, with owner= where one person is meant.")
        today = _today(tenant, now)
        return Chosen(matching(asked, member=member, today=today, lists=current_lists()))


def _today(tenant: Tenant, now: datetime) -> date:
    return now.astimezone(ZoneInfo(tenant.timezone)).date()


@dataclass(frozen=True, slots=True)
class Chosen:
    """What was matched may stop matching as soon as it is changed: ids only grow, so each is met once."""

    rows: QuerySet[Any]

    def count(self) -> int:
        return self.rows.order_by().count()

    def next_ids(self, *, after: int, limit: int) -> list[int]:
        return list(self.rows.filter(pk__gt=after).order_by("pk").values_list("pk", flat=True)[:limit])

    def names(self) -> list[str]:
        return list(self.rows.order_by("pk").values_list("name", flat=True)[:NAMES_SHOWN])


# The job --------------------------------------------------------------------------------------------------------------


def start_bulk_edit(selection: Selection, verb: bulk.BulkVerb, config: Config, *, by: Doer, now: datetime) -> Job:
    params = {"selection": selection.params, "verb": verb.key, "config": dict(config)}
    return start_job(BULK_EDIT_CTAS, title=verb.describe(config), params=params, by=by, now=now)


class BulkEditCtas(BulkKind):
    key = BULK_EDIT_CTAS
    label = "Bulk edit of CTAs"
    ability = Ability.WORK_CTAS
    event = "account:changed"

    def verbs(self) -> Mapping[str, bulk.BulkVerb]:
        return bulk_verbs()

    def names(self, ids: Iterable[int]) -> Mapping[int, str]:
        return dict(Cta.objects.filter(pk__in=list(ids)).values_list("pk", "name"))

    def chosen(self, job: Job) -> Chosen:
        try:
            selection = Selection.of(job.params["selection"])
            return selection.among(tenant=job.tenant, member=job.member, now=job.created_at)
        except CannotChoose as refusal:
            raise JobRefused(str(refusal)) from None


@cache
def bulk_verbs() -> Mapping[str, bulk.BulkVerb]:
    verbs: list[bulk.BulkVerb] = [import_string(path)() for path in settings.CTA_BULK_VERBS]
    return {verb.key: verb for verb in verbs}


# Writing, and taking back ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Becomes:
    """Columns and their new values, of the CTA and of those of its open tasks that change."""

    cta: Mapping[str, Any]
    tasks: Mapping[int, Mapping[str, Any]]


Rows = Mapping[int, Mapping[str, Any]]

_COLUMNS = {
    "owner_id": "bigint",
    "due_on": "date",
    "status": "text",
    "stage": "text",
    "priority": "text",
    "closed_at": "timestamptz",
    "closed_by": "text",
    "snoozed_until": "date",
    "snooze_reason": "text",
    "archived_at": "timestamptz",
    "reason": "text",
}


class CtaVerb(bulk.BulkVerb, ABC):
    ability = Ability.WORK_CTAS
    with_archived: ClassVar[bool] = False  # whether undoing reaches what is archived

    def refuse(self, cta: Cta, config: Config, lists: Lists) -> str:
        """Why this one cannot be done; empty when it can."""
        return "" if cta.status == Cta.Status.OPEN else NOT_OPEN

    @abstractmethod
    def becomes(self, cta: Cta, tasks: Sequence[Task], task: bulk.Task, lists: Lists) -> Becomes:
        """What it and its open tasks are afterwards."""

    def tells(self, config: Config, lists: Lists) -> tuple[str, str]:
        """Kind and beginning of the line on the timeline."""
        return "cta.edited", f"CTA changed ({self.describe(config).lower()})"

    def apply(self, task: bulk.Task, ids: Sequence[int]) -> Done:
        lists, ctas = current_lists(), _lock(Cta.objects.present().filter(pk__in=ids))
        refused = {pk: GONE for pk in ids if pk not in ctas}
        refused |= {pk: why for pk, cta in ctas.items() if (why := self.refuse(cta, task.config, lists))}
        wanted = {pk: cta for pk, cta in ctas.items() if pk not in refused}
        tasks = _open_tasks(wanted) if task.config.get("tasks") else {}
        made = {pk: self.becomes(cta, tasks.get(pk, ()), task, lists) for pk, cta in wanted.items()}
        items = [item for pk, cta in wanted.items() if (item := _item(cta, tasks.get(pk, ()), made[pk]))]
        _write_items(items, task, side="after")
        changed = [wanted[_id(item)] for item in items]
        _tell(changed, task, *self.tells(task.config, lists))
        self.then(changed, task, lists)
        return Done(items, refused)

    def then(self, changed: Sequence[Cta], task: bulk.Task, lists: Lists) -> None:
        """What follows from it."""

    def restore(self, task: bulk.Task, items: Sequence[JobItem], *, undone: str) -> Mapping[str, str]:
        rows = Cta.objects.all() if self.with_archived else Cta.objects.present()
        ctas = _lock(rows.filter(pk__in=[_id(item) for item in items]))
        kept = {item.subject: GONE for item in items if _id(item) not in ctas}
        here = [item for item in items if item.subject not in kept]
        kept |= {
            item.subject: CHANGED_SINCE
            for item in here
            if not _is(ctas[_id(item)], item.after["cta"]) and not _is(ctas[_id(item)], item.before["cta"])
        }
        ours = [item for item in here if item.subject not in kept]
        _write_items(_with_tasks_that_are(ours), task, side="before")
        back = [ctas[_id(item)] for item in ours]
        _tell(back, task, "cta.edited", f"Undone ({self.describe(task.config).lower()})")
        return kept


def _lock(rows: QuerySet[Any]) -> dict[int, Any]:
    """In the order of ids, like every batch of the engine."""
    return {row.pk: row for row in rows.order_by("pk").select_for_update(no_key=True, of=("self",))}


def _open_tasks(ctas: Iterable[int]) -> dict[int, list[Task]]:
    found: dict[int, list[Task]] = defaultdict(list)
    for task in _lock(Task.objects.open().filter(cta__in=list(ctas))).values():
        found[task.cta_id].append(task)
    return found


def _item(cta: Cta, tasks: Sequence[Task], made: Becomes) -> Item | None:
    """None where everything is so already."""
    known = {task.pk: task for task in tasks}
    changing = {pk: facts for pk, facts in made.tasks.items() if not _is(known[pk], _plain(facts))}
    if _is(cta, _plain(made.cta)) and not changing:
        return None
    before_tasks = {str(pk): _now(known[pk], facts) for pk, facts in changing.items()}
    return Item(
        f"cta:{cta.pk}",
        {"cta": _now(cta, made.cta), "tasks": before_tasks},
        {"cta": _plain(made.cta), "tasks": {str(pk): _plain(facts) for pk, facts in changing.items()}},
    )


def _id(item: Item | JobItem) -> int:
    return int(item.subject.partition(":")[2])


def _now(row: Any, names: Iterable[str]) -> dict[str, Any]:
    return _plain({name: getattr(row, name) for name in names})


def _plain(facts: Mapping[str, Any]) -> dict[str, Any]:
    """As JSON keeps it."""
    return {name: value.isoformat() if isinstance(value, date) else value for name, value in facts.items()}


def _is(row: Any, facts: Mapping[str, Any]) -> bool:
    return _now(row, facts) == dict(facts)


def _with_tasks_that_are(items: Sequence[JobItem]) -> list[Item]:
    """Without the tasks somebody has changed since."""
    ids = [int(pk) for item in items for pk in item.after["tasks"]]
    tasks = _lock(Task.objects.present().filter(pk__in=ids)) if ids else {}

    def untouched(item: JobItem) -> dict[str, Any]:
        return {
            pk: facts
            for pk, facts in item.before["tasks"].items()
            if int(pk) in tasks and _is(tasks[int(pk)], item.after["tasks"][pk])
        }

    return [Item(item.subject, {"cta": item.before["cta"], "tasks": untouched(item)}) for item in items]


def _write_items(items: Sequence[Item], task: bulk.Task, *, side: str) -> None:
    facts = {_id(item): getattr(item, side) for item in items}
    _write("ctas_cta", {pk: one["cta"] for pk, one in facts.items()}, task)
    _write("ctas_task", {int(pk): values for one in facts.values() for pk, values in one["tasks"].items()}, task)


def _write(table: str, rows: Rows, task: bulk.Task) -> None:
    """All of one table in one statement; who asked for it has worked on each."""
    if not rows:
        return
    names = list(next(iter(rows.values())))
    fetch(
        f"""
        UPDATE {table} t SET {", ".join(f"{name} = n.{name}" for name in names)},
            touched_at = %(now)s, touched_by_id = COALESCE(%(member)s, t.touched_by_id)
        FROM jsonb_to_recordset(%(rows)s::jsonb)
            AS n(id bigint, {", ".join(f"{name} {_COLUMNS[name]}" for name in names)})
        WHERE t.tenant_id = %(tenant)s AND t.id = n.id
        """,
        {
            "tenant": current_tenant_id(),
            "now": task.now,
            "member": task.member_id,
            "rows": json.dumps([{"id": pk, **facts} for pk, facts in rows.items()]),
        },
    )


def _tell(ctas: Iterable[Cta], task: bulk.Task, kind: str, words: str) -> None:
    TimelineEntry.objects.bulk_create(
        TimelineEntry(
            account_id=cta.account_id,
            end_user_id=cta.end_user_id,
            at=task.now,
            kind=kind,
            actor=task.actor,
            text=f"{words}: {cta.name}",
            subject=f"cta:{cta.pk}",
        )
        for cta in ctas
    )


# The verbs ------------------------------------------------------------------------------------------------------------


class AssignForm(VerbForm):
    owner = forms.ChoiceField(required=False, error_messages={"invalid_choice": "Choose an active member."})
    tasks = forms.BooleanField(required=False, initial=True, label="Open tasks, too")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        members = Membership.objects.in_tenant(current_tenant_id()).active().order_by("name", "pk")
        named = [(str(pk), name) for pk, name in members.values_list("pk", "name")[:MOST_MEMBERS]]
        self.fields["owner"].choices = [("", "Nobody"), *named]  # type: ignore[attr-defined]

    def config(self) -> dict[str, Any]:
        owner = self.cleaned_data["owner"]
        return {"owner": int(owner) if owner else None, "tasks": self.cleaned_data["tasks"]}


class Assign(CtaVerb):
    key = "assign"
    label = "Assign"
    icon = "user-plus"
    form = AssignForm

    def describe(self, config: Config) -> str:
        found = Membership.objects.in_tenant(current_tenant_id()).filter(pk=config["owner"] or 0).first()
        return f"Assign to {found.name if found else 'nobody'}"

    def then(self, changed: Sequence[Cta], task: bulk.Task, lists: Lists) -> None:
        members = Membership.objects.in_tenant(current_tenant_id()).filter(pk=task.config["owner"] or 0)
        owner = members.select_related("tenant").first()
        if owner and changed and owner.pk != task.member_id:
            tell_of_many(owner, len(changed), by=Asker(task.person), now=task.now)

    def becomes(self, cta: Cta, tasks: Sequence[Task], task: bulk.Task, lists: Lists) -> Becomes:
        owner = {"owner_id": task.config["owner"]}
        return Becomes(owner, {one.pk: owner for one in tasks})


class DueForm(VerbForm):
    due_on = forms.DateField(required=False, widget=DAY, label="Due", help_text="Leave it empty for no due date.")

    def config(self) -> dict[str, Any]:
        due_on = self.cleaned_data["due_on"]
        return {"due_on": due_on and due_on.isoformat()}


class SetDue(CtaVerb):
    key = "set_due"
    label = "Set due date"
    icon = "calendar"
    form = DueForm

    def describe(self, config: Config) -> str:
        due_on = _day(config["due_on"])
        return f"Make it due on {due_on:%-d %b %Y}" if due_on else "Take the due date away"

    def becomes(self, cta: Cta, tasks: Sequence[Task], task: bulk.Task, lists: Lists) -> Becomes:
        return Becomes({"due_on": _day(task.config["due_on"])}, {})


def _day(text: str | None) -> date | None:
    return date.fromisoformat(text) if text else None


class ShiftForm(VerbForm):
    days = forms.IntegerField(
        min_value=-FURTHEST, max_value=FURTHEST, initial=7, help_text="Days later; with a minus, earlier."
    )
    tasks = forms.BooleanField(required=False, initial=True, label="Open tasks, too")


class ShiftDue(CtaVerb):
    key = "shift_due"
    label = "Move due date"
    icon = "calendar-arrow-down"
    form = ShiftForm

    def describe(self, config: Config) -> str:
        days = abs(config["days"])
        return f"Move by {days} {'day' if days == 1 else 'days'} {'earlier' if config['days'] < 0 else 'later'}"

    def refuse(self, cta: Cta, config: Config, lists: Lists) -> str:
        return super().refuse(cta, config, lists) or ("" if cta.due_on else "It has no due date to move.")

    def becomes(self, cta: Cta, tasks: Sequence[Task], task: bulk.Task, lists: Lists) -> Becomes:
        by = timedelta(days=task.config["days"])
        moved = {one.pk: {"due_on": one.due_on + by} for one in tasks if one.due_on}
        return Becomes({"due_on": cta.due_on and cta.due_on + by}, moved)


class StatusForm(VerbForm):
    stage = EntryField(Kind.STATUS, label="Status")
    tasks = forms.BooleanField(required=False, initial=True, label="Where it closes: cancel open tasks")


class SetStatus(CtaVerb):
    key = "set_status"
    label = "Set status or close"
    icon = "circle-dot"
    form = StatusForm

    def describe(self, config: Config) -> str:
        return f"Set status to {current_lists().find(Kind.STATUS, config['stage']).name}"

    def refuse(self, cta: Cta, config: Config, lists: Lists) -> str:
        status = lists.find(Kind.STATUS, config["stage"])
        if cta.status == Cta.Status.DRAFT:
            return "It belongs to a success plan that has not begun."
        closes = status.category in CLOSED and cta.status == Cta.Status.OPEN
        missing = missing_to_close(cta, lists=lists) if closes else []
        return str(FieldsMissing(missing, to="close")) if missing else ""

    def becomes(self, cta: Cta, tasks: Sequence[Task], task: bulk.Task, lists: Lists) -> Becomes:
        status = lists.find(Kind.STATUS, task.config["stage"])
        moves = {"status": status.category, "stage": status.key}
        closes = status.category in CLOSED
        if closes and cta.status == Cta.Status.OPEN:
            ended = {"closed_at": task.now, "closed_by": task.person}
        elif closes:
            ended = {"closed_at": cta.closed_at, "closed_by": cta.closed_by}
        else:
            ended = {"closed_at": None, "closed_by": ""}
        snoozed = {"snoozed_until": None, "snooze_reason": ""} if closes else _snoozed(cta)
        cancelled = {"status": Task.Status.CANCELLED.value, "reason": CLOSED_WITH_IT}
        return Becomes(moves | ended | snoozed, {one.pk: cancelled for one in tasks if closes})

    def tells(self, config: Config, lists: Lists) -> tuple[str, str]:
        kind = "cta.closed" if _closes(config, lists) else "cta.edited"
        return kind, f"CTA changed ({self.describe(config).lower()})"

    def then(self, changed: Sequence[Cta], task: bulk.Task, lists: Lists) -> None:
        if _closes(task.config, lists):
            for cta in changed:
                if cta.recurrence_id:
                    open_next(cta, today=_today(task.tenant, task.now), by=Asker(task.person), now=task.now)


@dataclass(frozen=True, slots=True)
class Asker:
    """Whoever asked for a bulk edit, as the doer of what follows from it."""

    actor: str
    member: None = None


def _closes(config: Config, lists: Lists) -> bool:
    return lists.find(Kind.STATUS, config["stage"]).category in CLOSED


def _snoozed(cta: Cta) -> dict[str, Any]:
    return {"snoozed_until": cta.snoozed_until, "snooze_reason": cta.snooze_reason}


class PriorityForm(VerbForm):
    priority = EntryField(Kind.PRIORITY)


class SetPriority(CtaVerb):
    key = "set_priority"
    label = "Set priority"
    icon = "chart-column"
    form = PriorityForm

    def describe(self, config: Config) -> str:
        return f"Set priority to {current_lists().find(Kind.PRIORITY, config['priority']).name}"

    def becomes(self, cta: Cta, tasks: Sequence[Task], task: bulk.Task, lists: Lists) -> Becomes:
        return Becomes({"priority": task.config["priority"]}, {})


class SnoozeForm(VerbForm):
    until = forms.DateField(widget=DAY)
    reason = forms.CharField(required=False, max_length=200, help_text="Why it can wait. Your team sees it.")

    def config(self) -> dict[str, Any]:
        return {"until": self.cleaned_data["until"].isoformat(), "reason": self.cleaned_data["reason"]}


class Snooze(CtaVerb):
    key = "snooze"
    label = "Snooze"
    icon = "alarm-clock"
    form = SnoozeForm

    def describe(self, config: Config) -> str:
        return f"Snooze until {_day(config['until']):%-d %b %Y}"

    def becomes(self, cta: Cta, tasks: Sequence[Task], task: bulk.Task, lists: Lists) -> Becomes:
        until = _day(task.config["until"])
        return Becomes({"snoozed_until": until, "snooze_reason": task.config["reason"]}, {})

    def tells(self, config: Config, lists: Lists) -> tuple[str, str]:
        return "cta.snoozed", f"CTA changed ({self.describe(config).lower()})"


class ArchiveForm(VerbForm):
    pass


class Archive(CtaVerb):
    key = "archive"
    label = "Archive"
    icon = "archive"
    form = ArchiveForm
    with_archived = True

    def describe(self, config: Config) -> str:
        return "Archive"

    def refuse(self, cta: Cta, config: Config, lists: Lists) -> str:
        return ""

    def becomes(self, cta: Cta, tasks: Sequence[Task], task: bulk.Task, lists: Lists) -> Becomes:
        return Becomes({"archived_at": task.now}, {})

    def tells(self, config: Config, lists: Lists) -> tuple[str, str]:
        return "cta.archived", "CTA archived"
