"""What actions that open CTAs or add tasks to them share: the rows they write, and how these are taken back.

Their receipts say `cta_id`, `name`, `joined` (the CTA was there before) and `tasks`.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any
from uuid import UUID

from accounts.actors import Actor, load_actors
from actions.base import Batch, Config, Keep, Receipt, Run, Undo, UndoDecision, Write
from actions.by_hand import DONE_BY_HAND
from cs_platform.common.statements import fetch
from cs_platform.workspace.holidays import load_holidays, working_day
from ctas.models import Cta, Task

REASON = "playbook stopped"


def decide(batch: Batch, *, lock: bool) -> dict[UUID, UndoDecision]:
    found = _facts(batch, lock=lock)
    actors = load_actors({facts.closed_by for facts in found.values() if facts.closed_by})
    return {run.id: _decision(run, found.get(run.id), actors) for run in batch.runs}


def reverse(batch: Batch, decisions: Mapping[UUID, UndoDecision]) -> None:
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


def tasks_done(receipts: Mapping[UUID, Receipt]) -> dict[UUID, str]:
    """Of those that each has added and nobody has put away."""
    added = {run_id: receipt["tasks"] for run_id, receipt in receipts.items() if receipt.get("tasks")}
    present = Task.objects.filter(pk__in=[id for ids in added.values() for id in ids], archived_at=None)
    states = dict(present.values_list("pk", "status")) if added else {}
    found = {run_id: [states[id] for id in ids if id in states] for run_id, ids in added.items()}
    return {
        run_id: f"{own.count(Task.Status.DONE)} of {counted(len(own), 'task')} done"
        for run_id, own in found.items()
        if own
    }


def cta_writes(config: Config) -> tuple[Write, ...]:
    """What rules may find changed when a CTA of this type and reason is open."""
    reason = [f"open_ctas_reason:{config['reason']}"] if config["reason"] else []
    fields = ["open_ctas", f"open_ctas:{config['type']}", *reason, "next_cta_due_on"]
    return tuple(Write(field, "open") for field in fields)


def counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


@dataclass(frozen=True, slots=True)
class DueDays:
    """Due dates counted from the day of a batch, on working days unless its action says otherwise."""

    today: date
    holidays: Collection[date]
    on_weekends: bool

    @classmethod
    def of(cls, batch: Batch) -> "DueDays":
        on_weekends = batch.config.get("on_weekends", False)
        return cls(batch.today, () if on_weekends else load_holidays(since=batch.today), on_weekends)

    def after(self, days: int | None) -> date | None:
        if days is None:
            return None
        day = self.today + timedelta(days=days)
        return day if self.on_weekends else working_day(day, self.holidays)


# --- writing ----------------------------------------------------------------------------------------------------------

INSERT_CTAS = """
INSERT INTO ctas_cta (tenant_id, account_id, end_user_id, name, type, reason, priority, status, owner_id, due_on,
                      comment, created_at, created_by, closed_by, origin_run_id, origin_ordinal)
SELECT %(tenant)s, account_id, end_user_id, name, %(type)s, %(reason)s, %(priority)s, 'open', owner_id, %(due_on)s,
    comment, %(now)s, %(actor)s, '', run_id, 0
FROM unnest(%(accounts)s::bigint[], %(users)s::bigint[], %(names)s::text[], %(comments)s::text[], %(owners)s::bigint[],
            %(runs)s::uuid[]) AS w(account_id, end_user_id, name, comment, owner_id, run_id)
RETURNING origin_run_id, id
"""
INSERT_TASKS = """
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


# What people said about a CTA, or put to it, is work on it.
_IS_TOUCHED = """
c.touched_at IS NOT NULL
    OR EXISTS (SELECT FROM workspace_comment w WHERE w.tenant_id = c.tenant_id AND w.subject = 'cta:' || c.id
        AND w.archived_at IS NULL)
    OR EXISTS (SELECT FROM workspace_attachment w WHERE w.tenant_id = c.tenant_id AND w.subject = 'cta:' || c.id
        AND w.archived_at IS NULL)
"""
# Read by id, so that the plan cannot turn on how well the tables are known to the planner.
_CTAS = f"""
SELECT c.id, c.status, c.archived_at IS NOT NULL, {_IS_TOUCHED}, c.closed_by,
    (SELECT a.archived_at IS NOT NULL FROM accounts_account a WHERE a.tenant_id = c.tenant_id AND a.id = c.account_id)
FROM ctas_cta c WHERE c.tenant_id = %(tenant)s AND c.id = ANY(%(ctas)s) ORDER BY c.id {{lock}}
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
        tasks = f" and its {counted(len(facts.ours), 'task')} are" if facts.ours else " is"
        return Undo(f"{name}{tasks} archived")
    if facts.stays_open:
        why = f"it has {counted(facts.stays_open, 'open task')} that this playbook did not create"
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
    stay = f"{counted(len(done), 'task')} completed{names and f' by {names}'} {'stays' if len(done) == 1 else 'stay'}"
    return stay if done else ""


def _also(facts: _Facts) -> str:
    """What goes beside what stays."""
    changed = sum(task.is_open and task.is_touched for task in facts.ours)
    untouched = sum(task.is_open for task in facts.ours) - changed
    parts = [f"{counted(untouched, 'untouched task')} archived"] if untouched else []
    parts += [f"{counted(changed, 'changed task')} cancelled"] if changed else []
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
