"""Mail to the team, one row each. A mail that may have left is never sent a second time.

Its text is put together in the transaction that marks it as on its way; the call itself holds no transaction.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from django.db import transaction

from cs_platform.connectors.base import NotNow, Outcome, Sent, Unknown
from cs_platform.connectors.smtp import Letter
from cs_platform.tenancy.context import current_tenant_id, tenant_context
from cs_platform.tenancy.models import WorkDue
from cs_platform.workspace.models import Notification, OutgoingMail

State = OutgoingMail.State
MOST_ATTEMPTS: Final = 8
LOST_AFTER: Final = timedelta(minutes=10)  # a mail whose worker died on the way
Send = Callable[[Letter], Outcome]
Compose = Callable[[OutgoingMail, datetime], Letter | None]


@dataclass(frozen=True, slots=True)
class Claimed:
    mail_id: int
    letter: Letter


def put(*, kind: str, once: str, now: datetime, **about: Any) -> bool:
    """False when it was put there before."""
    row = OutgoingMail(kind=kind, once=once, created_at=now, due_at=now, **about)
    made = OutgoingMail.objects.bulk_create([row], ignore_conflicts=True)
    announce(now)
    return bool(made)


def announce(now: datetime) -> None:
    """Once it is committed: the row is the whole workspace's, and nobody should wait for it. If that is lost, the next
    round comes anyway."""
    tenant_id = current_tenant_id()
    queue = WorkDue.Queue.ERRANDS
    transaction.on_commit(lambda: WorkDue.announce(tenant_id=tenant_id, queue=queue, due_at=now))


def send_one(*, tenant_id: int, compose: Compose, send: Send, clock: Callable[[], datetime]) -> bool:
    """The one that waits longest. False when none is due."""
    with tenant_context(tenant_id):
        claimed = _claim(compose, clock())
    if not isinstance(claimed, Claimed):
        return claimed
    outcome = send(claimed.letter)
    with tenant_context(tenant_id):
        _settle(claimed.mail_id, outcome, clock())
    return True


def _claim(compose: Compose, now: datetime) -> "Claimed | bool":
    """True when there was one, but nothing to say."""
    _give_up_lost(now)
    due = OutgoingMail.objects.filter(state=State.WAITING, due_at__lte=now).order_by("due_at", "pk")
    mail = due.select_for_update(skip_locked=True, no_key=True).first()
    if mail is None:
        return False
    letter = compose(mail, now)
    mail.state = State.SENDING if letter else State.EMPTY
    mail.attempts += 1
    mail.claimed_at = now
    mail.settled_at = None if letter else now
    mail.save(update_fields=["state", "attempts", "claimed_at", "settled_at"])
    return Claimed(mail.pk, letter) if letter else True


def _give_up_lost(now: datetime) -> None:
    lost = OutgoingMail.objects.filter(state=State.SENDING, claimed_at__lt=now - LOST_AFTER)
    lost.update(state=State.UNCERTAIN, settled_at=now, reason="The worker ended while it was on its way.")


def _settle(mail_id: int, outcome: Outcome, now: datetime) -> None:
    on_its_way = OutgoingMail.objects.filter(pk=mail_id, state=State.SENDING)
    attempts = on_its_way.values_list("attempts", flat=True).first() or 0
    if on_its_way.update(**_settled(outcome, attempts, now)) and isinstance(outcome, Sent):
        Notification.objects.filter(mailing=mail_id).update(mailed_at=now)


def _settled(outcome: Outcome, attempts: int, now: datetime) -> dict[str, Any]:
    match outcome:
        case Sent():
            return {"state": State.SENT, "settled_at": now}
        case Unknown(reason):
            return {"state": State.UNCERTAIN, "settled_at": now, "reason": reason[:500]}
        case NotNow(reason) if attempts < MOST_ATTEMPTS:
            wait = timedelta(minutes=2**attempts)
            return {"state": State.WAITING, "due_at": now + wait, "reason": reason[:500]}
        case _:
            return {"state": State.REFUSED, "settled_at": now, "reason": outcome.reason[:500]}
