from typing import Any

import pytest

from accounts.models import Account, Indicator, Segment, SegmentBar, SegmentClaim, SegmentMembership
from accounts.segments.members import add, remove_by_hand
from accounts.segments.moves import Claim
from cs_platform.jobs.models import JobError
from playbooks.models import Enrollment
from tests.world import MONDAY, Workspace, account, days, live, playbook_json, tick

from .test_verbs import edit, undo


@pytest.fixture
def segment(inside: Workspace) -> Segment:
    return Segment.objects.create(scope="account", name="Beta", created_at=MONDAY)


def members() -> set[str]:
    return set(SegmentMembership.objects.filter(left_at=None).values_list("account__name", flat=True))


def test_accounts_enter_a_segment_and_leave_it_again_unless_something_else_holds_them(
    inside: Workspace, segment: Segment
) -> None:
    one, two = account("A"), account("B")
    job = edit(inside, "add_to_segment", {"segment": segment.pk}, one, two)
    assert (job.title, job.result, members()) == ("Add to Beta", {"changed": 2}, {"A", "B"})
    add(segment=segment, claims=[Claim(one.pk, "rule", "rule")], now=MONDAY)
    undone = undo(job, inside)

    assert (members(), undone.failed) == ({"A"}, 1)
    assert SegmentClaim.objects.filter(ended_at=None).get().source == "rule"


def test_accounts_leave_a_segment_and_are_held_again_by_what_held_them(inside: Workspace, segment: Segment) -> None:
    one = account("A")
    add(segment=segment, claims=[Claim(one.pk, "rule", "rule"), Claim(one.pk, "person:9")], now=MONDAY)
    job = edit(inside, "remove_from_segment", {"segment": segment.pk}, one, account("B"))
    assert (members(), job.result) == (set(), {"changed": 1})
    undo(job, inside)

    assert members() == {"A"}
    assert set(SegmentClaim.objects.filter(ended_at=None).values_list("source", flat=True)) == {"rule", "person:9"}


def test_undoing_an_addition_keeps_out_again_whom_a_person_had_kept_out(inside: Workspace, segment: Segment) -> None:
    one = account("A")
    add(segment=segment, claims=[Claim(one.pk, "rule", "rule")], now=MONDAY)
    remove_by_hand(segment=segment, subjects=[one.pk], by=inside.tom, now=MONDAY)
    undo(edit(inside, "add_to_segment", {"segment": segment.pk}, one), inside)

    assert members() == set()
    assert SegmentBar.objects.values_list("source", "made_by").get() == ("rule", inside.tom.actor)


def test_a_playbook_is_applied_to_many_and_its_undo_stops_it(inside: Workspace) -> None:
    playbook = live(playbook_json())
    one, two = account("A"), account("B")
    job = edit(inside, "apply_playbook", {"playbook": playbook.pk}, one, two)
    again = edit(inside, "apply_playbook", {"playbook": playbook.pk}, one, account("C"))
    tick(now=MONDAY)
    assert (job.result["changed"], again.result["changed"], again.failed) == (2, 1, 1)
    assert JobError.objects.get(job=again).message == "It is active here already."
    assert Enrollment.objects.filter(applied_by=inside.priya.actor).count() == 3
    undone = undo(job, inside)
    tick(now=MONDAY + days(0.02))

    assert (undone.done, undone.failed) == (2, 0)
    assert set(Enrollment.objects.filter(state="stopped").values_list("account__name", flat=True)) == {"A", "B"}
    assert Indicator.objects.filter(state="active").count() == 1


def test_a_playbook_is_stopped_on_many_and_says_that_this_is_for_good(inside: Workspace) -> None:
    playbook = live(playbook_json(steps=[{**playbook_json()["steps"][0], "day": 9}]))
    one = account("A")
    edit(inside, "apply_playbook", {"playbook": playbook.pk}, one)
    job = edit(inside, "stop_playbook", {"playbook": playbook.pk, "note": "Enough"}, one, account("B"))
    tick(now=MONDAY)
    undone = undo(job, inside)

    assert (job.result, Enrollment.objects.get().state, Enrollment.objects.get().stop_note) == (
        {"changed": 1},
        "stopped",
        "Enough",
    )
    assert undone.failed == 1


def test_what_is_gone_when_the_job_begins_ends_it_in_words(inside: Workspace, segment: Segment) -> None:
    one: Any = account("A")
    Account.objects.filter(pk=one.pk).update(updated_at=MONDAY)
    job = edit(inside, "add_to_segment", {"segment": segment.pk}, one)
    Segment.objects.update(archived_at=MONDAY)

    assert "archived" in undo(job, inside).error
