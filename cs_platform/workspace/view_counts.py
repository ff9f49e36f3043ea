"""How many things a saved view finds: counted up to a limit and within a time, whatever the view asks.

settings.VIEW_COUNTERS names who knows, for each page that has views.
"""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from time import monotonic
from typing import Protocol

from django.conf import settings
from django.db import DatabaseError
from django.utils.module_loading import import_string

from cs_platform.common.time_limit import TooLong, at_most
from cs_platform.tenancy.models import Membership, Tenant
from cs_platform.workspace.models import SavedView

MOST_COUNTED = 1_000
LIMIT_MS = 300  # for all that are asked for together

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Countable:
    """`noun`: what one of the things is called. `count`: how many there are, no further than so many."""

    noun: str
    count: Callable[[int], int]


class ViewCounter(Protocol):
    def countable(
        self, views: Sequence[SavedView], *, tenant: Tenant, member: Membership | None, now: datetime
    ) -> Mapping[int, Countable]:
        """By the view's id, without those that mean nothing any more. “Me” is the member; nobody has anything."""


@dataclass(frozen=True, slots=True)
class ViewCount:
    number: int
    is_capped: bool  # there are more
    noun: str


def count_views(
    views: Sequence[SavedView], *, tenant: Tenant, member: Membership | None, now: datetime
) -> Mapping[int, ViewCount]:
    """By id. A view that takes longer than its share of the time left, or cannot be counted, has no number."""
    until = monotonic() + LIMIT_MS / 1_000
    waiting = list(_countable(views, tenant=tenant, member=member, now=now))
    counts: dict[int, ViewCount] = {}
    for done, (pk, countable) in enumerate(waiting):
        share = int((until - monotonic()) * 1_000 / (len(waiting) - done))
        if share < 1:  # the database would take 0 for no limit at all
            break
        if count := _count(countable, at_most_ms=share):
            counts[pk] = count
    return counts


def _countable(
    views: Sequence[SavedView], *, tenant: Tenant, member: Membership | None, now: datetime
) -> Iterator[tuple[int, Countable]]:
    for page, own in groupby(sorted(views, key=lambda view: view.page), key=lambda view: view.page):
        counter: ViewCounter = import_string(settings.VIEW_COUNTERS[page])()
        yield from counter.countable(list(own), tenant=tenant, member=member, now=now).items()


def _count(countable: Countable, *, at_most_ms: int) -> ViewCount | None:
    try:
        with at_most(at_most_ms):
            number = countable.count(MOST_COUNTED + 1)
    except TooLong:
        return None
    except DatabaseError:
        log.warning("A saved view could not be counted", exc_info=True)
        return None
    return ViewCount(min(number, MOST_COUNTED), number > MOST_COUNTED, countable.noun)
