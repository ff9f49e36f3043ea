"""Open work of team members who have left, that nobody took over: every night it goes on to who is there.

A CTA goes to its account's CSM, else its AE; a task first to the owner of its CTA. Where nobody is, nobody owns it: it
stands in the team's list. Those who get it are told, and so is whoever leads the one who left.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db.models import QuerySet
from django.urls import reverse

from accounts.models import Account, TimelineEntry
from cs_platform.tenancy.models import Membership, Tenant
from cs_platform.tenancy.roles import Role
from cs_platform.workspace.models import Notification, TeamMember
from cs_platform.workspace.notifications import notify
from ctas.models import Cta, Task
from ctas.telling import Agent, tell_of_many

BY = Agent("handover")
AT_ONCE = 1_000
ACCOUNT = ("csm", "ae")
FACTS = ("id", "name", "deactivated_at")  # of a member


@dataclass(slots=True)
class HandedOn:
    """How much went to whom, by who had it; None: to nobody."""

    noun: str
    counts: dict[Membership, Counter[Membership | None]] = field(default_factory=lambda: defaultdict(Counter))

    def __len__(self) -> int:
        return sum(count.total() for count in self.counts.values())


def hand_on(tenant: Tenant, *, now: datetime) -> list[HandedOn]:
    """CTAs first, because tasks follow them."""
    if not leavers(tenant):
        return []
    moved = [_moved("CTA", _ctas(tenant), now=now), _moved("task", _tasks(tenant), now=now)]
    for one in moved:
        _tell_heirs(tenant, one, now=now)
    tell_managers(tenant, moved, address=f"{reverse('ctas:cockpit', args=[tenant.slug])}?tab=team&group=owner", now=now)
    return moved


def leavers(tenant: Tenant) -> list[int]:
    gone = Membership.objects.in_tenant(tenant.pk).filter(deactivated_at__isnull=False)
    return list(gone.order_by("pk").values_list("pk", flat=True))


def _ctas(tenant: Tenant) -> QuerySet[Any]:
    people = ("owner", *(f"account__{role}" for role in ACCOUNT))
    return with_people(Cta.objects.open(), tenant, "name", "account_id", "end_user_id", people=people)


def _tasks(tenant: Tenant) -> QuerySet[Any]:
    open = Task.objects.open().filter(cta__archived_at=None, cta__status=Cta.Status.OPEN)
    people = ("owner", "cta__owner", *(f"cta__account__{role}" for role in ACCOUNT))
    return with_people(open, tenant, "title", "cta__account_id", "cta__end_user_id", people=people)


def with_people(rows: QuerySet[Any], tenant: Tenant, *facts: str, people: Sequence[str]) -> QuerySet[Any]:
    """What those who have left own, with the people who may follow them."""
    names = [*facts, *(f"{person}__{fact}" for person in people for fact in FACTS)]
    theirs = rows.filter(owner__in=leavers(tenant)).select_related(*people)
    return theirs.select_for_update(no_key=True, of=("self",)).only(*names).order_by("pk")


def _moved(noun: str, left: QuerySet[Any], *, now: datetime) -> HandedOn:
    moved = HandedOn(noun)
    while rows := list(left.all()[:AT_ONCE]):
        heirs = {row: first_active(_people(row)) for row in rows}
        for heir, theirs in by_heir(heirs).items():
            type(rows[0]).objects.filter(pk__in=[row.pk for row in theirs]).update(owner=heir)
        TimelineEntry.objects.bulk_create(_line(noun, row, heir, now) for row, heir in heirs.items())
        for row, heir in heirs.items():
            moved.counts[row.owner][heir] += 1
    return moved


def _people(row: Cta | Task) -> list[Membership | None]:
    if isinstance(row, Task):
        return [row.cta.owner, *people_of(row.cta.account)]
    return people_of(row.account)


def people_of(account: Account) -> list[Membership | None]:
    return [getattr(account, role) for role in ACCOUNT]


def first_active(people: Iterable[Membership | None]) -> Membership | None:
    return next((person for person in people if person and person.deactivated_at is None), None)


def by_heir(heirs: Mapping[Any, Membership | None]) -> dict[Membership | None, list[Any]]:
    found: dict[Membership | None, list[Any]] = defaultdict(list)
    for row, heir in heirs.items():
        found[heir].append(row)
    return found


def _line(noun: str, row: Any, heir: Membership | None, now: datetime) -> TimelineEntry:
    cta, kind = (row.cta, "task") if isinstance(row, Task) else (row, "cta")
    return TimelineEntry(
        account_id=cta.account_id,
        end_user_id=cta.end_user_id,
        at=now,
        kind=f"{kind}.edited",
        actor=BY.actor,
        text=f"{noun[0].upper()}{noun[1:]} handed on to {words_of(heir, row.owner)}: {row}",
        subject=f"{kind}:{row.pk}",
    )


def words_of(heir: Membership | None, leaver: Membership) -> str:
    return f"{heir.name if heir else 'nobody'}, as {leaver.name} has left"


def _tell_heirs(tenant: Tenant, moved: HandedOn, *, now: datetime) -> None:
    got: Counter[Membership | None] = sum(moved.counts.values(), Counter())
    known = Membership.objects.in_tenant(tenant.pk).select_related("tenant")
    for heir in known.filter(pk__in=[one.pk for one in got if one]).order_by("pk"):
        tell_of_many(heir, got[heir], noun=moved.noun, by=BY, now=now)


# --- whoever leads them -----------------------------------------------------------------------------------------------


def tell_managers(tenant: Tenant, moved: Sequence[HandedOn], *, address: str, now: datetime) -> None:
    for leaver in {member: None for one in moved for member in one.counts}:
        told = {"text": _told(leaver, moved), "url": address, "subject": f"member:{leaver.pk}"}
        notify(members=managers_of(leaver, tenant), kind=Notification.Kind.ASSIGNMENT, by=BY, now=now, **told)


def _told(leaver: Membership, moved: Sequence[HandedOn]) -> str:
    counts = [(one.noun, one.counts[leaver]) for one in moved if leaver in one.counts]
    listed = " and ".join(f"{count.total():,} {noun}{'' if count.total() == 1 else 's'}" for noun, count in counts)
    nobodys = sum(count[None] for _noun, count in counts)
    left = f"; {nobodys:,} of it to nobody, for want of a CSM" if nobodys else ""
    return f"{leaver.name} has left. Handed on: {listed}{left}"


def managers_of(member: Membership, tenant: Tenant) -> list[Membership]:
    """Who leads a team of theirs; else the managers; else owners and admins."""
    active = Membership.objects.in_tenant(tenant.pk).active().exclude(pk=member.pk).order_by("pk")
    teams = TeamMember.objects.filter(member=member, team__archived_at=None).values("team")
    leads = TeamMember.objects.filter(team__in=teams, is_lead=True).values("member")
    ways = [active.filter(pk__in=leads), active.filter(role=Role.MANAGER)]
    ways.append(active.filter(role__in=[Role.OWNER, Role.ADMIN]))
    return next((found for way in ways if (found := list(way))), [])
