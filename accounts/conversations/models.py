"""Conversations with users: what was said, what still waits for a person's eyes, and whom we must never write to."""

from datetime import datetime
from typing import Any

from django.db import models

from accounts.models.account import Account, EndUser
from accounts.models.timeline import TimelineEntry
from cs_platform.tenancy.base import TenantForeignKey, TenantModel
from cs_platform.tenancy.models import Membership


class NotPending(Exception):
    """The conversation has left, is leaving, or was cancelled: there is no draft to change."""

    def __init__(self, conversation: "Conversation") -> None:
        super().__init__(
            f"“{conversation.subject}” is no longer pending: it is {conversation.get_state_display().lower()}."
        )


class Conversation(TenantModel):
    """A draft while it is pending; a record of what was said after that.

    A person's verbs change this row only. Whoever sends it looks at the row last thing before it leaves.
    """

    class State(models.TextChoices):
        PENDING = "pending", "Pending"  # may be edited, sent now or cancelled
        SENDING = "sending", "Sending"
        SENT = "sent", "Sent"
        CANCELLED = "cancelled", "Cancelled"
        FAILED = "failed", "Failed"

    account = TenantForeignKey(Account, on_delete=models.CASCADE, related_name="conversations")
    end_user = TenantForeignKey(EndUser, on_delete=models.SET_NULL, null=True, related_name="+")
    sender = TenantForeignKey(Membership, on_delete=models.SET_NULL, null=True, related_name="+")
    channel = models.CharField(max_length=20, default="smtp")
    state = models.CharField(max_length=10, choices=State.choices, default=State.PENDING)
    subject = models.TextField()
    body = models.TextField()
    to_email = models.TextField()
    to_name = models.TextField(blank=True, default="")
    send_at = models.DateTimeField()
    sent_at = models.DateTimeField(null=True, blank=True)
    edited_at = models.DateTimeField(null=True, blank=True)
    edited_by = TenantForeignKey(Membership, on_delete=models.SET_NULL, null=True, related_name="+")
    cancelled_by = models.CharField(max_length=100, blank=True, default="")  # "person:7" or "playbook:12"
    created_at = models.DateTimeField()
    origin_run_id = models.UUIDField(null=True, blank=True)
    origin_ordinal = models.PositiveSmallIntegerField(default=0)

    class Meta:
        base_manager_name = "objects"
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "origin_run_id", "origin_ordinal"], name="accounts_conversation_origin"
            ),
        ]
        indexes = [
            # Read by the account page.
            models.Index(fields=["tenant", "account", "-created_at"], name="accounts_conversation_page"),
            # Read by the list of pending conversations.
            models.Index(
                fields=["tenant", "send_at"], condition=models.Q(state="pending"), name="accounts_conv_pending"
            ),
        ]

    def __str__(self) -> str:
        return self.subject

    def edit(self, *, subject: str, body: str, sender: Membership | None = None, by: Membership, now: datetime) -> None:
        """Another sender too, where one is given. Raises NotPending."""
        sender = sender or self.sender
        if (subject, body, sender) == (self.subject, self.body, self.sender):
            return
        self._change_draft(subject=subject, body=body, sender=sender, edited_at=now, edited_by=by)
        self._tell("conversation.edited", f"Draft edited: {subject}", by=by, now=now)

    def send_now(self, *, by: Membership, now: datetime) -> None:
        """Ends the review delay; the sender's next look takes it along. Raises NotPending."""
        if self.send_at <= now and self.state == self.State.PENDING:
            return
        self._change_draft(send_at=now)
        self._tell("conversation.released", f"Draft released to be sent: {self.subject}", by=by, now=now)

    def cancel(self, *, by: Membership, now: datetime) -> None:
        """Harmless twice. Raises NotPending when it has left."""
        if self.state == self.State.CANCELLED:
            return
        self._change_draft(state=self.State.CANCELLED, cancelled_by=by.actor)
        self._tell("conversation.cancelled", f"Draft cancelled: {self.subject}", by=by, now=now)

    def restore(self, *, by: Membership, now: datetime) -> None:
        """Takes a person's cancelling back, as long as the time to send has not come. Raises NotPending."""
        if self.state == self.State.PENDING:
            return
        in_time = {"state": self.State.CANCELLED, "cancelled_by__startswith": "person:", "send_at__gt": now}
        self._change(in_time, state=self.State.PENDING, cancelled_by="")
        self._tell("conversation.restored", f"Draft restored: {self.subject}", by=by, now=now)

    def _change_draft(self, **values: Any) -> None:
        self._change({"state": self.State.PENDING}, **values)

    def _change(self, only_if: dict[str, Any], **values: Any) -> None:
        """Conditional, because the sender may be faster."""
        if not Conversation.objects.filter(pk=self.pk, **only_if).update(**values):
            self.refresh_from_db(fields=["state"])
            raise NotPending(self)
        for name, value in values.items():
            setattr(self, name, value)

    def _tell(self, kind: str, text: str, *, by: Membership, now: datetime) -> None:
        TimelineEntry.objects.create(
            account_id=self.account_id,
            end_user_id=self.end_user_id,
            at=now,
            kind=kind,
            actor=by.actor,
            text=text,
            subject=f"conversation:{self.pk}",
        )


class Message(TenantModel):
    """A message as it really left (or came in), kept for ever."""

    is_referenced = False

    conversation = TenantForeignKey(Conversation, on_delete=models.CASCADE, related_name="messages")
    outgoing = models.BooleanField(default=True)
    message_id = models.TextField()
    from_email = models.TextField()
    to_email = models.TextField()
    subject = models.TextField()
    body = models.TextField()
    at = models.DateTimeField()

    class Meta:
        base_manager_name = "objects"
        constraints = [models.UniqueConstraint(fields=["tenant", "message_id"], name="accounts_message_id")]

    def __str__(self) -> str:
        return self.subject


class Suppression(TenantModel):
    """An address that must not be written to. Asked last thing before a message leaves."""

    is_referenced = False

    class Reason(models.TextChoices):
        UNSUBSCRIBED = "unsubscribed", "Unsubscribed"
        BOUNCED = "bounced", "Bounced"
        MANUAL = "manual", "Added by hand"

    email = models.TextField()  # lower case
    reason = models.CharField(max_length=20, choices=Reason.choices)
    since = models.DateTimeField()

    class Meta:
        base_manager_name = "objects"
        constraints = [models.UniqueConstraint(fields=["tenant", "email"], name="accounts_suppression_email")]

    def __str__(self) -> str:
        return self.email
