"""Two-step sign-in, from setting it up to signing in with it: allauth's flow on our pages."""

import re

import pytest
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value, yield_hotp_counters_from_time
from django.test import Client

from tests.world import workspace

pytestmark = pytest.mark.django_db

PASSWORD = {"password": "correct horse battery"}
SET_UP = "/account/2fa/totp/activate/"


def code(secret: str) -> str:
    return format_hotp_value(hotp_value(secret, next(yield_hotp_counters_from_time())))


@pytest.fixture
def priya() -> Client:
    workspace("orbiton")
    return signed_in()


def signed_in() -> Client:
    client = Client()
    client.post("/account/login/", {"login": "priya@orbiton.example"} | PASSWORD)
    return client


def set_up(client: Client) -> None:
    client.get(SET_UP)
    page = client.post("/account/reauthenticate/?next=" + SET_UP, PASSWORD, follow=True)
    secret = re.search(r'id="secret" value="([A-Z2-7]+)"', page.text)
    assert secret is not None
    client.post(SET_UP, {"code": code(secret[1])})


def test_the_password_is_asked_for_first(priya: Client) -> None:
    page = priya.get(SET_UP, follow=True)

    assert "Confirm it is you" in page.text


def test_it_is_set_up_and_its_recovery_codes_can_be_seen(priya: Client) -> None:
    set_up(priya)

    assert "Switch off" in priya.get("/account/2fa/").text
    assert "10 of 10 are unused" in priya.get("/account/2fa/recovery-codes/").text
    assert "Make new recovery codes?" in priya.get("/account/2fa/recovery-codes/generate/").text


def test_signing_in_then_takes_a_code(priya: Client) -> None:
    set_up(priya)

    page = signed_in().get("/account/2fa/authenticate/")

    assert "Enter your code" in page.text


def test_it_can_be_switched_off(priya: Client) -> None:
    set_up(priya)
    assert "Switch off the authenticator app?" in priya.get("/account/2fa/totp/deactivate/").text
    priya.post("/account/2fa/totp/deactivate/")

    assert "Set up" in priya.get("/account/2fa/").text
