"""Accounts and playbooks in a real browser: from the table to a history and a stop, and everything done by hand."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client
from playwright.sync_api import Browser, Locator, Page, expect
from pytest_django.live_server_helper import LiveServer

from accounts.models import Account, Conversation, Indicator
from cs_platform.tenancy.context import tenant_context
from ctas.models import Cta
from tests.world import (
    Workspace,
    account,
    apply_now,
    live,
    playbook_json,
    raise_risk,
    set_trait_step,
    tick,
    trait,
    user,
)
from tests.world import workspace as make_workspace

pytestmark = pytest.mark.django_db(transaction=True)

MAIL = {
    "key": "mail",
    "day": 1,
    "action": "start_conversation",
    "config": {"subject": "Your order form", "body": "Hi Ines", "sender": "csm", "review_hours": 14 * 24},
}
CTA = {
    "key": "cta",
    "day": 2,
    "action": "create_cta",
    "config": {"name": "Prepare review", "type": "lifecycle", "owner": "csm", "tasks": [{"title": "Pull usage"}]},
}


@dataclass(slots=True)
class Story:
    """Harbourline, ten days into a playbook that has raised a risk, opened a CTA, set a trait and drafted a message."""

    orbiton: Workspace
    url: str

    def path(self, path: str) -> str:
        return f"{self.url}/w/orbiton/{path}"


@pytest.fixture
def story(live_server: LiveServer) -> Story:
    orbiton = make_workspace("orbiton")
    now = datetime.now(UTC)
    with tenant_context(orbiton.tenant.pk):
        trait("stage", "choice", label="Renewal stage", choices=["Early", "Proposal"])
        fields = {"health": 46, "mrr_cents": 1_533_333, "plan": "Pro", "csm": orbiton.priya}
        harbourline = account("Harbourline Logistics", renewal_on=now.date() + timedelta(days=19), **fields)
        user("Ines Falk", harbourline, role="owner")
        for n in range(4):
            account(f"Calyx {n}", health=82, plan="Starter", mrr_cents=10_000)
        steps = [
            raise_risk(1),
            CTA,
            set_trait_step("Proposal", day=5),
            MAIL,
            raise_risk(40, key="far", title="Far away"),
        ]
        runway = live(playbook_json("renewal-runway", description="{{ account.name }} renews.", steps=steps), now=now)
        apply_now(runway, harbourline, now=now - timedelta(days=10))
        tick(now=now)
    return Story(orbiton, live_server.url)


@pytest.fixture
def complaints(page: Page) -> Iterator[list[str]]:
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: said.append(str(error)))
    yield said
    left_early = re.compile("Transition was (aborted|skipped)")  # a page that was left before it showed
    assert [one for one in said if not left_early.search(one)] == []


@pytest.fixture
def screen(page: Page, story: Story, complaints: list[str]) -> Iterator[Page]:
    """Waits for what is still loading: a request that outlives its test would meet a database that is closed to it."""
    sign_in(page, story, "jonah")
    yield page
    page.wait_for_load_state("networkidle")


def sign_in(page: Page, story: Story, first_name: str) -> None:
    client = Client()
    client.force_login(story.orbiton.people[first_name].user)
    page.context.add_cookies([{"name": "session", "value": client.cookies["session"].value, "url": story.url}])


def cell(page: Page) -> Locator:
    return page.get_by_role("link", name="Renewal runway, open history")


# --- from the table to a stop -----------------------------------------------------------------------------------------


def test_a_playbook_is_stopped_from_the_table(screen: Page, story: Story) -> None:
    screen.goto(story.path("accounts/"))
    expect(screen.get_by_text("Total ARR")).to_be_visible()
    cell(screen).click()
    drawer = screen.get_by_role("complementary", name="Details")
    expect(drawer.get_by_role("heading", name="Renewal runway")).to_be_focused()
    expect(drawer.get_by_text("Harbourline Logistics renews.")).to_be_visible()
    drawer.get_by_role("link", name="Stop playbook").click()

    dialog = screen.get_by_role("dialog", name="Stop Renewal runway on Harbourline Logistics?")
    expect(dialog.get_by_role("link", name="Keep running")).to_be_focused()
    dialog.get_by_label("Renewal stage goes back from Proposal to not set").uncheck()
    dialog.get_by_label("Note").fill("Terms agreed")
    dialog.get_by_role("button", name="Stop playbook").click()

    expect(dialog).to_be_hidden()
    expect(screen.get_by_role("status").get_by_text("Renewal runway stopped")).to_be_visible()
    expect(drawer.get_by_text("“Terms agreed”")).to_be_visible()
    expect(drawer.get_by_text("kept: Kept when the playbook was stopped.")).to_be_visible()
    expect(cell(screen)).to_contain_text("Stopped")
    with tenant_context(story.orbiton.tenant.pk):
        assert Account.objects.get(name="Harbourline Logistics").traits == {"stage": "Proposal"}
        assert Indicator.objects.get().state == "ended"


def test_keeping_it_running_changes_nothing_and_gives_the_place_back(screen: Page, story: Story) -> None:
    screen.goto(story.path("accounts/"))
    cell(screen).click()
    screen.get_by_role("link", name="Stop playbook").click()
    screen.get_by_role("link", name="Keep running").click()
    expect(screen.get_by_role("dialog")).to_be_hidden()
    screen.keyboard.press("Escape")

    expect(cell(screen)).to_be_focused()
    expect(cell(screen)).to_contain_text("60%")


def test_a_history_opened_by_its_address_marks_its_row_and_gives_the_focus_to_its_cell(
    screen: Page, story: Story
) -> None:
    screen.goto(story.path("accounts/"))
    screen.goto(cell(screen).evaluate("link => link.href"))
    expect(screen.locator("tr[aria-current]")).to_contain_text("Harbourline Logistics")
    screen.keyboard.press("Escape")

    expect(cell(screen)).to_be_focused()
    expect(screen.locator("tr[aria-current]")).to_have_count(0)


# --- the table --------------------------------------------------------------------------------------------------------


def test_searching_keeps_the_filters_and_the_address_tells_both(screen: Page, story: Story) -> None:
    screen.goto(story.path("accounts/?csm=nobody"))
    screen.keyboard.press("/")
    screen.keyboard.type("calyx 2")
    expect(screen.get_by_role("row")).to_have_count(2)
    expect(screen.get_by_role("searchbox")).to_be_focused()
    assert "csm=nobody" in screen.url
    assert "q=calyx+2" in screen.url
    screen.reload()

    expect(screen.get_by_role("searchbox")).to_have_value("calyx 2")
    expect(screen.get_by_role("row")).to_have_count(2)


def test_a_search_typed_before_htmx_has_looked_around_is_searched_for(screen: Page, story: Story) -> None:
    """htmx takes a page up by a timer, which a busy machine may keep waiting."""
    late = "const real = setTimeout; window.setTimeout = (act, ms = 60_000, ...more) => real(act, ms, ...more)"
    screen.add_init_script(late)
    screen.goto(story.path("accounts/?csm=nobody"))
    screen.keyboard.press("/")
    screen.keyboard.type("calyx 2")

    expect(screen.get_by_role("row")).to_have_count(2)


def test_a_head_sorts_and_back_goes_back(screen: Page, story: Story) -> None:
    screen.goto(story.path("accounts/"))
    head = screen.get_by_role("columnheader", name="ARR")
    head.get_by_role("link").click()
    expect(head).to_have_attribute("aria-sort", "descending")
    assert screen.url.endswith("?sort=-arr")
    screen.go_back()

    expect(screen.get_by_role("columnheader", name="Renewal", exact=True)).to_have_attribute("aria-sort", "ascending")


def test_a_playbooks_head_filters_by_its_state(screen: Page, story: Story) -> None:
    screen.goto(story.path("accounts/"))
    screen.get_by_role("button", name="Renewal runway").click()
    screen.get_by_role("link", name=re.compile("^Active")).click()

    expect(screen.get_by_role("row")).to_have_count(2)
    expect(screen.get_by_role("link", name="Remove filter Renewal runway")).to_be_visible()


def test_filters_are_chosen_from_the_menu(screen: Page, story: Story) -> None:
    screen.goto(story.path("accounts/"))
    screen.get_by_role("button", name="Quick filters").click()
    screen.locator("#filters").get_by_label("CSM").select_option("Priya Raman")
    screen.get_by_role("button", name="Show accounts").click()

    expect(screen.get_by_role("row")).to_have_count(2)
    expect(screen.get_by_role("link", name="Remove filter CSM")).to_be_visible()


def test_rows_are_walked_and_opened_with_keys(screen: Page, story: Story) -> None:
    screen.goto(story.path("accounts/?sort=name"))
    screen.keyboard.press("j")
    screen.keyboard.press("Enter")

    expect(screen.get_by_role("heading", name="Calyx 0")).to_be_visible()


# --- the account page -------------------------------------------------------------------------------------------------


def open_account(screen: Page, story: Story) -> None:
    with tenant_context(story.orbiton.tenant.pk):
        pk = Account.objects.get(name="Harbourline Logistics").pk
    screen.goto(story.path(f"accounts/{pk}/"))


def test_an_indicator_goes_when_it_is_addressed(screen: Page, story: Story) -> None:
    open_account(screen, story)
    screen.get_by_role("button", name="Mark as addressed").click()

    expect(screen.get_by_role("button", name="Mark as addressed")).to_have_count(0)
    expect(screen.get_by_text("Risk marked as addressed: At risk").first).to_be_visible()


def test_a_task_is_ticked_beside_the_account(screen: Page, story: Story) -> None:
    open_account(screen, story)
    screen.get_by_role("link", name="Prepare review", exact=True).click()
    screen.get_by_label("Done: Pull usage").check()

    # It was the last one: the CTA is asked about.
    expect(screen.locator("#ctas")).to_contain_text("1/1")
    screen.get_by_role("dialog").get_by_role("button", name="Close CTA").click()
    expect(screen.get_by_role("button", name="Reopen CTA")).to_be_visible()
    expect(screen.locator("#ctas")).to_contain_text("Nothing to do here")
    with tenant_context(story.orbiton.tenant.pk):
        assert Cta.objects.get().status == "won"


def test_a_page_knows_its_place_in_the_list_it_was_opened_from(screen: Page, story: Story) -> None:
    screen.goto(story.path("accounts/?sort=name"))
    expect(screen.locator("#title-count")).to_have_text("5")
    screen.get_by_role("link", name="Calyx 1", exact=True).click()
    crumbs = screen.get_by_role("navigation", name="Breadcrumbs")
    expect(crumbs).to_contain_text("2 of 5")
    screen.keyboard.press("]")
    expect(screen.get_by_role("heading", level=1)).to_have_text("Calyx 2")
    crumbs.get_by_role("link", name="Previous of the list").click()
    expect(screen.get_by_role("heading", level=1)).to_have_text("Calyx 1")
    crumbs.get_by_role("link", name="All accounts").click()

    expect(screen).to_have_url(re.compile(r"accounts/\?sort=name$"))


def test_a_tab_leads_to_its_section_and_the_head_stays_above_it(screen: Page, story: Story) -> None:
    screen.goto(story.path("accounts/"))
    screen.get_by_role("link", name="Harbourline Logistics", exact=True).click()
    tabs = screen.get_by_role("navigation", name="Sections of this page")
    expect(tabs.get_by_role("link", name="CTAs")).to_have_text("CTAs 1")
    tabs.get_by_role("link", name="Timeline").click()

    expect(tabs.get_by_role("link", name="Timeline")).to_have_attribute("aria-current", "true")
    expect(tabs.get_by_role("link", name="Summary")).not_to_have_attribute("aria-current", "true")
    expect(screen.get_by_role("heading", name="Harbourline Logistics", level=1)).to_be_in_viewport(ratio=1)
    expect(screen.get_by_role("heading", name="Timeline")).to_be_in_viewport()


def test_details_are_corrected_and_the_head_says_so(screen: Page, story: Story) -> None:
    screen.goto(story.path("accounts/"))
    screen.get_by_role("link", name="Harbourline Logistics", exact=True).click()
    screen.get_by_role("button", name="More").click()
    screen.get_by_role("link", name="Edit details").click()
    dialog = screen.get_by_role("dialog")
    dialog.get_by_label("Plan").fill("Scale")
    dialog.get_by_role("button", name="Save").click()

    expect(screen.locator("#account-head .tag")).to_have_text("Scale")
    expect(screen.get_by_text("Plan changed from Pro to Scale")).to_be_visible()


def test_a_trait_is_edited_in_its_place(screen: Page, story: Story) -> None:
    open_account(screen, story)
    traits = screen.locator("#traits")
    value = traits.get_by_role("link", name="Edit Renewal stage")
    value.press("Enter")
    expect(traits.get_by_role("combobox")).to_be_focused()
    screen.keyboard.press("Escape")
    expect(value).to_be_focused()
    value.press("Enter")
    traits.get_by_role("combobox").select_option("Early")
    traits.get_by_role("button", name="Save").click()

    expect(value).to_contain_text("Early")
    expect(value).to_be_focused()
    expect(traits.get_by_title("Set by Jonah Weiss")).to_be_visible()
    traits.get_by_role("link", name="History of Renewal stage").click()
    expect(screen.locator("#drawer")).to_contain_text("Proposal became Early")


def test_enter_in_a_review_saves_and_does_not_cancel(screen: Page, story: Story) -> None:
    open_account(screen, story)
    screen.get_by_role("link", name="Review", exact=True).click()
    dialog = screen.get_by_role("dialog", name="Review before it is sent")
    dialog.get_by_label("Subject").fill("Your new order form")
    dialog.get_by_label("Subject").press("Enter")

    expect(dialog).to_be_hidden()
    expect(screen.locator("#conversations")).to_contain_text("Your new order form")
    with tenant_context(story.orbiton.tenant.pk):
        assert Conversation.objects.get().state == "pending"


def test_a_playbook_is_applied_by_hand(screen: Page, story: Story) -> None:
    with tenant_context(story.orbiton.tenant.pk):
        live(playbook_json("second-look"), now=datetime.now(UTC))
    open_account(screen, story)
    screen.get_by_role("link", name="Apply playbook").click()
    screen.get_by_role("radio", name="Second look").check()
    screen.get_by_role("button", name="Apply playbook").click()

    expect(screen.get_by_role("dialog")).to_be_hidden()
    expect(screen.locator("#playbooks").get_by_role("link", name="Second look")).to_be_visible()


# --- playbooks --------------------------------------------------------------------------------------------------------


def test_a_playbook_is_paused_and_the_toast_resumes_it(screen: Page, story: Story) -> None:
    screen.goto(story.path("playbooks/"))
    switch = screen.get_by_role("switch", name="Renewal runway live")
    switch.uncheck()
    expect(screen.get_by_role("status").get_by_text("Renewal runway paused")).to_be_visible()
    screen.get_by_role("button", name="Undo").click()

    expect(screen.get_by_role("status").get_by_text("Renewal runway is live")).to_be_visible()
    expect(switch).to_be_checked()


# --- without scripts --------------------------------------------------------------------------------------------------


def test_without_scripts_the_way_to_a_stop_is_the_same(browser: Browser, story: Story) -> None:
    page = browser.new_context(java_script_enabled=False).new_page()
    sign_in(page, story, "jonah")
    page.goto(story.path("accounts/"))
    cell(page).click()
    page.get_by_role("link", name="Stop playbook").click()
    page.get_by_label("Note").fill("By hand")
    page.get_by_role("button", name="Stop playbook").click()

    expect(page.get_by_text("“By hand”").first).to_be_visible()
    expect(page.get_by_role("heading", name="Harbourline Logistics")).to_be_visible()
    page.context.close()
