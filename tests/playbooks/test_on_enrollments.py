"""Ticked enrollments, or all that a list shows, are applied again, or their failed actions tried again or skipped."""

import pytest

from accounts.models import Account, Indicator
from cs_platform.jobs import starting
from cs_platform.jobs.models import Job, JobError
from cs_platform.jobs.pump import run_jobs
from playbooks.models import ActionRun, Enrollment, Playbook
from playbooks.on_enrollments import VERBS, Selection, start_bulk_edit
from playbooks.undo import request_stop
from tests.visitor import Visitor, text
from tests.world import MONDAY, Workspace, account, apply_now, days, live, playbook_json, raise_risk, tick

LATER = MONDAY + days(1)


@pytest.fixture
def rescue(inside: Workspace) -> Playbook:
    return live(playbook_json(steps=[raise_risk(1), raise_risk(9, key="far", title="Far")]))


def edit(home: Workspace, verb: str, *enrollments: Enrollment, query: str | None = None) -> Job:
    selection = Selection(tuple(one.pk for one in enrollments), query)
    job = start_bulk_edit(selection, VERBS[verb], {}, by=home.jonah, now=LATER)
    run_jobs(clock=lambda: LATER)
    return Job.objects.get(pk=job.pk)


def fail(enrollment: Enrollment) -> ActionRun:
    run = ActionRun.objects.get(enrollment=enrollment, step__key="far")
    ActionRun.objects.filter(pk=run.pk).update(state="held", reason_code="no_assignee", reason="Nobody is there.")
    return run


def test_what_has_ended_begins_again_and_the_undo_stops_it(inside: Workspace, rescue: Playbook) -> None:
    ended, active, gone = [apply_now(rescue, account(name), now=MONDAY) for name in ("One", "Two", "Three")]
    for one in (ended, gone):
        request_stop(one, by=inside.tom, now=MONDAY)
    Account.objects.filter(name="Three").update(archived_at=MONDAY)
    job = edit(inside, "apply_again", ended, active, gone)
    tick(now=LATER)

    assert (job.state, job.result, job.failed) == ("done", {"changed": 1}, 2)
    assert set(JobError.objects.values_list("subject", flat=True)) == {"Two", "Three"}
    again = Enrollment.objects.filter(account__name="One").latest("pk")
    assert (again.state, again.activated_at, again.applied_by) == ("active", LATER, inside.jonah.actor)
    starting.undo(job, by=inside.jonah, now=LATER)
    run_jobs(clock=lambda: LATER)
    again.refresh_from_db()
    assert again.state == "stopped"
    assert Indicator.objects.filter(state="active").count() == 1


def test_failed_actions_of_all_that_match_are_tried_again_or_skipped(inside: Workspace, rescue: Playbook) -> None:
    one, two = [apply_now(rescue, account(name), now=MONDAY) for name in ("One", "Two")]
    again = fail(one)
    job = edit(inside, "retry_failed", query=f"playbook={rescue.pk}&show=waiting")
    tick(now=LATER)
    again.refresh_from_db()
    assert (job.total, job.result, again.state) == (1, {"changed": 1}, "applied")

    skipped = fail(two)
    assert edit(inside, "skip_failed", one, two).result == {"changed": 1}
    skipped.refresh_from_db()
    two.refresh_from_db()
    assert (skipped.state, two.state) == ("skipped", "completed")


def test_the_dialog_offers_them_to_those_who_may(inside: Workspace, rescue: Playbook) -> None:
    one = apply_now(rescue, account("One"), now=MONDAY)
    jonah = Visitor(inside.jonah)
    dialog = text(jonah.fragment(f"playbooks/enrollments/bulk/?ids={one.pk}&verb=skip_failed&step=review", "dialog"))
    assert "Skip failed and held actions on 1 application?" in dialog
    query = f"playbook={rescue.pk}%26show=all"
    assert "all that match" in text(jonah.fragment(f"playbooks/enrollments/bulk/?all=1&query={query}", "dialog"))
    answer = jonah.send("playbooks/enrollments/bulk/", ids=one.pk, verb="apply_again", step="run")
    assert "job:started" in answer["HX-Trigger"]

    stop = f"ids={one.pk}&verb=stop&query=playbook={rescue.pk}"
    assert "Stop Rescue in 1 place?" in text(jonah.fragment(f"playbooks/enrollments/bulk/?{stop}", "dialog"))
    assert jonah.page("playbooks/enrollments/bulk/?verb=stop&query=playbook=x").status_code == 404
    nonsense = jonah.fragment("playbooks/enrollments/bulk/?all=1&query=playbook=x", "dialog")
    assert "Say which playbook is meant" in text(nonsense)
    assert Visitor(inside.priya).page(f"playbooks/enrollments/bulk/?ids={one.pk}").status_code == 403
