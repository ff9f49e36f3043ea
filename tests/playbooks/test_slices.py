"""Enrolling writes in slices, so that no statement outgrows its time limit in a large workspace."""

from uuid import RFC_4122

import pytest

from playbooks import enrollment
from playbooks.models import ActionRun, Enrollment, Evaluation, LedgerEntry
from tests.world import MONDAY, Workspace, account, evaluate, live, playbook_json, raise_risk


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


def test_the_ids_of_runs_made_at_once_count_up_by_enrollment_and_day(inside: Workspace) -> None:
    for number in range(20):
        account(f"Pro {number}", plan="Pro")
    live(playbook_json(steps=[raise_risk(1), raise_risk(3, key="later", title="Later")]))

    evaluate(inside.tenant, now=MONDAY)

    runs = list(ActionRun.objects.order_by("enrollment_id", "position"))
    assert runs == list(ActionRun.objects.order_by("id"))
    assert [run.id.int - runs[0].id.int for run in runs] == list(range(40))
    assert {(run.id.version, run.id.variant) for run in runs} == {(7, RFC_4122)}
