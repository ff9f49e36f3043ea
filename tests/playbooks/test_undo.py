from typing import Any

import pytest

from accounts.models import Account, Indicator, TimelineEntry
from accounts.traits import set_trait
from playbooks.enrollment import apply_by_hand
from playbooks.models import Enrollment, LedgerEntry, Playbook
from playbooks.undo import outcome_of_stop, preview_stop, request_stop
from tests.world import (
    MONDAY,
    Workspace,
    account,
    days,
    live,
    playbook_json,
    raise_risk,
    set_trait_step,
    tick,
    trait,
    user,
)

LATER = MONDAY + days(10)
NOBODY = {"user": {"field": "role", "op": "is", "value": "nobody"}}


@pytest.fixture
def stage(inside: Workspace) -> Any:
    return trait("stage")


def playbook(*steps: dict[str, Any], key: str = "rescue", **parts: Any) -> Playbook:
    return live(playbook_json(key, steps=list(steps), **parts))


def apply(playbook: Playbook, account: Account, *, now: Any = MONDAY) -> Enrollment:
    enrollment = apply_by_hand(playbook=playbook, account=account, by="person:1", now=now)
    tick(now=now)
    return enrollment


def stop(enrollment: Enrollment, workspace: Workspace, **options: Any) -> Enrollment:
    request_stop(enrollment, by=workspace.priya, now=LATER, **options)
    enrollment.refresh_from_db()
    return enrollment


def traits(account: Account) -> dict[str, Any]:
    return Account.objects.get(pk=account.pk).traits


def test_stopping_takes_back_what_was_applied_and_cancels_the_rest(inside: Workspace, stage: Any) -> None:
    at = account()
    enrollment = apply(
        playbook(raise_risk(1), set_trait_step("Hot", day=1), raise_risk(30, key="far", title="Far")), at
    )

    stop(enrollment, inside, note="Settled by phone")

    assert list(enrollment.runs.order_by("position").values_list("state", flat=True)) == [
        "undone",
        "undone",
        "cancelled",
    ]
    assert (enrollment.state, enrollment.stop_note) == ("stopped", "Settled by phone")
    assert traits(at) == {}
    assert Indicator.objects.get().state == "ended"


def test_the_preview_is_what_then_happens_even_for_actions_that_build_on_each_other(
    inside: Workspace, stage: Any
) -> None:
    steps = [set_trait_step("A", key="a"), set_trait_step("B", key="b"), raise_risk(40, key="far")]
    enrollment = apply(playbook(*steps), account())

    preview = preview_stop(enrollment, now=LATER)
    enrollment.refresh_from_db()
    assert enrollment.state == "active"
    assert traits(enrollment.account) == {"stage": "B"}
    stop(enrollment, inside)

    assert outcome_of_stop(enrollment) == preview
    assert (len(preview.undone), len(preview.cancelled), len(preview.kept)) == (2, 1, 0)
    assert traits(enrollment.account) == {}


def test_a_preview_leaves_no_trace(inside: Workspace, stage: Any) -> None:
    enrollment = apply(playbook(set_trait_step("A")), account())
    before = (LedgerEntry.objects.count(), TimelineEntry.objects.count())

    preview_stop(enrollment, now=LATER)

    assert (LedgerEntry.objects.count(), TimelineEntry.objects.count()) == before


def test_a_value_a_person_chose_since_is_kept_and_the_result_says_so(inside: Workspace, stage: Any) -> None:
    enrollment = apply(playbook(set_trait_step("A")), account())
    set_trait(Account.objects.get(pk=enrollment.account_id), stage, value="A", by=inside.priya, now=MONDAY + days(1))

    stop(enrollment, inside)

    assert traits(enrollment.account) == {"stage": "A"}
    assert [line.run_id for line in outcome_of_stop(enrollment).kept] == [enrollment.runs.get().pk]


@pytest.mark.parametrize("first_out", [0, 1])
def test_two_stacked_playbooks_leave_no_residue_whichever_stops_first(
    inside: Workspace, stage: Any, first_out: int
) -> None:
    at = account()
    set_trait(at, stage, value="Original", by=inside.priya, now=MONDAY)
    before = Account.objects.get(pk=at.pk)
    enrollments = [apply(playbook(set_trait_step(value), key=key), at) for key, value in (("one", "1"), ("two", "2"))]

    stop(enrollments[first_out], inside)
    stop(enrollments[1 - first_out], inside)

    after = Account.objects.get(pk=at.pk)
    assert (after.traits, after.trait_writers, after.t01) == (before.traits, before.trait_writers, before.t01)


def test_stopping_twice_is_one_stop(inside: Workspace, stage: Any) -> None:
    enrollment = apply(playbook(set_trait_step("A")), account())
    stop(enrollment, inside)
    entries = LedgerEntry.objects.count()

    assert not request_stop(enrollment, by=inside.tom, now=LATER)
    assert LedgerEntry.objects.count() == entries


def test_an_item_a_person_unticked_stays(inside: Workspace, stage: Any) -> None:
    enrollment = apply(playbook(raise_risk(1), set_trait_step("A", day=1)), account())
    kept = enrollment.runs.order_by("position").first()

    stop(enrollment, inside, keep=[kept.pk])

    assert Indicator.objects.get().state == "active"
    assert traits(enrollment.account) == {}
    kept.refresh_from_db()
    assert (kept.state, kept.reason_code) == ("kept", "kept_by_choice")


def test_a_step_set_to_keep_on_stop_stays(inside: Workspace, stage: Any) -> None:
    enrollment = apply(playbook(set_trait_step("A", keep_on_stop=True)), account())

    stop(enrollment, inside)

    assert traits(enrollment.account) == {"stage": "A"}


def test_a_finished_enrollment_can_still_be_undone(inside: Workspace, stage: Any) -> None:
    enrollment = apply(playbook(set_trait_step("A")), account())
    enrollment.refresh_from_db()
    assert enrollment.state == "completed"

    assert stop(enrollment, inside).state == "stopped"
    assert traits(enrollment.account) == {}


def test_after_a_stop_the_whole_playbook_can_be_applied_again(inside: Workspace, stage: Any) -> None:
    first = stop(apply(playbook(set_trait_step("A")), account()), inside)

    again = apply(first.playbook, first.account, now=LATER)

    assert again.pk != first.pk
    assert traits(first.account) == {"stage": "A"}


def test_a_stop_interrupted_half_way_ends_as_one_clean_stop(inside: Workspace, stage: Any) -> None:
    from playbooks.undo import request_stops

    enrollment = apply(playbook(set_trait_step("A", key="a"), set_trait_step("B", key="b")), account())
    request_stops([enrollment.pk], tenant_id=inside.tenant.pk, by="person:1", note="", now=LATER)

    tick(now=LATER + days(1))

    enrollment.refresh_from_db()
    assert enrollment.state == "stopped"
    assert traits(enrollment.account) == {}


def test_nothing_runs_after_a_stop(inside: Workspace) -> None:
    enrollment = apply(playbook(raise_risk(5)), account())

    stop(enrollment, inside)
    tick(now=LATER + days(30))

    assert enrollment.runs.get().state == "cancelled"
    assert not Indicator.objects.exists()


def test_a_users_value_is_handed_on_to_whoever_wrote_over_it_from_another_account(inside: Workspace) -> None:
    trait("stage", scope="user")
    here, there = account("Here"), account("There")
    ada = user("Ada", here, there)
    steps = {value: set_trait_step(value, day=1) for value in ("First", "Second")}
    for step in steps.values():
        step["config"]["scope"] = "user"
    books = [playbook(step, key=value.lower(), audience="users", rules=NOBODY) for value, step in steps.items()]
    first, second = (
        apply_by_hand(playbook=book, account=at, end_user=ada, by="person:1", now=MONDAY)
        for book, at in zip(books, (here, there), strict=True)
    )
    tick(now=MONDAY), tick(now=MONDAY)

    stop(first, inside)
    ada.refresh_from_db()
    assert ada.traits == {"stage": "Second"}

    stop(second, inside)
    ada.refresh_from_db()
    assert ada.traits == {}
