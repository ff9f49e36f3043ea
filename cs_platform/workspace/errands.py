"""What is done for the team beside its work, workspace by workspace: daily mails, mails at once, looking into files,
bringing secrets under the present key.

A workspace is looked at when something announced itself, and every quarter of an hour, lest a morning is missed.
"""

import logging
import time
from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Final, Protocol
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import connection
from django.db.models import Max
from django.utils.module_loading import import_string

from cs_platform.connectors.managing import reseal
from cs_platform.connectors.smtp import SmtpTransport
from cs_platform.tenancy.clock import database_now
from cs_platform.tenancy.context import tenant_context
from cs_platform.tenancy.models import Membership, Tenant, WorkDue
from cs_platform.workspace import attachments
from cs_platform.workspace.letters import compose, due_parts
from cs_platform.workspace.models import Notification, OutgoingMail
from cs_platform.workspace.notifications import Kind, Mail, notify
from cs_platform.workspace.outbox import Send, State, put, send_one

log = logging.getLogger(__name__)

SECONDS: Final = 20.0
DIGEST_HOUR: Final = 7  # in each member's own zone
ROUND: Final = timedelta(minutes=15)
KEEP_READ: Final = timedelta(days=90)
KEEP_MAILS: Final = timedelta(days=30)
Clock = Callable[[], datetime]


class NoticeSource(Protocol):
    def tell(self, tenant: Tenant, *, now: datetime) -> None:
        """Notifies of what it finds, each once: it is asked every round."""


def run_errands(*, seconds: float = SECONDS, clock: Clock = database_now, send: Send | None = None) -> int:
    """Returns how many mails were dealt with."""
    ends_at = time.monotonic() + seconds
    deliver = send or SmtpTransport().send
    return sum(_take_turn(tenant, ends_at, clock, deliver) for tenant in _whose_turn(clock()))


def _whose_turn(now: datetime) -> list[Tenant]:
    _include_new(now)
    due = WorkDue.objects.filter(queue=WorkDue.Queue.ERRANDS, due_at__lte=now).select_related("tenant").order_by("?")
    return [work.tenant for work in due]


def _include_new(now: datetime) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO tenancy_workdue (tenant_id, queue, due_at) "
            "SELECT t.id, %(queue)s, %(now)s FROM tenancy_tenant t "
            "WHERE NOT EXISTS (SELECT FROM tenancy_workdue w WHERE w.tenant_id = t.id AND w.queue = %(queue)s) "
            "ON CONFLICT DO NOTHING",
            {"queue": WorkDue.Queue.ERRANDS, "now": now},
        )


def _take_turn(tenant: Tenant, ends_at: float, clock: Clock, send: Send) -> int:
    sent = 0
    try:
        _plan_next(tenant, clock())  # first: what is announced from here on brings the next look forward
        prepare(tenant, now=clock())
        while time.monotonic() < ends_at and send_one(tenant_id=tenant.pk, compose=compose, send=send, clock=clock):
            sent += 1
        _scan(tenant, ends_at)
        _retry_soon(tenant)
    except Exception:
        log.exception("the errands of workspace %s met an error", tenant.pk)
    return sent


def _plan_next(tenant: Tenant, now: datetime) -> None:
    WorkDue.objects.filter(tenant=tenant, queue=WorkDue.Queue.ERRANDS).update(due_at=now + ROUND)


def _retry_soon(tenant: Tenant) -> None:
    with tenant_context(tenant.pk):
        waiting = OutgoingMail.objects.filter(state=State.WAITING).order_by("due_at")
        due_at = waiting.values_list("due_at", flat=True).first()
        if due_at:
            WorkDue.announce(tenant_id=tenant.pk, queue=WorkDue.Queue.ERRANDS, due_at=due_at)


def prepare(tenant: Tenant, *, now: datetime) -> None:
    """Mails that are due become rows, each once; what is old goes."""
    with tenant_context(tenant.pk):
        for member in Membership.objects.active().in_tenant(tenant.pk).select_related("tenant").order_by("pk"):
            today = now.astimezone(ZoneInfo(member.zone))
            if today.hour >= DIGEST_HOUR:
                _begin_day(member, today.date(), now)
        for path in settings.NOTICE_SOURCES:
            import_string(path)().tell(tenant, now=now)
        _mail_at_once(now)
        reseal()
        Notification.objects.filter(read_at__lt=now - KEEP_READ).delete()
        OutgoingMail.objects.filter(settled_at__lt=now - KEEP_MAILS).delete()


def _begin_day(member: Membership, day: date, now: datetime) -> None:
    """Once a day, by the unique key of the mail's row: who puts it there also says what is due."""
    once = f"digest:{member.pk}:{day}"
    if not put(kind=OutgoingMail.Kind.DIGEST, once=once, member=member, now=now):
        return
    parts = due_parts(member, today=day)
    if parts:
        text = ", ".join(f"{part.total:,} {part.title}" for part in parts)
        url = parts[0].lines[0].url if sum(part.total for part in parts) == 1 else _cockpit(member)
        what = {"kind": Kind.DUE, "text": text[0].upper() + text[1:], "once": f"due:{day}"}
        Notification.objects.filter(member=member, kind=Kind.DUE, read_at=None).update(read_at=now)  # no news any more
        notify(members=[member], url=url, by=None, now=now, **what)


def _cockpit(member: Membership) -> str:
    return f"/w/{member.tenant.slug}/ctas/"


def _mail_at_once(now: datetime) -> None:
    """One mail for all that one member is to hear of now."""
    waiting = Notification.objects.filter(mail=Mail.NOW, mailing=None, mailed_at=None)
    newest = waiting.values("member").annotate(newest=Max("pk")).order_by("member")
    for member, pk in newest.values_list("member", "newest"):
        put(kind=OutgoingMail.Kind.NOTICE, once=f"notice:{member}:{pk}", member_id=member, now=now)


def _scan(tenant: Tenant, ends_at: float) -> None:
    while time.monotonic() < ends_at:
        with tenant_context(tenant.pk):
            waiting = attachments.unscanned()
            if waiting is None:
                return
            attachments.scan(waiting)
