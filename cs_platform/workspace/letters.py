"""What the mails to the team say. Plain text: it reads the same everywhere, and nothing in it is loaded."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from email.utils import parseaddr
from typing import Final, Protocol
from zoneinfo import ZoneInfo

from django.conf import settings
from django.core import signing
from django.urls import reverse
from django.utils.module_loading import import_string

from cs_platform.connectors.smtp import Letter, message_id_of
from cs_platform.tenancy.models import Membership
from cs_platform.workspace.comments import author_names
from cs_platform.workspace.invitations import LIVES, new_token
from cs_platform.workspace.models import Notification, OutgoingMail
from cs_platform.workspace.notifications import Kind, Mail, choices

LISTED: Final = 50  # of each part; the mail says how many more there are
STOP_SALT: Final = "stop mail"
NOUNS: Final = {
    Kind.MENTION: ("mention", "mentions"),
    Kind.ASSIGNMENT: ("assignment", "assignments"),
    Kind.DUE: ("reminder", "reminders"),
    Kind.JOB: ("job that ended", "jobs that ended"),
    Kind.HELD: ("held check", "held checks"),
    Kind.APPROVAL: ("action to approve", "actions to approve"),
    Kind.REPLY: ("answer", "answers"),
    Kind.FAILURE: ("failure", "failures"),
}


@dataclass(frozen=True, slots=True)
class Line:
    text: str
    url: str


@dataclass(frozen=True, slots=True)
class Part:
    """A heading with its lines, and how many there are in all."""

    title: str
    lines: Sequence[Line]
    total: int


class LetterSource(Protocol):
    def __call__(self, mail: OutgoingMail, now: datetime) -> Letter | None:
        """What this mail says; None when there is nothing to say any more."""


class DigestSource(Protocol):
    def parts(self, member: Membership, *, today: date) -> Sequence[Part]:
        """What of theirs is late or due today, at most LISTED lines each; parts without lines are left out."""


def compose(mail: OutgoingMail, now: datetime) -> Letter | None:
    """None when there is nothing to say any more."""
    match mail.kind:
        case OutgoingMail.Kind.INVITATION:
            return _invitation(mail, now)
        case OutgoingMail.Kind.NOTICE:
            return _notice(mail, now)
        case OutgoingMail.Kind.DIGEST:
            return _digest(mail, now)
        case _:
            letter: Letter | None = import_string(settings.LETTER_SOURCES[mail.kind])(mail, now)
            return letter


def due_parts(member: Membership, *, today: date) -> list[Part]:
    sources = (import_string(path)() for path in settings.DIGEST_SOURCES)
    return [part for source in sources for part in source.parts(member, today=today)]


# --- the three kinds --------------------------------------------------------------------------------------------------


def _invitation(mail: OutgoingMail, now: datetime) -> Letter | None:
    invitation = mail.invitation
    if invitation is None or invitation.accepted_at or invitation.revoked_at or invitation.expires_at <= now:
        return None
    link = _absolute(reverse("join", args=[new_token(invitation)]))
    by, where = invitation.invited_by.name, invitation.tenant.name
    hours = int(LIVES.total_seconds() // 3600)
    text = (
        f"{by} invites you to {where} on CS Platform, as {invitation.get_role_display()}.\n\n"
        f"Follow this link to join. It works once, for {hours} hours, and for this address:\n\n"
        f"{link}\n\nIf you do not know {by}, do nothing.\n"
    )
    return letter_to(mail, now, to=("", invitation.email), subject=f"{by} invites you to {where}", body=text)


def _notice(mail: OutgoingMail, now: datetime) -> Letter | None:
    member = mail.member
    told = _taken(mail, Mail.NOW)
    if member is None or member.deactivated_at or not told:
        return None
    subject = told[0].text if len(told) == 1 else f"{told[0].text}, and {len(told) - 1} more"
    return _to_member(mail, now, subject=subject, body=_list(_said(told)), what=Mail.NOW)


def _digest(mail: OutgoingMail, now: datetime) -> Letter | None:
    member = mail.member
    if member is None or member.deactivated_at:
        return None
    today = now.astimezone(ZoneInfo(member.zone)).date()
    wants_due = choices(member)[Kind.DUE].mail == Mail.DAILY
    parts = due_parts(member, today=today) if wants_due else []
    told = [one for one in _taken(mail, Mail.DAILY) if one.kind != Kind.DUE]
    for kind in Kind:
        if mine := [one for one in told if one.kind == kind]:
            one, many = NOUNS[kind]
            parts.append(Part(one if len(mine) == 1 else many, _said(mine[:LISTED]), len(mine)))
    if not parts:
        return None
    subject = f"{today:%A %-d %B}: " + ", ".join(f"{part.total:,} {part.title}" for part in parts)
    return _to_member(mail, now, subject=subject, body="\n\n".join(map(_part, parts)), what=Mail.DAILY)


def _taken(mail: OutgoingMail, how: str) -> list[Notification]:
    """What waits for this mail is this mail's from now on; what was read meanwhile needs no mail."""
    waiting = Notification.objects.filter(member=mail.member, mail=how, mailing=None, mailed_at=None)
    waiting.update(mailing=mail)
    return list(Notification.objects.filter(mailing=mail, read_at=None).order_by("at", "pk"))


# --- text -------------------------------------------------------------------------------------------------------------


def _said(told: Iterable[Notification]) -> list[Line]:
    shown = list(told)
    names = author_names({one.actor for one in shown if one.actor})
    return [Line(f"{names[one.actor]}: {one.text}" if one.actor else one.text, one.url) for one in shown]


def _part(part: Part) -> str:
    more = f"\n…and {part.total - len(part.lines):,} more" if part.total > len(part.lines) else ""
    return f"{part.title.upper()} ({part.total:,})\n\n{_list(part.lines)}{more}"


def _list(lines: Iterable[Line]) -> str:
    return "\n".join(f"- {line.text}\n  {_absolute(line.url)}" for line in lines)


def _to_member(mail: OutgoingMail, now: datetime, *, subject: str, body: str, what: str) -> Letter:
    member = mail.member
    assert member is not None
    choose = _absolute(reverse("workspace:notification_choices", args=[member.tenant.slug]))
    stop = _absolute(reverse("stop_mail", args=[signing.dumps([member.tenant_id, member.pk, what], salt=STOP_SALT)]))
    text = f"{body}\n\n--\n{member.tenant.name}. What you are told: {choose}\nStop these mails: {stop}\n"
    return letter_to(mail, now, to=(member.name, member.email), subject=subject, body=text, stop=stop)


def letter_to(
    mail: OutgoingMail,
    now: datetime,
    *,
    to: tuple[str, str],
    subject: str,
    body: str,
    stop: str = "",
) -> Letter:
    from_name, from_email = parseaddr(settings.DEFAULT_FROM_EMAIL)
    return Letter(
        message_id=message_id_of(f"team-{mail.tenant_id}-{mail.pk}", from_email),
        at=now,
        from_name=from_name,
        from_email=from_email,
        to_name=to[0],
        to_email=to[1],
        subject=subject,
        body=body,
        unsubscribe_url=stop,
        headers={"Auto-Submitted": "auto-generated"},
    )


def _absolute(path: str) -> str:
    return f"{settings.BASE_URL.rstrip('/')}{path}"
