"""The cockpit: the open work of one person or of everybody, in groups, a page at a time by keyset.

By due date the index gives the order, with undated work as a second range behind the dated; other groups and orders are
small enough to be sorted, because they are asked of what one person or one filter selects.
"""

import base64
import binascii
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from enum import StrEnum
from functools import reduce
from operator import or_
from typing import Any, TypeVar

from django.db.models import BigIntegerField, Case, Count, ExpressionWrapper, F, IntegerField, Q, QuerySet, Value, When
from django.db.models.functions import Cast, Coalesce, Extract
from django.http import QueryDict

from accounts.actors import load_actors
from accounts.conversations.models import Conversation
from cs_platform.common.together import count_each
from cs_platform.tenancy.models import Membership
from ctas.lists import Entry, Kind, Lists, current_lists
from ctas.models import Cta, Task, is_awake
from ctas.own_days import OwnDays
from ctas.plans import cta_plans

E = TypeVar("E", bound=StrEnum)

PAGE_SIZE = 50
COUNT_LIMIT = 1_000
_NO_DATE = date.max
_UNLISTED = 1_000  # behind every entry of a list
MOST_WORDS = 100


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
    STATUS = "status"
    PRIORITY = "priority"
    OWNER = "owner"
    PLAYBOOK = "playbook"
    PLAN = "plan"


class Order(StrEnum):
    DUE = "due"
    PRIORITY = "priority"
    NEWEST = "newest"


class Look(StrEnum):
    LIST = "list"
    BOARD = "board"
    CALENDAR = "calendar"


class Due(StrEnum):
    OVERDUE = "overdue"
    TODAY = "today"
    WEEK = "week"
    LATER = "later"
    NONE = "none"


# Tabs that are a list and nothing else.
LISTS_ONLY = (Tab.CLOSED, Tab.CONVERSATIONS)
DUE_LABELS = {
    Due.OVERDUE: "Overdue",
    Due.TODAY: "Today",
    Due.WEEK: "This week",
    Due.LATER: "Next week and later",
    Due.NONE: "No date",
}
_BY_WORDS = (Grouping.ACCOUNT, Grouping.OWNER, Grouping.PLAYBOOK, Grouping.PLAN)


@dataclass(frozen=True, slots=True)
class Place:
    """The last row shown so far: what it is ordered by, and its id."""

    values: tuple[Any, ...]
    id: int

    def __str__(self) -> str:
        written = [value.isoformat() if isinstance(value, date) else value for value in self.values]
        return base64.urlsafe_b64encode(json.dumps([written, self.id]).encode()).decode().rstrip("=")

    @classmethod
    def read(cls, text: str, asked: "Asked") -> "Place | None":
        """None for anything that is no place of this list: it then starts at its beginning."""
        try:
            values, id = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
            return cls(_typed(values, asked), _whole(id))
        except (ValueError, TypeError, OverflowError, binascii.Error):
            return None


def _typed(values: Any, asked: "Asked") -> tuple[Any, ...]:
    if asked.is_plain:
        [due] = values
        return (None if due is None else date.fromisoformat(due),)
    group, order, due = values
    if asked.grouping in _BY_WORDS:
        if not isinstance(group, str) or "\x00" in group:
            raise TypeError("A place of another grouping.")
    else:
        group = _whole(group)
    return group, _whole(order), date.fromisoformat(due)


def _whole(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**63:
        raise TypeError("Not a whole number.")
    return value


@dataclass(frozen=True, slots=True)
class Asked:
    """What the address asks of the cockpit."""

    tab: Tab = Tab.MINE
    look: Look = Look.LIST
    grouping: Grouping = Grouping.DUE
    order: Order = Order.DUE
    types: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()
    priorities: tuple[str, ...] = ()
    stages: tuple[str, ...] = ()
    dues: tuple[Due, ...] = ()
    day: date | None = None
    owner_id: int | None = None
    account_id: int | None = None
    search: str = ""
    month: date | None = None  # of the calendar
    after: Place | None = None

    @classmethod
    def of(cls, params: QueryDict) -> "Asked":
        tab = _one_of(Tab, params.get("tab"), Tab.MINE)
        plain = tab in LISTS_ONLY
        asked = cls(
            tab=tab,
            look=Look.LIST if plain else _one_of(Look, params.get("look"), Look.LIST),
            grouping=Grouping.DUE if plain else _one_of(Grouping, params.get("group"), Grouping.DUE),
            order=Order.DUE if plain else _one_of(Order, params.get("order"), Order.DUE),
            types=_words(params.getlist("type")),
            reasons=_words(params.getlist("reason")),
            priorities=_words(params.getlist("priority")),
            stages=_words(params.getlist("stage")),
            dues=tuple(Due(one) for one in params.getlist("due") if one in set(Due)),
            day=_day(params.get("day", "")),
            owner_id=_id(params.get("owner", "")),
            account_id=_id(params.get("account", "")),
            search=params.get("q", "").replace("\x00", "").strip()[:100],
            month=_month(params.get("month", "")),
        )
        return replace(asked, after=Place.read(params.get("after", ""), asked))

    @property
    def is_plain(self) -> bool:
        """In the order of the index."""
        return self.grouping is Grouping.DUE and self.order is Order.DUE

    @property
    def is_filtered(self) -> bool:
        chosen = (self.types, self.reasons, self.priorities, self.stages, self.dues, self.day)
        return any(chosen) or bool(self.owner_id or self.account_id or self.search)


def _words(texts: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(text for text in texts[:MOST_WORDS] if text and len(text) <= 100 and "\x00" not in text))


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text) if len(text) == 10 else None
    except ValueError:
        return None


def _month(text: str) -> date | None:
    """The years around ours, so that days before and after it exist."""
    found = _day(f"{text}-01")
    return found if found and 1970 <= found.year <= 2200 else None


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
    plan: str = ""  # where the list is grouped by it
    done: int = 0
    total: int = 0

    @property
    def due_on(self) -> date | None:
        return self.task.due_on if self.task else self.cta.due_on

    @property
    def owner(self) -> Membership | None:
        return self.task.owner if self.task else self.cta.owner

    @property
    def owner_id(self) -> int | None:
        return self.task.owner_id if self.task else self.cta.owner_id


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


def load_page(asked: Asked, *, member: Membership, today: OwnDays, lists: Lists | None = None) -> CockpitPage:
    lists, today = lists or current_lists(), days_of(asked, member, today)
    found = _found(asked, member=member, today=today, lists=lists)
    shown = found[:PAGE_SIZE]
    last = _place(shown[-1], asked) if len(found) > PAGE_SIZE else None
    rows = load_rows(shown)
    if asked.grouping is Grouping.PLAN:
        _name_plans(rows)
    return CockpitPage(list(_groups(rows, asked, today=today, lists=lists)), last)


def matching(asked: Asked, *, member: Membership | None, today: OwnDays, lists: Lists) -> QuerySet[Any]:
    """All that the list holds, in no order: CTAs, or on the tab of tasks tasks."""
    today = days_of(asked, member, today)
    return _filtered(_listed(asked, member=member, today=today), asked, today=today, lists=lists)


def days_of(asked: Asked, member: Membership | None, today: OwnDays) -> OwnDays:
    """What one person owns has one day only, which keeps the statement as simple as it was."""
    return today if asked.tab is Tab.TEAM or member is None else today.only(member.pk)


def load_counts(asked: Asked, *, member: Membership, today: OwnDays) -> Mapping[Tab, int]:
    """Of each tab without its filters, up to COUNT_LIMIT + 1; what is closed is not counted."""
    tabs = [tab for tab in Tab if tab is not Tab.CLOSED]
    asks = [Asked(tab=tab) for tab in tabs]
    listed = [_listed(one, member=member, today=days_of(one, member, today)) for one in asks]
    return dict(zip(tabs, count_each(listed, most=COUNT_LIMIT + 1), strict=True))


def load_pending(asked: Asked) -> PendingPage:
    """The next to leave first."""
    drafts = pending(asked).select_related("account", "sender")
    if asked.after:
        last = Conversation.objects.filter(pk=asked.after.id).values("send_at")[:1]
        drafts = drafts.filter(Q(send_at__gt=last) | Q(send_at=last, pk__gt=asked.after.id))
    found = list(drafts.order_by("send_at", "pk")[: PAGE_SIZE + 1])
    shown = found[:PAGE_SIZE]
    return PendingPage(shown, Place((None,), shown[-1].pk) if len(found) > PAGE_SIZE else None)


def pending(asked: Asked) -> QuerySet[Conversation]:
    """Of the whole team: drafts that wait for a look, and what somebody has to say whether it arrived."""
    drafts: QuerySet[Conversation] = Conversation.objects.filter(state__in=Conversation.WAITING)
    if asked.search:
        drafts = drafts.filter(Q(subject__icontains=asked.search) | Q(account__name__icontains=asked.search))
    return drafts


# Which, and in what order --------------------------------------------------------------------------------------------


def _listed(asked: Asked, *, member: Membership | None, today: OwnDays) -> QuerySet[Any]:
    match asked.tab:
        case Tab.MINE:
            return Cta.objects.awake(today.here).filter(owner=member)
        case Tab.TASKS:
            awake = Q(cta__snoozed_until=None) | Q(cta__snoozed_until__lte=today.here)
            return Task.objects.open().filter(awake, owner=member, cta__archived_at=None, cta__status=Cta.Status.OPEN)
        case Tab.TEAM:
            return Cta.objects.open().filter(today.each(is_awake))
        case Tab.SNOOZED:
            return Cta.objects.snoozed(today.here).filter(owner=member)
        case Tab.CLOSED:
            return Cta.objects.closed().filter(owner=member, closed_at__isnull=False)
        case Tab.CONVERSATIONS:
            return Conversation.objects.filter(state__in=Conversation.WAITING)


def _filtered(rows: QuerySet[Any], asked: Asked, *, today: OwnDays, lists: Lists) -> QuerySet[Any]:
    at = "cta__" if asked.tab is Tab.TASKS else ""
    for name in ("types", "reasons", "priorities"):
        if chosen := getattr(asked, name):
            field = {"types": "type", "reasons": "reason", "priorities": "priority"}[name]
            rows = rows.filter(**{f"{at}{field}__in": chosen})
    if asked.stages:
        rows = rows.filter(in_stages(asked.stages, lists=lists, at=at))
    if asked.dues:
        rows = rows.filter(reduce(or_, (due_in(due, today=today) for due in asked.dues)))
    if asked.day:
        rows = rows.filter(due_on=asked.day)
    if asked.owner_id and asked.tab is Tab.TEAM:
        rows = rows.filter(owner=asked.owner_id)
    if asked.account_id:
        rows = rows.filter(**{f"{at}account": asked.account_id})
    if asked.search:
        name = "title" if asked.tab is Tab.TASKS else "name"
        words = Q(**{f"{name}__icontains": asked.search}) | Q(**{f"{at}account__name__icontains": asked.search})
        rows = rows.filter(words)
    return rows


def in_stages(stages: Iterable[str], *, lists: Lists, at: str = "") -> Q:
    """The first status of a category has, too, what names none: automation moves the category alone."""
    found = Q(pk__in=[])
    for entry in (lists.find(Kind.STATUS, stage) for stage in stages):
        is_first = lists.stage("", entry.category).key == entry.key
        others = [one.key for one in lists.entries[Kind.STATUS] if one.category == entry.category and one != entry]
        named = ~Q(**{f"{at}stage__in": others}) if is_first else Q(**{f"{at}stage": entry.key})
        found |= Q(**{f"{at}status": entry.category}) & named
    return found


def due_in(due: Due, *, today: OwnDays) -> Q:
    """By the day of whoever owns it; bounded by the latest of them, so that the index can be read up to there."""
    if due is Due.NONE:
        return due_range(due, today=today.here)
    found = today.each(lambda day: due_range(due, today=day))
    return found & due_range(due, today=today.latest) if due is Due.OVERDUE and today.elsewhere else found


def due_range(due: Due, *, today: date) -> Q:
    match due:
        case Due.OVERDUE:
            return Q(due_on__lt=today)
        case Due.TODAY:
            return Q(due_on=today)
        case Due.WEEK:
            return Q(due_on__gt=today, due_on__lte=end_of_week(today))
        case Due.LATER:
            return Q(due_on__gt=end_of_week(today))
        case Due.NONE:
            return Q(due_on=None)


def _found(asked: Asked, *, member: Membership, today: OwnDays, lists: Lists) -> list[Any]:
    """One row more than a page, to know whether there is another."""
    rows = matching(asked, member=member, today=today, lists=lists)
    found: list[Any] = []
    for part in _ranges(rows, asked, today=today, lists=lists):
        if len(found) <= PAGE_SIZE:
            found += with_names(part)[: PAGE_SIZE + 1 - len(found)]
    return found


def with_names(rows: QuerySet[Any]) -> QuerySet[Any]:
    """With what a line shows of other tables, and no more of them: an account alone has a hundred columns."""
    at = "cta__" if rows.model is Task else ""
    names = [f"{at}account__name", "owner__name"]
    own = [field.name for field in rows.model._meta.concrete_fields]
    own += [f"cta__{field.name}" for field in Cta._meta.concrete_fields] if at else []
    return rows.select_related(f"{at}account", "owner").only(*own, *names)


def _ranges(rows: QuerySet[Any], asked: Asked, *, today: OwnDays, lists: Lists) -> Iterator[QuerySet[Any]]:
    """What is still ahead of the place, nearest first."""
    if asked.tab is Tab.CLOSED:
        return iter([_closed(rows, asked.after)])
    if asked.is_plain:
        return by_due(rows, asked.after)
    return iter([_by_group(rows, asked, today=today, lists=lists)])


def _closed(rows: QuerySet[Any], after: Place | None) -> QuerySet[Any]:
    """The last closed first; `closed_at` is as unique as an order needs with the id behind it."""
    if after:
        before = Cta.objects.filter(pk=after.id).values("closed_at")[:1]
        rows = rows.filter(Q(closed_at__lt=before) | Q(closed_at=before, pk__lt=after.id))
    return rows.order_by("-closed_at", "-pk")


def by_due(rows: QuerySet[Any], after: Place | None = None) -> Iterator[QuerySet[Any]]:
    due = after.values[0] if after else None
    if after is None or due is not None:
        dated = rows.filter(due_on__isnull=False)
        if after:
            dated = dated.filter(Q(due_on__gt=due) | Q(pk__gt=after.id), due_on__gte=due)
        yield dated.order_by("due_on", "pk")
    undated = rows.filter(due_on=None)
    yield (undated.filter(pk__gt=after.id) if after and due is None else undated).order_by("pk")


def _by_group(rows: QuerySet[Any], asked: Asked, *, today: OwnDays, lists: Lists) -> QuerySet[Any]:
    keys = {
        "group_key": _group_key(asked, today=today, lists=lists),
        "order_key": _order_key(asked, lists=lists),
        "due_key": Coalesce("due_on", Value(_NO_DATE)),
    }
    rows = rows.annotate(**keys)
    if asked.after:
        group, order, due = asked.after.values
        later = Q(due_key__gt=due) | Q(due_key=due, pk__gt=asked.after.id)
        later = Q(order_key__gt=order) | (Q(order_key=order) & later)
        rows = rows.filter(Q(group_key__gt=group) | (Q(group_key=group) & later))
    return rows.order_by(*keys, "pk")


def _group_key(asked: Asked, *, today: OwnDays, lists: Lists) -> Any:
    at = "cta__" if asked.tab is Tab.TASKS else ""
    match asked.grouping:
        case Grouping.ACCOUNT:
            return F(f"{at}account__name")
        case Grouping.OWNER:
            return Coalesce("owner__name", Value(""))
        case Grouping.PLAYBOOK:
            return F(f"{at}created_by")
        case Grouping.PLAN:
            return cta_plans().order("cta" if at else "pk")
        case Grouping.TYPE:
            return _ranked(f"{at}type", lists.entries[Kind.TYPE])
        case Grouping.PRIORITY:
            return _ranked(f"{at}priority", lists.entries[Kind.PRIORITY])
        case Grouping.STATUS:
            ways = [
                (in_stages([entry.key], lists=lists, at=at), n) for n, entry in enumerate(lists.entries[Kind.STATUS])
            ]
            return _case(ways)
        case Grouping.DUE:
            return _case([(due_in(due, today=today), rank) for rank, due in enumerate(Due)])


def _order_key(asked: Asked, *, lists: Lists) -> Any:
    at = "cta__" if asked.tab is Tab.TASKS else ""
    match asked.order:
        case Order.PRIORITY:
            return _ranked(f"{at}priority", lists.entries[Kind.PRIORITY])
        case Order.NEWEST:
            ago = _NEWEST - Cast(Extract("created_at", "epoch"), BigIntegerField())
            return ExpressionWrapper(ago, BigIntegerField())  # said, or no place would count as within its range
    return Value(0)


_NEWEST = 2**40  # seconds, counted down, so that one direction serves all keys


def _ranked(field: str, entries: Sequence[Entry]) -> Case:
    return _case([(Q(**{field: entry.key}), rank) for rank, entry in enumerate(entries)])


def _case(ways: Iterable[tuple[Q, int]]) -> Case:
    whens = [When(condition, then=Value(rank)) for condition, rank in ways]
    return Case(*whens, default=Value(_UNLISTED), output_field=IntegerField())


def _place(row: Any, asked: Asked) -> Place:
    if asked.tab is not Tab.CLOSED and asked.is_plain:
        return Place((row.due_on,), row.pk)
    if not hasattr(row, "group_key"):  # what is closed has one order only
        return Place((None,), row.pk)
    return Place((row.group_key, row.order_key, row.due_key), row.pk)


# What is shown -------------------------------------------------------------------------------------------------------


def load_rows(found: Sequence[Any]) -> list[Row]:
    """In a fixed number of queries, however many rows."""
    rows = [Row(one.cta, one) if isinstance(one, Task) else Row(one) for one in found]
    names = load_actors({row.cta.created_by for row in rows})
    progress = _progress({row.cta.pk for row in rows})
    for row in rows:
        row.source = names[row.cta.created_by].name if row.cta.created_by.startswith("playbook:") else ""
        row.done, row.total = progress.get(row.cta.pk, (0, 0))
    return rows


def _name_plans(rows: Sequence[Row]) -> None:
    names = cta_plans().names({row.cta.pk for row in rows})
    for row in rows:
        row.plan = names.get(row.cta.pk, "")


def _progress(ctas: Iterable[int]) -> dict[int, tuple[int, int]]:
    present = Task.objects.present().filter(cta_id__in=list(ctas)).values_list("cta_id").order_by()
    done = Count("pk", filter=Q(status=Task.Status.DONE))
    return {pk: (done, total) for pk, done, total in present.annotate(done=done, total=Count("pk"))}


def _groups(rows: Sequence[Row], asked: Asked, *, today: OwnDays, lists: Lists) -> Iterator[Group]:
    label = ""
    members: list[Row] = []
    if today.elsewhere and asked.grouping is Grouping.DUE and asked.tab is not Tab.CLOSED:
        rows = sorted(rows, key=lambda row: list(Due).index(due_of(row.due_on, today=today.of(row.owner_id))))
    for row in rows:
        mine = _label(row, asked, today=today, lists=lists)
        if members and mine != label:
            yield Group(label, members, label == "Overdue")
            members = []
        label = mine
        members.append(row)
    if members:
        yield Group(label, members, label == "Overdue")


def _label(row: Row, asked: Asked, *, today: OwnDays, lists: Lists) -> str:
    if asked.tab is Tab.CLOSED:
        return "Closed last"
    match asked.grouping:
        case Grouping.ACCOUNT:
            return row.cta.account.name
        case Grouping.TYPE:
            return lists.find(Kind.TYPE, row.cta.type).name
        case Grouping.STATUS:
            return lists.stage_of(row.cta).name
        case Grouping.PRIORITY:
            return f"{lists.find(Kind.PRIORITY, row.cta.priority).name} priority"
        case Grouping.OWNER:
            return row.owner.name if row.owner else "Nobody"
        case Grouping.PLAYBOOK:
            return row.source or "Opened by hand"
        case Grouping.PLAN:
            return row.plan or "In no plan"
    return DUE_LABELS[due_of(row.due_on, today=today.of(row.owner_id))]


def due_of(due_on: date | None, *, today: date) -> Due:
    if due_on is None:
        return Due.NONE
    if due_on < today:
        return Due.OVERDUE
    if due_on == today:
        return Due.TODAY
    return Due.WEEK if due_on <= end_of_week(today) else Due.LATER


def end_of_week(today: date) -> date:
    """A week ends with its Sunday."""
    return today + timedelta(days=6 - today.weekday())
