"""Forms of the account page, the user page and data sources."""

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from django import forms
from django.db.models import Q
from django.utils import timezone

from accounts.adding import NewUser
from accounts.archiving import PLAYBOOKS_THERE, STOP
from accounts.governed import is_governed
from accounts.holders import PERSONS
from accounts.models import Account, EndUser, Indicator, TraitDefinition
from accounts.models.account import Lifecycle
from accounts.models.traits import TraitType
from accounts.traits import TraitValueError, choice_values, typed_value
from cs_platform.tenancy.context import current_tenant_id
from cs_platform.tenancy.models import Membership, Tenant

YES_OR_NO = (("", "Not set"), ("true", "Yes"), ("false", "No"))


NOTE_LIMIT = 10_000
CAUSE_LIMIT = 300
NOBODY_THERE = {"invalid_choice": "Choose somebody of the team."}
LONG_TEXT = 60


class TraitsForm(forms.Form):
    """Custom traits of one account or user: everybody types text, accounts.traits decides what it means."""

    def __init__(
        self,
        *args: Any,
        subject: Account | EndUser,
        definitions: Sequence[TraitDefinition],
        members: Iterable[Membership],
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.definitions = {f"trait-{one.pk}": one for one in definitions}
        people = [(str(member.pk), member.name) for member in members]
        for name, definition in self.definitions.items():
            self.initial[name] = typed_text(definition, subject.traits.get(definition.key))
            self.fields[name] = _field(definition, people, self.initial[name])

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


def _field(definition: TraitDefinition, people: list[tuple[str, str]], present: str) -> forms.Field:
    common: dict[str, Any] = {"label": definition.label, "required": False}
    unset = ("", "Not set")
    match definition.type:
        case TraitType.BOOLEAN:
            return forms.ChoiceField(choices=YES_OR_NO, **common)
        case TraitType.PERSON:
            return forms.ChoiceField(choices=[unset, *with_holder(people, present)], **common)
        case TraitType.CHOICE if definition.choices:
            return forms.ChoiceField(choices=[unset, *((one, one) for one in choice_values(definition))], **common)
        case TraitType.DATE:
            return forms.CharField(widget=forms.DateInput(attrs={"type": "date"}), **common)
        case TraitType.MOMENT:
            return MomentField(**common)
        case TraitType.TEXT if "\n" in present or len(present) > LONG_TEXT:
            return forms.CharField(max_length=10_000, widget=forms.Textarea(attrs={"rows": 4}), **common)
        case TraitType.LIST:
            return forms.CharField(help_text="Separate with commas.", **common)
    return forms.CharField(max_length=10_000, **common)


def with_holder(people: list[tuple[str, str]], present: str) -> list[tuple[str, str]]:
    """Whoever holds it stays a choice after leaving the team: a form that is only opened and saved changes nothing."""
    if not present or present in dict(people):
        return people
    left = Membership.objects.in_tenant(current_tenant_id()).filter(pk=present)
    return [*people, (present, f"{left[0].name if left else 'Somebody'} (no longer active)")]


class MomentField(forms.CharField):
    """Typed in the workspace's zone, kept in UTC."""

    widget = forms.DateTimeInput(attrs={"type": "datetime-local"})

    def clean(self, value: Any) -> Any:
        text = super().clean(value)
        try:
            moment = datetime.fromisoformat(text) if text else None
        except ValueError:
            return text
        if moment is None or moment.tzinfo:
            return text
        return moment.replace(tzinfo=timezone.get_current_timezone()).astimezone(UTC).isoformat()


def _local(moment: str) -> str:
    return timezone.localtime(datetime.fromisoformat(moment)).strftime("%Y-%m-%dT%H:%M")


def typed_text(definition: TraitDefinition, value: Any) -> str:
    """A stored value as a person would type it."""
    if value is None:
        return ""
    if definition.type == TraitType.CURRENCY:
        return f"{Decimal(value) / 100:.2f}".removesuffix(".00")
    if definition.type == TraitType.MOMENT and isinstance(value, str):
        return _local(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    return ", ".join(value) if isinstance(value, list) else str(value)


class SourceForm(forms.Form):
    name = forms.CharField(max_length=100, help_text="Where the calls come from: the web app, the backend, billing.")


# --- facts beside traits ----------------------------------------------------------------------------------------------


class PersonForm(forms.Form):
    """Who holds a role. The same person again is no change, whoever that is."""

    member = forms.ChoiceField(required=False)

    def __init__(
        self, *args: Any, label: str, present: int | None, members: Iterable[Membership], **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.people = {str(member.pk): member for member in members}
        people = [(key, member.name) for key, member in self.people.items()]
        self.initial["member"] = str(present or "")
        choices = [("", "Nobody"), *with_holder(people, self.initial["member"])]
        self.fields["member"] = forms.ChoiceField(
            label=label, choices=choices, required=False, error_messages=NOBODY_THERE
        )

    def chosen(self) -> Membership | None:
        return self.people.get(self.cleaned_data["member"])


class AccountField(forms.CharField):
    """An account as somebody types it: by its name, or by its external id where names repeat."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=500, **kwargs)

    def clean(self, value: Any) -> Any:
        text = super().clean(value)
        if not text:
            return None
        found = list(Account.objects.present().filter(Q(name=text) | Q(external_id=text)).order_by("pk")[:2])
        if not found:
            raise forms.ValidationError("No account has this name. Begin typing and pick one of the list.")
        exact = [account for account in found if account.external_id == text]
        if len(found) > 1 and not exact:
            raise forms.ValidationError("Several accounts have this name. Enter the external id of the one you mean.")
        return exact[0] if exact else found[0]


class NewAccountForm(forms.Form):
    name = forms.CharField(max_length=500)
    external_id = forms.CharField(
        label="External id",
        max_length=255,
        required=False,
        help_text="By which your other systems know it, such as Segment’s groupId. Left empty, it gets one.",
    )
    lifecycle = forms.ChoiceField(label="Status", choices=Lifecycle.choices, initial=Lifecycle.SUBSCRIBED)
    plan = forms.CharField(max_length=500, required=False)
    mrr = forms.DecimalField(label="MRR", max_digits=15, decimal_places=2, required=False)
    renewal_on = forms.DateField(label="Renewal", required=False, widget=forms.DateInput(attrs={"type": "date"}))
    csm = forms.ChoiceField(label="CSM", required=False)
    ae = forms.ChoiceField(label="AE", required=False)

    def __init__(self, *args: Any, tenant: Tenant, members: Iterable[Membership], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.people = {str(member.pk): member for member in members}
        choices = [("", "Nobody"), *((key, member.name) for key, member in self.people.items())]
        for role in PERSONS:
            self.fields[role] = forms.ChoiceField(
                label=PERSONS[role], choices=choices, required=False, error_messages=NOBODY_THERE
            )
        if is_governed(tenant.column_traits, "lifecycle"):
            del self.fields["lifecycle"]

    @property
    def facts(self) -> dict[str, Any]:
        """As the API sends them; what was left empty is not said."""
        said = {name: self.cleaned_data.get(name) for name in ("name", "lifecycle", "plan", "renewal_on")}
        mrr = self.cleaned_data["mrr"]
        said |= {"mrr_cents": None if mrr is None else int(mrr * 100)}
        day = said["renewal_on"]
        return {name: value for name, value in (said | {"renewal_on": day and day.isoformat()}).items() if value}

    def holders(self) -> dict[str, Membership]:
        chosen = {role: self.people.get(self.cleaned_data[role]) for role in PERSONS}
        return {role: member for role, member in chosen.items() if member}


class AccountFactsForm(forms.Form):
    """What an account says of itself in built-in columns; only what was changed is said."""

    name = forms.CharField(max_length=500)
    lifecycle = forms.ChoiceField(label="Status", choices=Lifecycle.choices)
    plan = forms.CharField(max_length=500, required=False)
    mrr = forms.DecimalField(label="MRR", max_digits=15, decimal_places=2, required=False)
    renewal_on = forms.DateField(label="Renewal", required=False, widget=forms.DateInput(attrs={"type": "date"}))
    trial_end_on = forms.DateField(label="Trial end", required=False, widget=forms.DateInput(attrs={"type": "date"}))
    timezone = forms.CharField(
        label="Time zone",
        max_length=100,
        required=False,
        help_text="Such as Europe/Berlin. Empty: the workspace’s.",
    )

    def __init__(self, *args: Any, account: Account, tenant: Tenant, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.initial = {name: getattr(account, name) for name in self.fields if name != "mrr"}
        self.initial["mrr"] = None if account.mrr_cents is None else Decimal(account.mrr_cents) / 100
        if is_governed(tenant.column_traits, "lifecycle"):
            del self.fields["lifecycle"]

    @property
    def facts(self) -> dict[str, Any]:
        said = {name: self.cleaned_data[name] or None for name in self.changed_data if name != "mrr"}
        if "mrr" in self.changed_data:
            mrr = self.cleaned_data["mrr"]
            said["mrr_cents"] = None if mrr is None else int(mrr * 100)
        return {name: value.isoformat() if isinstance(value, date) else value for name, value in said.items()}


class UserFactsForm(forms.Form):
    name = forms.CharField(max_length=500, required=False)
    email = forms.EmailField(label="Email", max_length=254, required=False)

    def __init__(self, *args: Any, user: EndUser, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.initial = {"name": user.name, "email": user.email}

    def clean(self) -> dict[str, Any]:
        if not (self.cleaned_data.get("name") or self.cleaned_data.get("email") or self.errors):
            self.add_error("name", "Enter a name or an email address.")
        if "name" in self.changed_data and not self.cleaned_data.get("name") and not self.errors:
            self.add_error("name", "A name can be changed, not taken away.")
        return self.cleaned_data

    @property
    def facts(self) -> dict[str, Any]:
        return {name: self.cleaned_data[name] or None for name in self.changed_data}


class PlaceForm(forms.Form):
    account = AccountField(label="Account")
    role = forms.CharField(max_length=500, required=False, help_text="At this account, such as admin or owner.")


class NewUserForm(forms.Form):
    name = forms.CharField(max_length=500, required=False)
    email = forms.EmailField(label="Email", max_length=254, required=False)
    account = AccountField(label="Account", required=False)
    role = forms.CharField(max_length=500, required=False, help_text="At this account, such as admin or owner.")
    external_id = forms.CharField(
        label="External id",
        max_length=255,
        required=False,
        help_text="By which your other systems know them, such as Segment’s userId. Left empty, they get one.",
    )

    def clean(self) -> dict[str, Any]:
        if not (self.cleaned_data.get("name") or self.cleaned_data.get("email") or self.errors):
            self.add_error("name", "Enter a name or an email address.")
        if self.cleaned_data.get("role") and not self.cleaned_data.get("account") and "account" not in self.errors:
            self.add_error("account", "Say at which account they have this role.")
        return self.cleaned_data

    @property
    def wording(self) -> NewUser:
        return NewUser(**self.cleaned_data)


class CauseForm(forms.Form):
    cause = forms.CharField(
        label="Known cause", max_length=CAUSE_LIMIT, required=False, widget=forms.Textarea(attrs={"rows": 2})
    )
    until = forms.DateField(label="Until", required=False, widget=forms.DateInput(attrs={"type": "date"}))

    def __init__(self, *args: Any, account: Account, today: date, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.initial = {"cause": account.known_cause, "until": account.known_cause_until}
        self.today = today

    def clean(self) -> dict[str, Any]:
        cause, until = self.cleaned_data.get("cause"), self.cleaned_data.get("until")
        if cause and not until and "until" not in self.errors:
            self.add_error("until", "Say until when it explains what you see.")
        if until and not cause and "cause" not in self.errors:
            self.add_error("cause", "Say what the cause is, or leave both empty.")
        if until and until < self.today and "until" in self.changed_data:
            self.add_error("until", "Choose today or a later day.")
        return self.cleaned_data


class NoteForm(forms.Form):
    body = forms.CharField(
        label="Note",
        max_length=NOTE_LIMIT,
        widget=forms.Textarea(attrs={"rows": 3, "placeholder": "What should the team know?"}),
    )


class IndicatorForm(forms.Form):
    kind = forms.ChoiceField(choices=Indicator.Kind.choices, widget=forms.RadioSelect, initial=Indicator.Kind.RISK)
    title = forms.CharField(max_length=200, help_text="One that is active already is not raised twice.")
    note = forms.CharField(max_length=NOTE_LIMIT, required=False, widget=forms.Textarea(attrs={"rows": 3}))
    assignee = forms.ChoiceField(required=False)

    def __init__(self, *args: Any, members: Iterable[Membership], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.people = {str(member.pk): member for member in members}
        choices = [("", "Nobody"), *((key, member.name) for key, member in self.people.items())]
        self.fields["assignee"] = forms.ChoiceField(choices=choices, required=False, error_messages=NOBODY_THERE)

    def raised(self) -> dict[str, Any]:
        return self.cleaned_data | {"assignee": self.people.get(self.cleaned_data["assignee"])}


class ArchiveForm(forms.Form):
    """Where something is under way (`asks`) it has to be said what becomes of it."""

    playbooks = forms.ChoiceField(
        choices=(("", "Choose"), *PLAYBOOKS_THERE), error_messages={"required": "Say what becomes of the playbooks."}
    )

    def __init__(self, *args: Any, asks: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["playbooks"].required = asks

    @property
    def stops(self) -> bool:
        return bool(self.cleaned_data["playbooks"] == STOP)
