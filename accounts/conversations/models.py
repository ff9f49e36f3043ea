"""Conversations with users: what was said, what still waits for a person's eyes, and whom we must never write to."""

from django.db import models

from accounts.models.account import Account, EndUser
from cs_platform.tenancy.base import TenantForeignKey, TenantModel
from cs_platform.tenancy.models import Membership


class Conversation(TenantModel):
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
            models.Index(fields=["tenant", "send_at"], condition=models.Q(state="pending"), name="accounts_conv_pending"),
        ]

    def __str__(self) -> str:
        return self.subject


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
