"""Stored JSON to nodes and back; refusals that say where and what to do."""

import json
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accounts.rules.fields import FieldSet, FieldType, Subject
from accounts.rules.grammar import (
    MAX_LIST,
    Group,
    Mode,
    RuleErrors,
    dump,
    leaves,
    parse,
    parse_pair,
    relative_date_fields,
)
from accounts.rules.sources import EventFields, IndicatorFields

from .strategies import trees
from .subjects import definitions

FIELDS = FieldSet.of(definitions(), [EventFields(((4, "Report Created"),)), IndicatorFields(("Low adoption",))])
PRO = {"field": "plan", "op": "is", "value": "Pro"}


def errors(data: Any, subject: Subject = Subject.ACCOUNT) -> dict[str, str]:
    with pytest.raises(RuleErrors) as refused:
        parse(data, fields=FIELDS, subject=subject)
    return {error.path: error.message for error in refused.value.errors}


def nested(depth: int) -> dict[str, Any]:
    return PRO if depth == 0 else {"all": [nested(depth - 1)]}


@settings(max_examples=200, deadline=None)
@given(st.data(), st.sampled_from(Subject))
def test_what_was_parsed_is_written_back_as_it_was(data: st.DataObject, subject: Subject) -> None:
    written = data.draw(trees(FIELDS, subject))
    try:
        rule = parse(written, fields=FIELDS, subject=subject)
    except RuleErrors:
        return
    assert dump(rule) == json.loads(json.dumps(written))
    assert parse(dump(rule), fields=FIELDS, subject=subject) == rule


HOSTILE = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5), st.just("plan"), st.just("is")
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from(["all", "any", "field", "op", "value", "days", "x"]), inner, max_size=4),
    ),
    max_leaves=12,
)


@settings(max_examples=500, deadline=None)
@given(HOSTILE)
def test_hostile_json_is_refused_and_never_breaks_the_parser(data: Any) -> None:
    try:
        parse(data, fields=FIELDS, subject=Subject.ACCOUNT)
    except RuleErrors as refused:
        found = refused.errors
    else:
        return
    assert found
    assert all(error.path.startswith("rules") and error.message.endswith(".") for error in found)


@pytest.mark.parametrize("value", ["a\x00b", "\ud800", "", "   ", "x" * 1001, 5, None, True, ["Pro"]])
def test_text_that_no_text_column_can_hold_is_refused(value: Any) -> None:
    assert "rules.value" in errors({"field": "plan", "op": "is", "value": value})


@pytest.mark.parametrize("value", [True, "3", None, float("nan"), float("inf"), 10**400, 1e16, [3]])
def test_a_number_is_a_finite_number_of_bounded_size(value: Any) -> None:
    assert "rules.value" in errors({"field": "health", "op": "more", "value": value})


@pytest.mark.parametrize("value", [12.5, "1250", True, 10**16])
def test_money_is_whole_cents(value: Any) -> None:
    assert "rules.value" in errors({"field": "mrr", "op": "more", "value": value})


@pytest.mark.parametrize("value", ["20260101", "2026-W01-1", "2026-02-30", "1899-12-31", "2200-01-01", 5, None, "soon"])
def test_a_date_is_an_iso_day_that_stays_in_bounds(value: Any) -> None:
    assert "rules.value" in errors({"field": "renewal_on", "op": "before", "value": value})


@pytest.mark.parametrize("value", [-1, 36_501, 1.5, "3", True, None])
def test_days_are_a_whole_number_in_bounds(value: Any) -> None:
    assert "rules.value" in errors({"field": "renewal_on", "op": "within_next_days", "value": value})


@pytest.mark.parametrize("value", [0, -1, 2**63, "1", True])
def test_a_person_is_a_members_id(value: Any) -> None:
    assert "rules.value" in errors({"field": "csm", "op": "is", "value": value})


def test_every_error_is_reported_with_its_path() -> None:
    found = errors(
        {
            "all": [
                {"field": "plan", "op": "more", "value": 3},
                {
                    "any": [
                        {"field": "nope", "op": "is", "value": 1},
                        {"field": "mrr", "op": "between", "value": [1, "x"]},
                    ]
                },
                {"field": "renewal_on", "op": "in_less_than_days", "value": 90, "days": 3},
                {"any": []},
                {"field": "name", "op": "is_any_of", "value": ["a", 7], "extra": 1},
            ]
        }
    )
    assert set(found) == {
        "rules.all[0].op",
        "rules.all[1].any[0].field",
        "rules.all[1].any[1].value[1]",
        "rules.all[2].days",
        "rules.all[3].any",
        "rules.all[4]",
        "rules.all[4].value[1]",
    }
    assert found["rules.all[0].op"].startswith("Plan does not know “more”. Choose one of: is, is_not,")


def test_choices_are_held_to() -> None:
    assert errors({"field": "lifecycle", "op": "is", "value": "gone"}) == {
        "rules.value": "Choose one of: subscribed, trialing, churned, ignored."
    }


def test_fields_belong_to_a_subject() -> None:
    assert "rules.field" in errors({"field": "role", "op": "is", "value": "admin"})
    assert "rules.field" in errors({"field": "plan", "op": "is", "value": "Pro"}, Subject.USER)


def test_five_levels_are_enough_and_six_too_many() -> None:
    assert parse(nested(5), fields=FIELDS, subject=Subject.ACCOUNT)
    assert errors(nested(6)) == {
        "rules.all[0].all[0].all[0].all[0].all[0]": "Groups can be nested 5 deep. Move these conditions one level up."
    }


def test_fifty_nodes_are_enough_and_more_are_refused_once() -> None:
    assert parse({"all": [PRO] * 49}, fields=FIELDS, subject=Subject.ACCOUNT)
    [(path, message)] = errors({"all": [PRO] * 100_000}).items()
    assert path == "rules.all[49]"
    assert message.startswith("A rule can hold 50 groups and conditions.")


def test_lists_are_bounded() -> None:
    longest = {"field": "plan", "op": "is_any_of", "value": ["x"] * MAX_LIST}
    assert parse(longest, fields=FIELDS, subject=Subject.ACCOUNT)
    assert "rules.value" in errors({**longest, "value": ["x"] * (MAX_LIST + 1)})
    assert "rules.value" in errors({**longest, "value": []})


@pytest.mark.parametrize(
    "data", [{}, [], None, "x", {"all": []}, {"any": [{"all": []}]}, {"not": [PRO]}, {"all": [PRO], "any": [PRO]}]
)
def test_a_rule_without_conditions_is_refused(data: Any) -> None:
    assert errors(data)


EVERYBODY: list[list[dict[str, Any]]] = [
    [{"field": "plan", "op": "set"}, {"field": "plan", "op": "not_set"}],
    [PRO, {"field": "plan", "op": "is_not", "value": "Pro"}],
    [PRO, {"all": [{"field": "plan", "op": "is_not", "value": "Pro"}]}],
    [{"any": [{"field": "plan", "op": "set"}]}, {"field": "plan", "op": "not_set"}],
    [{"field": "mrr", "op": op, "value": 5} for op in ("less", "equal", "more")] + [{"field": "mrr", "op": "not_set"}],
    [
        {"field": "event:Report Created", "op": "at_least", "value": 3, "days": 30},
        {"field": "event:Report Created", "op": "at_most", "value": 2, "days": 30},
    ],
    [{"field": "indicator:Low adoption", "op": "active"}, {"field": "indicator:Low adoption", "op": "not_active"}],
]


@pytest.mark.parametrize("alternatives", EVERYBODY)
def test_alternatives_that_hold_a_full_family_let_everybody_through(alternatives: list[dict[str, Any]]) -> None:
    assert errors({"any": alternatives})["rules"].startswith("These conditions let everybody through.")
    assert errors({"all": [{"any": [*alternatives, PRO]}]})
    assert parse({"all": [{"any": alternatives}, PRO]}, fields=FIELDS, subject=Subject.ACCOUNT)
    assert parse({"any": alternatives[:-1]}, fields=FIELDS, subject=Subject.ACCOUNT)


def test_opposites_about_different_things_leave_somebody_out() -> None:
    apart = [
        [PRO, {"field": "plan", "op": "is_not", "value": "Basic"}],
        [{"field": "plan", "op": "set"}, {"field": "name", "op": "not_set"}],
        [
            {"field": "event:Report Created", "op": "at_least", "value": 3, "days": 30},
            {"field": "event:Report Created", "op": "at_most", "value": 2, "days": 29},
        ],
    ]
    for alternatives in apart:
        assert parse({"any": alternatives}, fields=FIELDS, subject=Subject.ACCOUNT)


def test_a_playbook_needs_one_of_its_two_trees() -> None:
    account, user = parse_pair(PRO, None, fields=FIELDS)
    assert account
    assert account.subject is Subject.ACCOUNT
    assert user is None
    with pytest.raises(RuleErrors) as refused:
        parse_pair(None, None, fields=FIELDS)
    assert [error.path for error in refused.value.errors] == ["rules"]


def test_errors_of_both_trees_come_together() -> None:
    with pytest.raises(RuleErrors) as refused:
        parse_pair({"all": []}, {"field": "role", "op": "is"}, fields=FIELDS)
    assert [error.path for error in refused.value.errors] == ["rules.account.all", "rules.user.value"]


def test_leaves_come_in_reading_order() -> None:
    second = {"field": "mrr", "op": "more", "value": 1}
    rule = parse(
        {"any": [{"all": [PRO, second]}, {"field": "name", "op": "set"}]}, fields=FIELDS, subject=Subject.ACCOUNT
    )
    assert [leaf.field.key for leaf in leaves(rule)] == ["plan", "mrr", "name"]
    assert isinstance(rule.root, Group)
    assert rule.root.mode is Mode.ANY


def test_relative_dates_are_named_once() -> None:
    asked = [
        ("renewal_on", "within_next_days"),
        ("renewal_on", "in_more_than_days"),
        ("last_seen_at", "more_than_days_ago"),
    ]
    written = [{"field": field, "op": op, "value": 3} for field, op in asked]
    written += [{"field": "trial_end_on", "op": "before", "value": "2026-01-01"}]
    written += [{"field": "event:Report Created", "op": "done_within_days", "value": 3}]
    rule = parse({"all": written}, fields=FIELDS, subject=Subject.ACCOUNT)
    assert [field.key for field in relative_date_fields(rule)] == ["renewal_on", "last_seen_at"]


def test_an_event_nobody_has_sent_is_unknown_and_an_indicator_nobody_raised_is_not() -> None:
    assert "rules.field" in errors({"field": "event:Never Sent", "op": "ever"})
    assert parse({"field": "indicator:New one", "op": "active"}, fields=FIELDS, subject=Subject.ACCOUNT)
    assert "rules.field" in errors({"field": "indicator:", "op": "active"})


def definition(**more: Any) -> SimpleNamespace:
    plain: dict[str, Any] = {
        "scope": "account",
        "key": "x",
        "label": "X",
        "type": "number",
        "slot": None,
        "column": "",
        "choices": [],
    }
    return SimpleNamespace(**(plain | more))


def test_a_trait_that_feeds_a_column_is_that_column() -> None:
    fed = FieldSet.of([definition(key="arr", type="number", column="mrr_cents")]).find(Subject.ACCOUNT, "trait:arr")
    mrr = FieldSet.of([]).find(Subject.ACCOUNT, "mrr")
    assert fed
    assert mrr
    assert (fed.type, fed.source) == (FieldType.CURRENCY, mrr.source)


def test_every_column_a_trait_can_feed_is_known() -> None:
    for column in ("plan", "lifecycle", "mrr_cents", "renewal_on", "trial_end_on", "timezone"):
        assert FieldSet.of([definition(column=column)]).find(Subject.ACCOUNT, "trait:x")


def test_an_unknown_column_or_slot_never_reaches_sql() -> None:
    for wrong in ({"column": "id; drop"}, {"slot": "n01; drop"}, {"slot": "x01"}):
        with pytest.raises(ValueError):
            FieldSet.of([definition(**wrong)])


def test_trait_keys_are_parameters_when_they_live_in_jsonb() -> None:
    field = FieldSet.of([definition(key="it's 100%")]).find(Subject.ACCOUNT, "trait:it's 100%")
    assert field
    assert "it's" not in field.source.sql  # type: ignore[union-attr]
