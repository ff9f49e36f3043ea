"""Texts with variables, written by people: `Hello {{ user.first_name | default: "there" }}`.

The grammar is Liquid's output node and nothing else: a variable from a list the caller gives, then filters from the
list below. Liquid's own parser reads it; values are looked up by name in a plain mapping, so there is no attribute to
walk, no tag to run and no way to build a large text out of a small one.
"""

import difflib
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from typing import Any

from liquid import Environment
from liquid.builtin import register
from liquid.builtin.expressions import FilteredExpression, Path
from liquid.builtin.expressions.primitive import Literal
from liquid.builtin.output import OutputNode
from liquid.exceptions import LiquidError

SOURCE_LIMIT = 10_000
VARIABLE_LIMIT = 50
VALUE_LIMIT = 1_000
LINE_LIMIT = 200

Value = str | int | float | date | None


class TemplateError(ValueError):
    """The text cannot be used; the message says what to change."""


class MissingValue(Exception):
    """Variables that have no value here and no default: nothing is written rather than “Hello ,”."""

    def __init__(self, names: list[str]) -> None:
        super().__init__(", ".join(names))
        self.names = names


@dataclass(frozen=True, slots=True)
class Output:
    name: str
    filters: tuple[tuple[str, tuple[Any, ...]], ...]

    def text(self, values: Mapping[str, Value]) -> str | None:
        """None when there is no value and no default."""
        value = values.get(self.name)
        for name, arguments in self.filters:
            value = _FILTERS[name].apply(value, *arguments)
        return None if value is None or value == "" else _shown(value)


@dataclass(frozen=True, slots=True)
class MessageTemplate:
    """A parsed text: literal pieces and outputs in turn."""

    pieces: tuple[str | Output, ...]

    @property
    def variables(self) -> frozenset[str]:
        return frozenset(piece.name for piece in self.pieces if isinstance(piece, Output))

    def render(self, values: Mapping[str, Value]) -> str:
        """Plain text; whoever shows it elsewhere escapes it for that place. Raises MissingValue."""
        texts = [piece.text(values) if isinstance(piece, Output) else piece for piece in self.pieces]
        missing = [
            piece.name
            for piece, text in zip(self.pieces, texts, strict=True)
            if text is None and isinstance(piece, Output)
        ]
        if missing:
            raise MissingValue(list(dict.fromkeys(missing)))
        return "".join(text for text in texts if text)


@lru_cache(maxsize=1_000)
def parse(source: str) -> MessageTemplate:
    """Raises TemplateError. Which variables exist is `unknown_variables`' question."""
    if len(source.encode(errors="replace")) > SOURCE_LIMIT:
        raise TemplateError(f"The text is longer than {SOURCE_LIMIT:,} bytes. Shorten it.")
    if _UNSTORABLE.search(source):
        raise TemplateError("The text has characters that cannot be stored. Type it again.")
    try:
        nodes = _LIQUID.from_string(source).nodes
    except LiquidError as error:
        raise TemplateError(_in_words(error)) from error
    template = MessageTemplate(tuple(_piece(node) for node in nodes))
    if sum(isinstance(piece, Output) for piece in template.pieces) > VARIABLE_LIMIT:
        raise TemplateError(f"The text uses more than {VARIABLE_LIMIT} variables.")
    return template


def unknown_variables(template: MessageTemplate, known: Collection[str]) -> list[str]:
    """One sentence per variable that does not exist, with the nearest name that does."""
    return [_unknown(name, known) for name in sorted(template.variables.difference(known))]


def single_line(text: str, limit: int = LINE_LIMIT) -> str:
    """For subjects, titles and headers: no line break or control character survives, and it stays short."""
    line = " ".join(_CONTROL.sub(" ", text).split())
    return line if len(line) <= limit else f"{line[: limit - 1]}…"


# NUL, and halves of a surrogate pair: PostgreSQL takes neither.
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def _unknown(name: str, known: Collection[str]) -> str:
    near = difflib.get_close_matches(name, sorted(known), n=1)
    hint = f" Did you mean {{{{ {near[0]} }}}}?" if near else " Choose one from the list of variables."
    return f"There is no variable {{{{ {name} }}}} here.{hint}"


# --- reading ----------------------------------------------------------------------------------------------------------


def _environment() -> Environment:
    environment = Environment()
    register(environment)
    # The three that remain are the parser's own: literal text, output, and "no such tag".
    environment.tags = {name: tag for name, tag in environment.tags.items() if name in {"content", "output", "illegal"}}
    environment.filters = {}
    return environment


_LIQUID = _environment()


def _in_words(error: LiquidError) -> str:
    if "tag" in str(error.message):
        return "Only variables such as {{ account.name }} can be used, no {% … %} tags."
    return f"The text has a mistake near a variable: {error.message}. Variables look like {{{{ account.name }}}}."


def _piece(node: Any) -> str | Output:
    if not isinstance(node, OutputNode):
        return str(node.text)
    expression = node.expression
    if not isinstance(expression, FilteredExpression) or not isinstance(expression.left, Path):
        raise TemplateError(f"“{node}” is not a variable. Variables look like {{{{ account.name }}}}.")
    filters = tuple(_filter(used) for used in expression.filters or ())
    return Output(_name(expression.left), filters)


def _name(path: Path) -> str:
    if not all(isinstance(segment, str) for segment in path.path):
        raise TemplateError(f"“{path}” is not a variable. Variables look like {{{{ account.name }}}}.")
    return ".".join(str(segment) for segment in path.path)


def _filter(used: Any) -> tuple[str, tuple[Any, ...]]:
    known = _FILTERS.get(used.name)
    if known is None:
        raise TemplateError(f"There is no filter “{used.name}”. Use one of: {', '.join(_FILTERS)}.")
    values = [getattr(argument, "value", None) for argument in used.args]
    if not all(isinstance(value, Literal) for value in values):
        raise TemplateError(f"“{used.name}” takes texts in quotes or numbers only.")
    arguments = tuple(value.value for value in values if isinstance(value, Literal))
    if not known.accepts(arguments):
        raise TemplateError(f"“{used.name}” is used like this: {known.example}.")
    return used.name, arguments


# --- filters: each can only shorten or reshape what it gets -----------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Filter:
    apply: Callable[..., Value]
    example: str
    accepts: Callable[[tuple[Any, ...]], bool]


def _none(arguments: tuple[Any, ...]) -> bool:
    return not arguments


def _one_text(arguments: tuple[Any, ...]) -> bool:
    return len(arguments) == 1 and isinstance(arguments[0], str)


def _one_length(arguments: tuple[Any, ...]) -> bool:
    return len(arguments) == 1 and type(arguments[0]) is int and 0 < arguments[0] <= VALUE_LIMIT


# A width in a directive ("%9999d") would build a text of that size.
_DATE_FORMAT = re.compile(r"(?:[^%]|%-?[aAbBdeHIjmMpSyYZ%])*")


def _one_date_format(arguments: tuple[Any, ...]) -> bool:
    return _one_text(arguments) and bool(_DATE_FORMAT.fullmatch(arguments[0]))


def _of_text(change: Callable[[str], str]) -> Callable[[Value], Value]:
    return lambda value: None if value is None else change(_shown(value))


def _date(value: Value, wanted: str) -> Value:
    return value.strftime(wanted) if isinstance(value, date) else value


def _truncate(value: Value, length: int) -> Value:
    text = "" if value is None else _shown(value)
    return text if len(text) <= length else f"{text[: length - 1]}…"


_FILTERS: dict[str, _Filter] = {
    "default": _Filter(
        lambda value, text: text if value is None or value == "" else value, 'default: "there"', _one_text
    ),
    "upcase": _Filter(_of_text(str.upper), "upcase", _none),
    "downcase": _Filter(_of_text(str.lower), "downcase", _none),
    "capitalize": _Filter(_of_text(str.capitalize), "capitalize", _none),
    "strip": _Filter(_of_text(str.strip), "strip", _none),
    "truncate": _Filter(_truncate, "truncate: 40", _one_length),
    "date": _Filter(_date, 'date: "%d %B %Y"', _one_date_format),
}
FILTERS = tuple(_FILTERS)


def _shown(value: Value) -> str:
    if isinstance(value, datetime):
        return f"{value.day} {value:%b %Y, %H:%M}"
    if isinstance(value, date):
        return f"{value.day} {value:%b %Y}"
    if isinstance(value, int | float):
        return f"{value:,}"
    return str(value)[:VALUE_LIMIT]


def show_value(value: Value) -> str:
    """A value as a text shows it without a filter; empty when there is none."""
    return "" if value is None else _shown(value)
