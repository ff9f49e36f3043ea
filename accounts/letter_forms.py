"""The form in which a person writes to a user of an account."""

from collections.abc import Collection
from datetime import datetime, time, timedelta
from typing import Any
from uuid import uuid4

from django import forms
from django.utils import timezone

from accounts.models import Account
from accounts.writing import (
    MESSAGE_LIMIT,
    SUBJECT_LIMIT,
    USERS_OFFERED,
    Written,
    recipients_of,
    senders_for,
    ways_for,
)
from cs_platform.tenancy.models import Membership

NOW, LATER = "now", "later"
TIME_TO_UNDO = timedelta(seconds=10)
NINE = time(9)
_MOMENT = "%Y-%m-%dT%H:%M"


class Recipients(forms.Select):
    """Those nobody writes to are shown, but cannot be chosen."""

    barred: Collection[str] = frozenset()

    def create_option(self, name: str, value: Any, *args: Any, **kwargs: Any) -> dict[str, Any]:
        option = super().create_option(name, value, *args, **kwargs)
        if str(value) in self.barred:
            option["attrs"]["disabled"] = True
        return option


class MomentField(forms.DateTimeField):
    """When a letter leaves, to the minute."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(
            required=False,
            widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format=_MOMENT),
            error_messages={"invalid": "Enter a day and a time."},
            **kwargs,
        )


class LetterForm(forms.Form):
    hand_id = forms.UUIDField(widget=forms.HiddenInput, initial=uuid4)
    channel = forms.ChoiceField(label="By", error_messages={"invalid_choice": "It is not connected any more."})
    sender = forms.ChoiceField(label="From", error_messages={"invalid_choice": "Choose somebody of the list."})
    to = forms.ChoiceField(
        label="To",
        widget=Recipients,
        error_messages={"required": "Choose whom to write to.", "invalid_choice": "Choose a user of this account."},
    )
    subject = forms.CharField(max_length=SUBJECT_LIMIT)
    body = forms.CharField(
        label="Message",
        max_length=MESSAGE_LIMIT,
        strip=False,
        widget=forms.Textarea(attrs={"rows": 9}),
        help_text="Variables of playbooks, such as {{ user.first_name }}, are filled in when you send it.",
    )
    when = forms.ChoiceField(
        choices=[(NOW, "Send now"), (LATER, "Leave it for review")],
        initial=NOW,
        error_messages={"required": "Choose when it is sent.", "invalid_choice": "Choose one of the two."},
    )
    send_at = MomentField(label="Until")

    def __init__(self, data: Any = None, *, account: Account, by: Membership, now: datetime, to: int | None) -> None:
        super().__init__(data, auto_id="letter_%s")  # the page below has a form with a body, too
        self.now = now
        self.recipients = recipients_of(account, also=to)
        self.users = {str(one.user.pk): one for one in self.recipients.offered}
        self.senders = {str(one.member.pk): one for one in senders_for(account, by)}
        self._offer("channel", [(way.key, way.label) for way in ways_for(by)])
        self._offer("sender", [(key, one.label) for key, one in self.senders.items()])
        self._offer("to", [("", "Choose a user"), *((key, one.label) for key, one in self.users.items())])
        self.fields["to"].widget.barred = {key for key, one in self.users.items() if one.refuses}  # type: ignore[attr-defined]
        if self.recipients.more:
            self.fields["to"].help_text = f"The first {USERS_OFFERED}. Write to others from their own pages."
        self._begin(to)

    def _offer(self, name: str, choices: list[tuple[str, str]]) -> None:
        self.fields[name].choices = choices  # type: ignore[attr-defined]

    def _begin(self, to: int | None) -> None:
        """With whom the page is about, or whom the account is written to first; for review until tomorrow at nine."""
        asked = self.users.get(str(to))
        first = asked if asked and not asked.refuses else None if to else self.recipients.first
        self.initial["to"] = str(first.user.pk) if first else ""
        tomorrow = timezone.localdate(self.now) + timedelta(days=1)
        self.initial["send_at"] = timezone.make_aware(datetime.combine(tomorrow, NINE))
        begins = "subject" if first else "to"
        self.fields[begins].widget.attrs["autofocus"] = not self.is_bound  # then what is wrong has the focus

    def clean_body(self) -> str:
        body: str = self.cleaned_data["body"].replace("\r\n", "\n").strip("\n")
        if not body.strip():
            raise forms.ValidationError("Write a message.")
        return body

    def clean(self) -> dict[str, Any]:
        if "hand_id" in self.errors:
            self.add_error(None, "Something is missing. Open the form anew.")
        if self.cleaned_data.get("when") == LATER and "send_at" not in self.errors:
            at = self.cleaned_data.get("send_at")
            if at is None or at <= self.now:
                self.add_error("send_at", "Choose a moment that is still ahead.")
        return self.cleaned_data

    @property
    def waits(self) -> bool:
        return bool(self.cleaned_data["when"] == LATER)

    def written(self) -> Written:
        """One that is sent now leaves so much later that it can be taken back."""
        found = self.cleaned_data
        return Written(
            hand_id=found["hand_id"],
            to=self.users[found["to"]].user,
            sender=self.senders[found["sender"]].member,
            way=found["channel"],
            subject=found["subject"],
            body=found["body"],
            send_at=found["send_at"] if self.waits else self.now + TIME_TO_UNDO,
        )
