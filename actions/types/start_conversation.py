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
from django.utils.safestring import SafeString
from django.utils.timezone import localtime

from accounts.actors import Actor, load_actors
from accounts.conversations.sending import Hours, Traffic, the_policy
from accounts.conversations.suppressing import bounced
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
from actions.calls import ConnectorField, note_outcomes
from actions.choosing import UserRuleField
from actions.forms import ActionForm, ReviewField, RoleField, TemplateField
from actions.letters import GONE, RUNS, Draft, Payload, by_intercom, ready, refusal, send
from actions.people import CSM, Member, load_targets, role_words
from actions.subjects import users_of
from actions.variables import SENDER, USER, load_texts
from actions.widgets import Segmented
from cs_platform.common.message_templates import single_line
from cs_platform.common.statements import fetch
from cs_platform.connectors.smtp import SmtpTransport, is_address

State, Channel = Conversation.State, Conversation.Channel
TARGET, PRIMARY, MATCHING = "target", "primary", "matching"
FAN = "user:"
_BY: Mapping[str, str] = {Channel.GMAIL.value: "’s own Gmail", Channel.INTERCOM.value: " by Intercom"}


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
        return (Work(CONVERSATION, (config["sender"], CSM, config["fallback_sender"])),)

    def tell(self, config: Config, receipt: Receipt) -> str:
        if "fan_out" in receipt:
            return (
                f"Written to {receipt['fan_out']} {'user' if receipt['fan_out'] == 1 else 'users'}, each by themselves"
            )
        if "conversation_id" not in receipt:
            return f"Sent by hand: {config['subject']}"
        verb = "Email sent" if "message_id" in receipt else "Email drafted"
        return f"{verb} to {receipt['to_name'] or receipt['to_email']}: {receipt['subject']}"

    def since(self, receipts: Mapping[UUID, Receipt], *, now: datetime) -> Mapping[UUID, str]:
        ids = {
            run_id: receipt["conversation_id"] for run_id, receipt in receipts.items() if "conversation_id" in receipt
        }
        answered = Conversation.objects.filter(pk__in=ids.values()).exclude(replied_at=None)
        found = dict(answered.values_list("pk", "replied_at"))
        return {run_id: f"replied {localtime(found[id]):%-d %b}" for run_id, id in ids.items() if id in found}

    def prepare(self, batch: Batch) -> Mapping[UUID, PrepareOutcome]:
        fanned = _fan_out(batch)
        drafts = _drafts(replace(batch, runs=[run for run in batch.runs if run.id not in fanned]))
        wanted = {run_id: draft for run_id, draft in drafts.items() if isinstance(draft, _Draft)}
        prepared = _insert(batch, wanted) if wanted else {}
        return {**fanned, **{run_id: prepared.get(run_id) or draft for run_id, draft in drafts.items()}}  # type: ignore[misc]

    def load(self, batch: Batch) -> Mapping[UUID, Any]:
        found = RUNS.drafts(batch.run_ids)
        actors = load_actors({draft.cancelled_by for draft in found.values() if draft.cancelled_by})
        ended = {id: why for id in batch.run_ids if (why := _no_longer_a_draft(found.get(id), actors))}
        drafts = {id: draft for id, draft in found.items() if id not in ended}
        loaded: dict[UUID, Any] = ended | ready(RUNS, drafts, now=batch.now)
        loaded |= _not_yet(batch, {id: found[id] for id, payload in loaded.items() if isinstance(payload, Payload)})
        if _channel(batch.config) == Channel.INTERCOM:
            going = {id: one for id, one in loaded.items() if isinstance(one, Payload)}
            loaded |= by_intercom(batch.config["connector"], going, now=batch.now)
        _put_off(batch, {id: one.until for id, one in loaded.items() if isinstance(one, Later)})
        _mark(batch, State.SENDING, [run_id for run_id, payload in loaded.items() if isinstance(payload, Payload)])
        _withdraw(batch, [run_id for run_id, payload in loaded.items() if isinstance(payload, Skipped)])
        return loaded

    def deliver(self, payload: Any) -> DeliveryOutcome:
        return send(payload, by=self.transport)

    def record(self, batch: Batch, outcomes: Mapping[UUID, DeliveryOutcome]) -> None:
        by_kind: dict[type, list[UUID]] = {Applied: [], Retry: [], Refused: [], Uncertain: [], Held: []}
        for run_id, outcome in outcomes.items():
            by_kind[type(outcome)].append(run_id)
        sent = {run_id: outcomes[run_id].receipt for run_id in by_kind[Applied]}  # type: ignore[union-attr]
        RUNS.keep_sent(sent, now=batch.now)
        _mark(batch, State.PENDING, by_kind[Retry] + by_kind[Held])
        _mark(batch, State.FAILED, by_kind[Refused])
        _remember_bounces(batch, {id for id in by_kind[Refused] if outcomes[id].unreachable})  # type: ignore[union-attr]
        if _channel(batch.config) == Channel.GMAIL:
            RUNS.note_mailboxes(refused=by_kind[Held], sent=by_kind[Applied], now=batch.now)
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
            return refusal(recipient.name or recipient.email, recipient.refuses)
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


def _no_longer_a_draft(found: Draft | None, actors: Mapping[str, Actor]) -> Skipped | None:
    if found is None:
        return Skipped(GONE)
    if found.state == State.CANCELLED:
        return Skipped(f"The draft was cancelled by {actors[found.cancelled_by].name}.")
    if found.state not in (State.PENDING, State.SENDING, State.FAILED):  # a person may try again what was refused
        return Skipped(f"The draft is already {State(found.state).label.lower()}.")
    return None


def _not_yet(batch: Batch, ready: Mapping[UUID, Draft]) -> dict[UUID, Later]:
    """What is outside the sending hours, or would be too much; a person who said "now" is obeyed."""
    if not ready:
        return {}
    policy = the_policy()
    hours = Hours.of(policy, now=batch.now)
    senders, users = {one.sender_id for one in ready.values()}, {one.end_user_id for one in ready.values()}
    traffic = Traffic.lately(policy, senders=senders, users=users, now=batch.now)
    found = {run.id: _when(run, ready[run.id], hours, traffic) for run in batch.runs if run.id in ready}
    return {id: later for id, later in found.items() if later}


def _when(run: Run, draft: Draft, hours: Hours, traffic: Traffic) -> Later | None:
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


def _channel(config: Config) -> str:
    """What was published before there was a choice goes by the mail server."""
    return str(config.get("channel") or Channel.SMTP.value)


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
