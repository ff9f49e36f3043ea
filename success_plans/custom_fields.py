"""The fields a type of plans has of its own: described once per type, in the order and the groups they are shown in."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

TEXT, LONG, NUMBER, DATE, CHOICE, YES_NO = "text", "long_text", "number", "date", "choice", "yes_no"
KINDS = (
    (TEXT, "Text"),
    (LONG, "Long text"),
    (NUMBER, "Number"),
    (DATE, "Date"),
    (CHOICE, "Single choice"),
    (YES_NO, "Yes or no"),
)
MOST = 30
MAX_TEXT = 10_000
_KEY = re.compile(r"[a-z][a-z0-9_]{0,39}")


class CannotUse(ValueError):
    """A description or a value that cannot be; the text says what to do. `field` is the part it is about."""

    def __init__(self, message: str, field: str = "") -> None:
        super().__init__(message)
        self.field = field


@dataclass(frozen=True, slots=True)
class PlanField:
    key: str
    label: str
    kind: str = TEXT
    group: str = ""
    choices: tuple[str, ...] = ()

    def stored(self) -> dict[str, Any]:
        return asdict(self) | {"choices": list(self.choices)}


def fields_of(stored: Iterable[Mapping[str, Any]]) -> list[PlanField]:
    return [PlanField(**{**one, "choices": tuple(one.get("choices", ()))}) for one in stored]


def checked_fields(given: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """As they are stored; raises CannotUse. A field without a key gets one from its label, and keeps it."""
    if len(given) > MOST:
        raise CannotUse(f"A type can have {MOST} fields.")
    taken: set[str] = set()
    found = []
    for one in given:
        field = _checked(one, taken)
        taken.add(field.key)
        found.append(field.stored())
    return found


def _checked(one: Mapping[str, Any], taken: set[str]) -> PlanField:
    label = str(one.get("label") or "").strip()[:100]
    if not label:
        raise CannotUse("Give each field a label.")
    kind = one.get("kind") or TEXT
    if kind not in dict(KINDS):
        raise CannotUse(f"“{label}”: {kind} is no kind of field. Choose one of {', '.join(dict(KINDS))}.")
    choices = tuple(dict.fromkeys(text.strip()[:100] for text in one.get("choices") or () if text.strip()))
    if (kind == CHOICE) != bool(choices):
        raise CannotUse(f"“{label}”: {'name its' if kind == CHOICE else 'only a single choice has'} choices.")
    key = str(one.get("key") or "") or _key_of(label, taken)
    if not _KEY.fullmatch(key) or key in taken:
        raise CannotUse(f"“{label}”: the key {key} is taken or is no lower-case word.")
    return PlanField(key, label, kind, str(one.get("group") or "").strip()[:60], choices)


def _key_of(label: str, taken: set[str]) -> str:
    word = re.sub(r"[^a-z0-9]+", "_", label.lower()).strip("_")[:36] or "field"
    word = word if word[0].isalpha() else f"f_{word}"
    return next(key for key in (word, *(f"{word}_{n}" for n in range(2, MOST + 2))) if key not in taken)


def checked_values(
    fields: Sequence[PlanField], given: Mapping[str, Any], *, present: Mapping[str, Any]
) -> dict[str, Any]:
    """What is given laid over what is there, typed; empty takes a value away. Raises CannotUse."""
    known = {field.key: field for field in fields}
    if unknown := sorted(given.keys() - known.keys()):
        raise CannotUse(f"There is no field {', '.join(unknown)} in this type of plans.", unknown[0])
    values = dict(present)
    for key, value in given.items():
        typed = _typed(known[key], value)
        values.pop(key, None)
        if typed is not None:
            values[key] = typed
    return values


def _typed(field: PlanField, value: Any) -> Any:
    if value is None or value == "":
        return None
    match field.kind:
        case "number" if not isinstance(value, bool):
            return _number(field, value)
        case "yes_no" if isinstance(value, bool):
            return value
        case "date":
            return _day(field, value)
        case "choice" if value in field.choices:
            return value
        case "text" | "long_text" if isinstance(value, str) and len(value) <= MAX_TEXT and "\x00" not in value:
            return value
    raise CannotUse(f"{field.label}: {_WANTED.get(field.kind, 'write a text')}.", field.key)


_WANTED = {
    NUMBER: "enter a number, for example 25",
    YES_NO: "choose yes or no",
    DATE: "enter a day",
    CHOICE: "choose one of the list",
}


def _number(field: PlanField, value: Any) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = float("nan")
    if number != number or number in (float("inf"), float("-inf")):
        raise CannotUse(f"{field.label}: {_WANTED[NUMBER]}.", field.key)
    return number


def _day(field: PlanField, value: Any) -> str:
    try:
        return value.isoformat() if isinstance(value, date) else date.fromisoformat(str(value)).isoformat()
    except ValueError:
        raise CannotUse(f"{field.label}: {_WANTED[DATE]}.", field.key) from None


@dataclass(frozen=True, slots=True)
class ShownValue:
    field: PlanField
    value: Any  # None where nobody said

    @property
    def day(self) -> date | None:
        return date.fromisoformat(self.value) if self.field.kind == DATE and self.value else None

    @property
    def text(self) -> str:
        if self.value is None:
            return ""
        if self.field.kind == YES_NO:
            return "Yes" if self.value else "No"
        return f"{self.value:g}" if self.field.kind == NUMBER else str(self.value)


@dataclass(frozen=True, slots=True)
class FieldGroup:
    label: str
    values: Sequence[ShownValue]


def laid_out(stored: Iterable[Mapping[str, Any]], values: Mapping[str, Any]) -> list[FieldGroup]:
    """Groups in the order in which they come up first; fields without one stand in front."""
    groups: dict[str, list[ShownValue]] = {"": []}
    for field in fields_of(stored):
        groups.setdefault(field.group, []).append(ShownValue(field, values.get(field.key)))
    return [FieldGroup(label, found) for label, found in groups.items() if found]
