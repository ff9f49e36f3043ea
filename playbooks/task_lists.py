"""A CTA playbook on a CTA: applied, replaced, removed, and put back.

Its tasks name the run that set them up. What people completed or added themselves always stays.
"""

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction

from actions.cta_work import REASON
from cs_platform.tenancy.context import current_tenant_id
from cs_platform.tenancy.models import Doer, Tenant
from ctas.models import Cta, Task
from playbooks import ledger
from playbooks.models import ActionRun, Enrollment, Playbook
from playbooks.on_ctas import WORKABLE, enroll_ctas, tasks_of
from playbooks.runner import apply_step
from playbooks.turns import Turn
from playbooks.undo import STOPPABLE, finish_stops, request_stops

ON_IT = (Enrollment.State.ACTIVE, Enrollment.State.PAUSED)


class NotPossible(Exception):
    """The CTA or the playbook is not in a state that allows this; the text says what to do."""


@dataclass(frozen=True, slots=True)
class Removal:
    """What becomes of the tasks of a CTA when its playbook is removed; about `asked` a person decides."""

    going: Sequence[Task]
    asked: Sequence[Task]
    staying: Sequence[Task]


# Reading --------------------------------------------------------------------------------------------------------------


def applied_to(cta_id: int) -> Enrollment | None:
    """What is applied, or was until the CTA was closed."""
    found = Enrollment.objects.filter(cta_id=cta_id).exclude(state__in=("stopping", "stopped"))
    return found.select_related("playbook", "version", "tenant").order_by("-pk").first()


# Applying and removing ------------------------------------------------------------------------------------------------


def apply_to_cta(playbook: Playbook, cta: Cta, *, by: Doer, now: datetime) -> Enrollment:
    """All its tasks at once. Raises NotPossible."""
    with transaction.atomic():
        cta = _locked(cta.pk)
        if playbook.status != Playbook.Status.LIVE or playbook.audience != Playbook.Audience.CTAS:
            raise NotPossible("Choose a CTA playbook that is live.")
        made = enroll_ctas(playbook, {cta.pk: None}, tenant=playbook.tenant, by=by.actor, now=now)
        if not made:
            raise NotPossible(why_not(playbook, cta))
        _set_up(made, tenant=playbook.tenant, now=now)
    return Enrollment.objects.select_related("playbook", "version", "tenant").get(pk=made[0])


def apply_to_ctas(playbook: Playbook, cta_ids: Collection[int], *, by: str, now: datetime) -> dict[int, int]:
    """The new enrollment of each CTA, with its tasks set up; those on which it is not possible are left out."""
    with transaction.atomic():
        present = Cta.objects.present().filter(pk__in=cta_ids).order_by("pk")
        ids = list(present.select_for_update(no_key=True).values_list("pk", flat=True))
        made = enroll_ctas(playbook, dict.fromkeys(ids), tenant=playbook.tenant, by=by, now=now)
        _set_up(made, tenant=playbook.tenant, now=now)
        return dict(Enrollment.objects.filter(pk__in=made).values_list("cta_id", "pk"))


def _set_up(enrollment_ids: Sequence[int], *, tenant: Tenant, now: datetime) -> None:
    """While the person waits. What fails is tried again by the workers."""
    steps = ActionRun.objects.filter(enrollment_id__in=enrollment_ids).values_list("step_id", flat=True)
    for step_id in steps.distinct():
        apply_step(tenant, step_id, now=now)


def _locked(cta_id: int) -> Cta:
    """The CTA before its enrollments, as whoever closes it locks them, too."""
    return Cta.objects.select_for_update(no_key=True).get(pk=cta_id)


def why_not(playbook: Playbook, cta: Cta) -> str:
    types = playbook.version.definition["types"] if playbook.version else []
    if cta.status not in WORKABLE or cta.archived_at:
        return "This CTA is closed. Reopen it first."
    if types and cta.type not in types:
        return "This playbook is not for CTAs of this type."
    return "A playbook is applied already. Replace it, or remove it first."


def remove_from_ctas(enrollment_ids: Collection[int], *, tenant: Tenant, by: str, now: datetime) -> set[int]:
    """Many at once, with nobody to ask: what somebody edited stays. Returns those that were removed by this."""
    with transaction.atomic():
        rows = Enrollment.objects.filter(pk__in=enrollment_ids, state__in=STOPPABLE)
        ctas = Cta.objects.filter(pk__in=rows.values("cta")).order_by("pk")
        list(ctas.select_for_update(no_key=True).values_list("pk", flat=True))
        going = list(rows.order_by("pk").select_for_update(no_key=True).values_list("pk", flat=True))
        if request_stops(going, tenant_id=tenant.pk, by=by, note="", now=now):
            _leave_edited(going)
            finish_stops(tenant, Turn.at(now), enrollment_ids=going)
        return set(going)


def preview_removal(enrollment: Enrollment, *, now: datetime) -> Removal:
    """The removal itself, rehearsed in a savepoint that is rolled back."""
    tasks = Task.objects.present().filter(cta__enrollments=enrollment)
    with transaction.atomic():
        before = list(tasks.order_by("position", "pk"))
        _take_away(enrollment, (), by="preview", now=now)
        left = dict(tasks.values_list("pk", "status"))
        transaction.set_rollback(True)
    leaving = [task for task in before if left.get(task.pk) != task.status]
    return Removal(
        going=[task for task in leaving if not task.touched_at],
        asked=[task for task in leaving if task.touched_at],
        staying=[task for task in before if task not in leaving],
    )


def remove(enrollment: Enrollment, *, stay: Collection[int] = (), by: Doer, now: datetime) -> bool:
    """`stay` names edited tasks that become the CTA's own. False: it was removed before."""
    with transaction.atomic():
        _locked(enrollment.cta_id or 0)
        return _take_away(enrollment, stay, by=by.actor, now=now)


def _take_away(enrollment: Enrollment, stay: Collection[int], *, by: str, now: datetime) -> bool:
    tenant = enrollment.tenant
    if not request_stops([enrollment.pk], tenant_id=tenant.pk, by=by, note="", now=now):
        return False
    _leave(enrollment, stay)
    finish_stops(tenant, Turn.at(now), enrollment_ids=[enrollment.pk])
    return True


def _leave(enrollment: Enrollment, stay: Collection[int]) -> None:
    _keep(Task.objects.filter(pk__in=stay), runs=enrollment.runs.filter(state=ActionRun.State.APPLIED))


def _leave_edited(enrollment_ids: Collection[int]) -> None:
    runs = ActionRun.objects.filter(enrollment__in=enrollment_ids, state=ActionRun.State.APPLIED)
    _keep(Task.objects.all(), runs=runs)


def _keep(tasks: Any, *, runs: Any) -> None:
    """Of these tasks the open ones somebody edited. Receipts say which stay; undo does not find them any more."""
    edited = tasks.filter(origin_run_id__in=runs.values("pk"), touched_at__isnull=False)
    edited = edited.filter(status=Task.Status.OPEN, archived_at=None).order_by("pk")
    stayed: dict[UUID, list[int]] = defaultdict(list)
    for pk, run_id in edited.values_list("pk", "origin_run_id"):
        stayed[run_id].append(pk)
    Task.objects.filter(pk__in=[pk for ids in stayed.values() for pk in ids]).update(origin_run_id=None)
    keeping = list(ActionRun.objects.filter(pk__in=stayed))
    for run in keeping:
        run.receipt = {**(run.receipt or {}), "stayed": stayed[run.pk]}
    ActionRun.objects.bulk_update(keeping, ["receipt"])


def replace(
    enrollment: Enrollment, playbook: Playbook, *, stay: Collection[int] = (), by: Doer, now: datetime
) -> Enrollment:
    """One instead of the other, or nothing at all. Raises NotPossible."""
    with transaction.atomic():
        if not remove(enrollment, stay=stay, by=by, now=now):
            raise NotPossible("Somebody removed it before you.")
        cta = Cta.objects.get(pk=enrollment.cta_id)
        return apply_to_cta(playbook, cta, by=by, now=now)


# Taking a removal back ------------------------------------------------------------------------------------------------


def put_back(removed: Enrollment, *, by: Doer, now: datetime) -> Enrollment:
    """The same tasks again, as they were, under a new enrollment: a stopped one stays stopped.

    What replaced it is removed; tasks of that one which somebody edited stay. Raises NotPossible.
    """
    with transaction.atomic():
        cta = _locked(removed.cta_id or 0)
        old = ActionRun.objects.select_for_update().filter(enrollment=removed).get()
        _refuse_put_back(removed, old, cta)
        if instead := applied_to(cta.pk):
            edited = [task.pk for task in tasks_of(instead) if task.touched_at]
            remove(instead, stay=edited, by=by, now=now)
        enrollment = _again(removed, by=by, now=now)
        run = _run_again(enrollment, old, now=now)
        _return_tasks(old, run.pk)
        ActionRun.objects.filter(pk=old.pk).update(receipt={**(old.receipt or {}), "put_back_as": enrollment.pk})
    return enrollment


def _refuse_put_back(removed: Enrollment, old: ActionRun, cta: Cta) -> None:
    if cta.status not in WORKABLE or cta.archived_at:
        raise NotPossible("This CTA is closed. Reopen it first.")
    was_set_up = old.state in (ActionRun.State.UNDONE, ActionRun.State.KEPT)
    if removed.state != Enrollment.State.STOPPED or not was_set_up or "put_back_as" in (old.receipt or {}):
        raise NotPossible("There is nothing to put back here. Apply the playbook anew.")


def _again(removed: Enrollment, *, by: Doer, now: datetime) -> Enrollment:
    """It counts from the day on which it was first applied."""
    same = ("playbook_id", "version_id", "account_id", "cta_id", "timezone", "activated_at", "activated_on")
    enrollment = Enrollment.objects.create(
        **{name: getattr(removed, name) for name in same},
        applied_by=by.actor,
        parent_run_id=removed.parent_run_id,
        steps_total=removed.steps_total,
    )
    about: dict[str, Any] = {"tenant_id": current_tenant_id(), "actor": by.actor, "now": now}
    ledger.record_enrollments([enrollment.pk], from_state="", to_state="active", reason="Put back.", **about)
    told = ledger.Told(removed.account_id, None, f"{removed.playbook.name} put back", f"enrollment:{enrollment.pk}")
    ledger.tell([told], kind="playbook.applied", **about)
    return enrollment


def _run_again(enrollment: Enrollment, old: ActionRun, *, now: datetime) -> ActionRun:
    known = ("cta_id", "name", "joined", "tasks")
    same = ("step_id", "position", "is_external", "due_on", "due_at", "try_at")
    run = ActionRun.objects.create(
        enrollment=enrollment,
        state=ActionRun.State.APPLIED,
        settled_at=now,
        receipt={name: (old.receipt or {})[name] for name in known},
        **{name: getattr(old, name) for name in same},
    )
    ledger.record_runs([run.pk], tenant_id=current_tenant_id(), from_state="", actor=enrollment.applied_by, now=now)
    return run


def _return_tasks(old: ActionRun, new_id: UUID) -> None:
    """What the removal archived or cancelled is open again; what stayed belongs to the playbook again."""
    mine = Task.objects.filter(origin_run_id=old.pk)
    mine.filter(reason=REASON).update(archived_at=None, status=Task.Status.OPEN, reason="")
    mine.update(origin_run_id=new_id)
    stayed = (old.receipt or {}).get("stayed", [])
    Task.objects.present().filter(pk__in=stayed, cta_id=(old.receipt or {})["cta_id"]).update(origin_run_id=new_id)
