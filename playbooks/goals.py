"""How far what a playbook is for is, on one enrollment or on one who was left out: reached, open still, or missed."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from cs_platform.tenancy.models import Tenant
from playbooks.models import PlaybookVersion


@dataclass(frozen=True, slots=True)
class Goal:
    name: str
    reached_at: datetime | None
    until: date  # the last day that counts, in the zone of the workspace
    is_open: bool


def goal_of(
    version: PlaybookVersion, *, since: datetime, reached_at: datetime | None, tenant: Tenant, now: datetime
) -> Goal | None:
    """`since`: when the playbook was applied, or when who was left out was found first. None without an outcome."""
    outcome = version.definition.get("outcome")
    if not outcome:
        return None
    zone = ZoneInfo(tenant.timezone)
    until = since.astimezone(zone).date() + timedelta(days=outcome["days"])
    is_open = reached_at is None and until >= now.astimezone(zone).date()
    return Goal(outcome["name"], reached_at, until, is_open)
