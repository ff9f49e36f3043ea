"""Start a success plan from a template, with its objectives and their tasks."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import UUID

from django import forms
from django.core.exceptions import ValidationError

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
    Keep,
    Receipt,
    Run,
    Skipped,
    Undo,
    UndoDecision,
    Work,
    Write,
)
from actions.by_hand import DONE_BY_HAND
from actions.forms import ActionForm, RoleField, TemplateField
from actions.people import CSM, Targets, fallback_words, load_targets, role_words
from actions.variables import load_texts
from cs_platform.common.message_templates import single_line
from cs_platform.common.statements import fetch
from cs_platform.tenancy.looked_up import once
from ctas.telling import Agent, tell_of_opened
from success_plans.models import PlanTemplate
from success_plans.planning import tell_of_started
from success_plans.templates import ObjectiveLine, Outline, Started, Wanted, outline_of, start_plans


class StartSuccessPlanForm(ActionForm):
    side_by_side = (("owner", "fallback_owner"), ("start_in_days", "due_in_days"))

    template = forms.CharField(max_length=60, widget=forms.Select, help_text="Its objectives come with their tasks.")
    name = TemplateField()
    owner = RoleField(initial=CSM)
    fallback_owner = RoleField(label="Otherwise", required=False)
    start_in_days = forms.IntegerField(min_value=0, max_value=1_000, initial=0, required=False)
    due_in_days = forms.IntegerField(
        min_value=0, max_value=1_000, required=False, help_text="After the start. Empty: as the template says."
    )
    begin = forms.BooleanField(
        label="Begin at once",
        required=False,
        help_text="Its objectives are work at once. Otherwise somebody looks at the draft first.",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["template"].widget.choices = _offered()  # type: ignore[attr-defined]

    def clean_template(self) -> str:
        key: str = self.cleaned_data["template"]
        if key not in dict(_present()):
            raise ValidationError(f"There is no template of plans with the key {key}.")
        return key

    def clean_start_in_days(self) -> int:
        return self.cleaned_data["start_in_days"] or 0


def _present() -> list[tuple[str, str]]:
    present = PlanTemplate.objects.filter(archived_at=None).order_by("name", "pk")
    return once("templates of plans", lambda: list(present.values_list("key", "name")))


def _offered() -> list[tuple[str, str]]:
    return [("", "Choose a template"), *_present()]


class StartSuccessPlan(Action):
    key = "start_success_plan"
    label = "Start a success plan"
    icon = "flag"
    group = GIVE
    summary = "From a template, with objectives and tasks"
    form = StartSuccessPlanForm
    sample = {
        "template": "onboarding",
        "name": "Onboarding of {{ account.name }}",
        "owner": "csm",
        "due_in_days": 90,
        "begin": True,
    }

    def describe(self, config: Config) -> str:
        state = "" if config["begin"] else " as a draft"
        return f"Start the success plan “{config['name']}”{state} for {role_words(config['owner'])}"

    def describe_stop(self, config: Config) -> str:
        return (
            "The plan is archived with its objectives if nobody worked on it. Otherwise it stays with what people did, "
            "and its untouched objectives are archived. A link shared with the customer stays as it is."
        )

    def stop_in_brief(self, config: Config) -> str:
        return "Archived unless worked on"

    def writes(self, config: Config) -> Sequence[Write]:
        return tuple(
            Write(field, "open") for field in ("success_plan", "open_plans", "plan_progress", "next_plan_due_on")
        )

    def gives(self, config: Config) -> Sequence[Work]:
        """A draft is work for nobody yet."""
        outline = _outlines().get(config["template"]) if config["begin"] else None
        roles = (config["owner"], CSM, config["fallback_owner"])
        return [work for line in outline.objectives for work in _work_of(line, roles)] if outline else ()

    def tell(self, config: Config, receipt: Receipt) -> str:
        name, count = receipt.get("name") or config["name"], receipt.get("objectives")
        started = f"Success plan started: {name}" + (f" with {_count(count, 'objective')}" if count else "")
        return started + fallback_words(receipt, config["owner"])

    def apply(self, batch: Batch) -> Mapping[UUID, ApplyOutcome]:
        return _starting(batch)

    def decide(self, batch: Batch, *, lock: bool) -> Mapping[UUID, UndoDecision]:
        found = _facts(batch, lock=lock)
        return {run.id: _decision(run, found.get(run.id)) for run in batch.runs}

    def reverse(self, batch: Batch, decisions: Mapping[UUID, UndoDecision]) -> None:
        going = [run for run in batch.runs if _leaves_something(decisions[run.id])]
        if not going:
            return
        whole = [run.id for run in going if isinstance(decisions[run.id], Undo)]
        params = {"tenant": batch.tenant_id, "now": batch.now, "runs": [run.id for run in going], "whole": whole}
        for statement in (_ARCHIVE_TASKS, _ARCHIVE_OBJECTIVES, _ARCHIVE_PLANS):
            fetch(statement, params)


def _outlines() -> Mapping[str, Outline]:
    """What every template says, also of those that are archived: they go on being started from."""
    definitions = PlanTemplate.objects.values_list("key", "definition")
    return once("outlines of plans", lambda: {key: outline_of(definition) for key, definition in definitions})


def _work_of(line: ObjectiveLine, owner: tuple[str, ...]) -> Iterator[Work]:
    """An objective and its tasks; `owner`: by which roles the plan's owner is found, who has what nobody else does."""
    yield Work(CTA, (line.owner, *owner), line.playbook)
    for task in line.tasks:
        yield Work(TASK, (task.owner or line.owner, *owner))


def _leaves_something(decision: UndoDecision) -> bool:
    """Even where the plan stays, our untouched objectives go."""
    return not isinstance(decision, Keep) or decision.code not in ("target_gone", DONE_BY_HAND.code)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


# --- apply ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Plan:
    """What one run comes to."""

    run_id: UUID
    wanted: Wanted
    fell_to: Receipt


def _starting(batch: Batch) -> dict[UUID, ApplyOutcome]:
    config = batch.config
    template = PlanTemplate.objects.filter(key=config["template"]).select_related("type").first()
    roles = [config["owner"], config["fallback_owner"], *(_roles_of(template) if template else ())]
    targets = load_targets(batch, roles=roles)
    texts = load_texts(batch, {"name": config["name"]})
    outcomes: dict[UUID, ApplyOutcome] = {}
    wanted = []
    for run in batch.runs:
        found = _want(run, batch, targets, texts.of(run), template)
        if isinstance(found, _Plan):
            wanted.append(found)
        else:
            outcomes[run.id] = found
    if wanted and template:
        outcomes |= _started(batch, wanted, template)
    return outcomes


def _roles_of(template: PlanTemplate) -> list[str]:
    lines = outline_of(template.definition).objectives
    return [role for line in lines for role in (line.owner, *(task.owner for task in line.tasks)) if role]


def _want(
    run: Run, batch: Batch, targets: Targets, texts: Mapping[str, str] | Held, template: PlanTemplate | None
) -> _Plan | Skipped | Held:
    if targets.get(run.account_id) is None:
        return Skipped("The account is archived.")
    if template is None:
        return Held("no_template", f"There is no template of plans with the key {batch.config['template']} any more.")
    if isinstance(texts, Held):
        return texts
    name, config = single_line(texts["name"]), batch.config
    owner = targets.first(run.account_id, config["owner"], CSM, config["fallback_owner"])
    if owner is None:
        return _nobody(name, config["owner"])
    start = batch.today + timedelta(days=config["start_in_days"])
    due = None if config["due_in_days"] is None else start + timedelta(days=config["due_in_days"])
    people = partial(_person_id, targets, run.account_id)
    wanted = Wanted(run.account_id, name, owner.id, people, start, due, run.id)
    return _Plan(run.id, wanted, targets.fell_to(run.account_id, config["owner"], owner))


def _person_id(targets: Targets, account_id: int, role: str) -> int | None:
    found = targets.person(account_id, role)
    return found.id if found else None


def _nobody(name: str, role: str) -> Held:
    reason = f"Nobody can own “{name}”: {role_words(role)} is not set or no longer active, and no fallback is."
    return Held("no_assignee", f"{reason} Give the account a CSM, or the step a fallback owner.")


def _started(batch: Batch, plans: Sequence[_Plan], template: PlanTemplate) -> dict[UUID, ApplyOutcome]:
    begin = batch.config["begin"]
    made = start_plans([one.wanted for one in plans], template, activate=begin, actor=batch.actor, now=batch.now)
    tell_of_started((one.plan for one in made), by=Agent(batch.actor), now=batch.now)
    if begin:
        _tell_of_objectives(made, batch)
    outline = outline_of(template.definition)
    outcomes: dict[UUID, ApplyOutcome] = {}
    for one, started in zip(plans, made, strict=True):
        playbooks = [{"cta_id": cta_id, "playbook": key} for cta_id, key in started.playbooks(outline)]
        receipt = {
            "plan_id": started.plan.pk,
            "name": one.wanted.name,
            "owner_id": one.wanted.owner_id,
            "objectives": len(started.ctas),
            "tasks": len(started.tasks),
            **one.fell_to,
            **({"cta_playbooks": playbooks} if playbooks else {}),  # for the engine to apply
        }
        outcomes[one.run_id] = Applied(receipt)
    return outcomes


def _tell_of_objectives(made: Iterable[Started], batch: Batch) -> None:
    """They are work at once. Whoever owns the plan hears of that."""
    opened: dict[int, list[tuple[int, str]]] = defaultdict(list)
    for started in made:
        for cta in started.ctas:
            if cta.owner_id and cta.owner_id != started.plan.owner_id:
                opened[cta.owner_id].append((cta.pk, cta.name))
    tell_of_opened(opened, by=Agent(batch.actor), now=batch.now)


# --- undo -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Facts:
    """What people made of a plan since."""

    is_gone: bool
    status: str
    is_touched: bool
    is_shared: bool
    is_discussed: bool
    worked_on: int  # our objectives that somebody changed, closed or did tasks of
    untouched: int
    foreign: int  # objectives somebody else brought in


_PLANS = """
SELECT p.origin_run_id, p.archived_at IS NOT NULL OR a.archived_at IS NOT NULL, p.status, p.touched_at IS NOT NULL,
    EXISTS (SELECT 1 FROM success_plans_sharelink l
            WHERE l.tenant_id = p.tenant_id AND l.plan_id = p.id AND l.revoked_at IS NULL),
    EXISTS (SELECT 1 FROM workspace_comment k
            WHERE k.tenant_id = p.tenant_id AND k.subject = 'plan:' || p.id AND k.archived_at IS NULL)
FROM success_plans_successplan p
JOIN accounts_account a ON a.tenant_id = p.tenant_id AND a.id = p.account_id
WHERE p.tenant_id = %(tenant)s AND p.id = ANY(%(plans)s)
ORDER BY p.id {lock}
"""
# What somebody did to one of our objectives: to itself, to a task, by adding one, or by saying something.
_UNTOUCHED = """
c.touched_at IS NULL AND c.status IN ('draft', 'open')
AND NOT EXISTS (
    SELECT 1 FROM ctas_task k WHERE k.tenant_id = c.tenant_id AND k.cta_id = c.id AND k.archived_at IS NULL
        AND (k.touched_at IS NOT NULL OR k.status <> 'open' OR k.origin_run_id IS DISTINCT FROM c.origin_run_id)
)
AND NOT EXISTS (
    SELECT 1 FROM workspace_comment w
    WHERE w.tenant_id = c.tenant_id AND w.subject = 'cta:' || c.id AND w.archived_at IS NULL
)
"""
_OBJECTIVES = f"""
SELECT o.plan_id, c.origin_run_id, {_UNTOUCHED}
FROM success_plans_objective o
JOIN ctas_cta c ON c.tenant_id = o.tenant_id AND c.id = o.cta_id AND c.archived_at IS NULL
WHERE o.tenant_id = %(tenant)s AND o.plan_id = ANY(%(plans)s)
ORDER BY c.id {{lock}}
"""


def _facts(batch: Batch, *, lock: bool) -> dict[UUID, _Facts]:
    plans = {run.receipt["plan_id"]: run.id for run in batch.runs if run.receipt and "plan_id" in run.receipt}
    params = {"tenant": batch.tenant_id, "plans": list(plans)}
    rows = fetch(_PLANS.format(lock="FOR UPDATE OF p" if lock else ""), params)
    objectives: dict[UUID, list[tuple[UUID | None, bool]]] = {run_id: [] for run_id in plans.values()}
    for plan_id, origin, untouched in fetch(_OBJECTIVES.format(lock="FOR UPDATE OF c" if lock else ""), params):
        objectives[plans[plan_id]].append((origin, untouched))
    return {row[0]: _told(row, objectives[row[0]]) for row in rows}


def _told(row: tuple[Any, ...], objectives: Collection[tuple[UUID | None, bool]]) -> _Facts:
    run_id, gone, status, touched, shared, discussed = row
    ours = [untouched for origin, untouched in objectives if origin == run_id]
    counts = len(ours) - sum(ours), sum(ours), len(objectives) - len(ours)
    return _Facts(gone, status, touched, shared, discussed, *counts)


def _decision(run: Run, facts: _Facts | None) -> UndoDecision:
    receipt = run.receipt
    if not receipt or "plan_id" not in receipt:
        return DONE_BY_HAND
    name = f"“{receipt['name']}”"
    if facts is None or facts.is_gone:
        return Keep("target_gone", f"{name} was archived since, or its account was")
    if why := _why_it_stays(facts):
        code, words = why
        return Keep(code, f"{name} stays: {words}{_also(facts)}")
    objectives = f" and its {_count(facts.untouched, 'objective')} are" if facts.untouched else " is"
    return Undo(f"{name}{objectives} archived")


def _why_it_stays(facts: _Facts) -> tuple[str, str] | None:
    """The first of the reasons there are; none is passed over, since each alone is enough."""
    if facts.is_shared:
        return "shared", "it is shared with the customer, and the link holds as before"
    if facts.worked_on:
        return "progress", f"people worked on {_count(facts.worked_on, 'objective')}"
    if facts.foreign:
        return "worked_on", f"somebody brought in {_count(facts.foreign, 'objective')}"
    if facts.status == "closed":
        return "closed", "somebody closed it"
    if facts.is_touched:
        return "worked_on", "somebody changed it"
    return ("commented", "somebody commented on it") if facts.is_discussed else None


def _also(facts: _Facts) -> str:
    """What goes beside what stays."""
    return f" ({_count(facts.untouched, 'untouched objective')} archived)" if facts.untouched else ""


# Children first. Which objectives are untouched is asked again under the locks that `decide` took.
_OURS = f"""
SELECT c.id FROM ctas_cta c
WHERE c.tenant_id = %(tenant)s AND c.origin_run_id = ANY(%(runs)s::uuid[]) AND c.archived_at IS NULL AND {_UNTOUCHED}
"""
_ARCHIVE_TASKS = f"""
UPDATE ctas_task t SET archived_at = %(now)s
WHERE t.tenant_id = %(tenant)s AND t.archived_at IS NULL AND t.cta_id IN ({_OURS})
"""
_ARCHIVE_OBJECTIVES = (
    f"UPDATE ctas_cta x SET archived_at = %(now)s WHERE x.tenant_id = %(tenant)s AND x.id IN ({_OURS})"
)
_ARCHIVE_PLANS = """
UPDATE success_plans_successplan SET archived_at = %(now)s
WHERE tenant_id = %(tenant)s AND origin_run_id = ANY(%(whole)s::uuid[]) AND archived_at IS NULL
"""
