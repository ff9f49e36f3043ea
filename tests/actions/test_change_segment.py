"""Segments by claims: a stop takes back this playbook's own, and nobody else's."""

import pytest

from accounts.models import Account, EndUser, Segment, SegmentMembership
from accounts.segments.members import add, add_by_hand, end_claims, remove_by_hand
from accounts.segments.moves import RULE, Claim
from actions.base import Audience, Held, Skipped
from actions.checks import ActionErrors, clean_config
from actions.registry import action_for
from tests.actions.world import LATER, Played, kept, play, undone
from tests.world import MONDAY, Workspace


@pytest.fixture
def renewal(orbiton: Workspace) -> Segment:
    return Segment.objects.get(name="Renewal")  # type: ignore[no-any-return]


def change(do: str, segment: Segment, *subjects: object, playbook: int = 1) -> Played:
    return play("change_segment", {"do": do, "segment": segment.pk}, *subjects, playbook=playbook)  # type: ignore[arg-type]


def members(segment: Segment) -> set[int]:
    rows = SegmentMembership.objects.filter(segment=segment, left_at=None)
    return {row.account_id or row.end_user_id for row in rows}


# Adding


def test_it_enters_and_a_stop_lets_it_leave(renewal: Segment, harbour: Account) -> None:
    played = change("add", renewal, harbour)

    assert played.told == ["Added to the segment “Renewal”"]
    assert members(renewal) == {harbour.pk}
    assert undone(played.undo()) == ["It leaves the segment “Renewal”"]
    assert members(renewal) == set()


def test_it_stays_while_a_person_or_a_rule_or_another_playbook_claims_it(
    orbiton: Workspace, renewal: Segment, harbour: Account
) -> None:
    add_by_hand(segment=renewal, subjects=[harbour.pk], by=orbiton.priya, now=MONDAY)
    first, second = change("add", renewal, harbour), change("add", renewal, harbour, playbook=2)

    assert first.told == ["Was in the segment “Renewal” already; held there too"]
    assert undone(first.undo()) == [
        "It stays in “Renewal” for others who hold it there; this playbook no longer does",
    ]
    second.undo()
    assert members(renewal) == {harbour.pk}


def test_a_person_who_took_it_out_is_not_overruled_by_the_playbook(
    orbiton: Workspace, renewal: Segment, harbour: Account
) -> None:
    played = change("add", renewal, harbour)
    remove_by_hand(segment=renewal, subjects=[harbour.pk], by=orbiton.priya, now=MONDAY)

    again = change("add", renewal, harbour)

    assert again.results == [Skipped("A person took it out of “Renewal”, and only a person can put it back.")]
    assert kept(played.undo()) == [
        ("removed_since", "It was taken out of “Renewal” since: nothing is left to take back"),
    ]


def test_a_user_enters_a_segment_of_users(orbiton: Workspace, harbour: Account, ben: EndUser) -> None:
    champions = Segment.objects.create(scope="user", name="Champions", created_at=MONDAY)

    change("add", champions, (harbour, ben))

    assert members(champions) == {ben.pk}


# Removing


def test_what_it_took_out_comes_back_with_the_same_claims(renewal: Segment, harbour: Account) -> None:
    add(segment=renewal, claims=[Claim(harbour.pk, RULE, RULE)], now=MONDAY)
    played = change("remove", renewal, harbour)

    assert members(renewal) == set()
    assert undone(played.undo()) == ["It comes back into the segment “Renewal”"]
    assert members(renewal) == {harbour.pk}
    ended = end_claims(segment=renewal, claims=[Claim(harbour.pk, RULE)], actor="rule", now=LATER)
    assert ended == ["left"]


def test_what_a_person_put_in_stays_in(orbiton: Workspace, renewal: Segment, harbour: Account) -> None:
    add_by_hand(segment=renewal, subjects=[harbour.pk], by=orbiton.priya, now=MONDAY)

    played = change("remove", renewal, harbour)

    assert played.told == ["Was not in “Renewal”"]
    assert members(renewal) == {harbour.pk}
    played.undo()
    assert members(renewal) == {harbour.pk}


def test_a_claim_withdrawn_meanwhile_does_not_come_back(renewal: Segment, harbour: Account) -> None:
    added, removed = change("add", renewal, harbour), change("remove", renewal, harbour, playbook=2)

    assert kept(added.undo())[0][0] == "removed_since"
    assert kept(removed.undo()) == [
        ("withdrawn", "It stays out of “Renewal”: whoever had put it in took that back since"),
    ]
    assert members(renewal) == set()


@pytest.mark.parametrize("first_out", [0, 1])
@pytest.mark.parametrize("pair", [("add", "remove"), ("remove", "add"), ("add", "add"), ("remove", "remove")])
def test_two_playbooks_leave_no_residue_whichever_stops_first(
    renewal: Segment, harbour: Account, pair: tuple[str, str], first_out: int
) -> None:
    add(segment=renewal, claims=[Claim(harbour.pk, RULE, RULE)], now=MONDAY)
    both = [change(do, renewal, harbour, playbook=n) for n, do in enumerate(pair, 1)]

    both[first_out].undo()
    both[1 - first_out].undo()

    assert members(renewal) == {harbour.pk}
    (stay,) = SegmentMembership.objects.filter(segment=renewal, left_at=None)
    assert [claim.source for claim in stay.claims.filter(ended_at=None)] == [RULE]


# What is gone, what is refused


def test_a_segment_that_is_gone_holds_the_run_and_keeps_the_undo(renewal: Segment, harbour: Account) -> None:
    played = change("add", renewal, harbour)
    Segment.objects.filter(pk=renewal.pk).update(archived_at=LATER)

    assert kept(played.undo()) == [("target_gone", "The segment “Renewal” is gone")]
    assert isinstance(next(iter(played.action.apply(played.batch).values())), Held)
    assert "gone" in played.action.describe(played.batch.config)


def test_its_segment_is_chosen_by_id_or_by_name_and_must_fit_the_audience(orbiton: Workspace, renewal: Segment) -> None:
    kind = action_for("change_segment")
    Segment.objects.create(scope="user", name="Champions", created_at=MONDAY)

    assert clean_config(kind, {"segment": "Renewal"})["segment"] == renewal.pk
    for wrong in ("Nobody’s", 999_999, "", None):
        with pytest.raises(ActionErrors):
            clean_config(kind, {"segment": wrong})
    with pytest.raises(ActionErrors, match="This playbook is for accounts"):
        clean_config(kind, {"segment": "Champions"}, audience=Audience.ACCOUNTS)


def test_an_empty_removal_says_so(renewal: Segment, harbour: Account) -> None:
    played = change("remove", renewal, harbour)

    assert undone(played.undo()) == ["Nothing was taken out of “Renewal”, and nothing comes back"]
