"""Forms of stopping, applying and reviewing."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from django import forms
from django.db.models import QuerySet

from accounts.letter_forms import MomentField
from accounts.models import Account, EndUser
from cs_platform.tenancy.models import Membership, Tenant
from ctas.lists import Kind, current_lists
from playbooks.models import Playbook, Step
from playbooks.moving import Passed
from playbooks.on_ctas import offered

NOTE_LIMIT = 1_000
USERS_OFFERED = 200
MESSAGE_LIMIT = 20_000


class RunIds(forms.Field):
    widget = forms.MultipleHiddenInput

    def to_python(self, value: Any) -> set[UUID]:
        try:
            return {UUID(one) for one in value or ()}
        except ValueError:
            raise forms.ValidationError("That is no action of this playbook. Open the dialog again.") from None


class StopForm(forms.Form):
    """Each item that would be undone comes with a tick. One whose tick is gone is kept; one nobody saw is undone."""

    note = forms.CharField(
        required=False,
        max_length=NOTE_LIMIT,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text="Visible to your whole team. It only runs here again if the whole playbook is reapplied.",
    )
    shown = RunIds(required=False)
    undo = RunIds(required=False)

    def kept(self) -> set[UUID]:
        return self.cleaned_data["shown"] - self.cleaned_data["undo"]


class VerdictForm(forms.Form):
    """An answer to whether an action may run."""

    verb = forms.ChoiceField(choices=[("approve", "Approve"), ("reject", "Reject")])
    note = forms.CharField(
        required=False,
        max_length=NOTE_LIMIT,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text="Visible to your whole team, in the history.",
    )


class StopAllForm(forms.Form):
    finished = forms.BooleanField(
        required=False,
        label="Where it has finished, too",
        help_text="Then what it did there is undone as well.",
        widget=forms.CheckboxInput(attrs={"class": "check"}),
    )
    note = forms.CharField(
        required=False,
        max_length=NOTE_LIMIT,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text="Visible to your whole team, in each history.",
    )


class EndDryRunForm(forms.Form):
    RESTART, PROMOTE, DISCARD = "restart", "promote", "discard"
    choices = (
        (RESTART, "Set live, also for those recorded so far", "They begin today, on day 1."),
        (PROMOTE, "Set live for new ones", "The next check of the rules applies it to whoever matches then."),
        (DISCARD, "Discard", "The playbook is paused."),
    )
    how = forms.ChoiceField(
        choices=[(value, label) for value, label, _hint in choices],
        error_messages={"required": "Choose what comes of it.", "invalid_choice": "Choose one of the three."},
    )


class MoveForm(forms.Form):
    passed = forms.ChoiceField(
        choices=[(one.value, one.value) for one in Passed],
        error_messages={"invalid_choice": "Choose whether they are skipped or run."},
    )


class ApplyForm(forms.Form):
    playbook: "forms.ModelChoiceField[Playbook]" = forms.ModelChoiceField(
        queryset=None, empty_label=None, widget=forms.RadioSelect
    )
    end_user = forms.CharField(required=False, label="User", help_text="By email; for playbooks about one user.")

    def __init__(self, data: Any = None, *, account: Account, asked: Mapping[str, str] | None = None) -> None:
        """`asked`: the playbook, and the id of the user, that whoever comes from a list of them means."""
        super().__init__(data)
        self.account = account
        self.initial = self._meant(asked or {})
        live = Playbook.objects.filter(status=Playbook.Status.LIVE).exclude(audience=Playbook.Audience.CTAS)
        self.fields["playbook"].queryset = live.select_related("version").order_by("name", "pk")  # type: ignore[attr-defined]

    def offered_emails(self) -> list[str]:
        emails = self._users().exclude(email=None).order_by("email").values_list("email", flat=True)
        return [email for email in emails[:USERS_OFFERED] if email]

    def clean(self) -> dict[str, Any]:
        playbook = self.cleaned_data.get("playbook")
        about_users = playbook and playbook.audience == Playbook.Audience.USERS
        self.cleaned_data["end_user"] = self._user() if about_users else None
        return self.cleaned_data

    def _meant(self, asked: Mapping[str, str]) -> dict[str, Any]:
        user = asked.get("user", "")
        known = user.isascii() and user.isdecimal() and len(user) < 19
        found = self._users().filter(pk=int(user)).first() if known else None
        return {"playbook": asked.get("playbook", ""), "end_user": found.email if found else ""}

    def _user(self) -> EndUser | None:
        email = (self.cleaned_data.get("end_user") or "").strip()
        found = self._users().filter(email__iexact=email).order_by("pk").first() if email else None
        if found is None:
            self.add_error("end_user", "Enter the email of a user of this account.")
        return found

    def _users(self) -> QuerySet[EndUser]:
        return EndUser.objects.filter(account_users__account=self.account, archived_at__isnull=True)


class ReviewForm(forms.Form):
    subject = forms.CharField(max_length=300)
    body = forms.CharField(
        label="Message",
        max_length=MESSAGE_LIMIT,
        widget=forms.Textarea(attrs={"rows": 9}),
        help_text="Variables are filled in already. Edits change this message only.",
    )


class SenderForm(forms.Form):
    """Who sends it: anybody active."""

    sender: Any = forms.ModelChoiceField(queryset=None, label="Send as", empty_label=None)

    def __init__(self, *args: Any, tenant: Tenant, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        active = Membership.objects.in_tenant(tenant.pk).active().order_by("name", "pk")
        self.fields["sender"].queryset = active  # type: ignore[attr-defined]


class DraftForm(ReviewForm, SenderForm):
    """A draft as a whole; whoever left the team stays its sender until another is chosen. Only what a person wrote
    (`among`: who may sign it) can leave at another time.
    """

    send_at = MomentField(label="Leaves")
    field_order = ("sender", "send_at", "subject", "body")

    def __init__(self, *args: Any, tenant: Tenant, among: Collection[int] | None = None, **kwargs: Any) -> None:
        super().__init__(*args, tenant=tenant, **kwargs)
        self.fields["sender"].required = False
        if among is None:
            del self.fields["send_at"]
        else:
            mine = self.fields["sender"].queryset.filter(pk__in=among)  # type: ignore[attr-defined]
            self.fields["sender"].queryset = mine  # type: ignore[attr-defined]
        self.fields["sender"].empty_label = "As it is"  # type: ignore[attr-defined]

    @property
    def moved_to(self) -> datetime | None:
        """Where somebody has chosen another moment: a field says no seconds, so what it sends back may be the same."""
        asked, before = self.cleaned_data.get("send_at"), self.initial.get("send_at")
        return asked if asked and before and asked != before.replace(second=0, microsecond=0) else None


class TaskIds(forms.Field):
    widget = forms.MultipleHiddenInput

    def to_python(self, value: Any) -> set[int]:
        try:
            return {int(one) for one in value or () if len(one) < 19}
        except ValueError:
            raise forms.ValidationError("That is no task of this CTA. Open the dialog again.") from None


class RemoveForm(forms.Form):
    """`stay` names edited tasks that are to stay."""

    stay = TaskIds(required=False)


class OfferedPlaybook(forms.ModelChoiceField):
    def __init__(self) -> None:
        super().__init__(queryset=None, empty_label=None, widget=forms.RadioSelect)


class ApplyToCtaForm(forms.Form):
    playbook = OfferedPlaybook()

    def __init__(self, data: Any = None, *, type: str) -> None:
        super().__init__(data)
        self.fields["playbook"].queryset = offered(type=type).select_related("tenant")  # type: ignore[attr-defined]

    def choices(self) -> list[tuple[Playbook, int, int]]:
        """With how many tasks it has, and the day of the last."""
        playbooks = list(self.fields["playbook"].queryset)  # type: ignore[attr-defined]
        steps = Step.objects.filter(version_id__in=[one.version_id for one in playbooks])
        days = {step.version_id: [task["day"] for task in step.config["tasks"]] for step in steps}
        return [(one, len(days[one.version_id]), max(days[one.version_id])) for one in playbooks]


class ReplaceForm(ApplyToCtaForm, RemoveForm):
    pass


class TaskListForm(forms.Form):
    """What a CTA playbook is called and which CTAs it is for; its tasks are the form of its action."""

    name = forms.CharField(max_length=200)
    category = forms.CharField(required=False, max_length=100)
    types = forms.MultipleChoiceField(
        required=False,
        widget=forms.CheckboxSelectMultiple(attrs={"class": "check"}),
        label="For CTAs of these types",
        help_text="None chosen: for all of them.",
    )
    description = forms.CharField(required=False, max_length=10_000, widget=forms.Textarea(attrs={"rows": 2}))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        types = current_lists().offered(Kind.TYPE)
        self.fields["types"].choices = [(entry.key, entry.name) for entry in types]  # type: ignore[attr-defined]
