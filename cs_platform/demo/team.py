"""What the demo's team does all day: tick tasks, close CTAs and plans, settle indicators, stop playbooks with a reason.

Chance is seeded by the day and the object, so that every load of the demo tells the same story.
"""

import zlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Self

from accounts.models import Indicator, TraitDefinition
from accounts.traits import set_trait
from cs_platform.tenancy.context import tenant_context
from cs_platform.tenancy.models import Tenant
from ctas.models import Cta, Task
from playbooks.models import Enrollment
from playbooks.undo import request_stop
from success_plans.models import SuccessPlan
from success_plans.planning import OpenObjectives, close_plan

STOP_NOTES = (
    "Renewal moved to the multi-year deal the AE is running; terms agreed by phone.",
    "Their lead asked us to pause this until the reorganisation is done.",
    "Known cause: they moved to a new identity provider, sign-ins are back next week.",
)


@dataclass(frozen=True, slots=True)
class Team:
    stage: TraitDefinition

    @classmethod
    def of(cls, tenant: Tenant) -> Self:
        with tenant_context(tenant.pk):
            stage = TraitDefinition.objects.get(scope="account", key="renewal_stage")
        return cls(stage)

    def work(self, *, now: datetime) -> None:
        if now.weekday() >= 5:
            return
        self._tasks(now)
        self._ctas(now)
        self._plans(now)
        self._indicators(now)
        self._stops(now)

    def _tasks(self, now: datetime) -> None:
        due = Task.objects.open().filter(due_on__lte=now.date() + timedelta(days=1), cta__status=Cta.Status.OPEN)
        for task in due.select_related("cta", "owner").order_by("pk")[:400]:
            if task.owner and _chance("task", task.pk, now, 0.3):
                task.complete(by=task.owner, now=now)

    def _ctas(self, now: datetime) -> None:
        done = Cta.objects.open().exclude(tasks__status=Task.Status.OPEN).filter(tasks__status=Task.Status.DONE)
        for cta in done.select_related("owner").distinct().order_by("pk")[:100]:
            if cta.owner and _chance("cta", cta.pk, now, 0.5):
                won = _chance("won", cta.pk, now, 0.8)
                cta.close(status=Cta.Status.WON if won else Cta.Status.LOST, by=cta.owner, now=now)

    def _plans(self, now: datetime) -> None:
        """Those whose objectives have all come to an end."""
        active = SuccessPlan.objects.present().filter(status=SuccessPlan.Status.ACTIVE, objectives__isnull=False)
        for plan in active.exclude(objectives__cta__status=Cta.Status.OPEN).select_related("owner").distinct():
            if plan.owner and _chance("plan", plan.pk, now, 0.3):
                close_plan(plan, objectives=OpenObjectives.KEEP, by=plan.owner, now=now)

    def _indicators(self, now: datetime) -> None:
        raised = Indicator.objects.filter(state=Indicator.State.ACTIVE, raised_at__lt=now - timedelta(days=4))
        for indicator in raised.select_related("assignee").order_by("pk")[:200]:
            if indicator.assignee and _chance("indicator", indicator.pk, now, 0.03):
                indicator.address(by=indicator.assignee, now=now)

    def _stops(self, now: datetime) -> None:
        running = Enrollment.objects.filter(state=Enrollment.State.ACTIVE, activated_at__lt=now - timedelta(days=6))
        for enrollment in running.select_related("account__csm", "tenant", "playbook", "version").order_by("pk")[:600]:
            csm = enrollment.account.csm
            if csm is None:
                continue
            if enrollment.playbook.key == "renewal-runway" and _chance("signed", enrollment.pk, now, 0.006):
                set_trait(enrollment.account, self.stage, value="Signed", by=csm, now=now)
            if _chance("stop", enrollment.pk, now, 0.002):
                note = STOP_NOTES[enrollment.pk % len(STOP_NOTES)]
                request_stop(enrollment, by=csm, note=note, now=now)


def _chance(what: str, id: int, now: datetime, likelihood: float) -> bool:
    return zlib.crc32(f"{what} {id} {now:%Y-%m-%d}".encode()) / 2**32 < likelihood
