"""What people type in a condition ⇄ what the grammar reads. Nothing that is typed gets lost on the way."""

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from accounts.rules.fields import Field, FieldType
from accounts.rules.grammar import RuleError
from accounts.rules.operators import Form, Operator

_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?([eE][+-]?\d+)?")
_WHOLE = re.compile(r"[+-]?\d{1,20}")
_AMOUNT = re.compile(r"[+-]?\d{1,18}(\.\d{1,2})?")


class Unreadable(ValueError):
    """What was typed means nothing here; the text says what to type instead."""


@dataclass(frozen=True, slots=True)
class Typed:
    """The part of a condition's JSON beside field and operator, and what could not be read of it."""

    parts: dict[str, Any]
    errors: list[RuleError]


def typed(field: Field, operator: Operator, texts: Sequence[str], days: str, *, path: str) -> Typed:
    reading = _Reading(field, path, [])
    parts: dict[str, Any] = {}
    match operator.form:
        case Form.NONE:
            pass
        case Form.MANY:
            parts = {"value": reading.each(_many(field, texts))}
        case Form.TWO:
            parts = {"value": reading.each([*texts, "", ""][:2])}
        case Form.ONE:
            parts = {"value": reading.one(_first(texts), "value")}
        case Form.DAYS:
            parts = {"value": _whole(_first(texts))}
        case Form.COUNT_IN_DAYS:
            parts = {"value": _whole(_first(texts)), "days": _whole(days)}
    return Typed(parts, reading.errors)


def texts_of(field: Field | None, operator: Operator | None, data: dict[Any, Any]) -> tuple[list[str], str]:
    """The texts with which a stored condition stands in the editor: its values, and its days."""
    value, days = data.get("value"), data.get("days")
    values = value if isinstance(value, list) else [] if value is None else [value]
    is_value = operator is not None and operator.form in (Form.ONE, Form.TWO, Form.MANY)
    texts = [_text(one, field if is_value else None) for one in values]
    if field and operator and operator.form is Form.MANY and not takes_choices(field):
        texts = [lines_of(texts)]
    return texts, "" if days is None else str(days)


def takes_choices(field: Field) -> bool:
    """A list of its values is ticked; of other fields it is typed, one value a line."""
    return bool(field.choices) or field.type is FieldType.PERSON


def lines_of(values: Sequence[str]) -> str:
    """One value a line; what a line would change is written as a JSON string."""
    return "\n".join(json.dumps(value) if _needs_quotes(value) else value for value in values)


def values_of(text: str) -> list[str]:
    lines = (line.strip() for line in re.split(r"\r?\n", text))
    return [_unquoted(line) for line in lines if line]


@dataclass(frozen=True, slots=True)
class _Reading:
    field: Field
    path: str
    errors: list[RuleError]

    def one(self, text: str, part: str) -> Any:
        try:
            return _reader(self.field)(text)
        except Unreadable as wrong:
            self.errors.append(RuleError(f"{self.path}.{part}", str(wrong)))
            return None

    def each(self, texts: Sequence[str]) -> list[Any]:
        return [self.one(text, f"value[{at}]") for at, text in enumerate(texts)]


def _many(field: Field, texts: Sequence[str]) -> Sequence[str]:
    if takes_choices(field):
        return [text for text in texts if text]
    return [value for text in texts for value in values_of(text)]


def _first(texts: Sequence[str]) -> str:
    return texts[0] if texts else ""


def _text(value: Any, field: Field | None) -> str:
    if field and field.type is FieldType.CURRENCY and isinstance(value, int):
        return f"{Decimal(value) / 100:.2f}".removesuffix(".00")
    return value if isinstance(value, str) else json.dumps(value)


def _reader(field: Field) -> Callable[[str], Any]:
    return _choice if field.choices else _READERS.get(field.type, _plain)


def _plain(text: str) -> str:
    return text


def _choice(text: str) -> str:
    if not text:
        raise Unreadable("Choose a value.")
    return text


def _number(text: str) -> int | float:
    plain = text.replace(",", "").strip()
    if not _NUMBER.fullmatch(plain) or len(plain) > 400:
        raise Unreadable("Write a number.")
    return int(plain) if _WHOLE.fullmatch(plain) else float(plain)


def _cents(text: str) -> int:
    plain = text.replace(",", "").replace("$", "").strip()
    if not _AMOUNT.fullmatch(plain):
        raise Unreadable("Write an amount, such as 1200 or 12.50.")
    return int(Decimal(plain) * 100)


def _person(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or len(text) > 19:
        raise Unreadable("Choose a team member.")
    return int(text)


def _whole(text: str) -> int | str:
    """The grammar itself says what days and times can be."""
    plain = text.replace(",", "").strip()
    return int(plain) if _WHOLE.fullmatch(plain) else text


_READERS: dict[FieldType, Callable[[str], Any]] = {
    FieldType.NUMBER: _number,
    FieldType.CURRENCY: _cents,
    FieldType.PERSON: _person,
    FieldType.CHOICE: _choice,
    FieldType.STATE: _choice,
}


def _needs_quotes(value: str) -> bool:
    return value != value.strip() or value.startswith('"') or "\n" in value or "\r" in value


def _unquoted(line: str) -> str:
    try:
        found = json.loads(line) if line.startswith('"') else line
    except ValueError:
        return line
    return found if isinstance(found, str) else line
