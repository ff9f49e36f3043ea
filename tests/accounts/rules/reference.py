"""What a rule means, in plain Python, written from docs/rules.md and not from the operator table.

A condition is asked about `Facts`: values by field key (None: missing), days and counts by event, active indicators.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

Json = Mapping[str, Any]


@dataclass(frozen=True)
class Facts:
    values: Mapping[str, Any]
    events: Mapping[str, list[tuple[date, int]]] = field(default_factory=dict)
    indicators: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Day:
    """The workspace's today and zone."""

    today: date
    zone: ZoneInfo


def satisfies(rule: Json, facts: Facts, day: Day) -> bool:
    if "all" in rule:
        return all(satisfies(child, facts, day) for child in rule["all"])
    if "any" in rule:
        return any(satisfies(child, facts, day) for child in rule["any"])
    key, op, wanted = rule["field"], rule["op"], rule.get("value")
    if key.startswith("event:"):
        return _event(op, facts.events.get(key.removeprefix("event:"), []), wanted, rule.get("days"), day.today)
    if key.startswith("indicator:"):
        return (key.removeprefix("indicator:") in facts.indicators) == (op == "active")
    if key.startswith("segment:"):
        return (key.removeprefix("segment:") in facts.values["segments"]) == (op == "in")
    return _value(op, facts.values.get(key), wanted, day)


def _value(op: str, have: Any, wanted: Any, day: Day) -> bool:
    if op in OPPOSITES:
        return not _value(OPPOSITES[op], have, wanted, day)
    if have is None or have in ("", []):
        return False
    if isinstance(have, datetime):
        have = have.astimezone(day.zone).date()
    if isinstance(have, date):
        return DATES[op](have, wanted, day.today)
    return PLAIN[op](have, wanted)


OPPOSITES = {
    "is_not": "is",
    "is_none_of": "is_any_of",
    "not_contains": "contains",
    "not_starts_with": "starts_with",
    "not_ends_with": "ends_with",
    "not_equal": "equal",
    "not_set": "set",
    "contains_none": "contains_any",
    "not_contains_all": "contains_all",
}


def fold(text: str) -> str:
    """Lower case letter by letter, as PostgreSQL's C.UTF-8 does it: one character never becomes two."""
    return "".join("i" if char == "İ" else char.lower() if len(char.lower()) == 1 else char for char in text)


PLAIN: dict[str, Callable[[Any, Any], bool]] = {
    "set": lambda have, wanted: True,
    "is": lambda have, wanted: have == wanted,
    "is_any_of": lambda have, wanted: have in wanted,
    "contains": lambda have, wanted: fold(wanted) in fold(have),
    "starts_with": lambda have, wanted: have.startswith(wanted),
    "ends_with": lambda have, wanted: fold(have).endswith(fold(wanted)),
    "equal": lambda have, wanted: have == wanted,
    "more": lambda have, wanted: have > wanted,
    "less": lambda have, wanted: have < wanted,
    "at_least": lambda have, wanted: have >= wanted,
    "at_most": lambda have, wanted: have <= wanted,
    "between": lambda have, wanted: wanted[0] <= have <= wanted[1],
    "outside": lambda have, wanted: have < wanted[0] or have > wanted[1],
    "is_true": lambda have, wanted: have is True,
    "is_false": lambda have, wanted: have is False,
    "contains_any": lambda have, wanted: any(item in have for item in wanted),
    "contains_all": lambda have, wanted: all(item in have for item in wanted),
}


def _at(text: str) -> date:
    return date.fromisoformat(text)


DATES: dict[str, Callable[[date, Any, date], bool]] = {
    "set": lambda have, wanted, today: True,
    "before": lambda have, wanted, today: have < _at(wanted),
    "on": lambda have, wanted, today: have == _at(wanted),
    "after": lambda have, wanted, today: have > _at(wanted),
    "between": lambda have, wanted, today: _at(wanted[0]) <= have <= _at(wanted[1]),
    "outside": lambda have, wanted, today: have < _at(wanted[0]) or have > _at(wanted[1]),
    "more_than_days_ago": lambda have, wanted, today: (today - have).days > wanted,
    "exactly_days_ago": lambda have, wanted, today: (today - have).days == wanted,
    "less_than_days_ago": lambda have, wanted, today: 0 <= (today - have).days < wanted,
    "in_more_than_days": lambda have, wanted, today: (have - today).days > wanted,
    "in_exactly_days": lambda have, wanted, today: (have - today).days == wanted,
    "in_less_than_days": lambda have, wanted, today: 0 <= (have - today).days < wanted,
    "within_next_days": lambda have, wanted, today: 0 <= (have - today).days <= wanted,
    "within_last_days": lambda have, wanted, today: 0 <= (today - have).days <= wanted,
    "in_past": lambda have, wanted, today: have < today,
    "in_future": lambda have, wanted, today: have > today,
}


def _event(op: str, history: list[tuple[date, int]], wanted: Any, days: int | None, today: date) -> bool:
    past = [(day, count) for day, count in history if day <= today]
    window = days if days is not None else wanted if wanted is not None else 0
    recent = [count for day, count in past if day >= today - timedelta(days=window)]
    last = max((day for day, _ in past), default=None)
    ago = None if last is None else (today - last).days
    return {
        "at_least": lambda: sum(recent) >= wanted,
        "at_most": lambda: sum(recent) <= wanted,
        "done_within_days": lambda: bool(recent),
        "not_done_within_days": lambda: not recent,
        "ever": lambda: bool(past),
        "never": lambda: not past,
        "last_more_than_days_ago": lambda: ago is not None and ago > wanted,
        "last_exactly_days_ago": lambda: ago is not None and ago == wanted,
        "last_less_than_days_ago": lambda: ago is not None and ago < wanted,
    }[op]()
