"""Stored JSON ⇄ frozen nodes. What parses also compiles, describes and explains; what does not says why."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from dataclasses import field as attribute
from datetime import date
from enum import Enum
from typing import Any

from accounts.rules.fields import Field, FieldSet, FieldType, Subject
from accounts.rules.operators import Form, Member, Operator, Values, families_for, operators_for

MAX_DEPTH = 5
MAX_NODES = 50
MAX_LIST = 100
MAX_TEXT = 1_000
MAX_NUMBER = 10**15
MAX_DAYS = 36_500
MAX_TIMES = 1_000_000
FIRST_DAY, LAST_DAY = date(1900, 1, 1), date(2199, 12, 31)
MAX_PERSON = 2**63 - 1


class Mode(Enum):
    ALL = "all"
    ANY = "any"


@dataclass(frozen=True, slots=True)
class Leaf:
    field: Field
    operator: Operator
    values: Values = ()


@dataclass(frozen=True, slots=True)
class Group:
    mode: Mode
    children: tuple[Node, ...]


Node = Leaf | Group


@dataclass(frozen=True, slots=True)
class Rule:
    """A tree about one kind of subject."""

    subject: Subject
    root: Node


@dataclass(frozen=True, slots=True)
class RuleError:
    path: str
    message: str


class RuleErrors(Exception):
    """Everything that is wrong with a rule; each error is fit to be shown beside the part it names."""

    def __init__(self, errors: list[RuleError]) -> None:
        super().__init__("; ".join(f"{error.path}: {error.message}" for error in errors))
        self.errors = errors


def parse(data: Any, *, fields: FieldSet, subject: Subject, path: str = "rules") -> Rule:
    """Nodes for stored JSON; raises RuleErrors."""
    parser = _Parser(fields, subject)
    root = parser.node(data, path, depth=1)
    if root and not parser.errors and lets_everybody_through(root):
        parser.refuse(
            path, "These conditions let everybody through. Remove one of the conditions that are each other's opposite."
        )
    if parser.errors or root is None:
        raise RuleErrors(parser.errors)
    return Rule(subject, root)


def parse_pair(account: Any, user: Any, *, fields: FieldSet, path: str = "rules") -> tuple[Rule | None, Rule | None]:
    """The two trees of a playbook; one of them may be left out, both may not. Errors of both come together."""
    errors: list[RuleError] = []
    rules: list[Rule | None] = []
    for data, subject in ((account, Subject.ACCOUNT), (user, Subject.USER)):
        try:
            rules.append(
                None if data is None else parse(data, fields=fields, subject=subject, path=f"{path}.{subject.value}")
            )
        except RuleErrors as wrong:
            errors += wrong.errors
    if account is None and user is None:
        errors.append(RuleError(path, "Add at least one condition; without any, everybody would match."))
    if errors:
        raise RuleErrors(errors)
    return rules[0], rules[1]


def dump(node: Rule | Node) -> dict[str, Any]:
    """The stored JSON again: parse(dump(rule)) equals the rule."""
    if isinstance(node, Rule):
        return dump(node.root)
    if isinstance(node, Group):
        return {node.mode.value: [dump(child) for child in node.children]}
    return {"field": node.field.key, "op": node.operator.key, **_dump_values(node)}


def _dump_values(leaf: Leaf) -> dict[str, Any]:
    values = [value.isoformat() if isinstance(value, date) else value for value in leaf.values]
    match leaf.operator.form:
        case Form.NONE:
            return {}
        case Form.TWO | Form.MANY:
            return {"value": values}
        case Form.COUNT_IN_DAYS:
            return {"value": values[0], "days": values[1]}
        case _:
            return {"value": values[0]}


def leaves(node: Rule | Node) -> Iterator[Leaf]:
    """The conditions in reading order; other modules number them by this order."""
    if isinstance(node, Rule):
        yield from leaves(node.root)
    elif isinstance(node, Group):
        for child in node.children:
            yield from leaves(child)
    else:
        yield node


def relative_date_fields(rule: Rule) -> list[Field]:
    """Dates and moments the rule compares with today; each once, in reading order."""
    days = (FieldType.DATE, FieldType.MOMENT)
    return list(
        dict.fromkeys(leaf.field for leaf in leaves(rule) if leaf.operator.relative and leaf.field.type in days)
    )


def lets_everybody_through(node: Node) -> bool:
    """True for trees that hold every member of an operator family as alternatives (plan is set, or plan is not set)."""
    if isinstance(node, Leaf):
        return False
    if node.mode is Mode.ALL:
        return all(lets_everybody_through(child) for child in node.children)
    alternatives = list(_alternatives(node))
    return any(lets_everybody_through(child) for child in node.children) or _hold_a_family(alternatives)


def _alternatives(group: Group) -> Iterator[Leaf]:
    for child in group.children:
        if isinstance(child, Leaf):
            yield child
        elif child.mode is Mode.ANY or len(child.children) == 1:
            yield from _alternatives(child)


def _hold_a_family(alternatives: list[Leaf]) -> bool:
    present = {(leaf.field.key, leaf.operator.key, leaf.values) for leaf in alternatives}
    return any(
        all((leaf.field.key, member.operator, _asked(leaf, member)) in present for member in family.members)
        for leaf in alternatives
        for family in families_for(leaf.field.type)
    )


def _asked(leaf: Leaf, member: Member) -> Values:
    """The values with which this member completes the family that the leaf's own values are of."""
    form = operators_for(leaf.field.type)[member.operator].form
    if form is Form.NONE or not leaf.values:
        return ()
    return (leaf.values[0] + member.shift, *leaf.values[1:]) if member.shift else leaf.values


class _Invalid(ValueError):
    """A value that cannot be used; the text says what to write instead."""


@dataclass(slots=True)
class _Parser:
    fields: FieldSet
    subject: Subject
    errors: list[RuleError] = attribute(default_factory=list)
    nodes: int = 0

    def refuse(self, path: str, message: str) -> None:
        self.errors.append(RuleError(path, message))

    def node(self, data: Any, path: str, *, depth: int) -> Node | None:
        self.nodes += 1
        if self.nodes > MAX_NODES:
            if self.nodes == MAX_NODES + 1:
                self.refuse(
                    path, f"A rule can hold {MAX_NODES} groups and conditions. Remove some, or keep them in a segment."
                )
            return None
        if not isinstance(data, dict):
            self.refuse(path, 'Write a group ({"all": […]} or {"any": […]}) or a condition ({"field": …, "op": …}).')
            return None
        if "field" in data or "op" in data:
            return self.leaf(data, path)
        return self.group(data, path, depth=depth)

    def group(self, data: dict[Any, Any], path: str, *, depth: int) -> Group | None:
        if len(data) != 1 or next(iter(data)) not in ("all", "any"):
            self.refuse(path, 'A group has exactly one key, "all" or "any".')
            return None
        (word, members), mode = next(iter(data.items())), Mode(next(iter(data)))
        if not isinstance(members, list) or not members:
            self.refuse(f"{path}.{word}", "Add at least one condition to this group, or remove the group.")
            return None
        if depth > MAX_DEPTH:
            self.refuse(path, f"Groups can be nested {MAX_DEPTH} deep. Move these conditions one level up.")
            return None
        children = [
            self.node(member, f"{path}.{word}[{at}]", depth=depth + 1)
            for at, member in enumerate(members[: MAX_NODES + 1])
        ]
        return Group(mode, tuple(child for child in children if child))

    def leaf(self, data: dict[Any, Any], path: str) -> Leaf | None:
        for key in data.keys() - {"field", "op", "value", "days"}:
            self.refuse(path, f"Remove {_quote(key)}: a condition has field, op, value and days.")
        found = self.field(data.get("field"), f"{path}.field")
        operator = found and self.operator(found, data.get("op"), f"{path}.op")
        if not found or not operator:
            return None
        values = self.values(found, operator, data, path)
        return None if values is None else Leaf(found, operator, values)

    def field(self, key: Any, path: str) -> Field | None:
        if not isinstance(key, str) or not key:
            self.refuse(path, "Choose a field.")
            return None
        found = self.fields.find(self.subject, key) if storable(key) and len(key) <= MAX_TEXT else None
        if not found:
            self.refuse(
                path,
                f"There is no {self.subject.value} field {_quote(key)}. Choose another, or create the trait first.",
            )
        return found

    def operator(self, found: Field, key: Any, path: str) -> Operator | None:
        offered = operators_for(found.type)
        if isinstance(key, str) and key in offered:
            return offered[key]
        self.refuse(path, f"{found.label} does not know {_quote(key)}. Choose one of: {', '.join(offered)}.")
        return None

    def values(self, found: Field, operator: Operator, data: dict[Any, Any], path: str) -> Values | None:
        before = len(self.errors)
        if "days" in data and operator.form is not Form.COUNT_IN_DAYS:
            self.refuse(f"{path}.days", "Remove the days: this operator does not take them.")
        values = _READERS[operator.form](self, found, operator, data, path)
        return values if len(self.errors) == before else None

    def one(self, read: Callable[[Any], Any], raw: Any, path: str) -> Any:
        try:
            return read(raw)
        except _Invalid as wrong:
            self.refuse(path, str(wrong))
            return None


def _no_value(parser: _Parser, found: Field, operator: Operator, data: dict[Any, Any], path: str) -> Values:
    if data.get("value") is not None:
        parser.refuse(f"{path}.value", "Remove the value: this operator does not take one.")
    return ()


def _one_value(parser: _Parser, found: Field, operator: Operator, data: dict[Any, Any], path: str) -> Values:
    return (parser.one(_reader(found), data.get("value"), f"{path}.value"),)


def _two_values(parser: _Parser, found: Field, operator: Operator, data: dict[Any, Any], path: str) -> Values:
    raw = data.get("value")
    if not isinstance(raw, list) or len(raw) != 2:
        parser.refuse(f"{path}.value", "Give two values, the smaller first.")
        return ()
    low, high = (parser.one(_reader(found), item, f"{path}.value[{at}]") for at, item in enumerate(raw))
    if low is not None and high is not None and low > high:
        parser.refuse(f"{path}.value", "Put the smaller value first.")
    return low, high


def _many_values(parser: _Parser, found: Field, operator: Operator, data: dict[Any, Any], path: str) -> Values:
    raw = data.get("value")
    if not isinstance(raw, list) or not raw:
        parser.refuse(f"{path}.value", "Give a list with at least one value.")
        return ()
    if len(raw) > MAX_LIST:
        parser.refuse(
            f"{path}.value", f"A list can hold {MAX_LIST} values. Remove some, or split the condition in two."
        )
        return ()
    return tuple(parser.one(_reader(found), item, f"{path}.value[{at}]") for at, item in enumerate(raw))


def _days_value(parser: _Parser, found: Field, operator: Operator, data: dict[Any, Any], path: str) -> Values:
    return (parser.one(_whole("days", 0, MAX_DAYS), data.get("value"), f"{path}.value"),)


def _count_in_days(parser: _Parser, found: Field, operator: Operator, data: dict[Any, Any], path: str) -> Values:
    times = parser.one(_whole("times", operator.minimum, MAX_TIMES), data.get("value"), f"{path}.value")
    return times, parser.one(_whole("days", 0, MAX_DAYS), data.get("days"), f"{path}.days")


_READERS: dict[Form, Callable[[_Parser, Field, Operator, dict[Any, Any], str], Values]] = {
    Form.NONE: _no_value,
    Form.ONE: _one_value,
    Form.TWO: _two_values,
    Form.MANY: _many_values,
    Form.DAYS: _days_value,
    Form.COUNT_IN_DAYS: _count_in_days,
}


def _reader(found: Field) -> Callable[[Any], Any]:
    if found.choices:
        return lambda raw: _choice(raw, found.choices)
    return _VALUES[found.type]


def _text(raw: Any) -> str:
    if not isinstance(raw, str) or not raw.strip():
        raise _Invalid("Write some text.")
    if len(raw) > MAX_TEXT:
        raise _Invalid(f"Shorten the text to {MAX_TEXT:,} characters.")
    if not storable(raw):
        raise _Invalid("Remove the characters that no text can hold.")
    return raw


def storable(text: str) -> bool:
    """PostgreSQL holds neither NUL nor half a surrogate pair."""
    return "\x00" not in text and not any("\ud800" <= char <= "\udfff" for char in text)


def _choice(raw: Any, choices: tuple[tuple[str, str], ...]) -> str:
    values = [value for value, _ in choices]
    if raw not in values:
        raise _Invalid(f"Choose one of: {', '.join(values)}.")
    return str(raw)


def _number(raw: Any) -> int | float:
    if isinstance(raw, bool) or not isinstance(raw, int | float) or (isinstance(raw, float) and not math.isfinite(raw)):
        raise _Invalid("Write a number, without quotes.")
    if abs(raw) > MAX_NUMBER:
        raise _Invalid(f"Write a number between -{MAX_NUMBER:,} and {MAX_NUMBER:,}.")
    return raw


def _cents(raw: Any) -> int:
    if isinstance(raw, bool) or not isinstance(raw, int):
        raise _Invalid("Write an amount in cents as a whole number: $12.50 is 1250.")
    return int(_number(raw))


def _day(raw: Any) -> date:
    try:
        day = date.fromisoformat(raw)
    except (TypeError, ValueError):
        day = None
    if day is None or day.isoformat() != raw:
        raise _Invalid("Write a date as YYYY-MM-DD.")
    if not FIRST_DAY <= day <= LAST_DAY:
        raise _Invalid(f"Write a date between {FIRST_DAY} and {LAST_DAY}.")
    return day


def _person(raw: Any) -> int:
    if isinstance(raw, bool) or not isinstance(raw, int) or not 0 < raw <= MAX_PERSON:
        raise _Invalid("Choose a team member; the value is the member's id.")
    return raw


def _whole(noun: str, low: int, high: int) -> Callable[[Any], int]:
    def read(raw: Any) -> int:
        if isinstance(raw, bool) or not isinstance(raw, int) or not low <= raw <= high:
            raise _Invalid(f"Write a whole number of {noun} between {low} and {high:,}.")
        return raw

    return read


_VALUES: dict[FieldType, Callable[[Any], Any]] = {
    FieldType.TEXT: _text,
    FieldType.URL: _text,
    FieldType.CHOICE: _text,
    FieldType.STATE: _text,
    FieldType.LIST: _text,
    FieldType.NUMBER: _number,
    FieldType.CURRENCY: _cents,
    FieldType.DATE: _day,
    FieldType.MOMENT: _day,
    FieldType.PERSON: _person,
}


def _quote(key: object) -> str:
    """What was sent, in words: halves of surrogate pairs could not even be shown."""
    return f"“{str(key)[:60].encode(errors='replace').decode()}”"
