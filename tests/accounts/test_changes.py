"""The history of a value: who or what changed it, when, from what to what."""

from datetime import timedelta

import pytest

from accounts.changes import PAGE_SIZE, Changed, load_history, remember_changes
from accounts.contacts import set_key_contact
from accounts.models import Account, TraitChange
from accounts.trait_values import TraitValue
from accounts.traits import set_trait
from playbooks.undo import request_stop
from tests.world import (
    MONDAY,
    Workspace,
    account,
    apply_now,
    days,
    live,
    on,
    playbook_json,
    set_trait_step,
    tick,
    trait,
)
from tests.world import user as end_user


@pytest.fixture
def harbour(inside: Workspace) -> Account:
    return account()


def told(at: Account, field: str) -> list[tuple[str, object, object]]:
    return [
        (one.who.name, one.before and one.before.value, one.after and one.after.value)
        for one in load_history(at, field=field).changes
    ]


def test_who_made_somebody_a_key_contact_is_in_the_history(inside: Workspace, harbour: Account) -> None:
    tie = end_user("Ben Novak", harbour).account_users.get()
    for is_key in (True, True, False):
        set_key_contact(tie, is_key=is_key, by=inside.priya, now=MONDAY)

    assert told(harbour, "key_contact") == [("Priya Raman", "Ben Novak", None), ("Priya Raman", None, "Ben Novak")]


def test_a_person_a_playbook_and_its_stop_are_all_in_the_history(inside: Workspace, harbour: Account) -> None:
    stage = trait("stage")
    set_trait(harbour, stage, value="Early", by=inside.priya, now=MONDAY)
    runway = live(playbook_json("runway", steps=[set_trait_step("Proposal"), set_trait_step("Late", day=9, key="x")]))
    enrollment = apply_now(runway, harbour, now=MONDAY + days(1))
    request_stop(enrollment, by=inside.tom, note="", now=MONDAY + days(2))
    tick(now=MONDAY + days(2))

    assert told(harbour, "trait:stage") == [
        ("Tom Lindqvist, stopping Runway", "Proposal", "Early"),
        ("Runway", "Early", "Proposal"),
        ("Priya Raman", None, "Early"),
    ]


def test_choosing_the_value_that_is_there_leaves_nothing(inside: Workspace, harbour: Account) -> None:
    stage = trait("stage")
    for person in (inside.priya, inside.tom):
        set_trait(harbour, stage, value="Early", by=person, now=MONDAY)

    assert TraitChange.objects.count() == 1


def test_values_read_as_their_type_and_people_by_name(inside: Workspace, harbour: Account) -> None:
    set_trait(harbour, trait("sponsor", "person"), value=inside.tom.pk, by=inside.priya, now=MONDAY)
    set_trait(harbour, trait("kick_off", "date"), value="2026-11-05", by=inside.priya, now=MONDAY)
    shown = {one.label: one.after for one in load_history(harbour).changes}

    assert shown["Sponsor"] == TraitValue("text", "Tom Lindqvist")
    assert shown["Kick off"] == TraitValue("date", on(5))


def test_a_users_history_is_its_own(inside: Workspace, harbour: Account) -> None:
    ben = end_user("Ben", harbour)
    set_trait(ben, trait("mood", scope="user"), value="good", by=inside.priya, now=MONDAY)

    assert [one.label for one in load_history(ben).changes] == ["Mood"]
    assert not load_history(harbour).changes


def test_the_history_of_a_column_includes_the_trait_that_feeds_it(inside: Workspace, harbour: Account) -> None:
    trait("csm_email", "person", source="integration", column="csm_id")
    changes = [
        Changed("trait:csm_email", None, inside.tom.pk, "import", account_id=harbour.pk),
        Changed("csm", inside.tom.pk, inside.priya.pk, inside.maya.actor, account_id=harbour.pk),
    ]
    remember_changes(changes, now=MONDAY)

    assert told(harbour, "csm") == [("Maya Osei", "Tom Lindqvist", "Priya Raman"), ("an import", None, "Tom Lindqvist")]


def test_it_is_read_a_page_at_a_time(inside: Workspace, harbour: Account) -> None:
    for n in range(PAGE_SIZE + 1):
        remember_changes(
            [Changed("trait:n", n, n + 1, "import", account_id=harbour.pk)], now=MONDAY + timedelta(minutes=n)
        )
    first = load_history(harbour)
    rest = load_history(harbour, after=first.next)

    assert (len(first.changes), len(rest.changes), rest.next) == (PAGE_SIZE, 1, None)
    assert rest.changes[0].after == TraitValue("text", "1")
