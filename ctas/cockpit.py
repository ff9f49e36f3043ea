"""The cockpit: the open work of one person or of everybody, in groups, a page at a time by keyset.

By due date the index gives the order, with undated work as a second range behind the dated; other groups are small
enough to be sorted, because they are asked of what one person or one filter selects.
"""

import base64
import binascii
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from typing import Any, TypeVar

from django.db.models import Case, Count, F, IntegerField, Q, QuerySet, Value, When
from django.db.models.functions import Coalesce

from accounts.actors import load_actors
from accounts.conversations.models import Conversation
from cs_platform.tenancy.models import Membership
from ctas.models import Cta, Task

E = TypeVar("E", bound=StrEnum)

PAGE_SIZE = 50
COUNT_LIMIT = 1_000
_NO_DATE = date.max
_RANK = {"high": 0, "medium": 1, "low": 2}


class Tab(StrEnum):
    MINE = "mine"
    TASKS = "tasks"
    TEAM = "team"
    SNOOZED = "snoozed"
    CLOSED = "closed"
    CONVERSATIONS = "conversations"


class Grouping(StrEnum):
    DUE = "due"
    ACCOUNT = "account"
    TYPE = "type"
    PRIORITY = "priority"
    OWNER = "owner"
    PLAYBOOK = "playbook"


@dataclass(frozen=True, slots=True)
class Place:
    """The last row shown so far: what it is ordered by, and its id."""

    values: tuple[Any, ...]
    id: int

    def __str__(self) -> str:
        written = [value.isoformat() if isinstance(value, date) else value for value in self.values]
        return base64.urlsafe_b64encode(json.dumps([written, self.id]).encode()).decode().rstrip("=")

    @classmethod
    def read(cls, text: str, grouping: Grouping) -> "Place | None":
        """None for anything that is no place of this grouping: the list then starts at its beginning."""
        try:
            values, id = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
            return cls(_typed(values, grouping), _whole(id))
        except (ValueError, TypeError, binascii.Error):
            return None


def _typed(values: Any, grouping: Grouping) -> tuple[Any, ...]:
    if grouping is Grouping.DUE:
        [due] = values
        return (None if due is None else date.fromisoformat(due),)
    first, due = values
    kind = int if grouping is Grouping.PRIORITY else str
    if not isinstance(first, kind) or isinstance(first, bool) or "\x00" in str(first):
        raise TypeError("A place of another grouping.")
    return first, date.fromisoformat(due)


def _whole(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**63:
        raise TypeError("Not a whole number.")
    return value


@dataclass(frozen=True, slots=True)
class Asked:
    """What the address asks of the cockpit."""

    tab: Tab = Tab.MINE
    grouping: Grouping = Grouping.DUE
    types: tuple[str, ...] = ()
    priorities: tuple[str, ...] = ()
    owner_id: int | None = None
    search: str = ""
    after: Place | None = None

    @classmethod
    def of(cls, params: Any) -> "Asked":
        grouping = _one_of(Grouping, params.get("group"), Grouping.DUE)
        tab = _one_of(Tab, params.get("tab"), Tab.MINE)
        if tab in (Tab.CLOSED, Tab.CONVERSATIONS):
            grouping = Grouping.DUE
        return cls(
            tab=tab,
            grouping=grouping,
            types=tuple(one for one in params.getlist("type") if one in Cta.Type.values),
            priorities=tuple(one for one in params.getlist("priority") if one in Cta.Priority.values),
            owner_id=_id(params.get("owner", "")),
            search=params.get("q", "").replace("\x00", "").strip()[:100],
            after=Place.read(params.get("after", ""), grouping),
        )

    @property
    def is_filtered(self) -> bool:
        return bool(self.types or self.priorities or self.owner_id or self.search)


def _one_of(kind: type[E], text: str | None, usual: E) -> E:
    return kind(text) if text in set(kind) else usual


def _id(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 19 else None


@dataclass(slots=True)
class Row:
    """A CTA, or a task with its CTA, as a line of the list."""

    cta: Cta
    task: Task | None = None
    source: str = ""  # the playbook it comes from; empty: somebody opened it by hand
    done: int = 0
    total: int = 0

    @property
    def due_on(self) -> date | None:
        return self.task.due_on if self.task else self.cta.due_on

    @property
    def owner(self) -> Membership | None:
        return self.task.owner if self.task else self.cta.owner


@dataclass(frozen=True, slots=True)
class Group:
    label: str
    rows: Sequence[Row]
    is_late: bool = False


@dataclass(frozen=True, slots=True)
class CockpitPage:
    groups: Sequence[Group]
    next: Place | None


@dataclass(frozen=True, slots=True)
class PendingPage:
    conversations: Sequence[Conversation]
    next: Place | None


def load_page(asked: Asked, *, member: Membership, today: date) -> CockpitPage:
    found = _found(asked, member=member, today=today)
    shown = found[:PAGE_SIZE]
    last = _place(shown[-1], asked.grouping) if len(found) > PAGE_SIZE else None
    return CockpitPage(list(_groups(_rows(shown), asked, today=today)), last)


def load_counts(asked: Asked, *, member: Membership, today: date) -> Mapping[Tab, int]:
    """Of each tab without its filters, up to COUNT_LIMIT + 1; what is closed is not counted."""
    return {
        tab: _listed(Asked(tab=tab), member=member, today=today).order_by()[: COUNT_LIMIT + 1].count()
        for tab in Tab
        if tab is not Tab.CLOSED
    }


def load_pending(asked: Asked) -> PendingPage:
    """Drafts of the whole team that still wait for a look, the next to leave first."""
    drafts = Conversation.objects.filter(state=Conversation.State.PENDING).select_related("account", "sender")
    if asked.search:
        drafts = drafts.filter(Q(subject__icontains=asked.search) | Q(account__name__icontains=asked.search))
    if asked.after:
        last = Conversation.objects.filter(pk=asked.after.id).values("send_at")[:1]
        drafts = drafts.filter(Q(send_at__gt=last) | Q(send_at=last, pk__gt=asked.after.id))
    found = list(drafts.order_by("send_at", "pk")[: PAGE_SIZE + 1])
    shown = found[:PAGE_SIZE]
    return PendingPage(shown, Place((None,), shown[-1].pk) if len(found) > PAGE_SIZE else None)


# Which, and in what order --------------------------------------------------------------------------------------------


def _listed(asked: Asked, *, member: Membership, today: date) -> QuerySet[Any]:
    match asked.tab:
        case Tab.MINE:
            return Cta.objects.awake(today).filter(owner=member)
        case Tab.TASKS:
            awake = Q(cta__snoozed_until=None) | Q(cta__snoozed_until__lte=today)
            return Task.objects.open().filter(awake, owner=member, cta__archived_at=None, cta__status=Cta.Status.OPEN)
        case Tab.TEAM:
            return Cta.objects.awake(today)
        case Tab.SNOOZED:
            return Cta.objects.snoozed(today).filter(owner=member)
        case Tab.CLOSED:
            return Cta.objects.closed().filter(owner=member, closed_at__isnull=False)
        case Tab.CONVERSATIONS:
            return Conversation.objects.filter(state=Conversation.State.PENDING)


def _filtered(rows: QuerySet[Any], asked: Asked) -> QuerySet[Any]:
    at = "cta__" if asked.tab is Tab.TASKS else ""
    if asked.types:
        rows = rows.filter(**{f"{at}type__in": asked.types})
    if asked.priorities:
        rows = rows.filter(**{f"{at}priority__in": asked.priorities})
    if asked.owner_id and asked.tab is Tab.TEAM:
        rows = rows.filter(owner=asked.owner_id)
    if asked.search:
        name = "title" if asked.tab is Tab.TASKS else "name"
        words = Q(**{f"{name}__icontains": asked.search}) | Q(**{f"{at}account__name__icontains": asked.search})
        rows = rows.filter(words)
    return rows


def _found(asked: Asked, *, member: Membership, today: date) -> list[Any]:
    """One row more than a page, to know whether there is another."""
    rows = _filtered(_listed(asked, member=member, today=today), asked)
    joined = ("cta__account", "owner") if asked.tab is Tab.TASKS else ("account", "owner")
    found: list[Any] = []
    for part in _ranges(rows, asked):
        if len(found) <= PAGE_SIZE:
            found += part.select_related(*joined)[: PAGE_SIZE + 1 - len(found)]
    return found


def _ranges(rows: QuerySet[Any], asked: Asked) -> Iterator[QuerySet[Any]]:
    """What is still ahead of the place, nearest first."""
    if asked.tab is Tab.CLOSED:
        return iter([_closed(rows, asked.after)])
    if asked.grouping is Grouping.DUE:
        return _by_due(rows, asked.after)
    return iter([_by_group(rows, asked)])


def _closed(rows: QuerySet[Any], after: Place | None) -> QuerySet[Any]:
    """The last closed first; `closed_at` is as unique as an order needs with the id behind it."""
    if after:
        before = Cta.objects.filter(pk=after.id).values("closed_at")[:1]
        rows = rows.filter(Q(closed_at__lt=before) | Q(closed_at=before, pk__lt=after.id))
    return rows.order_by("-closed_at", "-pk")


def _by_due(rows: QuerySet[Any], after: Place | None) -> Iterator[QuerySet[Any]]:
    due = after.values[0] if after else None
    if after is None or due is not None:
        dated = rows.filter(due_on__isnull=False)
        if after:
            dated = dated.filter(Q(due_on__gt=due) | Q(pk__gt=after.id), due_on__gte=due)
        yield dated.order_by("due_on", "pk")
    undated = rows.filter(due_on=None)
    yield (undated.filter(pk__gt=after.id) if after and due is None else undated).order_by("pk")


def _by_group(rows: QuerySet[Any], asked: Asked) -> QuerySet[Any]:
    rows = rows.annotate(group_key=_group_key(asked), due_key=Coalesce("due_on", Value(_NO_DATE)))
    if asked.after:
        group, due = asked.after.values
        later = Q(due_key__gt=due) | Q(due_key=due, pk__gt=asked.after.id)
        rows = rows.filter(Q(group_key__gt=group) | (Q(group_key=group) & later))
    return rows.order_by("group_key", "due_key", "pk")


def _group_key(asked: Asked) -> Any:
    at = "cta__" if asked.tab is Tab.TASKS else ""
    match asked.grouping:
        case Grouping.ACCOUNT:
            return F(f"{at}account__name")
        case Grouping.TYPE:
            return F(f"{at}type")
        case Grouping.OWNER:
            return Coalesce("owner__name", Value(""))
        case Grouping.PLAYBOOK:
            return F(f"{at}created_by")
    ranks = [When(**{f"{at}priority": priority}, then=Value(rank)) for priority, rank in _RANK.items()]
    return Case(*ranks, output_field=IntegerField())


def _place(row: Any, grouping: Grouping) -> Place:
    if grouping is Grouping.DUE:
        return Place((row.due_on,), row.pk)
    if not hasattr(row, "group_key"):  # what is closed has one order only
        return Place(("", _NO_DATE), row.pk)
    return Place((row.group_key, row.due_key), row.pk)


# What is shown -------------------------------------------------------------------------------------------------------


def _rows(found: Sequence[Any]) -> list[Row]:
    """In a fixed number of queries, however many rows."""
    rows = [Row(one.cta, one) if isinstance(one, Task) else Row(one) for one in found]
    names = load_actors({row.cta.created_by for row in rows})
    progress = _progress({row.cta.pk for row in rows})
    for row in rows:
        row.source = names[row.cta.created_by].name if row.cta.created_by.startswith("playbook:") else ""
        row.done, row.total = progress.get(row.cta.pk, (0, 0))
    return rows


def _progress(ctas: Iterable[int]) -> dict[int, tuple[int, int]]:
    present = Task.objects.present().filter(cta_id__in=list(ctas)).values_list("cta_id").order_by()
    done = Count("pk", filter=Q(status=Task.Status.DONE))
    return {pk: (done, total) for pk, done, total in present.annotate(done=done, total=Count("pk"))}


def _groups(rows: Sequence[Row], asked: Asked, *, today: date) -> Iterator[Group]:
    label = ""
    members: list[Row] = []
    for row in rows:
        mine = _label(row, asked, today=today)
        if members and mine != label:
            yield Group(label, members, label == "Overdue")
            members = []
        label = mine
        members.append(row)
    if members:
        yield Group(label, members, label == "Overdue")


def _label(row: Row, asked: Asked, *, today: date) -> str:
    if asked.tab is Tab.CLOSED:
        return "Closed last"
    match asked.grouping:
        case Grouping.ACCOUNT:
            return row.cta.account.name
        case Grouping.TYPE:
            return row.cta.get_type_display()
        case Grouping.PRIORITY:
            return f"{row.cta.get_priority_display()} priority"
        case Grouping.OWNER:
            return row.owner.name if row.owner else "Nobody"
        case Grouping.PLAYBOOK:
            return row.source or "Opened by hand"
    return due_bucket(row.due_on, today=today)


def due_bucket(due_on: date | None, *, today: date) -> str:
    """A week ends with its Sunday."""
    if due_on is None:
        return "No date"
    if due_on < today:
        return "Overdue"
    if due_on == today:
        return "Today"
    return "This week" if due_on <= today + timedelta(days=6 - today.weekday()) else "Next week and later"
