"""Write to a person at the account by email: drafted for review, looked at once more before it leaves, kept as sent.

It leaves by the workspace's mail server, or from the mailbox that its sender has at Google.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django import forms
from django.conf import settings
from django.utils.safestring import SafeString

from accounts.actors import Actor, load_actors
from accounts.conversations.sending import Hours, Traffic, the_policy
from accounts.conversations.suppressing import bounced, leave_of
from accounts.models import Conversation
from actions.base import (
    CONVERSATION,
    TALK,
    Applied,
    Audience,
    Batch,
    Config,
    DeliveryOutcome,
    ExternalAction,
    FanOut,
    Held,
    Keep,
    Later,
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
    Work,
)
from actions.calls import ConnectorField, connector_gate, note_outcomes
from actions.choosing import UserRuleField
from actions.forms import ActionForm, ReviewField, RoleField, TemplateField
from actions.people import CSM, Member, load_targets, role_words
from actions.subjects import users_of
from actions.variables import SENDER, USER, load_texts
from actions.widgets import Segmented
from cs_platform.common.message_templates import single_line
from cs_platform.common.statements import fetch
from cs_platform.connectors.base import HttpOutcome, NotNow, Rejected, Revoked, Sent, Unknown
from cs_platform.connectors.google import GmailTransport
from cs_platform.connectors.intercom import IntercomTransport
from cs_platform.connectors.mailboxes import sent_well, want_tokens
from cs_platform.connectors.models import Mailbox
from cs_platform.connectors.providers import intercom_url
from cs_platform.connectors.sealing import CannotOpen
from cs_platform.connectors.smtp import Letter, SmtpTransport, is_address, message_id_of

State, Channel = Conversation.State, Conversation.Channel
TARGET, PRIMARY, MATCHING = "target", "primary", "matching"
FAN = "user:"
_BY: Mapping[str, str] = {Channel.GMAIL.value: "’s own Gmail", Channel.INTERCOM.value: " by Intercom"}
NEW_TOKEN = timedelta(seconds=10)


class StartConversationForm(ActionForm):
    extra_scopes = (USER, SENDER)
    also_redrawn_by = ("review_hours",)
    shown_when = {
        "connector": ("channel", frozenset({Channel.INTERCOM.value})),
        "filters": ("recipients", frozenset({MATCHING})),
    }

    side_by_side = (("sender", "recipients"),)

    channel = forms.ChoiceField(
        choices=[(Channel.SMTP, "Mail server"), (Channel.GMAIL, "Gmail"), (Channel.INTERCOM, "Intercom")],
        required=False,
        initial=Channel.SMTP,
        widget=Segmented(icons={Channel.SMTP: "send", Channel.GMAIL: "mail", Channel.INTERCOM: "message-circle"}),
    )
    connector = ConnectorField("intercom", required=False)
    sender = RoleField(label="From", initial=CSM)
    recipients = forms.ChoiceField(
        label="To",
        choices=[
            (TARGET, "The user, or primary contact"),
            (PRIMARY, "Primary contact"),
            (MATCHING, "Users who match"),
        ],
        initial=TARGET,
    )
    fallback_sender = RoleField(label="Otherwise from", required=False)
    filters = UserRuleField(label="Which users", required=False)
    subject = TemplateField()
    body = TemplateField(label="Message", single_line=False)
    review_hours = ReviewField(label="Before it is sent", required=False, initial=0, min_value=0, max_value=24 * 14)

    def render(self, *args: Any, **kwargs: Any) -> SafeString:
        """Whom a playbook is about is known, and for accounts that is the primary contact anyhow."""
        widget: Any = self.fields["recipients"].widget
        labels = dict(widget.choices)
        if self.audience is Audience.USERS:
            labels[TARGET] = "The user"
        elif self.audience is Audience.ACCOUNTS and self["recipients"].value() == PRIMARY:
            del labels[TARGET]
        elif self.audience is Audience.ACCOUNTS:
            labels[TARGET] = labels.pop(PRIMARY)
        widget.choices = list(labels.items())
        return super().render(*args, **kwargs)

    __str__ = __html__ = render  # type: ignore[assignment]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        cleaned["channel"] = cleaned.get("channel") or Channel.SMTP.value
        if cleaned["channel"] != Channel.INTERCOM:
            cleaned["connector"] = ""
        elif not cleaned.get("connector") and "connector" not in self.errors:
            self.add_error("connector", "Say by which Intercom it goes.")
        if cleaned.get("recipients") != MATCHING:
            return cleaned | {"filters": None}
        if not cleaned.get("filters") and "filters" not in self.errors:
            self.add_error("filters", "Say which users are written to.")
        return cleaned


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
        whom = {PRIMARY: " to the primary contact", MATCHING: " to each user who matches"}
        to = whom.get(config["recipients"], "")
        by = _BY.get(_channel(config), "")
        return f"Send “{config['subject']}”{to} from {role_words(config['sender'])}{by}{wait}"

    def describe_stop(self, config: Config) -> str:
        return "A message that still waits is cancelled. One that was sent cannot be unsent."

    def stop_in_brief(self, config: Config) -> str:
        return "Not sent if still pending"

    def gives(self, config: Config) -> Sequence[Work]:
        return (Work(CONVERSATION, config["sender"], config["fallback_sender"]),)

    def tell(self, config: Config, receipt: Receipt) -> str:
        if "fan_out" in receipt:
            return (
                f"Written to {receipt['fan_out']} {'user' if receipt['fan_out'] == 1 else 'users'}, each by themselves"
            )
        if "conversation_id" not in receipt:
            return f"Sent by hand: {config['subject']}"
        verb = "Email sent" if "message_id" in receipt else "Email drafted"
        return f"{verb} to {receipt['to_name'] or receipt['to_email']}: {receipt['subject']}"

    def prepare(self, batch: Batch) -> Mapping[UUID, PrepareOutcome]:
        fanned = _fan_out(batch)
        drafts = _drafts(replace(batch, runs=[run for run in batch.runs if run.id not in fanned]))
        wanted = {run_id: draft for run_id, draft in drafts.items() if isinstance(draft, _Draft)}
        prepared = _insert(batch, wanted) if wanted else {}
        return {**fanned, **{run_id: prepared.get(run_id) or draft for run_id, draft in drafts.items()}}  # type: ignore[misc]

    def load(self, batch: Batch) -> Mapping[UUID, Any]:
        found = _pending(batch)
        actors = load_actors({pending.cancelled_by for pending in found.values() if pending.cancelled_by})
        mailboxes = _mailboxes(found.values())
        loaded: dict[UUID, Any] = {
            run.id: _payload(batch, run, found.get(run.id), actors, mailboxes) for run in batch.runs
        }
        loaded |= _not_yet(batch, {id: found[id] for id, payload in loaded.items() if isinstance(payload, _Payload)})
        if _channel(batch.config) == Channel.INTERCOM:
            loaded |= _by_intercom(batch, {id: one for id, one in loaded.items() if isinstance(one, _Payload)})
        _put_off(batch, {id: one.until for id, one in loaded.items() if isinstance(one, Later)})
        _mark(batch, State.SENDING, [run_id for run_id, payload in loaded.items() if isinstance(payload, _Payload)])
        _withdraw(batch, [run_id for run_id, payload in loaded.items() if isinstance(payload, Skipped)])
        return loaded

    def deliver(self, payload: Any) -> DeliveryOutcome:
        if payload.transport is None:
            return _outcome(self.transport.send(payload.letter), payload)
        return _outcome(payload.transport.send(payload.letter, seconds=settings.LEASE_SECONDS / 6), payload)

    def record(self, batch: Batch, outcomes: Mapping[UUID, DeliveryOutcome]) -> None:
        by_kind: dict[type, list[UUID]] = {Applied: [], Retry: [], Refused: [], Uncertain: [], Held: []}
        for run_id, outcome in outcomes.items():
            by_kind[type(outcome)].append(run_id)
        _keep_sent(batch, {run_id: outcomes[run_id].receipt for run_id in by_kind[Applied]})  # type: ignore[union-attr]
        _mark(batch, State.PENDING, by_kind[Retry] + by_kind[Held])
        _mark(batch, State.FAILED, by_kind[Refused])
        _remember_bounces(batch, {id for id in by_kind[Refused] if outcomes[id].unreachable})  # type: ignore[union-attr]
        if _channel(batch.config) == Channel.GMAIL:
            _note_mailboxes(batch, refused=by_kind[Held], sent=by_kind[Applied])
        if _channel(batch.config) == Channel.INTERCOM:
            note_outcomes(batch.config["connector"], outcomes.values(), now=batch.now)

    def decide(self, batch: Batch, *, lock: bool) -> Mapping[UUID, UndoDecision]:
        found = _conversations(batch, lock=lock)
        return {run.id: _decision(batch, run, found.get(run.id)) for run in batch.runs}

    def reverse(self, batch: Batch, decisions: Mapping[UUID, UndoDecision]) -> None:
        _withdraw(batch, [run_id for run_id, decision in decisions.items() if isinstance(decision, Undo)])

    def cancel(self, batch: Batch) -> None:
        _withdraw(batch, batch.run_ids)


# --- to whom ----------------------------------------------------------------------------------------------------------


def _fan_out(batch: Batch) -> dict[UUID, FanOut | Skipped | Held]:
    """Runs that write to each user who matches, before they have become a run for each."""
    parents = [run for run in batch.runs if batch.config["recipients"] == MATCHING and not run.fan_key]
    found = users_of(batch, parents, batch.config["filters"]) if parents else {}
    if isinstance(found, Held):
        return dict.fromkeys([run.id for run in parents], found)
    return {id: _recipients_of(users) for id, users in found.items()}


def _recipients_of(users: Sequence[int]) -> FanOut | Skipped:
    keys = [f"{FAN}{id}" for id in users]
    return FanOut({"fan_out": len(keys)}, keys) if keys else Skipped("No user of the account matches.")


def _addressee(batch: Batch, run: Run) -> int | None:
    """The user it is written to; None: the account's primary contact."""
    if run.fan_key:
        return int(run.fan_key.removeprefix(FAN))
    return run.end_user_id if batch.config["recipients"] == TARGET else None


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
    users = [_addressee(batch, run) for run in batch.runs]
    own = any(users)
    params = {"tenant": batch.tenant_id, "accounts": [run.account_id for run in batch.runs], "users": users}
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
            return _nobody_to_write_to(_addressee(batch, run))
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


def _nobody_to_write_to(user_id: int | None) -> Held:
    if user_id:
        return Held("no_recipient", "The user has no email address that works. Add one, or skip this step.")
    return Held("no_recipient", "The account has no primary contact with an email address. Mark a key contact.")


def _refusal(name: str, reason: str) -> Skipped:
    words = {"unsubscribed": "has unsubscribed", "bounced": "has an address that bounces"}
    return Skipped(f"{name} {words.get(reason, 'must not be written to')}.")


_INSERT = """
INSERT INTO accounts_conversation (tenant_id, account_id, end_user_id, sender_id, channel, state, subject, body,
                                   to_email, to_name, send_at, created_at, cancelled_by, origin_run_id, origin_ordinal)
SELECT %(tenant)s, account_id, end_user_id, sender_id, %(channel)s, 'pending', subject, body, to_email, to_name,
    send_at, %(now)s, '', run_id, 0
FROM unnest(%(accounts)s::bigint[], %(users)s::bigint[], %(senders)s::bigint[], %(subjects)s::text[],
            %(bodies)s::text[], %(emails)s::text[], %(names)s::text[], %(runs)s::uuid[], %(send_at)s::timestamptz[])
    AS w(account_id, end_user_id, sender_id, subject, body, to_email, to_name, run_id, send_at)
ON CONFLICT (tenant_id, origin_run_id, origin_ordinal) DO UPDATE SET send_at = accounts_conversation.send_at
RETURNING origin_run_id, id, state, send_at
"""


def _insert(batch: Batch, drafts: Mapping[UUID, _Draft]) -> dict[UUID, Prepared | Skipped]:
    """A draft made earlier for the same run is found again, as a person may have left it."""
    rows = list(drafts.values())
    hours, reviewed_at = (
        Hours.of(the_policy(), now=batch.now),
        batch.now + timedelta(hours=batch.config["review_hours"] or 0),
    )
    found = fetch(
        _INSERT,
        {
            "tenant": batch.tenant_id,
            "now": batch.now,
            "channel": _channel(batch.config),
            "send_at": [hours.next_open(reviewed_at, draft.run.timezone) for draft in rows],
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
    transport: GmailTransport | IntercomTransport | None = None  # else the workspace's mail server


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
    sender_id: int | None
    end_user_id: int | None
    was_released: bool  # a person chose to send it now
    channel: str


_PENDING = """
SELECT v.origin_run_id, v.id, v.state, v.cancelled_by, v.subject, v.body, v.to_email, v.to_name, m.name, m.email,
    a.archived_at IS NOT NULL OR COALESCE(u.archived_at IS NOT NULL, true),
    CASE WHEN u.unsubscribed_at IS NOT NULL THEN 'unsubscribed'
         ELSE COALESCE((SELECT s.reason FROM accounts_suppression s
                        WHERE s.tenant_id = v.tenant_id AND s.email = lower(v.to_email)), '') END,
    v.sender_id, v.end_user_id, v.released_at IS NOT NULL, v.channel
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
    batch: Batch,
    run: Run,
    found: _Pending | None,
    actors: Mapping[str, Actor],
    mailboxes: Mapping[int, Mailbox],
) -> "_Payload | Skipped | Held | Later":
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
    if found.channel == Channel.GMAIL:
        return _from_own_mailbox(batch, run, found, mailboxes.get(found.sender_id or 0))
    letter = _letter(batch, run, found, found.sender_name or "", found.sender_email)
    return _Payload(letter, _sent_receipt(found, letter))


def _mailboxes(pending: Collection[_Pending]) -> dict[int, Mailbox]:
    senders = {one.sender_id for one in pending if one.channel == Channel.GMAIL}
    return {one.member_id: one for one in Mailbox.objects.filter(member__in=senders)} if senders else {}


def _from_own_mailbox(batch: Batch, run: Run, found: _Pending, mailbox: Mailbox | None) -> "_Payload | Held | Later":
    """Gmail writes in nobody's name but the mailbox's own."""
    if mailbox is None or mailbox.state == Mailbox.State.CONNECTING:
        why = f"{found.sender_name} has no Gmail mailbox connected, as one does in the own profile."
        return Held("no_mailbox", f"{why} Choose another sender, or skip this.")
    if mailbox.state == Mailbox.State.NEEDS_REAUTH:
        why = f"{mailbox.email or found.sender_name} refuses us: {mailbox.state_reason}"
        return Held("needs_reauth", f"{why} Its owner connects it again in the own profile.")
    if not mailbox.sends_at(batch.now + timedelta(seconds=settings.LEASE_SECONDS)):
        want_tokens([mailbox.member_id], now=batch.now)
        return Later(batch.now + NEW_TOKEN, "Its mailbox is given a new token first.")
    letter = _letter(batch, run, found, found.sender_name or "", mailbox.email)
    try:
        return _Payload(letter, _sent_receipt(found, letter), GmailTransport(mailbox.secrets()["access"]))
    except CannotOpen as error:
        return Held("needs_reauth", str(error))


def _not_yet(batch: Batch, ready: Mapping[UUID, _Pending]) -> dict[UUID, Later]:
    """What is outside the sending hours, or would be too much; a person who said "now" is obeyed."""
    if not ready:
        return {}
    policy = the_policy()
    hours = Hours.of(policy, now=batch.now)
    senders, users = {one.sender_id for one in ready.values()}, {one.end_user_id for one in ready.values()}
    traffic = Traffic.lately(policy, senders=senders, users=users, now=batch.now)
    found = {run.id: _when(run, ready[run.id], hours, traffic) for run in batch.runs if run.id in ready}
    return {id: later for id, later in found.items() if later}


def _when(run: Run, draft: _Pending, hours: Hours, traffic: Traffic) -> Later | None:
    free_at = traffic.free_at(draft.sender_id, draft.end_user_id)
    leaves_at = traffic.now if draft.was_released else hours.next_open(free_at, run.timezone)
    if leaves_at <= traffic.now:
        traffic.leaves(draft.sender_id, draft.end_user_id)
        return None
    if free_at > traffic.now:
        return Later(leaves_at, "Its mailbox, or whom it goes to, has had as many as the workspace allows.")
    return Later(leaves_at, "It waits for the sending hours.")


def _put_off(batch: Batch, until: Mapping[UUID, datetime]) -> None:
    """So that whoever looks at it sees when it leaves."""
    if until:
        fetch(
            "UPDATE accounts_conversation v SET send_at = w.send_at"
            " FROM unnest(%s::uuid[], %s::timestamptz[]) AS w(run_id, send_at)"
            " WHERE v.tenant_id = %s AND v.origin_run_id = w.run_id AND v.state = 'pending'",
            [list(until), list(until.values()), batch.tenant_id],
        )


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
        unsubscribe_url=leave_of(found.conversation_id).url,
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


def _channel(config: Config) -> str:
    """What was published before there was a choice goes by the mail server."""
    return str(config.get("channel") or Channel.SMTP.value)


def _by_intercom(batch: Batch, ready: Mapping[UUID, _Payload]) -> dict[UUID, "_Payload | Held | Later"]:
    """As many as its bucket lets through, each with what it takes to speak there."""
    gate = connector_gate(batch.config["connector"], Channel.INTERCOM.value, list(ready), now=batch.now)
    if gate.connector is None:
        return dict(gate.refused)
    transport = IntercomTransport(intercom_url(gate.connector.url), gate.secrets["secret"])
    return {id: replace(one, transport=transport) for id, one in ready.items()} | dict(gate.refused)


def _note_mailboxes(batch: Batch, *, refused: Sequence[UUID], sent: Sequence[UUID]) -> None:
    """A token that is refused is replaced; if that fails, too, or is no help, its owner hears of it."""
    senders = dict(
        Conversation.objects.filter(origin_run_id__in=[*refused, *sent]).values_list("origin_run_id", "sender_id")
    )
    sent_well({senders[id] for id in sent})
    want_tokens({senders[id] for id in refused}, now=batch.now, refused=True)


def _outcome(outcome: HttpOutcome, payload: _Payload) -> DeliveryOutcome:
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


def _mark(batch: Batch, state: str, run_ids: list[UUID]) -> None:
    if run_ids:
        fetch(
            "UPDATE accounts_conversation SET state = %(state)s, "
            "sending_at = CASE WHEN %(state)s = 'sending' THEN %(now)s ELSE sending_at END "
            "WHERE tenant_id = %(tenant)s "
            "AND origin_run_id = ANY(%(runs)s::uuid[]) AND state IN ('pending', 'sending', 'failed')",
            {"state": state, "tenant": batch.tenant_id, "runs": run_ids, "now": batch.now},
        )


def _remember_bounces(batch: Batch, run_ids: Collection[UUID]) -> None:
    receipts = {run.writer: run.receipt for run in batch.runs if run.id in run_ids and run.receipt}
    bounced({receipt["conversation_id"]: writer for writer, receipt in receipts.items()}, now=batch.now)


_KEEP_SENT = """
WITH sent AS (
    UPDATE accounts_conversation v SET state = 'sent', sent_at = %(now)s,
        thread = w.thread
    FROM unnest(%(runs)s::uuid[], %(threads)s::text[]) AS w(run_id, thread)
    WHERE v.tenant_id = %(tenant)s AND v.origin_run_id = w.run_id AND v.state <> 'sent'
    RETURNING v.id, v.origin_run_id, v.sender_id, v.to_email, v.subject, v.body
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
            "threads": [receipt.get("thread", "") for receipt in receipts.values()],
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
    if run.receipt and "fan_out" in run.receipt:
        return Undo("No further users of the account are written to")
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
