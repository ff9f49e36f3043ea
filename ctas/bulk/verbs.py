"""What can be done to many CTAs at once: assign, move, close, snooze, rank or archive them.

Each verb says what a CTA and its tasks become; writing that down, and taking back what is still so, is the same
for all of them.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, ClassVar

from django import forms
from django.db.models import QuerySet

from cs_platform.jobs import bulk
from cs_platform.jobs.bulk import Config, Done, VerbForm
from cs_platform.jobs.kinds import Item
from cs_platform.jobs.models import JobItem
from cs_platform.tenancy.context import current_tenant_id
from cs_platform.tenancy.models import Membership
from cs_platform.tenancy.roles import Ability
from ctas.bulk.selection import today_of
from ctas.bulk.writing import (
    CHANGED_SINCE,
    CTAS,
    TASKS,
    held,
    id_of,
    lock,
    lock_tasks,
    plain,
    says,
    tell_of_ctas,
    write,
)
from ctas.entry_fields import EntryField
from ctas.forms import DAY
from ctas.lists import Kind, Lists, current_lists
from ctas.models import CLOSED, CLOSED_WITH_IT, Cta, Task
from ctas.recurring import open_next
from ctas.telling import Agent, tell_of_many
from ctas.working import FieldsMissing, missing_to_close

FURTHEST = 3_650
MOST_MEMBERS = 1_000
GONE = "The CTA is archived."
NOT_OPEN = "It is closed. Reopen it first."
NOT_TO_COME = "Choose a day after today."


@dataclass(frozen=True, slots=True)
class Becomes:
    """Columns and their new values, of the CTA and of those of its tasks that change."""

    cta: Mapping[str, Any]
    tasks: Mapping[int, Mapping[str, Any]]


class CtaVerb(bulk.BulkVerb, ABC):
    ability = Ability.WORK_CTAS
    with_archived: ClassVar[bool] = False  # whether undoing reaches what is archived

    def refuse(self, cta: Cta, config: Config, lists: Lists) -> str:
        """Why this one cannot be done; empty when it can."""
        return "" if cta.status == Cta.Status.OPEN else NOT_OPEN

    @abstractmethod
    def becomes(self, cta: Cta, tasks: Sequence[Task], task: bulk.Task, lists: Lists) -> Becomes:
        """What it and those of its tasks that are meant, too, are afterwards."""

    def tasks_of(self, ctas: Sequence[int], config: Config, lists: Lists) -> QuerySet[Task] | None:
        """Which tasks are meant, too."""
        return Task.objects.open().filter(cta__in=ctas) if config.get("tasks") else None

    def tells(self, config: Config, lists: Lists) -> tuple[str, str]:
        """Kind and beginning of the line on the timeline."""
        return "cta.edited", f"CTA changed ({self.describe(config).lower()})"

    def apply(self, task: bulk.Task, ids: Sequence[int]) -> Done:
        lists, ctas = current_lists(), lock(Cta.objects.present().filter(pk__in=ids))
        refused = {pk: GONE for pk in ids if pk not in ctas}
        refused |= {pk: why for pk, cta in ctas.items() if (why := self.refuse(cta, task.config, lists))}
        wanted = {pk: cta for pk, cta in ctas.items() if pk not in refused}
        meant = self.tasks_of(list(wanted), task.config, lists)
        tasks = {} if meant is None else lock_tasks(meant)
        made = {pk: self.becomes(cta, tasks.get(pk, ()), task, lists) for pk, cta in wanted.items()}
        items = [item for pk, cta in wanted.items() if (item := _item(cta, tasks.get(pk, ()), made[pk]))]
        _write_items(items, task, side="after")
        changed = [wanted[id_of(item)] for item in items]
        tell_of_ctas(changed, task, *self.tells(task.config, lists))
        self.then(changed, task, lists)
        return Done(items, refused)

    def then(self, changed: Sequence[Cta], task: bulk.Task, lists: Lists) -> None:
        """What follows from it."""

    def restore(self, task: bulk.Task, items: Sequence[JobItem], *, undone: str) -> Mapping[str, str]:
        rows = Cta.objects.all() if self.with_archived else Cta.objects.present()
        ctas = lock(rows.filter(pk__in=[id_of(item) for item in items]))
        kept = {item.subject: GONE for item in items if id_of(item) not in ctas}
        here = [item for item in items if item.subject not in kept]
        kept |= {
            item.subject: CHANGED_SINCE
            for item in here
            if not says(ctas[id_of(item)], item.after["cta"]) and not says(ctas[id_of(item)], item.before["cta"])
        }
        ours = [item for item in here if item.subject not in kept]
        _write_items(_with_tasks_that_are(ours), task, side="before")
        back = [ctas[id_of(item)] for item in ours]
        tell_of_ctas(back, task, "cta.edited", f"Undone ({self.describe(task.config).lower()})")
        return kept


def _item(cta: Cta, tasks: Sequence[Task], made: Becomes) -> Item | None:
    """None where everything is so already."""
    known = {task.pk: task for task in tasks}
    changing = {pk: facts for pk, facts in made.tasks.items() if not says(known[pk], plain(facts))}
    if says(cta, plain(made.cta)) and not changing:
        return None
    before_tasks = {str(pk): held(known[pk], facts) for pk, facts in changing.items()}
    return Item(
        f"cta:{cta.pk}",
        {"cta": held(cta, made.cta), "tasks": before_tasks},
        {"cta": plain(made.cta), "tasks": {str(pk): plain(facts) for pk, facts in changing.items()}},
    )


def _with_tasks_that_are(items: Sequence[JobItem]) -> list[Item]:
    """Without the tasks somebody has changed since."""
    ids = [int(pk) for item in items for pk in item.after["tasks"]]
    tasks = lock(Task.objects.present().filter(pk__in=ids)) if ids else {}

    def untouched(item: JobItem) -> dict[str, Any]:
        return {
            pk: facts
            for pk, facts in item.before["tasks"].items()
            if int(pk) in tasks and says(tasks[int(pk)], item.after["tasks"][pk])
        }

    return [Item(item.subject, {"cta": item.before["cta"], "tasks": untouched(item)}) for item in items]


def _write_items(items: Sequence[Item], task: bulk.Task, *, side: str) -> None:
    facts = {id_of(item): getattr(item, side) for item in items}
    write(CTAS, {pk: one["cta"] for pk, one in facts.items()}, task)
    write(TASKS, {int(pk): values for one in facts.values() for pk, values in one["tasks"].items()}, task)


# The verbs ------------------------------------------------------------------------------------------------------------


class OwnerForm(VerbForm):
    owner = forms.ChoiceField(required=False, error_messages={"invalid_choice": "Choose an active member."})

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        members = Membership.objects.in_tenant(current_tenant_id()).active().order_by("name", "pk")
        named = [(str(pk), name) for pk, name in members.values_list("pk", "name")[:MOST_MEMBERS]]
        self.fields["owner"].choices = [("", "Nobody"), *named]  # type: ignore[attr-defined]

    def config(self) -> dict[str, Any]:
        owner = self.cleaned_data["owner"]
        return self.cleaned_data | {"owner": int(owner) if owner else None}


class AssignForm(OwnerForm):
    tasks = forms.BooleanField(required=False, initial=True, label="Open tasks, too")


def owner_of(config: Config) -> Membership | None:
    members = Membership.objects.in_tenant(current_tenant_id()).select_related("tenant")
    return members.filter(pk=config["owner"] or 0).first()


class Assign(CtaVerb):
    key = "assign"
    label = "Assign"
    icon = "user-plus"
    form = AssignForm

    def describe(self, config: Config) -> str:
        found = owner_of(config)
        return f"Assign to {found.name if found else 'nobody'}"

    def then(self, changed: Sequence[Cta], task: bulk.Task, lists: Lists) -> None:
        owner = owner_of(task.config)
        if owner and changed and owner.pk != task.member_id:
            tell_of_many(owner, len(changed), by=Agent(task.person), now=task.now)

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
        return due_words(config)

    def becomes(self, cta: Cta, tasks: Sequence[Task], task: bulk.Task, lists: Lists) -> Becomes:
        return Becomes({"due_on": day_of(task.config["due_on"])}, {})


def day_of(text: str | None) -> date | None:
    return date.fromisoformat(text) if text else None


def due_words(config: Config) -> str:
    due_on = day_of(config["due_on"])
    return f"Make it due on {due_on:%-d %b %Y}" if due_on else "Take the due date away"


def shift_words(config: Config) -> str:
    days = abs(config["days"])
    return f"Move by {days} {'day' if days == 1 else 'days'} {'earlier' if config['days'] < 0 else 'later'}"


class DaysForm(VerbForm):
    days = forms.IntegerField(
        min_value=-FURTHEST, max_value=FURTHEST, initial=7, help_text="Days later; with a minus, earlier."
    )


class ShiftForm(DaysForm):
    tasks = forms.BooleanField(required=False, initial=True, label="Open tasks, too")


class ShiftDue(CtaVerb):
    key = "shift_due"
    label = "Move due date"
    icon = "calendar-arrow-down"
    form = ShiftForm

    def describe(self, config: Config) -> str:
        return shift_words(config)

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

    def tasks_of(self, ctas: Sequence[int], config: Config, lists: Lists) -> QuerySet[Task] | None:
        """Those that were cancelled as one closed are open again with it, as where it is reopened by hand."""
        if _closes(config, lists):
            return super().tasks_of(ctas, config, lists)
        cancelled = Task.objects.present().filter(status=Task.Status.CANCELLED, reason=CLOSED_WITH_IT)
        return cancelled.filter(cta__in=ctas, cta__status__in=CLOSED)

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
        of_tasks = cancelled if closes else {"status": Task.Status.OPEN.value, "reason": ""}
        return Becomes(moves | ended | snoozed, {one.pk: of_tasks for one in tasks})

    def tells(self, config: Config, lists: Lists) -> tuple[str, str]:
        kind = "cta.closed" if _closes(config, lists) else "cta.edited"
        return kind, f"CTA changed ({self.describe(config).lower()})"

    def then(self, changed: Sequence[Cta], task: bulk.Task, lists: Lists) -> None:
        if _closes(task.config, lists):
            for cta in changed:
                if cta.recurrence_id:
                    open_next(cta, today=today_of(task.tenant, task.now), by=Agent(task.person), now=task.now)


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
        return f"Snooze until {day_of(config['until']):%-d %b %Y}"

    def apply(self, task: bulk.Task, ids: Sequence[int]) -> Done:
        if date.fromisoformat(task.config["until"]) <= today_of(task.tenant, task.now):
            return Done([], dict.fromkeys(ids, NOT_TO_COME))
        return super().apply(task, ids)

    def becomes(self, cta: Cta, tasks: Sequence[Task], task: bulk.Task, lists: Lists) -> Becomes:
        until = day_of(task.config["until"])
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
