"""Each operator alone, on every field, over data with missing, null and odd values."""

import itertools
from typing import Any

import pytest

from accounts.rules.compile import predicate
from accounts.rules.fields import Field, FieldType, Subject
from accounts.rules.grammar import Leaf, Rule, dump
from accounts.rules.operators import FAMILIES, OPERATORS, Family, Form, Operator, Values, families_for, operators_for
from accounts.rules.sql import Sql, compose
from cs_platform.tenancy.context import tenant_context

from .conftest import Run
from .reference import satisfies
from .subjects import CLOCK, DAY, TODAY, Builder, Workspace

TRAIT_AND_EVENT_TYPES = [type for type in FieldType if type is not FieldType.STATE]
SAMPLES: dict[FieldType, list[Values]] = {
    FieldType.TEXT: [("Pro",), ("pro",), ("%",), ("_",), ("\\",), (" ",), ("İ",), ("ß",), ("x" * 900,)],
    FieldType.URL: [("https://example.org/",), ("HTTPS",), ("1%20",)],
    FieldType.CHOICE: [("red",), ("Red",)],
    FieldType.NUMBER: [(0,), (1,), (2.5,), (-0.5,), (10**15,)],
    FieldType.CURRENCY: [(0,), (250,), (-1,), (10**15,)],
    FieldType.PERSON: [(1,), (2**62,)],
    FieldType.DATE: [(TODAY,), (TODAY.replace(day=7),), (TODAY.replace(year=2024, month=2, day=29),)],
    FieldType.MOMENT: [(TODAY,), (TODAY.replace(day=5),), (TODAY.replace(day=7),)],
    FieldType.LIST: [("a",), ("b",), ("c",), ("%",)],
    FieldType.BOOLEAN: [()],
    FieldType.INDICATOR: [()],
    FieldType.SEGMENT: [()],
    FieldType.EVENT: [()],
    FieldType.STATE: [("active",)],
}
DAYS: list[Values] = [(0,), (1,), (2,), (3,), (30,), (36_500,)]
COUNTS: list[Values] = [(1, 0), (2, 3), (3, 30), (50, 30), (51, 36_500)]


def samples(field: Field, form: Form) -> list[Values]:
    singles = [(value,) for value, _name in field.choices] if field.type is FieldType.LIST and field.choices else []
    singles = singles or SAMPLES[field.type]
    match form:
        case Form.NONE:
            return [()]
        case Form.ONE:
            return singles
        case Form.TWO:
            return [(low[0], high[0]) for low, high in itertools.product(singles, singles) if low[0] <= high[0]]
        case Form.MANY:
            return [*singles, tuple(value for (value,) in singles[:3])]
        case Form.DAYS:
            return DAYS
        case Form.COUNT_IN_DAYS:
            return COUNTS


@pytest.fixture
def made(db: None) -> Workspace:
    return Builder(seed=11).workspace("acme", accounts=60, users=80)


def fields_of(made: Workspace) -> list[Field]:
    return [*made.fields.all(Subject.ACCOUNT), *made.fields.all(Subject.USER)]


def verdicts(run: Run, made: Workspace, leaves: list[Leaf]) -> list[dict[Any, bool]]:
    """Per leaf (all of one subject), what SQL says of every subject."""
    rules = [predicate(Rule(leaf.field.subject, leaf), tenant_id=made.tenant_id, clock=CLOCK) for leaf in leaves]
    columns = Sql.join(", ", [compose("({p}) IS TRUE", p=rule) for rule in rules])
    if leaves[0].field.subject is Subject.ACCOUNT:
        source, key = "accounts_account a", "a.id, 0"
    else:
        source = "accounts_accountuser au JOIN accounts_enduser u ON u.id = au.end_user_id"
        key = "au.account_id, au.end_user_id"
    rows = run(compose(f"SELECT {key}, {{columns}} FROM {source}", columns=columns))
    return [{row[:2]: row[2 + at] for row in rows} for at in range(len(leaves))]


def leaf(field: Field, operator: Operator, values: Values) -> Leaf:
    return Leaf(field, operator, values)


def test_every_condition_says_what_the_reference_says(run: Run, made: Workspace) -> None:
    with tenant_context(made.tenant_id):
        for field in fields_of(made):
            leaves = [
                leaf(field, operator, values)
                for operator in operators_for(field.type).values()
                for values in samples(field, operator.form)
            ]
            for asked, said in zip(leaves, verdicts(run, made, leaves), strict=True):
                assert said == meant(made, asked), dump(asked)


def meant(made: Workspace, asked: Leaf) -> dict[Any, bool]:
    written = dump(asked)
    if asked.field.subject is Subject.ACCOUNT:
        return {(id, 0): satisfies(written, facts, DAY) for id, facts in made.accounts.items()}
    return {tie: satisfies(written, facts, DAY) for tie, facts in made.ties.items()}


def family_leaves(field: Field, family: Family) -> list[list[Leaf]]:
    """The family's members once per sample value, each with the form it takes."""
    offered = operators_for(field.type)
    form = next(
        (offered[member.operator].form for member in family.members if offered[member.operator].form is not Form.NONE),
        Form.NONE,
    )
    return [
        [_member_leaf(field, offered[member.operator], values, member.shift) for member in family.members]
        for values in samples(field, form)
    ]


def _member_leaf(field: Field, operator: Operator, values: Values, shift: int) -> Leaf:
    if operator.form is Form.NONE:
        return leaf(field, operator, ())
    return leaf(field, operator, (values[0] + shift, *values[1:]) if shift else values)


def test_every_family_divides_its_subjects(run: Run, made: Workspace) -> None:
    with tenant_context(made.tenant_id):
        for field in fields_of(made):
            for family in families_for(field.type):
                for members in family_leaves(field, family):
                    parts = verdicts(run, made, members)
                    shares = {subject: sum(part[subject] for part in parts) for subject in parts[0]}
                    assert set(shares.values()) == {1}, (field.key, family.key, members[0].values)


def test_numbers_beyond_numbers_are_divided_too(run: Run, made: Workspace) -> None:
    field = made.fields.find(Subject.ACCOUNT, "trait:number_slot")
    assert field
    with tenant_context(made.tenant_id):
        odd = list(made.accounts)[:3]
        for account_id, value in zip(odd, ["NaN", "Infinity", "-Infinity"], strict=True):
            run(Sql("UPDATE accounts_account SET n01 = %s::float8 WHERE id = %s RETURNING id", (value, account_id)))
        for family in families_for(FieldType.NUMBER):
            for members in family_leaves(field, family):
                parts = verdicts(run, made, members)
                assert {sum(part[subject] for part in parts) for subject in parts[0]} == {1}


def test_every_operator_belongs_to_a_family_for_each_of_its_types() -> None:
    for operator in OPERATORS:
        for type in operator.types:
            members = {member.operator for family in families_for(type) for member in family.members}
            assert operator.key in members, (operator.key, type)


def test_every_operator_names_a_family_it_is_a_member_of() -> None:
    by_key = {family.key: family for family in FAMILIES}
    for operator in OPERATORS:
        family = by_key[operator.family]
        assert operator.types <= family.types
        assert operator.key in {member.operator for member in family.members}


def test_every_family_offers_its_members_for_all_its_types() -> None:
    for family in FAMILIES:
        for type in family.types:
            assert {member.operator for member in family.members} <= operators_for(type).keys(), (family.key, type)


def test_an_operator_is_one_row_per_type() -> None:
    rows = [(operator.key, type) for operator in OPERATORS for type in operator.types]
    assert len(rows) == len(set(rows))


@pytest.mark.parametrize("type", TRAIT_AND_EVENT_TYPES)
def test_samples_stand_for_every_type(type: FieldType) -> None:
    assert SAMPLES[type]
