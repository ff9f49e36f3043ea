"""Which day it is for whoever owns something: work is late, and what is snoozed comes back, by its owner's day.

What nobody owns goes by the workspace's.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from zoneinfo import ZoneInfo

from django.db.models import Q

from cs_platform.tenancy.models import Membership, Tenant


@dataclass(frozen=True, slots=True)
class OwnDays:
    here: date  # in the workspace
    elsewhere: Mapping[int, date] = field(default_factory=dict)  # by owner, where it is another day right now

    @property
    def latest(self) -> date:
        return max([self.here, *self.elsewhere.values()])

    def of(self, owner_id: int | None) -> date:
        return self.here if owner_id is None else self.elsewhere.get(owner_id, self.here)

    def only(self, owner_id: int | None) -> "OwnDays":
        """For a list of what one person owns."""
        return OwnDays(self.of(owner_id))

    def each(self, which: Callable[[date], Q]) -> Q:
        """What holds by the day of each row's owner."""
        found = which(self.here)
        if not self.elsewhere:
            return found
        found &= ~Q(owner__in=list(self.elsewhere))
        for day in sorted(set(self.elsewhere.values())):
            found |= which(day) & Q(owner__in=[pk for pk, theirs in self.elsewhere.items() if theirs == day])
        return found


def own_days(tenant: Tenant, *, now: datetime) -> OwnDays:
    here = day_in(tenant.timezone, now)
    away = Membership.objects.in_tenant(tenant.pk).exclude(timezone__in=["", tenant.timezone])
    days = {pk: day_in(zone, now) for pk, zone in away.values_list("pk", "timezone")}
    return OwnDays(here, {pk: day for pk, day in days.items() if day != here})


def own_day(owner: Membership | None, tenant: Tenant, *, now: datetime) -> date:
    return day_in(owner.timezone or tenant.timezone if owner else tenant.timezone, now)


def day_in(zone: str, now: datetime) -> date:
    return now.astimezone(ZoneInfo(zone)).date()
