"""The shell in a real browser: keys, drawer, dialog, toast, menus, themes; no violation of CSP or WCAG anywhere."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.test import Client
from django.urls import reverse
from playwright.sync_api import Page, expect
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer

from cs_platform.tenancy.context import tenant_context
from cs_platform.workspace.invitations import invite, new_token
from tests.world import workspace

from .gallery import TEMPLATES

pytestmark = pytest.mark.django_db(transaction=True)

WCAG = {"preload": False, "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}


@pytest.fixture
def complaints(page: Page) -> Iterator[list[str]]:
    """What the console said; the browser reports a refused script or style there."""
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: said.append(str(error)))
    yield said
    assert said == []


@pytest.fixture
def gallery(page: Page, live_server: LiveServer, settings: Settings, complaints: list[str]) -> Page:
    settings.ROOT_URLCONF = "tests.browser.gallery"
    settings.TEMPLATES = [settings.TEMPLATES[0] | {"DIRS": [*settings.TEMPLATES[0]["DIRS"], TEMPLATES]}]
    client = Client()
    client.force_login(workspace("orbiton").priya.user)
    session = client.cookies["session"].value
    page.context.add_cookies([{"name": "session", "value": session, "url": live_server.url}])
    page.goto(f"{live_server.url}/w/orbiton/gallery/")
    return page


def violations(page: Page) -> list[str]:
    found = Axe().run(page, options=WCAG).response["violations"]
    return [f"{one['id']}: {one['nodes'][0]['html']}" for one in found]


@pytest.mark.parametrize("width", [1440, 390])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_components_are_accessible(gallery: Page, theme: str, width: int) -> None:
    gallery.set_viewport_size({"width": width, "height": 900})
    gallery.emulate_media(color_scheme=theme, reduced_motion="reduce")  # type: ignore[arg-type]
    gallery.get_by_role("link", name="Renewal runway, open history").first.click()
    expect(gallery.get_by_role("heading", name="Renewal runway")).to_be_focused()

    assert violations(gallery) == []


def test_the_sign_in_page_is_accessible(page: Page, live_server: LiveServer, complaints: list[str]) -> None:
    page.goto(f"{live_server.url}/account/login/")

    assert violations(page) == []


def test_a_person_signs_in_and_out(page: Page, live_server: LiveServer, complaints: list[str]) -> None:
    workspace("orbiton")
    workspace("halyard")
    page.goto(f"{live_server.url}/workspaces/")
    page.get_by_label("Email").fill("priya@orbiton.example")
    page.get_by_label("Password").fill("correct horse battery")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("link", name="Orbiton")).to_be_visible()
    page.get_by_role("button", name="Sign out").click()

    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


def test_somebody_who_was_invited_joins(page: Page, live_server: LiveServer, complaints: list[str]) -> None:
    space, now = workspace("orbiton"), datetime.now(UTC)
    with tenant_context(space.tenant.pk):
        token = new_token(invite(email="nina@orbiton.example", role="csm", team=None, by=space.jonah, now=now))
    page.goto(live_server.url + reverse("join", args=[token]))
    page.get_by_label("Name").fill("Nina Ray")
    page.get_by_label("Password").fill("correct horse battery")
    page.get_by_role("button", name="Join Orbiton").click()

    expect(page.get_by_text("Nina Ray").first).to_be_visible()


def test_a_drawer_has_an_address_and_gives_the_focus_back(gallery: Page) -> None:
    opener = gallery.get_by_role("link", name="Renewal runway, open history").first
    opener.click()
    expect(gallery.get_by_role("heading", name="Renewal runway")).to_be_focused()
    assert gallery.url.endswith("/gallery/?history=1")
    gallery.keyboard.press("Escape")

    expect(gallery.get_by_role("complementary", name="Details")).to_be_hidden()
    expect(opener).to_be_focused()
    assert gallery.url.endswith("/gallery/?")


def test_a_link_that_htmx_has_not_taken_up_yet_opens_its_drawer_all_the_same(gallery: Page) -> None:
    opener = gallery.get_by_role("link", name="Renewal runway, open history").first
    opener.evaluate("link => { link.replaceWith(link.cloneNode()); window.stays = true }")
    gallery.locator("a:empty[hx-get]").evaluate("link => { delete link.dataset.htmxPowered; link.click() }")

    expect(gallery.get_by_role("heading", name="Renewal runway")).to_be_focused()
    assert gallery.evaluate("window.stays")


def test_the_address_of_a_drawer_opens_it_with_its_page(gallery: Page) -> None:
    gallery.goto(gallery.url + "?history=1")

    expect(gallery.get_by_role("heading", name="Renewal runway")).to_be_visible()
    expect(gallery.get_by_role("heading", name="Gallery")).to_be_visible()


def test_back_closes_the_drawer(gallery: Page) -> None:
    gallery.get_by_role("link", name="Renewal runway, open history").first.click()
    expect(gallery.get_by_role("heading", name="Renewal runway")).to_be_visible()
    gallery.go_back()

    expect(gallery.get_by_role("complementary", name="Details")).to_be_hidden()


def test_a_dialog_keeps_what_was_wrong_and_closes_when_it_is_right(gallery: Page, complaints: list[str]) -> None:
    gallery.get_by_role("button", name="New note").click()
    dialog = gallery.get_by_role("dialog", name="New note?")
    dialog.get_by_role("textbox").evaluate("field => field.required = false")
    dialog.get_by_role("button", name="Keep note").click()
    expect(dialog.get_by_text("This field is required.")).to_be_visible()
    expect(dialog.get_by_role("textbox")).to_be_focused()
    assert violations(gallery) == []
    complaints.clear()  # the browser logs every 422, and axe trips over the policy
    dialog.get_by_role("textbox").fill("Call Ines")
    dialog.get_by_role("button", name="Keep note").click()

    expect(dialog).to_be_hidden()
    expect(gallery.get_by_role("status").get_by_text("Note kept")).to_be_visible()


def test_a_toast_takes_back_what_it_reports(gallery: Page) -> None:
    gallery.get_by_role("button", name="New note").click()
    gallery.get_by_role("dialog").get_by_role("textbox").fill("Call Ines")
    gallery.get_by_role("button", name="Keep note").click()
    gallery.get_by_role("button", name="Undo").click()

    expect(gallery.get_by_role("status").get_by_text("Note taken back")).to_be_visible()
    expect(gallery.get_by_text("Note kept")).to_be_hidden()


def test_a_part_that_crashes_says_so_in_its_place(gallery: Page, complaints: list[str]) -> None:
    gallery.get_by_role("button", name="Load a part").click()

    expect(gallery.get_by_role("alert").get_by_text("This part did not load")).to_be_visible()
    expect(gallery.get_by_role("link", name="Try again")).to_be_visible()
    complaints.clear()  # the browser logs every 500


def test_rows_are_walked_and_selected_with_keys(gallery: Page) -> None:
    for key in ("j", "j", "x", "k", "Shift+X"):
        gallery.keyboard.press(key)
    expect(gallery.get_by_role("link", name="Solmar Energy")).to_be_focused()
    expect(gallery.get_by_text("2 selected")).to_be_visible()
    gallery.keyboard.press("Escape")

    expect(gallery.get_by_role("toolbar", name="Selected accounts")).to_be_hidden()


def test_letters_typed_into_a_field_are_text(gallery: Page) -> None:
    gallery.keyboard.press("/")
    gallery.keyboard.type("jx")

    expect(gallery.get_by_role("searchbox", name="Search")).to_have_value("jx")


def test_single_letters_can_be_switched_off(gallery: Page) -> None:
    gallery.keyboard.press("?")
    gallery.get_by_role("switch", name="Single-letter shortcuts").uncheck()
    gallery.keyboard.press("Escape")
    gallery.keyboard.press("?")

    expect(gallery.get_by_role("dialog", name="Keyboard shortcuts")).to_be_hidden()


def test_a_menu_opens_beside_its_button_and_is_walked_with_arrows(gallery: Page) -> None:
    button = gallery.get_by_role("button", name="More")
    button.focus()
    gallery.keyboard.press("Enter")
    menu = gallery.locator("#more")
    expect(menu).to_be_visible()
    place, start = menu.bounding_box(), button.bounding_box()
    assert place is not None
    assert start is not None
    assert abs(place["x"] + place["width"] - start["x"] - start["width"]) < 2
    gallery.keyboard.press("Escape")

    expect(menu).to_be_hidden()
    expect(button).to_be_focused()


def test_a_theme_changes_at_once_and_stays(gallery: Page) -> None:
    gallery.get_by_role("button", name="Priya Raman").click()
    with gallery.expect_response("**/preferences/"):
        gallery.get_by_text("Dark", exact=True).click()
    expect(gallery.locator("html")).to_have_attribute("data-theme", "dark")
    gallery.reload()

    expect(gallery.locator("html")).to_have_attribute("data-theme", "dark")


def test_the_workspaces_are_fetched_when_asked_for(gallery: Page) -> None:
    gallery.locator(".workspace").click()

    expect(gallery.locator("#workspaces").get_by_role("link", name="Orbiton")).to_be_visible()
