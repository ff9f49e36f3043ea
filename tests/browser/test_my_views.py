"""The numbers beside the views in the sidebar, in a real browser: asked for once a minute, never seen to flicker."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client
from playwright.sync_api import Browser, BrowserContext, Page, expect
from pytest_django.live_server_helper import LiveServer

from cs_platform.dashboard import saved_views as pages
from cs_platform.tenancy.context import tenant_context
from cs_platform.tenancy.models import Membership
from cs_platform.workspace import view_counts
from cs_platform.workspace.saved_views import Setup, save_view
from tests.world import MONDAY, Workspace, account, workspace

from .test_shell import violations

pytestmark = pytest.mark.django_db(transaction=True)

LONG = "Renewing in ninety days and not heard of since the summer"
# What stands beside the view and where, in every frame of a page, the first one included.
WATCH = """
window.seen = [];
(function look() {
  const place = document.querySelector("[id^='tally-view-']");
  const label = place?.previousElementSibling.getBoundingClientRect();
  if (place) seen.push([place.textContent, label.left, label.top, label.width].join());
  requestAnimationFrame(look);
})();
"""


@pytest.fixture
def orbiton(transactional_db: None) -> Workspace:
    orbiton = workspace("orbiton")
    with tenant_context(orbiton.tenant.pk):
        account("Calyx", csm=orbiton.priya)
        account("Harbourline")
        book: dict[str, Any] = {"page": "accounts", "setup": Setup("csm=me", {}), "now": MONDAY}
        save_view(name=LONG, owner=orbiton.olga, is_shared=True, **book)
    return orbiton


@pytest.fixture(autouse=True)
def unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine is no fault of the page."""
    monkeypatch.setattr(view_counts, "LIMIT_MS", 20_000)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Membership]:
    """Who was told numbers by the server; the browser's own memory does not come here."""
    found: list[Membership] = []
    usual = pages.count_views

    def count(*args: Any, **kwargs: Any) -> Any:
        found.append(kwargs["member"])
        return usual(*args, **kwargs)

    monkeypatch.setattr(pages, "count_views", count)
    return found


@pytest.fixture
def context(orbiton: Workspace, live_server: LiveServer, browser: Browser) -> Iterator[BrowserContext]:
    context = browser.new_context(
        viewport={"width": 1440, "height": 900}, base_url=live_server.url, reduced_motion="reduce"
    )
    context.add_init_script(WATCH)
    sign_in(context, orbiton.priya, live_server.url)
    yield context
    context.close()


def sign_in(context: BrowserContext, member: Membership, url: str) -> None:
    client = Client()
    client.force_login(member.user)
    context.add_cookies([{"name": "session", "value": client.cookies["session"].value, "url": url}])


def number(page: Page) -> Any:
    return page.locator("[id^=tally-view-]")


def frames(page: Page) -> set[str]:
    """The different ones."""
    return set(page.evaluate("() => new Promise((done) => setTimeout(() => done(window.seen), 300))"))


def test_a_number_comes_without_moving_its_neighbours_and_stays_from_page_to_page(
    context: BrowserContext, asked: list[Membership]
) -> None:
    page = context.new_page()
    page.goto("/w/orbiton/accounts/")
    expect(number(page)).to_have_text("1 account")
    expect(page.get_by_role("link", name=f"{LONG} 1 account")).to_be_visible()
    assert violations(page) == []
    places = {frame.partition(",")[2] for frame in frames(page)}
    assert len(places) == 1

    for address in ("ctas/", "users/", "accounts/"):
        page.goto(f"/w/orbiton/{address}")
        seen = frames(page)
        assert {frame.partition(",")[0] for frame in seen} == {"1 account"}
        assert {frame.partition(",")[2] for frame in seen} == places
    assert len(asked) == 1


def test_another_person_in_the_same_browser_is_never_shown_the_numbers_of_the_one_before(
    context: BrowserContext, orbiton: Workspace, live_server: LiveServer, asked: list[Membership]
) -> None:
    page = context.new_page()
    page.goto("/w/orbiton/users/")
    expect(number(page)).to_have_text("1 account")
    sign_in(context, orbiton.tom, live_server.url)
    page.goto("/w/orbiton/users/")
    expect(number(page)).to_have_text("0 accounts")

    assert {frame.partition(",")[0] for frame in frames(page)} == {"", "0 accounts"}
    assert asked == [orbiton.priya, orbiton.tom]


def test_a_phone_whose_bar_has_no_views_asks_for_no_numbers(context: BrowserContext, asked: list[Membership]) -> None:
    page = context.new_page()
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto("/w/orbiton/users/")
    frames(page)
    expect(number(page)).to_be_hidden()

    assert asked == []


def test_a_builder_whose_sidebar_is_folded_still_says_them_to_who_hears_the_page(
    context: BrowserContext, orbiton: Workspace, live_server: LiveServer
) -> None:
    sign_in(context, orbiton.olga, live_server.url)
    page = context.new_page()
    page.goto("/w/orbiton/playbooks/")
    page.get_by_role("link", name="New playbook").first.click()
    page.get_by_label("Name").fill("Rescue")
    page.get_by_role("button", name="Start from scratch").click()
    expect(page.locator(".wizard")).to_be_visible()

    expect(page.get_by_role("link", name=f"{LONG} 0 accounts")).to_be_attached()
