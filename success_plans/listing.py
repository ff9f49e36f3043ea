"""The list of plans: narrowed and ordered as the address says, a page at a time by keyset."""

import base64
import binascii
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.conf import settings
from django.db.models import Q, QuerySet
from django.http import QueryDict

from cs_platform.tenancy.models import Membership
from success_plans.models import PlanType, SuccessPlan
from success_plans.progress import NOTHING, Progress, Standing, load_progress, standing

PAGE_SIZE = 50
COUNT_LIMIT = 1_000
SEARCH_LIMIT = 100
PASSING = ("after", *settings.DRAWERS)
TABS: Mapping[str, str] = {"active": "Active", "draft": "Drafts", "closed": "Closed", "archived": "Archived"}
SORTS: Mapping[str, str] = {"due": "due_on", "name": "name", "created": "created_at"}
WHOSE: Mapping[str, str] = {"me": "Mine"}
MORE: Mapping[str, str] = {"overdue": "past their due date", "undated": "without a due date"}


@dataclass(frozen=True, slots=True)
class Asked:
    """What the address asks for; words that mean nothing ask for nothing in particular."""

    params: QueryDict
    tab: str
    search: str
    owner: str
    type: PlanType | None
    account_id: int | None
    due: str
    sort: str
    descending: bool

    @classmethod
    def of(cls, params: QueryDict) -> "Asked":
        sort = params.get("sort", "due")
        known = sort.removeprefix("-") in SORTS
        return cls(
            params=params,
            tab=params.get("tab", "") if params.get("tab") in TABS else "active",
            search=" ".join(params.get("q", "").replace("\x00", "").split())[:SEARCH_LIMIT],
            owner=params.get("owner", "") if params.get("owner") == "me" or _id(params.get("owner", "")) else "",
            type=PlanType.objects.filter(pk=_id(params.get("type", "")) or 0).first(),
            account_id=_id(params.get("account", "")),
            due=params.get("due", "") if params.get("due") in MORE else "",
            sort=sort.removeprefix("-") if known else "due",
            descending=sort.startswith("-") if known else False,
        )

    @property
    def is_filtered(self) -> bool:
        return any((self.search, self.owner, self.type, self.account_id, self.due))

    def address(self, **changes: Any) -> str:
        params = self.params.copy()
        for name in PASSING:
            params.pop(name, None)
        for name, value in changes.items():
            params.setlist(name, [] if value is None else [str(value)])
        return f"?{params.urlencode()}"

    def kept(self, *own: str) -> Iterator[tuple[str, str]]:
        """Parameters a form must carry along: all but those it brings."""
        for name, values in self.params.lists():
            if name not in (*PASSING, *own):
                yield from ((name, value) for value in values)


def _id(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 19 else None


@dataclass(frozen=True, slots=True)
class Row:
    plan: SuccessPlan
    progress: Progress
    standing: Standing


@dataclass(frozen=True, slots=True)
class Page:
    rows: Sequence[Row]
    next: str


def matching(asked: Asked, *, member: Membership | None, today: date) -> QuerySet[SuccessPlan]:
    plans = _of_tab(asked.tab)
    if asked.search:
        plans = plans.filter(Q(name__icontains=asked.search) | Q(account__name__icontains=asked.search))
    if asked.owner:
        plans = plans.filter(owner=member if asked.owner == "me" else int(asked.owner))
    if asked.type:
        plans = plans.filter(type=asked.type)
    if asked.account_id:
        plans = plans.filter(account=asked.account_id)
    if asked.due:
        plans = plans.filter(Q(due_on=None) if asked.due == "undated" else Q(due_on__lt=today))
    return plans


def _of_tab(tab: str) -> QuerySet[SuccessPlan]:
    """Those of archived accounts are gone with them."""
    plans: QuerySet[SuccessPlan] = SuccessPlan.objects.filter(account__archived_at=None)
    if tab == "archived":
        return plans.filter(archived_at__isnull=False)
    return plans.filter(archived_at=None, status=tab)


def load_page(asked: Asked, *, member: Membership, today: date) -> Page:
    column = SORTS[asked.sort]
    found: list[SuccessPlan] = []
    for part in _parts(matching(asked, member=member, today=today), asked, column):
        if len(found) <= PAGE_SIZE:
            found += part.select_related("account", "owner", "type")[: PAGE_SIZE + 1 - len(found)]
    shown = found[:PAGE_SIZE]
    after = _cursor(getattr(shown[-1], column), shown[-1].pk) if len(found) > PAGE_SIZE else ""
    return Page(rows_of(shown, today=today), after)


def rows_of(plans: Sequence[SuccessPlan], *, today: date) -> list[Row]:
    progress = load_progress([plan.pk for plan in plans]) if plans else {}
    return [Row(plan, mine := progress.get(plan.pk, NOTHING), standing(plan, mine, today=today)) for plan in plans]


def count_matching(asked: Asked, *, member: Membership, today: date) -> int:
    """Up to COUNT_LIMIT + 1."""
    return matching(asked, member=member, today=today).order_by()[: COUNT_LIMIT + 1].count()


def tab_counts(*, member: Membership) -> dict[str, int]:
    """Of each tab without its filters, up to COUNT_LIMIT + 1; what is over is not counted."""
    return {tab: _of_tab(tab).order_by()[: COUNT_LIMIT + 1].count() for tab in ("active", "draft")}


def _parts(plans: QuerySet[SuccessPlan], asked: Asked, column: str) -> Iterator[QuerySet[SuccessPlan]]:
    """Those with a value, then those without, which come last in both directions."""
    sign = "lt" if asked.descending else "gt"
    order = [f"-{column}", "-pk"] if asked.descending else [column, "pk"]
    place = _read_cursor(asked.params.get("after", ""), column)
    valued, blank = plans.filter(**{f"{column}__isnull": False}), plans.filter(**{f"{column}__isnull": True})
    if place is None or place[0] is not None:
        if place:
            beyond = Q(**{f"{column}__{sign}": place[0]}) | Q(**{column: place[0], f"pk__{sign}": place[1]})
            valued = valued.filter(beyond)
        yield valued.order_by(*order)
    elif place:
        blank = blank.filter(**{f"pk__{sign}": place[1]})
    yield blank.order_by("-pk" if asked.descending else "pk")


def _cursor(value: Any, pk: int) -> str:
    text = value.isoformat() if isinstance(value, date) else value
    return base64.urlsafe_b64encode(json.dumps([text, pk]).encode()).decode().rstrip("=")


_KINDS: Mapping[str, Any] = {"due_on": date, "created_at": datetime}


def _read_cursor(text: str, column: str) -> tuple[Any, int] | None:
    """None for anything that is no place of this order: the list then starts at its beginning."""
    try:
        value, pk = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        if value is not None and (not isinstance(value, str) or "\x00" in value):
            return None
        typed = _KINDS[column].fromisoformat(value) if value is not None and column in _KINDS else value
        if isinstance(typed, datetime) and typed.tzinfo is None:
            return None
        return (typed, pk) if isinstance(pk, int) and not isinstance(pk, bool) and 0 <= pk < 2**63 else None
    except (ValueError, TypeError, binascii.Error):
        return None
