"""Signing in, choosing a workspace, and how one wants it to look."""

import pytest
from django.test import Client
from pytest_django import Settings

from cs_platform.dashboard.demo import LOGINS
from tests.world import MONDAY, Workspace, workspace

pytestmark = pytest.mark.django_db


@pytest.fixture
def orbiton() -> Workspace:
    return workspace("orbiton")


def signed_in(email: str) -> Client:
    client = Client()
    client.post("/account/login/", {"login": email, "password": "correct horse battery"})
    return client


def test_a_stranger_is_asked_to_sign_in(client: Client) -> None:
    assert client.get("/")["Location"] == "/account/login/?next=/"


def test_the_only_workspace_opens_at_once(orbiton: Workspace) -> None:
    assert signed_in("priya@orbiton.example").get("/")["Location"] == "/w/orbiton/"


def test_of_several_workspaces_one_is_chosen(orbiton: Workspace) -> None:
    halyard = workspace("halyard")
    orbiton.priya.user.memberships.create(
        tenant=halyard.tenant, role="admin", name="Priya Raman", email="priya@both.example", joined_at=MONDAY
    )
    client = signed_in("priya@orbiton.example")
    page = client.get("/", follow=True)

    assert page.redirect_chain == [("/workspaces/", 302)]
    assert [f'href="/w/{slug}/"' in page.text for slug in ("orbiton", "halyard")] == [True, True]


def test_the_workspace_menu_is_the_same_list_without_the_page(orbiton: Workspace) -> None:
    client = signed_in("priya@orbiton.example")
    menu = client.get("/workspaces/", headers={"HX-Request": "true", "HX-Target": "div#workspaces"})

    assert 'href="/w/orbiton/"' in menu.text
    assert "<html" not in menu.text


def test_a_workspace_someone_left_is_not_offered(orbiton: Workspace) -> None:
    orbiton.priya.deactivated_at = MONDAY
    orbiton.priya.save(update_fields=["deactivated_at"])

    assert "No workspace yet" in signed_in("priya@orbiton.example").get("/workspaces/").text


def test_another_workspace_is_not_there(orbiton: Workspace) -> None:
    workspace("halyard")

    assert signed_in("priya@orbiton.example").get("/w/halyard/").status_code == 404


def test_a_theme_is_kept(orbiton: Workspace) -> None:
    chosen = {"theme": "dark", "density": "compact"}
    answer = signed_in("priya@orbiton.example").post(
        "/w/orbiton/preferences/", chosen, headers={"HX-Request": "true", "HX-Target": "form"}
    )
    orbiton.priya.refresh_from_db()

    assert answer.status_code == 204
    assert (orbiton.priya.theme, orbiton.priya.density) == ("dark", "compact")


def test_what_is_not_sent_stays(orbiton: Workspace) -> None:
    client = signed_in("priya@orbiton.example")
    client.post("/w/orbiton/preferences/", {"theme": "dark", "density": "comfortable"})
    client.post("/w/orbiton/preferences/", {"density": "compact"})
    orbiton.priya.refresh_from_db()

    assert (orbiton.priya.theme, orbiton.priya.density) == ("dark", "compact")


def test_a_theme_is_kept_without_scripts_and_leads_back(orbiton: Workspace) -> None:
    client = signed_in("priya@orbiton.example")
    form = {"theme": "light", "density": "comfortable"}
    back = client.post("/w/orbiton/preferences/", form, headers={"Referer": "http://testserver/w/orbiton/accounts/"})
    astray = client.post("/w/orbiton/preferences/", form, headers={"Referer": "https://evil.example/"})

    assert back["Location"] == "http://testserver/w/orbiton/accounts/"
    assert astray["Location"] == "/"


def test_a_theme_that_does_not_exist_is_refused(orbiton: Workspace) -> None:
    answer = signed_in("priya@orbiton.example").post(
        "/w/orbiton/preferences/", {"theme": "neon", "density": "comfortable"}
    )

    assert answer.status_code == 422


def test_demo_logins_are_named_in_a_demo_only(client: Client, settings: Settings) -> None:
    settings.DEMO = False
    assert LOGINS[0].email not in client.get("/account/login/").text

    settings.DEMO = True
    assert LOGINS[0].email in client.get("/account/login/").text


def test_pages_of_signed_in_people_carry_the_headers(orbiton: Workspace) -> None:
    page = signed_in("priya@orbiton.example").get("/workspaces/")

    assert "no-store" in page["Cache-Control"]
    assert page["Cross-Origin-Opener-Policy"] == "same-origin"
    assert page["Referrer-Policy"] == "same-origin"
    assert "unsafe-inline" not in page["Content-Security-Policy"].replace("style-src-attr 'unsafe-inline'", "")


@pytest.mark.parametrize(
    "path",
    [
        "/account/login/",
        "/account/password/reset/",
        "/account/password/reset/done/",
        "/account/signup/",
        "/account/inactive/",
    ],
)
def test_pages_before_signing_in_open(client: Client, path: str) -> None:
    page = client.get(path)

    assert page.status_code == 200
    assert '<main id="main">' in page.text


@pytest.mark.parametrize(
    "path",
    [
        "/account/logout/",
        "/account/password/change/",
        "/account/email/",
        "/account/2fa/",
        "/account/sessions/",
        "/account/reauthenticate/",
    ],
)
def test_pages_about_the_own_login_open(orbiton: Workspace, path: str) -> None:
    page = signed_in("priya@orbiton.example").get(path)

    assert page.status_code == 200
    assert '<main id="main">' in page.text


def test_signing_out_takes_a_post(orbiton: Workspace) -> None:
    client = signed_in("priya@orbiton.example")
    client.get("/account/logout/")
    assert client.get("/workspaces/").status_code == 200

    client.post("/account/logout/")
    assert client.get("/workspaces/").status_code == 302
