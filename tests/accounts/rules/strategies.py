"""Rules as people could write them, for Hypothesis: every field, every operator, values that often meet the data."""

from datetime import date, timedelta
from typing import Any

from hypothesis import strategies as st

from accounts.rules.compile import Audience
from accounts.rules.fields import Field, FieldSet, FieldType, Subject
from accounts.rules.grammar import FIRST_DAY, LAST_DAY, MAX_NUMBER, RuleErrors, parse_pair
from accounts.rules.operators import Form, Operator, operators_for

from .subjects import POOLS, TODAY

Json = dict[str, Any]

DAYS = st.one_of(st.sampled_from([0, 1, 2, 3, 30]), st.integers(0, 36_500))
NEAR_DAYS = [TODAY + timedelta(days=days) for days in (-31, -30, -3, -1, 0, 1, 3, 30)]
TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), min_size=1, max_size=8).filter(str.strip)
PARTS = ["p", "PRO", "%", "_", "\\", "'", "š", "i", "ss", "plan", "x" * 30]


def _usable(value: Any) -> bool:
    if isinstance(value, str):
        return bool(value.strip())
    if isinstance(value, int | float) and not isinstance(value, bool):
        return abs(value) <= MAX_NUMBER
    return value is not None


def _pool(type: str) -> list[Any]:
    return [value for value in POOLS[type] if _usable(value)]


DAY_VALUES = st.one_of(st.sampled_from(NEAR_DAYS), st.sampled_from([date(2024, 2, 29)]), st.dates(FIRST_DAY, LAST_DAY))
VALUES: dict[FieldType, st.SearchStrategy[Any]] = {
    FieldType.TEXT: st.one_of(st.sampled_from(_pool("text")), st.sampled_from(PARTS), TEXT),
    FieldType.URL: st.sampled_from([*_pool("url"), "http", "/", "1%20"]),
    FieldType.CHOICE: st.sampled_from(["red", "dark blue"]),
    FieldType.LIST: st.sampled_from(["a", "b", "c", "A", "%", "a b", "z"]),
    FieldType.NUMBER: st.one_of(
        st.sampled_from(_pool("number")),
        st.integers(-(10**15), 10**15),
        st.floats(-1e15, 1e15, allow_nan=False),
    ),
    FieldType.CURRENCY: st.one_of(st.sampled_from(_pool("currency")), st.integers(-(10**15), 10**15)),
    FieldType.PERSON: st.sampled_from([1, 2, 2**62]),
    FieldType.DATE: DAY_VALUES.map(date.isoformat),
    FieldType.MOMENT: DAY_VALUES.map(date.isoformat),
}


def values_for(field: Field, operator: Operator) -> st.SearchStrategy[Json]:
    """The part of a condition beside field and op."""
    if operator.form is Form.NONE:
        return st.just({})
    if operator.form is Form.DAYS:
        return st.fixed_dictionaries({"value": DAYS})
    if operator.form is Form.COUNT_IN_DAYS:
        return st.fixed_dictionaries({"value": st.integers(operator.minimum, 60), "days": DAYS})
    return st.fixed_dictionaries({"value": _typed(field, operator.form)})


def _typed(field: Field, form: Form) -> st.SearchStrategy[Any]:
    one = st.sampled_from([value for value, _ in field.choices]) if field.choices else VALUES[field.type]
    if form is Form.TWO:
        return st.tuples(one, one).map(sorted)
    return st.lists(one, min_size=1, max_size=4) if form is Form.MANY else one


def conditions(fields: FieldSet, subject: Subject) -> st.SearchStrategy[Json]:
    """A flat choice over all (field, operator) pairs: one draw, then its values. By place: pairs are long to print."""
    pairs = [(field, operator) for field in fields.all(subject) for operator in operators_for(field.type).values()]
    return st.integers(0, len(pairs) - 1).flatmap(lambda at: _condition(*pairs[at]))


def _condition(field: Field, operator: Operator) -> st.SearchStrategy[Json]:
    return values_for(field, operator).map(lambda values: {"field": field.key, "op": operator.key, **values})


def trees(fields: FieldSet, subject: Subject) -> st.SearchStrategy[Json]:
    leaf = conditions(fields, subject)
    return st.recursive(leaf, _groups, max_leaves=6)


def _groups(children: st.SearchStrategy[Json]) -> st.SearchStrategy[Json]:
    members = st.lists(children, min_size=1, max_size=3)
    return st.one_of(members.map(lambda all: {"all": all}), members.map(lambda any: {"any": any}))


LIFECYCLES = st.sampled_from([("subscribed", "trialing"), ("subscribed",), ("churned", "ignored"), None])


def pairs(fields: FieldSet) -> st.SearchStrategy[tuple[Json | None, Json | None, tuple[str, ...] | None]]:
    account, user = trees(fields, Subject.ACCOUNT), trees(fields, Subject.USER)
    both = st.one_of(st.tuples(account, st.none()), st.tuples(st.none(), user), st.tuples(account, user))
    return st.tuples(both, LIFECYCLES).map(lambda made: (*made[0], made[1]))


def audience(fields: FieldSet, account: Json | None, user: Json | None, lifecycles: Any) -> Audience | None:
    """None for a rule the grammar refuses because it lets everybody through, which generated ones sometimes do."""
    try:
        return Audience(*parse_pair(account, user, fields=fields), lifecycles)
    except RuleErrors as refused:
        if any("let everybody through" not in error.message for error in refused.errors):
            raise
        return None
