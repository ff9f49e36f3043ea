"""What each of the team can take on: how many accounts they hold, how many they may, until when they are away."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.db.models import Count

from accounts.models import Account, Workload
from cs_platform.tenancy.audit import record
from cs_platform.tenancy.context import current_tenant_id
from cs_platform.tenancy.models import Doer, Membership


@dataclass(frozen=True, slots=True)
class Load:
    member: Membership
    as_csm: int
    as_ae: int
    workload: Workload


def loads() -> Sequence[Load]:
    """Of everybody active."""
    return loads_of(list(Membership.objects.in_tenant(current_tenant_id()).active().order_by("name", "pk")))


def loads_of(team: Sequence[Membership]) -> Sequence[Load]:
    """Customers and trials count."""
    known = {one.member_id: one for one in Workload.objects.filter(member__in=team)}
    csms, aes = _held("csm", team), _held("ae", team)
    return [
        Load(one, csms.get(one.pk, 0), aes.get(one.pk, 0), known.get(one.pk) or Workload(member=one)) for one in team
    ]


def _held(role: str, team: Sequence[Membership]) -> Mapping[int, int]:
    held = Account.objects.tracked().filter(**{f"{role}__in": team}).order_by()
    return dict(held.values_list(f"{role}_id").annotate(Count("pk")))


def set_workload(
    member: Membership, *, capacity: int | None, away_until: date | None, by: Doer, now: datetime
) -> Workload:
    held = Workload.objects.filter(member=member).first() or Workload(member=member)
    before: dict[str, Any] = {"capacity": held.capacity, "away_until": _day(held.away_until)}
    after = {"capacity": capacity, "away_until": _day(away_until)}
    changes = {"capacity": capacity, "away_until": away_until}
    workload, _made = Workload.objects.update_or_create(member=member, defaults=changes)
    if before != after:
        about: dict[str, Any] = {"subject_type": "workload", "subject_id": member.pk, "name": member.name}
        record(verb="workload.changed", **about, before=before, after=after, by=by, now=now)
    return workload


def _day(day: date | None) -> str | None:
    return day.isoformat() if day else None
