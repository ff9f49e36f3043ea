"""What differs between two contents of a playbook, in words: between versions, and before an import is written."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

from playbooks import drafts, steps
from playbooks.library import TARGET_WORDS, Words
from playbooks.overview import Overview, PlannedDay, PlannedLine, overview_of, planned_days

Content = Mapping[str, Any]
NOTHING = "–"
_AS_STORED = (
    "rules",
    "reenrollment",
    "on_unmatch",
    "respects_known_cause",
    "skip_weekends",
    "brake_limit",
    "outcome",
    "holdout",
)
_SETTINGS = (("key", "Key"), ("name", "Name"), ("category", "Category"), ("icon", "Icon"), ("audience", "Audience"))


@dataclass(frozen=True, slots=True)
class Difference:
    what: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class _Line:
    """An action as its schedule tells it."""

    when: str
    planned: PlannedLine


def differences(before: Content, after: Content, *, words: Words | None = None) -> list[Difference]:
    words = words or Words.load()
    pairs = [
        *_settings(before, after),
        *_rules(before, after, words),
        *_actions(before, after, words),
        *_tasks(before, after),
    ]
    return [one for one in pairs if one.before != one.after]


def _settings(before: Content, after: Content) -> Iterator[Difference]:
    for name, label in _SETTINGS:
        yield Difference(label, _said(before.get(name)), _said(after.get(name)))
    yield Difference("Target accounts", _target(before), _target(after))
    known = "respects_known_cause"
    yield Difference("Leaves known causes alone", _said(before.get(known)), _said(after.get(known)))
    yield Difference("Description", _said(before.get("description")), _said(after.get("description")))


def _rules(before: Content, after: Content, words: Words) -> Iterator[Difference]:
    """As sentences where both can be read, else as they are stored."""
    read = [_overview(content, words) for content in (before, after)]
    if read[0] and read[1]:
        one, other = read
        for label, name in (
            ("Rules", "sentence"),
            ("Applied again", "again"),
            ("Rules stop matching", "on_unmatch"),
            ("Known cause", "known_cause"),
            ("Weekends and holidays", "weekends"),
            ("Brake", "brake"),
            ("Outcome", "outcome"),
            ("Left out to compare", "holdout"),
        ):
            yield Difference(label, str(getattr(one, name)), str(getattr(other, name)))
        return
    for name in _AS_STORED:
        yield Difference(name.replace("_", " ").capitalize(), _said(before.get(name)), _said(after.get(name)))


def _actions(before: Content, after: Content, words: Words) -> Iterator[Difference]:
    """By their keys, which survive editing: the same action, one that came, one that went."""
    ours, theirs = ({str(step.get("key")): step for step in steps.of_draft(content)} for content in (before, after))
    lines = [_lines(content, words) for content in (before, after)]
    for key in [*theirs, *(key for key in ours if key not in theirs)]:
        one, other = ours.get(key), theirs.get(key)
        yield Difference(f"Action {key}", _sentence(lines[0].get(key), one), _sentence(lines[1].get(key), other))
        if one and other:
            yield from _inside(key, _parts(one, lines[0].get(key)), _parts(other, lines[1].get(key)))


def _inside(key: str, before: Content, after: Content) -> Iterator[Difference]:
    """Settings of an action that its sentence may not tell."""
    for name in [*after, *(name for name in before if name not in after)]:
        yield Difference(f"Action {key}: {name.replace('_', ' ')}", _said(before.get(name)), _said(after.get(name)))


def _parts(step: Content, line: _Line | None) -> dict[str, Any]:
    """Rules as sentences, where they can be read."""
    extra = {
        "only if": line.planned.condition if line else step.get("condition"),
        "approval": line.planned.approval if line else step.get("approval"),
        "kept when stopped": step.get("keep_on_stop"),
    }
    return {**_mapping(step.get("config")), **extra}


def _lines(content: Content, words: Words) -> dict[str, _Line]:
    definition, _problems = drafts.read(content, fields=words.fields)
    if definition is None:
        return {}
    days = planned_days(definition.steps, words)
    return {line.step.key: _Line(_when(day, line.step.anchor), line) for day in days for line in day.lines}


def _when(day: PlannedDay, anchor: str) -> str:
    return f"{day.label} {day.after}" if anchor else day.label


def _sentence(line: _Line | None, step: Content | None) -> str:
    if step is None:
        return NOTHING
    if line:
        return f"{line.when}: {line.planned.says}"
    return f"{_said(step.get('action'))} on {_said(step.get('day') or step.get('anchor'))}"


def _overview(content: Content, words: Words) -> Overview | None:
    definition, _problems = drafts.read(content, fields=words.fields)
    if definition is None:
        return None
    return overview_of(definition.stored(), definition.steps, words, audience=definition.audience)


def _tasks(before: Content, after: Content) -> Iterator[Difference]:
    """Of CTA playbooks, by their places in the list."""
    yield Difference("For CTAs of type", _said(before.get("types")), _said(after.get("types")))
    for at, (one, other) in enumerate(zip_longest(before.get("tasks") or (), after.get("tasks") or ()), start=1):
        yield Difference(f"Task {at}", _task(one), _task(other))


def _task(task: Any) -> str:
    said = _mapping(task)
    told = [f"Day {said.get('day')}: {said.get('title')}"] if said else []
    more = (said.get(name) for name in ("description", "owner", "fallback_owner"))
    return ", ".join([*told, *map(str, filter(None, more))]) or NOTHING


def _target(content: Content) -> str:
    return TARGET_WORDS.get(str(content.get("target") or "tracked"), _said(content.get("target")))


def _said(value: Any) -> str:
    """In words, in whatever order its parts are stored; what is left empty is not told."""
    if value in (None, "", [], {}, False):
        return NOTHING
    if isinstance(value, Mapping):
        return _parted(value)
    if isinstance(value, list | tuple):
        return "; ".join(map(_said, value))
    return "yes" if value is True else str(value)


def _parted(value: Content) -> str:
    if value.keys() == {"when", "becomes"}:  # a row of a mapping
        return f"{value['when'] or NOTHING} becomes {_said(value['becomes'])}"
    named = next((name for name in ("title", "name") if value.get(name)), "")
    told = {name: _said(one) for name, one in sorted(value.items()) if name != named}
    rest = ", ".join(f"{name.replace('_', ' ')} {said}" for name, said in told.items() if said != NOTHING)
    if not named:
        return rest or NOTHING
    return f"{value[named]} ({rest})" if rest else str(value[named])


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
