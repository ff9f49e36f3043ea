"""Forms of the cockpit and of a CTA's drawer."""

from collections.abc import Iterable
from datetime import date
from typing import Any

from django import forms
from django.db.models import Q

from accounts.forms import AccountField
from accounts.models import Account, EndUser
from cs_platform.tenancy.models import Membership
from ctas.entry_fields import EntryField
from ctas.lists import (
    CATEGORIES,
    ICONS,
    REQUIRABLE,
    TONES,
    Entry,
    Kind,
    Lists,
    current_lists,
)
from ctas.models import CLOSED, EDITABLE, KEY_LENGTH, TASK_EDITABLE, Cta, Recurrence, Task
from ctas.panels import new_cta_parts
from ctas.recurring import LONGEST
from ctas.working import missing_to_close, missing_to_open

CHECK = {"class": "check"}
DAY = forms.DateInput(attrs={"type": "date"})
SUGGESTED = 20
LONG_TEXT = 10_000


def suggested_accounts(text: str) -> list[Account]:
    """The first few whose name begins with what somebody has typed so far."""
    named = Account.objects.present().filter(name__istartswith=text) if text else Account.objects.none()
    return list(named.only("tenant_id", "name", "external_id").order_by("name", "pk")[:SUGGESTED])


class OwnerField(forms.ModelChoiceField):
    def __init__(self, **kwargs: Any) -> None:
        super().__init__(queryset=None, empty_label="Nobody", required=False, **kwargs)


def active_members(tenant_id: int) -> Any:
    return Membership.objects.in_tenant(tenant_id).active().order_by("name", "pk")


class NewCtaForm(forms.Form):
    name = forms.CharField(max_length=500, label="What needs doing")
    account = AccountField(label="Account")
    type = EntryField(Kind.TYPE)
    due_on = forms.DateField(required=False, widget=DAY, label="Due")
    priority = EntryField(Kind.PRIORITY)
    owner = OwnerField()
    reason = EntryField(Kind.REASON, required=False)
    comment = forms.CharField(
        required=False, max_length=LONG_TEXT, label="Description", widget=forms.Textarea(attrs={"rows": 2})
    )
    another = forms.BooleanField(required=False, label="Create another")

    def __init__(self, *args: Any, member: Membership, today: date, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.today, self.lists = today, current_lists()
        self.fields["name"].widget.attrs["autofocus"] = not self.is_bound
        self.fields["owner"].queryset = active_members(member.tenant_id)  # type: ignore[attr-defined]
        self.initial.setdefault("owner", member.pk)
        self.initial.setdefault("type", self.lists.default(Kind.TYPE, Cta.Type.ACTIVITY))
        self.initial.setdefault("priority", self.lists.default(Kind.PRIORITY, Cta.Priority.MEDIUM))
        self._offer_reasons(str(self["type"].value()))
        self._ask_beside()

    def _ask_beside(self) -> None:
        """What upper layers ask. Where they can say to which plan it belongs, an objective can be made by hand."""
        self.parts = new_cta_parts()
        self.asked_beside = {name: field for part in self.parts for name, field in part.fields().items()}
        self.fields |= self.asked_beside
        if self.parts:
            objective = self.lists.find(Kind.TYPE, Cta.Type.OBJECTIVE)
            type: Any = self.fields["type"]
            type.choices = [*type.choices, (objective.key, objective.name)]

    @property
    def beside(self) -> list[forms.BoundField]:
        return [self[name] for name in self.asked_beside]

    @property
    def facts(self) -> dict[str, Any]:
        """Of the CTA itself."""
        return {name: value for name, value in self.cleaned_data.items() if name not in ("another", *self.asked_beside)}

    def _offer_reasons(self, type: str) -> None:
        suiting = [(entry.key, entry.name) for entry in self.lists.reasons(type)]
        self.fields["reason"].choices = [("", "None"), *suiting]  # type: ignore[attr-defined]

    def clean_due_on(self) -> date | None:
        due_on: date | None = self.cleaned_data["due_on"]
        if due_on and due_on < self.today:
            raise forms.ValidationError("Pick today or later.")
        return due_on

    def clean(self) -> dict[str, Any]:
        for name in missing_to_open(self.cleaned_data, type=self.cleaned_data.get("type", ""), lists=self.lists):
            if name not in self.errors:
                self.add_error(name, "CTAs of this type need one.")
        for part in self.parts:
            for name, problem in part.problems(self.cleaned_data):
                self.add_error(name, problem)
        return self.cleaned_data


class EditCtaForm(forms.Form):
    """Any of a CTA's fields, one at a time or several: what is not sent stays as it is."""

    name = forms.CharField(max_length=500)
    type = EntryField(Kind.TYPE)
    reason = EntryField(Kind.REASON, required=False)
    priority = EntryField(Kind.PRIORITY)
    owner = OwnerField()
    due_on = forms.DateField(required=False, widget=DAY, label="Due")
    comment = forms.CharField(
        required=False, max_length=LONG_TEXT, label="Description", widget=forms.Textarea(attrs={"rows": 3})
    )

    def __init__(self, data: Any, *, cta: Cta, only: Iterable[str] | None = None) -> None:
        super().__init__(data, initial={name: getattr(cta, name) for name in EDITABLE})
        for name in EDITABLE - set(data if only is None else only):
            del self.fields[name]
        if "owner" in self.fields:
            self.fields["owner"].queryset = active_members(cta.tenant.pk)  # type: ignore[attr-defined]
        lists = current_lists() if {"type", "reason", "priority"} & self.fields.keys() else None
        for name, field in self.fields.items():
            if lists and isinstance(field, EntryField):
                field.offer(lists, held=getattr(cta, name))


class StatusForm(forms.Form):
    stage = forms.ChoiceField(label="Status")

    def __init__(self, data: Any, *, cta: Cta, lists: Lists) -> None:
        super().__init__(data, initial={"stage": lists.stage_of(cta).key})
        self.fields["stage"].choices = [(entry.key, entry.name) for entry in lists.stages()]  # type: ignore[attr-defined]


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
    """How it ended, what becomes of its open tasks, and what its type still asks for."""

    stage = forms.ChoiceField(widget=forms.RadioSelect, label="How did it end?")
    cancel_tasks = forms.BooleanField(required=False, initial=True)

    def __init__(self, data: Any, *, cta: Cta, initial: dict[str, Any] | None = None) -> None:
        lists = current_lists()
        ways = [(entry.key, entry.name) for entry in lists.stages(*CLOSED)]
        super().__init__(data, initial={"stage": ways[0][0]} | (initial or {}))
        self.fields["stage"].choices = ways  # type: ignore[attr-defined]
        self.asked = missing_to_close(cta, lists=lists)
        wanted = EditCtaForm({}, cta=cta, only=self.asked).fields
        for name in self.asked:
            wanted[name].required = True
            self.fields[name] = wanted[name]

    @property
    def facts(self) -> dict[str, Any]:
        return {name: self.cleaned_data[name] for name in self.asked}

    def asked_fields(self) -> list[forms.BoundField]:
        return [self[name] for name in self.asked]


class TaskForm(forms.Form):
    title = forms.CharField(max_length=500, label="Task")
    due_on = forms.DateField(required=False, widget=DAY, label="Due")
    owner = OwnerField()
    description = forms.CharField(required=False, max_length=LONG_TEXT, widget=forms.Textarea(attrs={"rows": 2}))

    def __init__(self, data: Any, *, tenant_id: int, task: Task | None = None) -> None:
        super().__init__(data, initial={name: getattr(task, name) for name in TASK_EDITABLE} if task else None)
        self.fields["owner"].queryset = active_members(tenant_id)  # type: ignore[attr-defined]


class DueForm(forms.Form):
    due_on = forms.DateField(required=False, widget=DAY, label="Due")


class LinkForm(forms.Form):
    """A user of the CTA's account, by email, name or external id."""

    user = forms.CharField(max_length=500)

    def __init__(self, data: Any, *, cta: Cta) -> None:
        super().__init__(data)
        self.cta = cta

    def clean_user(self) -> EndUser:
        text = self.cleaned_data["user"]
        mine = account_users(self.cta)
        found = list(mine.filter(Q(email__iexact=text) | Q(external_id=text) | Q(name=text)).order_by("pk")[:2])
        if not found:
            raise forms.ValidationError("No user of this account is called so. Begin typing and pick one of the list.")
        if len(found) > 1:
            raise forms.ValidationError("Several users are called so. Enter the email address.")
        return found[0]


def account_users(cta: Cta) -> Any:
    return EndUser.objects.filter(account_users__account=cta.account_id, archived_at=None)


class RepeatForm(forms.Form):
    every = forms.IntegerField(min_value=1, max_value=LONGEST, initial=1)
    unit = forms.ChoiceField(choices=Recurrence.Unit.choices, initial=Recurrence.Unit.WEEK)
    begins = forms.ChoiceField(
        choices=Recurrence.Begins.choices, initial=Recurrence.Begins.CLOSED, widget=forms.RadioSelect, label="When"
    )


class EntryForm(forms.Form):
    """An entry of one of the lists. Only what that list knows is asked."""

    name = forms.CharField(max_length=KEY_LENGTH)
    tone = forms.ChoiceField(choices=list(TONES.items()), label="Colour", initial="neutral")
    icon = forms.ChoiceField(choices=[(icon, icon.replace("-", " ").capitalize()) for icon in ICONS])
    category = forms.ChoiceField(choices=list(CATEGORIES.items()), label="Means")
    types = forms.MultipleChoiceField(required=False, label="For", widget=forms.CheckboxSelectMultiple(CHECK))
    to_create = forms.MultipleChoiceField(
        required=False, choices=list(REQUIRABLE.items()), label="Needed to open", widget=forms.CheckboxSelectMultiple
    )
    to_close = forms.MultipleChoiceField(
        required=False, choices=list(REQUIRABLE.items()), label="Needed to close", widget=forms.CheckboxSelectMultiple
    )
    last_task = forms.ChoiceField(required=False, label="Once its last task is done")
    KNOWN = {
        Kind.TYPE: ("name", "tone", "icon", "to_create", "to_close", "last_task"),
        Kind.REASON: ("name", "types"),
        Kind.PRIORITY: ("name", "tone"),
        Kind.STATUS: ("name", "tone", "category"),
    }

    def __init__(self, data: Any, *, kind: str, lists: Lists, entry: Entry | None = None, at: int = -1) -> None:
        known = self.KNOWN[Kind(kind)]
        initial = {name: getattr(entry, name) for name in known} if entry else {}
        super().__init__(data, initial=initial, auto_id=f"id_{at if entry else 'new'}_%s")
        for name in set(self.fields) - set(known):
            del self.fields[name]
        if "last_task" in self.fields:
            self.fields["last_task"].choices = lists.last_task_choices()  # type: ignore[attr-defined]
        if "types" in self.fields:
            offered = [(one.key, one.name) for one in lists.offered(Kind.TYPE)]
            self.fields["types"].choices = offered  # type: ignore[attr-defined]


def first_errors(form: forms.Form) -> Iterable[str]:
    """One sentence for a field that was edited in place."""
    return (str(error) for errors in form.errors.values() for error in errors)
