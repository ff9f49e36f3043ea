"""A dry run lives like a live playbook and touches nothing; promoted it begins, discarded nothing is left to act."""

import pytest
from django.db import connection

from accounts.models import Account, EndUser, Indicator, TimelineEntry
from actions.base import Audience
from actions.registry import ACTIONS
from cs_platform.jobs.pump import run_jobs
from cs_platform.tenancy.models import AuditEntry
from playbooks.dry_runs import ENDED, discard, promote, start_dry_run
from playbooks.enrollment import AlreadyActive, apply_by_hand
from playbooks.models import ActionRun, Enrollment, Evaluation, Playbook
from playbooks.pump import pump
from playbooks.versions import NotPossible, import_playbook, pause, set_live
from tests.actions import conftest as samples
from tests.tenancy.rows import TENANT_MODELS
from tests.visitor import Visitor, text
from tests.world import MONDAY, Workspace, account, days, evaluate, live, playbook_json, raise_risk, tick

TUESDAY = MONDAY + days(1)
# What a dry run itself is: its own rows, and who started it.
OWN = {"playbooks_", "audit", "tenancy_auditentry", "jobs_", "workspace_notification"}

orbiton, harbour, ben = samples.orbiton, samples.harbour, samples.ben


@pytest.fixture
def home(orbiton: Workspace) -> Workspace:
    """With what the samples of actions name."""
    return orbiton


def recording(data: dict[str, object], home: Workspace) -> Playbook:
    playbook = import_playbook(data, by=None, now=MONDAY)
    start_dry_run(playbook, by=home.jonah, now=MONDAY, expected_count=100)
    playbook.refresh_from_db()
    return playbook


def everything() -> dict[str, str]:
    """All rows of the workspace by table, hashed."""
    tables = [model._meta.db_table for model in TENANT_MODELS]
    with connection.cursor() as cursor:
        found = {}
        for table in (name for name in tables if not any(name.startswith(own) for own in OWN)):
            cursor.execute(f"SELECT md5(string_agg(t::text, ',' ORDER BY t::text)) FROM {table} t")
            found[table] = cursor.fetchone()[0]
    return found


def live_through(playbook: Playbook, home: Workspace, *, until: float) -> None:
    for day in range(int(until) + 1):
        evaluate(home.tenant, now=MONDAY + days(day))
        tick(now=MONDAY + days(day), deliver=_nobody)


def _nobody(action: object, payload: object) -> None:
    raise AssertionError("A dry run has sent something.")


def test_every_action_is_recorded_and_nothing_else_changes(home: Workspace, harbour: Account, ben: EndUser) -> None:
    account("Calyx", plan="Pro")
    kinds = [action for action in ACTIONS if Audience.ACCOUNTS in action.audiences]
    steps = [
        {"key": action.key, "day": at % 3 + 1, "action": action.key, "config": action.sample}
        for at, action in enumerate(kinds)
    ]
    playbook = recording(playbook_json(steps=steps), home)
    before = everything()
    live_through(playbook, home, until=4)

    assert everything() == before
    assert set(Enrollment.objects.values_list("state", "is_dry", "progress")) == {("completed", True, 100)}
    runs = ActionRun.objects.filter(enrollment__account=harbour).select_related("step")
    says = {run.step.action: (run.state, run.reason_code, run.receipt, run.reason) for run in runs}
    assert len(says) == len(kinds)
    assert {(state, code) for state, code, *_ in says.values()} == {("skipped", "dry_run")}
    assert {action: receipt for action, (_, _, receipt, _) in says.items() if receipt != {"dry_run": "applied"}} == {}
    assert says["create_cta"][3].startswith("CTA opened: ")
    assert says["start_conversation"][3].startswith("Email drafted to Ben Novak: ")
    elsewhere = ActionRun.objects.get(enrollment__account__name="Calyx", step__action="start_conversation")
    assert elsewhere.reason.startswith("Would wait for somebody: ")


def test_what_would_fail_is_said_and_waits_for_nobody(home: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    account("Calyx", plan="Pro")
    playbook = recording(playbook_json(steps=[raise_risk()]), home)

    def broken(*args: object) -> None:
        raise ValueError("No indicators today.")

    monkeypatch.setattr("actions.types.create_indicator.CreateIndicator.apply", broken)
    live_through(playbook, home, until=0)

    run = ActionRun.objects.get()
    assert (run.state, run.receipt) == ("skipped", {"dry_run": "failed"})
    assert run.reason == "Would fail: No indicators today."


AGAIN = [
    {"policy": "once_ever"},
    {"policy": "once_per_value", "field": "renewal_on"},
    {"policy": "at_most", "times": 1},
]


@pytest.mark.parametrize("again", AGAIN, ids=lambda again: again["policy"])
def test_it_is_enrolled_once_like_a_live_one_and_uses_nothing_up(home: Workspace, again: dict[str, object]) -> None:
    at = account("Calyx", plan="Pro", renewal_on=TUESDAY.date())
    playbook = recording(playbook_json(reenrollment=again), home)
    live_through(playbook, home, until=2)
    assert Enrollment.objects.get().state == "completed"
    assert set(Evaluation.objects.values_list("is_dry", "held_back")) == {(True, 0)}

    promote(playbook, restart=False, by=home.jonah, now=MONDAY + days(3))
    run_jobs(clock=lambda: MONDAY + days(3))
    live_through(playbook, home, until=4)

    real = Enrollment.objects.real().get()
    assert (real.account, real.state, Indicator.objects.get().state) == (at, "completed", "active")
    assert Enrollment.objects.get(is_dry=True).stop_note == ENDED


def test_promoted_with_those_so_far_they_begin_on_day_1_and_are_not_enrolled_twice(home: Workspace) -> None:
    at = account("Calyx", plan="Pro", renewal_on=(MONDAY + days(40)).date())
    again = {"policy": "once_per_value", "field": "renewal_on"}
    playbook = recording(playbook_json(reenrollment=again, steps=[raise_risk(2)]), home)
    live_through(playbook, home, until=3)
    promote(playbook, restart=True, by=home.jonah, now=MONDAY + days(5))
    run_jobs(clock=lambda: MONDAY + days(5))
    for day in (5, 6, 7, 8):
        evaluate(home.tenant, now=MONDAY + days(day))
        tick(now=MONDAY + days(day))

    real = Enrollment.objects.real().get()
    assert (real.account, real.activated_at, real.state) == (at, MONDAY + days(5), "completed")
    assert Indicator.objects.get().raised_at == MONDAY + days(6)
    assert TimelineEntry.objects.filter(subject__startswith="enrollment:", kind="playbook.applied").count() == 1
    assert AuditEntry.objects.get(verb="playbook.promoted").detail["after"]["restart"] is True


def test_discarded_it_is_paused_and_what_was_recorded_ends(home: Workspace) -> None:
    account("Calyx", plan="Pro")
    playbook = recording(playbook_json(steps=[raise_risk(9)]), home)
    live_through(playbook, home, until=1)
    before = everything()
    discard(playbook, by=home.jonah, now=TUESDAY)
    run_jobs(clock=lambda: TUESDAY)
    tick(now=MONDAY + days(20), deliver=_nobody)

    playbook.refresh_from_db()
    assert (playbook.status, Enrollment.objects.get().state, everything() == before) == ("paused", "stopped", True)
    set_live(playbook, by=home.jonah, now=TUESDAY)
    with pytest.raises(NotPossible, match="in no dry run"):
        promote(playbook, restart=False, by=home.jonah, now=TUESDAY)


def test_rules_and_columns_do_not_know_of_it(home: Workspace) -> None:
    at = account("Calyx", plan="Pro")
    playbook = recording(playbook_json(steps=[raise_risk(9)]), home)
    active = {"field": "playbook:rescue", "op": "is", "value": "active"}
    watcher = live(playbook_json("watcher", rules={"account": active}))
    live_through(playbook, home, until=1)

    assert Enrollment.objects.filter(playbook=playbook, account=at).exists()
    assert not watcher.enrollments.exists()
    assert "Calyx" not in text(Visitor(home.jonah).fragment("accounts/?playbook=active", "results"))


def test_it_begins_only_where_nothing_is_under_way(home: Workspace) -> None:
    at = account("Calyx")
    playbook = live(playbook_json(steps=[raise_risk(9)]))
    apply_by_hand(playbook=playbook, account=at, by="person:1", now=MONDAY)
    with pytest.raises(AlreadyActive):
        apply_by_hand(playbook=playbook, account=at, by="person:1", now=MONDAY)
    with pytest.raises(NotPossible, match="under way in 1 place"):
        start_dry_run(playbook, by=home.jonah, now=MONDAY)


def test_in_a_dry_run_it_is_neither_paused_nor_set_live_past_its_end(home: Workspace) -> None:
    account("Calyx", plan="Pro")
    playbook = recording(playbook_json(steps=[raise_risk(9)]), home)
    live_through(playbook, home, until=0)
    pause(playbook, by=home.jonah, now=MONDAY)
    assert Enrollment.objects.get().state == "active"
    with pytest.raises(NotPossible, match="dry run"):
        set_live(playbook, by=home.jonah, now=MONDAY)


# --- pages ------------------------------------------------------------------------------------------------------------


def test_it_is_begun_on_review_marked_everywhere_and_ended_in_a_dialog(home: Workspace) -> None:
    at, jonah = account("Calyx", plan="Pro"), Visitor(home.jonah)
    playbook = import_playbook(playbook_json(steps=[raise_risk(1), raise_risk(9, key="b")]), by=None, now=MONDAY)
    assert 'value="dry"' in text(jonah.page(f"playbooks/{playbook.pk}/draft/review/"))
    jonah.submit(f"playbooks/{playbook.pk}/draft/publish/", live="dry", expected_count="1")
    playbook.refresh_from_db()
    assert (playbook.status, playbook.expected_count) == ("dry_run", 1)
    now = playbook.live_at
    assert now
    evaluate(home.tenant, now=now)
    tick(now=now, deliver=_nobody)

    enrollment = Enrollment.objects.get()
    for page in (
        "playbooks/?tab=dry-runs",
        f"playbooks/{playbook.pk}/",
        f"playbooks/{playbook.pk}/enrollments/",
        f"playbooks/{playbook.pk}/evaluations/",
        f"accounts/{at.pk}/?history={enrollment.pk}",
    ):
        assert "Dry run</span>" in text(jonah.page(page)).replace("Dry run </span>", "Dry run</span>"), page
    history = text(jonah.page(f"accounts/{at.pk}/?history={enrollment.pk}"))
    assert "Risk raised: At risk" in history
    assert "only recorded" in history
    assert f"enrollments/{enrollment.pk}/stop/" not in history

    dialog = text(jonah.fragment(f"playbooks/{playbook.pk}/dry-run/", "dialog"))
    assert "It was recorded for 1 account since" in dialog
    assert jonah.submit(f"playbooks/{playbook.pk}/dry-run/", how="hope").status_code == 422
    answer = jonah.send(f"playbooks/{playbook.pk}/dry-run/", how="restart")
    assert "job:started" in answer["HX-Trigger"]
    run_jobs()
    pump("apply")
    assert Indicator.objects.get().state == "active"
    assert "is in no dry run" in text(jonah.fragment(f"playbooks/{playbook.pk}/dry-run/", "dialog"))
    assert "Dry runs" in text(jonah.page(f"playbooks/{playbook.pk}/enrollments/?show=recorded"))
