"""What every template may say: the moment the page is made, by the database's clock, and the workspace's day."""

from collections.abc import Callable
from datetime import date, datetime
from functools import partial
from typing import Any

from django.http import HttpRequest
from django.utils import timezone
from django.utils.functional import SimpleLazyObject

from cs_platform.tenancy.roles import Ability
from cs_platform.web.saved_views import links_beside
from cs_platform.web.sidebar import entries
from cs_platform.web.tally import count_waiting


# Components may use both names without being given them: a date is always said relative to the page's day.
def clock(request: HttpRequest) -> dict[str, datetime | date | None]:
    now: datetime | None = getattr(request, "now", None)
    return {"now": now, "today": timezone.localdate(now) if now else None}


def abilities(request: HttpRequest) -> dict[str, dict[str, bool]]:
    """`{% if may.run_playbooks %}` hides what a role cannot do; the views check by themselves."""
    member = getattr(request, "membership", None)
    return {"may": {ability.value: member.can(ability) for ability in Ability} if member else {}}


def views(request: HttpRequest) -> dict[str, Callable[[], Any]]:
    """What the sidebar leads to, asked for where a page has one."""
    return {"my_views": partial(links_beside, request)} if getattr(request, "membership", None) else {}  # type: ignore[arg-type]


def sidebar(request: HttpRequest) -> dict[str, Any]:
    """Where the sidebar leads, and how much waits there. Only where it is shown: fragments have none."""
    member = getattr(request, "membership", None)
    if member is None:
        return {}
    counts: Any = SimpleLazyObject(lambda: count_waiting(member, member.day(request.now)))  # type: ignore[attr-defined]
    return {"tally": counts, "sidebar": SimpleLazyObject(lambda: entries(request, member.tenant.slug, counts))}
