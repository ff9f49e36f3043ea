"""The form of the survey's settings."""

from datetime import datetime
from typing import Any

from django import forms

from accounts.models import NpsSurvey
from accounts.nps import survey as settings
from cs_platform.tenancy.models import Doer

WORDS_LIMIT = 200


class NpsSurveyForm(forms.Form):
    is_on = forms.BooleanField(label="Show the survey", required=False)
    question = forms.CharField(max_length=WORDS_LIMIT)
    follow_up = forms.CharField(
        label="Question after the score", max_length=WORDS_LIMIT, help_text="The answer to it is optional."
    )
    thanks = forms.CharField(label="Thanks", max_length=WORDS_LIMIT)
    accent = forms.CharField(label="Colour", max_length=7, widget=forms.TextInput(attrs={"type": "color"}))
    position = forms.ChoiceField(choices=settings.POSITIONS)
    appearance = forms.ChoiceField(choices=settings.APPEARANCES)
    origins = forms.CharField(
        label="Pages that may show it",
        required=False,
        max_length=10_000,
        widget=forms.Textarea(attrs={"rows": 3, "spellcheck": "false", "placeholder": "https://app.example.com"}),
        help_text="One origin a line, without path. From other pages nothing is shown and nothing is taken.",
    )
    min_user_age_days = forms.IntegerField(
        label="Days before a user is asked",
        min_value=0,
        max_value=settings.MAX_AGE_DAYS,
        help_text="Counted from the day the user was created, or first seen.",
    )
    months_between = forms.IntegerField(
        label="Months between two surveys",
        min_value=1,
        max_value=settings.MAX_MONTHS,
        help_text="After an answer, and after it was closed without one.",
    )
    max_showings = forms.IntegerField(
        label="Days it may appear on",
        min_value=1,
        max_value=settings.MAX_SHOWINGS,
        help_text="Without an answer, within the same number of months.",
    )
    requires_playbook = forms.BooleanField(label="Only ask users whom a playbook has made eligible", required=False)

    def clean_accent(self) -> str:
        try:
            return settings.checked_accent(self.cleaned_data["accent"])
        except settings.CannotUse as refusal:
            raise forms.ValidationError(str(refusal)) from None

    def clean_origins(self) -> list[str]:
        try:
            return settings.checked_origins(self.cleaned_data["origins"].splitlines())
        except settings.CannotUse as refusal:
            raise forms.ValidationError(str(refusal)) from None

    def clean(self) -> dict[str, Any]:
        try:
            refuse = settings.refuse_without_origins
            if "origins" in self.cleaned_data:
                refuse(is_on=self.cleaned_data.get("is_on", False), origins=self.cleaned_data["origins"])
        except settings.CannotUse as refusal:
            self.add_error("origins", str(refusal))
        return self.cleaned_data

    def save(self, *, by: Doer, now: datetime) -> NpsSurvey:
        changes = dict(self.cleaned_data)
        theme = {name: changes.pop(name) for name in settings.THEME}
        return settings.change_survey(**changes, theme=theme, by=by, now=now)


def initial_of(survey: NpsSurvey) -> dict[str, Any]:
    plain = {name: getattr(survey, name) for name in NpsSurveyForm.base_fields if name not in settings.THEME}
    return plain | settings.complete_theme(survey.theme) | {"origins": "\n".join(survey.origins)}
