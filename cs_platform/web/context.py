"""What every template may say: the moment the page is made, by the database's clock, and the workspace's day."""

from datetime import date, datetime

from django.http import HttpRequest
from django.utils import timezone

from cs_platform.tenancy.roles import Ability


# Components may use both names without being given them: a date is always said relative to the page's day.
def clock(request: HttpRequest) -> dict[str, datetime | date | None]:
    now: datetime | None = getattr(request, "now", None)
    return {"now": now, "today": timezone.localdate(now) if now else None}


def abilities(request: HttpRequest) -> dict[str, dict[str, bool]]:
    """`{% if may.run_playbooks %}` hides what a role cannot do; the views check by themselves."""
    member = getattr(request, "membership", None)
    return {"may": {ability.value: member.can(ability) for ability in Ability} if member else {}}
