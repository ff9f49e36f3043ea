"""The users table: what the accounts table can do, for the people at the accounts."""

import json
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

import pytest

from accounts.models import AccountUser, EndUser, NpsResponse, Segment
from accounts.segments.members import add_by_hand
from accounts.table import catalogue as catalogues
from accounts.table import page as paging
from tests.visitor import Visitor, is_whole, text
from tests.world import MONDAY, Workspace, account, apply_now, live, playbook_json, raise_risk, trait, user

NAMES = ("Ada", "Bob", "Cyd")


@pytest.fixture
def three(inside: Workspace) -> None:
    harbour, other = account("Harbourline"), account("Other")
    user("Ada", harbour, role="admin", last_seen_at=MONDAY, traits={"mood": "good"}, t01="good")
    user("Bob", harbour, other, role="member", email=None)
    user("Cyd", other, role="member", last_seen_at=MONDAY - timedelta(days=400))
    AccountUser.objects.filter(end_user__name="Ada").update(is_key_contact=True)


def names(visitor: Visitor, query: str) -> list[str]:
    """In the order of the rows."""
    shown = text(visitor.fragment(f"users/?{query}", "results"))
    found = [(shown.index(f"data-open>{name}</a>"), name) for name in NAMES if f"data-open>{name}</a>" in shown]
    return [name for _, name in sorted(found)]


RULE = json.dumps({"field": "role", "op": "is", "value": "admin"})


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", ["Ada", "Cyd", "Bob"]),
        ("sort=name", ["Ada", "Bob", "Cyd"]),
        ("sort=-name", ["Cyd", "Bob", "Ada"]),
        ("sort=trait:mood", ["Ada", "Bob", "Cyd"]),
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
    trait("mood", scope="user")
    EndUser.objects.filter(name="Ada").update(last_seen_at=datetime.now(UTC))
    assert names(priya, query) == expected


def test_many_users_are_found_by_the_beginning_of_a_name_or_email(
    priya: Visitor, three: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catalogues, "READ_WHOLE_NAMES", 1)
    EndUser.objects.filter(name="Cyd").update(email="boss@other.example")

    assert names(priya, "q=bo") == ["Cyd", "Bob"]
    assert names(priya, "q=yd") == []


def test_role_key_contact_and_rule_hold_at_the_same_account(priya: Visitor, three: None) -> None:
    other = AccountUser.objects.filter(account__name="Other").first()
    assert other
    assert names(priya, f"account={other.account_id}&sort=name") == ["Bob", "Cyd"]
    AccountUser.objects.filter(end_user__name="Bob", account__name="Harbourline").update(role="admin")

    assert names(priya, "role=admin&sort=name") == ["Ada", "Bob"]
    assert names(priya, f"account={other.account_id}&role=admin") == []
    assert names(priya, urlencode({"filter": RULE, "account": other.account_id})) == []


def test_every_user_is_on_exactly_one_page_in_both_directions(
    priya: Visitor, three: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paging, "PAGE_SIZE", 2)
    first = text(priya.page("users/?sort=-last_seen"))
    onwards = first.rpartition('rel="next"')[0].rpartition('href="')[2].partition('"')[0].replace("&amp;", "&")
    second = text(priya.page(f"users/{onwards}"))
    back = second.rpartition('rel="prev"')[0].rpartition('href="')[2].partition('"')[0].replace("&amp;", "&")

    assert names(priya, "sort=-last_seen") == ["Ada", "Cyd"]
    assert names(priya, onwards[1:]) == ["Bob"]
    assert names(priya, back[1:]) == ["Ada", "Cyd"]


def test_columns_show_places_traits_segments_scores_and_playbooks(
    priya: Visitor, inside: Workspace, three: None
) -> None:
    trait("mood", scope="user")
    ada = EndUser.objects.get(name="Ada")
    segment = Segment.objects.create(scope="user", name="Champions", created_at=MONDAY)
    add_by_hand(segment=segment, subjects=[ada.pk], by=inside.priya, now=MONDAY)
    NpsResponse.objects.create(end_user=ada, score=9, answered_at=MONDAY, source="survey")
    steps = [raise_risk(1), raise_risk(30, key="far", title="Far")]
    playbook = live(playbook_json(audience="users", steps=steps))
    enrollment = apply_now(playbook, AccountUser.objects.get(end_user=ada).account, user=ada, now=MONDAY)
    keys = ("accounts", "trait:mood", "segments", "nps_score", "nps_answered_at", f"playbook:{playbook.pk}")
    query = urlencode([("column", key) for key in keys])
    shown = text(priya.fragment(f"users/?{query}&q=ada", "results"))

    assert all(part in shown for part in ("Harbourline</a>", "admin", "Key contact", "good", "Champions", ">9<"))
    assert f"history={enrollment.pk}" in shown
    assert names(priya, f"segment={segment.pk}") == ["Ada"]
    assert names(priya, "sort=-nps_score")[0] == "Ada"
    assert names(priya, f"playbook:{playbook.pk}=active") == ["Ada"]
    assert names(priya, f"sort=playbook:{playbook.pk}.progress&playbook:{playbook.pk}=never") == ["Bob", "Cyd"]


def test_the_page_has_what_the_accounts_table_has(priya: Visitor, inside: Workspace, three: None) -> None:
    whole = priya.page("users/")

    assert is_whole(whole)
    assert all(part in text(whole) for part in ("Key contacts", "Save view", "Add filter", "Columns", 'id="bulk"'))
    assert "of 3" in text(priya.fragment("users/?totals=1", "totals"))
    assert "Total ARR" not in text(priya.fragment("users/?totals=1", "totals"))
    assert "Filter users" in text(priya.page("users/filter/"))
    assert "Export 2 users as CSV" in text(Visitor(inside.maya).page("users/export/?role=member"))
