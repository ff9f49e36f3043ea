"""The conversations of the whole team: drafts that wait, the next to leave first; and what became of the others.

Actions that wait for approval have tabs of their own beside them (playbooks/questions.py).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from django.db.models import Q, QuerySet

from accounts.models import Conversation
from accounts.places import Place, older_than
from cs_platform.tenancy.models import Membership
from playbooks.models import ActionRun

PAGE_SIZE = 50
COUNT_LIMIT = 999
State = Conversation.State


class Tab(StrEnum):
    WAITING = "waiting"
    SENT = "sent"
    UNSENT = "unsent"
    ASKED = "asked"
    ANSWERED = "answered"

    @property
    def is_about_approvals(self) -> bool:
        return self in (Tab.ASKED, Tab.ANSWERED)


STATES: Mapping[Tab, tuple[State, ...]] = {
    Tab.WAITING: Conversation.WAITING,
    Tab.SENT: (State.SENDING, State.SENT),
    Tab.UNSENT: (State.CANCELLED, State.FAILED),
}


@dataclass(frozen=True, slots=True)
class Asked:
    """What the address asks of the inbox."""

    tab: Tab = Tab.WAITING
    mine: bool = False
    search: str = ""
    after: Place | None = None

    @classmethod
    def of(cls, params: Any) -> "Asked":
        tab = params.get("tab", "")
        search = params.get("q", "").replace("\x00", "").strip()[:100]
        known = Tab(tab) if tab in set(Tab) else Tab.WAITING
        return cls(known, params.get("mine") == "1", search, Place.read(params.get("after", "")))


@dataclass(frozen=True, slots=True)
class Line:
    conversation: Conversation
    playbook: str  # what wrote it
    reason: str  # why it waits, or did not leave


@dataclass(frozen=True, slots=True)
class InboxPage:
    lines: Sequence[Line]
    next: Place | None


def load_inbox(asked: Asked, *, member: Membership) -> InboxPage:
    found = _found(asked, member)
    column = "send_at" if asked.tab is Tab.WAITING else "created_at"
    if asked.after:
        found = found.filter(_later_than(asked.after) if asked.tab is Tab.WAITING else older_than(asked.after, column))
    order = ("send_at", "pk") if asked.tab is Tab.WAITING else ("-created_at", "-pk")
    rows = list(found.select_related("account", "sender").defer("body").order_by(*order)[: PAGE_SIZE + 1])
    shown = rows[:PAGE_SIZE]
    last = Place(getattr(shown[-1], column), shown[-1].pk) if len(rows) > PAGE_SIZE else None
    return InboxPage(_lines(shown), last)


def count_waiting(*, member: Membership, mine: bool) -> int:
    """Up to COUNT_LIMIT + 1."""
    return _found(Asked(mine=mine), member).order_by()[: COUNT_LIMIT + 1].count()


def _found(asked: Asked, member: Membership) -> QuerySet[Conversation]:
    found: QuerySet[Conversation] = Conversation.objects.filter(state__in=STATES[asked.tab])
    if asked.mine:
        found = found.filter(sender=member)
    if asked.search:
        named = Q(subject__icontains=asked.search) | Q(account__name__icontains=asked.search)
        found = found.filter(named | Q(to_name__icontains=asked.search) | Q(to_email__icontains=asked.search))
    return found


def _later_than(place: Place) -> Q:
    return Q(send_at__gt=place.at) | Q(send_at=place.at, pk__gt=place.id)


def _lines(shown: Sequence[Conversation]) -> list[Line]:
    wanted = [one.origin_run_id for one in shown if one.origin_run_id]
    runs = {
        run.pk: run
        for run in ActionRun.objects.filter(pk__in=wanted)
        .select_related("enrollment__playbook")
        .only("tenant_id", "reason", "state", "enrollment__playbook__name")
    }
    return [_line(one, runs.get(one.origin_run_id) if one.origin_run_id else None) for one in shown]


def _line(conversation: Conversation, run: ActionRun | None) -> Line:
    return Line(conversation, run.enrollment.playbook.name if run else "", run.reason if run else conversation.problem)
