"""What the pages call the field that a problem of a draft is about, so that its message can be read alone."""

import re
from collections.abc import Mapping
from typing import Any

from django.forms.utils import pretty_name

from actions.forms import row_name
from actions.registry import action_for
from playbooks.steps import StepJson, of_draft

# As the wizard labels them. A path that is longer goes by the longest of these it begins with.
_OF_PLAYBOOK = {
    "name": "Name",
    "category": "Category",
    "icon": "Icon",
    "target": "Target accounts",
    "audience": "Target audience",
    "description": "Description",
    "rules": "Rules",
    "rules.account": "Account rules",
    "rules.user": "User rules",
    "reenrollment": "Applied again",
    "reenrollment.field": "Applied again, which date",
    "reenrollment.times": "Applied again, at most this many times",
    "reenrollment.days": "Applied again, once in this many days",
    "on_unmatch": "When the rules stop matching",
    "outcome": "Outcome",
    "outcome.name": "Outcome, what it is called",
    "outcome.rule": "Outcome, becomes true when",
    "outcome.days": "Outcome, within how many days",
    "holdout": "Outcome, leave out",
    "brake_limit": "Brake",
    "skip_weekends": "Weekends",
    "steps": "Actions",
}
_OF_STEP = {
    "day": "Day",
    "anchor": "Counted from",
    "anchor.days": "Days",
    "condition": "Only if",
    "approval": "Ask first",
    "approval.by": "Who approves it",
    "approval.within_days": "Days without an answer",
    "approval.otherwise": "If nobody answers",
    "keep_on_stop": "Keep what it did",
}
_STEP = re.compile(r"steps\[(\d+)\]\.?")
_SETTING = re.compile(r"(\w*)(.*)", re.DOTALL)


def field_name(path: str, content: Mapping[str, Any]) -> str:
    """The labels above it and its own. Nothing for what no page has a field for."""
    step = step_at(path, content)
    if step is None:
        return _nearest(path, _OF_PLAYBOOK)
    action, inside = _action_name(step), name_in_step(path, step)
    return f"{action}: {inside}" if inside else action


def name_in_step(path: str, step: StepJson) -> str:
    """The same on the page of that action."""
    rest = _STEP.sub("", path, count=1)
    setting = rest.removeprefix("config.")
    return _setting_name(setting, step) if setting != rest else _nearest(rest, _OF_STEP)


def step_at(path: str, content: Mapping[str, Any]) -> StepJson | None:
    """The action a path leads into."""
    found = _STEP.match(path)
    given = content.get("steps")
    step = given[int(found[1])] if found and isinstance(given, list) and int(found[1]) < len(given) else None
    return step if step in of_draft(content) else None


def _action_name(step: StepJson) -> str:
    label = action_for(str(step.get("action") or "")).label
    return label if step.get("anchor") or not isinstance(step.get("day"), int) else f"Day {step['day']}, {label}"


def _setting_name(path: str, step: StepJson) -> str:
    name, row = _SETTING.fullmatch(path).groups()  # type: ignore[union-attr]  # it matches everything
    field = action_for(str(step.get("action") or "")).form.base_fields.get(name)
    if field is None:
        return ""
    words = [str(field.label or pretty_name(name)), row_name(field, row)]
    return ", ".join(filter(None, words))


def _nearest(path: str, names: Mapping[str, str]) -> str:
    begun = [name for name in names if path == name or path.startswith((f"{name}.", f"{name}["))]
    return names[max(begun, key=len)] if begun else ""
