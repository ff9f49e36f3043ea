"""The example of the guide, built in the wizard by somebody who reads nothing, set live, and run to its end."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from accounts.models import Conversation
from cs_platform.demo.days import deliver_to_nobody
from cs_platform.tenancy.context import tenant_context
from ctas.models import Task
from playbooks.models import Enrollment, Playbook
from tests.world import account, evaluate, tick, user

from .test_rules import choose
from .test_screens import Story, complaints, screen, sign_in, story
from .test_shell import violations

__all__ = ["complaints", "screen", "story"]

pytestmark = pytest.mark.django_db(transaction=True)


def saved(page: Page) -> None:
    expect(page.locator("#saved")).to_contain_text("Saved")
    page.wait_for_load_state("networkidle")


TABS = 15  # pressed before the page is searched again


@dataclass(frozen=True)
class Keys:
    """Somebody without a mouse."""

    page: Page

    def reach(self, target: Locator) -> None:
        """By Tab alone. Begins anew after the last thing on the page."""
        expect(target).to_be_visible()
        for pressed in range(150):
            if pressed % TABS == 0:  # it may have been drawn anew since; to find it by its role takes longer than a Tab
                here = target.element_handle()
            if here.evaluate("one => one === document.activeElement"):
                return
            self.page.keyboard.press("Tab")
        raise AssertionError(f"Tab does not lead to {target}.")

    def press(self, role: Any, name: str, *, exact: bool = True) -> None:
        """Not exact where more stands beside its name: an example, a few words about it."""
        self.reach(self.page.get_by_role(role, name=name, exact=exact).first)
        self.page.keyboard.press("Enter")

    def fill(self, label: str, text: str) -> None:
        self.reach(self.page.get_by_label(label, exact=True))
        self.page.keyboard.press("Control+A")
        self.page.keyboard.type(text)


def test_the_example_of_the_guide_is_built_by_keys_set_live_and_runs_to_its_end(screen: Page, story: Story) -> None:
    """Applied 10 days before the renewal: on day 1 an email to the owner, then a task for the CSM to review usage."""
    now = datetime.now(UTC)
    with tenant_context(story.orbiton.tenant.pk):
        renewing = account("Yarrow Retail", renewal_on=now.date() + timedelta(days=10), csm=story.orbiton.priya)
        user("Lena Ruiz", renewing, role="owner")
    keys = Keys(screen)
    screen.goto(story.path("playbooks/"))
    keys.press("link", "New playbook")
    keys.fill("Name", "Renewing soon")
    keys.press("button", "Start from scratch")

    expect(screen.get_by_role("heading", name="Overview")).to_be_visible()
    keys.reach(screen.get_by_role("radio", name="All tracked"))
    screen.keyboard.press("ArrowDown")
    expect(screen.get_by_label("Subscribed")).to_be_checked()
    keys.press("button", "Insert variable")
    expect(screen.get_by_role("searchbox", name="Search variables")).to_be_focused()
    screen.keyboard.type("account name")
    screen.keyboard.press("Enter")
    screen.keyboard.type(" renews soon.")
    expect(screen.locator("#reads")).to_contain_text("renews soon.")
    assert violations(screen) == []
    keys.press("button", "Next: Rules")

    keys.press("button", "Rule")
    choose(screen, "renewal date")
    screen.keyboard.type("is within the next")
    keys.fill("Days", "10")
    expect(screen.get_by_text("1 account matches now")).to_be_visible()
    saved(screen)
    assert violations(screen) == []
    keys.press("button", "Next: Actions")

    keys.press("button", "Add action")
    keys.press("button", "Start a conversation", exact=False)
    keys.fill("Subject", "Your renewal, {{ account.name }}")
    keys.fill("Message", "You renew on {{ account.renewal_on }}.")
    expect(screen.locator("#board")).to_contain_text("Send “Your renewal")
    keys.press("button", "Add action")
    keys.press("button", "Create a task", exact=False)
    keys.fill("Title", "Review their product usage")
    keys.fill("Day", "4")
    expect(screen.locator("#board")).to_contain_text("Day 4")
    expect(screen.locator("#step-day")).to_have_text("Day 4")
    expect(screen.locator("#schedule-words")).to_have_text("2 actions in 4 days")
    saved(screen)
    assert violations(screen) == []
    keys.press("button", "Next: Review")

    outcome = screen.get_by_role("complementary", name="Before you set it live")
    expect(outcome).to_contain_text("1account gets the playbook")
    expect(outcome).to_contain_text("Yarrow Retail")
    expect(screen.get_by_text("Cannot be undone", exact=True)).to_be_visible()
    assert violations(screen) == []
    keys.press("button", "Try it")
    tried = screen.get_by_role("dialog")
    expect(tried).to_contain_text("Renewing soon on Yarrow Retail")
    expect(tried).to_contain_text("Email drafted to Lena Ruiz: Your renewal, Yarrow Retail")
    assert violations(screen) == []
    screen.keyboard.press("Escape")
    expect(tried).to_be_hidden()
    keys.press("button", "Set live")
    expect(screen.get_by_text("Renewing soon is live")).to_be_visible()

    with tenant_context(story.orbiton.tenant.pk):
        playbook = Playbook.objects.get(key="renewing-soon")
        assert (playbook.status, playbook.expected_count) == ("live", 1)
        evaluate(story.orbiton.tenant, now=now)
        tick(now=now, deliver=deliver_to_nobody)
        mail = Conversation.objects.get(account=renewing)
        assert (mail.subject, mail.to_email) == ("Your renewal, Yarrow Retail", "lena.ruiz@customer.example")
        assert not Task.objects.filter(cta__account=renewing).exists()
        noon = now.replace(hour=12, minute=0)
        for day in range(8):  # messages keep to decent hours of working days; today's may be ahead still
            tick(now=max(now, noon + timedelta(days=day)), deliver=deliver_to_nobody)
        task = Task.objects.get(cta__account=renewing)
        assert (task.title, task.owner) == ("Review their product usage", story.orbiton.priya)
        assert Enrollment.objects.get(playbook=playbook).state == "completed"


def test_an_outcome_is_chosen_by_keys_says_what_it_costs_and_is_read_on_review(screen: Page, story: Story) -> None:
    now = datetime.now(UTC)
    with tenant_context(story.orbiton.tenant.pk):
        for n in range(10):
            account(f"Yarrow {n}", renewal_on=now.date() + timedelta(days=10), csm=story.orbiton.priya)
    keys = Keys(screen)
    screen.goto(story.path("playbooks/new/"))
    screen.get_by_role("button", name="Renewal From 90 days").click()
    keys.press("button", "Next: Rules")
    expect(screen.get_by_role("heading", name="Outcome")).to_be_visible()
    name = screen.get_by_label("What it is called")
    expect(name).to_have_value("Renewed")
    keys.fill("What it is called", "Renewed for a year")

    rules = screen.get_by_role("group", name="Rules of the outcome")
    keys.reach(rules.get_by_label("Days"))
    screen.keyboard.press("Control+A")
    screen.keyboard.type("300")
    keys.reach(rules.get_by_role("button", name="Rule", exact=True))
    screen.keyboard.press("Enter")
    choose(screen, "renewal date")
    expect(rules.get_by_label("Operator")).to_have_count(2)
    expect(screen.get_by_role("group", name="Rules of the outcome")).to_have_count(1)
    keys.reach(rules.get_by_role("button", name="Remove").last)
    screen.keyboard.press("Enter")
    expect(rules.get_by_label("Operator")).to_have_count(1)
    keys.fill("Leave out % of matches, to compare", "20")
    saved(screen)
    expect(screen.locator("#holdout-cost")).to_contain_text("As of now")
    assert violations(screen) == []

    screen.reload()
    expect(name).to_have_value("Renewed for a year")
    keys.press("button", "Next: Actions")
    keys.press("button", "Next: Review")
    said = "Outcome: Renewed for a year, when renewal date is in more than 300 days"
    expect(screen.get_by_text(said)).to_be_visible()
    expect(screen.get_by_text("20 % of matching accounts are left out, to compare")).to_be_visible()
    assert violations(screen) == []


def test_a_draft_survives_closing_the_browser_and_cards_are_dragged_to_another_day(screen: Page, story: Story) -> None:
    screen.goto(story.path("playbooks/new/"))
    screen.get_by_role("button", name="Low adoption").click()
    name = screen.get_by_label("Name")
    name.fill("Quiet accounts")
    name.blur()
    saved(screen)
    expect(screen.locator("#wizard-name")).to_have_text("Quiet accounts")
    here = screen.url
    screen.goto("about:blank")
    screen.goto(here)
    expect(screen.get_by_label("Name")).to_have_value("Quiet accounts")

    screen.get_by_label("Name").fill("Very quiet accounts")
    screen.get_by_role("link", name="Actions").click()
    expect(screen.locator("#wizard-name")).to_have_text("Very quiet accounts")
    grip = screen.locator("[data-step=offer] [data-grip]")
    grip.drag_to(screen.locator("[data-day='2'] [data-step=find-out]"))
    expect(screen.locator("[data-day='2'] [data-step]")).to_have_count(2)
    screen.get_by_role("link", name="Raise the risk “Gone quiet”").click()
    screen.get_by_role("button", name="Duplicate action").click()
    expect(screen.locator("[data-day='1'] [data-step]")).to_have_count(2)
    screen.get_by_label("Counted from").select_option("renewal_on")
    expect(screen.get_by_label("Before or after")).to_be_visible()
    saved(screen)


# --- without scripts --------------------------------------------------------------------------------------------------


def test_without_scripts_the_wizard_is_read_and_submitted_to_its_end(browser: Browser, story: Story) -> None:
    page = browser.new_context(java_script_enabled=False).new_page()
    sign_in(page, story, "jonah")
    page.goto(story.path("playbooks/new/"))
    page.get_by_label("Name").fill("By hand")
    page.get_by_role("button", name="Start from scratch").click()
    page.get_by_label("Subscribed").check()
    page.get_by_label("Description").fill("{{ account.name }} renews.")
    page.get_by_role("button", name="Next: Rules").click()

    page.get_by_role("button", name="Rule", exact=True).first.click()
    page.get_by_role("searchbox", name="Search fields").fill("renewal date")
    page.get_by_role("button", name="Search", exact=True).click()
    page.locator("[data-picker] .item").click()
    page.get_by_role("combobox", name="Operator").select_option("is within the next")
    page.get_by_role("button", name="Show").click()
    page.get_by_label("Days", exact=True).fill("30")
    page.get_by_role("button", name="Next: Actions").click()

    page.get_by_role("button", name="Add action").first.click()
    page.get_by_role("button", name="Create a task").click()
    page.get_by_label("Title").fill("Review their product usage")
    page.get_by_role("button", name="Save action").click()
    page.get_by_role("button", name="Next: Review").click()

    expect(page.get_by_role("complementary", name="Before you set it live")).to_contain_text("Harbourline")
    expect(page.get_by_text("Harbourline Logistics renews.")).to_have_count(0)  # as it was written, not for an account
    page.get_by_role("button", name="Set live").click()
    expect(page.get_by_text("By hand is live")).to_be_visible()
    page.context.close()


def test_the_actions_to_choose_from_stay_on_the_screen_of_a_phone(screen: Page, story: Story) -> None:
    screen.goto(story.path("playbooks/new/"))
    screen.get_by_label("Name").fill("On the way")
    screen.get_by_role("button", name="Start from scratch").click()
    screen.set_viewport_size({"width": 390, "height": 844})
    screen.get_by_role("link", name="Actions").first.click()
    screen.get_by_role("button", name="Add action").first.click()
    expect(screen.locator("#catalog")).to_be_visible()
    box = screen.locator("#catalog").bounding_box()

    assert box
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= 390
