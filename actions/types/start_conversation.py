"""Write to a person at the account by email: drafted for review, looked at once more before it leaves, kept as sent."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django import forms

from accounts.actors import Actor, load_actors
from accounts.models import Conversation
from actions.base import (
    TALK,
    Applied,
    Batch,
    Config,
    DeliveryOutcome,
    ExternalAction,
    Held,
    Keep,
    Prepared,
    PrepareOutcome,
    Receipt,
    Refused,
    Retry,
    Run,
    Skipped,
    Uncertain,
    Undo,
    UndoDecision,
)
from actions.forms import ActionForm, RoleField, TemplateField
from actions.people import CSM, Member, load_targets, role_words
from actions.variables import SENDER, USER, load_texts
from cs_platform.common.message_templates import single_line
from cs_platform.common.statements import fetch
from cs_platform.connectors.base import NotNow, Outcome, Rejected, Sent, Unknown
from cs_platform.connectors.smtp import Letter, SmtpTransport, is_address, message_id_of

State = Conversation.State


class StartConversationForm(ActionForm):
    extra_scopes = (USER, SENDER)

    sender = RoleField(initial=CSM)
    fallback_sender = RoleField(required=False)
    subject = TemplateField()
    body = TemplateField(single_line=False)
    review_hours = forms.IntegerField(required=False, initial=0, min_value=0, max_value=24 * 14)


class StartConversation(ExternalAction):
    key = "start_conversation"
    label = "Start a conversation"
    icon = "mail"
    group = TALK
    summary = "An email, with time to review it"
    form = StartConversationForm
    sample = {
        "sender": "csm",
        "subject": "Renewal of {{ account.name }}",
        "body": 'Hello {{ user.first_name | default: "there" }},\n\nshall we talk?\n\n{{ sender.first_name }}',
        "review_hours": 24,
    }
    transport = SmtpTransport()

    def describe(self, config: Config) -> str:
        hours = config["review_hours"] or 0
        wait = f", after {hours} {'hour' if hours == 1 else 'hours'} for review" if hours else ""
        return f"Send “{config['subject']}” from {role_words(config['sender'])}{wait}"

    def describe_stop(self, config: Config) -> str:
        return "A message that still waits is cancelled. One that was sent cannot be unsent."

    def tell(self, config: Config, receipt: Receipt) -> str:
        if "conversation_id" not in receipt:
            return f"Sent by hand: {config['subject']}"
        verb = "Email sent" if "message_id" in receipt else "Email drafted"
        return f"{verb} to {receipt['to_name'] or receipt['to_email']}: {receipt['subject']}"

    def prepare(self, batch: Batch) -> Mapping[UUID, PrepareOutcome]:
        drafts = _drafts(batch)
        wanted = {run_id: draft for run_id, draft in drafts.items() if isinstance(draft, _Draft)}
        prepared = _insert(batch, wanted) if wanted else {}
        return {run_id: prepared.get(run_id) or draft for run_id, draft in drafts.items()}  # type: ignore[misc]

    def load(self, batch: Batch) -> Mapping[UUID, Any]:
        found = _pending(batch)
        actors = load_actors({pending.cancelled_by for pending in found.values() if pending.cancelled_by})
        loaded = {run.id: _payload(batch, run, found.get(run.id), actors) for run in batch.runs}
        _mark(batch, State.SENDING, [run_id for run_id, payload in loaded.items() if isinstance(payload, _Payload)])
        _withdraw(batch, [run_id for run_id, payload in loaded.items() if isinstance(payload, Skipped)])
        return loaded

    def deliver(self, payload: Any) -> DeliveryOutcome:
        return _outcome(self.transport.send(payload.letter), payload.receipt)

    def record(self, batch: Batch, outcomes: Mapping[UUID, DeliveryOutcome]) -> None:
        by_kind: dict[type, list[UUID]] = {Applied: [], Retry: [], Refused: [], Uncertain: []}
        for run_id, outcome in outcomes.items():
            by_kind[type(outcome)].append(run_id)
        _keep_sent(batch, {run_id: outcomes[run_id].receipt for run_id in by_kind[Applied]})  # type: ignore[union-attr]
        _mark(batch, State.PENDING, by_kind[Retry])
        _mark(batch, State.FAILED, by_kind[Refused])

    def decide(self, batch: Batch, *, lock: bool) -> Mapping[UUID, UndoDecision]:
        found = _conversations(batch, lock=lock)
        return {run.id: _decision(batch, run, found.get(run.id)) for run in batch.runs}

    def reverse(self, batch: Batch, decisions: Mapping[UUID, UndoDecision]) -> None:
        _withdraw(batch, [run_id for run_id, decision in decisions.items() if isinstance(decision, Undo)])

    def cancel(self, batch: Batch) -> None:
        _withdraw(batch, batch.run_ids)


# --- drafting ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Recipient:
    id: int
    name: str
    email: str
    refuses: str  # why we must not write, or ""


@dataclass(frozen=True, slots=True)
class _Draft:
    run: Run
    recipient: _Recipient
    sender: Member
    subject: str
    body: str


_REFUSES = """
CASE WHEN u.unsubscribed_at IS NOT NULL THEN 'unsubscribed'
     ELSE COALESCE((SELECT s.reason FROM accounts_suppression s
                    WHERE s.tenant_id = u.tenant_id AND s.email = lower(u.email)), '') END
"""
_OWN_USER = f"""
SELECT r.n, u.id, u.name, u.email, {_REFUSES}
FROM unnest(%(accounts)s::bigint[], %(users)s::bigint[]) WITH ORDINALITY AS r(account_id, end_user_id, n)
JOIN accounts_enduser u ON u.tenant_id = %(tenant)s AND u.id = r.end_user_id
WHERE u.archived_at IS NULL AND u.email <> ''
"""
# The primary contact: the key contact, else the first user who is an owner or an admin there.
_PRIMARY_CONTACT = f"""
SELECT r.n, u.id, u.name, u.email, {_REFUSES}
FROM unnest(%(accounts)s::bigint[]) WITH ORDINALITY AS r(account_id, n)
CROSS JOIN LATERAL (
    SELECT k.* FROM accounts_accountuser au
    JOIN accounts_enduser k ON k.tenant_id = au.tenant_id AND k.id = au.end_user_id
    WHERE au.tenant_id = %(tenant)s AND au.account_id = r.account_id AND k.archived_at IS NULL AND k.email <> ''
        AND (au.is_key_contact OR lower(au.role) IN ('owner', 'admin'))
    ORDER BY au.is_key_contact DESC, au.id
    LIMIT 1
) u
"""


def _recipients(batch: Batch) -> dict[UUID, _Recipient]:
    own = any(run.end_user_id for run in batch.runs)
    params = {
        "tenant": batch.tenant_id,
        "accounts": [run.account_id for run in batch.runs],
        "users": [run.end_user_id for run in batch.runs],
    }
    rows = fetch(_OWN_USER if own else _PRIMARY_CONTACT, params)
    return {batch.runs[n - 1].id: _Recipient(*found) for n, *found in rows if is_address(found[2])}


def _drafts(batch: Batch) -> dict[UUID, "_Draft | Skipped | Held"]:
    roles = [batch.config["sender"], batch.config["fallback_sender"]]
    targets = load_targets(batch, roles=roles)
    recipients = _recipients(batch)
    senders = {
        run.id: sender
        for run in batch.runs
        if targets.get(run.account_id)
        and (sender := targets.first(run.account_id, batch.config["sender"], CSM, batch.config["fallback_sender"]))
    }
    texts = load_texts(
        batch,
        {"subject": batch.config["subject"], "body": batch.config["body"]},
        recipients={run_id: recipient.id for run_id, recipient in recipients.items()},
        senders={run_id: sender.id for run_id, sender in senders.items()},
    )

    def draft(run: Run) -> _Draft | Skipped | Held:
        if targets.get(run.account_id) is None:
            return Skipped("The account is archived.")
        recipient, sender = recipients.get(run.id), senders.get(run.id)
        if recipient is None:
            return _nobody_to_write_to(run)
        if recipient.refuses:
            return _refusal(recipient.name or recipient.email, recipient.refuses)
        if sender is None:
            return _nobody_to_send(batch)
        text = texts.of(run)
        if isinstance(text, Held):
            return text
        return _Draft(run, recipient, sender, single_line(text["subject"]), text["body"])

    return {run.id: draft(run) for run in batch.runs}


def _nobody_to_send(batch: Batch) -> Held:
    who = role_words(batch.config["sender"])
    return Held("no_assignee", f"Nobody can send this: {who} is not set or no longer active, and no fallback is.")


def _nobody_to_write_to(run: Run) -> Held:
    if run.end_user_id:
        return Held("no_recipient", "The user has no email address that works. Add one, or skip this step.")
    return Held("no_recipient", "The account has no primary contact with an email address. Mark a key contact.")


def _refusal(name: str, reason: str) -> Skipped:
    words = {"unsubscribed": "has unsubscribed", "bounced": "has an address that bounces"}
    return Skipped(f"{name} {words.get(reason, 'must not be written to')}.")


_INSERT = """
INSERT INTO accounts_conversation (tenant_id, account_id, end_user_id, sender_id, channel, state, subject, body,
                                   to_email, to_name, send_at, created_at, cancelled_by, origin_run_id, origin_ordinal)
SELECT %(tenant)s, account_id, end_user_id, sender_id, 'smtp', 'pending', subject, body, to_email, to_name, %(send_at)s,
    %(now)s, '', run_id, 0
FROM unnest(%(accounts)s::bigint[], %(users)s::bigint[], %(senders)s::bigint[], %(subjects)s::text[],
            %(bodies)s::text[], %(emails)s::text[], %(names)s::text[], %(runs)s::uuid[])
    AS w(account_id, end_user_id, sender_id, subject, body, to_email, to_name, run_id)
ON CONFLICT (tenant_id, origin_run_id, origin_ordinal) DO UPDATE SET send_at = accounts_conversation.send_at
RETURNING origin_run_id, id, state, send_at
"""


def _insert(batch: Batch, drafts: Mapping[UUID, _Draft]) -> dict[UUID, Prepared | Skipped]:
    """A draft made earlier for the same run is found again, as a person may have left it."""
    rows = list(drafts.values())
    found = fetch(
        _INSERT,
        {
            "tenant": batch.tenant_id,
            "now": batch.now,
            "send_at": batch.now + timedelta(hours=batch.config["review_hours"] or 0),
            "accounts": [draft.run.account_id for draft in rows],
            "users": [draft.recipient.id for draft in rows],
            "senders": [draft.sender.id for draft in rows],
            "subjects": [draft.subject for draft in rows],
            "bodies": [draft.body for draft in rows],
            "emails": [draft.recipient.email for draft in rows],
            "names": [draft.recipient.name for draft in rows],
            "runs": [draft.run.id for draft in rows],
        },
    )
    return {run_id: _prepared(drafts[run_id], *row) for run_id, *row in found}


def _prepared(draft: _Draft, conversation_id: int, state: str, send_at: datetime) -> Prepared | Skipped:
    if state != State.PENDING:
        return Skipped(f"The draft is already {State(state).label.lower()}.")
    receipt = {
        "conversation_id": conversation_id,
        "subject": draft.subject,
        "to_name": draft.recipient.name,
        "to_email": draft.recipient.email,
        "from_email": draft.sender.email,
    }
    return Prepared(receipt, send_at)


# --- sending ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Payload:
    letter: Letter
    receipt: Receipt


@dataclass(frozen=True, slots=True)
class _Pending:
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


_PENDING = """
SELECT v.origin_run_id, v.id, v.state, v.cancelled_by, v.subject, v.body, v.to_email, v.to_name, m.name, m.email,
    a.archived_at IS NOT NULL OR COALESCE(u.archived_at IS NOT NULL, true),
    CASE WHEN u.unsubscribed_at IS NOT NULL THEN 'unsubscribed'
         ELSE COALESCE((SELECT s.reason FROM accounts_suppression s
                        WHERE s.tenant_id = v.tenant_id AND s.email = lower(v.to_email)), '') END
FROM accounts_conversation v
JOIN accounts_account a ON a.tenant_id = v.tenant_id AND a.id = v.account_id
LEFT JOIN accounts_enduser u ON u.tenant_id = v.tenant_id AND u.id = v.end_user_id
LEFT JOIN tenancy_membership m ON m.tenant_id = v.tenant_id AND m.id = v.sender_id AND m.deactivated_at IS NULL
WHERE v.tenant_id = %(tenant)s AND v.origin_run_id = ANY(%(runs)s::uuid[])
ORDER BY v.id FOR UPDATE OF v
"""


def _pending(batch: Batch) -> dict[UUID, _Pending]:
    rows = fetch(_PENDING, {"tenant": batch.tenant_id, "runs": batch.run_ids})
    return {run_id: _Pending(*found) for run_id, *found in rows}


def _payload(
    batch: Batch, run: Run, found: _Pending | None, actors: Mapping[str, Actor]
) -> "_Payload | Skipped | Held":
    if found is None or found.is_gone:
        return Skipped("The account or the user is archived.")
    if found.state == State.CANCELLED:
        return Skipped(f"The draft was cancelled by {actors[found.cancelled_by].name}.")
    if found.state not in (State.PENDING, State.SENDING, State.FAILED):  # a person may try again what was refused
        return Skipped(f"The draft is already {State(found.state).label.lower()}.")
    if found.refuses:
        return _refusal(found.to_name or found.to_email, found.refuses)
    if found.sender_email is None:
        return Held("no_assignee", "Whoever was to send this is no longer active. Choose another sender, or skip it.")
    letter = _letter(batch, run, found, found.sender_name or "", found.sender_email)
    return _Payload(letter, _sent_receipt(found, letter))


def _letter(batch: Batch, run: Run, found: _Pending, sender_name: str, sender_email: str) -> Letter:
    return Letter(
        message_id=message_id_of(run.id, sender_email),
        at=batch.now,
        from_name=sender_name,
        from_email=sender_email,
        to_name=found.to_name,
        to_email=found.to_email,
        subject=found.subject,
        body=found.body,
    )


def _sent_receipt(found: _Pending, letter: Letter) -> Receipt:
    return {
        "conversation_id": found.conversation_id,
        "subject": found.subject,
        "to_name": found.to_name,
        "to_email": found.to_email,
        "from_email": letter.from_email,
        "message_id": letter.message_id,
        "sent_at": letter.at.isoformat(),
    }


def _outcome(outcome: Outcome, receipt: Receipt) -> DeliveryOutcome:
    match outcome:
        case Sent():
            return Applied(receipt)
        case NotNow(reason, not_before):
            return Retry(reason, not_before)
        case Rejected(reason):
            return Refused(reason)
        case Unknown(reason):
            return Uncertain(reason)


def _mark(batch: Batch, state: str, run_ids: list[UUID]) -> None:
    if run_ids:
        fetch(
            "UPDATE accounts_conversation SET state = %(state)s WHERE tenant_id = %(tenant)s "
            "AND origin_run_id = ANY(%(runs)s::uuid[]) AND state IN ('pending', 'sending', 'failed')",
            {"state": state, "tenant": batch.tenant_id, "runs": run_ids},
        )


_KEEP_SENT = """
WITH sent AS (
    UPDATE accounts_conversation SET state = 'sent', sent_at = %(now)s
    WHERE tenant_id = %(tenant)s AND origin_run_id = ANY(%(runs)s::uuid[]) AND state <> 'sent'
    RETURNING id, origin_run_id, sender_id, to_email, subject, body
)
INSERT INTO accounts_message (tenant_id, conversation_id, outgoing, message_id, from_email, to_email, subject, body, at)
SELECT %(tenant)s, s.id, true, w.message_id, w.from_email, s.to_email, s.subject, s.body, %(now)s
FROM sent s
JOIN unnest(%(runs)s::uuid[], %(message_ids)s::text[], %(senders)s::text[]) AS w(run_id, message_id, from_email)
    ON w.run_id = s.origin_run_id
ON CONFLICT (tenant_id, message_id) DO NOTHING
"""


def _keep_sent(batch: Batch, receipts: Mapping[UUID, Receipt]) -> None:
    """The message as it left. Whoever settles an uncertain one has only the draft's receipt: its id is derived."""
    if not receipts:
        return
    fetch(
        _KEEP_SENT,
        {
            "tenant": batch.tenant_id,
            "now": batch.now,
            "runs": list(receipts),
            "senders": [receipt["from_email"] for receipt in receipts.values()],
            "message_ids": [
                receipt.get("message_id") or message_id_of(run_id, receipt["from_email"])
                for run_id, receipt in receipts.items()
            ],
        },
    )


# --- undo -------------------------------------------------------------------------------------------------------------


def _withdraw(batch: Batch, run_ids: list[UUID]) -> None:
    """Drafts of these runs never leave; what they say stays readable."""
    if run_ids:
        fetch(
            "UPDATE accounts_conversation SET state = 'cancelled', cancelled_by = %(actor)s "
            "WHERE tenant_id = %(tenant)s AND origin_run_id = ANY(%(runs)s::uuid[]) "
            "AND state IN ('pending', 'sending')",
            {"actor": batch.actor, "tenant": batch.tenant_id, "runs": run_ids},
        )


@dataclass(frozen=True, slots=True)
class _Found:
    state: str
    subject: str
    to: str
    sent_at: datetime | None


def _conversations(batch: Batch, *, lock: bool) -> dict[UUID, _Found]:
    rows = fetch(
        "SELECT origin_run_id, state, subject, COALESCE(NULLIF(to_name, ''), to_email), sent_at "
        "FROM accounts_conversation WHERE tenant_id = %(tenant)s AND origin_run_id = ANY(%(runs)s::uuid[]) "
        f"ORDER BY id {'FOR UPDATE' if lock else ''}",
        {"tenant": batch.tenant_id, "runs": batch.run_ids},
    )
    return {run_id: _Found(*found) for run_id, *found in rows}


def _decision(batch: Batch, run: Run, found: _Found | None) -> UndoDecision:
    if found is None:
        return Undo(f"“{batch.config['subject']}” will not be sent")
    if found.state == State.SENT and found.sent_at:
        day = found.sent_at.astimezone(ZoneInfo(run.timezone))
        return Keep("already_sent", f"“{found.subject}” was sent to {found.to} on {day.day} {day:%b}")
    if found.state == State.SENDING:
        return Keep("already_sent", f"“{found.subject}” to {found.to} is on its way and can no longer be stopped")
    if found.state == State.PENDING:
        return Undo(f"The draft “{found.subject}” to {found.to} is cancelled")
    return Undo(f"“{found.subject}” to {found.to} was never sent")
