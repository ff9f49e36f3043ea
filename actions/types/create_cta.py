"""Open a CTA with its tasks, or join one that is already open."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
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
from ctas.models import Cta

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
        params = {
            "tenant": batch.tenant_id,
            "now": batch.now,
            "actor": batch.actor,
            "reason": REASON,
            "runs": [run.id for run in runs],
            "opened": [receipt["cta_id"] for run in runs if (receipt := run.receipt) and not receipt["joined"]],
        }
        fetch(_END_TASKS, params)
        fetch(_END_CTAS, params)


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
            owner = self.targets.first(run.account_id, self.config["owner"], CSM, self.config["fallback_owner"])
            if owner is None:
                return _nobody(wanted.name, self.config["owner"])
            wanted.owner_id = owner.id
            self.by_key.setdefault(self._key(wanted), wanted)
        self.wanted[run.id] = wanted
        return None

    def _key(self, wanted: _Wanted) -> tuple[int, str]:
        return wanted.run.account_id, wanted.name if self.config["same_name"] else ""

    def _join(self, wanted: _Wanted) -> bool:
        """An open CTA of the same type and reason on the account: an older one, or one this batch is opening."""
        if self.config["duplicates"] == ALLOW:
            return False
        known, twin = self.open.get(self._key(wanted)), self.by_key.get(self._key(wanted))
        if known:
            wanted.cta_id, wanted.owner_id, wanted.first_position = known.cta_id, known.owner_id, known.next_position
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
class _Facts:
    """What people made of a CTA and of its tasks since.

    Done and cancelled count all tasks where the run opened the CTA, only the run's own where it joined.
    """

    status: str
    is_archived: bool
    is_touched: bool
    closed_by: str
    account_archived: bool
    untouched: int  # the run's own, still open
    touched: int
    done: int
    cancelled: int
    leaving_touched: int  # open ones of all runs that leave together
    staying_open: int  # of anybody else
    done_by: str

    @property
    def is_worked_on(self) -> bool:
        """Something a person did stays on the CTA: it is closed, not archived."""
        return bool(self.is_touched or self.done or self.cancelled or self.leaving_touched or self.staying_open)


_LOCK_CTAS = "SELECT id FROM ctas_cta WHERE tenant_id = %(tenant)s AND id = ANY(%(ctas)s) ORDER BY id FOR UPDATE"
_LOCK_TASKS = "SELECT id FROM ctas_task WHERE tenant_id = %(tenant)s AND cta_id = ANY(%(ctas)s) ORDER BY id FOR UPDATE"
# Tasks of other runs of this batch leave in the same breath, so they are no reason for the CTA to stay.
_FACTS = """
SELECT r.n, c.status, c.archived_at IS NOT NULL, c.touched_at IS NOT NULL, c.closed_by, a.archived_at IS NOT NULL,
    count(*) FILTER (WHERE ours AND is_open AND NOT touched),
    count(*) FILTER (WHERE ours AND is_open AND touched),
    count(*) FILTER (WHERE told AND t.status = 'done'),
    count(*) FILTER (WHERE told AND t.status = 'cancelled'),
    count(*) FILTER (WHERE leaving AND is_open AND touched),
    count(*) FILTER (WHERE NOT leaving AND is_open),
    COALESCE(string_agg(DISTINCT t.completed_by, ', ') FILTER (WHERE told AND t.status = 'done'), '')
FROM unnest(%(ctas)s::bigint[], %(runs)s::uuid[], %(joined)s::bool[]) WITH ORDINALITY AS r(cta_id, run_id, joined, n)
JOIN ctas_cta c ON c.tenant_id = %(tenant)s AND c.id = r.cta_id
JOIN accounts_account a ON a.tenant_id = c.tenant_id AND a.id = c.account_id
LEFT JOIN LATERAL (
    SELECT t.status, t.status = 'open' AS is_open, t.touched_at IS NOT NULL AS touched, m.name AS completed_by,
        COALESCE(t.origin_run_id = r.run_id, false) AS ours,
        COALESCE(t.origin_run_id = ANY(%(runs)s::uuid[]), false) AS leaving,
        NOT r.joined OR COALESCE(t.origin_run_id = r.run_id, false) AS told
    FROM ctas_task t
    LEFT JOIN tenancy_membership m ON m.tenant_id = t.tenant_id AND m.id = t.completed_by_id
    WHERE t.tenant_id = c.tenant_id AND t.cta_id = c.id AND t.archived_at IS NULL
) t ON true
GROUP BY r.n, c.id, a.id
"""


def _facts(batch: Batch, *, lock: bool) -> dict[UUID, _Facts]:
    runs = [run for run in batch.runs if run.receipt and "cta_id" in run.receipt]
    receipts = [run.receipt for run in runs if run.receipt]
    params = {
        "tenant": batch.tenant_id,
        "runs": [run.id for run in runs],
        "ctas": [receipt["cta_id"] for receipt in receipts],
        "joined": [receipt["joined"] for receipt in receipts],
    }
    if lock:
        fetch(_LOCK_CTAS, params)
        fetch(_LOCK_TASKS, params)
    return {runs[n - 1].id: _Facts(*found) for n, *found in fetch(_FACTS, params)}


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
        tasks = f" and its {_count(facts.untouched, 'task')} are" if facts.untouched else " is"
        return Undo(f"{name}{tasks} archived")
    if facts.staying_open:
        why = f"it has {_count(facts.staying_open, 'open task')} that this playbook did not create"
        return Keep("worked_on", f"{name} stays open: {why}{_also(facts)}")
    if facts.done:
        return Keep("completed", f"{name} is closed as cancelled, {_completed(facts)}{_also(facts)}")
    return Undo(f"{name} is closed as cancelled, because people worked on it{_also(facts)}")


def _decide_joined(name: str, receipt: Receipt, facts: _Facts) -> UndoDecision:
    if not receipt["tasks"]:
        return Keep("joined", f"{name} was open before this run, which only joined it")
    if facts.done:
        return Keep("completed", f"{name} stays, {_completed(facts)}{_also(facts)}")
    if not facts.untouched and not facts.touched:
        return Keep("target_gone", f"The tasks added to {name} were removed or cancelled since")
    return Undo(f"The tasks added to {name} go{_also(facts)}; the CTA was open before and stays")


def _completed(facts: _Facts) -> str:
    by = f" by {facts.done_by}" if facts.done_by else ""
    return f"{_count(facts.done, 'task')} completed{by} {'stays' if facts.done == 1 else 'stay'}"


def _also(facts: _Facts) -> str:
    """What goes beside what stays."""
    parts = [f"{_count(facts.untouched, 'untouched task')} archived"] if facts.untouched else []
    parts += [f"{_count(facts.touched, 'changed task')} cancelled"] if facts.touched else []
    return f" ({', '.join(parts)})" if parts else ""


# What a person changed is cancelled in place, so that its content stays; the rest is archived, restorable.
_END_TASKS = """
UPDATE ctas_task SET
    archived_at = CASE WHEN touched_at IS NULL THEN %(now)s END,
    status = CASE WHEN touched_at IS NULL THEN status ELSE 'cancelled' END,
    reason = %(reason)s
WHERE tenant_id = %(tenant)s AND origin_run_id = ANY(%(runs)s::uuid[]) AND status = 'open' AND archived_at IS NULL
"""
# Runs after the tasks: whatever is still in the CTA is somebody's work.
_END_CTAS = """
UPDATE ctas_cta c SET
    archived_at = CASE WHEN left_over.is_worked_on THEN NULL ELSE %(now)s::timestamptz END,
    status = CASE WHEN left_over.is_worked_on THEN 'cancelled' ELSE c.status END,
    closed_at = CASE WHEN left_over.is_worked_on THEN %(now)s::timestamptz END,
    closed_by = CASE WHEN left_over.is_worked_on THEN %(actor)s ELSE '' END
FROM (
    SELECT o.id, o.touched_at IS NOT NULL OR count(t.id) > 0 AS is_worked_on
    FROM ctas_cta o
    LEFT JOIN ctas_task t ON t.tenant_id = o.tenant_id AND t.cta_id = o.id AND t.archived_at IS NULL
    WHERE o.tenant_id = %(tenant)s AND o.id = ANY(%(opened)s) AND o.status = 'open' AND o.archived_at IS NULL
    GROUP BY o.id HAVING count(t.id) FILTER (WHERE t.status = 'open') = 0
) left_over
WHERE c.tenant_id = %(tenant)s AND c.id = left_over.id
"""
