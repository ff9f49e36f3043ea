"""The users table: searched, filtered, ordered and read a page at a time."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from accounts.models import AccountUser, EndUser
from accounts.user_table import PAGE_SIZE
from tests.visitor import Visitor, is_whole, text
from tests.world import MONDAY, Workspace, account, trait, user


@pytest.fixture
def three(inside: Workspace) -> None:
    harbour, other = account("Harbourline"), account("Other")
    user("Ada", harbour, role="admin", last_seen_at=MONDAY, traits={"mood": "good"})
    user("Bob", harbour, other, role="member", email=None)
    user("Cyd", other, role="member", last_seen_at=MONDAY - timedelta(days=400))
    AccountUser.objects.filter(end_user__name="Ada").update(is_key_contact=True)


def names(visitor: Visitor, query: str) -> list[str]:
    shown = text(visitor.fragment(f"users/?{query}", "results"))
    found = [(shown.index(f"<b>{name}</b>"), name) for name in ("Ada", "Bob", "Cyd") if f"<b>{name}</b>" in shown]
    return [name for _, name in sorted(found)]


RULE = json.dumps({"field": "role", "op": "is", "value": "admin"})


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", ["Ada", "Cyd", "Bob"]),
        ("sort=name", ["Ada", "Bob", "Cyd"]),
        ("sort=-name", ["Cyd", "Bob", "Ada"]),
        ("q=ad", ["Ada"]),
        ("role=member", ["Cyd", "Bob"]),
        ("key=yes", ["Ada"]),
        ("email=no", ["Bob"]),
        ("seen=long&sort=name", ["Bob", "Cyd"]),
        (f"filter={RULE}", ["Ada"]),
        ("filter=nonsense&sort=name", ["Ada", "Bob", "Cyd"]),
        ("sort=nonsense&seen=x&account=y&after=z", ["Ada", "Cyd", "Bob"]),
    ],
)
def test_it_lists_what_is_asked_for(priya: Visitor, three: None, query: str, expected: list[str]) -> None:
    EndUser.objects.filter(name="Ada").update(last_seen_at=datetime.now(UTC))
    assert names(priya, query) == expected


def test_the_users_of_one_account_and_chosen_columns(priya: Visitor, inside: Workspace, three: None) -> None:
    trait("mood", scope="user")
    at = AccountUser.objects.filter(account__name="Other").first()
    assert at
    assert names(priya, f"account={at.account_id}&sort=name") == ["Bob", "Cyd"]
    assert "good" in text(priya.page("users/?column=trait:mood"))
    assert is_whole(priya.page("users/"))


def test_every_user_is_on_exactly_one_page(priya: Visitor, inside: Workspace) -> None:
    for n in range(PAGE_SIZE + 5):
        user(f"P{n:03}", last_seen_at=MONDAY if n % 2 else None)
    first = text(priya.page("users/"))
    address = first.rpartition('rel="next"')[0].rpartition('href="')[2].partition('"')[0].replace("&amp;", "&")
    rest = text(priya.page(f"users/{address}"))

    for n in range(PAGE_SIZE + 5):
        assert (f"<b>P{n:03}</b>" in first) != (f"<b>P{n:03}</b>" in rest), n
