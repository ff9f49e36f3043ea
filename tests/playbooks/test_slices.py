"""Enrolling writes in slices, so that no statement outgrows its time limit in a large workspace."""

from typing import Any
from uuid import RFC_4122

import pytest
from django.db import IntegrityError, transaction

from playbooks import enrollment, evaluation
from playbooks.models import ActionRun, Enrollment, Evaluation, LedgerEntry
from tests.world import MONDAY, Workspace, account, apply_now, evaluate, live, playbook_json, raise_risk


@pytest.mark.parametrize("runs_at_once", [2, 5, 50_000])
def test_every_slice_is_enrolled_with_its_runs(
    inside: Workspace, monkeypatch: pytest.MonkeyPatch, runs_at_once: int
) -> None:
    monkeypatch.setattr(enrollment, "RUNS_AT_ONCE", runs_at_once)
    for number in range(5):
        account(f"Pro {number}", plan="Pro")
    steps = [raise_risk(1), raise_risk(3, key="later", title="Later")]
    live(playbook_json(key="one", steps=steps)), live(playbook_json(key="two", steps=steps))

    evaluate(inside.tenant, now=MONDAY)

    assert sorted(Evaluation.objects.values_list("playbook__key", "enrolled")) == [("one", 5), ("two", 5)]
    assert (Enrollment.objects.count(), ActionRun.objects.count()) == (10, 20)
    assert LedgerEntry.objects.filter(to_state="active").count() == 10


def test_who_was_enrolled_by_somebody_faster_is_left_alone_and_the_others_are_enrolled(
    inside: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An evaluation has found out whom it may enroll; by the time it writes, a person has applied the playbook."""
    faster, other = account("Faster", plan="Pro"), account("Other", plan="Pro")
    runway = live(playbook_json(steps=[raise_risk(1), raise_risk(3, key="later", title="Later")]))
    sifted = evaluation.enroll_selected

    def too_late(*args: Any, **kwargs: Any) -> Any:
        apply_now(runway, faster, now=MONDAY)
        return sifted(*args, **kwargs)

    monkeypatch.setattr(evaluation, "enroll_selected", too_late)
    evaluate(inside.tenant, now=MONDAY)

    looked = Evaluation.objects.get()
    assert (looked.would_enroll, looked.enrolled) == (2, 1)
    applied_by = dict(Enrollment.objects.values_list("account__name", "applied_by"))
    assert applied_by == {"Faster": "person:1", "Other": f"evaluation:{looked.pk}"}
    assert ActionRun.objects.filter(enrollment__account=other).exists()


def test_an_enrollment_follows_a_version_of_its_own_playbook(inside: Workspace) -> None:
    runway, other = live(playbook_json()), live(playbook_json(key="other"))
    applied = apply_now(runway, account(plan="Pro"), now=MONDAY)

    with pytest.raises(IntegrityError, match="playbooks_enrollment_version_id_tenant_fk"), transaction.atomic():
        Enrollment.objects.filter(pk=applied.pk).update(version=other.version)


def test_the_ids_of_runs_made_at_once_count_up_by_enrollment_and_day(inside: Workspace) -> None:
    for number in range(20):
        account(f"Pro {number}", plan="Pro")
    live(playbook_json(steps=[raise_risk(1), raise_risk(3, key="later", title="Later")]))

    evaluate(inside.tenant, now=MONDAY)

    runs = list(ActionRun.objects.order_by("enrollment_id", "position"))
    assert runs == list(ActionRun.objects.order_by("id"))
    assert [int(str(run.id)[-5:]) for run in runs] == list(range(10_001, 10_041))
    assert len({str(run.id)[:-5] for run in runs}) == 1
    assert {(run.id.version, run.id.variant) for run in runs} == {(7, RFC_4122)}
