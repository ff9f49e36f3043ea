"""The example of the guide, built in the wizard by somebody who reads nothing, set live, and run to its end."""

from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Page, expect

from accounts.models import Conversation
from cs_platform.demo.days import deliver_to_nobody
from cs_platform.tenancy.context import tenant_context
from ctas.models import Task
from playbooks.models import Enrollment, Playbook
from tests.world import account, evaluate, tick, user

from .test_rules import choose
from .test_screens import Story, complaints, screen, story
from .test_shell import violations

__all__ = ["complaints", "screen", "story"]

pytestmark = pytest.mark.django_db(transaction=True)


def saved(page: Page) -> None:
    expect(page.locator("#saved")).to_contain_text("Saved")
    page.wait_for_load_state("networkidle")


def test_the_example_of_the_guide_is_built_set_live_and_runs_to_its_end(screen: Page, story: Story) -> None:
    """Applied 10 days before the renewal: on day 1 an email to the owner, then a task for the CSM to review usage."""
    now = datetime.now(UTC)
    with tenant_context(story.orbiton.tenant.pk):
        renewing = account("Yarrow Retail", renewal_on=now.date() + timedelta(days=10), csm=story.orbiton.priya)
        user("Lena Ruiz", renewing, role="owner")
    screen.goto(story.path("playbooks/"))
    screen.get_by_role("link", name="New playbook").click()
    screen.get_by_label("Name").fill("Renewing soon")
    screen.get_by_role("button", name="Start from scratch").click()

    expect(screen.get_by_role("heading", name="Overview")).to_be_visible()
    screen.get_by_label("Subscribed").check()
    screen.get_by_role("button", name="Insert variable").click()
    screen.get_by_role("button", name="Account: Name").click()
    screen.keyboard.type(" renews soon.")
    expect(screen.locator("#reads")).to_contain_text("renews soon.")
    assert violations(screen) == []
    screen.get_by_role("button", name="Next: Rules").click()

    screen.get_by_role("button", name="Rule", exact=True).first.press("Enter")
    choose(screen, "renewal date")
    screen.keyboard.type("is within the next")
    screen.keyboard.press("Tab")
    screen.get_by_label("Days", exact=True).fill("10")
    expect(screen.get_by_text("1 account matches now")).to_be_visible()
    saved(screen)
    assert violations(screen) == []
    screen.get_by_role("button", name="Next: Actions").click()

    screen.get_by_role("button", name="Add action").first.click()
    screen.get_by_role("button", name="Start a conversation").click()
    screen.get_by_label("Subject").fill("Your renewal, {{ account.name }}")
    screen.get_by_label("Body").fill("You renew on {{ account.renewal_on }}.")
    expect(screen.locator("#board")).to_contain_text("Send “Your renewal")
    screen.get_by_role("button", name="Add action").first.click()
    screen.get_by_role("button", name="Create a task").click()
    screen.get_by_label("Title").fill("Review their product usage")
    screen.get_by_label("For", exact=True).select_option("csm")
    screen.get_by_label("Day", exact=True).fill("4")
    expect(screen.locator("#board")).to_contain_text("Day 4")
    saved(screen)
    assert violations(screen) == []
    screen.get_by_role("button", name="Next: Review").click()

    outcome = screen.get_by_role("complementary", name="Before you set it live")
    expect(outcome).to_contain_text("1account gets the playbook")
    expect(outcome).to_contain_text("Yarrow Retail")
    expect(screen.get_by_text("Cannot be undone", exact=True)).to_be_visible()
    assert violations(screen) == []
    screen.get_by_role("button", name="Set live").click()
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
        for day in range(1, 8):  # messages keep to decent hours of working days
            tick(now=noon + timedelta(days=day), deliver=deliver_to_nobody)
        task = Task.objects.get(cta__account=renewing)
        assert (task.title, task.owner) == ("Review their product usage", story.orbiton.priya)
        assert Enrollment.objects.get(playbook=playbook).state == "completed"


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
