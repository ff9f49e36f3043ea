"""Forms of the settings of traits."""

from typing import Any

from django import forms
from django.core.validators import RegexValidator

from accounts.models import TraitDefinition
from accounts.models.traits import TraitType
from accounts.trait_settings import DESCRIPTION_LIMIT, LABEL_LIMIT
from accounts.traits import choice_values

CHOICE_LENGTH = 200
KEY = RegexValidator(r"^[A-Za-z][A-Za-z0-9_]{0,99}$", "Use letters, digits and underscores, beginning with a letter.")


class ChoicesField(forms.CharField):
    """One a line."""

    widget = forms.Textarea(attrs={"rows": 4})

    def clean(self, value: Any) -> Any:
        lines = [line.strip() for line in super().clean(value).splitlines()]
        choices = [line for line in lines if line]
        if any(len(choice) > CHOICE_LENGTH for choice in choices):
            raise forms.ValidationError(f"A choice has at most {CHOICE_LENGTH} characters.")
        return choices


class NewTraitForm(forms.Form):
    scope = forms.ChoiceField(label="Of", choices=TraitDefinition.Scope.choices)
    label = forms.CharField(label="Name", max_length=LABEL_LIMIT)
    key = forms.CharField(
        max_length=100, validators=[KEY], help_text="How the API and message variables call it, for ever."
    )
    type = forms.ChoiceField(choices=TraitType.choices)
    choices = ChoicesField(required=False, help_text="For a single choice: one a line.")


class TraitForm(forms.Form):
    label = forms.CharField(label="Name", max_length=LABEL_LIMIT)
    description = forms.CharField(
        required=False,
        max_length=DESCRIPTION_LIMIT,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text="What it means, for whoever edits it.",
    )
    choices = ChoicesField(required=False, help_text="One a line. Values that are no choice any more stay.")

    def __init__(self, *args: Any, definition: TraitDefinition, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.initial = {
            "label": definition.label,
            "description": definition.description,
            "choices": "\n".join(choice_values(definition)),
        }
        if definition.type != TraitType.CHOICE:
            del self.fields["choices"]

    def clean(self) -> dict[str, Any]:
        return {"choices": []} | self.cleaned_data
