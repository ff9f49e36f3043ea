"""What may leave through a connector at a moment, and what its answers do to it: bucket, breaker, and refusals."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import F

from cs_platform.connectors.models import Connector

FAILURES_IN_A_ROW = 10
BREAK = timedelta(minutes=5)
BURST_SECONDS = 5.0
TELL_AGAIN = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Gate:
    """`connector` lets `allowed` through; whoever comes after them waits until `later`, or for a person if `reason`."""

    connector: Connector | None
    allowed: int = 0
    later: datetime | None = None
    code: str = ""
    reason: str = ""


def pass_gate(key: str, kind: str, wanted: int, *, now: datetime) -> Gate:
    """Takes from the bucket what it lets through. The row is locked, so that workers share one bucket."""
    found = Connector.objects.present().select_for_update(no_key=True).filter(key=key, kind=kind).first()
    if found is None:
        why = f"There is no connector “{key}” any more. Set it up, or skip this."
        return Gate(None, code="no_connector", reason=why)
    if found.state == Connector.State.NEEDS_REAUTH:
        return Gate(found, code="needs_reauth", reason=refusal_of(found))
    if found.open_until and found.open_until > now:
        return Gate(found, later=found.open_until)
    rate = found.provider.per_second
    elapsed = max((now - found.filled_at).total_seconds(), 0.0)
    tokens = min(found.tokens + elapsed * rate, rate * BURST_SECONDS)
    # After a pause one goes first: if that fails, the pause begins anew.
    allowed = min(wanted, int(tokens), 1 if found.failures >= FAILURES_IN_A_ROW else wanted)
    Connector.objects.filter(pk=found.pk).update(tokens=tokens - allowed, filled_at=max(now, found.filled_at))
    missing = max(wanted - tokens, 1.0) / rate
    return Gate(found, allowed, now + timedelta(seconds=missing))


def refusal_of(connector: Connector) -> str:
    return f"{connector.name} refuses us: {connector.state_reason} Renew its secret, or try again, in the settings."


def note_answers(connector: Connector, *, good: int, bad: int, now: datetime) -> None:
    """Any good answer says that it is well; ten bad ones in a row pause it."""
    rows = Connector.objects.filter(pk=connector.pk)
    if good:
        rows.exclude(failures=0, open_until=None).update(failures=0, open_until=None)
    elif bad:
        rows.update(failures=F("failures") + bad)
        rows.filter(failures__gte=FAILURES_IN_A_ROW).update(open_until=now + BREAK)


def note_refusal(connector: Connector, reasons: Sequence[str], *, now: datetime) -> bool:
    """Nothing more is sent through it. True when somebody has to be told: once, and once a day at most."""
    rows = Connector.objects.filter(pk=connector.pk)
    rows.update(state=Connector.State.NEEDS_REAUTH, state_reason=reasons[0][:300])
    untold = rows.filter(told_at=None) | rows.filter(told_at__lte=now - TELL_AGAIN)
    return bool(untold.update(told_at=now))
