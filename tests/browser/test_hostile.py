"""Pages full of what would like to be executed, in a real browser: no dialog, and nothing the policy had to stop."""

import pytest
from django.test import Client
from django.urls import reverse
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from cs_platform.tenancy.context import tenant_context
from tests.hostile.corpus import MARKUP, RAN
from tests.tenancy.story import DRAWN, Story, tell
from tests.world import Workspace, workspace

pytestmark = pytest.mark.django_db(transaction=True)

# One of each kind of page; the walk of tests/hostile/ reads them all.
PAGES = {
    "accounts:list": "",
    "accounts:detail": "account",
    "accounts:raise": "account",
    "users:list": "",
    "users:detail": "end_user",
    "ctas:cockpit": "",
    "ctas:snooze": "cta",
    "segments:detail": "segment",
    "health:page": "",
    "nps:report": "",
    "playbooks:detail": "playbook",
    "playbooks:stop": "enrollment",
    "traits:detail": "stage",
    "imports:detail": "csv_import",
    "jobs:detail": "job",
    "sources:detail": "source",
    "connectors:list": "",
    "connectors:detail": "connector",
    "dashboard:audit": "",
}


@pytest.fixture
def told(live_server: LiveServer) -> tuple[Workspace, Story]:
    home = workspace("orbiton")
    with tenant_context(home.tenant.pk):
        return home, tell(home, mark=f"{MARKUP[1]}</textarea></title>{MARKUP[0]}")


@pytest.fixture
def complaints(page: Page) -> list[str]:
    """Dialogs, and what the browser says of the policy."""
    said: list[str] = []
    page.add_init_script(f"window.{RAN} = () => alert('{RAN}')")
    page.on("dialog", lambda dialog: (said.append(dialog.message), dialog.dismiss()))
    page.on("console", lambda message: said.append(message.text) if "Content Security" in message.text else None)
    page.on("pageerror", lambda error: said.append(str(error)))
    return said


@pytest.mark.walk
def test_nothing_of_it_runs(
    page: Page, live_server: LiveServer, told: tuple[Workspace, Story], complaints: list[str]
) -> None:
    home, story = told
    client = Client()
    client.force_login(home.olga.user)
    page.context.add_cookies([{"name": "session", "value": client.cookies["session"].value, "url": live_server.url}])
    addresses = [_address(route, name, story) for route, name in PAGES.items()]
    addresses += [f"{addresses[0]}?{drawer}={story[name].pk}" for drawer, name in DRAWN.items()]

    shown = 0
    for address in addresses:
        answer = page.goto(live_server.url + address)
        expect(page.locator(".htmx-request")).to_have_count(0)  # what loads by itself, too
        assert (answer.status if answer else 0, complaints) == (200, []), address
        shown += RAN in page.inner_text("body")
    assert shown > 12


def _address(name: str, about: str, story: Story) -> str:
    ids = {"pk": story[about].pk} if about else {}
    return reverse(name, kwargs={"slug": "orbiton", **ids})
