"""What the engine leaves to people, told to them: held evaluations, actions that failed for good or wait for approval.

Looked for every quarter of an hour from the rows themselves, so the engine waits for nobody. Each is told once.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

from django.db.models import Q
from django.urls import reverse

from actions.people import AE, CSM, MEMBER
from cs_platform.tenancy.models import Doer, Membership, Tenant
from cs_platform.tenancy.roles import MATRIX, Ability, Role, allows
from cs_platform.workspace.models import Notification
from cs_platform.workspace.notifications import notify
from playbooks.models import TEAMS, ActionRun, Approval, Evaluation, Playbook

RECENT = timedelta(days=1)
LOOKED_AT = 1_000
FAILED = (ActionRun.State.DEAD, ActionRun.State.UNCERTAIN)


class HeldEvaluations:
    def tell(self, tenant: Tenant, *, now: datetime) -> None:
        """To those who may let them through."""
        held = Evaluation.objects.filter(state=Evaluation.State.HELD, run__started_at__gte=now - RECENT)
        for one in held.select_related("playbook", "run").order_by("pk")[:LOOKED_AT]:
            text = f"{one.playbook.name} is held: it would enroll {one.would_enroll:,}"
            what = {"text": text if one.would_enroll else f"{one.playbook.name} is held", "once": f"held:{one.pk}"}
            members = list(who_may(tenant, Ability.RELEASE_EVALUATIONS))
            notify(
                members=members, kind=Notification.Kind.HELD, **_at(tenant, one.playbook_id), **what, by=None, now=now
            )


class FailedActions:
    def tell(self, tenant: Tenant, *, now: datetime) -> None:
        """Once a day for each playbook: to its admins, and to the CSMs of the accounts it failed on."""
        lately = Q(settled_at__gte=now - RECENT) | Q(sent_marker_at__gte=now - RECENT)
        failed = ActionRun.objects.filter(lately, state__in=FAILED)
        runs = failed.select_related("enrollment__playbook", "enrollment__account__csm")
        found = sorted(runs.order_by("-pk")[:LOOKED_AT], key=_playbook_of)
        for playbook_id, group in groupby(found, key=_playbook_of):
            self._tell(tenant, playbook_id, list(group), now)

    def _tell(self, tenant: Tenant, playbook_id: int, runs: list[ActionRun], now: datetime) -> None:
        count, name = len(runs), runs[0].enrollment.playbook.name
        text = f"{count:,} action{'' if count == 1 else 's'} of {name} failed"
        people = {run.enrollment.account.csm for run in runs} | set(who_may(tenant, Ability.PUBLISH_PLAYBOOKS))
        told = {"text": text, "once": f"failed:{playbook_id}:{now.date()}"}
        notify(members=people, kind=Notification.Kind.FAILURE, **_at(tenant, playbook_id), **told, by=None, now=now)


class ActionsToApprove:
    def tell(self, tenant: Tenant, *, now: datetime) -> None:
        """One notice for each playbook to each who is asked, whatever the number; admins where nobody else is there."""
        untold = Approval.objects.waiting().filter(told_at=None).order_by("pk")
        locked = untold.select_for_update(of=("self",), skip_locked=True, no_key=True)
        found = list(locked.select_related("enrollment__playbook", "enrollment__account")[:LOOKED_AT])
        asked = Asked.of(tenant)
        for (playbook_id, member_id), group in _grouped(found, asked):
            self._tell(tenant, asked.members[member_id], playbook_id, group, now)
        Approval.objects.filter(pk__in=[one.pk for one in found]).update(told_at=now)

    def _tell(self, tenant: Tenant, member: Membership, playbook_id: int, group: list[Approval], now: datetime) -> None:
        count, name = len(group), group[0].enrollment.playbook.name
        text = f"{name} asks whether {count:,} action{'' if count == 1 else 's'} may run"
        if count == 1:
            text = f"{text} on {group[0].enrollment.account.name}"
        url = f"{reverse('playbooks:inbox', args=[tenant.slug])}?tab=asked&mine=1"
        about = {"url": url, "subject": f"playbook:{playbook_id}"}
        notify(members=[member], kind=Notification.Kind.APPROVAL, text=text, **about, by=None, now=now)


def tell_asker(playbook: Playbook, asker: Membership | None, *, by: Doer | None, now: datetime) -> None:
    """Who asked for a draft to go live hears that it is published."""
    text = f"{playbook.name} is published, as you asked"
    at = _at(playbook.tenant, playbook.pk)
    notify(members=[asker], kind=Notification.Kind.APPROVAL, text=text, **at, by=by, now=now)


@dataclass(frozen=True, slots=True)
class Asked:
    """Whom a question is for, among the active members who may answer one."""

    members: dict[int, Membership]

    @classmethod
    def of(cls, tenant: Tenant) -> "Asked":
        return cls({member.pk: member for member in who_may(tenant, Ability.WORK_CTAS)})

    def who(self, approval: Approval) -> set[int]:
        found = self._named(approval) & set(self.members)
        return found or {pk for pk, one in self.members.items() if allows(Role(one.role), Ability.PUBLISH_PLAYBOOKS)}

    def _named(self, approval: Approval) -> set[int]:
        account = approval.enrollment.account
        holders = {CSM: account.csm_id, AE: account.ae_id}
        if approval.asks in holders:
            return {pk for pk in (holders[approval.asks],) if pk}
        if approval.asks in TEAMS:
            return {pk for pk, one in self.members.items() if one.role in TEAMS[approval.asks]}
        return {pk for pk, one in self.members.items() if approval.asks == f"{MEMBER}{one.email.lower()}"}


def _grouped(found: list[Approval], asked: Asked) -> Iterator[tuple[tuple[int, int], list[Approval]]]:
    groups: dict[tuple[int, int], list[Approval]] = {}
    for approval in found:
        for member_id in asked.who(approval):
            groups.setdefault((approval.enrollment.playbook_id, member_id), []).append(approval)
    yield from sorted(groups.items(), key=lambda item: item[0])


def _playbook_of(run: ActionRun) -> int:
    return run.enrollment.playbook_id


def who_may(tenant: Tenant, ability: Ability) -> Iterator[Membership]:
    yield from Membership.objects.active().in_tenant(tenant.pk).filter(role__in=MATRIX[ability]).order_by("pk")


def _at(tenant: Tenant, playbook_id: int) -> dict[str, Any]:
    url = reverse("playbooks:detail", args=[tenant.slug, playbook_id])
    return {"url": url, "subject": f"playbook:{playbook_id}"}
