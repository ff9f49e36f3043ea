"""A draft in a real browser: from a playbook to the inbox, edited, and out by a real mail server; stopped, never."""

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
from tests.playbooks.test_conversations import enroll, writing
from tests.world import Workspace, account, tick, user, workspace

from .test_shell import violations

pytestmark = pytest.mark.django_db(transaction=True)


@dataclass(slots=True)
class Inbox:
    page: Page
    orbiton: Workspace
    to_be_stopped: str  # the address of its stop

    def states(self) -> list[str]:
        with tenant_context(self.orbiton.tenant.pk):
            return sorted(Conversation.objects.values_list("state", flat=True))


def soon() -> datetime:
    return datetime.now(UTC) + timedelta(seconds=2)


@pytest.fixture
def inbox(page: Page, live_server: LiveServer) -> Inbox:
    """Two drafts that wait for three days."""
    orbiton, now = workspace("orbiton"), datetime.now(UTC)
    with tenant_context(orbiton.tenant.pk):
        playbook = writing(review_hours=72, subject="Order form of {{ account.name }}", body="Hi Ines")
        for name in ("Harbourline", "Ostrel"):
            at = account(name, csm=orbiton.priya)
            user(f"Ines {name}", at, role="owner")
            last = enroll(playbook, at, now=now)
        tick(now=now)
    client = Client()
    client.force_login(orbiton.priya.user)
    page.context.add_cookies([{"name": "session", "value": client.cookies["session"].value, "url": live_server.url}])
    here = f"{live_server.url}/w/orbiton/playbooks"
    page.goto(f"{here}/conversations/")
    return Inbox(page, orbiton, f"{here}/enrollments/{last.pk}/stop/")


def test_a_draft_is_edited_sent_and_arrives_and_one_that_was_stopped_never_leaves(
    inbox: Inbox, settings: Settings
) -> None:
    page = inbox.page
    page.get_by_role("link", name="Order form of Harbourline").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Message").fill("Dear Ines, here it is.")
    dialog.get_by_role("button", name="Send now").click()
    expect(page.get_by_text("It is on its way")).to_be_visible()
    page.goto(inbox.to_be_stopped)
    page.get_by_role("button", name="Stop playbook").click()
    expect(page.get_by_text("stopped").first).to_be_visible()

    with serving(settings, Server()) as server:
        tick(now=soon())
        tick(now=soon() + timedelta(days=4))

    (arrived,) = [mail_in(envelope) for envelope in server.taken]
    assert text_of(arrived).strip() == "Dear Ines, here it is."
    assert "/unsubscribe/" in arrived["List-Unsubscribe"]
    assert inbox.states() == ["cancelled", "sent"]


def test_several_are_chosen_and_decided_together(inbox: Inbox) -> None:
    page = inbox.page
    for name in ("Harbourline", "Ostrel"):
        page.get_by_role("checkbox", name=f"Choose: Order form of {name}").check()
    assert violations(page) == []
    page.get_by_role("button", name="Do not send").click()

    expect(page.get_by_text("2 messages will not be sent")).to_be_visible()
    expect(page.get_by_text("No message waits")).to_be_visible()
    assert inbox.states() == ["cancelled", "cancelled"]
