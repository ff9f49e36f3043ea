"""A trait's value as a page shows it, whether it was read from a slot or from the document."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from accounts.models import TraitDefinition
from accounts.models.traits import TraitType


@dataclass(frozen=True, slots=True)
class TraitValue:
    kind: str  # a TraitType
    value: Any


def presented(definition: TraitDefinition, value: Any, *, people: Mapping[int, str]) -> TraitValue | None:
    """None where nothing is set. Dates of the document become dates, members' ids their names."""
    if value is None or value == []:
        return None
    if definition.type == TraitType.PERSON:
        return TraitValue(TraitType.TEXT, people.get(value, f"member {value}"))
    if definition.type == TraitType.DATE and isinstance(value, str):
        return TraitValue(TraitType.DATE, date.fromisoformat(value))
    if definition.type == TraitType.MOMENT and isinstance(value, str):
        return TraitValue(TraitType.MOMENT, datetime.fromisoformat(value))
    return TraitValue(definition.type, _plain(value))


def _plain(value: Any) -> Any:
    """A slot keeps whole numbers as 12.0; nobody wants to read that. Lists become what can be compared and kept."""
    if isinstance(value, list):
        return tuple(value)
    return int(value) if isinstance(value, float) and value.is_integer() else value
