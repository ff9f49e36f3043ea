"""Messages on their way: what is asked last thing before one leaves, by what it leaves, and how it is kept as sent.

Shared by what playbooks draft and what people write by hand. Either knows its own by an id from which the Message-ID
is made, the same for every try.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Protocol
from uuid import UUID

from django.conf import settings

from accounts.conversations.suppressing import leave_of
from accounts.models import Conversation
from actions.base import Applied, DeliveryOutcome, Held, Later, Receipt, Refused, Retry, Skipped, Uncertain
from actions.calls import connector_gate
from cs_platform.common.statements import fetch
from cs_platform.connectors.base import HttpOutcome, NotNow, Outcome, Rejected, Revoked, Sent, Unknown
from cs_platform.connectors.google import GmailTransport
from cs_platform.connectors.intercom import IntercomTransport
from cs_platform.connectors.mailboxes import sent_well, want_tokens
from cs_platform.connectors.models import Mailbox
from cs_platform.connectors.providers import intercom_url
from cs_platform.connectors.sealing import CannotOpen
from cs_platform.connectors.smtp import Letter, message_id_of
from cs_platform.tenancy.context import current_tenant_id

Channel = Conversation.Channel
NEW_TOKEN = timedelta(seconds=10)
GONE = "The account or the user is archived."


class Server(Protocol):
    """The workspace's mail server."""

    def send(self, letter: Letter) -> Outcome: ...


@dataclass(frozen=True, slots=True)
class Draft:
    """A draft as it stands now, and what would keep it from leaving."""

    conversation_id: int
    state: str
    cancelled_by: str
    subject: str
    body: str
    to_email: str
    to_name: str
    sender_name: str | None
    sender_email: str | None
    is_gone: bool
    refuses: str
    sender_id: int | None
    end_user_id: int | None
    was_released: bool  # a person chose to send it now
    channel: str


@dataclass(frozen=True, slots=True)
class Payload:
    letter: Letter
    receipt: Receipt
    transport: GmailTransport | IntercomTransport | None = None  # else the workspace's mail server


@dataclass(frozen=True, slots=True)
class Origin:
    """Who wrote them: `column` finds their rows by their ids, `mail` is how those ids begin in a Message-ID."""

    column: str
    mail: str

    def drafts(self, ids: Collection[UUID]) -> dict[UUID, Draft]:
        """Locked until the transaction ends."""
        rows = fetch(_DRAFTS.format(own=self.column), {"tenant": current_tenant_id(), "ids": list(ids)})
        return {id: Draft(*found) for id, *found in rows}

    def keep_sent(self, receipts: Mapping[UUID, Receipt], *, now: datetime) -> None:
        """As they left. Whoever settles an uncertain one has only the receipt of its draft: its id is derived."""
        if not receipts:
            return
        fetch(
            _KEEP_SENT.format(own=self.column),
            {
                "tenant": current_tenant_id(),
                "now": now,
                "ids": list(receipts),
                "threads": [receipt.get("thread", "") for receipt in receipts.values()],
                "senders": [receipt["from_email"] for receipt in receipts.values()],
                "message_ids": [
                    receipt.get("message_id") or self.message_id(id, receipt["from_email"])
                    for id, receipt in receipts.items()
                ],
            },
        )

    def note_mailboxes(self, *, refused: Collection[UUID], sent: Collection[UUID], now: datetime) -> None:
        """A token that is refused is replaced; if that fails, too, or is no help, its owner hears of it."""
        rows = Conversation.objects.filter(**{f"{self.column}__in": [*refused, *sent]})
        senders = dict(rows.values_list(self.column, "sender_id"))
        sent_well({senders[id] for id in sent})
        want_tokens({senders[id] for id in refused}, now=now, refused=True)

    def message_id(self, id: UUID, sender_email: str) -> str:
        return message_id_of(id, sender_email, kind=self.mail)


RUNS = Origin("origin_run_id", "run")
PEOPLE = Origin("hand_id", "mail")

_DRAFTS = """
SELECT v.{own}, v.id, v.state, v.cancelled_by, v.subject, v.body, v.to_email, v.to_name, m.name, m.email,
    a.archived_at IS NOT NULL OR COALESCE(u.archived_at IS NOT NULL, true),
    CASE WHEN u.unsubscribed_at IS NOT NULL THEN 'unsubscribed'
         ELSE COALESCE((SELECT s.reason FROM accounts_suppression s
                        WHERE s.tenant_id = v.tenant_id AND s.email = lower(v.to_email)), '') END,
    v.sender_id, v.end_user_id, v.released_at IS NOT NULL, v.channel
FROM accounts_conversation v
JOIN accounts_account a ON a.tenant_id = v.tenant_id AND a.id = v.account_id
LEFT JOIN accounts_enduser u ON u.tenant_id = v.tenant_id AND u.id = v.end_user_id
LEFT JOIN tenancy_membership m ON m.tenant_id = v.tenant_id AND m.id = v.sender_id AND m.deactivated_at IS NULL
WHERE v.tenant_id = %(tenant)s AND v.{own} = ANY(%(ids)s::uuid[])
ORDER BY v.id FOR UPDATE OF v
"""
_KEEP_SENT = """
WITH sent AS (
    UPDATE accounts_conversation v SET state = 'sent', sent_at = %(now)s, thread = w.thread,
        lease_token = NULL, lease_until = NULL, problem = ''
    FROM unnest(%(ids)s::uuid[], %(threads)s::text[]) AS w(id, thread)
    WHERE v.tenant_id = %(tenant)s AND v.{own} = w.id AND v.state <> 'sent'
    RETURNING v.id, v.{own} AS own, v.sender_id, v.to_email, v.subject, v.body
)
INSERT INTO accounts_message (tenant_id, conversation_id, outgoing, message_id, from_email, to_email, subject, body, at)
SELECT %(tenant)s, s.id, true, w.message_id, w.from_email, s.to_email, s.subject, s.body, %(now)s
FROM sent s
JOIN unnest(%(ids)s::uuid[], %(message_ids)s::text[], %(senders)s::text[]) AS w(id, message_id, from_email)
    ON w.id = s.own
ON CONFLICT (tenant_id, message_id) DO NOTHING
"""


# --- the last look ----------------------------------------------------------------------------------------------------


def ready(
    origin: Origin, drafts: Mapping[UUID, Draft], *, now: datetime
) -> dict[UUID, Payload | Skipped | Held | Later]:
    """What each would leave with, or why it does not: asked in the transaction that marks it as being sent."""
    mailboxes = _mailboxes(drafts.values())
    return {id: _ready(origin, id, draft, mailboxes.get(draft.sender_id or 0), now=now) for id, draft in drafts.items()}


def _ready(
    origin: Origin, id: UUID, draft: Draft, mailbox: Mailbox | None, *, now: datetime
) -> Payload | Skipped | Held | Later:
    if draft.is_gone:
        return Skipped(GONE)
    if draft.refuses:
        return refusal(draft.to_name or draft.to_email, draft.refuses)
    if draft.sender_email is None:
        return Held("no_assignee", "Whoever was to send this is no longer active. Choose another sender, or skip it.")
    if draft.channel == Channel.GMAIL:
        return _from_own_mailbox(origin, id, draft, mailbox, now=now)
    return _payload(draft, _letter(origin, id, draft, draft.sender_email, now=now))


def refusal(name: str, reason: str) -> Skipped:
    words = {"unsubscribed": "has unsubscribed", "bounced": "has an address that bounces"}
    return Skipped(f"{name} {words.get(reason, 'must not be written to')}.")


def _mailboxes(drafts: Collection[Draft]) -> dict[int, Mailbox]:
    senders = {one.sender_id for one in drafts if one.channel == Channel.GMAIL}
    return {one.member_id: one for one in Mailbox.objects.filter(member__in=senders)} if senders else {}


def _from_own_mailbox(
    origin: Origin, id: UUID, draft: Draft, mailbox: Mailbox | None, *, now: datetime
) -> Payload | Held | Later:
    """Gmail writes in nobody's name but the mailbox's own."""
    if mailbox is None or mailbox.state == Mailbox.State.CONNECTING:
        why = f"{draft.sender_name} has no Gmail mailbox connected, as one does in the own profile."
        return Held("no_mailbox", f"{why} Choose another sender, or skip this.")
    if mailbox.state == Mailbox.State.NEEDS_REAUTH:
        why = f"{mailbox.email or draft.sender_name} refuses us: {mailbox.state_reason}"
        return Held("needs_reauth", f"{why} Its owner connects it again in the own profile.")
    if not mailbox.sends_at(now + timedelta(seconds=settings.LEASE_SECONDS)):
        want_tokens([mailbox.member_id], now=now)
        return Later(now + NEW_TOKEN, "Its mailbox is given a new token first.")
    letter = _letter(origin, id, draft, mailbox.email, now=now)
    try:
        return replace(_payload(draft, letter), transport=GmailTransport(mailbox.secrets()["access"]))
    except CannotOpen as error:
        return Held("needs_reauth", str(error))


def _letter(origin: Origin, id: UUID, draft: Draft, sender_email: str, *, now: datetime) -> Letter:
    return Letter(
        message_id=origin.message_id(id, sender_email),
        at=now,
        from_name=draft.sender_name or "",
        from_email=sender_email,
        to_name=draft.to_name,
        to_email=draft.to_email,
        subject=draft.subject,
        body=draft.body,
        unsubscribe_url=leave_of(draft.conversation_id).url,
    )


def _payload(draft: Draft, letter: Letter) -> Payload:
    receipt: Receipt = {
        "conversation_id": draft.conversation_id,
        "subject": draft.subject,
        "to_name": draft.to_name,
        "to_email": draft.to_email,
        "from_email": letter.from_email,
        "message_id": letter.message_id,
        "sent_at": letter.at.isoformat(),
    }
    return Payload(letter, receipt)


def by_intercom(key: str, going: Mapping[UUID, Payload], *, now: datetime) -> dict[UUID, Payload | Held | Later]:
    """As many as its bucket lets through, each with what it takes to speak there."""
    gate = connector_gate(key, Channel.INTERCOM.value, list(going), now=now)
    if gate.connector is None:
        return dict(gate.refused)
    transport = IntercomTransport(intercom_url(gate.connector.url), gate.secrets["secret"])
    return {id: replace(one, transport=transport) for id, one in going.items()} | dict(gate.refused)


# --- the call ---------------------------------------------------------------------------------------------------------


def send(payload: Payload, *, by: Server) -> DeliveryOutcome:
    """No database, no locks, and over well before its lease is."""
    if payload.transport is None:
        return _outcome(by.send(payload.letter), payload)
    return _outcome(payload.transport.send(payload.letter, seconds=settings.LEASE_SECONDS / 6), payload)


def _outcome(outcome: HttpOutcome, payload: Payload) -> DeliveryOutcome:
    match outcome:
        case Sent(reference):
            return Applied(payload.receipt | ({"thread": reference} if payload.transport else {}))
        case NotNow(reason, not_before, counts):
            return Retry(reason, not_before, counts)
        case Revoked(reason):
            return Held("token" if isinstance(payload.transport, GmailTransport) else "needs_reauth", reason)
        case Rejected(reason, unreachable):
            return Refused(reason, unreachable)
        case Unknown(reason):
            return Uncertain(reason)
