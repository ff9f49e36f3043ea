"""What the engine leaves to people, told to them: held evaluations, and actions that failed for good.

Looked for every quarter of an hour from the rows themselves, so the engine waits for nobody. Each is told once.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

from django.db.models import Q
from django.urls import reverse

from cs_platform.tenancy.models import Membership, Tenant
from cs_platform.tenancy.roles import MATRIX, Ability
from cs_platform.workspace.models import Notification
from cs_platform.workspace.notifications import notify
from playbooks.models import ActionRun, Evaluation

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
            members = list(_who_may(tenant, Ability.RELEASE_EVALUATIONS))
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
        people = {run.enrollment.account.csm for run in runs} | set(_who_may(tenant, Ability.PUBLISH_PLAYBOOKS))
        told = {"text": text, "once": f"failed:{playbook_id}:{now.date()}"}
        notify(members=people, kind=Notification.Kind.FAILURE, **_at(tenant, playbook_id), **told, by=None, now=now)


def _playbook_of(run: ActionRun) -> int:
    return run.enrollment.playbook_id


def _who_may(tenant: Tenant, ability: Ability) -> Iterator[Membership]:
    yield from Membership.objects.active().in_tenant(tenant.pk).filter(role__in=MATRIX[ability]).order_by("pk")


def _at(tenant: Tenant, playbook_id: int) -> dict[str, Any]:
    url = reverse("playbooks:detail", args=[tenant.slug, playbook_id])
    return {"url": url, "subject": f"playbook:{playbook_id}"}
