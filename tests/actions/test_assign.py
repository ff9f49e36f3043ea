"""Assign: who gets which account, how fair that is, and what a stop gives back."""

from collections import Counter
from datetime import timedelta
from typing import Any

import pytest

from accounts.facts import set_key_role, set_person
from accounts.holders import last_writers
from accounts.key_roles import archive_role, define_role
from accounts.models import Account, AccountRole, TraitDefinition, Workload
from actions.base import Held, Skipped
from actions.checks import ActionErrors, clean_config
from actions.registry import action_for
from cs_platform.tenancy.models import Membership
from ctas.models import Cta
from tests import world
from tests.actions.world import LATER, Played, kept, play, statements, undone
from tests.world import MONDAY, Workspace, on

ANY = {"role": "csm", "method": "least_accounts", "keep_present": False}


def assign(*accounts: Account, now: Any = MONDAY, **config: Any) -> Played:
    return play("assign", ANY | config, *accounts, now=now)


def pool(*members: Membership) -> list[str]:
    return [member.email for member in members]


def csm(account: Account) -> Membership | None:
    account.refresh_from_db()
    return account.csm  # type: ignore[no-any-return]


def fresh(count: int, **fields: Any) -> list[Account]:
    return [world.account(f"Account {n}", external_id=f"fresh-{n}", **fields) for n in range(count)]


# Whom it falls to


def test_the_one_with_the_fewest_accounts_gets_the_next(orbiton: Workspace, harbour: Account, yarrow: Account) -> None:
    world.account("Two of Tom", csm=orbiton.tom)
    (new,) = fresh(1)

    played = assign(new)

    assert csm(new) == orbiton.priya
    assert played.told == ["Priya Raman became CSM"]


def test_churned_and_archived_accounts_weigh_nothing(orbiton: Workspace) -> None:
    world.account("Churned", csm=orbiton.priya, lifecycle="churned")
    world.account("Gone", csm=orbiton.priya, archived_at=MONDAY)
    world.account("Live", csm=orbiton.tom)
    (new,) = fresh(1)

    assign(new)

    assert csm(new) == orbiton.priya


def test_least_revenue_gives_the_largest_first_and_ends_level(orbiton: Workspace) -> None:
    world.account("Big", csm=orbiton.tom, mrr_cents=50_00)
    accounts = [world.account(f"Worth {n}", mrr_cents=n * 10_00) for n in range(1, 6)]

    assign(*accounts, method="least_revenue")

    revenue = Counter[int]()
    for account in Account.objects.all():
        revenue[account.csm_id] += account.mrr_cents
    assert sorted(revenue.values()) == [100_00, 100_00]


def test_round_robin_asks_who_has_waited_longest_by_whomever_they_were_given_one(
    orbiton: Workspace, harbour: Account
) -> None:
    people = pool(orbiton.priya, orbiton.tom, orbiton.maya)
    set_person(harbour, "csm", member=orbiton.tom, by=orbiton.jonah, now=MONDAY)
    accounts = fresh(4)

    assign(*accounts, method="round_robin", members=people, now=MONDAY + timedelta(hours=1))

    assert [csm(account) for account in accounts] == [
        *sorted((orbiton.priya, orbiton.maya), key=lambda member: member.pk),
        orbiton.tom,
        min(orbiton.priya, orbiton.maya, key=lambda member: member.pk),
    ]


def test_turns_go_on_from_batch_to_batch(orbiton: Workspace) -> None:
    people = pool(orbiton.priya, orbiton.tom, orbiton.maya)
    for n in range(5):
        batch = [world.account(f"A {n} {m}") for m in range(2)]
        assign(*batch, method="round_robin", members=people, now=MONDAY + timedelta(hours=n))

    held = Counter(Account.objects.values_list("csm_id", flat=True))
    assert sorted(held.values()) == [3, 3, 4]


def test_a_large_batch_comes_out_level_in_as_many_statements_as_a_small_one(orbiton: Workspace) -> None:
    accounts = Account.objects.bulk_create(
        Account(external_id=f"n{n}", name=f"N {n}", created_at=MONDAY, updated_at=MONDAY) for n in range(500)
    )
    people = pool(orbiton.priya, orbiton.tom, orbiton.maya)

    few = statements(lambda: assign(*accounts[:2], members=people))
    many = statements(lambda: assign(*accounts[2:], members=people))

    held = Counter(Account.objects.values_list("csm_id", flat=True))
    assert max(held.values()) - min(held.values()) <= 1
    assert many <= few


# Who is left out


def test_an_account_that_has_one_is_left_alone_unless_told_otherwise(orbiton: Workspace, harbour: Account) -> None:
    assert assign(harbour, keep_present=True).results == [Skipped("The account has a CSM: Priya Raman.")]
    assign(harbour, members=pool(orbiton.tom))

    assert csm(harbour) == orbiton.tom


def test_one_whose_csm_left_counts_as_having_none(orbiton: Workspace, harbour: Account) -> None:
    Membership.objects.filter(pk=orbiton.priya.pk).update(deactivated_at=MONDAY)

    assign(harbour, keep_present=True)

    assert csm(harbour) == orbiton.tom


def test_who_left_is_away_or_is_full_gets_none(orbiton: Workspace, harbour: Account) -> None:
    Membership.objects.filter(pk=orbiton.tom.pk).update(deactivated_at=MONDAY)
    Workload.objects.create(member=orbiton.maya, away_until=on(2))
    Workload.objects.create(member=orbiton.priya, capacity=2)
    people = [*pool(orbiton.priya, orbiton.maya)]
    first, second = fresh(2)

    played = assign(first, second, members=people)

    assert csm(first) == orbiton.priya
    assert played.results[1] == Held(
        "no_assignee", "Nobody of the pool can be the CSM: they left, are away or have no capacity."
    )
    assign(second, members=people, now=MONDAY + timedelta(days=1))
    assert csm(second) == orbiton.maya


def test_two_users_of_one_account_bring_it_one_csm(orbiton: Workspace) -> None:
    (new,) = fresh(1)

    played = assign(new, new)

    assert played.results[1] == Skipped(f"The CSM was given in the same moment: {csm(new)}.")


# AE and roles of the workspace's own


def test_the_same_form_assigns_an_ae_and_a_role_of_the_workspace(orbiton: Workspace, harbour: Account) -> None:
    onboarding = define_role("Onboarding lead")
    played = [
        assign(harbour, role="ae", members=pool(orbiton.maya)),
        assign(harbour, role="role:onboarding_lead", members=pool(orbiton.maya)),
    ]

    assert [one.told for one in played] == [
        ["AE changed from Tom Lindqvist to Maya Osei"],
        ["Maya Osei became Onboarding lead"],
    ]
    assert undone(played[1].undo()) == ["Onboarding lead goes back from Maya Osei to nobody"]
    assert not AccountRole.objects.exists()
    set_key_role(harbour, onboarding, member=orbiton.tom, by=orbiton.jonah, now=MONDAY)
    archive_role(onboarding, now=MONDAY)
    again = assign(harbour, role="ae")
    again.batch.config["role"] = "role:onboarding_lead"  # type: ignore[index]
    assert isinstance(next(iter(again.action.apply(again.batch).values())), Held)


# Stop


def test_the_earlier_one_comes_back_with_whoever_had_assigned_them(orbiton: Workspace, harbour: Account) -> None:
    set_person(harbour, "csm", member=orbiton.maya, by=orbiton.jonah, now=MONDAY)
    played = assign(harbour, members=pool(orbiton.tom))

    assert undone(played.undo()) == ["CSM goes back from Tom Lindqvist to Maya Osei"]
    assert csm(harbour) == orbiton.maya
    assert last_writers([harbour.pk], ["csm"]) == {harbour.pk: orbiton.jonah.actor}


@pytest.mark.parametrize(("on_stop", "after"), [("clear", None), ("keep", "Tom Lindqvist")])
def test_a_step_may_clear_or_keep_instead(orbiton: Workspace, harbour: Account, on_stop: str, after: str) -> None:
    assign(harbour, members=pool(orbiton.tom), on_stop=on_stop).undo()

    assert (holder.name if (holder := csm(harbour)) else None) == after


def test_reassigned_by_a_person_since_it_stays(orbiton: Workspace, harbour: Account) -> None:
    played = assign(harbour, members=pool(orbiton.tom))
    set_person(harbour, "csm", member=orbiton.maya, by=orbiton.jonah, now=LATER)

    assert kept(played.undo()) == [
        ("reassigned", "CSM stays Maya Osei: it was changed by Jonah Weiss since"),
    ]
    assert csm(harbour) == orbiton.maya


def test_a_holder_who_left_does_not_come_back(orbiton: Workspace, harbour: Account) -> None:
    played = assign(harbour, members=pool(orbiton.tom))
    Membership.objects.filter(pk=orbiton.priya.pk).update(deactivated_at=LATER)

    assert kept(played.undo()) == [
        ("holder_inactive", "CSM stays Tom Lindqvist: Priya Raman is no longer active"),
    ]
    assert csm(harbour) == orbiton.tom


@pytest.mark.parametrize("first_out", [0, 1])
def test_two_that_assigned_one_over_the_other_leave_the_original_whichever_stops_first(
    orbiton: Workspace, harbour: Account, first_out: int
) -> None:
    both = [assign(harbour, members=pool(orbiton.tom)), assign(harbour, members=pool(orbiton.maya))]
    first, second = both[first_out], both[1 - first_out]

    decisions = first.undo()
    if first_out == 0:
        second.inherits(decisions[0])
    second.undo()

    assert csm(harbour) == orbiton.priya


def test_a_stop_gives_nobody_their_turn_again(orbiton: Workspace, harbour: Account) -> None:
    people = pool(orbiton.priya, orbiton.tom)
    played = assign(harbour, method="round_robin", members=people)
    (given,) = [csm(harbour)]
    played.undo()
    (new,) = fresh(1)

    assign(new, method="round_robin", members=people, now=LATER)

    assert csm(new) != given


def test_a_stop_moves_no_task(orbiton: Workspace, harbour: Account) -> None:
    cta = Cta.objects.create(account=harbour, name="Call", type="risk", created_at=MONDAY, created_by="person:1")
    played = play("assign", {"role": "csm", "members": [orbiton.tom.email], "keep_present": False}, harbour)
    task = cta.add_task(title="Dial", owner=orbiton.tom, by=orbiton.tom, now=MONDAY)

    undone(played.undo())

    task.refresh_from_db()
    assert task.owner == orbiton.tom


def test_who_held_it_already_keeps_it_and_a_stop_changes_nothing(orbiton: Workspace, harbour: Account) -> None:
    played = assign(harbour, members=pool(orbiton.priya))

    assert undone(played.undo()) == ["CSM stays Priya Raman, as it was before"]
    assert csm(harbour) == orbiton.priya


def test_a_gone_account_is_kept_as_gone(orbiton: Workspace, harbour: Account) -> None:
    played = assign(harbour, members=pool(orbiton.tom))
    Account.objects.filter(pk=harbour.pk).update(archived_at=LATER)

    assert kept(played.undo())[0][0] == "target_gone"


# Its settings


def test_who_is_not_in_the_team_and_a_role_that_is_none_are_refused(orbiton: Workspace) -> None:
    with pytest.raises(ActionErrors) as refused:
        clean_config(action_for("assign"), {"role": "boss", "members": ["nobody@example.com"]})

    assert {error.path for error in refused.value.errors} == {"config.role", "config.members"}


def test_a_trait_that_says_who_looks_after_the_account_is_left_to_this_action(orbiton: Workspace) -> None:
    owner = world.trait("owner", "person")
    TraitDefinition.objects.filter(pk=owner.pk).update(column="csm_id", slot=None)

    with pytest.raises(ActionErrors, match="Use “Assign a CSM or AE”"):
        clean_config(action_for("update_trait"), {"trait": "owner", "mode": "clear"})
