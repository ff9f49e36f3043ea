"""Forms of the cockpit and of a CTA's drawer."""

from collections.abc import Iterable
from datetime import date
from typing import Any

from django import forms
from django.db.models import Q

from accounts.models import Account
from cs_platform.tenancy.models import Membership
from cs_platform.workspace import comments
from ctas.models import CLOSED, EDITABLE, Cta

DAY = forms.DateInput(attrs={"type": "date"})
BY_HAND = [choice for choice in Cta.Type.choices if choice[0] != Cta.Type.OBJECTIVE]
SUGGESTED = 20


def suggested_accounts(text: str) -> list[Account]:
    """The first few whose name begins with what somebody has typed so far."""
    named = Account.objects.present().filter(name__istartswith=text) if text else Account.objects.none()
    return list(named.only("tenant_id", "name", "external_id").order_by("name", "pk")[:SUGGESTED])


class AccountField(forms.CharField):
    """An account as somebody types it: by its name, or by its external id where names repeat."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=500, **kwargs)

    def clean(self, value: Any) -> Any:
        text = super().clean(value)
        found = list(Account.objects.present().filter(Q(name=text) | Q(external_id=text)).order_by("pk")[:2])
        if not found:
            raise forms.ValidationError("No account has this name. Begin typing and pick one of the list.")
        exact = [account for account in found if account.external_id == text]
        if len(found) > 1 and not exact:
            raise forms.ValidationError("Several accounts have this name. Enter the external id of the one you mean.")
        return exact[0] if exact else found[0]


class OwnerField(forms.ModelChoiceField):
    def __init__(self, **kwargs: Any) -> None:
        super().__init__(queryset=None, empty_label="Nobody", required=False, **kwargs)


def active_members(tenant_id: int) -> Any:
    return Membership.objects.in_tenant(tenant_id).active().order_by("name", "pk")


class NewCtaForm(forms.Form):
    name = forms.CharField(max_length=500, label="What needs doing")
    account = AccountField(label="Account")
    type = forms.ChoiceField(choices=BY_HAND, initial=Cta.Type.ACTIVITY)
    due_on = forms.DateField(required=False, widget=DAY, label="Due")
    priority = forms.ChoiceField(choices=Cta.Priority.choices, initial=Cta.Priority.MEDIUM)
    owner = OwnerField()
    reason = forms.CharField(required=False, max_length=100)
    comment = forms.CharField(required=False, max_length=10_000, widget=forms.Textarea(attrs={"rows": 2}))
    another = forms.BooleanField(required=False, label="Create another")

    def __init__(self, *args: Any, member: Membership, today: date, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.today = today
        self.fields["owner"].queryset = active_members(member.tenant_id)  # type: ignore[attr-defined]
        self.initial.setdefault("owner", member.pk)

    def clean_due_on(self) -> date | None:
        due_on: date | None = self.cleaned_data["due_on"]
        if due_on and due_on < self.today:
            raise forms.ValidationError("Pick today or later.")
        return due_on


class EditCtaForm(forms.Form):
    """Any of a CTA's fields, one at a time or several: what is not sent stays as it is."""

    name = forms.CharField(max_length=500)
    type = forms.ChoiceField(choices=Cta.Type.choices)
    reason = forms.CharField(required=False, max_length=100)
    priority = forms.ChoiceField(choices=Cta.Priority.choices)
    owner = OwnerField()
    due_on = forms.DateField(required=False, widget=DAY)
    comment = forms.CharField(required=False, max_length=10_000)

    def __init__(self, data: Any, *, tenant_id: int) -> None:
        super().__init__(data)
        for name in EDITABLE - set(data):
            del self.fields[name]
        if "owner" in self.fields:
            self.fields["owner"].queryset = active_members(tenant_id)  # type: ignore[attr-defined]


class SnoozeForm(forms.Form):
    until = forms.DateField(widget=DAY, label="Until")
    reason = forms.CharField(required=False, max_length=200, help_text="Why it can wait. Your team sees it.")

    def __init__(self, *args: Any, today: date, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.today = today

    def clean_until(self) -> date:
        until: date = self.cleaned_data["until"]
        if until <= self.today:
            raise forms.ValidationError("Pick a day after today.")
        return until


class CloseForm(forms.Form):
    status = forms.ChoiceField(
        choices=[choice for choice in Cta.Status.choices if choice[0] in CLOSED],
        initial=Cta.Status.WON,
        widget=forms.RadioSelect,
        label="How did it end?",
    )
    cancel_tasks = forms.BooleanField(required=False, initial=True)


class TaskForm(forms.Form):
    title = forms.CharField(max_length=500, label="Task")
    due_on = forms.DateField(required=False, widget=DAY, label="Due")
    owner = OwnerField()

    def __init__(self, *args: Any, tenant_id: int, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["owner"].queryset = active_members(tenant_id)  # type: ignore[attr-defined]


class CommentForm(forms.Form):
    body = forms.CharField(max_length=comments.MAX_LENGTH, label="Comment", widget=forms.Textarea(attrs={"rows": 2}))


def first_errors(form: forms.Form) -> Iterable[str]:
    """One sentence for a field that was edited in place."""
    return (str(error) for errors in form.errors.values() for error in errors)
