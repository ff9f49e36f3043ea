"""Messages that people write by hand: each leaves at its time, once, from the row of its conversation.

1. The state “sending” and a lease are committed before the call: they are the marker.
2. Calls are in no transaction, and several are out at once.
3. What came of one is written down by whoever has the token of its lease. A worker that dies between marker and record
   leaves a lease that ends: the message may have left, so it is not repeated until a person says what is true.
"""

import logging
import random
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet

from accounts.conversations.suppressing import bounced, tell
from accounts.models import Conversation
from actions.base import Applied, DeliveryOutcome, Held, Later, Refused, Retry, Skipped, Uncertain
from actions.calls import note_outcomes
from actions.letters import NEW_TOKEN, PEOPLE, Payload, by_intercom, ready, send
from cs_platform.connectors.mailboxes import mailbox_of
from cs_platform.connectors.smtp import SmtpTransport
from cs_platform.tenancy.context import current_tenant_id, tenant_context
from cs_platform.tenancy.models import Doer, Membership, Tenant, WorkDue
from cs_platform.workspace.models import Notification
from cs_platform.workspace.notifications import notify

log = logging.getLogger(__name__)

State, Channel = Conversation.State, Conversation.Channel
AT_ONCE = 20
MOST_ATTEMPTS = 10
A_MOMENT = timedelta(seconds=30)
LATER = timedelta(minutes=10)  # when what waits for a person, or for a connection, is looked at again
LATE_AFTER = timedelta(hours=24)
TOO_LATE = "It is more than a day late."
Deliver = Callable[[Payload], DeliveryOutcome]


def send_by_people(tenant: Tenant, *, now: datetime, deliver: Deliver | None = None) -> int:
    """Taken up and written down in transactions of their own. Returns how many were looked at."""
    with tenant_context(tenant.pk):
        lost = _give_up_lost(now)
    last_start = time.monotonic() + settings.LEASE_SECONDS / 2
    with tenant_context(tenant.pk):
        taken = _taken_up(now)
    if taken.payloads:
        _deliver(tenant, taken, deliver or _directly, last_start, now)
    return lost + taken.looked_at


def _directly(payload: Payload) -> DeliveryOutcome:
    return send(payload, by=SmtpTransport())


# --- the marker -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Taken:
    token: UUID
    payloads: Mapping[UUID, Payload]
    looked_at: int


def _by_hand() -> QuerySet[Conversation]:
    return Conversation.objects.filter(hand_id__isnull=False)


def _taken_up(now: datetime) -> _Taken:
    """Once this has committed, the payloads may be sent: by nobody else, and by us only as long as the lease lasts."""
    due = _by_hand().filter(state=State.PENDING, send_at__lte=now)
    locked = due.select_for_update(no_key=True, skip_locked=True).select_related(None)
    rows = {row.hand_id: row for row in locked.order_by("send_at", "pk")[:AT_ONCE] if row.hand_id}
    token, loaded = uuid4(), _loaded(rows, now)
    payloads = {id: one for id, one in loaded.items() if isinstance(one, Payload)}
    lease = {"lease_token": token, "lease_until": now + timedelta(seconds=settings.LEASE_SECONDS)}
    _by_hand().filter(hand_id__in=payloads).update(state=State.SENDING, sending_at=now, **lease)
    for id, one in loaded.items():
        if not isinstance(one, Payload):
            _settle(rows[id], one, now)
    return _Taken(token, payloads, len(rows))


def _loaded(rows: Mapping[UUID, Conversation], now: datetime) -> dict[UUID, Any]:
    if not rows:
        return {}
    late = {id for id, row in rows.items() if now - row.send_at > LATE_AFTER}
    why = Skipped(f"{TOO_LATE} Send it again if it still says what you mean.")
    drafts = {id: draft for id, draft in PEOPLE.drafts(rows).items() if id not in late}
    loaded: dict[UUID, Any] = dict.fromkeys(late, why) | ready(PEOPLE, drafts, now=now)
    for key, ids in _of_intercoms(rows).items():
        going = {id: loaded[id] for id in ids if isinstance(loaded[id], Payload)}
        loaded |= by_intercom(key, going, now=now)
    return loaded


def _of_intercoms(rows: Mapping[UUID, Conversation]) -> dict[str, list[UUID]]:
    found: dict[str, list[UUID]] = defaultdict(list)
    for id, row in rows.items():
        if row.channel == Channel.INTERCOM:
            found[row.connector].append(id)
    return found


def _give_up_lost(now: datetime) -> int:
    """Their worker never came back: it may have died before the call, or after it."""
    lost = _by_hand().filter(state=State.SENDING, lease_until__lt=now)
    rows = list(lost.select_for_update(no_key=True, skip_locked=True).order_by("pk")[:AT_ONCE])
    for row in rows:
        _settle(row, Uncertain("The worker died while it was being sent."), now)
    return len(rows)


# --- the call, and its outcome ----------------------------------------------------------------------------------------


def _deliver(tenant: Tenant, taken: _Taken, deliver: Deliver, last_start: float, now: datetime) -> None:
    """An outcome that cannot be written down stays marked: nothing is repeated from here."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        calls = {pool.submit(_call, deliver, one, last_start): id for id, one in taken.payloads.items()}
        for call in as_completed(calls):
            try:
                with tenant_context(tenant.pk):
                    _write_down(taken.token, calls[call], call.result(), now)
            except Exception:
                log.exception("the outcome of message %s could not be written down", calls[call])


def _call(deliver: Deliver, payload: Payload, last_start: float) -> DeliveryOutcome:
    """Whoever was frozen too long begins nothing more: by now somebody may have been told that it is uncertain."""
    if time.monotonic() > last_start:
        return Retry("There was not enough time left to send it safely.", counts=False)
    try:
        return deliver(payload)
    except Exception as error:
        return Uncertain(f"It is not known whether it was sent: {error or type(error).__name__}")


def _write_down(token: UUID, id: UUID, outcome: DeliveryOutcome, now: datetime) -> None:
    """Also where its lease has ended meanwhile: what we know is better than not knowing. A person's word stands."""
    mine = _by_hand().filter(hand_id=id, lease_token=token)
    row = mine.select_for_update(no_key=True, of=("self",)).select_related("account__csm", "sender").first()
    if row is None:
        return
    if row.channel == Channel.GMAIL:
        refused, sent = isinstance(outcome, Held), isinstance(outcome, Applied)
        PEOPLE.note_mailboxes(refused=[id] if refused else [], sent=[id] if sent else [], now=now)
    if row.channel == Channel.INTERCOM:
        note_outcomes(row.connector, [outcome], now=now)
    if isinstance(outcome, Applied):
        PEOPLE.keep_sent({id: outcome.receipt}, now=now)
        name = row.to_name or row.to_email
        tell(row, "conversation.sent", f"Email sent to {name}: {row.subject}", now=now, actor=row.written_by)
        return
    _settle(row, outcome, now)
    if isinstance(outcome, Refused) and outcome.unreachable:
        bounced({row.pk: row.written_by}, now=now)


def _settle(row: Conversation, outcome: Any, now: datetime) -> None:
    """What did not leave, as far as is known."""
    end = _end_of(row, outcome, now)
    attempts = row.attempts + int(isinstance(outcome, Retry) and outcome.counts)
    lease = {} if end.state == State.UNCERTAIN else {"lease_token": None, "lease_until": None}
    changes = {"state": end.state, "problem": end.reason[:500], "send_at": end.again_at or row.send_at}
    Conversation.objects.filter(pk=row.pk).update(attempts=attempts, **changes, **lease)
    if end.says and row.state != end.state:
        tell(row, f"conversation.{end.state}", end.says, now=now, actor=row.written_by)
        _notify(row, end.says, now=now)


@dataclass(frozen=True, slots=True)
class _End:
    """`says`: what the account's timeline and the sender are told; nothing while it goes on by itself."""

    state: str
    reason: str
    again_at: datetime | None = None
    says: str = ""


def _end_of(row: Conversation, outcome: Any, now: datetime) -> _End:
    failed = f"“{row.subject}” to {row.to_name or row.to_email} was not sent"
    match outcome:
        case Later(until, reason):
            return _End(State.PENDING, reason, max(until, now + timedelta(seconds=1)))
        case Held("token", reason):
            return _End(State.PENDING, reason, now + NEW_TOKEN)
        case Held(_, reason):
            return _End(State.PENDING, reason, now + LATER)
        case Retry(reason, not_before, False):
            return _End(State.PENDING, reason, max(not_before or now, now + A_MOMENT))
        case Retry(reason, not_before) if row.attempts + 1 < MOST_ATTEMPTS:
            return _End(State.PENDING, reason, max(not_before or now, now + _backoff(row.attempts)))
        case Uncertain(reason):
            unknown = f"Nobody knows whether “{row.subject}” reached {row.to_name or row.to_email}: {reason}"
            return _End(State.UNCERTAIN, reason, says=unknown)
        case Skipped(reason) | Refused(reason) | Retry(reason):
            return _End(State.FAILED, reason, says=f"{failed}: {reason}")
    raise TypeError(f"{type(outcome).__name__} is no outcome of a message")


def _backoff(attempts: int) -> timedelta:
    return min(timedelta(hours=1), A_MOMENT * 3**attempts) * random.uniform(0.5, 1)


def _notify(row: Conversation, text: str, *, now: datetime) -> None:
    notify(
        members=[_writer(row), row.sender],
        kind=Notification.Kind.FAILURE,
        text=text,
        url=f"{row.account.get_absolute_url()}#conversations",
        subject=f"conversation:{row.pk}",
        by=None,
        now=now,
    )


def _writer(row: Conversation) -> Membership | None:
    kind, _colon, id = row.written_by.partition(":")
    members = Membership.objects.in_tenant(current_tenant_id()).active()
    return members.filter(pk=id).first() if kind == "person" else None


# --- by people --------------------------------------------------------------------------------------------------------


def it_arrived(conversation: Conversation, *, by: Doer, now: datetime) -> bool:
    """Somebody knows, where nobody did. False when it is not uncertain any more."""
    with transaction.atomic():
        row = _locked(conversation, [State.UNCERTAIN])
        if row is None or row.hand_id is None:
            return False
        PEOPLE.keep_sent({row.hand_id: {"from_email": _sent_from(row)}}, now=row.sending_at or now)
        tell(row, "conversation.settled", f"“{row.subject}” has arrived", now=now, actor=by.actor)
    return True


def send_again(conversation: Conversation, *, by: Doer, now: datetime) -> bool:
    """One that may not have arrived, or did not. False when it is neither any more."""
    with transaction.atomic():
        row = _locked(conversation, [State.UNCERTAIN, State.FAILED])
        if row is None:
            return False
        anew = {"state": State.PENDING, "send_at": now, "released_at": now, "attempts": 0, "problem": ""}
        Conversation.objects.filter(pk=row.pk).update(**anew, lease_token=None, lease_until=None)
        tell(row, "conversation.again", f"“{row.subject}” is sent again", now=now, actor=by.actor)
        WorkDue.announce(tenant_id=current_tenant_id(), queue=WorkDue.Queue.DELIVER, due_at=now)
    return True


def _locked(conversation: Conversation, states: Sequence[Conversation.State]) -> Conversation | None:
    rows = _by_hand().filter(pk=conversation.pk, state__in=states)
    return rows.select_for_update(no_key=True, of=("self",)).select_related("sender").first()


def _sent_from(row: Conversation) -> str:
    mailbox = mailbox_of(row.sender) if row.sender and row.channel == Channel.GMAIL else None
    return mailbox.email if mailbox else row.sender.email if row.sender else ""
