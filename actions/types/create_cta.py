"""Open a CTA with its tasks, or join one that is already open."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import Any
from uuid import UUID

from django import forms

from accounts.actors import Actor, load_actors
from actions.base import (
    Action,
    Applied,
    ApplyOutcome,
    Batch,
    Config,
    Held,
    Keep,
    Receipt,
    Run,
    Skipped,
    Undo,
    UndoDecision,
)
from actions.by_hand import DONE_BY_HAND
from actions.forms import ActionForm, RoleField, TaskListField, TemplateField
from actions.people import CSM, Member, Targets, load_targets, role_words
from actions.variables import Texts, load_texts
from cs_platform.common.message_templates import single_line
from cs_platform.common.statements import fetch
from ctas.models import Cta, Task

SKIP, UPDATE, ALLOW = "skip", "update", "allow"
REASON = "playbook stopped"
# Objectives belong to success plans.
TYPES = [choice for choice in Cta.Type.choices if choice[0] != Cta.Type.OBJECTIVE]


class CreateCtaForm(ActionForm):
    name = TemplateField()
    type = forms.ChoiceField(choices=TYPES, initial=Cta.Type.LIFECYCLE)
    reason = forms.CharField(required=False, max_length=100)
    priority = forms.ChoiceField(choices=Cta.Priority.choices, initial=Cta.Priority.MEDIUM)
    owner = RoleField(initial=CSM)
    fallback_owner = RoleField(required=False)
    due_in_days = forms.IntegerField(required=False, min_value=0, max_value=1_000)
    comment = TemplateField(required=False, single_line=False)
    tasks = TaskListField(required=False)
    duplicates = forms.ChoiceField(
        choices=[
            (SKIP, "Leave the open CTA as it is"),
            (UPDATE, "Add the tasks to the open CTA"),
            (ALLOW, "Open another CTA"),
        ],
        initial=SKIP,
    )
    same_name = forms.BooleanField(required=False)


class CreateCta(Action):
    key = "create_cta"
    label = "Create a CTA"
    icon = "target"
    form = CreateCtaForm
    sample = {
        "name": "Prepare renewal of {{ account.name }}",
        "type": "lifecycle",
        "reason": "Renewal",
        "priority": "high",
        "owner": "csm",
        "due_in_days": 14,
        "tasks": [
            {"title": "Pull usage for all sites", "due_in_days": 2},
            {"title": "Draft the order form", "due_in_days": 9, "owner": "ae"},
        ],
    }

    def describe(self, config: Config) -> str:
        tasks = len(config["tasks"])
        more = f" with {tasks} {'task' if tasks == 1 else 'tasks'}" if tasks else ""
        return f"Open the CTA “{config['name']}”{more} for {role_words(config['owner'])}"

    def describe_stop(self, config: Config) -> str:
        return (
            "The CTA and its tasks are archived if nobody worked on them. "
            "Otherwise what people did stays, untouched open tasks go, and the CTA closes when nothing open is left."
        )

    def tell(self, config: Config, receipt: Receipt) -> str:
        name = receipt.get("name") or config["name"]
        added = _count(len(receipt["tasks"]), "task") if receipt.get("tasks") else ""
        if receipt.get("joined"):
            return f"CTA was already open: {name}{added and f'; added {added}'}"
        return f"CTA opened: {name}{added and f' with {added}'}"

    def apply(self, batch: Batch) -> Mapping[UUID, ApplyOutcome]:
        return _Opening(batch).outcomes()

    def decide(self, batch: Batch, *, lock: bool) -> Mapping[UUID, UndoDecision]:
        found = _facts(batch, lock=lock)
        actors = load_actors({facts.closed_by for facts in found.values() if facts.closed_by})
        return {run.id: _decision(run, found.get(run.id), actors) for run in batch.runs}

    def reverse(self, batch: Batch, decisions: Mapping[UUID, UndoDecision]) -> None:
        runs = [run for run in batch.runs if _leaves_something(decisions[run.id])]
        if not runs:
            return
        params = {"tenant": batch.tenant_id, "now": batch.now, "actor": batch.actor, "reason": REASON}
        fetch(_END_TASKS, params | {"runs": [run.id for run in runs]})
        opened = [receipt["cta_id"] for run in runs if (receipt := run.receipt) and not receipt["joined"]]
        _end_ctas(params | {"ctas": opened})


def _leaves_something(decision: UndoDecision) -> bool:
    """Even where the CTA stays, our untouched tasks go."""
    return not isinstance(decision, Keep) or decision.code not in ("target_gone", DONE_BY_HAND.code)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


# --- apply ------------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Wanted:
    """What one run comes to: a CTA of its own, or a place in one that is open."""

    run: Run
    name: str
    texts: Mapping[str, str]
    owner_id: int | None
    cta_id: int | None = None
    joined: bool = False
    twin: "_Wanted | None" = None
    first_position: int = 0
    task_ids: list[int] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Open:
    cta_id: int
    owner_id: int | None
    next_position: int


class _Opening:
    """One apply of one batch."""

    def __init__(self, batch: Batch) -> None:
        self.batch, self.config = batch, batch.config
        self.wanted: dict[UUID, _Wanted] = {}
        self.by_key: dict[tuple[int, str], _Wanted] = {}

    def outcomes(self) -> dict[UUID, ApplyOutcome]:
        roles = [self.config["owner"], self.config["fallback_owner"], *(task["owner"] for task in self.config["tasks"])]
        # Locked, so that two batches cannot both find no open CTA.
        self.targets: Targets = load_targets(self.batch, roles=roles, lock=self.config["duplicates"] != ALLOW)
        self.texts: Texts = load_texts(self.batch, self._sources())
        self.open = {} if self.config["duplicates"] == ALLOW else _open_ctas(self.batch)
        refused = {run.id: why for run in self.batch.runs if (why := self._want(run)) is not None}
        self._insert_ctas()
        self._insert_tasks()
        return {run.id: refused.get(run.id) or Applied(self._receipt(self.wanted[run.id])) for run in self.batch.runs}

    def _sources(self) -> dict[str, str]:
        sources = {"name": self.config["name"], "comment": self.config["comment"]}
        for at, task in enumerate(self.config["tasks"]):
            sources |= {f"title{at}": task["title"], f"description{at}": task["description"]}
        return sources

    def _want(self, run: Run) -> Skipped | Held | None:
        if self.targets.get(run.account_id) is None:
            return Skipped("The account is archived.")
        texts = self.texts.of(run)
        if isinstance(texts, Held):
            return texts
        wanted = _Wanted(run, single_line(texts["name"]), texts, None)
        if not self._join(wanted):
            wanted.owner_id = self._owner_id(run)
            if wanted.owner_id is None:
                return _nobody(wanted.name, self.config["owner"])
            self.by_key.setdefault(self._key(wanted), wanted)
        self.wanted[run.id] = wanted
        return None

    def _owner_id(self, run: Run) -> int | None:
        owner = self.targets.first(run.account_id, self.config["owner"], CSM, self.config["fallback_owner"])
        return owner.id if owner else None

    def _key(self, wanted: _Wanted) -> tuple[int, str]:
        return wanted.run.account_id, wanted.name if self.config["same_name"] else ""

    def _join(self, wanted: _Wanted) -> bool:
        """An open CTA of the same type and reason on the account: an older one, or one this batch is opening."""
        if self.config["duplicates"] == ALLOW:
            return False
        known, twin = self.open.get(self._key(wanted)), self.by_key.get(self._key(wanted))
        if known:
            owner_id = known.owner_id or self._owner_id(wanted.run)
            wanted.cta_id, wanted.owner_id, wanted.first_position = known.cta_id, owner_id, known.next_position
        elif twin:
            wanted.twin, wanted.owner_id, wanted.first_position = twin, twin.owner_id, len(self.config["tasks"])
        wanted.joined = bool(known or twin)
        return wanted.joined

    def _insert_ctas(self) -> None:
        opened = [wanted for wanted in self.wanted.values() if not wanted.joined]
        if opened:
            for run_id, cta_id in fetch(_INSERT_CTAS, self._cta_params(opened)):
                self.wanted[run_id].cta_id = cta_id
        for wanted in self.wanted.values():
            if wanted.twin:
                wanted.cta_id = wanted.twin.cta_id

    def _cta_params(self, opened: Sequence[_Wanted]) -> dict[str, Any]:
        return self._shared_params() | {
            "type": self.config["type"],
            "reason": self.config["reason"],
            "priority": self.config["priority"],
            "due_on": _due(self.batch.today, self.config["due_in_days"]),
            "accounts": [wanted.run.account_id for wanted in opened],
            "users": [wanted.run.end_user_id for wanted in opened],
            "names": [wanted.name for wanted in opened],
            "comments": [wanted.texts["comment"] for wanted in opened],
            "owners": [wanted.owner_id for wanted in opened],
            "runs": [wanted.run.id for wanted in opened],
        }

    def _shared_params(self) -> dict[str, Any]:
        return {"tenant": self.batch.tenant_id, "now": self.batch.now, "actor": self.batch.actor}

    def _insert_tasks(self) -> None:
        receiving = [
            wanted for wanted in self.wanted.values() if not wanted.joined or self.config["duplicates"] == UPDATE
        ]
        if not receiving or not self.config["tasks"]:
            return
        for run_id, task_id in fetch(_INSERT_TASKS, self._task_params(receiving)):
            self.wanted[run_id].task_ids.append(task_id)

    def _task_params(self, receiving: Sequence[_Wanted]) -> dict[str, Any]:
        tasks = list(enumerate(self.config["tasks"]))
        rows = [(wanted, at, task) for wanted in receiving for at, task in tasks]
        return self._shared_params() | {
            "ctas": [wanted.cta_id for wanted, _at, _task in rows],
            "runs": [wanted.run.id for wanted, _at, _task in rows],
            "titles": [single_line(wanted.texts[f"title{at}"]) for wanted, at, _task in rows],
            "descriptions": [wanted.texts[f"description{at}"] for wanted, at, _task in rows],
            "owners": [self._task_owner(wanted, task["owner"]) for wanted, _at, task in rows],
            "positions": [wanted.first_position + at for wanted, at, _task in rows],
            "places": [at for _wanted, at, _task in rows],
            "due_dates": [_due(self.batch.today, task["due_in_days"]) for _at, task in tasks],
        }

    def _task_owner(self, wanted: _Wanted, role: str) -> int | None:
        found: Member | None = self.targets.person(wanted.run.account_id, role) if role else None
        return found.id if found else wanted.owner_id

    def _receipt(self, wanted: _Wanted) -> Receipt:
        return {
            "cta_id": wanted.cta_id,
            "name": wanted.name,
            "joined": wanted.joined,
            "owner_id": wanted.owner_id,
            "tasks": wanted.task_ids,
        }


def _nobody(name: str, role: str) -> Held:
    reason = f"Nobody can own “{name}”: {role_words(role)} is not set or no longer active, and no fallback is."
    return Held("no_assignee", f"{reason} Give the account a CSM, or the step a fallback owner.")


def _due(today: date, days: int | None) -> date | None:
    return None if days is None else today + timedelta(days=days)


_OPEN_CTAS = """
SELECT DISTINCT ON (c.account_id, shared_name)
    c.account_id, CASE WHEN %(same_name)s THEN c.name ELSE '' END AS shared_name, c.id, m.id,
    (SELECT COALESCE(max(t.position) + 1, 0) FROM ctas_task t WHERE t.tenant_id = c.tenant_id AND t.cta_id = c.id)
FROM ctas_cta c
LEFT JOIN tenancy_membership m ON m.tenant_id = c.tenant_id AND m.id = c.owner_id AND m.deactivated_at IS NULL
WHERE c.tenant_id = %(tenant)s AND c.account_id = ANY(%(accounts)s) AND c.status = 'open'
    AND c.type = %(type)s AND c.reason = %(reason)s AND c.archived_at IS NULL
ORDER BY c.account_id, shared_name, c.id
"""


def _open_ctas(batch: Batch) -> dict[tuple[int, str], _Open]:
    """The oldest open CTA of this type and reason, per account (and name)."""
    rows = fetch(
        _OPEN_CTAS,
        {
            "tenant": batch.tenant_id,
            "accounts": list({run.account_id for run in batch.runs}),
            "type": batch.config["type"],
            "reason": batch.config["reason"],
            "same_name": batch.config["same_name"],
        },
    )
    return {(account_id, title): _Open(*found) for account_id, title, *found in rows}


_INSERT_CTAS = """
INSERT INTO ctas_cta (tenant_id, account_id, end_user_id, name, type, reason, priority, status, owner_id, due_on,
                      comment, created_at, created_by, closed_by, origin_run_id, origin_ordinal)
SELECT %(tenant)s, account_id, end_user_id, name, %(type)s, %(reason)s, %(priority)s, 'open', owner_id, %(due_on)s,
    comment, %(now)s, %(actor)s, '', run_id, 0
FROM unnest(%(accounts)s::bigint[], %(users)s::bigint[], %(names)s::text[], %(comments)s::text[], %(owners)s::bigint[],
            %(runs)s::uuid[]) AS w(account_id, end_user_id, name, comment, owner_id, run_id)
RETURNING origin_run_id, id
"""
_INSERT_TASKS = """
INSERT INTO ctas_task (tenant_id, cta_id, title, description, owner_id, due_on, status, position, created_at,
                       created_by, reason, origin_run_id, origin_ordinal)
SELECT %(tenant)s, cta_id, title, description, owner_id, (%(due_dates)s::date[])[place + 1], 'open', position, %(now)s,
    %(actor)s, '', run_id, place
FROM unnest(%(ctas)s::bigint[], %(runs)s::uuid[], %(titles)s::text[], %(descriptions)s::text[], %(owners)s::bigint[],
            %(positions)s::int[], %(places)s::int[]) AS w(cta_id, run_id, title, description, owner_id, position, place)
RETURNING origin_run_id, id
"""


# --- undo -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Task:
    """A task that is still in its CTA."""

    cta_id: int
    run_id: UUID | None
    status: str
    is_touched: bool
    completed_by: str

    @property
    def is_open(self) -> bool:
        return self.status == Task.Status.OPEN


@dataclass(frozen=True, slots=True)
class _Facts:
    """What people made of a CTA and of its tasks since; asked for one run of a batch that leaves together."""

    status: str
    is_archived: bool
    is_touched: bool
    closed_by: str
    account_archived: bool
    tasks: Sequence[_Task] = ()
    run_id: UUID | None = None
    leaving: Collection[UUID] = ()

    @property
    def ours(self) -> list[_Task]:
        return [task for task in self.tasks if task.run_id == self.run_id]

    @property
    def stays_open(self) -> int:
        """Tasks of other runs of this batch leave in the same breath: they are no reason to stay."""
        return sum(task.is_open and task.run_id not in self.leaving for task in self.tasks)

    @property
    def is_worked_on(self) -> bool:
        """Something a person did stays on the CTA: it is closed, not archived."""
        return self.is_touched or bool(self.stays_open) or any(t.is_touched or not t.is_open for t in self.tasks)


# Read by id, so that the plan cannot turn on how well the tables are known to the planner.
_CTAS = """
SELECT c.id, c.status, c.archived_at IS NOT NULL, c.touched_at IS NOT NULL, c.closed_by,
    (SELECT a.archived_at IS NOT NULL FROM accounts_account a WHERE a.tenant_id = c.tenant_id AND a.id = c.account_id)
FROM ctas_cta c WHERE c.tenant_id = %(tenant)s AND c.id = ANY(%(ctas)s) ORDER BY c.id {lock}
"""
_TASKS = """
SELECT t.cta_id, t.origin_run_id, t.status, t.touched_at IS NOT NULL,
    COALESCE((SELECT m.name FROM tenancy_membership m WHERE m.tenant_id = t.tenant_id AND m.id = t.completed_by_id), '')
FROM ctas_task t WHERE t.tenant_id = %(tenant)s AND t.cta_id = ANY(%(ctas)s) AND t.archived_at IS NULL
ORDER BY t.id {lock}
"""


def _facts(batch: Batch, *, lock: bool) -> dict[UUID, _Facts]:
    receipts = {run.id: run.receipt for run in batch.runs if run.receipt and "cta_id" in run.receipt}
    params = {"tenant": batch.tenant_id, "ctas": list({receipt["cta_id"] for receipt in receipts.values()})}
    ctas = {pk: _Facts(*found) for pk, *found in fetch(_CTAS.format(lock="FOR UPDATE OF c" if lock else ""), params)}
    tasks = _tasks(params, lock=lock)
    leaving = set(receipts)
    return {
        run_id: replace(ctas[cta_id], tasks=tasks[cta_id], run_id=run_id, leaving=leaving)
        for run_id, receipt in receipts.items()
        if (cta_id := receipt["cta_id"]) in ctas
    }


def _tasks(params: Mapping[str, Any], *, lock: bool) -> dict[int, list[_Task]]:
    found: dict[int, list[_Task]] = defaultdict(list)
    for row in fetch(_TASKS.format(lock="FOR UPDATE OF t" if lock else ""), params):
        found[row[0]].append(_Task(*row))
    return found


def _decision(run: Run, facts: _Facts | None, actors: Mapping[str, Actor]) -> UndoDecision:
    receipt = run.receipt
    if not receipt or "cta_id" not in receipt:
        return DONE_BY_HAND
    name = f"“{receipt['name']}”"
    if facts is None or facts.is_archived or facts.account_archived:
        return Keep("target_gone", f"{name} was removed since, or its account was")
    if receipt["joined"]:
        return _decide_joined(name, receipt, facts)
    if facts.status != Cta.Status.OPEN:
        outcome = Cta.Status(facts.status).label.lower()
        return Keep("closed", f"{name} was {outcome} by {actors[facts.closed_by].name}{_also(facts)}")
    return _decide_opened(name, facts)


def _decide_opened(name: str, facts: _Facts) -> UndoDecision:
    if not facts.is_worked_on:
        tasks = f" and its {_count(len(facts.ours), 'task')} are" if facts.ours else " is"
        return Undo(f"{name}{tasks} archived")
    if facts.stays_open:
        why = f"it has {_count(facts.stays_open, 'open task')} that this playbook did not create"
        return Keep("worked_on", f"{name} stays open: {why}{_also(facts)}")
    if done := _completed(facts.tasks):
        return Keep("completed", f"{name} is closed as cancelled, {done}{_also(facts)}")
    return Undo(f"{name} is closed as cancelled, because people worked on it{_also(facts)}")


def _decide_joined(name: str, receipt: Receipt, facts: _Facts) -> UndoDecision:
    if not receipt["tasks"]:
        return Keep("joined", f"{name} was open before this run, which only joined it")
    if done := _completed(facts.ours):
        return Keep("completed", f"{name} stays, {done}{_also(facts)}")
    if not any(task.is_open for task in facts.ours):
        return Keep("target_gone", f"The tasks added to {name} were removed or cancelled since")
    return Undo(f"The tasks added to {name} go{_also(facts)}; the CTA was open before and stays")


def _completed(tasks: Sequence[_Task]) -> str:
    done = [task for task in tasks if task.status == Task.Status.DONE]
    names = ", ".join(sorted({task.completed_by for task in done if task.completed_by}))
    stay = f"{_count(len(done), 'task')} completed{names and f' by {names}'} {'stays' if len(done) == 1 else 'stay'}"
    return stay if done else ""


def _also(facts: _Facts) -> str:
    """What goes beside what stays."""
    changed = sum(task.is_open and task.is_touched for task in facts.ours)
    untouched = sum(task.is_open for task in facts.ours) - changed
    parts = [f"{_count(untouched, 'untouched task')} archived"] if untouched else []
    parts += [f"{_count(changed, 'changed task')} cancelled"] if changed else []
    return f" ({', '.join(parts)})" if parts else ""


# What a person changed is cancelled in place, so that its content stays; the rest is archived, restorable.
_END_TASKS = """
UPDATE ctas_task SET
    archived_at = CASE WHEN touched_at IS NULL THEN %(now)s END,
    status = CASE WHEN touched_at IS NULL THEN status ELSE 'cancelled' END,
    reason = %(reason)s
WHERE tenant_id = %(tenant)s AND origin_run_id = ANY(%(runs)s::uuid[]) AND status = 'open' AND archived_at IS NULL
"""
_ARCHIVE_CTAS = """
UPDATE ctas_cta SET archived_at = %(now)s WHERE tenant_id = %(tenant)s AND id = ANY(%(chosen)s)
"""
_CANCEL_CTAS = """
UPDATE ctas_cta SET status = 'cancelled', closed_at = %(now)s, closed_by = %(actor)s
WHERE tenant_id = %(tenant)s AND id = ANY(%(chosen)s)
"""


def _end_ctas(params: Mapping[str, Any]) -> None:
    """Runs after the tasks: whatever is still in a CTA is somebody's work. Children first, then their CTA."""
    opened = {pk: _Facts(*found) for pk, *found in fetch(_CTAS.format(lock=""), params)}
    tasks = _tasks(params, lock=False)
    ended = {
        pk: replace(facts, tasks=tasks[pk])
        for pk, facts in opened.items()
        if facts.status == Cta.Status.OPEN and not facts.is_archived and not any(task.is_open for task in tasks[pk])
    }
    worked_on = [pk for pk, facts in ended.items() if facts.is_worked_on]
    fetch(_ARCHIVE_CTAS, {**params, "chosen": list(ended.keys() - set(worked_on))})
    fetch(_CANCEL_CTAS, {**params, "chosen": worked_on})
