"""A playbook is stopped in many places by a job: slice by slice, each whole or not at all, whoever is killed."""

import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping
from uuid import UUID

import pytest

from accounts.models import Account, Indicator
from actions.base import Batch, UndoDecision
from actions.types.create_indicator import CreateIndicator
from cs_platform.jobs.models import Job, JobError, JobFile
from cs_platform.jobs.pump import run_jobs
from cs_platform.tenancy.context import tenant_context
from playbooks.api.serializers import NOTE_LIMIT
from playbooks.models import ActionRun, Enrollment, LedgerEntry, Playbook
from playbooks.pump import pump
from playbooks.stop_jobs import NothingToStop, Places, look_ahead_of_stop, start_stop
from tests.visitor import Visitor, text
from tests.world import MONDAY, Workspace, account, apply_now, days, live, playbook_json, raise_risk, workspace

LATER = MONDAY + days(1)
STEPS = [raise_risk(1), raise_risk(30, key="far", title="Far")]


@pytest.fixture
def rescue(inside: Workspace) -> Playbook:
    return live(playbook_json(steps=STEPS))


def places(playbook: Playbook, *names: str) -> list[Enrollment]:
    return [apply_now(playbook, account(name), now=MONDAY) for name in names]


def run(job: Job) -> Job:
    run_jobs(clock=lambda: LATER)
    return Job.objects.get(pk=job.pk)


def states() -> Counter[str]:
    return Counter(Enrollment.objects.values_list("state", flat=True))


def test_it_stops_wherever_it_is_under_way_and_says_what_came_of_each(inside: Workspace, rescue: Playbook) -> None:
    places(rescue, "One", "Two", "=Three")
    Indicator.objects.get(account__name="Two").address(by=inside.tom, now=MONDAY)
    ahead = look_ahead_of_stop(Places(rescue.pk))
    assert (ahead.places, [(step.ran, step.waiting) for step in ahead.steps]) == (3, [(3, 0), (0, 3)])

    job = start_stop(Places(rescue.pk), note="Enough", by=inside.jonah, now=LATER)
    newcomer = apply_now(rescue, account("Four"), now=LATER)
    job = run(job)

    assert (job.state, job.total, job.done, job.failed) == ("done", 3, 3, 0)
    assert job.result == {"undone": 2, "kept": 1, "cancelled": 3}
    assert states() == {"stopped": 3, "active": 1}
    assert Enrollment.objects.get(state="active") == newcomer
    stopped = Enrollment.objects.filter(state="stopped")
    assert set(stopped.values_list("stopped_by", "stop_note")) == {(inside.jonah.actor, "Enough")}
    file = b"".join(map(bytes, JobFile.objects.filter(job=job).values_list("content", flat=True))).decode()
    assert [line.split(",")[1:7] for line in file.splitlines()[1:]] == [
        ["One", "", "stopped", "1", "0", "1"],
        ["Two", "", "stopped", "0", "1", "1"],
        ["'=Three", "", "stopped", "1", "0", "1"],
    ]
    with pytest.raises(NothingToStop):
        start_stop(Places(rescue.pk, [one.pk for one in stopped]), by=inside.jonah, now=LATER)


def test_what_it_did_where_it_has_finished_is_taken_back_only_when_asked_for(inside: Workspace) -> None:
    playbook = live(playbook_json(steps=[raise_risk(1)]))
    [done] = places(playbook, "Done")
    with pytest.raises(NothingToStop):
        start_stop(Places(playbook.pk), by=inside.jonah, now=LATER)
    run(start_stop(Places(playbook.pk, finished=True), by=inside.jonah, now=LATER))

    done.refresh_from_db()
    assert (done.state, Indicator.objects.get().state) == ("stopped", "ended")


def test_an_undo_that_fails_is_listed_and_the_others_are_not_kept_waiting(
    inside: Workspace, rescue: Playbook, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, _two = places(rescue, "One", "Two")
    bad = Account.objects.get(name="One").pk
    undo = CreateIndicator.undo

    def failing(self: CreateIndicator, batch: Batch) -> Mapping[UUID, UndoDecision]:
        if any(each.account_id == bad for each in batch.runs):
            raise ValueError("It will not come off.")
        return undo(self, batch)

    monkeypatch.setattr(CreateIndicator, "undo", failing)
    job = run(start_stop(Places(rescue.pk), by=inside.jonah, now=LATER))

    assert (job.done, job.failed, states()) == (1, 1, {"stopped": 2})
    error = JobError.objects.get()
    assert (error.subject, error.position) == ("One", 1)
    assert "could not be undone" in error.message
    assert ActionRun.objects.get(enrollment=one, state="undo_dead").reason == "It will not come off."


def test_what_one_transaction_takes_back_is_never_leased_and_goes_last_first(inside: Workspace) -> None:
    playbook = live(playbook_json(steps=[raise_risk(1), raise_risk(1, key="more", title="More")]))
    places(playbook, "One", "Two")
    run(start_stop(Places(playbook.pk, finished=True), by=inside.jonah, now=LATER))

    moves = LedgerEntry.objects.filter(run_id__isnull=False, at=LATER).order_by("pk")
    steps = dict(ActionRun.objects.values_list("pk", "step__key"))
    assert [(one.from_state, one.to_state, steps[one.run_id]) for one in moves] == [
        ("applied", "undone", "more"),
        ("applied", "undone", "more"),
        ("applied", "undone", "risk"),
        ("applied", "undone", "risk"),
    ]
    assert set(ActionRun.objects.values_list("state", "claims", "lease_token")) == {("undone", 0, None)}


def test_a_run_that_another_has_moved_meanwhile_is_left_to_it(
    inside: Workspace, rescue: Playbook, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The settling statement finds it is not as it was: nothing of its undo stands, and the engine ends the stop."""
    places(rescue, "One")
    undo = CreateIndicator.undo

    def moving(self: CreateIndicator, batch: Batch) -> Mapping[UUID, UndoDecision]:
        found = undo(self, batch)
        ActionRun.objects.filter(pk__in=batch.run_ids).update(state="kept")
        return found

    monkeypatch.setattr(CreateIndicator, "undo", moving)
    run(start_stop(Places(rescue.pk), by=inside.jonah, now=LATER))

    assert states() == {"stopping": 1}
    assert Indicator.objects.get().state == "active"
    monkeypatch.undo()
    pump("apply", clock=lambda: LATER)
    assert (states(), Indicator.objects.get().state) == ({"stopped": 1}, "ended")


@pytest.mark.django_db(transaction=True)
def test_a_worker_killed_half_way_leaves_whole_slices_and_another_goes_on() -> None:
    home = workspace("orbiton")
    with tenant_context(home.tenant.pk):
        playbook = live(playbook_json(steps=STEPS))
        places(playbook, "One", "Two", "Three", "Four", "Five")
        job = start_stop(Places(playbook.pk), by=home.jonah, now=LATER)

    worker = subprocess.run(
        [sys.executable, "-m", "tests.playbooks.dying_worker", LATER.isoformat()], check=False, timeout=60
    )
    assert worker.returncode == -signal.SIGKILL
    with tenant_context(home.tenant.pk):
        half = Job.objects.get(pk=job.pk)
        assert (half.state, half.done, states()) == ("running", 2, {"stopped": 2, "active": 3})
        assert Indicator.objects.filter(state="active").count() == 3

    run_jobs(clock=lambda: LATER + days(0.01))
    with tenant_context(home.tenant.pk):
        job.refresh_from_db()
        assert (job.state, job.done, job.result["undone"], states()) == ("done", 5, 5, {"stopped": 5})
        undone = LedgerEntry.objects.filter(to_state="undone").values_list("run_id", flat=True)
        assert len(undone) == len(set(undone)) == 5
        assert not Indicator.objects.filter(state="active").exists()


# --- pages ------------------------------------------------------------------------------------------------------------


def test_the_dialog_says_what_it_comes_to_and_starts_the_job(inside: Workspace, rescue: Playbook) -> None:
    one, two, _three = places(rescue, "One", "Two", "Three")
    jonah = Visitor(inside.jonah)
    page = text(jonah.page(f"playbooks/{rescue.pk}/enrollments/"))
    assert f'name="ids" value="{one.pk}"' in page

    dialog = text(jonah.fragment(f"playbooks/{rescue.pk}/stop/?ids={one.pk}&ids={two.pk}", "dialog"))
    assert "Stop Rescue in 2 places?" in dialog
    assert dialog.index("Was done") < dialog.index("2 ×") < dialog.index("Will not run")

    answer = jonah.send(f"playbooks/{rescue.pk}/stop/", ids=[one.pk, two.pk], note="Enough")
    assert "job:started" in answer["HX-Trigger"]
    run_jobs()
    assert states() == {"stopped": 2, "active": 1}


def test_all_that_the_list_shows_can_be_meant(inside: Workspace, rescue: Playbook) -> None:
    one, _two = places(rescue, "One", "Two")
    Enrollment.objects.filter(pk=one.pk).update(applied_by="evaluation:1")
    sent = {"all": "1", "query": f"playbook={rescue.pk}&show=active&by=rules"}
    assert "in 1 place?" in text(Visitor(inside.jonah).send(f"playbooks/{rescue.pk}/stop/", note="n" * 1_001, **sent))
    Visitor(inside.jonah).send(f"playbooks/{rescue.pk}/stop/", **sent)
    run_jobs()
    assert dict(Enrollment.objects.values_list("account__name", "state")) == {"One": "stopped", "Two": "active"}


@pytest.mark.parametrize("data", [{"ids": "x"}, {"ids": "7"}, {"note": "n" * (NOTE_LIMIT + 1)}])
def test_nonsense_stops_nothing(inside: Workspace, rescue: Playbook, data: dict[str, str]) -> None:
    places(rescue, "One")
    assert Visitor(inside.jonah).submit(f"playbooks/{rescue.pk}/stop/", **data).status_code == 422
    assert not Job.objects.exists()


def test_stopping_many_is_for_those_who_may(inside: Workspace, rescue: Playbook) -> None:
    places(rescue, "One")
    assert Visitor(inside.priya).page(f"playbooks/{rescue.pk}/stop/").status_code == 403
    assert 'name="ids"' not in text(Visitor(inside.priya).page(f"playbooks/{rescue.pk}/enrollments/"))
