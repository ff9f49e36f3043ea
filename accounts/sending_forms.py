"""Forms of the settings about sending, and about what the team can take on."""

from typing import Any

from django import forms

from cs_platform.connectors.smtp import is_address

HOURS = [(hour, f"{hour:02}:00") for hour in range(25)]


class PolicyForm(forms.Form):
    opens_at = forms.TypedChoiceField(label="From", choices=HOURS[:-1], coerce=int)
    closes_at = forms.TypedChoiceField(label="Until", choices=HOURS[1:], coerce=int)
    weekdays_only = forms.BooleanField(
        label="Only on working days", required=False, help_text="Monday to Friday, without your holidays."
    )
    mails_an_hour = forms.IntegerField(label="Messages an hour from one mailbox", min_value=1, max_value=10_000)
    hours_between = forms.IntegerField(
        label="Hours between two messages to one person",
        min_value=0,
        max_value=720,
        help_text="Whichever playbooks they come from.",
    )

    def clean(self) -> dict[str, Any]:
        opens, closes = self.cleaned_data.get("opens_at"), self.cleaned_data.get("closes_at")
        if opens is not None and closes is not None and opens >= closes:
            self.add_error("closes_at", "Choose an hour after the first.")
        return self.cleaned_data


class SuppressForm(forms.Form):
    email = forms.CharField(label="Address", max_length=320)

    def clean_email(self) -> str:
        email = str(self.cleaned_data["email"]).strip().lower()
        if not is_address(email):
            raise forms.ValidationError("Enter an email address.")
        return email


class WorkloadForm(forms.Form):
    capacity = forms.IntegerField(required=False, min_value=0, max_value=100_000)
    away_until = forms.DateField(required=False, widget=forms.DateInput(attrs={"type": "date"}))
