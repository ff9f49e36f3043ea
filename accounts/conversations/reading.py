"""Answers brought back, from mailboxes of team members and from Intercom: kept with what they answer, and told.

Only what belongs to threads that began here is ever fetched; the rest is nobody's business.
"""

import contextlib
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TypeVar

from django.db.models import QuerySet
from django.urls import reverse

from accounts.conversations.incoming import Bounce, Incoming, read_message
from accounts.conversations.models import Conversation, Message
from accounts.conversations.suppressing import bounced, tell
from cs_platform.connectors import google
from cs_platform.connectors.google import Arrived, Gone, NotReached, Refused
from cs_platform.connectors.mailboxes import Visit, note_visit, take_turns, visit, want_tokens
from cs_platform.connectors.models import Mailbox
from cs_platform.connectors.sealing import CannotOpen
from cs_platform.tenancy.context import tenant_context
from cs_platform.tenancy.models import Tenant
from cs_platform.workspace.models import Notification
from cs_platform.workspace.notifications import notify

AT_ONCE = 20
MOST_MESSAGES = 50  # of one mailbox in one visit; the rest the next time
OVERLAP = timedelta(hours=1)
FETCH_SECONDS = 15.0
SENT_BY_THEN = timedelta(minutes=10)  # what is being sent has its thread by then, or never gets one
_A = TypeVar("_A")
_B = TypeVar("_B")


def look_after_mailboxes(tenant: Tenant, *, now: datetime) -> int:
    """Fresh tokens, and what came in. Calls overlap and are in no transaction. Returns how many were looked after."""
    with tenant_context(tenant.pk):
        mailboxes = take_turns(now=now, most=AT_ONCE)
    if not mailboxes:
        return 0
    visits = _all(lambda mailbox: _visit(mailbox, now), mailboxes)
    with tenant_context(tenant.pk):
        for mailbox, found in zip(mailboxes, visits, strict=True):
            if note_visit(mailbox, found, now=now):
                tell_owner(tenant, mailbox, found.refused, now=now)
        known = Mailbox.objects.filter(pk__in=[mailbox.pk for mailbox in mailboxes]).select_related("member")
        ready = [mailbox for mailbox in known if mailbox.sends_at(now)]
    _read(tenant, ready, now)
    return len(mailboxes)


def _all(call: Callable[[_A], _B], some: Sequence[_A]) -> list[_B]:
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(call, some))


def _visit(mailbox: Mailbox, now: datetime) -> Visit:
    try:
        return visit(mailbox, mailbox.secrets(), now=now)
    except CannotOpen as error:
        return Visit(refused=str(error))


def tell_owner(tenant: Tenant, mailbox: Mailbox, reason: str, *, now: datetime) -> None:
    notify(
        members=[mailbox.member],
        kind=Notification.Kind.FAILURE,
        text=f"Your mailbox refuses us, so what playbooks write in your name waits: {reason}",
        url=reverse("dashboard:profile", args=[tenant.slug]),
        subject=f"mailbox:{mailbox.pk}",
        by=None,
        now=now,
    )


# --- what came in -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Found:
    """What a mailbox got, and how far it was read; or why it could not be."""

    arrived: Sequence[Arrived] = ()
    history: str = ""
    letters: Sequence[tuple[str, Incoming]] = ()  # by thread
    refused: str = ""
    again: bool = False  # it is to be read from the same place the next time


def _read(tenant: Tenant, mailboxes: Sequence[Mailbox], now: datetime) -> None:
    found = _all(_list, mailboxes)
    with tenant_context(tenant.pk):
        found = [_of_ours(mailbox, one, now) for mailbox, one in zip(mailboxes, found, strict=True)]
    found = _all(lambda pair: _fetch(*pair), list(zip(mailboxes, found, strict=True)))
    for mailbox, one in zip(mailboxes, found, strict=True):
        with tenant_context(tenant.pk):
            _take_in(mailbox, one, now)


def _careful(call: Callable[[], _Found]) -> _Found:
    """Who cannot be read now is read the next time; a token that is refused is replaced first."""
    try:
        return call()
    except Refused as refusal:
        return _Found(refused=str(refusal))
    except (NotReached, Gone, CannotOpen, KeyError, TypeError, AttributeError, ValueError):
        return _Found()


def _list(mailbox: Mailbox) -> _Found:
    def listed() -> _Found:
        access = mailbox.secrets()["access"]
        try:
            return _Found(*google.arrived_since(access, mailbox.history))
        except Gone:
            _email, history = google.profile(access)
            since = (mailbox.read_at or mailbox.connected_at) - OVERLAP
            return _Found(google.arrived_after(access, since), history)

    return _careful(listed)


def _of_ours(mailbox: Mailbox, found: _Found, now: datetime) -> _Found:
    """Only the threads that playbooks began, so many at a time: the history is then read up to the last of them.

    A machine may answer before we have noted the thread: while something is being sent, nothing is passed for good.
    """
    again = _begun_by(mailbox).filter(thread="", sending_at__gt=now - SENT_BY_THEN).exists()
    threads = {one.thread for one in found.arrived}
    ours = set(_begun_by(mailbox).filter(thread__in=threads).values_list("thread", flat=True)) if threads else set()
    wanted = [one for one in found.arrived if one.thread in ours]
    some = wanted[:MOST_MESSAGES]
    history = some[-1].history or found.history if len(wanted) > len(some) else found.history
    return replace(found, arrived=some, history=history, again=again)


def _begun_by(mailbox: Mailbox) -> QuerySet[Conversation]:
    return Conversation.objects.filter(channel=Conversation.Channel.GMAIL, sender=mailbox.member_id)


def _fetch(mailbox: Mailbox, found: _Found) -> _Found:
    """One that was deleted meanwhile is none."""

    def fetched() -> _Found:
        letters: list[tuple[str, Incoming]] = []
        access, ends_at = mailbox.secrets()["access"], time.monotonic() + FETCH_SECONDS
        for at, one in enumerate(found.arrived):
            if time.monotonic() > ends_at:  # who is slow must not keep others from being written to
                return replace(found, letters=letters, history=found.arrived[at - 1].history)
            with contextlib.suppress(Gone):
                letters.append((one.thread, read_message(google.message_of(access, one.id), id=f"gmail:{one.id}")))
        return replace(found, letters=letters)

    return _careful(fetched)


def _take_in(mailbox: Mailbox, found: _Found, now: datetime) -> None:
    if found.refused:
        want_tokens([mailbox.member_id], now=now)
        return
    threads = {thread for thread, _letter in found.letters}
    begun = {one.thread: one for one in _begun_by(mailbox).filter(thread__in=threads).order_by("pk")}
    for thread, letter in found.letters:
        if thread in begun and letter.from_email != mailbox.email.lower():
            take_in(begun[thread], letter, now=now)
    if found.history and not found.again:
        Mailbox.objects.filter(pk=mailbox.pk).update(history=found.history, read_at=now)


def take_in(conversation: Conversation, letter: Incoming, *, now: datetime) -> bool:
    """False for what was taken in before."""
    kept = {"from_email": letter.from_email, "to_email": "", "subject": letter.subject, "body": letter.text, "at": now}
    kept |= {"conversation": conversation, "outgoing": False}
    _message, is_new = Message.objects.get_or_create(message_id=letter.message_id, defaults=kept)
    if is_new:
        lost = [one for one in letter.bounces if one.address == conversation.to_email.lower()]
        if lost:
            _note_bounce(conversation, lost[0], now=now)
        elif not letter.bounces:
            _note_answer(conversation, letter, now=now)
    return is_new


def _note_answer(conversation: Conversation, letter: Incoming, *, now: datetime) -> None:
    who = letter.from_name or letter.from_email
    verb = "answered automatically" if letter.is_automatic else "answered"
    tell(conversation, "conversation.answered", f"{who} {verb}: {letter.subject}", now=now)
    if not letter.is_automatic:
        Conversation.objects.filter(pk=conversation.pk, replied_at=None).update(replied_at=now)
        _notify_of_answer(conversation, f"{who} of {conversation.account} answered: {letter.subject}", now=now)


def _notify_of_answer(conversation: Conversation, text: str, *, now: datetime) -> None:
    """Whoever looks after the account, and in whose name it was written."""
    notify(
        members=[conversation.account.csm, conversation.sender],
        kind=Notification.Kind.REPLY,
        text=text,
        url=f"{conversation.account.get_absolute_url()}#conversations",
        subject=f"conversation:{conversation.pk}",
        by=None,
        now=now,
    )


def _note_bounce(conversation: Conversation, bounce: Bounce, *, now: datetime) -> None:
    if bounce.unreachable:
        bounced({conversation.pk: conversation.writer}, now=now)
    tell(conversation, "conversation.bounced", f"“{conversation.subject}” was not delivered: {bounce.words}", now=now)
