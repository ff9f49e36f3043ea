"""Open a CTA with its tasks, or join one that is already open."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from django import forms

from actions.base import (
    CTA,
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
from actions.cta_work import INSERT_CTAS, INSERT_TASKS, DueDays, counted, cta_writes, decide, reverse, tasks_done
from actions.forms import ActionForm, CtaPlaybookField, OnWeekendsField, RoleField, TaskListField, TemplateField
from actions.people import CSM, Member, Targets, fallback_words, load_targets, role_words
from actions.variables import Texts, load_texts
from cs_platform.common.message_templates import single_line
from cs_platform.common.statements import fetch
from ctas.entry_fields import EntryField
from ctas.lists import Kind, current_lists
from ctas.models import Cta
from ctas.telling import Agent, tell_of_opened

SKIP, UPDATE, ALLOW = "skip", "update", "allow"
# How its settings are called where a type asks for something.
_ASKED = {"due_on": "due_in_days"}


class CreateCtaForm(ActionForm):
    side_by_side = (("type", "reason"), ("priority", "due_in_days"))

    name = TemplateField()
    type = EntryField(Kind.TYPE, initial=Cta.Type.LIFECYCLE)
    reason = EntryField(Kind.REASON, required=False, loosely=True)
    priority = EntryField(Kind.PRIORITY, initial=Cta.Priority.MEDIUM)
    due_in_days = forms.IntegerField(
        required=False, min_value=0, max_value=1_000, help_text="Counted from the day it is opened."
    )
    owner = RoleField(initial=CSM)
    fallback_owner = RoleField(
        required=False, label="Otherwise", help_text="Who owns it where nobody active holds that role, nor is the CSM."
    )
    comment = TemplateField(required=False, single_line=False)
    tasks = TaskListField(required=False)
    cta_playbook = CtaPlaybookField(
        required=False, max_length=40, label="CTA playbook", help_text="Its tasks are set up as the CTA is opened."
    )
    on_weekends = OnWeekendsField()
    duplicates = forms.ChoiceField(
        choices=[
            (SKIP, "Leave the open CTA as it is"),
            (UPDATE, "Add the tasks to the open CTA"),
            (ALLOW, "Open another CTA"),
        ],
        initial=SKIP,
        label="If one of this type and reason is open or snoozed",
    )
    same_name = forms.BooleanField(required=False, label="Only one of the same name counts")

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        asked = current_lists().find(Kind.TYPE, cleaned.get("type", "")).to_create
        for name in (_ASKED.get(one, one) for one in asked):
            if name not in self.errors and cleaned.get(name) in (None, ""):
                self.add_error(name, "CTAs of this type need one.")
        return cleaned


class CreateCta(Action):
    key = "create_cta"
    label = "Create a CTA"
    icon = "target"
    group = GIVE
    summary = "A to-do with tasks, an owner and due days"
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
        playbook = f", with the CTA playbook “{config['cta_playbook']}”" if config.get("cta_playbook") else ""
        return f"Open the CTA “{config['name']}”{more} for {role_words(config['owner'])}{playbook}"

    def describe_stop(self, config: Config) -> str:
        return (
            "The CTA and its tasks are archived if nobody worked on them. "
            "Otherwise what people did stays, untouched open tasks go, and the CTA closes when nothing open is left."
        )

    def stop_in_brief(self, config: Config) -> str:
        return "Archived unless worked on"

    def writes(self, config: Config) -> Sequence[Write]:
        return cta_writes(config)

    def gives(self, config: Config) -> Sequence[Work]:
        roles = (config["owner"], CSM, config["fallback_owner"])
        tasks = [Work(TASK, (task["owner"] or config["owner"], *roles[1:])) for task in config["tasks"]]
        return (Work(CTA, roles, config.get("cta_playbook") or ""), *tasks)

    def since(self, receipts: Mapping[UUID, Receipt], *, now: datetime) -> Mapping[UUID, str]:
        return tasks_done(receipts)

    def tell(self, config: Config, receipt: Receipt) -> str:
        name = receipt.get("name") or config["name"]
        added = counted(len(receipt["tasks"]), "task") if receipt.get("tasks") else ""
        if receipt.get("joined"):
            return f"CTA was already open: {name}{added and f'; added {added}'}"
        return f"CTA opened: {name}{added and f' with {added}'}{fallback_words(receipt, config['owner'])}"

    def apply(self, batch: Batch) -> Mapping[UUID, ApplyOutcome]:
        return _Opening(batch).outcomes()

    def decide(self, batch: Batch, *, lock: bool) -> Mapping[UUID, UndoDecision]:
        return decide(batch, lock=lock)

    def reverse(self, batch: Batch, decisions: Mapping[UUID, UndoDecision]) -> None:
        reverse(batch, decisions)


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
    fell_to: Receipt = field(default_factory=dict)


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
        self.due = DueDays.of(self.batch)
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
            owner = self._owner(run)
            if owner is None:
                return _nobody(wanted.name, self.config["owner"])
            wanted.owner_id = owner.id
            wanted.fell_to = self.targets.fell_to(run.account_id, self.config["owner"], owner)
            self.by_key.setdefault(self._key(wanted), wanted)
        self.wanted[run.id] = wanted
        return None

    def _owner(self, run: Run) -> Member | None:
        return self.targets.first(run.account_id, self.config["owner"], CSM, self.config["fallback_owner"])

    def _key(self, wanted: _Wanted) -> tuple[int, str]:
        return wanted.run.account_id, wanted.name if self.config["same_name"] else ""

    def _join(self, wanted: _Wanted) -> bool:
        """An open CTA of the same type and reason on the account: an older one, or one this batch is opening."""
        if self.config["duplicates"] == ALLOW:
            return False
        known, twin = self.open.get(self._key(wanted)), self.by_key.get(self._key(wanted))
        if known:
            owner = None if known.owner_id else self._owner(wanted.run)
            owner_id = owner.id if owner else known.owner_id
            wanted.cta_id, wanted.owner_id, wanted.first_position = known.cta_id, owner_id, known.next_position
        elif twin:
            wanted.twin, wanted.owner_id, wanted.first_position = twin, twin.owner_id, len(self.config["tasks"])
        wanted.joined = bool(known or twin)
        return wanted.joined

    def _insert_ctas(self) -> None:
        opened = [wanted for wanted in self.wanted.values() if not wanted.joined]
        if opened:
            for run_id, cta_id in fetch(INSERT_CTAS, self._cta_params(opened)):
                self.wanted[run_id].cta_id = cta_id
            self._tell_owners(opened)
        for wanted in self.wanted.values():
            if wanted.twin:
                wanted.cta_id = wanted.twin.cta_id

    def _tell_owners(self, opened: Sequence[_Wanted]) -> None:
        mine: dict[int, list[tuple[int, str]]] = defaultdict(list)
        for wanted in opened:
            if wanted.owner_id and wanted.cta_id:
                mine[wanted.owner_id].append((wanted.cta_id, wanted.name))
        tell_of_opened(mine, by=Agent(self.batch.actor), now=self.batch.now)

    def _cta_params(self, opened: Sequence[_Wanted]) -> dict[str, Any]:
        return self._shared_params() | {
            "type": self.config["type"],
            "reason": self.config["reason"],
            "priority": self.config["priority"],
            "due_on": self.due.after(self.config["due_in_days"]),
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
        for run_id, task_id in fetch(INSERT_TASKS, self._task_params(receiving)):
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
            "due_dates": [self.due.after(task["due_in_days"]) for _at, task in tasks],
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
            **wanted.fell_to,
            **self._playbook(wanted),
        }

    def _playbook(self, wanted: _Wanted) -> Receipt:
        """For the engine to apply; a CTA that was open before gets none unless it is to be brought up to date."""
        key = self.config.get("cta_playbook")
        if not key or (wanted.joined and self.config["duplicates"] != UPDATE):
            return {}
        return {"cta_playbooks": [{"cta_id": wanted.cta_id, "playbook": key}]}


def _nobody(name: str, role: str) -> Held:
    reason = f"Nobody can own “{name}”: {role_words(role)} is not set or no longer active, and no fallback is."
    return Held("no_assignee", f"{reason} Give the account a CSM, or the step a fallback owner.")


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
