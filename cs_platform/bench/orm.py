"""The engine's work in the plain ORM: action by action, each in its own transaction, or five hundred at a time.

Both write all that the engine writes: claim, effect, receipt, ledger, timeline and progress.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import timedelta
from itertools import groupby
from typing import Any
from uuid import UUID, uuid4

from django.db.models import Count, F, Q, QuerySet

from accounts.models import Account, Indicator, IndicatorClaim, TimelineEntry, TraitDefinition
from cs_platform.bench.evaluator import TODAY
from cs_platform.bench.profiles import NOW
from cs_platform.tenancy.context import current_tenant_id, tenant_context
from cs_platform.tenancy.models import Membership, Tenant
from ctas.models import Cta, Task
from playbooks.models import ActionRun, Enrollment, LedgerEntry, Step

LEASE = timedelta(seconds=60)
DONE, OPEN = Q(state__in=("applied", "skipped", "dead")), Q(state__in=("scheduled", "held", "running", "uncertain"))
Receipt = dict[str, Any]


def due_runs(tenant: Tenant) -> list[UUID]:
    """In the order in which they may run: each enrollment's steps one after the other."""
    with tenant_context(tenant.pk):
        due = ActionRun.objects.filter(state="scheduled", try_at__lte=NOW).order_by("enrollment_id", "position")
        return list(due.values_list("pk", flat=True))


def due_batches(tenant: Tenant, size: int) -> Iterator[list[UUID]]:
    """Step by step, so that each batch does one kind of thing."""
    with tenant_context(tenant.pk):
        due = ActionRun.objects.filter(state="scheduled", try_at__lte=NOW).order_by("position", "enrollment_id")
        rows = list(due.values_list("position", "pk"))
    for _position, runs in groupby(rows, key=lambda row: row[0]):
        ids = [id for _, id in runs]
        yield from (ids[start : start + size] for start in range(0, len(ids), size))


# One by one -----------------------------------------------------------------------------------------------------------


def apply_one(tenant: Tenant, run_id: UUID) -> None:
    with tenant_context(tenant.pk):
        run = ActionRun.objects.select_for_update().get(pk=run_id)
        # Three small joins: one over all seven tables takes the planner longer than all the rest.
        run.enrollment = Enrollment.objects.select_related("account__csm").get(pk=run.enrollment_id)
        run.step = _step(run)
        _claim(run)
        run.save(update_fields=["state", "claims", "lease_token", "lease_until"])
        _settle(run, EFFECTS[run.step.action](run))
        run.save(update_fields=["state", "claims", "lease_token", "lease_until", "receipt", "settled_at"])
        _entry(run).save(force_insert=True)
        _line(run).save(force_insert=True)
        _count_progress(run.enrollment)


def _step(run: ActionRun) -> Step:
    return Step.objects.select_related("version__playbook").get(pk=run.step_id)  # type: ignore[no-any-return]


def _claim(run: ActionRun) -> None:
    run.state, run.claims, run.lease_token, run.lease_until = "running", run.claims + 1, uuid4(), NOW + LEASE


def _settle(run: ActionRun, receipt: Receipt) -> None:
    run.state, run.claims, run.lease_token, run.lease_until = "applied", 0, None, None
    run.receipt, run.settled_at = receipt, NOW


def _entry(run: ActionRun) -> LedgerEntry:
    return LedgerEntry(
        run_id=run.pk,
        enrollment_id=run.enrollment_id,
        at=NOW,
        from_state="running",
        to_state=run.state,
        actor="engine",
        receipt=run.receipt,
    )


def _line(run: ActionRun) -> TimelineEntry:
    return TimelineEntry(
        account_id=run.enrollment.account_id,
        at=NOW,
        kind="action.applied",
        actor=_actor(run),
        text=f"{run.step.action} did what {run.step.version.playbook.name} says",
        subject=f"enrollment:{run.enrollment_id}",
    )


def _actor(run: ActionRun) -> str:
    return run.step.version.playbook.actor


def _count_progress(enrollment: Enrollment) -> None:
    counts = enrollment.runs.aggregate(done=Count("pk", filter=DONE), open=Count("pk", filter=OPEN))
    if _advance(enrollment, counts):
        _completion(enrollment).save(force_insert=True)
    enrollment.save(update_fields=["steps_done", "progress", "state", "completed_at"])


def _advance(enrollment: Enrollment, counts: Mapping[str, int]) -> bool:
    """Says whether that was the last one."""
    enrollment.steps_done, enrollment.progress = counts["done"], counts["done"] * 100 // enrollment.steps_total
    if counts["open"]:
        return False
    enrollment.state, enrollment.completed_at = "completed", NOW
    return True


def _completion(enrollment: Enrollment) -> LedgerEntry:
    return LedgerEntry(enrollment_id=enrollment.pk, at=NOW, from_state="active", to_state="completed", actor="engine")


def _raise_indicator(run: ActionRun) -> Receipt:
    wanted = _indicator(run)
    found = Indicator.objects.filter(
        account=wanted.account, kind=wanted.kind, title=wanted.title, state="active"
    ).first()
    if found is None:
        wanted.save(force_insert=True)
    _claim_on(found or wanted, run).save(force_insert=True)
    return _indicator_receipt(found or wanted, joined=found is not None)


def _indicator(run: ActionRun) -> Indicator:
    config, account = run.step.config, run.enrollment.account
    return Indicator(
        account=account,
        kind=config["kind"],
        title=_filled(config["title"], account),
        note=_filled(config["note"], account),
        assignee=account.csm if config["assignee"] else None,
        raised_at=NOW,
        raised_by=_actor(run),
    )


def _filled(text: str, account: Account) -> str:
    return text.replace("{{ account.name }}", account.name)


def _claim_on(indicator: Indicator, run: ActionRun) -> IndicatorClaim:
    return IndicatorClaim(indicator=indicator, source=f"run:{run.pk}", made_at=NOW)


def _indicator_receipt(indicator: Indicator, *, joined: bool) -> Receipt:
    return {
        "indicator_id": indicator.pk,
        "kind": indicator.kind,
        "title": indicator.title,
        "assignee_id": indicator.assignee_id,
        "joined": joined,
    }


def _open_cta(run: ActionRun) -> Receipt:
    found = _open_ctas(run).filter(account=run.enrollment.account).order_by("pk").first()
    if found is not None:
        return _cta_receipt(found, [], joined=True)
    cta = _cta(run, _fallback(run))
    cta.save(force_insert=True)
    tasks = _tasks(run, cta)
    for task in tasks:
        task.save(force_insert=True)
    return _cta_receipt(cta, tasks, joined=False)


def _open_ctas(run: ActionRun) -> QuerySet[Cta]:
    config = run.step.config
    return Cta.objects.open().filter(type=config["type"], reason=config["reason"])  # type: ignore[no-any-return]


def _fallback(run: ActionRun) -> Membership:
    email = run.step.config["fallback_owner"].removeprefix("member:")
    return Membership.objects.in_tenant(current_tenant_id()).active().get(email=email)


def _cta(run: ActionRun, fallback: Membership) -> Cta:
    config, account = run.step.config, run.enrollment.account
    return Cta(
        account=account,
        name=_filled(config["name"], account),
        type=config["type"],
        reason=config["reason"],
        priority=config["priority"],
        owner=account.csm or fallback,
        due_on=TODAY + timedelta(days=config["due_in_days"]),
        comment=_filled(config["comment"], account),
        created_at=NOW,
        created_by=_actor(run),
        origin_run_id=run.pk,
    )


def _tasks(run: ActionRun, cta: Cta) -> list[Task]:
    return [
        Task(
            cta=cta,
            title=_filled(task["title"], run.enrollment.account),
            owner=cta.owner,
            due_on=TODAY + timedelta(days=task["due_in_days"]),
            position=position,
            created_at=NOW,
            created_by=_actor(run),
            origin_run_id=run.pk,
            origin_ordinal=position,
        )
        for position, task in enumerate(run.step.config["tasks"])
    ]


def _cta_receipt(cta: Cta, tasks: Sequence[Task], *, joined: bool) -> Receipt:
    return {
        "cta_id": cta.pk,
        "name": cta.name,
        "joined": joined,
        "owner_id": cta.owner_id,
        "tasks": [task.pk for task in tasks],
    }


def _set_trait(run: ActionRun) -> Receipt:
    definition = _definition(run)
    account = Account.objects.select_for_update().get(pk=run.enrollment.account_id)
    receipt = _write_trait(account, definition, run)
    account.save(update_fields=["traits", "trait_writers", str(definition.slot), "updated_at"])
    return receipt


def _definition(run: ActionRun) -> TraitDefinition:
    return TraitDefinition.objects.get(scope="account", key=run.step.config["trait"])  # type: ignore[no-any-return]


def _write_trait(account: Account, definition: TraitDefinition, run: ActionRun) -> Receipt:
    config, key = run.step.config, definition.key
    day = TODAY + timedelta(days=config["days"]) if config["mode"] == "relative_date" else None
    value = day.isoformat() if day else config["value"]
    receipt = {
        "key": key,
        "label": definition.label,
        "before": account.traits.get(key),
        "before_writer": account.trait_writers.get(key, "import"),
        "after": value,
    }
    account.traits[key], account.trait_writers[key], account.updated_at = value, f"run:{run.pk}", NOW
    setattr(account, str(definition.slot), day or value)
    return receipt


EFFECTS: dict[str, Callable[[ActionRun], Receipt]] = {
    "create_indicator": _raise_indicator,
    "create_cta": _open_cta,
    "update_trait": _set_trait,
}


# Five hundred at a time -----------------------------------------------------------------------------------------------


def apply_batch(tenant: Tenant, run_ids: Sequence[UUID]) -> None:
    """Runs of one step."""
    with tenant_context(tenant.pk):
        runs = _locked(run_ids)
        ActionRun.objects.filter(pk__in=run_ids).update(
            state="running", claims=F("claims") + 1, lease_token=uuid4(), lease_until=NOW + LEASE
        )
        for run, receipt in zip(runs, BATCHED[runs[0].step.action](runs), strict=True):
            _settle(run, receipt)
        ActionRun.objects.bulk_update(runs, ["state", "claims", "lease_token", "lease_until", "receipt", "settled_at"])
        LedgerEntry.objects.bulk_create([_entry(run) for run in runs])
        TimelineEntry.objects.bulk_create([_line(run) for run in runs])
        _count_all_progress([run.enrollment for run in runs])


def _locked(run_ids: Sequence[UUID]) -> list[ActionRun]:
    related = ActionRun.objects.select_related("enrollment__account__csm").select_for_update(of=("self",))
    runs = list(related.filter(pk__in=run_ids).order_by("enrollment_id"))
    step = _step(runs[0])
    for run in runs:
        run.step = step
    return runs


def _count_all_progress(enrollments: Sequence[Enrollment]) -> None:
    runs = ActionRun.objects.filter(enrollment__in=enrollments).values("enrollment_id")
    counts = {
        row["enrollment_id"]: row for row in runs.annotate(done=Count("pk", filter=DONE), open=Count("pk", filter=OPEN))
    }
    completed = [enrollment for enrollment in enrollments if _advance(enrollment, counts[enrollment.pk])]
    LedgerEntry.objects.bulk_create([_completion(enrollment) for enrollment in completed])
    Enrollment.objects.bulk_update(enrollments, ["steps_done", "progress", "state", "completed_at"])


def _raise_indicators(runs: Sequence[ActionRun]) -> list[Receipt]:
    wanted = [_indicator(run) for run in runs]
    active = Indicator.objects.filter(
        account__in=[one.account_id for one in wanted], kind=wanted[0].kind, title=wanted[0].title, state="active"
    )
    found = {indicator.account_id: indicator for indicator in active}
    Indicator.objects.bulk_create([one for one in wanted if one.account_id not in found])
    raised = [found.get(one.account_id, one) for one in wanted]
    IndicatorClaim.objects.bulk_create(_claim_on(one, run) for one, run in zip(raised, runs, strict=True))
    return [_indicator_receipt(one, joined=one.account_id in found) for one in raised]


def _open_all_ctas(runs: Sequence[ActionRun]) -> list[Receipt]:
    already_open = _open_ctas(runs[0]).filter(account__in=[run.enrollment.account_id for run in runs])
    found = {cta.account_id: cta for cta in already_open}
    fallback = _fallback(runs[0])
    ctas = {run.pk: _cta(run, fallback) for run in runs if run.enrollment.account_id not in found}
    Cta.objects.bulk_create(ctas.values())
    tasks = {run.pk: _tasks(run, ctas[run.pk]) for run in runs if run.pk in ctas}
    Task.objects.bulk_create([task for made in tasks.values() for task in made])
    return [
        _cta_receipt(
            ctas.get(run.pk) or found[run.enrollment.account_id], tasks.get(run.pk, []), joined=run.pk not in ctas
        )
        for run in runs
    ]


def _set_traits(runs: Sequence[ActionRun]) -> list[Receipt]:
    definition = _definition(runs[0])
    accounts = Account.objects.select_for_update().in_bulk([run.enrollment.account_id for run in runs])
    receipts = [_write_trait(accounts[run.enrollment.account_id], definition, run) for run in runs]
    written = ["traits", "trait_writers", str(definition.slot), "updated_at"]
    Account.objects.bulk_update(accounts.values(), written)
    return receipts


BATCHED: dict[str, Callable[[Sequence[ActionRun]], list[Receipt]]] = {
    "create_indicator": _raise_indicators,
    "create_cta": _open_all_ctas,
    "update_trait": _set_traits,
}
