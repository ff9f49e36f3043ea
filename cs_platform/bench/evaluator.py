"""What the measured rules mean, in plain Python: the oracle of the SQL, and the design it is compared with.

A rule becomes nested functions once; each is asked about a subject that hands over values, counts and indicators, and
decides for itself how it comes by them.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, date, datetime
from typing import Any, Protocol

from cs_platform.bench.data import ACCOUNT_TRAITS, USER_TRAITS
from cs_platform.bench.profiles import NOW

TODAY = NOW.date()
TRACKED = ("subscribed", "trialing")
Json = Mapping[str, Any]


class Subject(Protocol):
    def value(self, attribute: str) -> Any: ...

    def times(self, event: str, days: int) -> int:
        """How often the event was counted in the last days."""

    def has_indicator(self, title: str) -> bool: ...

    def people(self) -> Iterable[Any]:
        """Its users, each of whom has a `value` too."""


Verdict = Callable[[Any], bool]

_ACCOUNT = {f"trait:{trait.key}": trait.slot for trait in ACCOUNT_TRAITS} | {"mrr": "mrr_cents", "csm": "csm_id"}
_USER = {f"trait:{trait.key}": trait.slot for trait in USER_TRAITS}


def compiled(rule: Json) -> Verdict:
    """Does the account match? Its lifecycle first, its own tree, then one user who satisfies the whole user tree."""
    account = _node(rule["account"], _ACCOUNT) if rule.get("account") else None
    user = _node(rule["user"], _USER) if rule.get("user") else None

    def verdict(subject: Subject) -> bool:
        if subject.value("lifecycle") not in TRACKED or (account and not account(subject)):
            return False
        return user is None or any(user(person) for person in subject.people())

    return verdict


def _node(rule: Json, attributes: Mapping[str, str]) -> Verdict:
    if "field" in rule:
        return _leaf(rule, attributes)
    mode, holds = ("all", all) if "all" in rule else ("any", any)
    children = [_node(child, attributes) for child in rule[mode]]
    return lambda subject: holds(child(subject) for child in children)


def _leaf(rule: Json, attributes: Mapping[str, str]) -> Verdict:
    kind, _, name = rule["field"].partition(":")
    if kind == "event":
        return _event(name, rule["op"], rule["value"], rule.get("days"))
    if kind == "indicator":
        active = rule["op"] == "active"
        return lambda subject: subject.has_indicator(name) is active
    attribute = attributes.get(rule["field"], rule["field"])
    if rule["op"] in OPPOSITES:
        test = TESTS[OPPOSITES[rule["op"]]](rule.get("value"))
        return lambda subject: not _holds(test, subject.value(attribute))
    test = TESTS[rule["op"]](rule.get("value"))
    return lambda subject: _holds(test, subject.value(attribute))


def _event(name: str, op: str, value: int, days: int | None) -> Verdict:
    if op in ("done_within_days", "not_done_within_days"):
        done = op == "done_within_days"
        return lambda subject: (subject.times(name, value) > 0) is done
    assert days is not None
    if op == "at_least":
        return lambda subject: subject.times(name, days) >= value
    return lambda subject: subject.times(name, days) <= value


def _holds(test: Callable[[Any], bool], have: Any) -> bool:
    """A missing value satisfies no condition but the negative ones."""
    return have is not None and test(have)


OPPOSITES = {"is_not": "is", "is_none_of": "is_any_of", "contains_none": "contains_any", "not_set": "set"}
TESTS: dict[str, Callable[[Any], Callable[[Any], bool]]] = {
    "set": lambda wanted: lambda have: True,
    "is": lambda wanted: lambda have: have == wanted,
    "is_any_of": lambda wanted: lambda have: have in wanted,
    "is_true": lambda wanted: lambda have: have,
    "is_false": lambda wanted: lambda have: not have,
    "contains": lambda wanted: lambda have: wanted.lower() in have.lower(),
    "starts_with": lambda wanted: lambda have: have.startswith(wanted),
    "more": lambda wanted: lambda have: have > wanted,
    "less": lambda wanted: lambda have: have < wanted,
    "at_least": lambda wanted: lambda have: have >= wanted,
    "at_most": lambda wanted: lambda have: have <= wanted,
    "between": lambda wanted: lambda have: wanted[0] <= have <= wanted[1],
    "contains_any": lambda wanted: lambda have: any(item in have for item in wanted),
    "contains_all": lambda wanted: lambda have: all(item in have for item in wanted),
    "more_than_days_ago": lambda wanted: lambda have: _days_ago(have) > wanted,
    "exactly_days_ago": lambda wanted: lambda have: _days_ago(have) == wanted,
    "within_next_days": lambda wanted: lambda have: 0 <= -_days_ago(have) <= wanted,
    "within_last_days": lambda wanted: lambda have: 0 <= _days_ago(have) <= wanted,
    "in_future": lambda wanted: lambda have: _days_ago(have) < 0,
}


def _days_ago(have: date | datetime) -> int:
    day = have.astimezone(UTC).date() if isinstance(have, datetime) else have
    return (TODAY - day).days
