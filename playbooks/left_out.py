"""Whom a playbook has left out to compare, for people to look at."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Exists, OuterRef, Q, QuerySet

from accounts.places import Place, older_than
from cs_platform.tenancy.models import Tenant
from playbooks.goals import Goal, goal_of
from playbooks.models import Enrollment, Playbook, Withheld

PAGE_SIZE = 50
ON_AN_ACCOUNT = 20
LATEST_FIRST = ("-matched_at", "-pk")


@dataclass(frozen=True, slots=True)
class LeftOut:
    withheld: Withheld
    goal: Goal | None
    enrollment: Enrollment | None  # applied for real all the same, by hand: no longer one to compare with


@dataclass(frozen=True, slots=True)
class LeftOutPage:
    rows: Sequence[LeftOut]
    next: Place | None


def leaves_out(playbook: Playbook) -> bool:
    """Now by its published version, or before."""
    share = playbook.version.definition.get("holdout") if playbook.version else 0
    return bool(share) or Withheld.objects.filter(playbook=playbook).exists()


def load_left_out(playbook: Playbook, *, after: Place | None, tenant: Tenant, now: datetime) -> LeftOutPage:
    """The latest match first, a page at a time by keyset, in two queries."""
    found = Withheld.objects.filter(playbook=playbook).select_related("version", "account", "end_user")
    if after:
        found = found.filter(older_than(after, "matched_at"))
    rows = list(found.order_by(*LATEST_FIRST)[: PAGE_SIZE + 1])
    shown = rows[:PAGE_SIZE]
    last = Place(shown[-1].matched_at, shown[-1].pk) if len(rows) > PAGE_SIZE else None
    applied = _applied_all_the_same(playbook, shown)
    lines = [_line(one, applied.get((one.account_id, one.end_user_id)), tenant, now) for one in shown]
    return LeftOutPage(lines, last)


def left_out_on(account_id: int, *, tenant: Tenant, now: datetime) -> list[LeftOut]:
    """The playbooks an account, or a user of it, goes without as things stand: they leave some out, and were not
    applied by hand since.
    """
    comparing = Withheld.objects.filter(account_id=account_id, playbook__version__definition__holdout__gt=0)
    found = comparing.exclude(playbook__status=Playbook.Status.ARCHIVED).filter(~Exists(_real_of_withheld()))
    rows = found.select_related("playbook", "version", "end_user").order_by(*LATEST_FIRST)[:ON_AN_ACCOUNT]
    return [_line(one, None, tenant, now) for one in rows]


def _line(withheld: Withheld, enrollment: Enrollment | None, tenant: Tenant, now: datetime) -> LeftOut:
    since, reached_at = withheld.matched_at, withheld.outcome_at
    goal = goal_of(withheld.version, since=since, reached_at=reached_at, tenant=tenant, now=now)
    return LeftOut(withheld, goal, enrollment)


def _applied_all_the_same(playbook: Playbook, shown: Sequence[Withheld]) -> dict[tuple[int, int | None], Enrollment]:
    """The latest of each."""
    accounts = {one.account_id for one in shown}
    found = Enrollment.objects.real().filter(playbook=playbook, account__in=accounts).order_by("activated_at", "pk")
    return {(one.account_id, one.end_user_id): one for one in found}


def _real_of_withheld() -> QuerySet[Enrollment]:
    """Of a playbook about accounts there is no user in either."""
    ours = Enrollment.objects.real().filter(playbook=OuterRef("playbook"), account=OuterRef("account"))
    return ours.filter(Q(end_user=None) | Q(end_user=OuterRef("end_user")))
