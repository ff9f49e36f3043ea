"""`trait[stage]=Renewal,Expansion` in the address of a list: read as a rule, so it means what a condition means."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from accounts.fields import workspace_fields
from accounts.rules.fields import Field, FieldType, Subject
from accounts.rules.grammar import Rule, RuleErrors, parse
from cs_platform.rest.filters import DeepParameter
from cs_platform.rest.problems import PARAMETER, Fault, Invalid

TRAITS = DeepParameter(
    "trait",
    "By the key of a trait: `trait[stage]=Renewal`. Several values, separated by commas, find what holds any of them;"
    " no value finds where the trait is not set. Amounts in cents, days YYYY-MM-DD, members by id.",
)
_WHOLE = re.compile(r"-?[0-9]{1,15}")
_NUMBER = re.compile(rf"{_WHOLE.pattern}(\.[0-9]{{1,15}})?")


def trait_rule(query: Mapping[str, str], subject: Subject) -> Rule | None:
    """All of what is asked must hold. Raises Invalid."""
    asked = TRAITS.found_in(query)
    if not asked:
        return None
    fields = workspace_fields()
    faults: list[Fault] = []
    conditions = []
    for key, text in asked.items():
        field = fields.find(subject, f"trait:{key}")
        condition = _condition(field, text) if field else None
        try:
            parse(condition, fields=fields, subject=subject, path="")
        except RuleErrors as errors:
            words = errors.errors[0].message if field else "There is no such trait."
            faults.append(Fault(f"{PARAMETER}{TRAITS.name}[{key}]", words))
        conditions.append(condition)
    if faults:
        raise Invalid(faults=faults)
    return parse({"all": conditions}, fields=fields, subject=subject, path="")


def _condition(field: Field, text: str) -> dict[str, Any]:
    """As JSON, for the grammar to judge."""
    if not text:
        return {"field": field.key, "op": "not_set"}
    return {"any": [{"field": field.key, **part} for part in _parts(field.type, text.split(","))]}


def _parts(type: FieldType, values: list[str]) -> Iterator[dict[str, Any]]:
    match type:
        case FieldType.LIST:
            yield {"op": "contains_any", "value": values}
        case FieldType.PERSON:
            yield {"op": "is_any_of", "value": [_number(value) for value in values]}
        case FieldType.NUMBER | FieldType.CURRENCY:
            yield from ({"op": "equal", "value": _number(value)} for value in values)
        case FieldType.BOOLEAN:
            yield from ({"op": {"true": "is_true", "false": "is_false"}.get(value, value)} for value in values)
        case FieldType.DATE | FieldType.MOMENT:
            yield from ({"op": "on", "value": value} for value in values)
        case _:
            yield {"op": "is_any_of", "value": values}


def _number(text: str) -> int | float | str:
    if _WHOLE.fullmatch(text):
        return int(text)
    return float(text) if _NUMBER.fullmatch(text) else text
