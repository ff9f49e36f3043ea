"""Give a CTA its pre-set list of tasks, all at once; what a CTA playbook does."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any
from uuid import UUID

from django import forms

from actions.base import (
    GIVE,
    Action,
    Applied,
    ApplyOutcome,
    Audience,
    Batch,
    Config,
    Held,
    Receipt,
    Run,
    Skipped,
    UndoDecision,
)
from actions.cta_work import INSERT_TASKS, counted, decide, reverse
from actions.forms import ActionForm, ScheduledTasksField
from actions.people import Targets, load_targets
from actions.variables import Texts, load_texts
from cs_platform.common.message_templates import single_line
from cs_platform.common.statements import fetch
from cs_platform.workspace.holidays import load_holidays, working_day
from ctas.models import Cta


class SetUpTasksForm(ActionForm):
    tasks = ScheduledTasksField(help_text="Day 1 is the day on which the playbook is applied.")
    skip_weekends = forms.BooleanField(
        required=False, label="Due dates on weekends and holidays move to the next working day"
    )


class SetUpTasks(Action):
    key = "set_up_tasks"
    label = "Set up tasks"
    icon = "list-checks"
    group = GIVE
    summary = "A pre-set list of tasks with owners and due days"
    form = SetUpTasksForm
    audiences = frozenset({Audience.CTAS})
    sample = {
        "tasks": [
            {"title": "Check which sites stopped logging in", "day": 2},
            {"title": "Call {{ csm.name }} about it", "day": 5, "owner": "ae", "fallback_owner": "csm"},
        ],
        "skip_weekends": True,
    }

    def describe(self, config: Config) -> str:
        tasks = counted(len(config["tasks"]), "task")
        return f"Set up {tasks}, the last due on day {max(task['day'] for task in config['tasks'])}"

    def describe_stop(self, config: Config) -> str:
        return (
            "Untouched open tasks are archived, completed ones and those added by hand stay. "
            "Whoever removes it is asked about edited ones; without a person they are cancelled."
        )

    def stop_in_brief(self, config: Config) -> str:
        return "Untouched tasks are archived"

    def tell(self, config: Config, receipt: Receipt) -> str:
        if "tasks" not in receipt:
            return self.describe(config)
        fallen = f"; {counted(receipt['fallbacks'], 'task')} with a fallback owner" if receipt.get("fallbacks") else ""
        return f"{counted(len(receipt['tasks']), 'task')} set up in {receipt['name']}{fallen}"

    def apply(self, batch: Batch) -> Mapping[UUID, ApplyOutcome]:
        return _SettingUp(batch).outcomes()

    def decide(self, batch: Batch, *, lock: bool) -> Mapping[UUID, UndoDecision]:
        return decide(batch, lock=lock)

    def reverse(self, batch: Batch, decisions: Mapping[UUID, UndoDecision]) -> None:
        reverse(batch, decisions)


@dataclass(frozen=True, slots=True)
class _Where:
    """A CTA that is still being worked on; `owner_id` is an active member."""

    name: str
    owner_id: int | None
    first_position: int


_CTAS = """
SELECT c.id, c.name, m.id,
    (SELECT COALESCE(max(t.position) + 1, 0) FROM ctas_task t WHERE t.tenant_id = c.tenant_id AND t.cta_id = c.id)
FROM ctas_cta c
LEFT JOIN tenancy_membership m ON m.tenant_id = c.tenant_id AND m.id = c.owner_id AND m.deactivated_at IS NULL
WHERE c.tenant_id = %(tenant)s AND c.id = ANY(%(ctas)s) AND c.status = ANY(%(workable)s) AND c.archived_at IS NULL
ORDER BY c.id FOR NO KEY UPDATE OF c
"""


@dataclass(slots=True)
class _SettingUp:
    batch: Batch
    where: dict[int, _Where] = field(init=False)
    targets: Targets = field(init=False)
    texts: Texts = field(init=False)
    says: dict[UUID, Mapping[str, str]] = field(default_factory=dict)
    holidays: Collection[date] = field(init=False)

    @property
    def tasks(self) -> Sequence[Mapping[str, Any]]:
        return self.batch.config["tasks"]  # type: ignore[no-any-return]

    def outcomes(self) -> dict[UUID, ApplyOutcome]:
        roles = [role for task in self.tasks for role in (task["owner"], task["fallback_owner"])]
        self.targets = load_targets(self.batch, roles=roles)
        self.texts = load_texts(self.batch, dict(self._sources()))
        self.where = self._load_ctas()
        self.holidays = load_holidays(since=self.batch.today)
        refused = {run.id: why for run in self.batch.runs if (why := self._refusal(run)) is not None}
        made = self._insert([run for run in self.batch.runs if run.id not in refused])
        return {run.id: refused.get(run.id) or Applied(self._receipt(run, made[run.id])) for run in self.batch.runs}

    def _sources(self) -> Iterator[tuple[str, str]]:
        for at, task in enumerate(self.tasks):
            yield f"title{at}", task["title"]
            yield f"description{at}", task["description"]

    def _load_ctas(self) -> dict[int, _Where]:
        params = {
            "tenant": self.batch.tenant_id,
            "ctas": [run.cta_id for run in self.batch.runs if run.cta_id],
            "workable": [Cta.Status.OPEN, Cta.Status.DRAFT],
        }
        return {pk: _Where(*found) for pk, *found in fetch(_CTAS, params)}

    def _refusal(self, run: Run) -> Skipped | Held | None:
        if self.targets.get(run.account_id) is None:
            return Skipped("The account is archived.")
        if run.cta_id not in self.where:
            return Skipped("The CTA was closed or removed before.")
        texts = self.texts.of(run)
        if isinstance(texts, Held):
            return texts
        self.says[run.id] = texts
        return None

    def _insert(self, runs: Sequence[Run]) -> dict[UUID, list[int]]:
        made: dict[UUID, list[int]] = {run.id: [] for run in runs}
        if runs:
            for run_id, task_id in fetch(INSERT_TASKS, self._params(runs)):
                made[run_id].append(task_id)
        return made

    def _params(self, runs: Sequence[Run]) -> dict[str, Any]:
        rows = [(run, at, task) for run in runs for at, task in enumerate(self.tasks)]
        return {
            "tenant": self.batch.tenant_id,
            "now": self.batch.now,
            "actor": self.batch.actor,
            "ctas": [run.cta_id for run, _at, _task in rows],
            "runs": [run.id for run, _at, _task in rows],
            "titles": [single_line(self.says[run.id][f"title{at}"]) for run, at, _task in rows],
            "descriptions": [self.says[run.id][f"description{at}"] for run, at, _task in rows],
            "owners": [self._owner(run, task) for run, _at, task in rows],
            "positions": [self.where[run.cta_id or 0].first_position + at for run, at, _task in rows],
            "places": [at for _run, at, _task in rows],
            "due_dates": [self._due(task["day"]) for task in self.tasks],
        }

    def _owner(self, run: Run, task: Mapping[str, Any]) -> int | None:
        """An empty role is the CTA's owner, who is also the last resort."""
        roles = [role for role in (task["owner"], task["fallback_owner"]) if role] if task["owner"] else []
        found = self.targets.first(run.account_id, *roles)
        return found.id if found else self.where[run.cta_id or 0].owner_id

    def _due(self, day: int) -> date:
        due_on = self.batch.today + timedelta(days=day - 1)
        return working_day(due_on, self.holidays) if self.batch.config["skip_weekends"] else due_on

    def _receipt(self, run: Run, task_ids: list[int]) -> Receipt:
        assert run.cta_id is not None
        asked = [task["owner"] for task in self.tasks if task["owner"]]
        fallen = sum(self.targets.person(run.account_id, role) is None for role in asked)
        fallbacks = {"fallbacks": fallen} if fallen else {}
        name = self.where[run.cta_id].name
        return {"cta_id": run.cta_id, "name": name, "joined": True, "tasks": task_ids, **fallbacks}
