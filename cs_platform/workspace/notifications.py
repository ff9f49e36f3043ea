"""What team members are told: in the app, by mail at once, in the daily mail, or not at all, as each of them chose.

Telling only writes rows, in the transaction of what happened. Mail leaves later (errands.py).
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.db import transaction
from django.db.models import Q, QuerySet

from cs_platform.tenancy.context import current_tenant_id
from cs_platform.tenancy.models import Doer, Membership
from cs_platform.workspace.models import Notification, NotificationChoice
from cs_platform.workspace.outbox import announce

Kind = Notification.Kind
Mail = Notification.Mail
PAGE_SIZE = 30


@dataclass(frozen=True, slots=True)
class Choice:
    in_app: bool
    mail: str


@dataclass(frozen=True, slots=True)
class Message:
    text: str
    url: str
    subject: str = ""

    @property
    def facts(self) -> dict[str, str]:
        assert self.url.startswith("/"), f"{self.url} is no address of this site."
        return {"text": self.text[:300], "url": self.url[:300], "subject": self.subject}


DEFAULTS: Final[Mapping[str, Choice]] = {
    Kind.MENTION: Choice(True, Mail.NOW),
    Kind.ASSIGNMENT: Choice(True, Mail.DAILY),
    Kind.DUE: Choice(True, Mail.DAILY),
    Kind.JOB: Choice(True, Mail.OFF),
    Kind.HELD: Choice(True, Mail.NOW),
    Kind.APPROVAL: Choice(True, Mail.NOW),
    Kind.REPLY: Choice(True, Mail.DAILY),
    Kind.FAILURE: Choice(True, Mail.DAILY),
}


def notify(
    *,
    members: Iterable[Membership | None],
    kind: str,
    text: str,
    url: str,
    by: Doer | None,
    now: datetime,
    subject: str = "",
    once: str | None = None,
) -> int:
    """Tells the active ones among them, but never who did it. `once`: said to each only one time, ever.

    `url` is an address of this site. Returns how many were told.
    """
    message = Message(text, url, subject)
    said = {member.pk: message for member in members if member}
    return notify_each(said, kind=kind, by=by, now=now, once=once)


def notify_each(
    said: Mapping[int, Message], *, kind: str, by: Doer | None, now: datetime, once: str | None = None
) -> int:
    """As `notify`, with a message of their own for each member, by id: as many statements as for one."""
    wanted = said.keys() - {by.member.pk if by and by.member else None}
    common = {"kind": kind, "at": now, "once": once, "actor": by.actor if by else ""}
    rows = [
        Notification(member_id=pk, is_shown=choice.in_app, mail=choice.mail, **said[pk].facts, **common)
        for pk, choice in _choices_of(wanted, kind).items()
        if choice.in_app or choice.mail != Mail.OFF
    ]
    Notification.objects.bulk_create(rows, ignore_conflicts=once is not None)
    if any(row.mail == Mail.NOW for row in rows):
        announce(now)
    return len(rows)


def _choices_of(wanted: Collection[int], kind: str) -> dict[int, Choice]:
    if not wanted:
        return {}
    active = Membership.objects.active().in_tenant(current_tenant_id()).filter(pk__in=wanted).order_by("pk")
    chosen = {row.member_id: row for row in NotificationChoice.objects.filter(kind=kind, member__in=wanted)}
    return {pk: _choice(chosen.get(pk), kind) for pk in active.values_list("pk", flat=True)}


def _choice(row: NotificationChoice | None, kind: str) -> Choice:
    return Choice(row.in_app, row.mail) if row else DEFAULTS[kind]


# --- the bell ---------------------------------------------------------------------------------------------------------


def unread(member: Membership) -> QuerySet[Notification]:
    return Notification.objects.filter(member=member, read_at=None, is_shown=True)


@dataclass(frozen=True, slots=True)
class Page:
    notifications: list[Notification]
    next: int | None  # the last one shown, where there are older ones


def load_notifications(member: Membership, *, before: Notification | None = None, only_new: bool = False) -> Page:
    mine = Notification.objects.filter(member=member, is_shown=True)
    if only_new:
        mine = mine.filter(read_at=None)
    if before:
        mine = mine.filter(Q(at__lt=before.at) | Q(at=before.at, pk__lt=before.pk))
    found = list(mine.order_by("-at", "-pk")[: PAGE_SIZE + 1])
    shown = found[:PAGE_SIZE]
    return Page(shown, shown[-1].pk if len(found) > PAGE_SIZE else None)


def mark_read(notification: Notification, *, now: datetime) -> bool:
    return Notification.objects.filter(pk=notification.pk, read_at=None).update(read_at=now) == 1


def mark_unread(notification: Notification) -> bool:
    return Notification.objects.filter(pk=notification.pk, read_at__isnull=False).update(read_at=None) == 1


def mark_all_read(member: Membership, *, now: datetime) -> int:
    """Those that are there by now: what comes while somebody reads stays new."""
    mine = Notification.objects.filter(member=member, read_at=None, is_shown=True, at__lte=now)
    marked: int = mine.update(read_at=now)
    return marked


# --- what somebody wants to hear --------------------------------------------------------------------------------------


def choices(member: Membership) -> dict[str, Choice]:
    chosen = {row.kind: row for row in NotificationChoice.objects.filter(member=member)}
    return {kind: _choice(chosen.get(kind), kind) for kind in Kind.values}


def choose(member: Membership, wanted: Mapping[str, Choice]) -> None:
    """The kinds that are named; the others stay as they are."""
    with transaction.atomic():
        for kind, choice in wanted.items():
            NotificationChoice.objects.update_or_create(
                member=member, kind=Kind(kind), defaults={"in_app": choice.in_app, "mail": Mail(choice.mail)}
            )


def stop_mails(member: Membership, *, what: str) -> None:
    """All that comes at once, or all that comes daily: the kinds stay in the app as they were."""
    choose(member, {kind: Choice(one.in_app, Mail.OFF) for kind, one in choices(member).items() if one.mail == what})
