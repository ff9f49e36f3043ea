"""The draft as its templates see it: words, icons, choices, and each error at the part it is about."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from accounts.rule_editor.draft import Branch, Condition, Draft, Item, Path, dotted, known, place_of
from accounts.rule_editor.typing import takes_choices
from accounts.rules.fields import Field, FieldSet, FieldType, Subject
from accounts.rules.grammar import MAX_DEPTH, MAX_TEXT, RuleError
from accounts.rules.operators import Form, Operator, operators_for

TRAITS = "Traits"
MAX_PICKED_FROM = 200  # fields shown at once; a search finds the others

_ICONS_OF_GROUPS = {
    TRAITS: "tag",
    "Events": "radio",
    "Indicators": "triangle-alert",
    "Segments": "shapes",
    "Playbooks": "workflow",
    "CTAs": "list-checks",
    "Success plans": "flag",
    "NPS": "gauge",
    "Health": "heart-pulse",
}
_ICONS_OF_TYPES = {
    FieldType.NUMBER: "chart-column",
    FieldType.CURRENCY: "circle-dollar-sign",
    FieldType.BOOLEAN: "square-check-big",
    FieldType.DATE: "calendar",
    FieldType.MOMENT: "clock",
    FieldType.CHOICE: "circle-dot",
    FieldType.LIST: "list",
    FieldType.URL: "link",
    FieldType.PERSON: "user",
    FieldType.STATE: "workflow",
}
_ICONS_OF_FIELDS = {"health": "heart-pulse", "user_count": "users", "name": "building-2"}
_INPUTS = {FieldType.NUMBER: "number", FieldType.CURRENCY: "money", FieldType.DATE: "date", FieldType.MOMENT: "date"}
_HINTS = {"number": "number", "money": "amount", "text": "text"}


@dataclass(frozen=True, slots=True)
class Choice:
    value: str
    label: str
    chosen: bool


@dataclass(frozen=True, slots=True)
class Value:
    """One control for one value, or for a list of them."""

    kind: str  # text, lines, number, money, date, one_of, some_of, days, count
    text: str = ""
    label: str = ""
    choices: Sequence[Choice] = ()
    place: str = "0"  # the end of its id

    @property
    def chosen(self) -> list[str]:
        return [choice.label for choice in self.choices if choice.chosen]


@dataclass(frozen=True, slots=True)
class ShownCondition:
    path: str
    anchor: str  # the end of its id
    join: str
    field: Field | None
    key: str
    label: str
    icon: str
    op: str
    operators: Sequence[Choice]
    values: Sequence[Value]
    between: str  # the word between two values
    days: str | None
    error: str
    picker: "Picker | None"
    focus: str  # which of its controls the keyboard goes on from
    is_first: bool
    goes_up: bool
    goes_down: bool
    is_group = False


@dataclass(frozen=True, slots=True)
class ShownGroup:
    path: str
    anchor: str
    join: str
    mode: str
    children: Sequence["ShownCondition | ShownGroup"]
    may_nest: bool
    error: str
    focus: str
    is_first: bool
    goes_up: bool
    goes_down: bool
    is_group = True


@dataclass(frozen=True, slots=True)
class Picker:
    search: str
    groups: Sequence[tuple[str, Sequence[tuple[Field, str]]]]
    left_out: int


@dataclass(frozen=True, slots=True)
class Eye:
    """Turns a draft into what is shown of it."""

    draft: Draft
    fields: FieldSet
    subject: Subject
    people: Mapping[int, str]
    errors: Sequence[RuleError]

    def root(self) -> ShownGroup:
        return self._group(self.draft.root, (), join="", last=0)

    def _item(self, item: Item, path: Path, join: str, last: int) -> ShownCondition | ShownGroup:
        if isinstance(item, Branch):
            return self._group(item, path, join=join, last=last)
        return self._condition(item, path, join=join, last=last)

    def _group(self, branch: Branch, path: Path, *, join: str, last: int) -> ShownGroup:
        end = len(branch.children) - 1
        return ShownGroup(
            path=dotted(path),
            anchor=anchor(path),
            join=join,
            mode=branch.mode,
            children=[
                self._item(child, (*path, at), _join(branch.mode, at), end) for at, child in enumerate(branch.children)
            ],
            may_nest=len(path) + 2 <= MAX_DEPTH,
            error=self._error(path),
            focus=self._focus(path),
            is_first=not path or path[-1] == 0,
            goes_up=_goes(path, 0),
            goes_down=_goes(path, last),
        )

    def _condition(self, item: Condition, path: Path, *, join: str, last: int) -> ShownCondition:
        found = known(self.fields, self.subject, item.field)
        offered = operators_for(found.type) if found else {}
        operator = offered.get(item.op) or next(iter(offered.values()), None)
        return ShownCondition(
            path=dotted(path),
            anchor=anchor(path),
            join=join,
            field=found,
            key=item.field,
            label=found.label if found else item.field,
            icon=icon_of(found) if found else "circle-alert",
            op=operator.key if operator else item.op,
            operators=[Choice(one.key, words_of(one), one is operator) for one in offered.values()],
            values=self._values(item, found, operator) if found and operator else _kept(item),
            between="to" if operator and operator.key == "outside" else "and",
            days=item.days if operator and operator.form is Form.COUNT_IN_DAYS else None,
            error=self._error(path),
            picker=self._picker() if self.draft.picking == path else None,
            focus=self._focus(path),
            is_first=path[-1] == 0,
            goes_up=_goes(path, 0),
            goes_down=_goes(path, last),
        )

    def _focus(self, path: Path) -> str:
        kind, where = self.draft.focus or ("", ())
        return kind if where == path else ""

    def _values(self, item: Condition, field: Field, operator: Operator) -> list[Value]:
        first, second = [*item.values, "", ""][:2]
        match operator.form:
            case Form.NONE:
                return []
            case Form.MANY:
                return [self._list(item, field)]
            case Form.TWO:
                return [self._one(first, field, "From"), replace(self._one(second, field, "To"), place="1")]
            case Form.ONE:
                return [self._one(first, field, "Value")]
            case Form.DAYS:
                return [Value("days", first, "Days")]
            case Form.COUNT_IN_DAYS:
                return [Value("count", first, "Times")]

    def _one(self, text: str, field: Field, label: str) -> Value:
        if takes_choices(field):
            return Value("one_of", text, label, self._choices(field, [text] if text else []))
        return Value(_INPUTS.get(field.type, "lines" if "\n" in text else "text"), text, label)

    def _list(self, item: Condition, field: Field) -> Value:
        if takes_choices(field):
            return Value("some_of", "", "Values", self._choices(field, [text for text in item.values if text]))
        return Value("lines", "\n".join(item.values), "Values, one a line")

    def _choices(self, field: Field, chosen: Sequence[str]) -> list[Choice]:
        """What is chosen comes first and stays choosable, also when it is not offered any more."""
        offered = dict(field.choices) or {str(id): name for id, name in self.people.items()}
        first = [Choice(value, offered.get(value, value), True) for value in chosen]
        return first + [Choice(value, label, False) for value, label in offered.items() if value not in chosen]

    def _error(self, path: Path) -> str:
        return " ".join(dict.fromkeys(error.message for error in self.errors if place_of(error) == path))

    def _picker(self) -> Picker:
        """A trait that feeds a built-in field of the same name would stand there twice."""
        words = self.draft.search.casefold().split()
        known = self.fields.all(self.subject)
        built_in = {one.label.casefold(): one.source for one in known if one.group != TRAITS}
        twins = {id(one) for one in known if one.group == TRAITS and built_in.get(one.label.casefold()) == one.source}
        found = [one for one in known if _has(one, words) and id(one) not in twins]
        groups: dict[str, list[tuple[Field, str]]] = {}
        for field in found[:MAX_PICKED_FROM]:
            groups.setdefault(field.group, []).append((field, icon_of(field)))
        return Picker(self.draft.search, list(groups.items()), max(0, len(found) - MAX_PICKED_FROM))


def _goes(path: Path, end: int) -> bool:
    """On in a direction: anything in a nested group can leave it, the outermost ends where its last member stands."""
    return len(path) > 1 or (bool(path) and path[-1] != end)


def anchor(path: Path) -> str:
    return "-".join(map(str, path))


def icon_of(field: Field) -> str:
    return (
        _ICONS_OF_FIELDS.get(field.key)
        or _ICONS_OF_GROUPS.get(field.group)
        or _ICONS_OF_TYPES.get(field.type)
        or "id-card"
    )


def words_of(operator: Operator) -> str:
    """The operator's words without the values that stand after them: "is more than … ago", "is between"."""
    return re.sub(r" …( (and|to) …)?$", "", operator.words.format("…", "…"))


def _kept(item: Condition) -> list[Value]:
    """Of a field that is gone: carried along, so that nothing is lost before somebody decides."""
    return [Value("kept", text) for text in item.values]


def _join(mode: str, at: int) -> str:
    if at:
        return "and" if mode == "all" else "or"
    return "Where"


def _has(field: Field, words: Sequence[str]) -> bool:
    said = f"{field.label} {field.group}".casefold()
    return len(field.key) <= MAX_TEXT and all(word in said for word in words)
