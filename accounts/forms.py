"""Forms of the account page and of data sources."""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any

from django import forms

from accounts.models import Account, TraitDefinition
from accounts.models.traits import TraitType
from accounts.traits import TraitValueError, choice_values, typed_value
from cs_platform.tenancy.models import Membership

YES_OR_NO = (("", "Not set"), ("true", "Yes"), ("false", "No"))


class TraitsForm(forms.Form):
    """The custom traits of one account: everybody types text, accounts.traits decides what it means."""

    def __init__(
        self,
        *args: Any,
        account: Account,
        definitions: Sequence[TraitDefinition],
        members: Iterable[Membership],
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.definitions = {f"trait-{one.pk}": one for one in definitions}
        people = [(str(member.pk), member.name) for member in members]
        for name, definition in self.definitions.items():
            self.fields[name] = _field(definition, people)
            self.initial[name] = typed_text(definition, account.traits.get(definition.key))

    def clean(self) -> dict[str, Any]:
        for name, definition in self.definitions.items():
            try:
                typed_value(definition, self.cleaned_data.get(name))
            except TraitValueError as refusal:
                self.add_error(name, str(refusal))
        return self.cleaned_data

    def changes(self) -> list[tuple[TraitDefinition, str]]:
        """Only what the person changed: saving must not sign for values that were just there."""
        return [(self.definitions[name], self.cleaned_data[name]) for name in self.changed_data]


def _field(definition: TraitDefinition, people: list[tuple[str, str]]) -> forms.Field:
    common: dict[str, Any] = {"label": definition.label, "required": False}
    unset = ("", "Not set")
    match definition.type:
        case TraitType.BOOLEAN:
            return forms.ChoiceField(choices=YES_OR_NO, **common)
        case TraitType.PERSON:
            return forms.ChoiceField(choices=[unset, *people], **common)
        case TraitType.CHOICE if definition.choices:
            return forms.ChoiceField(choices=[unset, *((one, one) for one in choice_values(definition))], **common)
        case TraitType.DATE:
            return forms.CharField(widget=forms.DateInput(attrs={"type": "date"}), **common)
        case TraitType.LIST:
            return forms.CharField(help_text="Separate with commas.", **common)
    return forms.CharField(max_length=10_000, **common)


def typed_text(definition: TraitDefinition, value: Any) -> str:
    """A stored value as a person would type it."""
    if value is None:
        return ""
    if definition.type == TraitType.CURRENCY:
        return f"{Decimal(value) / 100:.2f}".removesuffix(".00")
    if isinstance(value, bool):
        return "true" if value else "false"
    return ", ".join(value) if isinstance(value, list) else str(value)


class SourceForm(forms.Form):
    name = forms.CharField(max_length=100, help_text="Where the calls come from: the web app, the backend, billing.")
