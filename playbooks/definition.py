"""What a playbook says: one JSON form for storing, export and import (docs/playbooks.md), checked as a whole.

Parsing finds every problem, not the first, each with the path of the part that has to be mended.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar, Protocol

from accounts.rules import grammar
from accounts.rules.compile import Audience
from accounts.rules.fields import FieldSet, FieldType, Subject
from accounts.rules.grammar import RuleErrors
from actions.base import Action
from actions.base import Audience as ActionAudience
from actions.checks import ActionErrors, clean_config
from actions.registry import action_for
from actions.retired import RetiredAction
from actions.variables import SCOPES
from actions.widgets import Team
from cs_platform.common import message_templates
from cs_platform.common.message_templates import TemplateError
from cs_platform.tenancy.looked_up import looked_up_once
from ctas.lists import Kind, current_lists
from playbooks.icons import ICONS, USUAL

TASKS_ACTION = "set_up_tasks"
MAX_STEPS = 100
MAX_DAY = 1_000
TARGETS: dict[str, tuple[str, ...]] = {
    "tracked": ("subscribed", "trialing"),
    "subscribed": ("subscribed",),
    "trialing": ("trialing",),
    "churned": ("churned",),
}
POLICIES = ("once_ever", "every_match", "once_per_value", "at_most")
ON_UNMATCH = ("finish", "stop")
OTHERWISE = ("skip", "apply", "stop")  # what happens to an action nobody has approved in time
MAX_WAIT = 90
MAX_HOLDOUT = 50  # per cent: more without the playbook than with it is no playbook
MAX_OUTCOME_DAYS = 365
# Versions that were published before either could be said.
UNSAID: dict[str, Any] = {"outcome": None, "holdout": 0}
_KEY = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")


@dataclass(frozen=True, slots=True)
class Problem:
    """`path` names the part ("steps[2].config.owner"); the message says what to do."""

    path: str
    message: str


class DefinitionErrors(Exception):
    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("; ".join(f"{problem.path}: {problem.message}" for problem in problems))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class Reenrollment:
    """When a subject that was enrolled before may be enrolled again. `field` is a date field's key."""

    policy: str = "once_ever"
    field: str = ""
    times: int | None = None
    days: int | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a playbook is for: reached by whoever matches the rule within so many days of being applied."""

    name: str
    rule: dict[str, Any]
    days: int


@dataclass(slots=True)
class StepSpec:
    key: str
    offset_days: int  # 0 = day 1; from the anchor's date if there is one
    anchor: str
    action: str
    config: dict[str, Any]
    condition: dict[str, Any] | None
    keep_on_stop: bool
    approval: dict[str, Any] | None = None

    @property
    def handler(self) -> Action:
        return action_for(self.action)


@dataclass(frozen=True, slots=True)
class Definition:
    key: str
    name: str
    category: str
    icon: str
    audience: str
    target: str
    description: str
    rules: dict[str, Any]
    reenrollment: Reenrollment
    on_unmatch: str
    skip_weekends: bool
    respects_known_cause: bool
    outcome: Outcome | None
    holdout: int  # per cent of those who match that go without it, to compare
    brake_limit: int | None
    steps: tuple[StepSpec, ...]

    def stored(self) -> dict[str, Any]:
        """What PlaybookVersion.definition keeps: everything but identity and steps."""
        exported = self.exported()
        identity = ("key", "name", "category", "icon", "audience", "steps")
        return {name: value for name, value in exported.items() if name not in identity}

    def exported(self) -> dict[str, Any]:
        again = asdict(self.reenrollment)
        return {
            "key": self.key,
            "name": self.name,
            "category": self.category,
            "icon": self.icon,
            "audience": self.audience,
            "target": self.target,
            "description": self.description,
            "rules": self.rules,
            "reenrollment": {name: value for name, value in again.items() if value},
            "on_unmatch": self.on_unmatch,
            "skip_weekends": self.skip_weekends,
            "respects_known_cause": self.respects_known_cause,
            "outcome": asdict(self.outcome) if self.outcome else None,
            "holdout": self.holdout,
            "brake_limit": self.brake_limit,
            "steps": [step_json(step) for step in self.steps],
        }


@dataclass(frozen=True, slots=True)
class TaskList:
    """A CTA playbook: a pre-set list of tasks, which one step sets up at once. No types: for CTAs of every type."""

    key: str
    name: str
    category: str
    description: str
    types: tuple[str, ...]
    config: dict[str, Any]

    audience: ClassVar[str] = ActionAudience.CTAS.value

    @property
    def steps(self) -> tuple[StepSpec, ...]:
        return (StepSpec("tasks", 0, "", TASKS_ACTION, self.config, None, False),)

    def stored(self) -> dict[str, Any]:
        return {"description": self.description, "types": list(self.types)}

    def exported(self) -> dict[str, Any]:
        identity = {"key": self.key, "name": self.name, "category": self.category, "audience": self.audience}
        return identity | self.stored() | self.config


AnyDefinition = Definition | TaskList


class StepLike(Protocol):
    """A StepSpec, or a stored Step."""

    key: str
    offset_days: int
    anchor: str
    action: str
    config: Any
    condition: Any
    keep_on_stop: bool
    approval: Any


def step_json(step: StepLike) -> dict[str, Any]:
    when: dict[str, Any] = (
        {"anchor": {"field": step.anchor, "days": step.offset_days}} if step.anchor else {"day": step.offset_days + 1}
    )
    extra = {"condition": step.condition, "approval": step.approval, "keep_on_stop": step.keep_on_stop}
    kept = {name: value for name, value in extra.items() if value}
    return {"key": step.key, **when, "action": step.action, "config": step.config, **kept}


def audience_of(definition: Mapping[str, Any], fields: FieldSet) -> Audience:
    """The compiled-to-be rules of a stored definition; raises RuleErrors when a field it asks about is gone."""
    rules = definition["rules"]
    account, user = grammar.parse_pair(rules.get("account"), rules.get("user"), fields=fields)
    return Audience(account, user, TARGETS[definition["target"]])


def subject_of(audience: str) -> Subject:
    return Subject.USER if audience == ActionAudience.USERS else Subject.ACCOUNT


def outcome_audience(definition: Mapping[str, Any], *, audience: str, fields: FieldSet) -> Audience | None:
    """Who has reached the outcome of a stored definition, in whatever lifecycle by then. None without an outcome.

    Raises RuleErrors when a field it asks about is gone.
    """
    outcome = definition.get("outcome")
    if not outcome:
        return None
    rule = grammar.parse(outcome["rule"], fields=fields, subject=subject_of(audience), path="outcome.rule")
    about_users = rule.subject is Subject.USER
    return Audience(None if about_users else rule, rule if about_users else None, lifecycles=None)


def schedule_json(audience: str, steps: Iterable[StepLike]) -> dict[str, Any]:
    """The part of an export that says what is done: steps, or the tasks of a CTA playbook."""
    if audience == ActionAudience.CTAS:
        return next((dict(step.config) for step in steps), {})
    return {"steps": [step_json(step) for step in steps]}


@looked_up_once()
def parse(data: Any, *, fields: FieldSet) -> AnyDefinition:
    """Raises DefinitionErrors with all that is wrong."""
    parser = _Parser(fields)
    about_ctas = isinstance(data, dict) and data.get("audience") == ActionAudience.CTAS
    return parser.task_list(data) if about_ctas else parser.definition(data)


@dataclass(slots=True)
class _Parser:
    fields: FieldSet
    problems: list[Problem] = field(default_factory=list)
    team: Team = field(default_factory=Team)  # asked for once for all actions

    def refuse(self, path: str, message: str) -> None:
        self.problems.append(Problem(path, message))

    def definition(self, data: Any) -> Definition:
        if not isinstance(data, dict):
            raise DefinitionErrors([Problem("", "A playbook is a JSON object.")])
        audience = self.one_of(data, "audience", ("accounts", "users", "ctas"), "accounts")
        found = Definition(
            key=self.key(data),
            name=self.text(data, "name", 200, required=True),
            category=self.text(data, "category", 100),
            icon=self.one_of(data, "icon", tuple(ICONS), USUAL),
            audience=audience,
            target=self.one_of(data, "target", tuple(TARGETS), "tracked"),
            description=self.description(data, audience),
            rules=self.rules(data.get("rules")),
            reenrollment=self.reenrollment(data),
            on_unmatch=self.one_of(data, "on_unmatch", ON_UNMATCH, "finish"),
            skip_weekends=self.flag(data, "skip_weekends"),
            respects_known_cause=self.flag(data, "respects_known_cause"),
            outcome=self.outcome(data.get("outcome"), audience),
            holdout=self.holdout(data),
            brake_limit=self.whole(data, "brake_limit", 1, 10_000_000, required=False),
            steps=self.steps(data.get("steps"), audience),
        )
        if self.problems:
            raise DefinitionErrors(self.problems)
        return found

    def task_list(self, data: dict[str, Any]) -> TaskList:
        asked = {name: data[name] for name in ("tasks", "skip_weekends") if name in data}
        found = TaskList(
            key=self.key(data),
            name=self.text(data, "name", 200, required=True),
            category=self.text(data, "category", 100),
            description=self.description(data, ActionAudience.CTAS),
            types=self.types(data.get("types", [])),
            config=self.config_of(TASKS_ACTION, asked, "", ActionAudience.CTAS),
        )
        if self.problems:
            raise DefinitionErrors(self.problems)
        return found

    def types(self, data: Any) -> tuple[str, ...]:
        known = {entry.key for entry in current_lists().entries[Kind.TYPE]}
        if not isinstance(data, list) or not set(map(str, data)) <= known:
            self.refuse("types", f"Give a list of types of CTAs: {', '.join(sorted(known))}. Empty: all of them.")
            return ()
        return tuple(dict.fromkeys(map(str, data)))

    def key(self, data: dict[str, Any]) -> str:
        key = str(data.get("key") or "").strip()
        if not _KEY.fullmatch(key):
            self.refuse("key", "Use 1 to 40 lower-case letters, digits, hyphens or underscores.")
        return key

    def text(
        self,
        data: dict[str, Any],
        name: str,
        longest: int,
        *,
        path: str = "",
        missing: str = "",
        required: bool = False,
    ) -> str:
        value = data.get(name) or ""
        if not isinstance(value, str) or len(value) > longest or "\x00" in value:
            self.refuse(path or name, f"Enter a text of at most {longest:,} characters.")
            return ""
        if required and not value.strip():
            self.refuse(path or name, missing or "Enter a name.")
        return value.strip()

    def description(self, data: dict[str, Any], audience: str) -> str:
        text = self.text(data, "description", 10_000)
        try:
            template = message_templates.parse(text)
        except TemplateError as error:
            self.refuse("description", str(error))
            return text
        if template.variables:
            known = self.team.variables(SCOPES[ActionAudience(audience)])
            for sentence in message_templates.unknown_variables(template, known):
                self.refuse("description", sentence)
        return text

    def one_of(self, data: dict[str, Any], name: str, choices: tuple[str, ...], default: str) -> str:
        value = data.get(name, default)
        if value in choices:
            return str(value)
        self.refuse(name, f"Choose one of: {', '.join(choices)}.")
        return default

    def flag(self, data: dict[str, Any], name: str, path: str = "") -> bool:
        value = data.get(name, False)
        if not isinstance(value, bool):
            self.refuse(path or name, "Enter true or false.")
        return value is True

    def whole(
        self, data: dict[str, Any], name: str, low: int, high: int, *, path: str = "", required: bool = True
    ) -> int | None:
        value = data.get(name)
        if value is None and not required:
            return None
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            self.refuse(path or name, f"Enter a whole number from {low:,} to {high:,}.")
            return None
        return value

    def rules(self, data: Any) -> dict[str, Any]:
        if not isinstance(data, dict) or not (data.get("account") or data.get("user")):
            self.refuse("rules", "Add at least one condition: a playbook without rules would apply to everybody.")
            return {}
        try:
            account, user = grammar.parse_pair(data.get("account"), data.get("user"), fields=self.fields)
        except RuleErrors as errors:
            self.problems += [Problem(error.path, error.message) for error in errors.errors]
            return {}
        trees = {"account": account, "user": user}
        return {name: grammar.dump(rule) if rule else None for name, rule in trees.items()}

    def reenrollment(self, data: dict[str, Any]) -> Reenrollment:
        again = data.get("reenrollment") or self.usual_reenrollment(data.get("rules"))
        if not isinstance(again, dict) or again.get("policy") not in POLICIES:
            self.refuse("reenrollment.policy", f"Choose one of: {', '.join(POLICIES)}.")
            return Reenrollment()
        policy = again["policy"]
        if policy == "once_per_value":
            return Reenrollment(policy, field=self.date_field(again.get("field"), "reenrollment.field"))
        if policy == "at_most":
            times = self.whole(again, "times", 1, 1_000, path="reenrollment.times", required=False)
            days = self.whole(again, "days", 1, 3_650, path="reenrollment.days", required=False)
            if times is None and days is None:
                self.refuse("reenrollment", "Say how many times, or at most once in how many days.")
            return Reenrollment(policy, times=times, days=days)
        return Reenrollment(policy)

    def usual_reenrollment(self, rules: Any) -> dict[str, Any]:
        """Rules about a relative date ask once per value of that date, so that next year's renewal counts again."""
        try:
            account, _user = grammar.parse_pair((rules or {}).get("account"), None, fields=self.fields)
        except (RuleErrors, AttributeError):
            return {"policy": "once_ever"}
        found = grammar.relative_date_fields(account) if account else []
        dates = [date.key for date in found if date.type is FieldType.DATE]
        return {"policy": "once_per_value", "field": dates[0]} if dates else {"policy": "once_ever"}

    def outcome(self, data: Any, audience: str) -> Outcome | None:
        if not data:
            return None
        if not isinstance(data, dict):
            self.refuse("outcome", "An outcome has a name, a rule, and the days within which it counts.")
            return None
        missing = "Give the outcome a name, such as Renewed."
        name = self.text(data, "name", 80, path="outcome.name", missing=missing, required=True)
        rule = self.outcome_rule(data.get("rule"), audience)
        days = self.whole(data, "days", 1, MAX_OUTCOME_DAYS, path="outcome.days")
        return Outcome(name, rule, days) if name and rule and days else None

    def outcome_rule(self, data: Any, audience: str) -> dict[str, Any] | None:
        if not data:
            self.refuse("outcome.rule", "Add at least one condition: it says when the outcome is reached.")
            return None
        try:
            rule = grammar.parse(data, fields=self.fields, subject=subject_of(audience), path="outcome.rule")
        except RuleErrors as errors:
            self.problems += [Problem(error.path, error.message) for error in errors.errors]
            return None
        return grammar.dump(rule)

    def holdout(self, data: dict[str, Any]) -> int:
        share = self.whole(data, "holdout", 0, MAX_HOLDOUT, required=False) or 0
        if share and not data.get("outcome"):
            self.refuse("holdout", "Choose an outcome to compare by, or leave nobody out: enter 0.")
        return share

    def date_field(self, key: Any, path: str) -> str:
        found = self.fields.find(Subject.ACCOUNT, key) if isinstance(key, str) else None
        if found is None or found.type is not FieldType.DATE:
            self.refuse(path, "Choose a date of the account, such as renewal_on.")
            return ""
        return found.key

    def steps(self, data: Any, audience: str) -> tuple[StepSpec, ...]:
        if not isinstance(data, list) or not 1 <= len(data) <= MAX_STEPS:
            self.refuse("steps", f"Add 1 to {MAX_STEPS} actions.")
            return ()
        steps = [self.step(item, f"steps[{at}]", audience) for at, item in enumerate(data)]
        found = [step for step in steps if step]
        keys = [step.key for step in found]
        for at, key in enumerate(keys):
            if key in keys[:at]:
                self.refuse(f"steps[{at}].key", f"“{key}” is taken by an earlier action. Give each its own key.")
        # In the order they run: anchored ones last, because their day is not known yet.
        return tuple(sorted(found, key=lambda step: (bool(step.anchor), step.offset_days)))

    def step(self, data: Any, path: str, audience: str) -> StepSpec | None:
        if not isinstance(data, dict):
            self.refuse(path, "An action is a JSON object.")
            return None
        key = str(data.get("key") or "")
        if not _KEY.fullmatch(key):
            self.refuse(f"{path}.key", "Use 1 to 40 lower-case letters, digits, hyphens or underscores.")
        anchor, offset = self.when(data, path)
        return StepSpec(
            key=key,
            offset_days=offset,
            anchor=anchor,
            action=str(data.get("action") or ""),
            config=self.config(data, path, audience),
            condition=self.condition(data.get("condition"), path),
            keep_on_stop=self.flag(data, "keep_on_stop", f"{path}.keep_on_stop"),
            approval=self.approval(data.get("approval"), f"{path}.approval"),
        )

    def when(self, data: dict[str, Any], path: str) -> tuple[str, int]:
        anchor = data.get("anchor")
        if not anchor:
            return "", (self.whole(data, "day", 1, MAX_DAY, path=f"{path}.day") or 1) - 1
        if not isinstance(anchor, dict):
            self.refuse(f"{path}.anchor", "An anchor names a date field and a number of days.")
            return "", 0
        days = self.whole(anchor, "days", -MAX_DAY, MAX_DAY, path=f"{path}.anchor.days")
        return self.date_field(anchor.get("field"), f"{path}.anchor.field"), days or 0

    def config(self, data: dict[str, Any], path: str, audience: str) -> dict[str, Any]:
        action = action_for(str(data.get("action") or ""))
        if isinstance(action, RetiredAction):
            self.refuse(f"{path}.action", "There is no such action. Choose one from the list.")
            return {}
        if ActionAudience(audience) not in action.audiences:
            self.refuse(f"{path}.action", f"“{action.label}” cannot be used for {audience}.")
        return self.config_of(action.key, data.get("config") or {}, f"{path}.config", ActionAudience(audience))

    def config_of(self, action: str, config: Any, path: str, audience: ActionAudience) -> dict[str, Any]:
        try:
            return clean_config(action_for(action), config, audience=audience, team=self.team)
        except ActionErrors as errors:
            places = ((error.path.removeprefix("config"), error.message) for error in errors.errors)
            self.problems += [Problem(f"{path}{place}".removeprefix("."), message) for place, message in places]
            return {}

    def condition(self, data: Any, path: str) -> dict[str, Any] | None:
        if not data:
            return None
        try:
            rule = grammar.parse(data, fields=self.fields, subject=Subject.ACCOUNT, path=f"{path}.condition")
        except RuleErrors as errors:
            self.problems += [Problem(error.path, error.message) for error in errors.errors]
            return None
        return grammar.dump(rule)

    def approval(self, data: Any, path: str) -> dict[str, Any] | None:
        if not data:
            return None
        if not isinstance(data, dict):
            self.refuse(path, "An approval says who is asked, for how many days, and what happens otherwise.")
            return None
        by = str(data.get("by") or "").strip()
        if by.lower() not in {value for value, _label in self.team.approvers}:
            self.refuse(f"{path}.by", "Choose csm, ae, team:admin, team:manager, or member: and the email of a member.")
        days = self.whole(data, "within_days", 1, MAX_WAIT, path=f"{path}.within_days")
        otherwise = data.get("otherwise", OTHERWISE[0])
        if otherwise not in OTHERWISE:
            self.refuse(f"{path}.otherwise", f"Choose one of: {', '.join(OTHERWISE)}.")
        return {"by": by.lower(), "within_days": days, "otherwise": otherwise}
