"""A playbook is put away when nothing of it is under way, or together with what is; pauses are told to everybody."""

import json

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import TimelineEntry
from cs_platform.jobs.models import Job
from cs_platform.jobs.pump import run_jobs
from playbooks import pausing
from playbooks.models import ActionRun, Enrollment, LedgerEntry, Playbook
from playbooks.versions import NotPossible, archive, import_playbook, pause, resume, unarchive
from tests.visitor import Visitor
from tests.world import (
    MONDAY,
    Workspace,
    account,
    apply_now,
    days,
    evaluate,
    live,
    playbook_json,
    raise_risk,
)

LATER = MONDAY + days(1)


@pytest.fixture
def rescue(inside: Workspace) -> Playbook:
    return live(playbook_json(steps=[raise_risk(1), raise_risk(30, key="far", title="Far")]))


def test_pause_and_resume_are_on_the_ledger_and_on_each_timeline(inside: Workspace, rescue: Playbook) -> None:
    enrollments = [apply_now(rescue, account(name), now=MONDAY) for name in ("One", "Two")]

    with CaptureQueriesContext(
        connection,
    ) as asked:
        assert pause(rescue, by=inside.jonah, now=LATER) == 2
    assert len([query for query in asked if "playbooks_enrollment" in query["sql"]]) == 1
    assert resume(rescue, by=inside.jonah, now=LATER) == 2

    for enrollment in enrollments:
        moves = LedgerEntry.objects.filter(enrollment_id=enrollment.pk, run_id=None).order_by("pk")
        assert [(move.from_state, move.to_state, move.actor) for move in moves][1:] == [
            ("active", "paused", inside.jonah.actor),
            ("paused", "active", inside.jonah.actor),
        ]
        told = TimelineEntry.objects.filter(account_id=enrollment.account_id, subject=f"enrollment:{enrollment.pk}")
        kinds = ("playbook.paused", "playbook.resumed")
        assert list(told.filter(kind__in=kinds).order_by("pk").values_list("text", flat=True)) == [
            "Rescue paused",
            "Rescue goes on",
        ]


def test_what_fell_due_in_a_pause_is_skipped_where_that_was_chosen(
    inside: Workspace, rescue: Playbook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pausing, "AT_ONCE", 1)  # more go on by a job
    enrollments = [apply_now(rescue, account(name), now=MONDAY) for name in ("One", "Two")]
    pause(rescue, by=inside.jonah, now=LATER)
    rescue.refresh_from_db()
    back = MONDAY + days(40)
    assert pausing.count_missed(rescue, now=LATER) == 0
    assert pausing.count_missed(rescue, now=back) == 2

    resume(rescue, by=inside.jonah, now=back, missed=pausing.Missed.SKIP)
    run_jobs(clock=lambda: back)
    assert Job.objects.get().result == {"skipped": 2}
    for enrollment in enrollments:
        enrollment.refresh_from_db()
        assert (enrollment.state, enrollment.progress) == ("completed", 100)
        reason = ActionRun.objects.get(enrollment=enrollment, step__key="far").reason
        assert reason == "It fell due while the playbook was paused."


def test_one_under_way_is_not_put_away_by_itself(inside: Workspace, rescue: Playbook) -> None:
    apply_now(rescue, account(), now=MONDAY)

    with pytest.raises(NotPossible, match="under way in 1 place"):
        archive(rescue, by=inside.jonah, now=LATER)

    rescue.refresh_from_db()
    assert rescue.status == "live"


def test_it_is_put_away_together_with_what_is_under_way(inside: Workspace, rescue: Playbook) -> None:
    apply_now(rescue, account(plan="Pro"), now=MONDAY)

    assert archive(rescue, by=inside.jonah, now=LATER, stop=True) == 1
    run_jobs(clock=lambda: LATER)
    evaluate(inside.tenant, now=LATER + days(1))

    rescue.refresh_from_db()
    enrollment = Enrollment.objects.get()
    assert (rescue.status, enrollment.state) == ("archived", "stopped")
    assert (enrollment.stopped_by, enrollment.stop_note) == (inside.jonah.actor, "Rescue was archived.")


def test_out_of_the_archive_it_is_paused_or_a_draft(inside: Workspace, rescue: Playbook) -> None:
    draft = import_playbook(playbook_json("draft"), by=None, now=MONDAY)
    for playbook, status in ((rescue, "paused"), (draft, "draft")):
        assert archive(playbook, by=inside.jonah, now=LATER) == 0
        assert unarchive(playbook, by=inside.jonah, now=LATER)
        assert not unarchive(playbook, by=inside.jonah, now=LATER)
        playbook.refresh_from_db()
        assert playbook.status == status


def test_the_page_puts_away_and_takes_back(inside: Workspace, rescue: Playbook) -> None:
    jonah = Visitor(inside.jonah)
    pause(rescue, by=inside.jonah, now=LATER)
    answer = jonah.send(f"playbooks/{rescue.pk}/archive/")
    rescue.refresh_from_db()
    assert rescue.status == "archived"

    jonah.client.post(json.loads(answer["HX-Trigger"])["toast"]["undo"])
    rescue.refresh_from_db()
    assert rescue.status == "paused"


def test_the_page_says_where_it_is_under_way(inside: Workspace, rescue: Playbook) -> None:
    apply_now(rescue, account(), now=MONDAY)
    answer = Visitor(inside.jonah).send(f"playbooks/{rescue.pk}/archive/")
    assert "under way in 1 place" in answer["HX-Trigger"]
