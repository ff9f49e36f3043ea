"""What can be done to many tasks at once: hand over, put on a day, move, complete, cancel, open again, archive.

A CTA stays as it is, whatever becomes of its last open task here: one job takes back only what it did to tasks.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, ClassVar

from django import forms

from cs_platform.jobs import bulk
from cs_platform.jobs.bulk import Config, Done, VerbForm
from cs_platform.jobs.kinds import Item
from cs_platform.jobs.models import JobItem
from cs_platform.tenancy.roles import Ability
from ctas.bulk.verbs import DaysForm, DueForm, OwnerForm, day_of, due_words, owner_of, shift_words
from ctas.bulk.writing import CHANGED_SINCE, TASKS, Facts, held, id_of, lock, plain, says, tell_of_tasks, write
from ctas.models import Task
from ctas.telling import Agent, tell_of_many

GONE = "The task, or its CTA, is archived."
NOT_OPEN = "It is done or cancelled. Open it again first."
ENDING = ("status", "completed_at", "completed_by_id", "reason")


class TaskVerb(bulk.BulkVerb, ABC):
    ability = Ability.WORK_CTAS
    with_archived: ClassVar[bool] = False  # whether undoing reaches what is archived

    def refuse(self, one: Task) -> str:
        """Why this one cannot be done; empty when it can."""
        return "" if one.status == Task.Status.OPEN else NOT_OPEN

    @abstractmethod
    def becomes(self, one: Task, task: bulk.Task) -> Facts:
        """Columns and their new values."""

    def apply(self, task: bulk.Task, ids: Sequence[int]) -> Done:
        rows = Task.objects.present().filter(pk__in=ids, cta__archived_at=None)
        found = lock(rows.select_related("cta"))
        refused = {pk: GONE for pk in ids if pk not in found}
        refused |= {pk: why for pk, one in found.items() if (why := self.refuse(one))}
        made = {pk: plain(self.becomes(one, task)) for pk, one in found.items() if pk not in refused}
        changing = {pk: facts for pk, facts in made.items() if not says(found[pk], facts)}
        items = [Item(f"task:{pk}", held(found[pk], facts), facts) for pk, facts in changing.items()]
        write(TASKS, changing, task)
        tell_of_tasks(
            (found[pk] for pk in changing), task, "task.edited", f"Task changed ({self.describe(task.config).lower()})"
        )
        self.then(len(changing), task)
        return Done(items, refused)

    def then(self, changed: int, task: bulk.Task) -> None:
        """What follows from it."""

    def restore(self, task: bulk.Task, items: Sequence[JobItem], *, undone: str) -> Mapping[str, str]:
        rows = Task.objects.all() if self.with_archived else Task.objects.present()
        found = lock(rows.filter(pk__in=[id_of(item) for item in items], cta__archived_at=None).select_related("cta"))
        kept = {item.subject: GONE for item in items if id_of(item) not in found}
        kept |= {
            item.subject: CHANGED_SINCE
            for item in items
            if item.subject not in kept and not says(found[id_of(item)], item.after)
        }
        back = {id_of(item): item.before for item in items if item.subject not in kept}
        write(TASKS, back, task)
        undoing = f"Undone ({self.describe(task.config).lower()})"
        tell_of_tasks((found[pk] for pk in back), task, "task.edited", undoing)
        return kept


class AssignTasks(TaskVerb):
    key = "assign"
    label = "Assign"
    icon = "user-plus"
    form = OwnerForm

    def describe(self, config: Config) -> str:
        found = owner_of(config)
        return f"Assign to {found.name if found else 'nobody'}"

    def becomes(self, one: Task, task: bulk.Task) -> Facts:
        return {"owner_id": task.config["owner"]}

    def then(self, changed: int, task: bulk.Task) -> None:
        owner = owner_of(task.config)
        if owner and changed and owner.pk != task.member_id:
            tell_of_many(owner, changed, noun="task", by=Agent(task.person), now=task.now)


class SetTasksDue(TaskVerb):
    key = "set_due"
    label = "Set due date"
    icon = "calendar"
    form = DueForm

    def describe(self, config: Config) -> str:
        return due_words(config)

    def becomes(self, one: Task, task: bulk.Task) -> Facts:
        return {"due_on": day_of(task.config["due_on"])}


class ShiftTasks(TaskVerb):
    key = "shift_due"
    label = "Move due date"
    icon = "calendar-arrow-down"
    form = DaysForm

    def describe(self, config: Config) -> str:
        return shift_words(config)

    def refuse(self, one: Task) -> str:
        return super().refuse(one) or ("" if one.due_on else "It has no due date to move.")

    def becomes(self, one: Task, task: bulk.Task) -> Facts:
        return {"due_on": one.due_on and one.due_on + timedelta(days=task.config["days"])}


class TaskStatusForm(VerbForm):
    status = forms.ChoiceField(choices=Task.Status.choices, initial=Task.Status.DONE)


class SetTaskStatus(TaskVerb):
    key = "set_status"
    label = "Complete, cancel or open again"
    icon = "check"
    form = TaskStatusForm

    def describe(self, config: Config) -> str:
        return {"open": "Open again", "done": "Complete", "cancelled": "Cancel"}[config["status"]]

    def refuse(self, one: Task) -> str:
        return ""

    def becomes(self, one: Task, task: bulk.Task) -> Facts:
        status = task.config["status"]
        if one.status == status:
            return {name: getattr(one, name) for name in ENDING}
        done = status == Task.Status.DONE
        who: dict[str, Any] = {"completed_at": task.now, "completed_by_id": task.member_id} if done else {}
        return {"status": status, "completed_at": None, "completed_by_id": None} | who | {"reason": ""}


class ArchiveTasksForm(VerbForm):
    pass


class ArchiveTasks(TaskVerb):
    key = "archive"
    label = "Remove"
    icon = "archive"
    form = ArchiveTasksForm
    with_archived = True

    def describe(self, config: Config) -> str:
        return "Remove"

    def refuse(self, one: Task) -> str:
        return ""

    def becomes(self, one: Task, task: bulk.Task) -> Facts:
        return {"archived_at": task.now}


TASK_VERBS: Sequence[type[TaskVerb]] = (AssignTasks, SetTasksDue, ShiftTasks, SetTaskStatus, ArchiveTasks)
