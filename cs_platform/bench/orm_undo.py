"""Stopping in the plain ORM: one enrollment in one transaction, its runs taken back one by one, last first.

It writes all that the engine writes: states, receipts, ledger, timeline.
"""

from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any
from uuid import uuid4

from accounts.models import Account, Indicator, IndicatorClaim, TimelineEntry, TraitDefinition
from cs_platform.bench.profiles import NOW
from cs_platform.tenancy.context import tenant_context
from cs_platform.tenancy.models import Tenant
from ctas.models import Cta, Task
from playbooks.models import ActionRun, Enrollment, LedgerEntry

LEASE = timedelta(seconds=60)
BY = "person:1"


def stop_one(tenant: Tenant, enrollment_id: int) -> int:
    """Returns how many runs were undone."""
    with tenant_context(tenant.pk):
        enrollment = Enrollment.objects.select_for_update().get(pk=enrollment_id)
        _move(enrollment, "stopping", stop_requested_at=NOW, stopped_by=BY)
        applied = ActionRun.objects.select_for_update().filter(enrollment=enrollment, state="applied")
        runs = list(applied.order_by("-settled_at", "-position"))
        for run in runs:
            _undo(enrollment, run)
        _move(enrollment, "stopped", stopped_at=NOW)
        _tell(enrollment, "playbook.stopped", f"{len(runs)} undone, 0 kept")
        return len(runs)


def _move(enrollment: Enrollment, state: str, **fields: Any) -> None:
    before, enrollment.state = enrollment.state, state
    for name, value in fields.items():
        setattr(enrollment, name, value)
    enrollment.save(update_fields=["state", *fields])
    LedgerEntry.objects.create(enrollment_id=enrollment.pk, at=NOW, from_state=before, to_state=state, actor=BY)


def _tell(enrollment: Enrollment, kind: str, text: str) -> None:
    TimelineEntry.objects.create(
        account_id=enrollment.account_id,
        at=NOW,
        kind=kind,
        actor=BY,
        text=text,
        subject=f"enrollment:{enrollment.pk}",
    )


def _undo(enrollment: Enrollment, run: ActionRun) -> None:
    run.state, run.claims, run.lease_token, run.lease_until = "undoing", 1, uuid4(), NOW + LEASE
    run.save(update_fields=["state", "claims", "lease_token", "lease_until"])
    says = _taken_back(run)
    run.state, run.claims, run.lease_token, run.lease_until = "undone", 0, None, None
    run.receipt, run.reason = _receipt(run) | {"undo": {"says": says, "detail": ""}}, says
    run.save(update_fields=["state", "claims", "lease_token", "lease_until", "receipt", "reason"])
    LedgerEntry.objects.create(
        run_id=run.pk,
        enrollment_id=run.enrollment_id,
        at=NOW,
        from_state="undoing",
        to_state="undone",
        actor="engine",
        reason=says,
        receipt=run.receipt,
    )
    _tell(enrollment, "action.undone", says)


def _taken_back(run: ActionRun) -> str:
    kinds: dict[str, Callable[[ActionRun], str]] = {
        "indicator_id": _end_indicator,
        "cta_id": _archive_cta,
        "key": _restore_trait,
    }
    return next(undo for key, undo in kinds.items() if key in _receipt(run))(run)


def _receipt(run: ActionRun) -> dict[str, Any]:
    assert run.receipt is not None
    return run.receipt


def _end_indicator(run: ActionRun) -> str:
    indicator = Indicator.objects.select_for_update().get(pk=_receipt(run)["indicator_id"])
    IndicatorClaim.objects.filter(indicator=indicator, source=f"run:{run.pk}").update(ended_at=NOW)
    if not IndicatorClaim.objects.filter(indicator=indicator, ended_at=None).exists():
        indicator.state, indicator.settled_at, indicator.settled_by = "ended", NOW, BY
        indicator.reason = "playbook_stopped"
        indicator.save(update_fields=["state", "settled_at", "settled_by", "reason"])
    return f"“{indicator.title}” ends"


def _archive_cta(run: ActionRun) -> str:
    cta = Cta.objects.select_for_update().get(pk=_receipt(run)["cta_id"])
    for task in Task.objects.select_for_update().filter(cta=cta, touched_at=None, status="open"):
        task.archived_at, task.reason = NOW, "playbook stopped"
        task.save(update_fields=["archived_at", "reason"])
    if cta.touched_at is None and not cta.tasks.filter(archived_at=None).exists():
        cta.archived_at = NOW
        cta.save(update_fields=["archived_at"])
    return f"“{cta.name}” and its tasks are archived"


def _restore_trait(run: ActionRun) -> str:
    key, before = _receipt(run)["key"], _receipt(run)["before"]
    definition = TraitDefinition.objects.get(scope="account", key=key)
    account = Account.objects.select_for_update().get(pk=_receipt(run)["target_id"])
    if account.trait_writers.get(key) == f"run:{run.pk}":
        _write_back(account, key, before, _receipt(run)["before_writer"])
        setattr(account, str(definition.slot), _mirrored(definition.type, before))
        account.save(update_fields=["traits", "trait_writers", str(definition.slot), "updated_at"])
    return f"{definition.label} goes back"


def _write_back(account: Account, key: str, value: Any, writer: str) -> None:
    for document, was in ((account.traits, value), (account.trait_writers, None if writer == "import" else writer)):
        if was is None:
            document.pop(key, None)
        else:
            document[key] = was
    account.updated_at = NOW


def _mirrored(type: str, value: Any) -> str | date | datetime | None:
    return date.fromisoformat(value) if value and type == "date" else value
