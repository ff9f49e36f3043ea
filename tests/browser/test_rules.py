"""The rule editor in a real browser, by keyboard alone: a nested rule, its count as it grows, the table it filters."""

import pytest
from playwright.sync_api import Page, expect

from cs_platform.tenancy.context import tenant_context
from playbooks.versions import import_playbook
from tests.world import MONDAY, account, playbook_json

from .test_screens import Story, complaints, screen, story
from .test_shell import violations

__all__ = ["complaints", "screen", "story"]

pytestmark = pytest.mark.django_db(transaction=True)


def choose(page: Page, field: str) -> None:
    """In the picker that has just opened: the first field of that name, and its operator has the focus."""
    search = page.get_by_role("searchbox", name="Search fields")
    expect(search).to_be_focused()
    page.keyboard.type(field)
    expect(page.locator("[data-picker] .item")).to_have_count(1)
    page.keyboard.press("Enter")
    expect(page.get_by_role("combobox", name="Operator").last).to_be_focused()


def test_a_nested_rule_is_built_by_keyboard_and_filters_the_table(screen: Page, story: Story) -> None:
    with tenant_context(story.orbiton.tenant.pk):
        account("Quiet Quarry", health=40, plan="Starter", mrr_cents=10_000)
    screen.goto(story.path("accounts/"))
    screen.get_by_role("link", name="Add filter").focus()
    screen.keyboard.press("Enter")
    dialog = screen.get_by_role("dialog", name="Filter accounts")
    expect(dialog.get_by_text("Add a condition to see who matches.")).to_be_visible()

    choose(screen, "mrr")
    screen.keyboard.type("is at least")
    screen.keyboard.press("Tab")
    screen.keyboard.type("100")
    expect(dialog.get_by_text("6 accounts match now")).to_be_visible()

    dialog.get_by_role("button", name="Group", exact=True).press("Enter")
    choose(screen, "number of users")
    screen.keyboard.type("is at least")
    screen.keyboard.press("Tab")
    screen.keyboard.type("1")
    expect(dialog.get_by_text("1 account matches now")).to_be_visible()
    dialog.get_by_role("button", name="Rule", exact=True).first.press("Enter")
    choose(screen, "health")
    screen.keyboard.type("is less")
    screen.keyboard.press("Tab")
    screen.keyboard.type("45")
    expect(dialog.get_by_text("2 accounts match now")).to_be_visible()
    expect(dialog.get_by_role("heading", name="Near misses")).to_be_visible()
    assert violations(screen) == []

    dialog.get_by_role("button", name="Show accounts").press("Enter")
    expect(screen.get_by_role("row")).to_have_count(3)
    expect(screen.get_by_role("link", name="Remove filter MRR is at least $100")).to_be_visible()
    expect(screen.get_by_role("heading", level=1)).to_have_count(1)  # the list alone was shown anew
    expect(screen.get_by_role("link", name="Change filter Number of users is at least 1 or health")).to_be_visible()


def test_conditions_are_dragged_into_groups_and_any_account_is_checked_beside_them(screen: Page, story: Story) -> None:
    plan, mrr = {"field": "plan", "op": "set"}, {"field": "mrr", "op": "set"}
    seen = {"any": [{"field": "health", "op": "set"}, {"field": "csm", "op": "set"}]}
    with tenant_context(story.orbiton.tenant.pk):
        account("Calyx One", plan="Pro")
        account("Calyx Two")
        rules = {"account": {"all": [plan, mrr, seen]}}
        draft = import_playbook(playbook_json("dragged", rules=rules), by=None, now=MONDAY)
    screen.goto(story.path(f"playbooks/{draft.pk}/draft/rules/"))

    group = screen.get_by_role("group", name="Nested group, any rule matches")
    expect(group.get_by_role("combobox", name="Operator")).to_have_count(2)
    screen.locator("[data-rule='1'] > .tools [data-rule-grip]").drag_to(screen.locator("[data-rule='2.1']"))
    expect(group.get_by_role("combobox", name="Operator")).to_have_count(3)
    expect(group.get_by_role("button", name="Field MRR, change")).to_be_visible()
    expect(screen.locator("#saved")).to_contain_text("Saved")

    screen.get_by_role("searchbox", name="Account to check").fill("calyx")
    screen.get_by_role("button", name="Calyx Two").click()
    why = screen.locator("#rule-why")
    expect(why).to_contain_text("Calyx Two does not match")
    expect(why).to_contain_text("Plan is set")
    assert violations(screen) == []
