"""The accounts table set up in a real browser: columns chosen, moved and resized, kept as a view, found again."""

import re
from collections.abc import Iterator

import pytest
from django.test import Client
from playwright.sync_api import Browser, Page, expect
from pytest_django.live_server_helper import LiveServer

from cs_platform.tenancy.context import tenant_context
from tests.world import Workspace, account, workspace

from .test_shell import violations

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def orbiton(transactional_db: None) -> Workspace:
    orbiton = workspace("orbiton")
    with tenant_context(orbiton.tenant.pk):
        for n in range(3):
            account(f"Calyx {n}", plan="Starter", mrr_cents=10_000 * n)
    return orbiton


@pytest.fixture
def desk(orbiton: Workspace, live_server: LiveServer, browser: Browser) -> Iterator[Page]:
    client = Client()
    client.force_login(orbiton.priya.user)
    context = browser.new_context(viewport={"width": 1440, "height": 900}, base_url=live_server.url)
    context.add_cookies([{"name": "session", "value": client.cookies["session"].value, "url": live_server.url}])
    page = context.new_page()
    page.goto("/w/orbiton/accounts/")
    yield page
    context.close()


def width_of(page: Page) -> int:
    style = page.locator("th[data-column=plan]").get_attribute("style") or ""
    return int(style.removeprefix("--w:").strip(" ;"))


def test_columns_are_chosen_moved_resized_and_kept_as_a_view(desk: Page) -> None:
    desk.get_by_role("button", name="Columns").click()
    desk.get_by_placeholder("Find a column").fill("trial")
    desk.get_by_label("Trial end", exact=True).check()
    desk.get_by_placeholder("Find a column").fill("")
    grip = desk.get_by_role("button", name="Move Plan")
    for _step in range(3):
        grip.press("ArrowUp")
    expect(desk.locator("[data-moved]")).to_contain_text("Plan:")
    desk.get_by_role("button", name="Show columns").click()
    expect(desk.locator("th[data-column=trial_end_on]")).to_be_visible()
    order = [head.get_attribute("data-column") for head in desk.locator("th[data-column]").all()]
    assert order[5:7] == ["plan", "open_ctas"]

    head = desk.locator("th[data-column=plan]")
    edge = head.bounding_box()
    assert edge is not None
    desk.mouse.move(edge["x"] + edge["width"] - 1, edge["y"] + 10)
    desk.mouse.down()
    desk.mouse.move(edge["x"] + 200, edge["y"] + 10)
    desk.mouse.up()
    desk.wait_for_url(re.compile("width=plan"))
    dragged = width_of(desk)
    desk.locator("th[data-column=plan] .th-btn").press("Shift+ArrowLeft")
    desk.wait_for_url(re.compile(f"width=plan%3A{dragged - 10}$"))

    save = desk.get_by_role("link", name="Save view")
    expect(save).to_have_attribute("href", re.compile(rf"width=plan(:|%3A){dragged - 10}\b"))
    save.click()
    desk.get_by_label("Name").fill("Plans first")
    desk.locator("#dialog").get_by_role("button", name="Save view").click()
    view = desk.locator("main").get_by_role("link", name=re.compile(r"^Plans first( \d+)?$"))
    expect(view).to_have_attribute("aria-current", "page")

    desk.goto("/w/orbiton/accounts/")
    view.click()
    desk.wait_for_url(re.compile("view="))
    assert width_of(desk) == dragged - 10
    assert [head.get_attribute("data-column") for head in desk.locator("th[data-column]").all()] == order
    assert violations(desk) == []


def test_rows_are_selected_by_key_and_by_range(desk: Page) -> None:
    desk.keyboard.press("j")
    desk.keyboard.press("x")
    expect(desk.locator("[data-count]")).to_have_text("1 selected")
    desk.keyboard.press("j")
    desk.keyboard.press("j")
    desk.keyboard.press("Shift+X")
    expect(desk.locator("[data-count]")).to_have_text("3 selected")
    assert violations(desk) == []
    desk.keyboard.press("Escape")
    expect(desk.locator("[data-bulk]")).to_be_hidden()


def test_low_rows_leave_every_other_button_what_it_was(desk: Page) -> None:
    compact = desk.get_by_role("button", name="Compact rows")
    compact.click()
    expect(desk.locator("html")).to_have_attribute("data-density", "compact")
    expect(compact).to_have_attribute("aria-pressed", "true")
    desk.get_by_role("button", name=re.compile("Columns")).click()

    expect(desk.get_by_role("searchbox", name="Find a column")).to_be_visible()
    expect(desk.locator("html")).to_have_attribute("data-density", "compact")
