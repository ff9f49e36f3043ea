"""The accounts table set up in a real browser: columns chosen, moved and resized, kept as a view, found again."""

import re
from collections.abc import Iterator

import pytest
from django.test import Client
from playwright.sync_api import Browser, Page, expect
from pytest_django.live_server_helper import LiveServer

from cs_platform.tenancy.context import tenant_context
from cs_platform.workspace.saved_views import Setup, save_view
from tests.world import MONDAY, Workspace, account, live, playbook_json, raise_risk, workspace

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


# In one go: the list may be shown anew at any moment.
EDGE = """([column, scrolled]) => {
    if (scrolled !== null) document.querySelector(".table-wrap").scrollTo(scrolled, 0);
    const at = [...document.querySelectorAll("thead th")].findIndex((head) => head.dataset.column === column);
    return document.querySelector(`tbody tr:first-child td:nth-child(${at + 1})`).getBoundingClientRect().x;
}"""


def edge_of(page: Page, column: str, *, scrolled: int | None = None) -> float:
    return float(page.evaluate(EDGE, [column, scrolled]))


def place_of(page: Page, column: str) -> int:
    heads = page.locator("thead th").evaluate_all("heads => heads.map((head) => head.dataset.column)")
    return int(heads.index(column))


def test_a_column_pinned_by_keys_stays_beside_the_name_until_it_is_unpinned(desk: Page, orbiton: Workspace) -> None:
    with tenant_context(orbiton.tenant.pk):
        key = f"playbook:{live(playbook_json(steps=[raise_risk(1)]), now=MONDAY).pk}"
    desk.goto("/w/orbiton/accounts/?view=all&width=last_seen_at:640&width=csm:640")
    head = desk.locator(f"th[data-column='{key}'] .th-btn")
    head.press("Enter")
    desk.get_by_role("link", name="Pin column").press("Enter")
    desk.wait_for_url(re.compile("pin="))
    expect(head).to_be_focused()
    name, pinned = edge_of(desk, "name"), edge_of(desk, key)
    assert place_of(desk, key) == place_of(desk, "name") + 1
    assert (edge_of(desk, "name", scrolled=400), edge_of(desk, key)) == (name, pinned)
    assert violations(desk) == []

    name_head = desk.locator("th[data-column=name] .th-btn")
    narrower = desk.locator("table").element_handle()
    name_head.press("Shift+ArrowRight")
    expect(desk.locator(f"th[data-column='{key}']")).to_have_attribute("style", re.compile("--at: 266"))
    desk.wait_for_url(re.compile("width=name"))
    narrower.wait_for_element_state("hidden")  # a moment after it was kept, the list is shown anew
    assert edge_of(desk, key, scrolled=400) == pinned + 10

    head.press("Enter")
    desk.get_by_role("link", name="Unpin column").press("Enter")
    expect(desk.locator("th.pinned")).to_have_count(0)
    loose = edge_of(desk, key, scrolled=0)
    assert edge_of(desk, key, scrolled=400) == loose - 400


def test_what_is_pinned_leaves_room_for_all_else_and_is_a_line_of_its_own_on_a_phone(desk: Page) -> None:
    desk.goto("/w/orbiton/accounts/?view=all&pin=plan&pin=arr&width=plan:200&width=arr:640&width=csm:640")
    plan, arr = edge_of(desk, "plan"), edge_of(desk, "arr")
    assert (edge_of(desk, "plan", scrolled=400), edge_of(desk, "arr")) == (plan, arr - 400)

    desk.set_viewport_size({"width": 390, "height": 844})
    expect(desk.get_by_text("Starter").first).to_be_visible()
    assert desk.evaluate("document.documentElement.scrollWidth") == 390
    assert violations(desk) == []


def test_columns_are_saved_to_the_view_in_force_from_their_menu(desk: Page, orbiton: Workspace) -> None:
    with tenant_context(orbiton.tenant.pk):
        setup = Setup("csm=any&column=plan&column=arr", {})
        view = save_view(page="accounts", name="Plans", setup=setup, owner=orbiton.priya, is_shared=False, now=MONDAY)
    desk.goto(f"/w/orbiton/accounts/?view={view.pk}")
    desk.get_by_role("button", name="Columns").click()
    desk.get_by_label("Health", exact=True).check()
    desk.get_by_label("Pin ARR").press("Space")
    desk.get_by_role("button", name="Save to view").press("Enter")
    expect(desk.get_by_text("Columns saved to the view Plans")).to_be_visible()

    with tenant_context(orbiton.tenant.pk):
        view.refresh_from_db()
    assert view.params == "csm=any&column=plan&column=arr&column=health&pin=arr"
    desk.goto(f"/w/orbiton/accounts/?view={view.pk}")
    assert [head.get_attribute("data-column") for head in desk.locator("th[data-column]").all()] == [
        "name",
        "arr",
        "plan",
        "health",
    ]


def test_where_no_view_is_in_force_chosen_columns_are_saved_under_a_new_name(desk: Page, orbiton: Workspace) -> None:
    desk.get_by_role("button", name="Columns").click()
    desk.get_by_label("Trial end", exact=True).check()
    desk.get_by_role("button", name="Save to view").click()
    desk.get_by_label("Name").fill("Trials")
    desk.locator("#dialog").get_by_role("button", name="Save view").click()
    desk.wait_for_url(re.compile("view="))

    expect(desk.locator("th[data-column=trial_end_on]")).to_be_visible()


def test_the_tab_in_force_is_in_sight_on_a_phone(desk: Page, orbiton: Workspace) -> None:
    with tenant_context(orbiton.tenant.pk):
        setup = Setup("csm=any", {})
        view = save_view(page="accounts", name="Far out", setup=setup, owner=orbiton.priya, is_shared=False, now=MONDAY)
    desk.set_viewport_size({"width": 390, "height": 844})
    desk.goto(f"/w/orbiton/accounts/?view={view.pk}")

    expect(desk.locator(".tabs").get_by_role("link", name="Far out")).to_be_in_viewport()


def test_an_export_takes_the_list_as_it_is_filtered_now(desk: Page, orbiton: Workspace) -> None:
    desk.context.clear_cookies()
    client = Client()
    client.force_login(orbiton.maya.user)
    desk.context.add_cookies([{"name": "session", "value": client.cookies["session"].value, "url": desk.url}])
    desk.goto("/w/orbiton/accounts/?view=all&column=plan")
    desk.get_by_role("searchbox", name="Search accounts").fill("Calyx 2")
    desk.wait_for_url(re.compile("q=Calyx"))
    expect(desk.locator("tbody tr")).to_have_count(1)
    desk.get_by_role("button", name="Export").press("Enter")

    expect(desk.get_by_role("heading", name="Export 1 account as CSV")).to_be_visible()
    expect(desk.locator("#dialog")).to_contain_text("Account, Plan")


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
