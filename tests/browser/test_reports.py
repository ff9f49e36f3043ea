"""The head of reports in a real browser: its menus by key, its files, and both without scripts."""

import pytest
from django.test import Client
from playwright.sync_api import Browser, BrowserContext, Page, expect
from pytest_django.live_server_helper import LiveServer

from cs_platform.tenancy.context import tenant_context
from tests.world import Workspace, account, workspace

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def orbiton(transactional_db: None) -> Workspace:
    orbiton = workspace("orbiton")
    with tenant_context(orbiton.tenant.pk):
        account("Calyx", csm=orbiton.priya)
    return orbiton


def sign_in(context: BrowserContext, space: Workspace, address: str) -> None:
    client = Client()
    client.force_login(space.omar.user)
    context.add_cookies([{"name": "session", "value": client.cookies["session"].value, "url": address}])


def test_a_period_is_chosen_by_key_and_the_focus_stays_with_its_button(
    page: Page, live_server: LiveServer, orbiton: Workspace
) -> None:
    sign_in(page.context, orbiton, live_server.url)
    page.goto(f"{live_server.url}/w/orbiton/reports/renewals/")
    page.get_by_role("button", name="Last 12 months").press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")

    expect(page.get_by_role("button", name="Last 3 months")).to_be_focused()
    expect(page).to_have_url(f"{live_server.url}/w/orbiton/reports/renewals/?months=3")
    page.get_by_role("link", name="Overview").click()
    expect(page.get_by_role("button", name="Last 3 months")).to_be_visible()


def test_a_file_of_the_menu_is_of_the_people_and_the_time_that_are_chosen(
    page: Page, live_server: LiveServer, orbiton: Workspace
) -> None:
    sign_in(page.context, orbiton, live_server.url)
    page.goto(f"{live_server.url}/w/orbiton/reports/?months=6")
    page.get_by_role("button", name="Whole team").click()
    page.get_by_role("link", name="Priya Raman").first.click()
    expect(page.get_by_role("button", name="Priya Raman")).to_be_visible()
    page.get_by_role("button", name="Export").click()
    with page.expect_download() as download:
        page.get_by_role("link", name="Book by CSM").click()

    assert download.value.url.endswith(f"reports/books.csv?months=6&csm={orbiton.priya.pk}")


def test_a_bar_of_a_table_is_whole_and_long_enough_on_a_phone(
    page: Page, live_server: LiveServer, orbiton: Workspace
) -> None:
    with tenant_context(orbiton.tenant.pk):
        account("Veridane", csm=orbiton.priya, health=20.0)
    sign_in(page.context, orbiton, live_server.url)
    page.set_viewport_size({"width": 390, "height": 844})
    for tab, name in (("", "Book by CSM"), ("plans/", "Accounts with and without a plan")):
        page.goto(f"{live_server.url}/w/orbiton/reports/{tab}")
        bar = page.get_by_role("region", name=name).locator(".stackbar, .versus > span").first.bounding_box()

        assert bar
        assert bar["width"] >= 96
        assert bar["x"] + bar["width"] < 390


def test_without_scripts_a_menu_opens_at_its_button_and_leads_on(
    browser: Browser, live_server: LiveServer, orbiton: Workspace
) -> None:
    context = browser.new_context(java_script_enabled=False)
    sign_in(context, orbiton, live_server.url)
    page = context.new_page()
    page.goto(f"{live_server.url}/w/orbiton/reports/")
    button = page.get_by_role("button", name="Whole team")
    button.click()
    opened, menu = button.bounding_box(), page.locator("#report-people").bounding_box()
    assert opened
    assert menu
    assert menu["y"] >= opened["y"] + opened["height"]
    assert abs(menu["x"] + menu["width"] - opened["x"] - opened["width"]) < 2
    page.locator("#report-people").get_by_role("link", name="Priya Raman").click()

    expect(page.get_by_role("button", name="Priya Raman")).to_be_visible()
    context.close()
