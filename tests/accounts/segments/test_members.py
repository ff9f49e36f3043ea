"""Who is in a segment, and why: claims of rules, runs and people, and what a person's word outweighs."""

from uuid import UUID

import pytest
from pytest_django import DjangoAssertNumQueries

from accounts.models import Account, Segment, SegmentBar, SegmentClaim, SegmentMembership, TimelineEntry
from accounts.segments.members import Outcome, add, add_by_hand, displace, end_claims, remove_by_hand
from accounts.segments.moves import Claim
from tests.world import MONDAY, Workspace, account, days, user

from .conftest import Make, members

LATER = MONDAY + days(1)


def by_run(account_id: int, at: int = 1, playbook: int = 7) -> Claim:
    return Claim(account_id, f"run:{UUID(int=at)}", f"playbook:{playbook}")


def test_a_claim_brings_in_and_says_so_on_the_timeline(vip: Segment, some: list[Account]) -> None:
    claims = [by_run(one.pk, at) for at, one in enumerate(some[:2])]
    assert add(segment=vip, claims=claims, now=MONDAY) == [Outcome.ENTERED] * 2
    assert members(vip) == {some[0].pk, some[1].pk}
    entry = TimelineEntry.objects.get(account=some[0])
    assert (entry.kind, entry.text) == ("segment.entered", "Entered the segment “VIP”")
    assert (entry.actor, entry.subject) == (claims[0].source, f"segment:{vip.pk}")


def test_it_stays_in_until_its_last_claim_ends(vip: Segment, some: list[Account]) -> None:
    one, first, second = some[0].pk, by_run(some[0].pk, 1), by_run(some[0].pk, 2)
    assert add(segment=vip, claims=[first], now=MONDAY) == [Outcome.ENTERED]
    assert add(segment=vip, claims=[first, second], now=MONDAY) == [Outcome.UNCHANGED, Outcome.CLAIMED]
    assert end_claims(segment=vip, claims=[first], actor="playbook:7", now=LATER) == [Outcome.STAYS]
    assert members(vip) == {one}
    assert end_claims(segment=vip, claims=[first, second], actor="playbook:7", now=LATER) == [
        Outcome.ABSENT,
        Outcome.LEFT,
    ]
    assert members(vip) == set()
    stay = SegmentMembership.objects.get(segment=vip)
    assert (stay.entered_at, stay.left_at) == (MONDAY, LATER)
    told = TimelineEntry.objects.filter(account_id=one).order_by("pk").values_list("kind", "actor")
    assert list(told)[1:] == [("segment.left", "playbook:7")]


def test_a_claim_that_ended_can_be_made_again(vip: Segment, some: list[Account]) -> None:
    claim, other = by_run(some[0].pk, 1), by_run(some[0].pk, 2)
    add(segment=vip, claims=[claim, other], now=MONDAY)
    end_claims(segment=vip, claims=[claim], actor="playbook:7", now=MONDAY)
    assert add(segment=vip, claims=[claim], now=LATER) == [Outcome.CLAIMED]
    assert SegmentClaim.objects.get(source=claim.source).made_at == LATER


def test_coming_back_is_a_new_stay(vip: Segment, some: list[Account]) -> None:
    claim = by_run(some[0].pk)
    for moment in (MONDAY, LATER):
        add(segment=vip, claims=[claim], now=moment)
        end_claims(segment=vip, claims=[claim], actor="playbook:7", now=moment)
    assert SegmentMembership.objects.filter(segment=vip).count() == 2


def test_what_a_person_took_out_no_automation_that_held_it_puts_back(
    inside: Workspace, vip: Segment, some: list[Account]
) -> None:
    one = some[0].pk
    add(segment=vip, claims=[by_run(one, 1, playbook=7)], now=MONDAY)
    [removed] = remove_by_hand(segment=vip, subjects=[one], by=inside.priya, now=MONDAY)
    assert removed.outcome == Outcome.LEFT
    again = add(segment=vip, claims=[by_run(one, 2, playbook=7), by_run(some[1].pk, 3)], now=LATER)
    assert again == [Outcome.BARRED, Outcome.ENTERED]
    assert add(segment=vip, claims=[by_run(one, 4, playbook=8)], now=LATER) == [Outcome.ENTERED]


def test_a_person_who_puts_it_back_lets_automation_back(inside: Workspace, vip: Segment, some: list[Account]) -> None:
    one = some[0].pk
    add(segment=vip, claims=[by_run(one)], now=MONDAY)
    remove_by_hand(segment=vip, subjects=[one], by=inside.priya, now=MONDAY)
    assert add_by_hand(segment=vip, subjects=[one], by=inside.tom, now=LATER) == [Outcome.ENTERED]
    assert not SegmentBar.objects.exists()
    assert add(segment=vip, claims=[by_run(one, 2)], now=LATER) == [Outcome.CLAIMED]


def test_automation_does_not_take_out_what_a_person_put_in(
    inside: Workspace, vip: Segment, some: list[Account]
) -> None:
    by_hand, by_playbook = some[0].pk, some[1].pk
    add_by_hand(segment=vip, subjects=[by_hand], by=inside.priya, now=MONDAY)
    add(segment=vip, claims=[by_run(by_hand), by_run(by_playbook, 2)], now=MONDAY)
    removed = displace(segment=vip, subjects=[by_hand, by_playbook, some[2].pk], actor="run:1", now=LATER)
    assert [one.outcome for one in removed] == [Outcome.STAYS, Outcome.LEFT, Outcome.ABSENT]
    assert members(vip) == {by_hand}
    undone = [claim for one in removed for claim in one.claims]
    assert add(segment=vip, claims=undone, now=LATER) == [Outcome.CLAIMED, Outcome.ENTERED]


def test_users_are_told_of_on_each_of_their_accounts(inside: Workspace, make: Make, some: list[Account]) -> None:
    champions = make("Champions", scope="user")
    ben = user("Ben Falk", *some[:2])
    add_by_hand(segment=champions, subjects=[ben.pk], by=inside.priya, now=MONDAY)
    told = TimelineEntry.objects.filter(end_user=ben).values_list("account_id", "text")
    assert set(told) == {(one.pk, "Ben Falk entered the segment “Champions”") for one in some[:2]}


def test_a_batch_costs_the_same_few_statements_whatever_its_size(
    vip: Segment, inside: Workspace, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    many = [account(f"Number {at}").pk for at in range(60)]
    with django_assert_max_num_queries(6):
        add(segment=vip, claims=[by_run(one, at) for at, one in enumerate(many)], now=MONDAY)
    with django_assert_max_num_queries(6):
        end_claims(segment=vip, claims=[by_run(one, at) for at, one in enumerate(many)], actor="playbook:7", now=LATER)
    assert members(vip) == set()


@pytest.mark.parametrize("verb", [add_by_hand, remove_by_hand])
def test_nobody_at_all_is_no_mistake(inside: Workspace, vip: Segment, verb: object) -> None:
    assert verb(segment=vip, subjects=[], by=inside.priya, now=MONDAY) == []  # type: ignore[operator]
