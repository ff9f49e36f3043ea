"""docs/rules.md says everything the tables hold."""

import re
from pathlib import Path

import pytest

from accounts.rules import grammar
from accounts.rules.fields import BUILT_IN, Field, FieldType, Subject
from accounts.rules.operators import FAMILIES, OPERATORS, Family, Operator

DOCS = (Path(__file__).parents[3] / "docs" / "rules.md").read_text()


def section(heading: str, text: str = DOCS) -> str:
    """The text below a heading, up to the next one of its level or above."""
    level = heading.split(" ")[0]
    start = text.index(f"\n{heading}")
    rest = text[start + len(heading) + 1 :]
    end = re.search(rf"\n#{{1,{len(level)}}} ", rest)
    return rest[: end.start()] if end else rest


def of_type(type: FieldType) -> str:
    """The operator section whose heading names the type."""
    operators = section("## Operators")
    [heading] = re.findall(rf"\n(### .*`{type.value}`.*)", operators)
    return section(heading, operators)


def spoken(operator: Operator) -> str:
    """The words as the tables of the page write them: N, M and D for the values."""
    days = operator.form.value == "days"
    second = "D days" if operator.form.value == "count_in_days" else "M"
    first = "N days" if days else "N times" if operator.form.value == "count_in_days" else "N"
    return operator.words.format(first, second)


@pytest.mark.parametrize("operator", OPERATORS, ids=lambda operator: f"{operator.key}-{operator.family}")
def test_every_operator_is_documented_for_each_of_its_types(operator: Operator) -> None:
    for type in operator.types:
        assert f"`{operator.key}`" in of_type(type), (operator.key, type)


@pytest.mark.parametrize("operator", OPERATORS, ids=lambda operator: f"{operator.key}-{operator.family}")
def test_every_operator_is_documented_with_its_words(operator: Operator) -> None:
    assert f"| `{operator.key}` | {spoken(operator)} |" in section("## Operators")


@pytest.mark.parametrize("field", BUILT_IN, ids=lambda field: f"{field.subject.value}-{field.key}")
def test_every_built_in_field_is_documented(field: Field) -> None:
    table = section("### Accounts" if field.subject is Subject.ACCOUNT else "### Users")
    [row] = re.findall(rf"\n\| `{field.key}` \| (.*) \|", table)
    assert row.startswith(field.label)
    assert f"| {field.type.value}" in row


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.key)
def test_every_family_is_documented(family: Family) -> None:
    [row] = re.findall(rf"\n\| `{family.key}` \| (.*) \|", section("## Families"))
    assert re.findall(r"`(\w+)`", row) == [member.operator for member in family.members]


def test_the_limits_are_the_grammars() -> None:
    limits = section("## Limits")
    counts = (
        grammar.MAX_DEPTH,
        grammar.MAX_NODES,
        grammar.MAX_LIST,
        grammar.MAX_TEXT,
        grammar.MAX_DAYS,
        grammar.MAX_TIMES,
    )
    assert all(f"{count:,} |" in limits for count in counts)
    assert f"{grammar.FIRST_DAY} to {grammar.LAST_DAY}" in limits
    assert grammar.MAX_NUMBER == 10**15
