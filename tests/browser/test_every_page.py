"""Every page the resolver knows, filled, in one browser page: read by axe in both themes, and squeezed to a phone.

The server's answers are put into the page one after the other, so a new page is walked the day it is added, and axe is
loaded once. What scripts add to a page is looked at where it is used: test_wizard.py, test_cockpit.py, …
"""

import re
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.test import Client
from django.urls import reverse
from playwright.sync_api import Page
from pytest_django.live_server_helper import LiveServer

from cs_platform.tenancy.context import tenant_context
from tests.tenancy.routes import routes
from tests.tenancy.story import DRAWN, Story, tell
from tests.world import workspace

from .test_shell import WCAG

pytestmark = pytest.mark.django_db(transaction=True)

# Ways a page can look that no address of the resolver names.
MORE = {
    "ctas:cockpit": ["show=board", "show=calendar", "group=account"],
    "playbooks:list": ["tab=drafts", "tab=archived", "tab=task-lists", "tab=activity", "q=nothing+like+it"],
    "playbooks:enrollments": ["show=left_out"],
    "playbooks:draft_rules": ["outcome=1"],
    "accounts:list": ["q=nothing+like+it"],
}
OUTSIDE = ["/workspaces/", "/account/login/", "/account/password/reset/", "/account/password/change/"]
SIGNED_OUT = OUTSIDE[1:3]

FETCH = """
async ([addresses, signedOut]) => {
  window.answers = [];
  for (const address of addresses) {
    const answer = await fetch(address, {credentials: signedOut.includes(address) ? "omit" : "same-origin"});
    if (answer.status >= 500) throw new Error(`${address}: ${answer.status}`);
    const isPage = answer.ok && (answer.headers.get("content-type") || "").startsWith("text/html");
    if (!isPage) continue;
    window.answers.push([address, new DOMParser().parseFromString(await answer.text(), "text/html")]);
  }
  return window.answers.map(([address]) => address);
}
"""
# An element whose tag, classes and attributes have been seen below the same ancestors is nothing new. Pages that have
# something new are read by all rules, and the contrast of what is new in both themes; the shell comes with the first.
READ = """
async ([options, only, themes]) => {
  const found = [], seen = new Set(), still = new CSSStyleSheet();
  still.replaceSync("* { transition: none !important }");
  document.adoptedStyleSheets = [still];  // colours are what they will be, at once
  const read = async (where, place, asked) => {
    for (const {id, nodes} of (await axe.run(place, asked)).violations)
      found.push(`${where} ${id}, ${nodes.length} times: ${nodes[0].html.slice(0, 300)} ${nodes[0].failureSummary}`);
  };
  const contrast = {preload: false, runOnly: {type: "rule", values: ["color-contrast"]}};
  const others = {...options, rules: {"color-contrast": {enabled: false}}};
  const traits = (one) => [one.localName, one.className.baseVal ?? one.className, ...one.getAttributeNames()].join(".");
  const kind = (one) => one && `${kind(one.parentElement)} ${traits(one)}`;
  const isNew = (one) => !seen.has(kind(one)) && seen.add(kind(one));
  const says = (one) => [...one.childNodes].some((part) => part.nodeType === Node.TEXT_NODE && part.data.trim());
  const asked = window.answers.filter(([address]) => !only || only.includes(address));
  for (const [at, [address, answer]] of asked.entries()) {
    const body = document.importNode(answer.body, true);
    if (at && body.querySelector(".app")) body.replaceChildren(...body.querySelectorAll("main, dialog[open]"));
    document.body.replaceWith(body);
    document.documentElement.dataset.theme = "light";
    const fresh = [...body.querySelectorAll("*")].filter(isNew), texts = fresh.filter(says);
    if (fresh.length) await read(address, document, others);
    for (const theme of texts.length ? themes : []) {
      document.documentElement.dataset.theme = theme;
      await read(`${address} (${theme})`, {include: texts}, contrast);
    }
  }
  return found;
}
"""
# A page as it stands in a tab: its name, its language, no id twice, and at a phone's width nothing that has to be
# scrolled to.
SQUEEZE = """
() => window.answers.filter(([address, answer]) => {
  document.body.replaceWith(document.importNode(answer.body, true));
  const isNamed = answer.title.trim() && answer.documentElement.lang === "en";
  const ids = [...answer.querySelectorAll("[id]")].map((one) => one.id);
  if (new Set(ids).size < ids.length) return true;
  return (answer.querySelector("main") && !isNamed) || document.documentElement.scrollWidth > innerWidth;
}).map(([address]) => address)
"""


@pytest.fixture
def filled(page: Page, live_server: LiveServer) -> list[str]:
    """A workspace after a busy day, its owner signed in, and the address of everything it has."""
    home = workspace("orbiton")
    with tenant_context(home.tenant.pk):
        story = tell(home, mark="as usual")
    client = Client()
    client.force_login(home.olga.user)
    page.context.add_cookies([{"name": "session", "value": client.cookies["session"].value, "url": live_server.url}])
    page.emulate_media(reduced_motion="reduce")
    page.goto(live_server.url + reverse("dashboard:profile", args=["orbiton"]))
    return addresses_of(story)


def addresses_of(story: Story) -> list[str]:
    pages = [route for route in routes() if route.in_workspace and answers_get(route.view)]
    known = [(route, address) for route in pages for address in route.addresses("orbiton", story)]
    more = [f"{address}?{query}" for route, address in known for query in MORE.get(route.name, ())]
    account = reverse("accounts:detail", args=["orbiton", story["account"].pk])
    drawers = [f"{account}?{drawer}={story[name].pk}" for drawer, name in DRAWN.items()]
    return [address for _route, address in known] + more + drawers + OUTSIDE


def is_main(address: str) -> bool:
    """What people look at all day, and may look at on a phone."""
    return bool(
        re.fullmatch(
            r"/w/orbiton/(|reports/(\w+/)?|playbooks/conversations/|(accounts|ctas|plans|playbooks)/(\d+/)?)", address
        )
    )


def answers_get(view: Any) -> bool:
    """As far as its decorators say: asking those that take a POST alone would cost as much again."""
    while view is not None:
        cells = [cell.cell_contents for cell in getattr(view, "__closure__", None) or ()]
        if any(isinstance(one, list) and "POST" in one and "GET" not in one for one in cells):
            return False
        view = getattr(view, "__wrapped__", None)
    return True


@pytest.mark.walk
@pytest.mark.timeout(360)  # some hundred pages, on whatever machine
def test_axe_finds_nothing_on_any_page_in_either_theme_and_none_scrolls_sideways(page: Page, filled: list[str]) -> None:
    page.evaluate(Axe().axe_script)
    shown = page.evaluate(FETCH, [filled, SIGNED_OUT])
    assert len(shown) > 100

    page.set_viewport_size({"width": 1440, "height": 900})
    assert page.evaluate(READ, [WCAG, None, ["light", "dark"]]) == []
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.evaluate(SQUEEZE) == []
    assert page.evaluate(READ, [WCAG, [one for one in shown if is_main(one)], []]) == []
