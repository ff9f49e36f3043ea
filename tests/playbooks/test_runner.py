from datetime import datetime, timedelta
from typing import Any
from unittest.mock import patch
from uuid import uuid4

import pytest
from django.db import connection, transaction

from accounts.models import Account, Indicator, TimelineEntry
from actions.types.create_indicator import CreateIndicator
from cs_platform.tenancy.models import Tenant
from playbooks import leases, runner
from playbooks.enrollment import AlreadyActive, apply_by_hand
from playbooks.failures import mark_done, retry, skip
from playbooks.models import ActionRun, Enrollment, LedgerEntry
from playbooks.versions import pause, resume
from tests.world import MONDAY, Workspace, account, days, live, playbook_json, raise_risk, set_trait_step, tick, trait


def enroll(workspace: Workspace, *steps: dict[str, Any], at: Account | None = None, key: str = "rescue") -> Enrollment:
    playbook = live(playbook_json(key, steps=list(steps) or [raise_risk()]))
    return apply_by_hand(playbook=playbook, account=at or account(), by=workspace.priya.actor, now=MONDAY)


def states(enrollment: Enrollment) -> list[str]:
    return list(enrollment.runs.order_by("position").values_list("state", flat=True))


def test_each_action_is_applied_on_its_day_and_not_before(inside: Workspace) -> None:
    enrollment = enroll(inside, raise_risk(1), raise_risk(3, key="later", title="Later"))

    tick(now=MONDAY)
    assert states(enrollment) == ["applied", "scheduled"]
    tick(now=MONDAY + days(1))
    assert states(enrollment) == ["applied", "scheduled"]
    tick(now=MONDAY + days(2))
    assert states(enrollment) == ["applied", "applied"]


def test_an_enrollment_completes_with_its_last_action(inside: Workspace) -> None:
    enrollment = enroll(inside, raise_risk(1), raise_risk(2, key="two", title="Two"))

    tick(now=MONDAY)
    enrollment.refresh_from_db()
    assert (enrollment.state, enrollment.progress) == ("active", 50)
    tick(now=MONDAY + days(1))
    enrollment.refresh_from_db()
    assert (enrollment.state, enrollment.progress, enrollment.steps_done) == ("completed", 100, 2)


def test_a_tick_repeated_changes_nothing(inside: Workspace) -> None:
    enroll(inside)
    tick(now=MONDAY)
    before = (Indicator.objects.count(), LedgerEntry.objects.count(), TimelineEntry.objects.count())

    tick(now=MONDAY)

    assert (Indicator.objects.count(), LedgerEntry.objects.count(), TimelineEntry.objects.count()) == before


def test_every_transition_is_on_the_ledger_with_its_receipt(inside: Workspace) -> None:
    enroll(inside)
    tick(now=MONDAY)

    moves = list(LedgerEntry.objects.order_by("id").values_list("from_state", "to_state"))
    assert moves == [("", "active"), ("running", "applied"), ("active", "completed")]
    assert LedgerEntry.objects.get(to_state="applied").receipt == ActionRun.objects.get().receipt


def test_what_happened_is_told_on_the_accounts_timeline(inside: Workspace) -> None:
    enrollment = enroll(inside)
    tick(now=MONDAY)

    told = list(TimelineEntry.objects.filter(account=enrollment.account).order_by("id").values_list("text", flat=True))
    assert told == ["Rescue applied", "Risk raised: At risk"]


def test_missed_days_are_caught_up_in_order(inside: Workspace) -> None:
    trait("stage")
    enrollment = enroll(inside, set_trait_step("A", day=1, key="a"), set_trait_step("B", day=2, key="b"))

    tick(now=MONDAY + days(5))

    assert states(enrollment) == ["applied", "applied"]
    assert Account.objects.get(pk=enrollment.account_id).traits == {"stage": "B"}


def test_a_playbook_cannot_be_active_twice_on_one_account(inside: Workspace) -> None:
    enrollment = enroll(inside)

    with pytest.raises(AlreadyActive):
        apply_by_hand(playbook=enrollment.playbook, account=enrollment.account, by="person:1", now=MONDAY)


def test_pause_makes_runs_wait_and_resume_catches_up(inside: Workspace) -> None:
    enrollment = enroll(inside, raise_risk(2))

    pause(enrollment.playbook, by=inside.jonah, now=MONDAY)
    tick(now=MONDAY + days(3))
    assert states(enrollment) == ["scheduled"]
    resume(enrollment.playbook, by=inside.jonah, now=MONDAY + days(3))
    tick(now=MONDAY + days(3))
    assert states(enrollment) == ["applied"]


def test_an_actions_own_condition_is_asked_when_it_falls_due(inside: Workspace) -> None:
    step = raise_risk(2, condition={"field": "health", "op": "less", "value": 6})
    healthy = enroll(inside, step, at=account("Healthy", health=9))
    sick = apply_by_hand(playbook=healthy.playbook, account=account("Sick", health=2), by="person:1", now=MONDAY)

    tick(now=MONDAY + days(1))

    assert states(healthy) == ["skipped"]
    assert states(sick) == ["applied"]


def test_a_worker_killed_after_its_claim_loses_nothing(inside: Workspace) -> None:
    enrollment = enroll(inside)
    _claim(inside.tenant, enrollment, now=MONDAY)

    tick(now=MONDAY + timedelta(seconds=59))
    assert states(enrollment) == ["running"]
    tick(now=MONDAY + timedelta(seconds=61))
    assert states(enrollment) == ["applied"]
    assert Indicator.objects.count() == 1


def test_a_frozen_worker_that_wakes_after_its_lease_changes_nothing(inside: Workspace) -> None:
    enrollment = enroll(inside)
    stale = _claim(inside.tenant, enrollment, now=MONDAY)
    tick(now=MONDAY + timedelta(seconds=61))

    with pytest.raises(leases.LeaseLost):
        runner._apply(inside.tenant, stale, stale.run_ids, MONDAY)

    assert states(enrollment) == ["applied"]
    assert Indicator.objects.count() == 1


def test_a_run_that_keeps_killing_its_worker_is_given_up_alone(inside: Workspace) -> None:
    enrollment = enroll(inside)
    now = MONDAY
    for _ in range(leases.POISON_AFTER):
        _claim(inside.tenant, enrollment, now=now)
        now += timedelta(seconds=61)
        leases.reclaim_expired(tenant_id=inside.tenant.pk, external=False, now=now)

    run = enrollment.runs.get()
    assert (run.state, run.reason_code) == ("dead", "poison")


def test_one_failing_run_does_not_stop_the_others_of_its_batch(inside: Workspace) -> None:
    playbook = live(playbook_json())
    fine = [_on(playbook, f"Fine {n}") for n in range(5)]
    broken = _on(playbook, "Broken")
    apply = CreateIndicator.apply

    def sometimes(action: CreateIndicator, batch: Any) -> Any:
        if any(run.account_id == broken.account_id for run in batch.runs):
            raise RuntimeError("this account cannot be written")
        return apply(action, batch)

    with patch.object(CreateIndicator, "apply", sometimes):
        tick(now=MONDAY)

    assert [states(enrollment) for enrollment in fine] == [["applied"]] * 5
    run = broken.runs.get()
    assert (run.state, run.attempt, run.reason) == ("scheduled", 1, "this account cannot be written")
    assert run.try_at > MONDAY


def test_a_run_that_failed_ten_times_waits_for_a_person(inside: Workspace) -> None:
    enrollment = enroll(inside)
    with patch.object(CreateIndicator, "apply", side_effect=RuntimeError("no")):
        for n in range(runner.MAX_ATTEMPTS):
            tick(now=MONDAY + timedelta(hours=7 * n))

    run = enrollment.runs.get()
    assert (run.state, run.attempt) == ("dead", runner.MAX_ATTEMPTS)
    assert retry(run, by=inside.jonah.actor, now=MONDAY + days(4))
    tick(now=MONDAY + days(4))
    assert states(enrollment) == ["applied"]


def test_a_person_may_skip_or_settle_a_failed_run_but_not_twice(inside: Workspace) -> None:
    enrollment = enroll(inside)
    with patch.object(CreateIndicator, "apply", side_effect=RuntimeError("no")):
        for n in range(runner.MAX_ATTEMPTS):
            tick(now=MONDAY + timedelta(hours=7 * n))
    run = enrollment.runs.get()

    assert skip(run, by=inside.jonah.actor, now=MONDAY + days(4))
    assert not skip(run, by=inside.jonah.actor, now=MONDAY + days(4))
    assert not mark_done(run, by=inside.jonah.actor, now=MONDAY + days(4))
    assert states(enrollment) == ["skipped"]


def test_the_database_refuses_an_illegal_transition(inside: Workspace) -> None:
    enrollment = enroll(inside)

    with pytest.raises(Exception, match="scheduled cannot become undone"), transaction.atomic():
        enrollment.runs.update(state="undone", receipt={})


def test_the_ledger_cannot_be_rewritten(inside: Workspace) -> None:
    enroll(inside)

    with (
        pytest.raises(Exception, match=r"append-only|permission denied"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute("UPDATE playbooks_ledgerentry SET actor = 'nobody'")


def test_a_published_version_is_immutable(inside: Workspace) -> None:
    enrollment = enroll(inside)

    with pytest.raises(Exception, match="immutable"), transaction.atomic():
        enrollment.version.steps.update(offset_days=9)


def _on(playbook: Any, name: str) -> Enrollment:
    return apply_by_hand(playbook=playbook, account=account(name), by="person:1", now=MONDAY)


def _claim(tenant: Tenant, enrollment: Enrollment, *, now: datetime) -> leases.Claim:
    """What a worker does first; then it is killed, or freezes."""
    ActionRun.objects.filter(enrollment=enrollment, state="running", lease_until__lt=now)
    step_id = enrollment.runs.get().step_id
    claim = leases.claim_due(tenant_id=tenant.pk, step_id=step_id, external=False, now=now)
    assert claim is not None
    return claim


def test_claims_of_two_workers_are_disjoint(inside: Workspace) -> None:
    enrollment = enroll(inside)

    first = _claim(inside.tenant, enrollment, now=MONDAY)
    second = leases.claim_due(tenant_id=inside.tenant.pk, step_id=first.step_id, external=False, now=MONDAY)

    assert second is None
    assert first.token != uuid4()
