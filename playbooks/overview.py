"""A playbook in words: who gets it, when again, what happens on which day, and what stopping does to each action."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from accounts.rules import grammar
from accounts.rules.describe import Sentence, counted, describe
from accounts.rules.fields import Subject
from accounts.rules.grammar import RuleErrors
from actions.people import role_words
from actions.registry import action_for
from playbooks.definition import StepLike
from playbooks.filling import Piece, as_written
from playbooks.library import GONE, Words
from playbooks.models import Approval, PlaybookVersion

AGAIN = {
    "once_ever": "Once ever for each",
    "every_match": "Every time the rules match again",
    "once_per_value": "Once for each value of {field}",
    "at_most": "At most {limits}",
}
WEEKENDS = {
    True: "What falls on a weekend or holiday moves to the next working day",
    False: "Actions run on weekends and holidays too",
}
ON_UNMATCH = {"finish": "The schedule is finished", "stop": "The playbook stops and undoes what it did"}


@dataclass(frozen=True, slots=True)
class PlannedLine:
    step: StepLike
    icon: str
    says: str
    on_stop: str
    on_stop_brief: str
    condition: str
    approval: str
    external: bool


@dataclass(frozen=True, slots=True)
class PlannedDay:
    label: str
    after: str
    lines: Sequence[PlannedLine]


@dataclass(frozen=True, slots=True)
class Overview:
    sentence: Sentence
    again: str
    on_unmatch: str
    weekends: str
    brake: str
    known_cause: str
    outcome: Sentence
    holdout: str
    days: Sequence[PlannedDay]
    description: Sequence[Piece]


def overview(version: PlaybookVersion) -> Overview:
    """Of a published version."""
    steps = list(version.steps.order_by("position"))
    return overview_of(version.definition, steps, Words.load(), audience=version.playbook.audience)


def overview_of(definition: Mapping[str, Any], steps: Sequence[StepLike], words: Words, *, audience: str) -> Overview:
    limit = definition.get("brake_limit")
    return Overview(
        sentence=words.rules(definition),
        again=_again(definition["reenrollment"], words),
        on_unmatch=ON_UNMATCH[definition["on_unmatch"]],
        weekends=WEEKENDS[bool(definition.get("skip_weekends"))],
        brake=f"Above {limit:,} at once" if limit else "Above 25 and a tenth of tracked accounts at once",
        known_cause="Not applied while it lasts" if definition.get("respects_known_cause") else "Applied all the same",
        outcome=words.outcome(definition, audience=audience),
        holdout=_holdout(definition),
        days=planned_days(steps, words),
        description=as_written(definition.get("description", "")),
    )


def _holdout(definition: Mapping[str, Any]) -> str:
    share = definition.get("holdout")
    return f"{share}% of those who match go without it" if share else "Nobody"


def _again(again: Mapping[str, Any], words: Words) -> str:
    found = words.fields.find(Subject.ACCOUNT, again.get("field", ""))
    limits = [
        *([counted(again["times"], "time")] if again.get("times") else []),
        *([f"once in {counted(again['days'], 'day')}"] if again.get("days") else []),
    ]
    field = f"“{found.label}”" if found else "its date"
    return AGAIN[again["policy"]].format(field=field, limits=", ".join(limits))


def planned_days(steps: Sequence[StepLike], words: Words) -> list[PlannedDay]:
    """In the order of days; on one day as they stand. What hangs on a date comes last."""
    ordered = sorted(steps, key=lambda step: (step.anchor, step.offset_days))
    grouped = groupby(ordered, key=lambda step: (step.anchor, step.offset_days))
    return [
        PlannedDay(*_when(anchor, offset, words), [_line(step, words) for step in group])
        for (anchor, offset), group in grouped
    ]


def _when(anchor: str, offset: int, words: Words) -> tuple[str, str]:
    if not anchor:
        return f"Day {offset + 1}", f"{counted(offset, 'day')} later" if offset else "at once"
    found = words.fields.find(Subject.ACCOUNT, anchor)
    name = found.label.lower() if found else "a date that is gone"
    if not offset:
        return "On the day", name
    return counted(abs(offset), "day"), f"{'before' if offset < 0 else 'after'} {name}"


def _line(step: StepLike, words: Words) -> PlannedLine:
    action = action_for(step.action)
    return PlannedLine(
        step=step,
        icon=action.icon,
        says=action.describe(step.config),
        on_stop="It stays; this step is marked so." if step.keep_on_stop else action.describe_stop(step.config),
        on_stop_brief="It stays" if step.keep_on_stop else action.stop_in_brief(step.config),
        condition=_condition(step, words),
        approval=approval_words(step.approval),
        external=action.external,
    )


def _condition(step: StepLike, words: Words) -> str:
    if not step.condition:
        return ""
    try:
        rule = grammar.parse(step.condition, fields=words.fields, subject=Subject.ACCOUNT)
    except RuleErrors:
        return GONE
    return describe(rule, people=words.people)


def approval_words(approval: Mapping[str, Any] | None) -> str:
    """Who is asked before it runs, and what happens if they do not answer."""
    if not approval:
        return ""
    otherwise = Approval.Otherwise(approval["otherwise"]).label
    return (
        f"{role_words(approval['by'])}; after {counted(approval['within_days'], 'day')} without an answer {otherwise}"
    )
