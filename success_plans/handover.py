"""Success plans of somebody who leaves: given on with their other work, or at night to who looks after the account."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db.models import QuerySet
from django.urls import reverse

from accounts.models import TimelineEntry
from cs_platform.tenancy.models import Doer, Membership, Tenant
from ctas.orphans import (
    ACCOUNT,
    BY,
    HandedOn,
    by_heir,
    first_active,
    leavers,
    people_of,
    tell_managers,
    with_people,
    words_of,
)
from success_plans.models import SuccessPlan
from success_plans.planning import tell_of_started


class LedPlans:
    def counts(self, member: Membership) -> Sequence[tuple[str, int]]:
        return [("success plans", _led().filter(owner=member).count())]

    def hand_over(self, member: Membership, to: Membership, *, by: Membership, now: datetime) -> None:
        """Whoever gives them on has worked on them: a stop leaves what people changed as it is."""
        plans = list(_led().filter(owner=member).select_for_update(no_key=True).order_by("pk"))
        changes = {"owner": to, "touched_at": now, "touched_by": by}
        SuccessPlan.objects.filter(pk__in=[plan.pk for plan in plans]).update(**changes)
        TimelineEntry.objects.bulk_create(
            _line(plan, f"Plan handed over to {to.name}: {plan.name}", by=by, now=now) for plan in plans
        )


def hand_on_plans(tenant: Tenant, *, now: datetime) -> HandedOn:
    moved = HandedOn("success plan")
    if not leavers(tenant):
        return moved
    people = ("owner", *(f"account__{role}" for role in ACCOUNT))
    plans = list(with_people(_led(), tenant, "name", "status", "account_id", people=people))
    heirs = {plan: first_active(people_of(plan.account)) for plan in plans}
    for heir, theirs in by_heir(heirs).items():
        SuccessPlan.objects.filter(pk__in=[plan.pk for plan in theirs]).update(owner=heir)
    TimelineEntry.objects.bulk_create(
        _line(plan, f"Plan handed on to {words_of(heir, plan.owner)}: {plan.name}", by=BY, now=now)
        for plan, heir in heirs.items()
    )
    for plan, heir in heirs.items():
        moved.counts[plan.owner][heir] += 1
        plan.owner = heir
    tell_of_started(plans, by=BY, now=now)
    tell_managers(tenant, [moved], address=reverse("plans:list", args=[tenant.slug]), now=now)
    return moved


def _led() -> QuerySet[Any]:
    return SuccessPlan.objects.filter(archived_at=None).exclude(status=SuccessPlan.Status.CLOSED)


def _line(plan: SuccessPlan, text: str, *, by: Doer, now: datetime) -> TimelineEntry:
    facts = {"account_id": plan.account_id, "subject": plan.subject, "kind": "plan.edited"}
    return TimelineEntry(at=now, actor=by.actor, text=text, **facts)
