"""Conversations with users: what was said, what still waits for a person's eyes, and whom we must never write to."""

from datetime import datetime
from typing import Any

from django.db import models

from accounts.models.account import Account, EndUser
from accounts.models.timeline import TimelineEntry
from cs_platform.tenancy.base import TenantForeignKey, TenantModel
from cs_platform.tenancy.models import Doer, Membership


class Conversation(TenantModel):
    """A draft while it is pending; a record of what was said after that.

    A person's verbs change this row only. Whoever sends it looks at the row last thing before it leaves. What a
    playbook drafted belongs to its run (`origin_run_id`); what a person wrote (`hand_id`) is sent from this row alone.
    """

    class State(models.TextChoices):
        PENDING = "pending", "Pending"  # may be edited, sent now or cancelled
        SENDING = "sending", "Sending"
        SENT = "sent", "Sent"
        UNCERTAIN = "uncertain", "Uncertain"  # it may have left and nobody can tell: a person settles it
        CANCELLED = "cancelled", "Cancelled"
        FAILED = "failed", "Failed"

    WAITING = (State.PENDING, State.UNCERTAIN)  # for a person's eyes

    class Channel(models.TextChoices):
        SMTP = "smtp", "The workspace’s mail server"
        GMAIL = "gmail", "The sender’s own Gmail"
        INTERCOM = "intercom", "Intercom"

    account = TenantForeignKey(Account, on_delete=models.CASCADE, related_name="conversations")
    end_user = TenantForeignKey(EndUser, on_delete=models.SET_NULL, null=True, related_name="+")
    sender = TenantForeignKey(Membership, on_delete=models.SET_NULL, null=True, related_name="+")
    channel = models.CharField(max_length=20, choices=Channel.choices, default=Channel.SMTP)
    thread = models.TextField(blank=True, default="", db_default="")  # by the channel's word: answers name it
    state = models.CharField(max_length=10, choices=State.choices, default=State.PENDING)
    subject = models.TextField()
    body = models.TextField()
    to_email = models.TextField()
    to_name = models.TextField(blank=True, default="")
    send_at = models.DateTimeField()
    sent_at = models.DateTimeField(null=True, blank=True)
    replied_at = models.DateTimeField(null=True, blank=True)  # a person's first answer
    # When it was last taken to be sent: what counts towards the caps of its mailbox and of its recipient.
    sending_at = models.DateTimeField(null=True, blank=True)
    released_at = models.DateTimeField(null=True, blank=True)  # a person chose to send it now, whatever the hour
    edited_at = models.DateTimeField(null=True, blank=True)
    edited_by = TenantForeignKey(Membership, on_delete=models.SET_NULL, null=True, related_name="+")
    cancelled_by = models.CharField(max_length=100, blank=True, default="")  # "person:7" or "playbook:12"
    created_at = models.DateTimeField()
    origin_run_id = models.UUIDField(null=True, blank=True)
    origin_ordinal = models.PositiveSmallIntegerField(default=0)
    # By which a form that comes twice, and each try of its mail, is known again.
    hand_id = models.UUIDField(null=True, blank=True)
    written_by = models.CharField(max_length=100, blank=True, default="", db_default="")  # "person:7", "key:3"
    connector = models.CharField(max_length=40, blank=True, default="", db_default="")  # by which Intercom it goes
    attempts = models.PositiveSmallIntegerField(default=0, db_default=0)
    lease_token = models.UUIDField(null=True, blank=True)  # of whoever sends it, kept until its outcome is known
    lease_until = models.DateTimeField(null=True, blank=True)
    problem = models.CharField(max_length=500, blank=True, default="", db_default="")  # why it waits, or did not leave

    class Meta:
        base_manager_name = "objects"
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "origin_run_id", "origin_ordinal"], name="accounts_conversation_origin"
            ),
            models.UniqueConstraint(fields=["tenant", "hand_id"], name="accounts_conversation_hand"),
            # Whoever sends it finds it by one or the other: never both of them.
            models.CheckConstraint(
                condition=models.Q(hand_id=None) | models.Q(origin_run_id=None), name="accounts_conversation_one_sender"
            ),
            models.CheckConstraint(
                condition=models.Q(hand_id=None, written_by="")
                | (models.Q(hand_id__isnull=False) & ~models.Q(written_by="")),
                name="accounts_conversation_writer",
            ),
            # What a person wrote is marked with a lease while it is sent, and until somebody knows what came of it.
            models.CheckConstraint(
                condition=models.Q(hand_id=None, lease_token=None, lease_until=None) & ~models.Q(state="uncertain")
                | models.Q(
                    hand_id__isnull=False,
                    state__in=["sending", "uncertain"],
                    lease_token__isnull=False,
                    lease_until__isnull=False,
                )
                | models.Q(
                    hand_id__isnull=False,
                    state__in=["pending", "sent", "cancelled", "failed"],
                    lease_token=None,
                    lease_until=None,
                ),
                name="accounts_conversation_lease",
            ),
        ]
        indexes = [
            # Read by the account page.
            models.Index(fields=["tenant", "account", "-created_at"], name="accounts_conversation_page"),
            # Read by the list of conversations that wait for a person.
            models.Index(
                fields=["tenant", "send_at", "id"],
                condition=models.Q(state__in=["pending", "uncertain"]),
                name="accounts_conv_pending",
            ),
            # Read by the pump: what that a person wrote leaves next, or was being sent by a worker that died?
            models.Index(
                fields=["tenant", "send_at", "id"],
                condition=models.Q(hand_id__isnull=False, state__in=["pending", "sending"]),
                name="accounts_conv_by_hand",
            ),
            # Read by whoever brings answers back.
            models.Index(fields=["tenant", "thread"], condition=~models.Q(thread=""), name="accounts_conv_by_thread"),
            # Read by the caps: what left a mailbox lately, and what somebody got lately.
            models.Index(
                fields=["tenant", "sender", "sending_at"],
                condition=models.Q(sending_at__isnull=False),
                name="accounts_conv_of_mailbox",
            ),
            models.Index(
                fields=["tenant", "end_user", "sending_at"],
                condition=models.Q(sending_at__isnull=False),
                name="accounts_conv_to_person",
            ),
        ]

    def __str__(self) -> str:
        return self.subject

    @property
    def writer(self) -> str:
        """Who wrote it, as values name their writer."""
        return self.written_by or f"run:{self.origin_run_id}"

    @property
    def can_be_tried_again(self) -> bool:
        """A playbook's is tried again through its run."""
        return self.hand_id is not None and self.state in (self.State.UNCERTAIN, self.State.FAILED)

    def edit(self, *, subject: str, body: str, sender: Membership | None = None, by: Doer, now: datetime) -> bool:
        """Another sender too, where one is given. False when it is no longer pending."""
        sender = sender or self.sender
        if (subject, body, sender) == (self.subject, self.body, self.sender):
            return self.state == self.State.PENDING
        changes = {"subject": subject, "body": body, "sender": sender, "edited_at": now, "edited_by": by.member}
        return self._change_draft(changes, "conversation.edited", f"Draft edited: {subject}", by=by, now=now)

    def send_now(self, *, by: Doer, now: datetime) -> bool:
        """Ends the review delay; the sender's next look takes it along. False when it is no longer pending."""
        text = f"Draft released to be sent: {self.subject}"
        changes = {"send_at": now, "released_at": now}
        return self._change_draft(changes, "conversation.released", text, by=by, now=now)

    def move(self, send_at: datetime, *, by: Doer, now: datetime) -> bool:
        """It leaves at that moment instead. False when it is no longer pending."""
        changes = {"send_at": send_at, "released_at": None, "problem": ""}
        text = f"Draft leaves at another time: {self.subject}"
        return self._change_draft(changes, "conversation.edited", text, by=by, now=now)

    def cancel(self, *, by: Doer, now: datetime) -> bool:
        """It will not leave; what it says stays readable. False when it is no longer pending."""
        changes = {"state": self.State.CANCELLED, "cancelled_by": by.actor}
        return self._change_draft(changes, "conversation.cancelled", f"Draft cancelled: {self.subject}", by=by, now=now)

    def _change_draft(self, changes: dict[str, Any], kind: str, text: str, *, by: Doer, now: datetime) -> bool:
        """Conditional, because the sender may be faster."""
        if not Conversation.objects.filter(pk=self.pk, state=self.State.PENDING).update(**changes):
            self.refresh_from_db(fields=["state"])
            return False
        for name, value in changes.items():
            setattr(self, name, value)
        self._tell(kind, text, by=by, now=now)
        return True

    def _tell(self, kind: str, text: str, *, by: Doer, now: datetime) -> None:
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


class SendingPolicy(TenantModel):
    """When and how often the workspace writes to its customers. Without a row, the defaults here hold."""

    is_referenced = False

    opens_at = models.PositiveSmallIntegerField(default=8)  # hours of the day where the account is
    closes_at = models.PositiveSmallIntegerField(default=18)
    weekdays_only = models.BooleanField(default=True)
    mails_an_hour = models.PositiveIntegerField(default=60)  # from one mailbox
    hours_between = models.PositiveSmallIntegerField(default=4)  # two playbook messages to one person

    class Meta:
        base_manager_name = "objects"
        constraints = [
            models.UniqueConstraint(fields=["tenant"], name="accounts_sendingpolicy_one"),
            models.CheckConstraint(
                condition=models.Q(opens_at__lt=models.F("closes_at"), closes_at__lte=24),
                name="accounts_sendingpolicy_hours",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.opens_at}:00 to {self.closes_at}:00"


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
    by = models.CharField(max_length=100, blank=True, default="", db_default="")  # "user:4", "person:7", "run:0198…"

    class Meta:
        base_manager_name = "objects"
        constraints = [models.UniqueConstraint(fields=["tenant", "email"], name="accounts_suppression_email")]

    def __str__(self) -> str:
        return self.email
