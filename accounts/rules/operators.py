"""The table of operators: one row gives the words people read and the SQL that runs, so the two cannot part.

`sql` is the *positive* condition over `{x}` (the field) and `{0}`, `{1}` … (the values). Where the value is missing it
is NULL or false, never true. A `negative` row is the exact complement of its `sql`, missing values included; this is
how the grammar stays two-valued though SQL is not.

A family is a set of operators which, asked with one value, divides all subjects: each satisfies exactly one member.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from enum import Enum
from typing import Any

from accounts.rules.fields import FieldType
from accounts.rules.sql import Clock, Sql, compose

Values = tuple[Any, ...]


class Form(Enum):
    """What a condition carries beside field and operator."""

    NONE = "none"
    ONE = "one"
    TWO = "two"
    MANY = "many"
    DAYS = "days"
    COUNT_IN_DAYS = "count_in_days"


@dataclass(frozen=True, slots=True)
class Operator:
    key: str
    words: str
    family: str
    types: frozenset[FieldType]
    form: Form
    sql: str
    widget: str = "none"
    negative: bool = False
    column_sql: str = ""  # the same verdict in a form an index can serve, when the field is a column
    bounds: Callable[[Values, date], Values] | None = None  # turns what people wrote into what `sql` compares with
    relative: bool = False  # the verdict depends on today
    minimum: int = 0  # smallest number of days or times that makes sense


@dataclass(frozen=True, slots=True)
class Member:
    """An operator of a family; `shift` is added to the family's value (at least 3 faces at most 2)."""

    operator: str
    shift: int = 0


@dataclass(frozen=True, slots=True)
class Family:
    key: str
    types: frozenset[FieldType]
    members: tuple[Member, ...]


T = FieldType
_TEXTS = frozenset({T.TEXT, T.URL})
_CHOICES = frozenset({T.CHOICE, T.STATE})
_PEOPLE = frozenset({T.PERSON})
_NUMBERS = frozenset({T.NUMBER, T.CURRENCY})
_BOOLEANS = frozenset({T.BOOLEAN})
_DATES = frozenset({T.DATE, T.MOMENT})
_LISTS = frozenset({T.LIST})
_EVENTS = frozenset({T.EVENT})
_INDICATORS = frozenset({T.INDICATOR})
_SEGMENTS = frozenset({T.SEGMENT})
_NAMED = _TEXTS | _CHOICES | _PEOPLE
_PLAIN = _PEOPLE | _NUMBERS | _BOOLEANS | _DATES


def _naming(types: frozenset[FieldType], one: str, many: str) -> list[Operator]:
    same, among = "{x} = {0}", "{x} IN ({0})"
    return [
        Operator("is", "is {0}", "identity", types, Form.ONE, same, one),
        Operator("is_not", "is not {0}", "identity", types, Form.ONE, same, one, negative=True),
        Operator("is_any_of", "is any of {0}", "membership", types, Form.MANY, among, many),
        Operator("is_none_of", "is none of {0}", "membership", types, Form.MANY, among, many, negative=True),
    ]


# An explicit collation, so that case folds alike on every server whatever its locale.
_LOWER_X = 'lower({x} COLLATE "pg_c_utf8")'
_LOWER_0 = 'lower({0} COLLATE "pg_c_utf8")'
_HAS = f"strpos({_LOWER_X}, {_LOWER_0}) > 0"
_STARTS = "{x} ^@ {0}"
_ENDS = f"right({_LOWER_X}, length({_LOWER_0})) = {_LOWER_0}"


def _searching(types: frozenset[FieldType]) -> list[Operator]:
    return [
        Operator("contains", "contains {0}", "contents", types, Form.ONE, _HAS, "text"),
        Operator("not_contains", "does not contain {0}", "contents", types, Form.ONE, _HAS, "text", negative=True),
        Operator("starts_with", "starts with {0}", "beginning", types, Form.ONE, _STARTS, "text"),
        Operator(
            "not_starts_with", "does not start with {0}", "beginning", types, Form.ONE, _STARTS, "text", negative=True
        ),
        Operator("ends_with", "ends with {0}", "ending", types, Form.ONE, _ENDS, "text"),
        Operator("not_ends_with", "does not end with {0}", "ending", types, Form.ONE, _ENDS, "text", negative=True),
    ]


def _presence(types: frozenset[FieldType], present: str, absent: str) -> list[Operator]:
    return [
        Operator("set", "is set", "presence", types, Form.NONE, present),
        Operator("not_set", "is not set", "presence", types, Form.NONE, present, negative=True, column_sql=absent),
    ]


def _counting(types: frozenset[FieldType], one: str, two: str) -> list[Operator]:
    same = "{x} = {0}"
    return [
        Operator("equal", "equals {0}", "order", types, Form.ONE, same, one),
        Operator("not_equal", "does not equal {0}", "equality", types, Form.ONE, same, one, negative=True),
        Operator("more", "is more than {0}", "order", types, Form.ONE, "{x} > {0}", one),
        Operator("less", "is less than {0}", "order", types, Form.ONE, "{x} < {0}", one),
        Operator("at_least", "is at least {0}", "floor", types, Form.ONE, "{x} >= {0}", one),
        Operator("at_most", "is at most {0}", "ceiling", types, Form.ONE, "{x} <= {0}", one),
        Operator("between", "is between {0} and {1}", "range", types, Form.TWO, "({x} >= {0} AND {x} <= {1})", two),
        Operator("outside", "is outside {0} to {1}", "range", types, Form.TWO, "({x} < {0} OR {x} > {1})", two),
    ]


_BEFORE, _FROM, _SPAN = "{x} < {0}", "{x} >= {0}", "({x} >= {0} AND {x} < {1})"


def _days(count: int) -> timedelta:
    return timedelta(days=count)


def _calendar() -> list[Operator]:
    """A day is a half-open span, so the same rows serve dates and, by the instants where local days begin, moments."""

    def row(
        key: str, words: str, family: str, sql: str, bounds: Callable[[Values, date], Values], form: Form = Form.ONE
    ) -> Operator:
        return Operator(
            key, words, family, _DATES, form, sql, "date_range" if form is Form.TWO else "date", bounds=bounds
        )

    return [
        row("before", "is before {0}", "day", _BEFORE, lambda v, today: v),
        row("on", "is on {0}", "day", _SPAN, lambda v, today: (v[0], v[0] + _days(1))),
        row("after", "is after {0}", "day", _FROM, lambda v, today: (v[0] + _days(1),)),
        row("between", "is between {0} and {1}", "range", _SPAN, lambda v, today: (v[0], v[1] + _days(1)), Form.TWO),
        row(
            "outside",
            "is outside {0} to {1}",
            "range",
            "({x} < {0} OR {x} >= {1})",
            lambda v, today: (v[0], v[1] + _days(1)),
            Form.TWO,
        ),
    ]


def _relative_days() -> list[Operator]:
    def row(
        key: str, words: str, family: str, sql: str, bounds: Callable[[int, date], Values], form: Form = Form.DAYS
    ) -> Operator:
        return Operator(
            key,
            words,
            family,
            _DATES,
            form,
            sql,
            "days" if form is Form.DAYS else "none",
            bounds=lambda v, today: bounds(v[0] if v else 0, today),
            relative=True,
        )

    return [
        row("more_than_days_ago", "is more than {0} ago", "ago", _BEFORE, lambda n, today: (today - _days(n),)),
        row(
            "exactly_days_ago",
            "is exactly {0} ago",
            "ago",
            _SPAN,
            lambda n, today: (today - _days(n), today - _days(n - 1)),
        ),
        row(
            "less_than_days_ago",
            "is less than {0} ago",
            "ago",
            _SPAN,
            lambda n, today: (today - _days(n - 1), today + _days(1)),
        ),
        row("in_less_than_days", "is in less than {0}", "ahead", _SPAN, lambda n, today: (today, today + _days(n))),
        row(
            "in_exactly_days",
            "is in exactly {0}",
            "ahead",
            _SPAN,
            lambda n, today: (today + _days(n), today + _days(n + 1)),
        ),
        row("in_more_than_days", "is in more than {0}", "ahead", _FROM, lambda n, today: (today + _days(n + 1),)),
        row(
            "within_next_days", "is within the next {0}", "next", _SPAN, lambda n, today: (today, today + _days(n + 1))
        ),
        row(
            "within_last_days",
            "is within the last {0}",
            "last",
            _SPAN,
            lambda n, today: (today - _days(n), today + _days(1)),
        ),
        row("in_past", "is in the past", "ahead", _BEFORE, lambda n, today: (today,), Form.NONE),
        row("in_future", "is in the future", "ago", _FROM, lambda n, today: (today + _days(1),), Form.NONE),
    ]


def _lists() -> list[Operator]:
    any_of, all_of = "{x} && ARRAY[{0}]::text[]", "{x} @> ARRAY[{0}]::text[]"
    return [
        Operator("contains_any", "contains any of {0}", "overlap", _LISTS, Form.MANY, any_of, "tags"),
        Operator("contains_none", "contains none of {0}", "overlap", _LISTS, Form.MANY, any_of, "tags", negative=True),
        Operator("contains_all", "contains all of {0}", "containment", _LISTS, Form.MANY, all_of, "tags"),
        Operator(
            "not_contains_all",
            "does not contain all of {0}",
            "containment",
            _LISTS,
            Form.MANY,
            all_of,
            "tags",
            negative=True,
        ),
    ]


_IN_WINDOW = "e.day >= {0} AND e.day <= {1} GROUP BY 1"
_UNTIL_TODAY = "e.day <= {1} GROUP BY 1"


def _events() -> list[Operator]:
    """Here `sql` ends a SELECT over the daily counts `e`: `{0}` is the first day, `{1}` today, `{2}` the times.

    Days after today are left out, so that a statement can be asked about an earlier day.
    """

    def row(key: str, words: str, family: str, sql: str, form: Form, **more: Any) -> Operator:
        widget = {Form.NONE: "none", Form.DAYS: "days", Form.COUNT_IN_DAYS: "count_in_days"}[form]
        return Operator(
            key, words, family, _EVENTS, form, sql, widget, bounds=_event_bounds, relative=form is not Form.NONE, **more
        )

    times = _IN_WINDOW + " HAVING sum(e.count) "
    last = _UNTIL_TODAY + " HAVING max(e.day) "
    return [
        row(
            "at_least",
            "was done at least {0} in the last {1}",
            "event_count",
            times + ">= {2}",
            Form.COUNT_IN_DAYS,
            minimum=1,
        ),
        row(
            "at_most",
            "was done at most {0} in the last {1}",
            "event_count",
            times + "> {2}",
            Form.COUNT_IN_DAYS,
            negative=True,
        ),
        row("done_within_days", "was done in the last {0}", "event_recent", _IN_WINDOW, Form.DAYS),
        row(
            "not_done_within_days", "was not done in the last {0}", "event_recent", _IN_WINDOW, Form.DAYS, negative=True
        ),
        row("ever", "was ever done", "event_ever", _UNTIL_TODAY, Form.NONE),
        row("never", "was never done", "event_ever", _UNTIL_TODAY, Form.NONE, negative=True),
        row("last_more_than_days_ago", "was last done more than {0} ago", "event_last", last + "< {0}", Form.DAYS),
        row("last_exactly_days_ago", "was last done exactly {0} ago", "event_last", last + "= {0}", Form.DAYS),
        row("last_less_than_days_ago", "was last done less than {0} ago", "event_last", last + "> {0}", Form.DAYS),
    ]


def _event_bounds(values: Values, today: date) -> Values:
    if len(values) == 2:
        return today - _days(values[1]), today, values[0]
    return today - _days(values[0] if values else 0), today


OPERATORS: tuple[Operator, ...] = (
    *_naming(_TEXTS, "text", "tags"),
    *_naming(_CHOICES, "choice", "choices"),
    *_naming(_PEOPLE, "person", "people"),
    *_searching(_TEXTS),
    *_counting(frozenset({T.NUMBER}), "number", "number_range"),
    *_counting(frozenset({T.CURRENCY}), "money", "money_range"),
    Operator("is_true", "is true", "truth", _BOOLEANS, Form.NONE, "{x} = true"),
    Operator("is_false", "is false", "truth", _BOOLEANS, Form.NONE, "{x} = false"),
    *_calendar(),
    *_relative_days(),
    *_lists(),
    *_presence(_TEXTS | {T.CHOICE}, "{x} <> ''", "({x} IS NULL OR {x} = '')"),
    *_presence(_PLAIN, "{x} IS NOT NULL", "{x} IS NULL"),
    *_presence(_LISTS, "cardinality({x}) > 0", ""),
    *_events(),
    Operator("active", "is active", "indicator", _INDICATORS, Form.NONE, "i.state = 'active'"),
    Operator("not_active", "is not active", "indicator", _INDICATORS, Form.NONE, "i.state = 'active'", negative=True),
    Operator("in", "is in", "segment", _SEGMENTS, Form.NONE, "m.left_at IS NULL"),
    Operator("not_in", "is not in", "segment", _SEGMENTS, Form.NONE, "m.left_at IS NULL", negative=True),
)


def _family(key: str, types: frozenset[FieldType], *members: str | Member) -> Family:
    return Family(key, types, tuple(Member(member) if isinstance(member, str) else member for member in members))


FAMILIES: tuple[Family, ...] = (
    _family("identity", _NAMED, "is", "is_not"),
    _family("membership", _NAMED, "is_any_of", "is_none_of"),
    _family("contents", _TEXTS, "contains", "not_contains"),
    _family("beginning", _TEXTS, "starts_with", "not_starts_with"),
    _family("ending", _TEXTS, "ends_with", "not_ends_with"),
    _family("presence", _TEXTS | _PLAIN | _LISTS | {T.CHOICE}, "set", "not_set"),
    _family("equality", _NUMBERS, "equal", "not_equal"),
    _family("order", _NUMBERS, "less", "equal", "more", "not_set"),
    _family("floor", _NUMBERS, "at_least", "less", "not_set"),
    _family("ceiling", _NUMBERS, "at_most", "more", "not_set"),
    _family("range", _NUMBERS | _DATES, "between", "outside", "not_set"),
    _family("truth", _BOOLEANS, "is_true", "is_false", "not_set"),
    _family("day", _DATES, "before", "on", "after", "not_set"),
    _family("ago", _DATES, "more_than_days_ago", "exactly_days_ago", "less_than_days_ago", "in_future", "not_set"),
    _family("ahead", _DATES, "in_past", "in_less_than_days", "in_exactly_days", "in_more_than_days", "not_set"),
    _family("next", _DATES, "in_past", "within_next_days", "in_more_than_days", "not_set"),
    _family("last", _DATES, "more_than_days_ago", "within_last_days", "in_future", "not_set"),
    _family("overlap", _LISTS, "contains_any", "contains_none"),
    _family("containment", _LISTS, "contains_all", "not_contains_all"),
    _family("event_count", _EVENTS, "at_least", Member("at_most", shift=-1)),
    _family("event_recent", _EVENTS, "done_within_days", "not_done_within_days"),
    _family("event_ever", _EVENTS, "ever", "never"),
    _family(
        "event_last", _EVENTS, "last_more_than_days_ago", "last_exactly_days_ago", "last_less_than_days_ago", "never"
    ),
    _family("indicator", _INDICATORS, "active", "not_active"),
    _family("segment", _SEGMENTS, "in", "not_in"),
)


def _by_type(type: FieldType) -> dict[str, Operator]:
    return {operator.key: operator for operator in OPERATORS if type in operator.types}


_BY_TYPE: dict[FieldType, dict[str, Operator]] = {type: _by_type(type) for type in FieldType}


def operators_for(type: FieldType) -> dict[str, Operator]:
    """The operators a field of this type offers, in the order of the picker."""
    return _BY_TYPE[type]


def families_for(type: FieldType) -> Iterable[Family]:
    return (family for family in FAMILIES if type in family.types)


def arguments(operator: Operator, values: Values, *, type: FieldType, clock: Clock) -> dict[str, Sql]:
    """The values as SQL, named for the operator's template."""
    if operator.form is Form.MANY:
        return {"0": Sql.values(values)}
    if operator.bounds:
        values = operator.bounds(values, clock.today)
    if type is FieldType.MOMENT:
        values = tuple(clock.start_of(day) for day in values)
    return {str(at): Sql.value(value) for at, value in enumerate(values)}


def condition(operator: Operator, x: Sql, values: Values, *, type: FieldType, clock: Clock) -> Sql:
    """The positive condition over an expression; a relation that holds one value per subject uses it too."""
    return compose(operator.sql, x=x, **arguments(operator, values, type=type, clock=clock))
