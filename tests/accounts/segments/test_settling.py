"""Segments with a rule: who comes in, who goes, in which order, and which rules are refused."""

import pytest

from accounts.fields import workspace_fields
from accounts.models import Account, Segment, SegmentMembership, TimelineEntry
from accounts.rules.describe import describe
from accounts.rules.fields import Subject
from accounts.rules.grammar import parse
from accounts.segments import settling
from accounts.segments.defining import CannotSave, Wording, archive_segment, edit_segment, restore_segment
from accounts.segments.members import add_by_hand, remove_by_hand
from accounts.segments.settling import settle_segments
from tests.world import MONDAY, Workspace, account, days, trait, user

from .conftest import Make, members

PRO = {"field": "plan", "op": "is", "value": "Pro"}
TUESDAY = MONDAY + days(1)


def settle(home: Workspace) -> None:
    settle_segments(tenant=home.tenant, fields=workspace_fields(), now=TUESDAY)


def reword(segment: Segment, rule: dict[str, object] | None, home: Workspace) -> None:
    read = parse(rule, fields=workspace_fields(), subject=Subject(segment.scope)) if rule else None
    edit_segment(segment, wording=Wording(segment.name, "", read), tenant=home.tenant, by=home.maya, now=TUESDAY)


def in_segment(segment: Segment, op: str = "in") -> dict[str, str]:
    return {"field": f"segment:{segment.pk}", "op": op}


def test_a_new_rule_is_settled_at_once(make: Make, some: list[Account]) -> None:
    pros = make("Pros", PRO)
    assert members(pros) == {some[0].pk, some[1].pk}
    assert pros.evaluated_at == MONDAY
    assert TimelineEntry.objects.get(account=some[0]).actor == f"segment:{pros.pk}"


def test_in_a_large_workspace_it_waits_for_the_next_evaluation(
    inside: Workspace, make: Make, some: list[Account], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settling, "AT_ONCE", 3)
    pros = make("Pros", PRO)
    assert (members(pros), pros.evaluated_at) == (set(), None)
    settle(inside)
    pros.refresh_from_db()
    assert (members(pros), pros.evaluated_at) == ({some[0].pk, some[1].pk}, TUESDAY)


def test_who_matches_comes_in_and_who_does_not_any_more_leaves(
    inside: Workspace, make: Make, some: list[Account]
) -> None:
    pros = make("Pros", PRO)
    Account.objects.filter(pk=some[0].pk).update(plan="Basic")
    Account.objects.filter(pk=some[2].pk).update(plan="Pro")
    settle(inside)
    assert members(pros) == {some[1].pk, some[2].pk}
    assert SegmentMembership.objects.get(segment=pros, account=some[0]).left_at == TUESDAY
    settle(inside)
    assert SegmentMembership.objects.count() == 3


def test_a_rule_takes_accounts_of_any_lifecycle_unless_it_asks(make: Make, inside: Workspace) -> None:
    gone = account("Gone", plan="Pro", lifecycle="churned")
    assert members(make("Pros", PRO)) == {gone.pk}
    tracked = {"all": [PRO, {"field": "lifecycle", "op": "is_not", "value": "churned"}]}
    assert members(make("Tracked pros", tracked)) == set()


def test_what_a_person_took_out_the_rule_does_not_put_back(inside: Workspace, make: Make, some: list[Account]) -> None:
    pros = make("Pros", PRO)
    remove_by_hand(segment=pros, subjects=[some[0].pk], by=inside.priya, now=MONDAY)
    add_by_hand(segment=pros, subjects=[some[3].pk], by=inside.priya, now=MONDAY)
    settle(inside)
    assert members(pros) == {some[1].pk, some[3].pk}


def test_a_segment_of_users_asks_about_users(make: Make, some: list[Account]) -> None:
    ada = user("Ada", some[0], some[1], role="admin")
    user("Ben", some[0])
    assert members(make("Admins", {"field": "role", "op": "is", "value": "admin"}, scope="user")) == {ada.pk}


def test_segments_that_ask_about_others_are_settled_after_them(
    inside: Workspace, make: Make, some: list[Account]
) -> None:
    last = make("Last", PRO)
    first = make("First", {"field": "plan", "op": "is", "value": "Basic"})
    reword(last, in_segment(first, "not_in"), inside)
    Account.objects.filter(pk=some[0].pk).update(plan="Basic")
    settle(inside)
    assert members(first) == {some[0].pk, some[2].pk, some[3].pk}
    assert members(last) == {some[1].pk}


def test_all_of_several_segments(make: Make, some: list[Account]) -> None:
    pros = make("Pros", PRO)
    named = make("Named", {"field": "name", "op": "ends_with", "value": "0"})
    both = {"field": "segments", "op": "contains_all", "value": [str(pros.pk), str(named.pk)]}
    assert members(make("Both", both)) == {some[0].pk}
    assert members(make("Any", both | {"op": "contains_any"})) == {some[0].pk, some[1].pk}
    assert members(make("Not both", both | {"op": "not_contains_all"})) == {one.pk for one in some[1:]}
    assert members(make("None", both | {"op": "contains_none"})) == {some[2].pk, some[3].pk}


def test_a_circle_is_refused_in_words(inside: Workspace, make: Make) -> None:
    one = make("One", PRO)
    two = make("Two", in_segment(one))
    three = make("Three", {"all": [PRO, in_segment(two)]})
    with pytest.raises(CannotSave, match="“One” asks about “Three”, which asks about “Two”, which asks about “One”"):
        reword(one, in_segment(three), inside)
    with pytest.raises(CannotSave, match="“One” cannot ask about itself"):
        reword(one, in_segment(one, "not_in"), inside)


def test_without_its_rule_only_those_with_another_reason_stay(
    inside: Workspace, make: Make, some: list[Account]
) -> None:
    pros = make("Pros", PRO)
    add_by_hand(segment=pros, subjects=[some[0].pk], by=inside.priya, now=MONDAY)
    reword(pros, None, inside)
    assert members(pros) == {some[0].pk}


def test_a_rule_that_cannot_be_asked_any_more_leaves_its_members_and_the_others_alone(
    inside: Workspace, make: Make, some: list[Account]
) -> None:
    seats = trait("seats", "number")
    odd = make("Odd", {"field": "trait:seats", "op": "not_set"})
    pros = make("Pros", PRO)
    seats.delete()
    Account.objects.filter(pk=some[0].pk).update(plan="Basic")
    settle(inside)
    assert (len(members(odd)), members(pros)) == (4, {some[1].pk})


def test_an_archived_segment_keeps_still_until_it_is_restored(
    inside: Workspace, make: Make, some: list[Account]
) -> None:
    pros = make("Pros", PRO)
    assert archive_segment(pros, by=inside.jonah, now=MONDAY)
    assert not archive_segment(pros, by=inside.jonah, now=MONDAY)
    Account.objects.filter(pk=some[0].pk).update(plan="Basic")
    settle(inside)
    assert members(pros) == {some[0].pk, some[1].pk}
    asked = parse(in_segment(pros), fields=workspace_fields(), subject=Subject.ACCOUNT)
    assert describe(asked) == "Is in segment “Pros (archived)”"
    assert restore_segment(pros, tenant=inside.tenant, by=inside.jonah, now=TUESDAY)
    assert members(pros) == {some[1].pk}


def test_a_name_is_given_once(inside: Workspace, make: Make) -> None:
    pros = make("Pros", PRO)
    with pytest.raises(CannotSave, match="called Pros already"):
        make("Pros")
    archive_segment(pros, by=inside.jonah, now=MONDAY)
    make("Pros")
    pros.refresh_from_db()
    with pytest.raises(CannotSave, match="called Pros already"):
        restore_segment(pros, tenant=inside.tenant, by=inside.jonah, now=TUESDAY)
    assert make("Pros", scope="user")
