"""A CSM's day by keyboard alone, and the cockpit's looks in a real browser."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client
from playwright.sync_api import Locator, Page, expect
from pytest_django.live_server_helper import LiveServer

from cs_platform.jobs.pump import run_jobs
from cs_platform.tenancy.context import tenant_context
from cs_platform.workspace.models import Comment, Notification
from ctas.models import Cta, Task
from ctas.opening import open_cta
from playbooks.task_lists import apply_to_cta
from tests.world import Workspace, account, live, task_list_json
from tests.world import workspace as make_workspace

from .test_shell import violations

pytestmark = pytest.mark.django_db(transaction=True)

TODAY = datetime.now(UTC).date()
SMALL = """() => [...document.querySelectorAll(".cta-row a:not(.sr)")]
    .filter((link) => link.checkVisibility() && link.getBoundingClientRect().height < 24)
    .map((link) => link.outerHTML)"""


@pytest.fixture
def orbiton() -> Workspace:
    """Priya's day: one CTA with tasks that is late, and a dozen more."""
    space, now = make_workspace("orbiton"), datetime.now(UTC)
    with tenant_context(space.tenant.pk):
        at = account("Harbourline Logistics")
        facts = {"account": at, "type": "risk", "owner": space.priya, "by": space.tom, "now": now}
        late = open_cta(name="Usage is down", due_on=TODAY - timedelta(days=1), reason="Low adoption", **facts)
        for title in ("Check the sites", "Call Ines"):
            late.add_task(title=title, owner=space.priya, by=space.tom, now=now)
        for n in range(12):
            other = open_cta(name=f"CTA {n:02}", due_on=TODAY + timedelta(days=20 + n), **facts)
            other.add_task(title="Dial", due_on=other.due_on, by=space.tom, now=now)
    return space


@pytest.fixture
def screen(page: Page, orbiton: Workspace, live_server: LiveServer) -> Iterator[Page]:
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: said.append(str(error)))
    client = Client()
    client.force_login(orbiton.priya.user)
    page.context.add_cookies([{"name": "session", "value": client.cookies["session"].value, "url": live_server.url}])
    page.goto(f"{live_server.url}/w/orbiton/accounts/")
    yield page
    page.close()
    assert said == []


def press(screen: Page, *keys: str) -> None:
    for key in keys:
        screen.keyboard.press(key)


def row(screen: Page, name: str) -> Locator:
    return screen.locator("[data-open]", has_text=name)


def test_a_day_by_keyboard_alone(screen: Page, orbiton: Workspace) -> None:
    press(screen, "g", "c")
    expect(screen.get_by_role("heading", name="Cockpit 13 open")).to_be_visible()
    drawer = screen.locator("#drawer")

    # the first CTA: its tasks, a word to a colleague
    expect(row(screen, "Usage is down")).to_have_attribute("data-htmx-powered", "true")  # the page listens
    press(screen, "j", "Enter")
    expect(drawer.get_by_role("heading", name="Usage is down")).to_be_focused()
    assert screen.evaluate("document.documentElement.scrollHeight <= innerHeight")  # only the drawer scrolls
    for title in ("Check the sites", "Call Ines"):
        drawer.get_by_label(f"Done: {title}").focus()
        press(screen, "Space")
        expect(drawer.get_by_label(f"Done: {title}")).to_be_checked()
    expect(drawer.get_by_role("heading", name="Tasks 2 of 2")).to_be_visible()
    dialog = screen.get_by_role("dialog")
    expect(dialog.get_by_role("heading", name="Close Usage is down")).to_be_visible()  # after the last one it is asked
    expect(dialog.get_by_role("navigation")).to_have_count(0)  # the question alone, no page around it
    press(screen, "Escape")
    expect(dialog.get_by_role("heading", name="Close Usage is down")).to_be_hidden()
    press(screen, "m")
    expect(drawer.get_by_placeholder("Write to your team")).to_be_focused()
    screen.keyboard.type("@Maya")
    expect(screen.locator("#mention-0")).to_be_visible()
    press(screen, "Enter")
    screen.keyboard.type("they are back")
    press(screen, "Tab", "Enter")
    expect(drawer.locator(".mention")).to_have_text("@Maya Osei")

    # close it, snooze the next, close the one after with the task that is open in it
    press(screen, "Escape")
    expect(drawer).to_be_hidden()
    expect(row(screen, "Usage is down")).to_be_focused()
    press(screen, "e")
    expect(dialog.get_by_role("heading", name="Close Usage is down")).to_be_visible()
    dialog.get_by_label("Closed won").focus()
    press(screen, "Enter")
    expect(row(screen, "CTA 00")).to_be_focused()  # it took the place of the one that went
    press(screen, "h")
    expect(dialog.get_by_role("heading", name="Snooze CTA 00")).to_be_visible()
    dialog.get_by_label("Until").fill((TODAY + timedelta(days=3)).isoformat())
    press(screen, "Enter")
    expect(row(screen, "CTA 01")).to_be_focused()
    press(screen, "e")
    expect(dialog.get_by_role("group", name="1 task still open")).to_contain_text("Dial")
    expect(dialog.get_by_label("Closed won")).to_be_focused()
    press(screen, "Enter")
    expect(row(screen, "CTA 02")).to_be_focused()

    # ten at once a week later, and back
    press(screen, "x", *["j"] * 9, "Shift+X", "d")
    expect(dialog.get_by_role("heading", name="Edit 10 CTAs")).to_be_visible()
    dialog.get_by_label("Days").focus()
    press(screen, "Enter")
    expect(dialog.get_by_role("heading", name="Move by 7 days later on 10 CTAs?")).to_be_visible()
    dialog.get_by_role("button", name="Move due date").focus()
    press(screen, "Enter")
    strip = screen.locator("#job-strip")
    expect(strip).to_contain_text("Move by 7 days later")
    run_jobs()
    expect(strip).to_contain_text("10 changed")
    with tenant_context(orbiton.tenant.pk):
        assert Cta.objects.get(name="CTA 02").due_on == TODAY + timedelta(days=29)
        assert Task.objects.get(cta__name="CTA 02").due_on == TODAY + timedelta(days=29)
    strip.get_by_role("button", name="Undo").focus()
    press(screen, "Enter")
    expect(strip).to_contain_text("Undo of")
    run_jobs()
    expect(strip).to_contain_text("10 taken back")

    with tenant_context(orbiton.tenant.pk):
        assert Cta.objects.get(name="CTA 02").due_on == TODAY + timedelta(days=22)
        assert Task.objects.get(cta__name="CTA 01", cta__status="won").status == "cancelled"
        assert (Cta.objects.get(name="Usage is down").status, Comment.objects.count()) == ("won", 1)
        assert Cta.objects.get(name="CTA 00").snoozed_until == TODAY + timedelta(days=3)
        assert Notification.objects.filter(member=orbiton.maya, kind="mention").count() == 1


def test_values_and_cards_move_by_keys_and_every_look_is_accessible(
    screen: Page, orbiton: Workspace, live_server: LiveServer
) -> None:
    cockpit = f"{live_server.url}/w/orbiton/ctas/"
    screen.goto(cockpit)
    press(screen, "j", "s")
    expect(screen.get_by_role("button", name="In progress 2")).to_be_visible()
    press(screen, "2")
    expect(screen.locator(".cta-row", has_text="Usage is down")).to_contain_text("In progress")
    assert screen.evaluate(SMALL) == []  # in one go: the list may be shown anew at any moment
    assert violations(screen) == []

    screen.goto(f"{cockpit}?look=board")
    press(screen, "j", "Shift+ArrowRight")
    expect(screen.get_by_role("region", name="In progress").locator(".cta-card")).to_have_count(2)
    expect(screen.locator(".cta-card", has_text="CTA 00").locator("[data-open]")).to_be_focused()
    assert violations(screen) == []

    screen.goto(f"{cockpit}?look=calendar&month={TODAY + timedelta(days=20):%Y-%m}")
    screen.locator(".calendar-entry", has_text="CTA 00").locator("[data-open]").focus()
    press(screen, "Shift+ArrowRight")
    expect(screen.get_by_role("status").get_by_text("Saved: CTA 00")).to_be_visible()
    with tenant_context(orbiton.tenant.pk):
        assert Cta.objects.get(name="CTA 00").due_on == TODAY + timedelta(days=21)
    screen.set_viewport_size({"width": 390, "height": 844})
    assert violations(screen) == []


def test_all_that_match_are_one_click_away_from_the_first_that_is_ticked(screen: Page, live_server: LiveServer) -> None:
    screen.goto(f"{live_server.url}/w/orbiton/ctas/?q=CTA")
    press(screen, "j", "x")
    screen.get_by_role("button", name="Select all that match").click()
    expect(screen.locator("[data-count]")).to_have_text("All that match selected")
    press(screen, "d")
    dialog = screen.get_by_role("dialog")
    expect(dialog.get_by_role("heading", name="Edit 12 CTAs")).to_be_visible()
    expect(dialog.get_by_label("Days")).to_be_focused()


def test_a_group_that_is_folded_stays_so(screen: Page, live_server: LiveServer) -> None:
    screen.goto(f"{live_server.url}/w/orbiton/ctas/")
    screen.locator("summary", has_text="Overdue").click()
    expect(row(screen, "Usage is down")).to_be_hidden()
    with screen.expect_response(lambda answer: "/ctas/" in answer.url):
        screen.evaluate("document.body.dispatchEvent(new Event('account:changed'))")
    expect(row(screen, "Usage is down")).to_be_hidden()
    screen.reload()
    expect(row(screen, "CTA 00")).to_be_visible()
    expect(row(screen, "Usage is down")).to_be_hidden()
    screen.locator("summary", has_text="Overdue").click()
    expect(row(screen, "Usage is down")).to_be_visible()


def test_the_calendar_beside_a_due_date_in_the_drawer_is_seen_whether_it_is_over_or_not(
    screen: Page, orbiton: Workspace
) -> None:
    cockpit = screen.url.replace("accounts/", "ctas/")
    for name in ("Usage is down", "CTA 03"):
        screen.goto(f"{cockpit}?cta={_id(orbiton, name)}")
        icon = screen.locator("#drawer .kv [data-edits$=due_on-drawer] > .icon")
        expect(icon).to_have_css("opacity", "1")


def _id(space: Workspace, name: str) -> int:
    with tenant_context(space.tenant.pk):
        return int(Cta.objects.get(name=name).pk)


COVERED = """() => {
    const link = document.activeElement, { left, top, height } = link.getBoundingClientRect();
    const seen = document.elementFromPoint(left + 4, top + height / 2);
    return link.closest("[data-row]")?.contains(seen) ? "" : `${link.textContent} under ${seen.outerHTML}`;
}"""


def test_no_row_is_reached_under_the_head_of_its_group(screen: Page) -> None:
    screen.set_viewport_size({"width": 1280, "height": 480})
    screen.goto(screen.url.replace("accounts/", "ctas/"))
    expect(row(screen, "CTA 11")).to_have_attribute("data-htmx-powered", "true")
    row(screen, "CTA 11").focus()
    for _step in range(12):
        press(screen, "k")
        assert screen.evaluate(COVERED) == ""
    expect(row(screen, "Usage is down")).to_be_focused()


def test_a_history_opened_from_a_cta_leads_back_to_it_and_to_its_link(screen: Page, orbiton: Workspace) -> None:
    with tenant_context(orbiton.tenant.pk):
        kickoff = live(task_list_json(), by=orbiton.jonah, now=datetime.now(UTC))
        cta = Cta.objects.get(name="Usage is down")
        applied = apply_to_cta(kickoff, cta, by=orbiton.priya, now=datetime.now(UTC))
    press(screen, "g", "c")
    row(screen, "Usage is down").click()
    link = screen.locator("#drawer").get_by_role("link", name="History", exact=True)
    for leave in ("Escape", "Enter"):
        link.focus()
        press(screen, "Enter")
        expect(screen.get_by_role("heading", name="Kickoff")).to_be_focused()
        expect(screen.locator("#drawer .btn").first).to_have_accessible_name("Back to the CTA")
        expect(screen.locator("[data-row][aria-current]")).to_contain_text("Usage is down")
        assert violations(screen) == []
        if leave == "Enter":
            screen.get_by_role("link", name="Back to the CTA").focus()
        press(screen, leave)
        expect(link).to_be_focused()
        assert screen.evaluate("location.search").endswith(f"cta={cta.pk}")

    press(screen, "Escape")
    expect(screen.locator("#drawer")).to_be_hidden()
    expect(row(screen, "Usage is down")).to_be_focused()
    screen.goto(f"{screen.url}?history={applied.pk}&cta={cta.pk}")
    expect(screen.locator("[data-row][aria-current]")).to_contain_text("Usage is down")
