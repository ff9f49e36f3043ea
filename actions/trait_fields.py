"""Fields of a form that writes a trait: which one, what value, and what each value of another one becomes.

What is typed is text; accounts.traits decides what it means. A stored value is shown as a person would type it.
"""

from collections.abc import Mapping
from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from accounts.forms import YES_OR_NO, typed_text
from accounts.models import TraitDefinition
from accounts.models.traits import TraitType
from accounts.rules.fields import FieldType
from accounts.traits import choice_values
from actions.variables import Variable
from actions.widgets import RowsWidget, Team, Templated

MAPPING_LIMIT = 200
Options = list[tuple[str, str]]
# What a mapping can read from: values that have a name people can write down.
NAMEABLE = {FieldType.TEXT, FieldType.CHOICE, FieldType.BOOLEAN, FieldType.NUMBER}


class JsonField(forms.Field):
    """Any JSON value, as it is."""

    def clean(self, value: Any) -> Any:
        return value


class TraitSelect(Templated, forms.Select):
    """`offered` are the traits to choose from. One that is gone stays visible until another is chosen."""

    template_name = "actions/widgets/role.html"
    offered: Mapping[str, TraitDefinition]

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        known = {key: one.label for key, one in self.offered.items()}
        gone = {value: f"{value} (no custom trait)"} if value and value not in known else {}
        self.choices = [("", "Choose a trait"), *known.items(), *gone.items()]
        return super().get_context(name, value or "", attrs)


class SourceSelect(Templated, forms.Select):
    template_name = "actions/widgets/role.html"
    variables: Mapping[str, Variable]

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        known = {key: one.label for key, one in self.variables.items() if one.type in NAMEABLE}
        gone = {value: f"{value} (cannot be read)"} if value and value not in known else {}
        self.choices = [("", "Choose what to read"), *known.items(), *gone.items()]
        return super().get_context(name, value or "", attrs)


class _OfTrait:
    """Something in which a value of the chosen trait is typed; any text while none is chosen."""

    definition: TraitDefinition | None = None
    team: Team

    def control(self, value: Any) -> dict[str, Any]:
        """How one value is shown: a choice where there is one, else a line."""
        typed = value if isinstance(value, str) or self.definition is None else typed_text(self.definition, value)
        options = self._options(str(typed if typed is not None else ""))
        kind = "date" if self.definition and self.definition.type == TraitType.DATE else "text"
        return {"typed": "" if typed is None else str(typed), "options": options, "kind": kind}

    def _options(self, typed: str) -> Options:
        match self.definition.type if self.definition else "":
            case TraitType.BOOLEAN:
                known = list(YES_OR_NO)
            case TraitType.PERSON:
                known = [("", "Not set"), *self.team.people]
            case TraitType.CHOICE if choices := choice_values(self.definition):  # type: ignore[arg-type]
                known = [("", "Not set"), *((one, one) for one in choices)]
            case _:
                return []
        return known if typed in dict(known) else [*known, (typed, f"{typed} (no longer a choice)")]


class TraitValueInput(_OfTrait, Templated, forms.TextInput):
    template_name = "actions/widgets/trait_value.html"

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        return super().get_context(name, None, attrs) | {"name": name, "control": self.control(value)}


class MappingWidget(_OfTrait, RowsWidget):
    """A row for each value that is read: `mapping-0-when`, `mapping-0-becomes`."""

    template_name = "actions/widgets/mapping.html"
    columns = ("when", "becomes")
    limit = MAPPING_LIMIT
    source: Variable | None = None
    wrong: frozenset[str] = frozenset()  # values whose row has a problem

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        return super().get_context(name, as_rows(value) or [{}], attrs)

    def shown(self, prefix: str, row: Mapping[str, Any]) -> dict[str, Any]:
        when = str(row.get("when") or "")
        becomes = {"name": f"{prefix}-becomes", "control": self.control(row.get("becomes"))}
        return {
            "prefix": prefix,
            "when": when,
            "becomes": becomes,
            "options": self._values(when),
            "is_wrong": when in self.wrong,
        }

    def _values(self, when: str) -> Options:
        """The values of what is read, where they are known."""
        if self.source is None:
            return []
        if self.source.type is FieldType.BOOLEAN:
            return list(YES_OR_NO)
        known = [(value, label) for value, label in self.source.choices]
        if not known:
            return []
        return [("", "Not set"), *known] + ([(when, when)] if when and when not in dict(known) else [])


class MappingField(forms.Field):
    """Stored as rows, each what is read and what that becomes: an object would forget in which order they were written.
    An object is understood, too.
    """

    widget = MappingWidget

    def clean(self, value: Any) -> Any:
        if not isinstance(value, list):
            return as_rows(value)
        found: dict[str, Any] = {}
        for row in value:
            when, becomes = (row.get(name, "") for name in ("when", "becomes")) if isinstance(row, dict) else ("", "")
            when = str(when or "").strip()
            if not when and becomes == "":
                continue
            if when in found:
                raise ValidationError(f"“{when or 'Not set'}” stands there twice.")
            found[when] = becomes
        return as_rows(found) or None


def as_rows(mapping: Any) -> Any:
    if not isinstance(mapping, Mapping):
        return mapping
    return [{"when": when, "becomes": becomes} for when, becomes in mapping.items()]


def what_becomes(mapping: Any) -> dict[str, Any]:
    """By what is read. Versions may still say it as an object."""
    return {row["when"]: row["becomes"] for row in as_rows(mapping)}
