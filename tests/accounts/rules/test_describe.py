import re
from datetime import UTC, date, datetime
from html import unescape
from typing import Any

import pytest

from accounts.rules.compile import Audience
from accounts.rules.describe import describe, describe_audience, describe_leaf, format_value
from accounts.rules.fields import FieldSet, Subject
from accounts.rules.grammar import Rule, leaves, parse
from accounts.rules.operators import Form, operators_for
from accounts.rules.sources import EventFields, IndicatorFields

from .subjects import definitions

FIELDS = FieldSet.of(definitions(), [EventFields(((4, "Report Created"),)), IndicatorFields()])
PEOPLE = {7: "Ada Lovelace"}


def rule(written: dict[str, Any], subject: Subject = Subject.ACCOUNT) -> Rule:
    return parse(written, fields=FIELDS, subject=subject)


SENTENCES = [
    ({"field": "plan", "op": "is", "value": "Pro"}, "Plan is Pro"),
    ({"field": "plan", "op": "is_any_of", "value": ["Pro", "Team plan", "x"]}, "Plan is any of Pro, “Team plan” or x"),
    ({"field": "mrr", "op": "more", "value": 120_000}, "MRR is more than $1,200"),
    ({"field": "mrr", "op": "between", "value": [-1_250, 1_050_005]}, "MRR is between -$12.50 and $10,500.05"),
    ({"field": "renewal_on", "op": "on", "value": "2026-11-19"}, "Renewal date is on 19 Nov 2026"),
    ({"field": "renewal_on", "op": "within_next_days", "value": 1}, "Renewal date is within the next 1 day"),
    ({"field": "renewal_on", "op": "in_past"}, "Renewal date is in the past"),
    ({"field": "csm", "op": "is", "value": 7}, "CSM is Ada Lovelace"),
    ({"field": "csm", "op": "is", "value": 8}, "CSM is member 8"),
    ({"field": "lifecycle", "op": "is_not", "value": "churned"}, "Lifecycle is not Churned"),
    ({"field": "health", "op": "less", "value": 12.5}, "Health is less than 12.5"),
    ({"field": "user_count", "op": "at_least", "value": 1200}, "Number of users is at least 1,200"),
    ({"field": "trait:list_slot", "op": "contains_all", "value": ["a", "b"]}, "List_slot contains all of a and b"),
    (
        {"field": "event:Report Created", "op": "at_most", "value": 1, "days": 30},
        "“Report Created” was done at most 1 time in the last 30 days",
    ),
    ({"field": "indicator:Low adoption", "op": "not_active"}, "Indicator “Low adoption” is not active"),
]


@pytest.mark.parametrize(("written", "sentence"), SENTENCES)
def test_a_condition_reads_as_a_sentence(written: dict[str, Any], sentence: str) -> None:
    [leaf] = leaves(rule(written))
    assert describe_leaf(leaf, people=PEOPLE) == sentence


PRO = {"field": "plan", "op": "is", "value": "Pro"}
RICH = {"field": "mrr", "op": "more", "value": 100}
SOON = {"field": "renewal_on", "op": "within_next_days", "value": 90}
ADMIN = {"field": "role", "op": "is", "value": "admin"}


def test_groups_within_groups_stand_in_parentheses() -> None:
    written = {"all": [PRO, {"any": [RICH, {"all": [SOON]}]}, {"any": [SOON]}]}
    assert describe(rule(written)) == (
        "Plan is Pro and (MRR is more than $1 or renewal date is within the next 90 days)"
        " and renewal date is within the next 90 days"
    )


def test_an_audience_names_its_users_after_its_account() -> None:
    audience = Audience(rule({"all": [PRO, SOON]}), rule(ADMIN, Subject.USER))
    assert str(describe_audience(audience)) == (
        "Plan is Pro and renewal date is within the next 90 days, and at least one user: role is admin"
    )


def test_alternatives_before_users_are_kept_together() -> None:
    audience = Audience(rule({"any": [PRO, SOON]}), rule(ADMIN, Subject.USER), None)
    assert str(describe_audience(audience)) == (
        "(Plan is Pro or renewal date is within the next 90 days), and at least one user: role is admin"
    )


def test_other_lifecycles_are_said() -> None:
    assert str(describe_audience(Audience(rule(PRO), lifecycles=("churned",)))) == "Account is churned, and plan is Pro"
    assert str(describe_audience(Audience())) == "Account is subscribed or trialing"


def test_in_bold_stand_the_conditions_whatever_somebody_typed_into_them() -> None:
    both = {"all": [PRO, {"any": [PRO, {"field": "plan", "op": "is", "value": "<i>&"}]}]}

    assert describe_audience(Audience(rule(both))).emphasised == (
        "<b>Plan is Pro</b> and (<b>plan is Pro</b> or <b>plan is “&lt;i&gt;&amp;”</b>)"
    )
    assert describe_audience(Audience(rule(PRO), lifecycles=("churned",))).emphasised == (
        "Account is churned, and <b>plan is Pro</b>"
    )


def test_the_sentence_in_bold_says_the_same_as_the_plain_one() -> None:
    either = {"any": [PRO, {"all": [PRO, {"field": "plan", "op": "is", "value": "<i>&"}]}]}
    for audience in (
        Audience(rule(either)),
        Audience(rule(either), rule(ADMIN, Subject.USER), None),
        Audience(rule(PRO), lifecycles=("churned",)),
        Audience(),
    ):
        sentence = describe_audience(audience)

        assert unescape(re.sub("</?b>", "", sentence.emphasised)) == str(sentence)
        assert str(sentence).lstrip("(")[0].isupper()


def test_every_operator_has_words_for_every_value_it_takes() -> None:
    for field in FIELDS.all(Subject.ACCOUNT):
        for operator in operators_for(field.type).values():
            slots = {Form.NONE: 0, Form.ONE: 1, Form.TWO: 2, Form.MANY: 1, Form.DAYS: 1, Form.COUNT_IN_DAYS: 2}
            assert all(f"{{{at}}}" in operator.words for at in range(slots[operator.form])), operator.key


def test_values_read_as_people_write_them() -> None:
    found = {field.key: field for field in FIELDS.all(Subject.ACCOUNT)}
    shown = [
        ("plan", None, "not set"),
        ("plan", "", "not set"),
        ("mrr", 0, "$0"),
        ("health", float("nan"), "nan"),
        ("health", 1e15, "1,000,000,000,000,000"),
        ("renewal_on", date(2024, 2, 29), "29 Feb 2024"),
        ("created_at", datetime(2024, 2, 29, 7, 5, tzinfo=UTC), "29 Feb 2024, 07:05"),
        ("trait:boolean_slot", True, "yes"),
        ("trait:boolean_slot", False, "no"),
        ("trait:list_slot", ["a", "b"], "a, b"),
        ("csm", 7, "Ada Lovelace"),
        ("event:Report Created", 3, "3 times"),
    ]
    for key, value, text in shown:
        assert format_value(value, found[key], people=PEOPLE) == text
