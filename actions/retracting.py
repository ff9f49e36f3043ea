"""Messages that say that an earlier one no longer holds: what was sent cannot be unsent, but a step may name another
event that follows it when its playbook is stopped.

Each leaves once, under an id of its own by which the other side knows a repeat, so that what a crash leaves open is
sent again. Nothing waits for it: the stop is over before.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby

from django.db.models import Q

from accounts.models import TimelineEntry
from cs_platform.connectors.base import HttpOutcome, NotNow, Rejected, Revoked, Sent, Unknown
from cs_platform.connectors.models import Connector, Retraction
from cs_platform.connectors.outgoing import note_answers, note_refusal, pass_gate
from cs_platform.connectors.providers import Call
from cs_platform.connectors.sealing import CannotOpen
from cs_platform.tenancy.context import current_tenant_id, tenant_context
from cs_platform.tenancy.models import Tenant, WorkDue

State = Retraction.State
AT_ONCE = 5  # a few between deliveries: they are never urgent
SECONDS = 10.0
LOST_AFTER = timedelta(minutes=10)
MOST_ATTEMPTS = 10
LATER = timedelta(hours=1)


def put(rows: Sequence[Retraction], *, now: datetime) -> None:
    """One for each run, however often it is taken back."""
    if rows:
        Retraction.objects.bulk_create(rows, ignore_conflicts=True)
        WorkDue.announce(tenant_id=current_tenant_id(), queue=WorkDue.Queue.DELIVER, due_at=now)


def send_retractions(tenant: Tenant, *, now: datetime) -> int:
    """Taken up and written down in transactions of their own; the call is in none."""
    with tenant_context(tenant.pk):
        taken = _taken_up(now)
    for row, call in taken:
        outcome = call.deliver(seconds=SECONDS)
        with tenant_context(tenant.pk):
            _settle(row, outcome, now)
    return len(taken)


def _taken_up(now: datetime) -> list[tuple[Retraction, Call]]:
    due = Q(state=State.WAITING, due_at__lte=now) | Q(state=State.SENDING, due_at__lte=now - LOST_AFTER)
    rows = Retraction.objects.filter(due).select_for_update(skip_locked=True, no_key=True)
    found = sorted(rows.order_by("due_at", "pk")[:AT_ONCE], key=lambda row: (row.connector, row.kind, row.pk))
    groups = groupby(found, key=lambda row: (row.connector, row.kind))
    return [one for (key, kind), group in groups for one in _let_through(key, kind, list(group), now)]


def _let_through(key: str, kind: str, rows: list[Retraction], now: datetime) -> list[tuple[Retraction, Call]]:
    gate = pass_gate(key, kind, len(rows), now=now)
    try:
        secrets = gate.connector.secrets(now=now) if gate.connector and not gate.code else None
    except CannotOpen:
        secrets = None
    if gate.connector is None or secrets is None:
        _put_off(rows, until=gate.later or now + LATER, why=gate.reason)
        return []
    _put_off(rows[gate.allowed :], until=gate.later or now + LATER, why="The connector is busy.")
    going = rows[: gate.allowed]
    Retraction.objects.filter(pk__in=[row.pk for row in going]).update(state=State.SENDING, due_at=now)
    provider, url = gate.connector.provider, gate.connector.url
    return [
        (row, provider.call(row.message, url=url, secrets=secrets, id=f"undo-{row.run_id}", now=now)) for row in going
    ]


def _put_off(rows: Sequence[Retraction], *, until: datetime, why: str) -> None:
    Retraction.objects.filter(pk__in=[row.pk for row in rows]).update(
        state=State.WAITING, due_at=until, reason=why[:500]
    )


@dataclass(frozen=True, slots=True)
class _End:
    """What becomes of one, and what the account's timeline says of it; nothing while it goes on."""

    state: str
    says: str = ""
    reason: str = ""
    again_at: datetime | None = None


def _end_of(row: Retraction, outcome: HttpOutcome, now: datetime) -> _End:
    match outcome:
        case Sent():
            return _End(State.SENT, f"{row.name} was sent, since its playbook was stopped")
        case Rejected(reason):
            return _End(State.REFUSED, f"{row.name} could not be sent: {reason}", reason)
        case Revoked(reason):
            return _End(State.WAITING, "", reason, now + LATER)
        case NotNow(reason, not_before, False):
            return _End(State.WAITING, "", reason, not_before or now + LATER)
        case NotNow(reason) | Unknown(reason) if row.attempts + 1 >= MOST_ATTEMPTS:
            return _End(State.UNCERTAIN, f"Nobody knows whether {row.name} arrived: {reason}", reason)
        case NotNow(reason) | Unknown(reason):
            return _End(State.WAITING, "", reason, now + _backoff(row.attempts))


def _backoff(attempts: int) -> timedelta:
    """Up to an hour: all tries lie within the time for which the other side knows a repeat."""
    return min(timedelta(hours=1), timedelta(seconds=30) * 3**attempts) * random.uniform(0.5, 1)


def _settle(row: Retraction, outcome: HttpOutcome, now: datetime) -> None:
    end = _end_of(row, outcome, now)
    mine = Retraction.objects.filter(pk=row.pk, state=State.SENDING)
    over = None if end.state == State.WAITING else now
    changes = {"state": end.state, "reason": end.reason[:500], "due_at": end.again_at or now, "settled_at": over}
    moved = mine.update(**changes, attempts=row.attempts + (0 if isinstance(outcome, Revoked) else 1))
    _note(row, outcome, now)
    if moved and end.says:
        told = {"account_id": row.account_id, "at": now, "actor": row.actor}
        TimelineEntry.objects.create(kind="action.retracted", text=end.says, **told)


def _note(row: Retraction, outcome: HttpOutcome, now: datetime) -> None:
    """Its answers count for the connector like all others."""
    connector = Connector.objects.present().filter(key=row.connector, kind=row.kind).first()
    if connector is None:
        return
    if isinstance(outcome, Revoked):
        note_refusal(connector, [outcome.reason], now=now)
        return
    is_bad = isinstance(outcome, Unknown) or (isinstance(outcome, NotNow) and outcome.counts)
    note_answers(connector, good=int(isinstance(outcome, Sent)), bad=int(is_bad), now=now)
