"""A success plan in a real browser: bars that move by keys and by pointer, and pages without violations."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import pytest
from django.test import Client
from django.urls import reverse
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from cs_platform.tenancy.context import tenant_context
from ctas.models import Task
from success_plans import planning, sharing
from success_plans.guests import give_tasks
from success_plans.models import Objective, SuccessPlan
from success_plans.scheduling import set_needs
from success_plans.sharing import offered_parts
from tests import world
from tests.success_plans.test_guests import INES, codes
from tests.success_plans.world import named, roll_out
from tests.world import Workspace

from .test_shell import violations

pytestmark = pytest.mark.django_db(transaction=True)


@dataclass(slots=True)
class Story:
    """A roll-out that began a week ago, shared with Ines."""

    orbiton: Workspace
    plan: SuccessPlan
    url: str
    shared: str

    @property
    def page(self) -> str:
        return f"{self.url}/w/orbiton/plans/{self.plan.pk}/"

    def days(self) -> tuple[date, date]:
        """From when to when the pilot is planned."""
        with tenant_context(self.orbiton.tenant.pk):
            pilot = named(self.plan, "Move three")
        assert pilot.start_on
        assert pilot.cta.due_on
        return pilot.start_on, pilot.cta.due_on


@pytest.fixture
def story(live_server: LiveServer) -> Story:
    orbiton = world.workspace("orbiton")
    now = datetime.now(UTC)
    today, by = now.date(), {"by": orbiton.priya, "now": now}
    with tenant_context(orbiton.tenant.pk):
        harbour = world.account(csm=orbiton.priya, ae=orbiton.tom, renewal_on=today + timedelta(days=19))
        start = today - timedelta(days=7)
        plan = roll_out(harbour, orbiton, start_on=start, due_on=start + timedelta(days=88))
        metric = {"metric": "Missed scans", "metric_unit": "%", "metric_start": 4.2, "metric_now": 3.1}
        words = "All 12 sites on the new scanners, and half as many missed scans."
        planning.edit_plan(plan, highlights=words, metric_goal=2.0, **metric, **by)
        for name, first, last in (("Move", 0, 12), ("Go live", 10, 32), ("Cut", 30, 95)):
            objective = named(plan, name)
            objective.cta.edit(due_on=start + timedelta(days=last), **by)
            for at, task in enumerate(objective.cta.tasks.order_by("position")):
                task.edit(due_on=start + timedelta(days=first + 4 + 3 * at), **by)
            Objective.objects.filter(pk=objective.pk).update(start_on=start + timedelta(days=first))
        set_needs(named(plan, "Go live"), {named(plan, "Move").pk}, **by)
        ines = planning.add_stakeholder(plan, name="Ines Falk", role="VP Operations", email=INES, **by)
        planning.activate(plan, **by)
        cut = named(plan, "Go live")
        give_tasks(cut, {cut.cta.tasks.get(title="Move user accounts").pk: ines}, **by)
        named(plan, "Move").cta.tasks.order_by("pk")[0].complete(**by)
        _link, token = sharing.make_link(plan, name="Ines", parts=[key for key, _ in offered_parts(plan)], **by)
    shared = live_server.url + reverse("shared:plan", args=[token])
    return Story(orbiton, plan, live_server.url, shared)


@pytest.fixture
def priya(story: Story, page: Page) -> Page:
    client = Client()
    client.force_login(story.orbiton.priya.user)
    page.context.add_cookies([{"name": "session", "value": client.cookies["session"].value, "url": story.url}])
    return page


def test_a_bar_moves_by_keys_and_by_pointer_and_keeps_the_focus(story: Story, priya: Page) -> None:
    start, due = story.days()
    priya.goto(f"{story.page}?tab=gantt")
    bar = priya.get_by_role("button", name="Move three pilot sites")
    bar.focus()
    with priya.expect_response(lambda one: one.request.method == "GET"), priya.expect_response("**/schedule/"):
        for key in ("ArrowRight", "Shift+ArrowRight", "Alt+ArrowRight"):
            bar.press(key)
    dialog = priya.get_by_role("dialog")
    expect(dialog.get_by_role("heading", name="Move 1 open task, too?")).to_be_visible()
    expect(dialog.get_by_role("navigation")).to_have_count(0)
    priya.keyboard.press("Escape")
    bar.hover()  # waits until the chart that came back stands still
    assert story.days() == (start + timedelta(days=8), due + timedelta(days=9))
    expect(bar).to_be_focused()
    assert priya.locator("[data-gantt-links] path").count() == 1

    box = bar.bounding_box()
    assert box
    width = priya.locator(".g-bars").bounding_box()
    days = float(priya.locator("#gantt").get_attribute("data-day") or 0)
    assert width
    week = 7 * days * width["width"] / 100
    x, y = box["x"] + box["width"] / 3, box["y"] + box["height"] / 2
    with priya.expect_response("**/schedule/"):
        priya.mouse.move(x, y)
        priya.mouse.down()
        priya.mouse.move(x - week / 2, y)
        priya.mouse.move(x - week, y)
        priya.mouse.up()
    assert story.days() == (start + timedelta(days=1), due + timedelta(days=2))
    dialog.get_by_role("button", name="Move it").click()
    expect(dialog.get_by_role("heading", name="Move 1 open task, too?")).to_be_hidden()


def test_a_stakeholder_comes_in_by_a_code_and_does_what_is_theirs(story: Story, page: Page) -> None:
    page.goto(story.shared)
    page.get_by_label("Your email address").fill(INES)
    page.get_by_role("button", name="Send me a code").click()
    page.get_by_label("Code").wait_for()
    [code] = codes()
    page.get_by_label("Code").fill(code)
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Done: Move user accounts").click()

    expect(page.get_by_role("button", name="Open again: Move user accounts")).to_be_visible()
    with tenant_context(story.orbiton.tenant.pk):
        assert Task.objects.get(title="Move user accounts").status == "done"


@pytest.mark.walk
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 390])
def test_no_page_of_plans_has_a_violation_or_scrolls_sideways(
    story: Story, priya: Page, theme: str, width: int
) -> None:
    priya.emulate_media(color_scheme="dark" if theme == "dark" else "light")
    priya.set_viewport_size({"width": width, "height": 900})
    addresses = [f"{story.page}?tab={tab}" for tab in ("objectives", "gantt", "info", "timeline")]
    addresses += [f"{story.url}/w/orbiton/plans/", f"{story.page}links/", story.shared]
    for address in addresses:
        priya.goto(address)
        assert violations(priya) == [], address
        assert priya.evaluate("document.documentElement.scrollWidth <= innerWidth"), address
