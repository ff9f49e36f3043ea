"""Add a task to the CTA this application works in; without an open one, open it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django import forms

from actions.base import (
    GIVE,
    TASK,
    Action,
    Applied,
    ApplyOutcome,
    Batch,
    Config,
    Held,
    Receipt,
    Run,
    Skipped,
    UndoDecision,
    Work,
    Write,
)
from actions.cta_work import INSERT_CTAS, INSERT_TASKS, DueDays, cta_writes, decide, reverse
from actions.forms import ActionForm, OnWeekendsField, RoleField, TemplateField
from actions.people import CSM, Targets, fallback_words, load_targets, role_words
from actions.variables import load_texts
from cs_platform.common.message_templates import single_line
from cs_platform.common.statements import fetch
from ctas.entry_fields import EntryField
from ctas.lists import Kind
from ctas.models import Cta

TYPES = [choice for choice in Cta.Type.choices if choice[0] != Cta.Type.OBJECTIVE]


class CreateTaskForm(ActionForm):
    side_by_side = (("owner", "fallback_owner"), ("type", "reason"))

    title = TemplateField()
    description = TemplateField(required=False, single_line=False)
    owner = RoleField(label="For", initial=CSM)
    fallback_owner = RoleField(label="If nobody is", required=False)
    due_in_days = forms.IntegerField(required=False, min_value=0, max_value=1_000)
    on_weekends = OnWeekendsField()
    cta_name = TemplateField(
        label="In the CTA",
        required=False,
        help_text="A task always lives in a CTA: the open one this playbook works in, else a new one of this name.",
    )
    type = forms.ChoiceField(choices=TYPES, initial=Cta.Type.LIFECYCLE)
    reason = EntryField(Kind.REASON, required=False, loosely=True)


class CreateTask(Action):
    key = "create_task"
    label = "Create a task"
    icon = "list-checks"
    group = GIVE
    summary = "Into the CTA this playbook opened"
    form = CreateTaskForm
    follows = ("create_cta", "create_task")
    sample = {"title": "Call {{ account.name }}", "owner": "csm", "due_in_days": 3, "cta_name": "Renewal"}

    def describe(self, config: Config) -> str:
        return f"Give the task “{config['title']}” to {role_words(config['owner'])}"

    def describe_stop(self, config: Config) -> str:
        return "An open, untouched task is archived, with the CTA opened for it. Completed or edited ones stay."

    def stop_in_brief(self, config: Config) -> str:
        return "Archived if untouched"

    def writes(self, config: Config) -> Sequence[Write]:
        return cta_writes(config)

    def gives(self, config: Config) -> Sequence[Work]:
        return (Work(TASK, (config["owner"], CSM, config["fallback_owner"])),)

    def tell(self, config: Config, receipt: Receipt) -> str:
        title = receipt.get("title") or config["title"]
        done = f"Task added to {receipt['name']}: {title}" if receipt.get("joined") else f"Task created: {title}"
        return done + fallback_words(receipt, config["owner"])

    def apply(self, batch: Batch) -> Mapping[UUID, ApplyOutcome]:
        targets = load_targets(batch, roles=[batch.config["owner"], batch.config["fallback_owner"]], lock=True)
        wanted = _wanted(batch, targets)
        tasks = [one for one in wanted.values() if isinstance(one, _Task)]
        _open_ctas(batch, [one for one in tasks if not one.joined])
        _add(batch, tasks)
        return {run_id: Applied(_receipt(one)) if isinstance(one, _Task) else one for run_id, one in wanted.items()}

    def decide(self, batch: Batch, *, lock: bool) -> Mapping[UUID, UndoDecision]:
        return decide(batch, lock=lock)

    def reverse(self, batch: Batch, decisions: Mapping[UUID, UndoDecision]) -> None:
        reverse(batch, decisions)


@dataclass(slots=True)
class _Task:
    run: Run
    title: str
    description: str
    owner_id: int
    cta_name: str
    joined: bool
    cta_id: int | None
    position: int
    fell_to: Receipt
    id: int = 0


@dataclass(frozen=True, slots=True)
class _Open:
    cta_id: int
    name: str
    owner_id: int | None
    position: int


def _wanted(batch: Batch, targets: Targets) -> dict[UUID, _Task | Skipped | Held]:
    texts = load_texts(batch, {name: batch.config[name] for name in ("title", "description", "cta_name")})
    open_ctas = _still_open(batch)

    def want(run: Run) -> _Task | Skipped | Held:
        if targets.get(run.account_id) is None:
            return Skipped("The account is archived.")
        text = texts.of(run)
        if isinstance(text, Held):
            return text
        found = next((open_ctas[id] for receipt in run.earlier if (id := receipt.get("cta_id")) in open_ctas), None)
        owner = targets.first(run.account_id, batch.config["owner"], CSM, batch.config["fallback_owner"])
        owner_id = owner.id if owner else found.owner_id if found else None
        title = single_line(text["title"])
        if owner_id is None:
            return _nobody(title, batch.config["owner"])
        name = found.name if found else single_line(text["cta_name"]) or title
        cta_id, position = (found.cta_id, found.position) if found else (None, 0)
        fell_to = targets.fell_to(run.account_id, batch.config["owner"], owner)
        return _Task(run, title, text["description"], owner_id, name, found is not None, cta_id, position, fell_to)

    return {run.id: want(run) for run in batch.runs}


_OPEN = """
SELECT c.id, c.name, m.id,
    (SELECT COALESCE(max(t.position) + 1, 0) FROM ctas_task t WHERE t.tenant_id = c.tenant_id AND t.cta_id = c.id)
FROM ctas_cta c
LEFT JOIN tenancy_membership m ON m.tenant_id = c.tenant_id AND m.id = c.owner_id AND m.deactivated_at IS NULL
WHERE c.tenant_id = %(tenant)s AND c.id = ANY(%(ctas)s) AND c.status = 'open' AND c.archived_at IS NULL
"""


def _still_open(batch: Batch) -> dict[int, _Open]:
    """Those this application opened or joined earlier, that nobody closed since."""
    ids = [receipt["cta_id"] for run in batch.runs for receipt in run.earlier if receipt.get("cta_id")]
    return {row[0]: _Open(*row) for row in fetch(_OPEN, {"tenant": batch.tenant_id, "ctas": ids})} if ids else {}


def _nobody(title: str, role: str) -> Held:
    who = role_words(role)
    return Held("no_assignee", f"Nobody can do “{title}”: {who} is not set or no longer active, and no fallback is.")


def _shared(batch: Batch) -> dict[str, Any]:
    due_on = DueDays.of(batch).after(batch.config["due_in_days"])
    return {"tenant": batch.tenant_id, "now": batch.now, "actor": batch.actor, "due_on": due_on, "due_dates": [due_on]}


def _open_ctas(batch: Batch, tasks: Sequence[_Task]) -> None:
    if not tasks:
        return
    by_run = {task.run.id: task for task in tasks}
    rows = fetch(
        INSERT_CTAS,
        _shared(batch)
        | {"type": batch.config["type"], "reason": batch.config["reason"], "priority": Cta.Priority.MEDIUM.value}
        | {
            "accounts": [task.run.account_id for task in tasks],
            "users": [task.run.end_user_id for task in tasks],
            "names": [task.cta_name for task in tasks],
            "comments": [""] * len(tasks),
            "owners": [task.owner_id for task in tasks],
            "runs": list(by_run),
        },
    )
    for run_id, cta_id in rows:
        by_run[run_id].cta_id = cta_id


def _add(batch: Batch, tasks: Sequence[_Task]) -> None:
    if not tasks:
        return
    by_run = {task.run.id: task for task in tasks}
    rows = fetch(
        INSERT_TASKS,
        _shared(batch)
        | {
            "ctas": [task.cta_id for task in tasks],
            "runs": list(by_run),
            "titles": [task.title for task in tasks],
            "descriptions": [task.description for task in tasks],
            "owners": [task.owner_id for task in tasks],
            "positions": [task.position for task in tasks],
            "places": [0] * len(tasks),
        },
    )
    for run_id, task_id in rows:
        by_run[run_id].id = task_id


def _receipt(task: _Task) -> Receipt:
    return {
        "cta_id": task.cta_id,
        "name": task.cta_name,
        "joined": task.joined,
        "owner_id": task.owner_id,
        "tasks": [task.id],
        "title": task.title,
        **task.fell_to,
    }
