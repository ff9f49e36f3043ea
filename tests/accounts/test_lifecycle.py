"""Lifecycles by rule: their order, what they leave behind, and that no import fights with them."""

from typing import Any

import pytest

from accounts.fields import workspace_fields
from accounts.ingest.upsert import Item, upsert_accounts
from accounts.lifecycle import CannotSave, save_rules, settle_lifecycles, shares
from accounts.models import Account, LifecycleRule, TimelineEntry, TraitChange, TraitDefinition
from accounts.rules.fields import Subject
from accounts.rules.grammar import parse
from tests.world import MONDAY, Workspace, account, days, trait

OLD = {"field": "trial_end_on", "op": "in_past"}
TRIAL = {"field": "trial_end_on", "op": "set"}


def rules(**written: Any) -> Any:
    fields = workspace_fields()
    return {
        LifecycleRule.Outcome(name): parse(one, fields=fields, subject=Subject.ACCOUNT) for name, one in written.items()
    }


def named(name: str) -> dict[str, str]:
    return {"field": "name", "op": "contains", "value": name}


def save(home: Workspace, **written: Any) -> bool:
    return save_rules(rules(**written), tenant=home.tenant, by=home.jonah, now=MONDAY)


def lifecycle_of(one: Account) -> str:
    return Account.objects.get(pk=one.pk).lifecycle


def test_ignored_beats_trialing_beats_churned_and_the_rest_is_subscribed(inside: Workspace) -> None:
    made = [account(name, lifecycle="churned") for name in ("test trial old", "trial old", "old", "plain")]
    assert save(inside, churned=named("old"), ignored=named("test"), trialing=named("trial"))
    assert [lifecycle_of(one) for one in made] == ["ignored", "trialing", "churned", "subscribed"]


def test_a_change_is_remembered_and_told(inside: Workspace) -> None:
    one = account("Old one")
    save(inside, churned=named("old"))
    change = TraitChange.objects.get(account=one)
    assert (change.field, change.before, change.after) == ("lifecycle", "subscribed", "churned")
    assert change.actor == "lifecycle-rules"
    entry = TimelineEntry.objects.get(account=one)
    assert (entry.kind, entry.text) == ("lifecycle.changed", "Lifecycle changed from subscribed to churned")
    assert settle_lifecycles(tenant=inside.tenant, fields=workspace_fields(), now=MONDAY + days(1)) == 0


def test_the_trait_that_fed_the_lifecycle_yields_to_the_rules(inside: Workspace) -> None:
    def sent(value: str, *, after: int = 0) -> None:
        item = Item("acme", {}, {"status": value})
        upsert_accounts([item], tenant=inside.tenant, by=inside.olga, now=MONDAY + days(after))

    TraitDefinition.objects.create(
        scope="account", key="status", label="Status", type="choice", source="integration", column="lifecycle"
    )
    sent("trialing")
    one = Account.objects.get(external_id="acme")
    save(inside, ignored=named("test"))
    assert lifecycle_of(one) == "subscribed"
    sent("churned", after=1)
    assert lifecycle_of(one) == "subscribed"
    save(inside, churned={"field": "trait:status", "op": "is", "value": "churned"})
    assert lifecycle_of(one) == "churned"
    sent("ignored", after=2)
    save(inside)
    assert lifecycle_of(one) == "ignored"
    sent("trialing", after=3)
    assert lifecycle_of(one) == "trialing"


def test_the_api_is_told_that_rules_decide(inside: Workspace) -> None:
    save(inside, ignored=named("test"))
    item = Item("acme", {"lifecycle": "churned"})
    [result] = upsert_accounts([item], tenant=inside.tenant, by=inside.olga, now=MONDAY)
    assert "rules decide this field" in result.faults[0].message


def test_a_rule_about_the_lifecycle_itself_is_refused(inside: Workspace) -> None:
    with pytest.raises(CannotSave, match="cannot depend on the lifecycle itself"):
        save(inside, churned={"field": "lifecycle", "op": "is", "value": "trialing"})


def test_with_a_rule_that_cannot_be_asked_any_more_nothing_changes(inside: Workspace) -> None:
    one, seats = account("Old one"), trait("seats", "number")
    save(inside, churned=named("old"), ignored={"field": "trait:seats", "op": "more", "value": 1})
    seats.delete()
    Account.objects.filter(pk=one.pk).update(name="New one")
    assert settle_lifecycles(tenant=inside.tenant, fields=workspace_fields(), now=MONDAY) == 0
    assert lifecycle_of(one) == "churned"


def test_what_rules_would_do_is_counted_before(inside: Workspace) -> None:
    for name in ("One", "Old two", "Old three"):
        account(name)
    found = shares(rules(churned=named("old")), tenant=inside.tenant, now=MONDAY)
    assert {share.lifecycle.value: (share.now, share.then) for share in found} == {
        "trialing": (0, 0),
        "subscribed": (3, 1),
        "churned": (0, 2),
        "ignored": (0, 0),
    }
