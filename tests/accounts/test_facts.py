"""What people set beside traits: key roles, parent, known cause; each with its history and its line on the timeline."""

from datetime import timedelta

import pytest

from accounts.changes import load_history
from accounts.facts import CannotBeParent, family_of, set_key_role, set_known_cause, set_parent, set_person
from accounts.fields import workspace_fields
from accounts.key_roles import CannotName, archive_role, define_role, move_role, present_roles, rename_role
from accounts.models import Account, AccountRole, TimelineEntry
from accounts.rules.compile import predicate
from accounts.rules.fields import Subject
from accounts.rules.grammar import parse
from accounts.rules.sql import Clock
from tests.world import MONDAY, Workspace, account, on


@pytest.fixture
def harbour(inside: Workspace) -> Account:
    return account(csm=inside.priya)


def matching(inside: Workspace, field: str, op: str, value: object = None) -> set[str]:
    written = {"field": field, "op": op} | ({} if value is None else {"value": value})
    rule = parse(written, fields=workspace_fields(), subject=Subject.ACCOUNT)
    clock = Clock.at(MONDAY, MONDAY.tzinfo)  # type: ignore[arg-type]
    found = Account.objects.where(predicate(rule, tenant_id=inside.tenant.pk, clock=clock))
    return set(found.values_list("name", flat=True))


def test_a_new_csm_is_in_the_history_and_on_the_timeline(inside: Workspace, harbour: Account) -> None:
    assert set_person(harbour, "csm", member=inside.tom, by=inside.maya, now=MONDAY)
    assert not set_person(harbour, "csm", member=inside.tom, by=inside.maya, now=MONDAY)

    [change] = load_history(harbour, field="csm").changes
    assert change.before
    assert (change.label, change.before.value, change.who.name) == ("CSM", "Priya Raman", "Maya Osei")
    assert TimelineEntry.objects.get().text == "CSM changed from Priya Raman to Tom Lindqvist"


def test_a_key_role_is_held_by_one_and_asked_about_by_rules(inside: Workspace, harbour: Account) -> None:
    lead = define_role("Onboarding lead")
    set_key_role(harbour, lead, member=inside.tom, by=inside.maya, now=MONDAY)
    set_key_role(harbour, lead, member=inside.priya, by=inside.maya, now=MONDAY)
    account("Other")

    assert AccountRole.objects.get().member_id == inside.priya.pk
    assert matching(inside, "role:onboarding_lead", "is", inside.priya.pk) == {harbour.name}
    assert matching(inside, "role:onboarding_lead", "not_set") == {"Other"}
    assert len(load_history(harbour, field="role:onboarding_lead").changes) == 2


def test_roles_are_named_once_ordered_and_archived(inside: Workspace) -> None:
    lead, sponsor = define_role("Lead"), define_role("Sponsor")
    with pytest.raises(CannotName, match="already"):
        rename_role(sponsor, "lead")
    move_role(sponsor, up=True)
    assert [one.name for one in present_roles()] == ["Sponsor", "Lead"]

    archive_role(lead, now=MONDAY)
    assert [one.name for one in present_roles()] == ["Sponsor"]
    assert define_role("Lead").key == "lead_2"


def test_a_family_has_no_circle(inside: Workspace, harbour: Account) -> None:
    middle, low = account("Middle"), account("Low")
    set_parent(middle, parent=harbour, by=inside.maya, now=MONDAY)
    set_parent(low, parent=middle, by=inside.maya, now=MONDAY)
    for parent, words in ((low, "itself below"), (harbour, "its own")):
        with pytest.raises(CannotBeParent, match=words):
            set_parent(harbour, parent=parent, by=inside.maya, now=MONDAY)

    assert [one.name for one in family_of(harbour).children] == ["Middle"]
    assert matching(inside, "parent", "is", harbour.name) == {"Middle"}
    assert matching(inside, "children", "at_least", 1) == {harbour.name, "Middle"}
    assert matching(inside, "children", "equal", 0) == {"Low"}


def test_a_known_cause_has_an_end_that_rules_can_ask_about(inside: Workspace, harbour: Account) -> None:
    until = on(30)
    assert set_known_cause(harbour, cause="They move", until=until, by=inside.maya, now=MONDAY)
    assert matching(inside, "known_cause_until", "after", (until - timedelta(days=1)).isoformat()) == {harbour.name}

    assert set_known_cause(harbour, cause="", until=None, by=inside.maya, now=MONDAY)
    assert not Account.objects.get().known_cause
    assert len(load_history(harbour).changes) == 4
