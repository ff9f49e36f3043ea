from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.db.models import QuerySet

from accounts.facts import set_known_cause
from accounts.models import Account
from cs_platform.tenancy.context import tenant_context
from cs_platform.tenancy.models import WorkDue
from cs_platform.workspace.holidays import add_holiday
from playbooks import evaluation
from playbooks.evaluation import drop, evaluate_if_due, release
from playbooks.models import ActionRun, Enrollment, Evaluation, EvaluationRun, Playbook
from playbooks.pump import pump
from playbooks.undo import request_stop
from playbooks.versions import import_playbook, set_live
from tests.world import (
    MONDAY,
    Workspace,
    account,
    days,
    enrolled,
    evaluate,
    live,
    on,
    playbook_json,
    raise_risk,
    set_trait_step,
    tick,
    trait,
    user,
)

RENEWAL = {"field": "renewal_on", "op": "within_next_days", "value": 30}


def names(playbook: Playbook) -> list[str]:
    return list(playbook.enrollments.order_by("account__name").values_list("account__name", flat=True))


def test_matching_accounts_are_enrolled_and_others_are_not(inside: Workspace) -> None:
    account("Pro one", plan="Pro"), account("Pro two", plan="Pro"), account("Basic", plan="Basic"), account("None")
    playbook = live(playbook_json())

    evaluate(inside.tenant, now=MONDAY)

    assert names(playbook) == ["Pro one", "Pro two"]


def test_a_known_cause_holds_back_the_playbooks_that_respect_it_and_only_while_it_lasts(inside: Workspace) -> None:
    moving = account("Moving", plan="Pro")
    account("Other", plan="Pro")
    set_known_cause(moving, cause="They move", until=on(4), by=inside.maya, now=MONDAY)
    user("Ann", moving)
    careful = live(playbook_json("careful", respects_known_cause=True))
    users = {"user": {"field": "role", "op": "set"}}
    people = live(playbook_json("people", audience="users", rules=users, respects_known_cause=True))
    always = live(playbook_json("always"))

    evaluate(inside.tenant, now=MONDAY)
    assert [names(one) for one in (careful, people, always)] == [["Other"], [], ["Moving", "Other"]]
    found = {one.playbook_id: one for one in Evaluation.objects.all()}
    assert (found[careful.pk].matched, found[careful.pk].enrolled, found[careful.pk].held_back) == (2, 1, 1)
    assert (found[people.pk].held_back, found[always.pk].held_back) == (1, 0)

    evaluate(inside.tenant, now=MONDAY + days(2))
    assert names(careful) == ["Other"]
    evaluate(inside.tenant, now=MONDAY + days(3))
    assert [names(careful), names(people)] == [["Moving", "Other"], ["Moving"]]


def test_a_known_cause_stops_nothing_that_is_under_way(inside: Workspace) -> None:
    moving = account("Moving", plan="Pro")
    careful = live(playbook_json(respects_known_cause=True, on_unmatch="stop"))
    evaluate(inside.tenant, now=MONDAY)
    set_known_cause(moving, cause="They move", until=on(30), by=inside.maya, now=MONDAY)

    evaluate(inside.tenant, now=MONDAY + days(1))
    assert enrolled(careful, moving).state in ("active", "completed")


@pytest.mark.parametrize("lifecycle", ["churned", "ignored"])
def test_churned_and_ignored_accounts_never_match(inside: Workspace, lifecycle: str) -> None:
    account("Gone", plan="Pro", lifecycle=lifecycle)
    playbook = live(playbook_json())

    evaluate(inside.tenant, now=MONDAY)

    assert names(playbook) == []


def test_one_user_who_satisfies_the_whole_user_tree_is_enough(inside: Workspace) -> None:
    one, two = account("One", plan="Pro"), account("Two", plan="Pro")
    user("Ada", one, role="admin"), user("Bo", one, role="member"), user("Cy", two, role="member")
    rules = {"account": None, "user": {"field": "role", "op": "is", "value": "admin"}}
    playbook = live(playbook_json(rules=rules))

    evaluate(inside.tenant, now=MONDAY)

    assert names(playbook) == ["One"]


def test_a_user_of_two_matching_accounts_is_enrolled_for_each(inside: Workspace) -> None:
    one, two, basic = account("One", plan="Pro"), account("Two", plan="Pro"), account("Basic", plan="Basic")
    ada = user("Ada", one, two, basic)
    rules = {
        "account": {"field": "plan", "op": "is", "value": "Pro"},
        "user": {"field": "name", "op": "is", "value": "Ada"},
    }
    playbook = live(playbook_json(audience="users", rules=rules))

    evaluate(inside.tenant, now=MONDAY)

    assert set(playbook.enrollments.values_list("account__name", "end_user")) == {("One", ada.pk), ("Two", ada.pk)}


@pytest.mark.parametrize("chunks", ["as many as fit", "one by one"])
def test_what_an_evaluation_does_changes_none_of_its_own_answers(
    inside: Workspace, monkeypatch: pytest.MonkeyPatch, chunks: str
) -> None:
    """Whichever kind of audience is looked at first, and however many playbooks one statement holds."""
    if chunks == "one by one":
        monkeypatch.setattr(evaluation, "chunked", lambda audiences: [[audience] for audience in audiences])
    user("Ann", account("Pro", plan="Pro"))
    on_pro = {"field": "plan", "op": "is", "value": "Pro"}
    owners = {"audience": "users", "user": {"field": "role", "op": "set"}}

    def one(key: str, *, unless: str, **more: Any) -> Playbook:
        rules = {"account": {"all": [on_pro, {"field": f"playbook:{unless}", "op": "is", "value": "never"}]}}
        audience = more.pop("audience", "accounts")
        return live(playbook_json(key, audience=audience, rules=rules | more))

    for key in ("first", "last", "people"):
        import_playbook(playbook_json(key, audience="users" if key == "people" else "accounts"), by=None, now=MONDAY)
    wary = [one("last", unless="first"), one("first", unless="last"), one("people", unless="first", **owners)]

    evaluate(inside.tenant, now=MONDAY)
    assert [names(playbook) for playbook in wary] == [["Pro"], ["Pro"], ["Pro"]]

    evaluate(inside.tenant, now=MONDAY + days(1))
    assert list(_night(MONDAY + days(1)).values_list("matched", flat=True)) == [0, 0, 0]


def _night(at: datetime) -> "QuerySet[Evaluation]":
    return Evaluation.objects.filter(run__started_at=at)


def test_nobody_is_enrolled_twice_by_the_next_evaluation(inside: Workspace) -> None:
    account("Pro", plan="Pro")
    playbook = live(playbook_json())

    for n in range(3):
        evaluate(inside.tenant, now=MONDAY + days(n))
        tick(now=MONDAY + days(n))

    assert playbook.enrollments.count() == 1


def test_once_ever_holds_after_a_stop(inside: Workspace) -> None:
    at = account("Pro", plan="Pro")
    playbook = live(playbook_json())
    evaluate(inside.tenant, now=MONDAY)
    request_stop(enrolled(playbook, at), by=inside.priya, now=MONDAY)

    evaluate(inside.tenant, now=MONDAY + days(3))

    assert playbook.enrollments.count() == 1


def test_every_match_enrolls_again_only_after_the_rules_stopped_matching(inside: Workspace) -> None:
    at = account("Pro", plan="Pro")
    playbook = live(playbook_json(reenrollment={"policy": "every_match"}))
    evaluate(inside.tenant, now=MONDAY)
    tick(now=MONDAY)
    evaluate(inside.tenant, now=MONDAY + days(2))
    assert playbook.enrollments.count() == 1

    Account.objects.filter(pk=at.pk).update(plan="Basic")
    evaluate(inside.tenant, now=MONDAY + days(3))
    Account.objects.filter(pk=at.pk).update(plan="Pro")
    evaluate(inside.tenant, now=MONDAY + days(4))

    assert playbook.enrollments.count() == 2


def test_next_years_renewal_counts_again_by_default(inside: Workspace) -> None:
    at = account("Pro", renewal_on=on(20))
    playbook = live(playbook_json(rules={"account": RENEWAL}, reenrollment=None))
    for n in range(4):
        evaluate(inside.tenant, now=MONDAY + days(n))
        tick(now=MONDAY + days(n))
    assert playbook.enrollments.count() == 1

    Account.objects.filter(pk=at.pk).update(renewal_on=on(20, year=2027))
    evaluate(inside.tenant, now=datetime(2027, 11, 2, 12, tzinfo=UTC))

    assert list(playbook.enrollments.order_by("id").values_list("occasion", flat=True)) == ["2026-11-20", "2027-11-20"]


def test_at_most_n_times_and_once_in_d_days(inside: Workspace) -> None:
    account("Pro", plan="Pro")
    playbook = live(playbook_json(reenrollment={"policy": "at_most", "times": 2, "days": 10}))

    for n in range(0, 40, 2):
        evaluate(inside.tenant, now=MONDAY + days(n))
        tick(now=MONDAY + days(n))

    assert [e.activated_at - MONDAY for e in playbook.enrollments.order_by("id")] == [timedelta(0), days(10)]


def test_an_account_that_no_longer_matches_finishes_its_schedule_by_default(inside: Workspace) -> None:
    at = account("Pro", plan="Pro")
    playbook = live(playbook_json())
    evaluate(inside.tenant, now=MONDAY)
    Account.objects.filter(pk=at.pk).update(plan="Basic")

    evaluate(inside.tenant, now=MONDAY + days(1))

    assert enrolled(playbook, at).state == "active"


def test_or_is_stopped_and_undone_where_the_playbook_says_so(inside: Workspace) -> None:
    trait("stage")
    at = account("Pro", plan="Pro")
    playbook = live(playbook_json(on_unmatch="stop", steps=[set_trait_step("A"), raise_risk(20)]))
    evaluate(inside.tenant, now=MONDAY)
    tick(now=MONDAY)
    Account.objects.filter(pk=at.pk).update(plan="Basic")

    run = evaluate(inside.tenant, now=MONDAY + days(1))
    tick(now=MONDAY + days(1))

    assert enrolled(playbook, at).state == "stopped"
    assert Account.objects.get(pk=at.pk).traits == {}
    assert run.evaluations.get().released == 1


@pytest.fixture
def crowd(inside: Workspace) -> list[Account]:
    return [account(f"Pro {n:02}", plan="Pro") for n in range(30)]


def braked(**parts: Any) -> Playbook:
    playbook = import_playbook(playbook_json(**parts), by=None, now=MONDAY)
    set_live(playbook, by=None, now=MONDAY, expected_count=1)
    playbook.refresh_from_db()
    return playbook


def test_an_evaluation_that_would_enroll_far_more_than_shown_is_held(inside: Workspace, crowd: list[Account]) -> None:
    playbook = braked()

    held = evaluate(inside.tenant, now=MONDAY).evaluations.get()

    assert (held.state, held.would_enroll, held.limit, held.enrolled) == ("held", 30, 25, 0)
    assert "30" in held.reason
    assert names(playbook) == []


def test_a_held_evaluation_can_be_let_through_once(inside: Workspace, crowd: list[Account]) -> None:
    playbook = braked()
    held = evaluate(inside.tenant, now=MONDAY).evaluations.get()

    run = release(held, by=inside.jonah, now=MONDAY)
    assert release(held, by=inside.jonah, now=MONDAY) is None
    assert playbook.enrollments.count() == 0  # a worker does it

    pump("evaluate", clock=lambda: MONDAY)
    assert run
    applied = run.evaluations.get()
    assert (applied.state, applied.enrolled, run.requested_by) == ("done", 30, inside.jonah)
    assert playbook.enrollments.count() == 30
    held.refresh_from_db()
    assert (held.state, held.settled_by) == ("released", inside.jonah.actor)


def test_a_held_evaluation_can_be_dropped(inside: Workspace, crowd: list[Account]) -> None:
    playbook = braked()
    held = evaluate(inside.tenant, now=MONDAY).evaluations.get()

    assert drop(held, by=inside.jonah, now=MONDAY)
    assert not drop(held, by=inside.jonah, now=MONDAY)
    assert playbook.enrollments.count() == 0


def test_the_number_review_showed_is_let_through(inside: Workspace, crowd: list[Account]) -> None:
    playbook = import_playbook(playbook_json(), by=None, now=MONDAY)
    set_live(playbook, by=None, now=MONDAY, expected_count=30)

    assert evaluate(inside.tenant, now=MONDAY).evaluations.get().enrolled == 30


def test_a_wrong_release_of_many_is_held_too(inside: Workspace, crowd: list[Account]) -> None:
    playbook = live(playbook_json(on_unmatch="stop"))
    evaluate(inside.tenant, now=MONDAY)
    Account.objects.update(plan="Basic")

    held = evaluate(inside.tenant, now=MONDAY + days(1)).evaluations.get()

    assert (held.state, held.would_release) == ("held", 30)
    assert playbook.enrollments.filter(state="active").count() == 30


def test_one_night_is_evaluated_once_whatever_beat_does(orbiton: Workspace) -> None:
    six = datetime(2026, 11, 3, 6, 1, tzinfo=UTC)

    assert evaluate_if_due(orbiton.tenant, now=six) is not None
    assert evaluate_if_due(orbiton.tenant, now=six) is None
    assert evaluate_if_due(orbiton.tenant, now=six + timedelta(hours=3)) is None
    with tenant_context(orbiton.tenant.pk):
        assert EvaluationRun.objects.count() == 1


def test_a_night_that_was_missed_runs_when_it_can(orbiton: Workspace) -> None:
    assert evaluate_if_due(orbiton.tenant, now=datetime(2026, 11, 3, 5, 59, tzinfo=UTC)) is None
    assert evaluate_if_due(orbiton.tenant, now=datetime(2026, 11, 6, 17, 0, tzinfo=UTC)) is not None

    assert WorkDue.objects.get(queue="evaluate").due_at == datetime(2026, 11, 7, 6, 0, tzinfo=UTC)


def test_another_workspaces_accounts_are_never_looked_at(orbiton: Workspace, halyard: Workspace) -> None:
    with tenant_context(halyard.tenant.pk):
        account("Theirs", plan="Pro")
    with tenant_context(orbiton.tenant.pk):
        live(playbook_json())
    evaluate(orbiton.tenant, now=MONDAY)

    for tenant in (orbiton.tenant, halyard.tenant):
        with tenant_context(tenant.pk):
            assert not Enrollment.objects.exists()


def test_anchored_steps_follow_their_date_when_it_moves(inside: Workspace) -> None:
    at = account("Pro", renewal_on=on(30))
    step = {"key": "near", "anchor": {"field": "renewal_on", "days": -7}, "action": "create_indicator"}
    step["config"] = raise_risk()["config"]
    live(playbook_json(rules={"account": RENEWAL}, steps=[step]))
    evaluate(inside.tenant, now=MONDAY)
    assert ActionRun.objects.get().due_on == on(23)

    Account.objects.filter(pk=at.pk).update(renewal_on=on(28))
    evaluate(inside.tenant, now=MONDAY + days(1))

    run = ActionRun.objects.get()
    assert run.due_on == on(21)


def test_holidays_of_the_workspace_are_passed_over_like_weekends_also_when_a_date_moves(inside: Workspace) -> None:
    for day in (4, 11):
        add_holiday(on=on(day), name=f"The {day}th", by=inside.maya, now=MONDAY)
    harbour = account(plan="Pro", renewal_on=on(18))
    near = raise_risk(key="near") | {"day": None, "anchor": {"field": "renewal_on", "days": -7}}
    steps = [raise_risk(1), raise_risk(3, key="third"), near]
    skipping, usual = (
        live(playbook_json(key, steps=steps, skip_weekends=skips))
        for key, skips in (("skipping", True), ("usual", False))
    )
    evaluate(inside.tenant, now=MONDAY)

    def due(playbook: Playbook) -> list[date | None]:
        return [run.due_on for run in enrolled(playbook, harbour).runs.order_by("position")]

    assert due(skipping) == [on(2), on(5), on(12)]
    assert due(usual) == [on(2), on(4), on(11)]

    Account.objects.filter(pk=harbour.pk).update(renewal_on=on(21))  # seven days before is a Saturday
    add_holiday(on=on(16), name="The Monday after", by=inside.maya, now=MONDAY)
    evaluate(inside.tenant, now=MONDAY + days(1))
    assert due(skipping)[2] == on(17)


def test_an_anchored_step_whose_day_was_over_is_skipped_and_says_so(inside: Workspace) -> None:
    account("Pro", renewal_on=on(10))
    step = {"key": "near", "anchor": {"field": "renewal_on", "days": -30}, "action": "create_indicator"}
    step["config"] = raise_risk()["config"]
    live(playbook_json(rules={"account": RENEWAL}, steps=[step, raise_risk(1)]))

    evaluate(inside.tenant, now=MONDAY)
    tick(now=MONDAY)

    skipped = ActionRun.objects.get(step__key="near")
    assert (skipped.state, skipped.reason_code) == ("skipped", "past")
    assert Enrollment.objects.get().state == "completed"


def test_a_playbook_whose_trait_was_deleted_is_held_and_the_others_go_on(inside: Workspace) -> None:
    seats = trait("seats", "number")
    account("Pro", plan="Pro", n01=10)
    live(playbook_json("broken", rules={"account": {"field": "trait:seats", "op": "more", "value": 5}}))
    fine = live(playbook_json("fine"))
    seats.delete()

    run = evaluate(inside.tenant, now=MONDAY)

    assert run.evaluations.get(playbook__key="broken").state == Evaluation.State.HELD
    assert names(fine) == ["Pro"]
