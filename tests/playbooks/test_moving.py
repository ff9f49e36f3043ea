"""What runs follows a new version: done stays, gone is cancelled, new is added, and what is over as was chosen."""

from datetime import timedelta

import pytest

from accounts.models import Indicator
from cs_platform.jobs.models import Job
from cs_platform.jobs.pump import run_jobs
from cs_platform.workspace.holidays import add_holiday
from playbooks.models import ActionRun, Enrollment, LedgerEntry, Playbook
from playbooks.moving import Passed, look_ahead_of_late_move, start_move
from playbooks.undo import preview_stop, request_stop
from playbooks.versions import import_playbook, publish
from tests.visitor import Visitor, text
from tests.world import MONDAY, Workspace, account, apply_now, days, live, on, playbook_json, raise_risk, tick, user

THEN = MONDAY + days(9)  # day 10
FIRST = [
    raise_risk(1, key="first", title="First"),
    raise_risk(15, key="gone", title="Gone"),
    raise_risk(20, key="later", title="Later"),
]
SECOND = [
    raise_risk(1, key="first", title="First, reworded"),
    raise_risk(5, key="over", title="Over"),
    raise_risk(12, key="new", title="New"),
    raise_risk(25, key="later", title="Later still"),
]


@pytest.fixture
def runway(inside: Workspace) -> Enrollment:
    playbook = live(playbook_json("runway", steps=FIRST))
    return apply_now(playbook, account("Harbour", renewal_on=on(20)), now=MONDAY, until=THEN)


def drafted(enrollment: Enrollment, steps: list[dict[str, object]] = SECOND) -> Playbook:
    return import_playbook(playbook_json("runway", steps=steps), by=None, now=THEN)


def moved(playbook: Playbook, home: Workspace, passed: Passed = Passed.SKIP) -> Job:
    publish(playbook, by=home.jonah, now=THEN)
    playbook.refresh_from_db()
    job = start_move(playbook, passed=passed, by=home.jonah, now=THEN)
    assert job
    run_jobs(clock=lambda: THEN)
    return Job.objects.get(pk=job.pk)


def schedule(enrollment: Enrollment) -> dict[str, tuple[str, int]]:
    """By key and version: its state, and its day."""
    runs = (
        ActionRun.objects.filter(enrollment=enrollment).select_related("step__version").order_by("due_at", "position")
    )
    began = enrollment.activated_on
    return {
        f"{run.step.key} {run.step.version.number}": (run.state, (run.due_on - began).days + 1 if run.due_on else 0)
        for run in runs
    }


def test_the_preview_says_what_changes_and_the_move_does_just_that(inside: Workspace, runway: Enrollment) -> None:
    playbook = drafted(runway)
    page = text(Visitor(inside.jonah).page(f"playbooks/{playbook.pk}/draft/review/"))
    assert "<h3>1 under way</h3>" in page
    assert "its day is over for 1" in page
    job = moved(playbook, inside)

    assert (job.state, job.result) == ("done", {"added": 1, "cancelled": 1, "retimed": 1, "skipped": 1})
    assert schedule(runway) == {
        "first 1": ("applied", 1),
        "over 2": ("skipped", 5),
        "new 2": ("scheduled", 12),
        "gone 1": ("cancelled", 15),
        "later 2": ("scheduled", 25),
    }
    runway.refresh_from_db()
    assert (runway.version.number, runway.steps_total, runway.steps_done, runway.progress) == (2, 4, 2, 50)
    entry = LedgerEntry.objects.filter(enrollment_id=runway.pk, run_id=None).latest("pk")
    assert (entry.reason, entry.actor) == ("Moved from version 1 to version 2.", inside.jonah.actor)
    assert ActionRun.objects.get(enrollment=runway, step__key="over").reason == "Its day was over when version 2 came."
    history = text(Visitor(inside.jonah).page(f"accounts/{runway.account_id}/?history={runway.pk}"))
    assert "Moved from version 1 to version 2" in history

    tick(now=MONDAY + days(11))
    tick(now=MONDAY + days(30))
    runway.refresh_from_db()
    assert (runway.state, runway.progress) == ("completed", 100)
    titles = set(Indicator.objects.values_list("title", flat=True))
    assert titles == {"First", "New", "Later still"}


def test_a_new_step_whose_day_is_over_runs_at_once_where_that_was_chosen(inside: Workspace, runway: Enrollment) -> None:
    moved(drafted(runway), inside, Passed.RUN)
    tick(now=THEN)

    assert schedule(runway)["over 2"] == ("applied", 5)
    assert set(Indicator.objects.values_list("title", flat=True)) == {"First", "Over"}


def test_numbers_before_are_numbers_after(inside: Workspace, runway: Enrollment) -> None:
    playbook = drafted(runway)
    publish(playbook, by=inside.jonah, now=THEN)
    playbook.refresh_from_db()
    ahead = look_ahead_of_late_move(playbook, tenant=inside.tenant, now=THEN)
    assert ahead
    told = {(one.change, one.says.split("“")[-1]): (one.open, one.done, one.passed) for one in ahead.steps}
    assert ahead.running == 1
    assert sorted(change for change, _ in told) == ["added", "added", "changed", "changed", "removed"]
    assert sorted(told.values()) == [(0, 1, 0), (1, 0, 0), (1, 0, 0), (1, 0, 0), (1, 0, 1)]


def test_stopping_afterwards_takes_back_what_each_version_did(inside: Workspace, runway: Enrollment) -> None:
    moved(drafted(runway), inside, Passed.RUN)
    tick(now=THEN)
    preview = preview_stop(runway, now=THEN)
    assert (len(preview.undone), len(preview.cancelled)) == (2, 3)
    request_stop(runway, by=inside.tom, now=THEN)

    assert not Indicator.objects.filter(state="active").exists()


def test_a_version_that_skips_weekends_and_holidays_takes_the_days_of_what_moves_there_along(
    inside: Workspace, runway: Enrollment
) -> None:
    add_holiday(on=on(16), name="A Monday", by=inside.maya, now=THEN)
    steps = [FIRST[0], raise_risk(13, key="later")]  # day 13 is a Saturday
    playbook = import_playbook(playbook_json("runway", steps=steps, skip_weekends=True), by=None, now=THEN)
    moved(playbook, inside)

    assert runway.runs.get(step__key="later", state="scheduled").due_on == on(17)


def test_an_anchored_step_counts_from_its_date(inside: Workspace, runway: Enrollment) -> None:
    anchored = {"key": "late", "anchor": {"field": "renewal_on", "days": -5}}
    undated = {"key": "undated", "anchor": {"field": "trial_end_on", "days": 0}}
    over = {"key": "past", "anchor": {"field": "renewal_on", "days": -15}}
    steps = [FIRST[0], *({**raise_risk(), **one, "day": None} for one in (anchored, undated, over))]
    steps = [{name: value for name, value in step.items() if value is not None} for step in steps]
    moved(drafted(runway, steps), inside)

    found = schedule(runway)
    assert [found[key] for key in ("late 2", "undated 2", "past 2")] == [
        ("scheduled", 14),
        ("scheduled", 0),
        ("skipped", 4),
    ]
    assert ActionRun.objects.get(step__key="late").due_at == THEN.replace(day=15, hour=9)


def test_where_the_last_open_step_went_it_is_finished(inside: Workspace, runway: Enrollment) -> None:
    moved(drafted(runway, FIRST[:1]), inside)

    runway.refresh_from_db()
    assert (runway.state, runway.steps_total, runway.progress) == ("completed", 1, 100)


def test_finishing_as_begun_is_the_default_and_moving_can_follow(inside: Workspace, runway: Enrollment) -> None:
    jonah, playbook = Visitor(inside.jonah), drafted(runway)
    jonah.submit(f"playbooks/{playbook.pk}/draft/publish/", running="finish")
    assert not Job.objects.exists()
    versions = text(jonah.page(f"playbooks/{playbook.pk}/versions/"))
    assert "1 runs on an earlier version" in versions
    dialog = text(jonah.fragment(f"playbooks/{playbook.pk}/move/", "dialog"))
    assert "Move 1 running application to version 2?" in dialog

    assert jonah.submit(f"playbooks/{playbook.pk}/move/", passed="perhaps").status_code == 422
    assert "job:started" in jonah.send(f"playbooks/{playbook.pk}/move/", passed="skip")["HX-Trigger"]
    run_jobs()
    runway.refresh_from_db()
    assert runway.version.number == 2
    assert "Nothing runs on an earlier version" in text(jonah.fragment(f"playbooks/{playbook.pk}/move/", "dialog"))


def test_publishing_with_a_move_starts_it(inside: Workspace, runway: Enrollment) -> None:
    playbook = drafted(runway)
    Visitor(inside.jonah).submit(f"playbooks/{playbook.pk}/draft/publish/", running="move", passed="run")
    assert Job.objects.get().params["passed"] == "run"


def test_a_version_published_meanwhile_ends_the_move(inside: Workspace, runway: Enrollment) -> None:
    playbook = drafted(runway)
    publish(playbook, by=inside.jonah, now=THEN)
    playbook.refresh_from_db()
    job = start_move(playbook, passed=Passed.SKIP, by=inside.jonah, now=THEN)
    publish(drafted(runway, FIRST), by=inside.jonah, now=THEN + timedelta(minutes=1))
    run_jobs(clock=lambda: THEN)

    assert job
    job.refresh_from_db()
    assert (job.state, "newer version" in job.error) == ("failed", True)


def test_a_draft_waiting_for_review_leaves_as_it_was_drafted(inside: Workspace) -> None:
    mail = {"key": "mail", "day": 1, "action": "start_conversation"}
    texts = {"subject": "Hello", "body": "Shall we talk?", "sender": "csm", "review_hours": 300}
    playbook = live(playbook_json("runway", steps=[mail | {"config": texts}, raise_risk(9)]))
    at = account("Harbour", csm=inside.priya)
    user("Ana", at, role="admin")
    enrollment = apply_now(playbook, at, now=MONDAY)
    assert ActionRun.objects.get(step__key="mail").prepared_at
    moved(drafted(enrollment, [mail | {"config": texts | {"subject": "Other"}}, raise_risk(9)]), inside)
    assert schedule(enrollment)["mail 1"][0] == "scheduled"
    moved(drafted(enrollment, [raise_risk(9)]), inside)
    assert schedule(enrollment)["mail 1"][0] == "cancelled"
