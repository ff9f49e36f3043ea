"""Answers that customers gave in Intercom, brought back to the conversations that playbooks began there."""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from accounts.conversations.incoming import LONGEST, NAME_LIMIT, SUBJECT_LIMIT, Incoming, text_of_html
from accounts.conversations.models import Conversation
from accounts.conversations.reading import FETCH_SECONDS, take_in
from cs_platform.connectors.intercom import Changed, IntercomTransport, NotReached, Part, Refused
from cs_platform.connectors.models import Connector
from cs_platform.connectors.providers import Intercom, intercom_url
from cs_platform.connectors.sealing import CannotOpen
from cs_platform.tenancy.context import tenant_context
from cs_platform.tenancy.models import Tenant

AT_ONCE = 10
EVERY = timedelta(minutes=2)
OVERLAP = timedelta(minutes=10)  # what changed while it was being read is read again, and known again


@dataclass(frozen=True, slots=True)
class _Reading:
    """One Intercom, and what has changed there since it was read last; nothing when it could not be read."""

    connector: Connector
    transport: IntercomTransport
    changed: Sequence[Changed] = ()
    said: Sequence[tuple[str, Part]] = ()  # by the message that began it
    is_complete: bool = False


def read_intercoms(tenant: Tenant, *, now: datetime) -> int:
    """Calls overlap and are in no transaction. Returns how many were read, or tried."""
    with tenant_context(tenant.pk):
        turns = _take_turns(now)
    if not turns:
        return 0
    readings = _all(_list, turns)
    with tenant_context(tenant.pk):
        readings = [_of_ours(one) for one in readings]
    for one in _all(_fetch, readings):
        with tenant_context(tenant.pk):
            _keep(one, now)
    return len(turns)


def _all(call: Callable[[_Reading], _Reading], readings: Sequence[_Reading]) -> list[_Reading]:
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(call, readings))


def _take_turns(now: datetime) -> list[_Reading]:
    """Until their next turn they are ours."""
    due = Connector.objects.present().filter(kind=Intercom.key, state=Connector.State.ACTIVE, look_at__lte=now)
    found = list(due.select_for_update(no_key=True, skip_locked=True).order_by("look_at", "pk")[:AT_ONCE])
    Connector.objects.filter(pk__in=[connector.pk for connector in found]).update(look_at=now + EVERY)
    return [reading for connector in found if (reading := _opened(connector, now))]


def _opened(connector: Connector, now: datetime) -> _Reading | None:
    try:
        token = connector.secrets(now=now)["secret"]
    except CannotOpen:
        return None
    return _Reading(connector, IntercomTransport(intercom_url(connector.url), token))


_TROUBLE = (Refused, NotReached, KeyError, TypeError, AttributeError)


def _list(reading: _Reading) -> _Reading:
    since = (reading.connector.read_at or reading.connector.created_at) - OVERLAP
    try:
        return replace(reading, changed=list(reading.transport.changed_since(since)), is_complete=True)
    except _TROUBLE:
        return reading


def _of_ours(reading: _Reading) -> _Reading:
    begun = {one.begun_by for one in reading.changed} - {""}
    mine = Conversation.objects.filter(channel=Conversation.Channel.INTERCOM, thread__in=begun)
    ours = set(mine.values_list("thread", flat=True)) if begun else set()
    return replace(reading, changed=[one for one in reading.changed if one.begun_by in ours])


def _fetch(reading: _Reading) -> _Reading:
    """Who is slow must not keep others from being written to: the rest is read the next time."""
    said: list[tuple[str, Part]] = []
    ends_at = time.monotonic() + FETCH_SECONDS
    try:
        for one in reading.changed:
            if time.monotonic() > ends_at:
                return replace(reading, said=said, is_complete=False)
            said += [(one.begun_by, part) for part in reading.transport.said_in(one.id)]
    except _TROUBLE:
        return replace(reading, said=said, is_complete=False)
    return replace(reading, said=said)


def _keep(reading: _Reading, now: datetime) -> None:
    """What was not read to its end is read again the next time."""
    threads = {thread for thread, _part in reading.said}
    mine = Conversation.objects.filter(channel=Conversation.Channel.INTERCOM, thread__in=threads)
    begun = {one.thread: one for one in mine.order_by("pk")}
    for thread, part in reading.said:
        if thread in begun:
            take_in(begun[thread], _letter(part, begun[thread]), now=now)
    if reading.is_complete:
        Connector.objects.filter(pk=reading.connector.pk).update(read_at=now)


def _letter(part: Part, conversation: Conversation) -> Incoming:
    return Incoming(
        message_id=f"intercom:{part.id}",
        from_name=part.from_name[:NAME_LIMIT],
        from_email=part.from_email.lower()[:NAME_LIMIT] or conversation.to_email,
        subject=f"Re: {conversation.subject}"[:SUBJECT_LIMIT],
        text=text_of_html(part.html)[:LONGEST],
        is_automatic=False,
        bounces=(),
    )
