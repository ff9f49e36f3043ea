"""TRUST §2.3, “Indicator”: claims, never history deleted, never a person's word overruled."""

from typing import Any

import pytest

from accounts.models import Account, EndUser, Indicator
from actions.base import Held
from actions.checks import ActionErrors, clean_config
from actions.registry import action_for
from tests import world
from tests.actions.world import LATER, kept, play, undone, visible
from tests.world import Workspace


def risk(title: str = "Renewal at risk", **parts: Any) -> dict[str, Any]:
    return {"kind": "risk", "title": title, "assignee": "csm"} | parts


def by_hand(account: Account, by: Any, *, title: str = "Renewal at risk") -> Indicator:
    return Indicator.raise_on(account, kind="risk", title=title, by=by, now=LATER)


# What it raises


def test_it_raises_with_note_and_assignee(orbiton: Workspace, harbour: Account) -> None:
    play("create_indicator", risk("Risk at {{ account.name }}", note="On {{ account.plan }}"), harbour)

    raised = Indicator.objects.get()
    assert (raised.title, raised.note) == ("Risk at Harbourline Logistics", "On Pro")
    assert raised.assignee == orbiton.priya
    assert (raised.state, raised.raised_by) == ("active", "playbook:1")


def test_without_an_active_csm_it_is_raised_unassigned(orbiton: Workspace, harbour: Account) -> None:
    orbiton.priya.deactivated_at = LATER
    orbiton.priya.save()

    play("create_indicator", risk(), harbour)

    assert Indicator.objects.get().assignee is None


def test_a_named_member_is_assigned(orbiton: Workspace, harbour: Account) -> None:
    play("create_indicator", risk(assignee="member:MAYA@orbiton.example"), harbour)

    assert Indicator.objects.get().assignee == orbiton.maya


def test_a_missing_value_holds_the_run_and_no_other(harbour: Account, yarrow: Account) -> None:
    Account.objects.filter(pk=yarrow.pk).update(plan=None)

    played = play("create_indicator", risk("On {{ account.plan }}"), harbour, yarrow)

    assert isinstance(played.results[1], Held)
    assert played.results[1].code == "missing_value"
    assert "{{ account.plan }}" in played.results[1].reason
    assert Indicator.objects.get().account == harbour


def test_a_line_break_in_a_value_does_not_break_the_title(harbour: Account) -> None:
    Account.objects.filter(pk=harbour.pk).update(name="Harbour\r\nline")

    play("create_indicator", risk("{{ account.name }}"), harbour)

    assert Indicator.objects.get().title == "Harbour line"


def test_an_active_one_of_the_same_kind_and_title_is_joined(orbiton: Workspace, harbour: Account) -> None:
    theirs = by_hand(harbour, orbiton.maya)

    played = play("create_indicator", risk(), harbour)

    assert played.receipts[0]["joined"]
    assert played.receipts[0]["indicator_id"] == theirs.pk
    assert played.told == ["Risk was already active: Renewal at risk"]


def test_another_kind_or_title_is_not_joined(orbiton: Workspace, harbour: Account) -> None:
    by_hand(harbour, orbiton.maya)

    play("create_indicator", risk("Other"), harbour)
    play("create_indicator", risk(kind="opportunity"), harbour)

    assert Indicator.objects.count() == 3


def test_users_of_one_account_share_one_indicator(harbour: Account, ben: EndUser) -> None:
    lena = world.user("Lena Ruiz", harbour)

    played = play("create_indicator", risk(), (harbour, ben), (harbour, lena))

    assert [receipt["joined"] for receipt in played.receipts] == [False, True]
    assert Indicator.objects.get().claims.count() == 2


# Undo


def test_untouched_it_ends_with_its_last_claim_and_stays_in_history(harbour: Account) -> None:
    played = play("create_indicator", risk(), harbour)

    assert undone(played.undo()) == ["“Renewal at risk” ends"]

    ended = Indicator.objects.get()
    assert (ended.state, ended.reason, ended.settled_by) == ("ended", "playbook_stopped", "playbook:1")
    assert ended.claims.get().ended_at == LATER


def test_addressed_by_a_person_it_stays_addressed(orbiton: Workspace, harbour: Account) -> None:
    played = play("create_indicator", risk(), harbour)
    Indicator.objects.get().address(by=orbiton.priya, now=LATER)

    says = "“Renewal at risk” was marked as addressed by Priya Raman on 5 Nov 2026"
    assert kept(played.undo()) == [("addressed", says)]
    assert Indicator.objects.get().state == "addressed"


def test_ended_by_a_person_it_stays_ended(orbiton: Workspace, harbour: Account) -> None:
    played = play("create_indicator", risk(), harbour)
    Indicator.objects.get().end(by=orbiton.priya, now=LATER)

    assert kept(played.undo()) == [("ended", "“Renewal at risk” was ended by Priya Raman on 5 Nov 2026")]
    assert Indicator.objects.get().reason == ""


def test_reopened_by_a_person_it_stays_active(orbiton: Workspace, harbour: Account) -> None:
    played = play("create_indicator", risk(), harbour)
    Indicator.objects.get().address(by=orbiton.priya, now=LATER)
    Indicator.objects.get().reopen(by=orbiton.priya, now=LATER)

    assert [code for code, _says in kept(played.undo())] == ["reopened"]
    assert Indicator.objects.get().state == "active"


def test_raised_by_a_person_before_it_stays_active(orbiton: Workspace, harbour: Account) -> None:
    by_hand(harbour, orbiton.maya)
    before = visible()

    (says,) = undone(play("create_indicator", risk(), harbour).undo())

    assert "stays active for others" in says
    assert visible() == before


def test_raised_by_a_person_since_it_stays_active(orbiton: Workspace, harbour: Account) -> None:
    played = play("create_indicator", risk(), harbour)
    by_hand(harbour, orbiton.maya)

    played.undo()

    assert Indicator.objects.get().state == "active"
    assert Indicator.objects.get().claims.filter(ended_at=None).get().source == orbiton.maya.actor


@pytest.mark.parametrize("later_first", [True, False])
def test_two_playbooks_leave_no_residue_whichever_stops_first(harbour: Account, later_first: bool) -> None:
    before = visible()
    first, second = (play("create_indicator", risk(), harbour, playbook=number) for number in (1, 2))

    for played in (second, first) if later_first else (first, second):
        assert Indicator.objects.get().state == "active"
        undone(played.undo())

    assert visible() == before


def test_a_gone_account_is_kept_as_gone(harbour: Account) -> None:
    played = play("create_indicator", risk(), harbour)
    Account.objects.filter(pk=harbour.pk).update(archived_at=LATER)

    assert [code for code, _says in kept(played.undo())] == ["target_gone"]


def test_stopped_and_raised_again_it_is_a_new_one(harbour: Account) -> None:
    play("create_indicator", risk(), harbour).undo()

    play("create_indicator", risk(), harbour)

    assert sorted(Indicator.objects.values_list("state", flat=True)) == ["active", "ended"]


def test_its_form_refuses_an_unknown_kind_and_somebody_who_is_no_member(orbiton: Workspace) -> None:
    config = risk(kind="danger", assignee="member:nobody@else.example")

    with pytest.raises(ActionErrors) as refused:
        clean_config(action_for("create_indicator"), config)

    assert {error.path for error in refused.value.errors} == {"config.kind", "config.assignee"}


def test_a_very_long_value_makes_a_title_that_still_fits(harbour: Account) -> None:
    Account.objects.filter(pk=harbour.pk).update(name="x" * 5_000)

    play("create_indicator", risk("{{ account.name }}" * 5), harbour)

    assert len(Indicator.objects.get().title) == 200
