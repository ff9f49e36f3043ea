"""To whom the workspace must not write: people who unsubscribed, addresses that bounce, those somebody listed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.core import signing
from django.db import transaction
from django.urls import reverse

from accounts.conversations.models import Conversation, Suppression
from accounts.models.account import EndUser
from accounts.models.timeline import TimelineEntry
from cs_platform.tenancy.audit import record
from cs_platform.tenancy.context import current_tenant_id
from cs_platform.tenancy.models import Doer

_SALT = "accounts.conversations.unsubscribe"
_LONGEST = 200
Reason = Suppression.Reason


@dataclass(frozen=True, slots=True)
class Leave:
    """What a link in a message names: whose message it was. It holds as long as we sign with the same secret."""

    tenant_id: int
    conversation_id: int

    def __str__(self) -> str:
        return signing.Signer(salt=_SALT).sign_object([self.tenant_id, self.conversation_id])

    @property
    def url(self) -> str:
        return settings.BASE_URL.rstrip("/") + reverse("unsubscribe", args=[str(self)])


def leave_of(conversation_id: int) -> Leave:
    return Leave(current_tenant_id(), conversation_id)


def read_leave(text: str) -> Leave | None:
    """None for what we did not sign."""
    try:
        tenant_id, conversation_id = signing.Signer(salt=_SALT).unsign_object(text[:_LONGEST])
    except (signing.BadSignature, ValueError, TypeError):
        return None
    return Leave(tenant_id, conversation_id)


def unsubscribe(conversation: Conversation, *, now: datetime) -> bool:
    """By the recipient. False when they had unsubscribed before."""
    user = conversation.end_user
    with transaction.atomic():
        listed = suppress([conversation.to_email], reason=Reason.UNSUBSCRIBED, by=_actor(user), now=now)
        mine = EndUser.objects.filter(pk=conversation.end_user_id, unsubscribed_at=None)
        if not mine.update(unsubscribed_at=now) and not listed:
            return False
        tell(conversation, "user.unsubscribed", f"{_name(conversation)} unsubscribed", now=now)
    return True


def subscribe_again(conversation: Conversation, *, now: datetime) -> bool:
    """By the recipient, who may take back what they said; a bounce stays."""
    with transaction.atomic():
        listed = Suppression.objects.filter(email=conversation.to_email.lower(), reason=Reason.UNSUBSCRIBED).delete()[0]
        again = EndUser.objects.filter(pk=conversation.end_user_id).exclude(unsubscribed_at=None)
        if not again.update(unsubscribed_at=None) and not listed:
            return False
        tell(conversation, "user.subscribed", f"{_name(conversation)} subscribed again", now=now)
    return True


def is_unsubscribed(conversation: Conversation) -> bool:
    return Suppression.objects.filter(email=conversation.to_email.lower(), reason=Reason.UNSUBSCRIBED).exists()


def suppress(emails: Sequence[str], *, reason: str, by: str, now: datetime) -> int:
    """How many were not on the list. What is on it keeps its first reason."""
    wanted = {email.strip().lower() for email in emails} - {""}
    known = set(Suppression.objects.filter(email__in=wanted).values_list("email", flat=True))
    rows = [Suppression(email=email, reason=reason, since=now, by=by) for email in sorted(wanted - known)]
    Suppression.objects.bulk_create(rows, ignore_conflicts=True)
    return len(rows)


def bounced(conversations: Mapping[int, str], *, now: datetime) -> None:
    """Addresses a mail server refused as unknown: by conversation, who was sending."""
    found = Conversation.objects.filter(pk__in=conversations).select_related("end_user")
    for conversation in found:
        by = conversations[conversation.pk]
        if suppress([conversation.to_email], reason=Reason.BOUNCED, by=by, now=now):
            text = f"{conversation.to_email} takes no mail: nobody writes there any more"
            tell(conversation, "user.bounced", text, now=now, actor=by)


def _actor(user: EndUser | None) -> str:
    return f"user:{user.pk}" if user else ""


def _name(conversation: Conversation) -> str:
    return conversation.to_name or conversation.to_email


def tell(conversation: Conversation, kind: str, text: str, *, now: datetime, actor: str = "") -> None:
    """On the account's timeline, and that of whom it was written to."""
    TimelineEntry.objects.create(
        account_id=conversation.account_id,
        end_user_id=conversation.end_user_id,
        at=now,
        kind=kind,
        actor=actor or _actor(conversation.end_user),
        text=text,
        subject=f"conversation:{conversation.pk}",
    )


# --- by people of the workspace ---------------------------------------------------------------------------------------


def suppress_by_hand(email: str, *, by: Doer, now: datetime) -> bool:
    """False when it was on the list before."""
    with transaction.atomic():
        if not suppress([email], reason=Reason.MANUAL, by=by.actor, now=now):
            return False
        record(verb="suppression.added", subject_type="suppression", subject_id="", name=email, by=by, now=now)
    return True


def lift(suppression: Suppression, *, by: Doer, now: datetime) -> bool:
    """Whoever unsubscribed decides that alone; all else people of the workspace may take off the list."""
    if suppression.reason == Reason.UNSUBSCRIBED:
        return False
    with transaction.atomic():
        if not Suppression.objects.filter(pk=suppression.pk).delete()[0]:
            return False
        name = suppression.email
        record(verb="suppression.removed", subject_type="suppression", subject_id="", name=name, by=by, now=now)
    return True
