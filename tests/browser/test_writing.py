"""A letter written by keys alone, in a real browser: out by a real mail server, or taken back in time."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client
from playwright.sync_api import Page, expect
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer

from accounts.models import Conversation
from cs_platform.tenancy.context import tenant_context
from tests.connectors.mailserver import Server, mail_in, serving, text_of
from tests.world import Workspace, account, tick, user, workspace

from .test_shell import violations

pytestmark = pytest.mark.django_db(transaction=True)


@dataclass(slots=True)
class Desk:
    page: Page
    orbiton: Workspace

    def state(self) -> str:
        with tenant_context(self.orbiton.tenant.pk):
            return Conversation.objects.get().state

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)


@pytest.fixture
def desk(page: Page, live_server: LiveServer) -> Desk:
    orbiton, now = workspace("orbiton"), datetime.now(UTC)
    with tenant_context(orbiton.tenant.pk):
        at = account("Harbourline", csm=orbiton.priya, ae=orbiton.tom)
        user("Ines Ray", at, role="owner")
        user("Una Unsub", at, unsubscribed_at=now)
    client = Client()
    client.force_login(orbiton.priya.user)
    page.context.add_cookies([{"name": "session", "value": client.cookies["session"].value, "url": live_server.url}])
    page.goto(f"{live_server.url}/w/orbiton/accounts/{at.pk}/")
    page.get_by_role("link", name="Start conversation").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog").get_by_label("Subject")).to_be_focused()
    return Desk(page, orbiton)


def test_a_letter_is_written_by_keys_and_arrives(desk: Desk, settings: Settings) -> None:
    page, dialog = desk.page, desk.page.get_by_role("dialog")
    assert violations(page) == []
    expect(dialog.locator("option", has_text="Una Unsub")).to_be_disabled()

    page.keyboard.type("Your renewal")
    desk.press("Enter")  # in the subject it sends nothing
    desk.press("Tab")
    page.keyboard.type("Dear Ines,\n\nshall we talk?")
    desk.press("Tab", "Tab", "Tab")
    expect(dialog.get_by_role("button", name="Send")).to_be_focused()
    desk.press("Enter")

    expect(page.get_by_text("Sends in a moment")).to_be_visible()
    expect(page.locator("#conversations")).to_contain_text("Your renewal")
    expect(page.get_by_role("link", name="Start conversation")).to_be_focused()
    with serving(settings, Server()) as server:
        tick(now=datetime.now(UTC) + timedelta(seconds=15))
    (arrived,) = [mail_in(envelope) for envelope in server.taken]
    assert (arrived["Subject"], text_of(arrived)) == ("Your renewal", "Dear Ines,\n\nshall we talk?\n")
    page.reload()
    expect(page.locator("#conversations")).to_contain_text("sent")
    expect(page.locator("#timeline")).to_contain_text("Email sent to Ines Ray: Your renewal")


def test_one_that_is_sent_is_taken_back_in_time(desk: Desk) -> None:
    page, dialog = desk.page, desk.page.get_by_role("dialog")
    dialog.get_by_label("Subject").fill("Too quick")
    dialog.get_by_label("Message").fill("Oh no")
    dialog.get_by_role("button", name="Send").click()

    page.get_by_role("button", name="Undo").click()

    expect(page.get_by_text("It will not be sent")).to_be_visible()
    assert desk.state() == "cancelled"


def test_one_is_left_for_review_until_a_moment_that_appears_when_it_is_asked_for(desk: Desk) -> None:
    page, dialog = desk.page, desk.page.get_by_role("dialog")
    expect(dialog.get_by_label("Until", exact=True)).to_be_hidden()
    dialog.get_by_label("Subject").fill("For later")
    dialog.get_by_label("Message").fill("Dear Ines")
    dialog.get_by_role("radio", name="Send now").focus()
    desk.press("ArrowRight")
    expect(dialog.get_by_label("Until", exact=True)).to_be_visible()
    assert violations(page) == []

    dialog.get_by_role("button", name="Leave for review").press("Enter")

    expect(page.get_by_text("It waits for review")).to_be_visible()
    page.locator("#conversations").get_by_role("link", name="Review").click()
    expect(dialog.get_by_label("Message")).to_have_value("Dear Ines")
    dialog.get_by_role("button", name="Send now").click()
    expect(page.get_by_text("It is on its way")).to_be_visible()
