"""Rules in plain sentences, from the same operator rows that make the SQL."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from accounts.rules.compile import TRACKED, Audience
from accounts.rules.fields import Field, FieldType
from accounts.rules.grammar import MAX_NUMBER, Group, Leaf, Mode, Node, Rule
from accounts.rules.operators import Form

People = Mapping[int, str]

NOT_SET = "not set"


@dataclass(frozen=True, slots=True)
class Part:
    """A condition, or what joins conditions."""

    words: str
    is_condition: bool = False


@dataclass(frozen=True, slots=True)
class Sentence:
    """Without its full stop: as text, or as HTML."""

    parts: Sequence[Part]

    def __str__(self) -> str:
        return "".join(part.words for part in self.parts)

    @property
    def emphasised(self) -> SafeString:
        """Each condition in bold: what is asked for stands out from what joins it."""
        return format_html_join("", "{}", ([_in_html(part)] for part in self.parts))


def _in_html(part: Part) -> str:
    return format_html("<b>{}</b>", part.words) if part.is_condition else part.words


def describe(rule: Rule | Node, *, people: People | None = None) -> str:
    """The tree as one sentence, without its full stop."""
    return str(_sentence(_phrase(rule.root if isinstance(rule, Rule) else rule, people or {})))


def describe_when(rule: Rule, *, people: People | None = None) -> Sentence:
    """As it goes on after other words: "…, when MRR is at least $500"."""
    return Sentence(list(_phrase(rule.root, people or {})))


def describe_audience(audience: Audience, *, people: People | None = None) -> Sentence:
    """Both trees and the lifecycles as one sentence."""
    people, found = people or {}, []
    if audience.lifecycles not in (TRACKED, None) or not (audience.account or audience.user):
        found.append([Part(describe_lifecycles(audience.lifecycles))])
    if audience.account:
        root = audience.account.root
        found.append(list(_beside(root, people) if audience.user or found else _phrase(root, people)))
    if audience.user:
        found.append([Part("at least one user: "), *_phrase(audience.user.root, people)])
    return _sentence(_joined(found, ", and "))


def _sentence(parts: Iterator[Part]) -> Sentence:
    """With a capital where its first word begins."""
    found = list(parts)
    first = next(at for at, part in enumerate(found) if part != _OPENS)
    found[first] = replace(found[first], words=_capital(found[first].words))
    return Sentence(found)


_OPENS, _CLOSES = Part("("), Part(")")


def _joined(phrases: Iterable[Iterable[Part]], joiner: str) -> Iterator[Part]:
    for at, phrase in enumerate(phrases):
        if at:
            yield Part(joiner)
        yield from phrase


def describe_lifecycles(lifecycles: Sequence[str] | None) -> str:
    return "Account of any lifecycle" if lifecycles is None else f"Account is {listed(lifecycles)}"


def describe_leaf(leaf: Leaf, *, people: People | None = None) -> str:
    return _capital(_leaf(leaf, people or {}))


def format_value(value: Any, field: Field, *, people: People | None = None) -> str:
    """A stored value of a field as people read it."""
    if value is None or value == "" or value == []:
        return NOT_SET
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return f"{day_words(value.date())}, {value:%H:%M}"
    if isinstance(value, date):
        return day_words(value)
    return _by_type(value, field, people or {})


def day_words(day: date) -> str:
    return f"{day.day} {day:%b %Y}"


def listed(items: Sequence[str], joiner: str = "or") -> str:
    """a, b or c."""
    return " ".join([", ".join(items[:-1]), joiner, items[-1]]) if len(items) > 1 else "".join(items)


def counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def _phrase(node: Node, people: People) -> Iterator[Part]:
    if isinstance(node, Leaf):
        return iter([Part(_leaf(node, people), is_condition=True)])
    if len(node.children) == 1:
        return _phrase(node.children[0], people)
    joiner = " and " if node.mode is Mode.ALL else " or "
    return _joined((_inside(child, people) for child in node.children), joiner)


def _inside(node: Node, people: People) -> Iterator[Part]:
    """A group within a group stands in parentheses; a lone condition does not."""
    many = isinstance(node, Group) and len(node.children) > 1
    return iter([_OPENS, *_phrase(node, people), _CLOSES]) if many else _phrase(node, people)


def _beside(node: Node, people: People) -> Iterator[Part]:
    """Before a further ", and …" only alternatives would be misread."""
    alternatives = isinstance(node, Group) and node.mode is Mode.ANY
    return _inside(node, people) if alternatives else _phrase(node, people)


def _leaf(leaf: Leaf, people: People) -> str:
    if leaf.field.type is FieldType.SEGMENT:
        return f"{leaf.operator.words} segment “{leaf.field.label}”"
    return f"{_name(leaf.field)} {leaf.operator.words.format(*_values(leaf, people))}"


def _name(field: Field) -> str:
    if field.type is FieldType.EVENT:
        return f"“{field.label}”"
    if field.type is FieldType.INDICATOR:
        return f"indicator “{field.label}”"
    return _small(field.label)


def _values(leaf: Leaf, people: People) -> list[str]:
    values = leaf.values
    match leaf.operator.form:
        case Form.DAYS:
            return [counted(values[0], "day")]
        case Form.COUNT_IN_DAYS:
            return [counted(values[0], "time"), counted(values[1], "day")]
        case Form.MANY:
            items = [_quoted(format_value(value, leaf.field, people=people), leaf.field) for value in values]
            return [listed(items, "and" if leaf.operator.family == "containment" else "or")]
        case _:
            return [_quoted(format_value(value, leaf.field, people=people), leaf.field) for value in values]


def _by_type(value: Any, field: Field, people: People) -> str:
    match field.type:
        case FieldType.PERSON:
            return people.get(value, f"member {value}")
        case FieldType.CURRENCY:
            return money(value)
        case FieldType.LIST if isinstance(value, list):
            return ", ".join(value)
        case FieldType.CHOICE | FieldType.STATE | FieldType.LIST:
            return dict(field.choices).get(value, str(value))
        case FieldType.EVENT if isinstance(value, int):
            return counted(value, "time")
    return number(value) if isinstance(value, int | float) else str(value)


def money(cents: int) -> str:
    sign, whole, rest = "-" if cents < 0 else "", abs(cents) // 100, abs(cents) % 100
    return f"{sign}${whole:,}.{rest:02}" if rest else f"{sign}${whole:,}"


def number(value: float) -> str:
    if not math.isfinite(value) or abs(value) > MAX_NUMBER:
        return f"{value:g}"
    return f"{int(value):,}" if value == int(value) else f"{value:,}"


def _quoted(text: str, field: Field) -> str:
    """Free text of more than one word would run into the sentence."""
    free = field.type in (FieldType.TEXT, FieldType.URL, FieldType.LIST)
    return f"“{text}”" if free and not text.isalnum() else text


def _small(label: str) -> str:
    return label[:1].lower() + label[1:] if label[1:2].islower() or len(label) == 1 else label


def _capital(phrase: str) -> str:
    return phrase[:1].upper() + phrase[1:]
