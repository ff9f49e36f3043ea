"""Conversations that a person starts: whom an account can be written to, in whose name, by what, and writing it down.

It is a person's own work. Workers send it from its own row; stopping a playbook never touches it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Protocol
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.utils.module_loading import import_string

from accounts.conversations.suppressing import tell
from accounts.key_roles import holdings
from accounts.models import Account, AccountUser, Conversation, EndUser, Suppression
from cs_platform.common.message_templates import single_line
from cs_platform.connectors.mailboxes import mailbox_of
from cs_platform.connectors.models import Connector, Mailbox
from cs_platform.connectors.providers import Intercom
from cs_platform.connectors.smtp import is_address
from cs_platform.tenancy.context import current_tenant_id
from cs_platform.tenancy.models import Doer, Membership, WorkDue

USERS_OFFERED = 200
SUBJECT_LIMIT, MESSAGE_LIMIT = 300, 20_000
FURTHEST = timedelta(days=365)
Channel = Conversation.Channel


class CannotWrite(ValueError):
    """`field` is what to change; the text says why."""

    def __init__(self, field: str, text: str) -> None:
        self.field = field
        super().__init__(text)


# --- to whom ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Recipient:
    user: EndUser
    is_primary: bool
    refuses: str  # why nobody writes to them, as the end of a sentence that begins with their name; or nothing

    @property
    def label(self) -> str:
        name = f"{self.user.name} · {self.user.email}" if self.user.name else str(self.user.email)
        return f"{name} ({self.refuses})" if self.refuses else name


@dataclass(frozen=True, slots=True)
class Recipients:
    offered: Sequence[Recipient]
    more: bool

    @property
    def first(self) -> Recipient | None:
        """Whom the account is written to first, if they can be written to."""
        return next((one for one in self.offered if one.is_primary and not one.refuses), None)


_LEADS = Q(role__iexact="owner") | Q(role__iexact="admin")


def recipients_of(account: Account, *, also: int | None = None) -> Recipients:
    """Users of the account with an address: key contacts, who has a say, then who was seen last."""
    found = list(_ties(account).order_by("-is_key_contact", F("leads").desc(), *_SEEN)[: USERS_OFFERED + 1])
    shown = found[:USERS_OFFERED]
    if also and all(tie.end_user_id != also for tie in shown):
        shown = [*_ties(account).filter(end_user=also), *shown]
    return Recipients(_judged(shown), len(found) > USERS_OFFERED)


_SEEN = (F("last_seen_at").desc(nulls_last=True), "pk")


def _ties(account: Account) -> QuerySet[Any]:
    here = AccountUser.objects.filter(account=account, end_user__archived_at=None, end_user__email__contains="@")
    return here.select_related("end_user").annotate(leads=_LEADS)


def _judged(ties: Sequence[AccountUser]) -> list[Recipient]:
    emails = {(tie.end_user.email or "").lower() for tie in ties}
    listed = dict(Suppression.objects.filter(email__in=emails).values_list("email", "reason"))
    return [
        Recipient(
            tie.end_user, tie.is_key_contact or bool(getattr(tie, "leads", False)), _refuses(tie.end_user, listed)
        )
        for tie in ties
    ]


def _refuses(user: EndUser, listed: dict[str, str]) -> str:
    email = user.email or ""
    reason = "unsubscribed" if user.unsubscribed_at else listed.get(email.lower(), "")
    if reason:
        words = {"unsubscribed": "has unsubscribed", "bounced": "has an address that bounces"}
        return words.get(reason, "must not be written to")
    return "" if is_address(email) else "has no address that works"


# --- in whose name, and by what ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Sender:
    member: Membership
    roles: Sequence[str]

    @property
    def label(self) -> str:
        return f"{self.member.name} ({', '.join(self.roles)})" if self.roles else self.member.name


def senders_for(account: Account, by: Doer) -> list[Sender]:
    """Whoever writes, then who holds a key role at the account. Nobody else's name is put under a letter by hand."""
    roles: dict[int, list[str]] = {}
    people: dict[int, Membership] = {by.member.pk: by.member} if by.member else {}
    for label, member in _holders(account):
        if member.deactivated_at is None:
            people.setdefault(member.pk, member)
            roles.setdefault(member.pk, []).append(label)
    return [Sender(member, roles.get(pk, ())) for pk, member in people.items()]


def may_sign(conversation: Conversation, sender: Membership, *, by: Doer) -> bool:
    """Whether somebody's name may be put under it now; anybody's under what a playbook wrote."""
    if conversation.hand_id is None:
        return True
    if conversation.channel == Channel.GMAIL:
        return by.member is not None and sender.pk == by.member.pk
    return any(one.member.pk == sender.pk for one in senders_for(conversation.account, by))


def _holders(account: Account) -> list[tuple[str, Membership]]:
    persons = [("CSM", account.csm), ("AE", account.ae)]
    own = [(one.role.name, one.held.member) for one in holdings(account) if one.held]
    return [(label, member) for label, member in [*persons, *own] if member]


@dataclass(frozen=True, slots=True)
class Way:
    """By what a letter can leave. `key` is what a form sends: the channel, and which Intercom."""

    channel: str
    label: str
    connector: str = ""

    @property
    def key(self) -> str:
        return f"{self.channel}:{self.connector}" if self.connector else self.channel


def ways_for(by: Doer) -> list[Way]:
    """A mailbox is its owner's alone: nobody else's letters leave by it."""
    ways = [Way(Channel.SMTP.value, "Mail server")]
    mailbox = mailbox_of(by.member) if by.member else None
    if mailbox and mailbox.state == Mailbox.State.ACTIVE:
        ways.append(Way(Channel.GMAIL.value, f"Your Gmail ({mailbox.email})"))
    active = Connector.objects.present().filter(kind=Intercom.key, state=Connector.State.ACTIVE)
    return ways + [Way(Channel.INTERCOM.value, one.name, one.key) for one in active.order_by("name", "pk")]


# --- writing it down --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Written:
    """`hand_id` is of the form it was written in: sent twice, it is one conversation."""

    hand_id: UUID
    to: EndUser
    sender: Membership
    way: str  # a key of Way
    subject: str
    body: str
    send_at: datetime


def start(account: Account, written: Written, *, by: Doer, now: datetime) -> Conversation:
    """It leaves at its time, whatever the hour, as its variables read now. Raises CannotWrite."""
    way = _checked(account, written, by=by, now=now)
    written = _filled_in(account, written, now=now)
    values = {
        "account": account,
        "end_user": written.to,
        "sender": written.sender,
        "channel": way.channel,
        "connector": way.connector,
        "subject": single_line(written.subject),
        "body": written.body,
        "to_email": written.to.email,
        "to_name": written.to.name,
        "send_at": written.send_at,
        "created_at": now,
        "written_by": by.actor,
    }
    with transaction.atomic():
        made, is_new = Conversation.objects.get_or_create(hand_id=written.hand_id, defaults=values)
        if not is_new and (made.subject, made.body, made.end_user) != (values["subject"], written.body, written.to):
            raise CannotWrite("subject", "This form was sent before. Open it anew to write something else.")
        if is_new:
            name = made.to_name or made.to_email
            tell(
                made,
                "conversation.started",
                f"Conversation started with {name}: {made.subject}",
                now=now,
                actor=by.actor,
            )
            WorkDue.announce(tenant_id=current_tenant_id(), queue=WorkDue.Queue.DELIVER, due_at=made.send_at)
    return made


class FillIn(Protocol):
    def __call__(
        self, texts: Mapping[str, str], *, account: Account, to: EndUser, sender: Membership, now: datetime
    ) -> Mapping[str, str]: ...


def _filled_in(account: Account, written: Written, *, now: datetime) -> Written:
    """By the layer that knows which variables there are."""
    fill_in: FillIn = import_string(settings.LETTER_TEXTS)
    texts = {"subject": written.subject, "body": written.body}
    found = fill_in(texts, account=account, to=written.to, sender=written.sender, now=now)
    return replace(written, subject=found["subject"], body=found["body"])


def _checked(account: Account, written: Written, *, by: Doer, now: datetime) -> Way:
    tie = AccountUser.objects.filter(account=account, end_user=written.to, end_user__archived_at=None).first()
    if tie is None:
        raise CannotWrite("to", "Choose a user of this account.")
    (recipient,) = _judged([tie])
    if recipient.refuses:
        raise CannotWrite("to", f"{recipient.user} {recipient.refuses}.")
    if all(one.member.pk != written.sender.pk for one in senders_for(account, by)):
        raise CannotWrite("sender", "Write in your own name, or in that of somebody who holds a role at the account.")
    way = next((one for one in ways_for(by) if one.key == written.way), None)
    if way is None:
        raise CannotWrite("channel", "It is not connected. Choose another way.")
    if way.channel == Channel.GMAIL and (by.member is None or written.sender.pk != by.member.pk):
        raise CannotWrite("sender", "Your Gmail writes in your own name only.")
    _refuse_far(written.send_at, now=now)
    return way


def _refuse_far(send_at: datetime, *, now: datetime) -> None:
    if send_at > now + FURTHEST:
        raise CannotWrite("send_at", "Choose a moment within a year.")


def move(conversation: Conversation, send_at: datetime, *, by: Doer, now: datetime) -> bool:
    """What a person wrote leaves at that moment. False when it is no longer pending. Raises CannotWrite."""
    if conversation.hand_id is None:
        raise CannotWrite("send_at", "A playbook wrote it, and its steps say when it leaves. It can be sent now.")
    if send_at <= now:
        raise CannotWrite("send_at", "Choose a moment that is still ahead.")
    _refuse_far(send_at, now=now)
    with transaction.atomic():
        moved = conversation.move(send_at, by=by, now=now)
        if moved:
            WorkDue.announce(tenant_id=current_tenant_id(), queue=WorkDue.Queue.DELIVER, due_at=send_at)
    return moved
