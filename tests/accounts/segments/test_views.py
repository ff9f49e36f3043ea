"""Pages of segments: the list, making one with a rule, its members with why they are in, adding and taking out."""

from typing import Any

import pytest

from accounts.models import Account, Segment
from accounts.segments.members import add, add_by_hand
from accounts.segments.moves import Claim
from tests.visitor import Visitor, text
from tests.world import MONDAY, Workspace, account, user

from .conftest import Make, members

PRO = {"field": "plan", "op": "is", "value": "Pro"}


@pytest.fixture
def maya(inside: Workspace) -> Visitor:
    return Visitor(inside.maya)


def post(visitor: Visitor, path: str, data: dict[str, Any] | None = None) -> Any:
    return visitor.client.post(f"/w/orbiton/segments/{path}", data or {})


def pro_rule(value: str = "Pro") -> dict[str, str]:
    """What the rule editor sends for “Plan is Pro”."""
    return {"rule:mode": "all", "rule:0:field": "plan", "rule:0:op": "is", "rule:0:value": value}


def test_the_list_says_what_fills_each_and_how_many_are_in(maya: Visitor, make: Make, some: list[Account]) -> None:
    make("Pros", PRO)
    make("VIP")
    shown = text(maya.page("segments/"))
    assert "Plan is Pro" in shown
    assert "People and playbooks" in shown
    assert "Beta" not in shown
    assert "No segment of users yet" in text(maya.page("segments/?tab=users"))


def test_a_manager_makes_one_with_a_rule_and_sees_who_is_in(maya: Visitor, some: list[Account]) -> None:
    assert "New segment of accounts" in text(maya.page("segments/new/"))
    answer = post(maya, "new/", {"name": "Pros", "description": "Paying", **pro_rule()})
    made = Segment.objects.get()
    assert answer.headers["Location"] == f"/w/orbiton/segments/{made.pk}/"
    shown = text(maya.page(f"segments/{made.pk}/"))
    assert "Plan is Pro" in shown
    assert "Account 0" in shown
    assert "Its rule" in shown
    assert "Account 2" not in shown


def test_what_cannot_be_saved_comes_back_with_what_was_written(maya: Visitor, make: Make) -> None:
    make("VIP")
    answer = post(maya, "new/", {"name": "VIP", "description": "Again"})
    assert answer.status_code == 422
    assert "called VIP already" in answer.content.decode()
    assert "Again" in answer.content.decode()


def test_a_circle_is_said_beside_the_rule(maya: Visitor, make: Make) -> None:
    one = make("One", PRO)
    two = make("Two", {"field": f"segment:{one.pk}", "op": "in"})
    rule = {"rule:mode": "all", "rule:0:field": f"segment:{two.pk}", "rule:0:op": "in"}
    answer = post(maya, f"{one.pk}/edit/", {"name": "One", **rule})
    assert answer.status_code == 422
    assert "its members would depend on themselves" in answer.content.decode()


def test_somebody_is_added_by_name_and_taken_out_again(priya: Visitor, vip: Segment, some: list[Account]) -> None:
    assert post(priya, f"{vip.pk}/add/", {"who": "account 1"}).status_code == 302
    assert members(vip) == {some[1].pk}
    shown = text(priya.page(f"segments/{vip.pk}/"))
    assert "Priya Raman" in shown
    post(priya, f"{vip.pk}/remove/", {"subject": some[1].pk})
    assert members(vip) == set()
    assert "Account 1" in text(priya.page(f"segments/{vip.pk}/?show=left"))


def test_a_name_nobody_has_or_several_have_is_asked_again(priya: Visitor, vip: Segment, some: list[Account]) -> None:
    account("Twin", external_id="t1")
    account("Twin", external_id="t2")
    for who, words in (("Nobody", "no account called Nobody"), ("Twin", "external ID"), ("", "Write the name")):
        answer = post(priya, f"{vip.pk}/add/", {"who": who})
        assert answer.status_code == 422
        assert words in answer.content.decode()
    assert post(priya, f"{vip.pk}/add/", {"who": "t2"}).status_code == 302


def test_who_was_taken_out_from_a_rule_stands_among_the_kept_out(
    priya: Visitor, make: Make, some: list[Account]
) -> None:
    pros = make("Pros", PRO)
    post(priya, f"{pros.pk}/remove/", {"subject": some[0].pk})
    shown = text(priya.page(f"segments/{pros.pk}/?show=out"))
    assert "Account 0" in shown
    assert "The rule" in shown


def test_names_are_suggested(priya: Visitor, make: Make, some: list[Account]) -> None:
    user("Ada Byron", some[0])
    champions = make("Champions", scope="user")
    assert "Ada Byron" in text(priya.page(f"segments/{champions.pk}/suggest/?who=byr"))


def test_an_archived_segment_can_be_brought_back(maya: Visitor, vip: Segment) -> None:
    post(maya, f"{vip.pk}/archive/")
    assert "VIP" in text(maya.page("segments/?tab=archived"))
    assert "VIP" not in text(maya.page("segments/")).partition("<table")[2]
    post(maya, f"{vip.pk}/restore/")
    assert Segment.objects.get().archived_at is None


def test_members_come_a_page_at_a_time(priya: Visitor, inside: Workspace, vip: Segment) -> None:
    many = [account(f"Number {at:02}").pk for at in range(55)]
    add_by_hand(segment=vip, subjects=many, by=inside.priya, now=MONDAY)
    first = text(priya.page(f"segments/{vip.pk}/"))
    assert first.count("Take out</button>") == 50
    after = first.partition("&amp;after=")[2].partition('"')[0]
    assert text(priya.page(f"segments/{vip.pk}/?show=in&after={after}")).count("Take out</button>") == 5


def test_an_accounts_page_says_in_which_segments_it_is_and_puts_it_into_others(
    priya: Visitor, inside: Workspace, make: Make, some: list[Account]
) -> None:
    vip, other = make("VIP"), make("Other")
    add(segment=vip, claims=[Claim(some[0].pk, inside.tom.actor)], now=MONDAY)
    page = f"accounts/{some[0].pk}/"
    shown = text(priya.page(page))
    assert "VIP" in shown
    assert "Tom Lindqvist" in shown
    answer = priya.client.post(f"/w/orbiton/segments/{other.pk}/add/", {"from": "subject", "subject": some[0].pk})
    assert answer.headers["Location"] == f"/w/orbiton/accounts/{some[0].pk}/"
    assert members(other) == {some[0].pk}


def test_the_accounts_table_filters_by_segment_and_shows_them(
    priya: Visitor, inside: Workspace, vip: Segment, some: list[Account]
) -> None:
    add_by_hand(segment=vip, subjects=[some[3].pk], by=inside.priya, now=MONDAY)
    shown = text(priya.page(f"accounts/?segment={vip.pk}&columns=segments"))
    assert "Account 3" in shown
    assert "Account 1" not in shown
    rule = f'{{"field":"segment:{vip.pk}","op":"in"}}'
    assert "Account 3" in text(priya.page(f"accounts/?filter={rule}"))
