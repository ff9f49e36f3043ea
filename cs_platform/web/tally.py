"""What waits for a member, counted beside the pages in the sidebar: settings.TALLIES names who knows."""

from collections.abc import Mapping
from datetime import date
from typing import Any, ClassVar, Protocol

from django.conf import settings
from django.db.models import QuerySet
from django.utils.module_loading import import_string

from cs_platform.common.together import count_each
from cs_platform.tenancy.models import Membership
from cs_platform.workspace.notifications import unread

MOST_COUNTED = 99


class Tally(Protocol):
    key: ClassVar[str]

    def rows(self, member: Membership, today: date) -> QuerySet[Any]:
        """What waits; where the member has left it, it does not any more."""


def count_waiting(member: Membership, today: date) -> Mapping[str, str]:
    """In one statement, each at most one more than are counted: the page then says “99+”."""
    sources: list[Tally] = [import_string(path)() for path in settings.TALLIES]
    waiting = {"bell": unread(member)} | {one.key: one.rows(member, today) for one in sources}
    numbers = count_each(waiting.values(), most=MOST_COUNTED + 1)
    return {key: _words(number) for key, number in zip(waiting, numbers, strict=True)}


def _words(number: int) -> str:
    """Nothing where nothing waits."""
    return f"{MOST_COUNTED}+" if number > MOST_COUNTED else f"{number or ''}"
