"""An upper layer adds fields with facts of its own; predicate, one pass, sentence and explanation know them at once."""

from collections.abc import Iterable, Iterator
from typing import Any

import pytest

from accounts.rules import compile
from accounts.rules.aggregates import Aggregate
from accounts.rules.explain import account_statement, read_account
from accounts.rules.fields import Field, FieldSet, FieldType, Subject
from accounts.rules.grammar import RuleErrors
from cs_platform.tenancy.context import tenant_context

from .cast import CLOCK, Cast, tenant_of
from .conftest import Run


def per_account(table: str, value: str, *, missing: Any = None) -> Aggregate:
    rows = f"SELECT t.account_id, {value} FROM {table} t WHERE t.tenant_id = {{tenant}} GROUP BY 1"
    return Aggregate(rows, Subject.ACCOUNT, missing=missing)


STATES = (("active", "Active"), ("ended", "Ended"), ("never", "Never raised"))
COUNT = per_account("accounts_accountuser", "count(*)")
COUNT_OR_NONE = per_account("accounts_accountuser", "count(*)", missing=0)
LAST = per_account("accounts_indicator", "max(t.state)", missing="never")
TIES = Field("ties", "Ties", FieldType.NUMBER, Subject.ACCOUNT, COUNT)
ALL_TIES = Field("all_ties", "All ties", FieldType.NUMBER, Subject.ACCOUNT, COUNT_OR_NONE)
RISK = Field("risk", "Last risk", FieldType.STATE, Subject.ACCOUNT, LAST, STATES)
FIELDS = (TIES, ALL_TIES, RISK)


class Upper:
    def fields(self, subject: Subject) -> Iterable[Field]:
        return (field for field in FIELDS if field.subject is subject)

    def find(self, subject: Subject, key: str) -> Field | None:
        return next((field for field in self.fields(subject) if field.key == key), None)


@pytest.fixture
def cast(db: None) -> Iterator[Cast]:
    tenant = tenant_of()
    with tenant_context(tenant.pk):
        made = Cast.assemble()
        made.fields = FieldSet.of([], [Upper()])
        two, none = made.account("two"), made.account("none")
        made.user("Ada", two)
        made.user("Bob", two)
        made.risk(two, "Low adoption")
        assert none
        yield made


CASES: list[tuple[dict[str, Any], set[str]]] = [
    ({"field": "ties", "op": "more", "value": 1}, {"two"}),
    ({"field": "ties", "op": "less", "value": 5}, {"two"}),
    ({"field": "ties", "op": "not_equal", "value": 2}, {"none"}),
    ({"field": "ties", "op": "set"}, {"two"}),
    ({"field": "ties", "op": "not_set"}, {"none"}),
    ({"field": "risk", "op": "is", "value": "active"}, {"two"}),
    ({"field": "risk", "op": "is_not", "value": "active"}, {"none"}),
    ({"field": "risk", "op": "is_any_of", "value": ["active", "ended"]}, {"two"}),
    ({"field": "risk", "op": "is", "value": "never"}, {"none"}),
    ({"field": "all_ties", "op": "less", "value": 1}, {"none"}),
    ({"field": "all_ties", "op": "at_most", "value": 2}, {"none", "two"}),
    ({"field": "all_ties", "op": "not_set"}, set()),
]


@pytest.mark.parametrize(("written", "matching"), CASES)
def test_a_field_of_an_upper_layer_works_like_any_other(
    run: Run, cast: Cast, written: dict[str, Any], matching: set[str]
) -> None:
    audience = cast.audience(written)
    plain = {cast.names[id] for (id,) in run(compile.matching_accounts(audience, **cast.where))}
    masked = {cast.names[id] for id, _ in run(compile.one_pass_accounts([audience], **cast.where))}
    assert plain == masked == matching


def test_its_value_is_shown(run: Run, cast: Cast) -> None:
    audience = cast.audience({"any": [CASES[0][0], CASES[5][0]]}, lifecycles=None)
    shown = {}
    for account_id, name in cast.names.items():
        [row] = run(account_statement(audience, account_id=account_id, **cast.where))
        [tree] = read_account(audience, row, clock=CLOCK).children
        shown[name] = [(line.sentence, line.value) for line in tree.children]
    assert shown == {
        "two": [("Ties is more than 1", "2"), ("Last risk is Active", "Active")],
        "none": [("Ties is more than 1", "not set"), ("Last risk is Active", "Never raised")],
    }


def test_its_choices_are_held_to(cast: Cast) -> None:
    with pytest.raises(RuleErrors, match="Choose one of: active, ended, never"):
        cast.audience({"field": "risk", "op": "is", "value": "lost"})
