"""The survey where it lives: on a customer's page of another origin with a strict content security policy."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest
from django.test import Client
from playwright.sync_api import Locator, Page, expect
from pytest_django.live_server_helper import LiveServer

from accounts.api.survey_limits import USERS, WORKSPACES
from accounts.models import EndUser, NpsResponse, NpsShowing
from accounts.nps.survey import change_survey
from accounts.nps.tokens import issue_token
from cs_platform.tenancy.context import tenant_context
from playbooks.undo import request_stop
from tests.world import Workspace, account, apply_now, days, live, playbook_json, user, workspace

from .test_shell import violations

pytestmark = pytest.mark.django_db(transaction=True)

SHOWN = "How likely are you to recommend us"
HOSTILE = "<img src=x onerror=alert(1)><script>alert(1)</script>"


@dataclass(slots=True)
class Customer:
    """The site of a customer of Orbiton, and who uses it."""

    orbiton: Workspace
    ours: str
    port: int
    tokens: dict[str, str]

    def page(self, who: str, *, host: str = "localhost") -> str:
        return f"http://{host}:{self.port}/{who}"

    @property
    def answers(self) -> list[tuple[int, str]]:
        with tenant_context(self.orbiton.tenant.pk):
            return list(NpsResponse.objects.order_by("pk").values_list("score", "comment"))

    @property
    def showings(self) -> list[bool]:
        """Whether each was closed without an answer."""
        with tenant_context(self.orbiton.tenant.pk):
            return [showing.dismissed_at is not None for showing in NpsShowing.objects.order_by("pk")]


def site(ours: str, tokens: dict[str, str]) -> type[BaseHTTPRequestHandler]:
    policy = f"default-src 'none'; script-src {ours}; connect-src {ours}; require-trusted-types-for 'script'"

    class Site(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            token = tokens.get(self.path.strip("/"), "")
            page = (
                '<!doctype html><html lang="en"><title>Harbourline</title><h1>Harbourline</h1><button>Work</button>'
                f'<script src="{ours}/static/nps.js" data-token="{token}" defer></script></html>'
            )
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Security-Policy", policy)
            self.end_headers()
            self.wfile.write(page.encode())

        def log_message(self, *args: Any) -> None:
            """Says nothing."""

    return Site


@pytest.fixture
def customer(live_server: LiveServer) -> Iterator[Customer]:
    orbiton, tokens = workspace("orbiton"), dict[str, str]()
    server = ThreadingHTTPServer(("localhost", 0), site(live_server.url, tokens))
    port = server.server_address[1]
    for buckets in (USERS, WORKSPACES):
        buckets.clear()
    with tenant_context(orbiton.tenant.pk):
        tokens |= _tokens(now=datetime.now(UTC))
        change_survey(is_on=True, origins=[f"http://localhost:{port}"], by=orbiton.jonah, now=datetime.now(UTC))
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield Customer(orbiton, live_server.url, port, tokens)
    server.shutdown()
    server.server_close()
    thread.join()


def _tokens(*, now: datetime) -> dict[str, str]:
    harbourline, gone = account("Harbourline"), account("Gone", lifecycle="churned")
    people: dict[str, EndUser] = {
        "ines": user("Ines Falk", harbourline, now=now - days(365)),
        "new": user("Nia New", harbourline, now=now - days(3)),
        "churned": user("Cora Left", gone, now=now - days(365)),
    }
    long_ago = now - days(9)
    expired = str(issue_token(people["ines"], None, now=long_ago, life=timedelta(days=1)))
    return {name: str(issue_token(one, None, now=now)) for name, one in people.items()} | {"expired": expired}


@pytest.fixture
def trouble(page: Page) -> list[str]:
    """Whatever the page or its console complains about, dialogs included."""
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("dialog", lambda dialog: (said.append(dialog.message), dialog.dismiss()))
    return said


def survey(page: Page) -> Locator:
    return page.get_by_role("dialog")


def visit(page: Page, address: str) -> None:
    """Until the survey has asked whether it may be shown, and heard."""
    with page.expect_response("**/nps/v1/survey"):
        page.goto(address)


def test_it_appears_is_answered_and_reported(page: Page, customer: Customer, trouble: list[str]) -> None:
    visit(page, customer.page("ines"))
    expect(survey(page).get_by_role("heading", name=SHOWN)).to_be_visible()
    expect(page.get_by_role("button", name="Work")).not_to_be_focused()
    assert violations(page) == []

    page.get_by_role("radio", name="5", exact=True).focus()
    for _ in range(4):
        page.keyboard.press("ArrowRight")
    expect(page.get_by_role("radio", name="9", exact=True)).to_be_checked()
    page.get_by_label("What is the main reason for your score?").fill(HOSTILE)
    assert violations(page) == []
    with page.expect_response("**/nps/v1/answer"):
        page.get_by_role("button", name="Send").click()
    expect(page.get_by_role("status")).to_have_text("Thank you. We read every answer.")
    assert customer.answers == [(9, HOSTILE)]

    visit(page, customer.page("ines"))
    expect(survey(page)).to_have_count(0)

    _sign_in(page, customer)
    page.goto(f"{customer.ours}/w/orbiton/nps/")
    expect(page.get_by_role("cell", name=HOSTILE)).to_be_visible()
    expect(page.get_by_text("+100", exact=True).first).to_be_visible()
    assert violations(page) == []
    assert trouble == []


def _sign_in(page: Page, customer: Customer) -> None:
    client = Client()
    client.force_login(customer.orbiton.maya.user)
    page.context.add_cookies([{"name": "session", "value": client.cookies["session"].value, "url": customer.ours}])


@pytest.mark.parametrize("who", ["new", "churned"])
def test_it_is_not_shown_to_whom_it_should_not_be(page: Page, customer: Customer, trouble: list[str], who: str) -> None:
    visit(page, customer.page(who))
    page.wait_for_load_state("networkidle")
    expect(survey(page)).to_have_count(0)
    assert customer.showings == []
    assert trouble == []


def test_where_so_set_it_is_shown_to_whom_a_playbook_chose_until_it_stops(
    page: Page, customer: Customer, trouble: list[str]
) -> None:
    now = datetime.now(UTC)
    step = {"key": "ask", "day": 1, "action": "show_nps", "config": {"show_to": "everybody"}}
    nobody = {"user": {"field": "role", "op": "is", "value": "nobody"}}
    with tenant_context(customer.orbiton.tenant.pk):
        change_survey(requires_playbook=True, by=customer.orbiton.jonah, now=now)
        ask = live(playbook_json("ask", audience="users", rules=nobody, steps=[step]), now=now)
        ines = EndUser.objects.get(name="Ines Falk")
        at = ines.account_users.get().account
    visit(page, customer.page("ines"))
    expect(survey(page)).to_have_count(0)

    with tenant_context(customer.orbiton.tenant.pk):
        asking = apply_now(ask, at, user=ines, now=now)
    visit(page, customer.page("ines"))
    expect(survey(page)).to_be_visible()

    with tenant_context(customer.orbiton.tenant.pk):
        request_stop(asking, by=customer.orbiton.priya, note="", now=now)
    visit(page, customer.page("ines"))
    expect(survey(page)).to_have_count(0)
    assert trouble == []


@pytest.mark.parametrize(("who", "host"), [("ines", "127.0.0.1"), ("expired", "localhost")])
def test_another_origin_and_an_old_token_see_nothing(page: Page, customer: Customer, who: str, host: str) -> None:
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(customer.page(who, host=host))
    page.wait_for_load_state("networkidle")
    expect(survey(page)).to_have_count(0)
    assert customer.showings == []
    assert errors == []


def test_escape_closes_it_and_it_stays_closed(page: Page, customer: Customer, trouble: list[str]) -> None:
    page.emulate_media(color_scheme="dark", reduced_motion="reduce")
    page.set_viewport_size({"width": 390, "height": 844})
    visit(page, customer.page("ines"))
    expect(survey(page)).to_be_visible()
    assert violations(page) == []
    page.keyboard.press("Escape")  # meant for the page
    expect(survey(page)).to_be_visible()
    page.get_by_role("radio", name="0", exact=True).focus()
    with page.expect_response("**/nps/v1/dismissed"):
        page.keyboard.press("Escape")
    expect(survey(page)).to_have_count(0)
    assert customer.showings == [True]

    visit(page, customer.page("ines"))
    expect(survey(page)).to_have_count(0)
    assert customer.answers == []
    assert trouble == []


def test_a_page_whose_network_blocks_it_is_left_in_peace(page: Page, customer: Customer) -> None:
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.route("**/nps/v1/**", lambda route: route.abort())
    page.goto(customer.page("ines"))
    expect(page.get_by_role("button", name="Work")).to_be_visible()
    page.evaluate("csNps.start(); csNps.start({}); csNps.start({token: 'x'}); csNps.stop()")
    expect(survey(page)).to_have_count(0)
    assert errors == []


def test_the_settings_show_it_as_it_will_look(page: Page, customer: Customer, trouble: list[str]) -> None:
    _sign_in(page, customer)
    page.goto(f"{customer.ours}/w/orbiton/nps/survey/")
    page.get_by_label("Question", exact=True).fill("Would you tell a friend?")
    expect(survey(page).get_by_role("heading", name="Would you tell a friend?")).to_be_visible()
    assert violations(page) == []
    page.get_by_role("button", name="Save survey").click()
    expect(page.get_by_text("Survey saved. It is shown.")).to_be_visible()
    assert trouble == []
