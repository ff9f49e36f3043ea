"""Long work in a real browser: accounts ticked and edited, a file imported through the wizard and taken back."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from django.test import Client
from playwright.sync_api import Browser, Page, expect
from pytest_django.live_server_helper import LiveServer

from accounts.models import Account
from cs_platform.jobs.pump import run_jobs
from cs_platform.tenancy.context import tenant_context
from tests.world import Workspace, account, workspace

from .test_shell import violations

pytestmark = pytest.mark.django_db(transaction=True)
FILE = "Account ID,Company,Seats\nacme,Acme,12\nbolt,Bolt,many\n"


@pytest.fixture
def orbiton(transactional_db: None) -> Workspace:
    orbiton = workspace("orbiton")
    with tenant_context(orbiton.tenant.pk):
        for n in range(3):
            account(f"Calyx {n}")
    return orbiton


@pytest.fixture
def desk(orbiton: Workspace, live_server: LiveServer, browser: Browser) -> Iterator[Page]:
    client = Client()
    client.force_login(orbiton.maya.user)
    context = browser.new_context(viewport={"width": 1440, "height": 900}, base_url=live_server.url)
    context.add_cookies([{"name": "session", "value": client.cookies["session"].value, "url": live_server.url}])
    page = context.new_page()
    page.goto("/w/orbiton/accounts/")
    yield page
    context.close()


def test_a_file_is_imported_through_the_wizard_and_undone(desk: Page, orbiton: Workspace, tmp_path: Path) -> None:
    path = tmp_path / "accounts.csv"
    path.write_text(FILE)
    desk.goto("/w/orbiton/imports/")
    desk.get_by_label("CSV file").set_input_files(path)
    desk.get_by_role("button", name="Upload").click()
    expect(desk.get_by_label("Account ID")).to_have_value("external_id")
    expect(desk.get_by_label("Seats")).to_have_value("new:text:Seats")
    desk.get_by_label("Seats").select_option("new:number:Seats")
    desk.get_by_role("button", name="Dry run").click()
    expect(desk.get_by_text("Trying every row")).to_be_visible()
    run_jobs()
    expect(desk.get_by_text("would come to: 1 new, 1 refused")).to_be_visible()
    expect(desk.get_by_text("Seats: not a number")).to_be_visible()
    desk.get_by_role("button", name="Import 1 row").click()
    run_jobs()
    desk.get_by_role("button", name="Undo the import").click()
    run_jobs()
    expect(desk.get_by_text("1 taken back")).to_be_visible()

    assert violations(desk) == []
    with tenant_context(orbiton.tenant.pk):
        assert Account.objects.get(external_id="acme").archived_at is not None


def test_ticked_accounts_are_edited_by_a_job_whose_strip_shows_it_and_undoes_it(desk: Page, orbiton: Workspace) -> None:
    desk.keyboard.press("j")
    desk.keyboard.press("x")
    desk.locator("[data-bulk]").get_by_role("button", name="Assign").click()
    desk.get_by_label("Role").select_option("ae")
    desk.get_by_label("Team member").select_option(label="Tom Lindqvist")
    desk.get_by_role("button", name="Review").click()
    expect(desk.get_by_role("heading", name="Make Tom Lindqvist the AE on 1 account?")).to_be_visible()
    desk.locator("#dialog").get_by_role("button", name="Assign").click()
    strip = desk.locator("#job-strip")
    expect(strip).to_contain_text("Make Tom Lindqvist the AE")
    run_jobs()
    expect(strip).to_contain_text("1 changed")
    strip.get_by_role("button", name="Undo").click()
    expect(strip).to_contain_text("Undo of Make Tom")
    run_jobs()
    expect(strip).to_contain_text("1 taken back")

    assert violations(desk) == []
    with tenant_context(orbiton.tenant.pk):
        assert not Account.objects.filter(ae=orbiton.tom).exists()
