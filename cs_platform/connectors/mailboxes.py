"""Mailboxes of team members: connected by their owner's word, kept in fresh tokens by workers, and put away."""

import contextlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import F
from django.urls import reverse

from cs_platform.connectors import google
from cs_platform.connectors.google import Gone, NotReached, Refused, Tokens
from cs_platform.connectors.models import Mailbox
from cs_platform.connectors.outgoing import TELL_AGAIN
from cs_platform.connectors.sealing import CannotOpen
from cs_platform.tenancy.audit import record
from cs_platform.tenancy.context import current_tenant_id
from cs_platform.tenancy.models import Doer, Membership, WorkDue

EVERY = timedelta(minutes=2)  # how often a mailbox is read
SPARE = timedelta(minutes=5)  # a token that ends within it is renewed
MOST_REFUSALS = 3
State = Mailbox.State


def is_offered() -> bool:
    """Whether this installation has a client at Google."""
    return bool(settings.GOOGLE_CLIENT_ID)


def back_to() -> str:
    """Where Google sends people back to: one address of the whole installation, as it is registered there."""
    return settings.BASE_URL.rstrip("/") + reverse("google-consent")


def mailbox_of(member: Membership) -> Mailbox | None:
    return Mailbox.objects.filter(member=member).first()


def begin(member: Membership, *, code: str, verifier: str, now: datetime) -> Mailbox:
    """Its owner has said yes at Google. A worker exchanges the code; one that was there before is connected anew."""
    mailbox = mailbox_of(member) or Mailbox(member=member, connected_at=now)
    mailbox.state, mailbox.state_reason = State.CONNECTING, ""
    mailbox.hold({"code": code, "verifier": verifier})
    mailbox.good_until, mailbox.refusals, mailbox.look_at, mailbox.connected_at = None, 0, now, now
    mailbox.save()
    _write_down("connected", mailbox, by=member, now=now)
    WorkDue.announce(tenant_id=current_tenant_id(), queue=WorkDue.Queue.DELIVER, due_at=now)
    return mailbox


def disconnect(mailbox: Mailbox, *, by: Doer, now: datetime) -> bool:
    """Its tokens are forgotten. What was to be sent from it waits; what was said stays."""
    if not Mailbox.objects.filter(pk=mailbox.pk).delete()[0]:
        return False
    _write_down("disconnected", mailbox, by=by, now=now)
    return True


def _write_down(verb: str, mailbox: Mailbox, *, by: Doer, now: datetime) -> None:
    name = mailbox.email or mailbox.member.email
    record(verb=f"mailbox.{verb}", subject_type="mailbox", subject_id=mailbox.member_id, name=name, by=by, now=now)


# --- by the workers ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Visit:
    """What came of looking after one mailbox outside of any transaction."""

    tokens: Tokens | None = None
    email: str = ""
    history: str = ""
    refused: str = ""
    not_reached: str = ""


def take_turns(*, now: datetime, most: int) -> list[Mailbox]:
    """Those whose turn it is; until their next one they are ours."""
    due = Mailbox.objects.filter(look_at__lte=now, member__deactivated_at=None).select_for_update(
        of=("self",), no_key=True, skip_locked=True
    )
    found = list(due.select_related("member").order_by("look_at", "pk")[:most])
    Mailbox.objects.filter(pk__in=[mailbox.pk for mailbox in found]).update(look_at=now + EVERY)
    return found


def visit(mailbox: Mailbox, secrets: Mapping[str, str], *, now: datetime) -> Visit:
    """A token where one is wanted. No database here."""
    try:
        if mailbox.state == State.CONNECTING:
            tokens = google.redeem(secrets["code"], verifier=secrets["verifier"], back_to=back_to(), now=now)
            email, history = google.profile(tokens.access)
            return Visit(tokens, email, history)
        if mailbox.refusals >= MOST_REFUSALS:
            return Visit(refused="Google refuses one token after the other.")
        if not mailbox.good_until or mailbox.good_until <= now + SPARE:
            return Visit(google.renew(secrets["refresh"], now=now))
    except Refused as refusal:
        return Visit(refused=str(refusal))
    except (NotReached, Gone) as trouble:
        return Visit(not_reached=str(trouble))
    except (KeyError, TypeError, AttributeError):
        return Visit(not_reached="Google’s answer makes no sense.")
    return Visit()


def note_visit(mailbox: Mailbox, found: Visit, *, now: datetime) -> bool:
    """Written down unless its owner connected it anew meanwhile. True when its owner has to be told that it refuses."""
    mine = Mailbox.objects.filter(pk=mailbox.pk, sealed=mailbox.sealed)
    if found.refused:
        return refuse(mailbox, found.refused, now=now) if mine.exists() else False
    if found.not_reached and mailbox.state == State.CONNECTING:
        mine.update(state_reason=found.not_reached[:300])  # a code can be asked about again for a few minutes
    if found.tokens:
        _renewed(mailbox, found, found.tokens)
        changes = ("sealed", "good_until", "state", "state_reason", "told_at", "email", "history", "read_at")
        if mine.update(**{name: getattr(mailbox, name) for name in changes}):
            WorkDue.announce(tenant_id=current_tenant_id(), queue=WorkDue.Queue.DELIVER, due_at=now)
    return False


def _renewed(mailbox: Mailbox, found: Visit, tokens: Tokens) -> None:
    kept = ""
    with contextlib.suppress(CannotOpen):
        kept = mailbox.secrets().get("refresh", "")
    mailbox.hold({"refresh": tokens.refresh or kept, "access": tokens.access})
    mailbox.good_until, mailbox.state, mailbox.state_reason, mailbox.told_at = tokens.good_until, State.ACTIVE, "", None
    if found.email:
        mailbox.email, mailbox.history, mailbox.read_at = found.email, found.history, None


def refuse(mailbox: Mailbox, reason: str, *, now: datetime) -> bool:
    """Nothing more is sent from it, or read. True when its owner has to be told: once, and once a day at most."""
    rows = Mailbox.objects.filter(pk=mailbox.pk)
    rows.update(state=State.NEEDS_REAUTH, state_reason=reason[:300], good_until=None, look_at=None)
    untold = rows.filter(told_at=None) | rows.filter(told_at__lte=now - TELL_AGAIN)
    return bool(untold.update(told_at=now))


def want_tokens(members: Collection[int], *, now: datetime, refused: bool = False) -> None:
    """Their tokens are used up, or were refused before that: a worker fetches others next."""
    wanted = Mailbox.objects.filter(member__in=members, state=State.ACTIVE)
    if wanted.update(good_until=None, look_at=now, refusals=F("refusals") + int(refused)):
        WorkDue.announce(tenant_id=current_tenant_id(), queue=WorkDue.Queue.DELIVER, due_at=now)


def sent_well(members: Collection[int]) -> None:
    Mailbox.objects.filter(member__in=members).exclude(refusals=0).update(refusals=0)
