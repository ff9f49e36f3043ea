"""Gmail and Intercom of bin/chaos do what their mood says, and their log knows better than their answers."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from pytest_django import Settings

from cs_platform.chaos import channels, hooks
from cs_platform.chaos.channels import FINE, MOODS, Question, consent_of, is_question, member_of
from cs_platform.chaos.hooks import MoodyHooks
from cs_platform.connectors import google
from cs_platform.connectors.base import HttpOutcome, NotNow, Revoked, Sent, Unknown
from cs_platform.connectors.google import GmailTransport
from cs_platform.connectors.intercom import IntercomTransport
from cs_platform.connectors.smtp import Letter

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
LETTER = Letter("<run-1@x.example>", NOW, "Casey", member_of("north"), "Ada", "ada@y.example", "To Ada", "Hello")


@pytest.fixture
def server(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[MoodyHooks]:
    monkeypatch.setattr(hooks, "SLOW_SECONDS", 0.05)
    server = MoodyHooks(hang_seconds=0.4)
    settings.OUTBOUND_TRUSTED = [server.host]
    settings.GOOGLE_TOKEN_URL, settings.GMAIL_URL = f"{server.url}/token", server.url
    server.start()
    yield server
    server.stop()


def send(server: MoodyHooks, channel: str) -> HttpOutcome:
    transport = GmailTransport("access:north") if channel == "gmail" else IntercomTransport(f"{server.url}/north", "t")
    return transport.send(LETTER, seconds=0.3)


@pytest.mark.parametrize("channel", ["gmail", "intercom"])
@pytest.mark.parametrize(
    ("mood", "answer", "taken"),
    [
        (hooks.TAKE, Sent, 1),
        (hooks.SLOW, Sent, 1),
        (hooks.TAKE_AND_FAIL, Unknown, 1),
        (hooks.TAKE_AND_HANG, Unknown, 1),
        (hooks.GARBLE, Unknown, 1),
        (hooks.LATER, NotNow, 0),
        (hooks.FAIL, Unknown, 0),
        (hooks.REVOKE, Revoked, 0),
        (hooks.REDIRECT, Unknown, 0),
    ],
)
def test_each_mood(server: MoodyHooks, channel: str, mood: str, answer: type, taken: int) -> None:
    server.mood = mood

    assert isinstance(send(server, channel), answer)
    assert len(server.acted_on()) == taken
    assert server.moods()[mood] == 1


def test_what_was_said_is_read_from_the_log(server: MoodyHooks) -> None:
    server.calm = True
    by_gmail, by_intercom = send(server, "gmail"), send(server, "intercom")

    assert by_gmail != by_intercom  # each names what it took
    mail, message = (one.message for one in server.acted_on())
    assert (mail["Subject"], mail["From"], mail["Message-ID"]) == (
        "To Ada",
        f"Casey <{member_of('north')}>",
        "<run-1@x.example>",
    )
    assert (message["subject"], message["to"]) == ("To Ada", {"type": "user", "id": "ada@y.example"})


def test_a_yes_becomes_tokens_and_they_are_renewed(server: MoodyHooks) -> None:
    server.calm = True
    first = google.redeem(consent_of("north"), verifier="v", back_to="https://us.example/", now=NOW)
    second = google.renew(first.refresh, now=NOW)

    assert google.profile(second.access) == (member_of("north"), "1")
    assert google.arrived_since(second.access, "1") == ([], "1")


@pytest.mark.parametrize("mood", [mood for mood in MOODS if mood != FINE])
def test_who_asks_may_find_nobody_or_be_refused(server: MoodyHooks, monkeypatch: pytest.MonkeyPatch, mood: str) -> None:
    monkeypatch.setattr(channels, "MOODS", {mood: 1})

    with pytest.raises((google.NotReached, google.Refused)) as trouble:
        google.renew("refresh:north", now=NOW)
    assert trouble.errisinstance(google.Refused) == (mood == channels.REFUSED)
    assert isinstance(send(server, "intercom"), Revoked if mood == channels.REFUSED else NotNow)
    assert server.acted_on() == []


def test_the_same_seed_is_in_the_same_moods() -> None:
    def moods(seed: int) -> list[str]:
        server = MoodyHooks(seed)
        server.start()
        for _ in range(200):
            server.ask(Question("/token", {}, b"refresh_token=refresh:north"))
        server.stop()
        return list(server.moods().elements())

    assert moods(3) == moods(3)
    assert set(moods(3)) > {f"asked: {FINE}", f"asked: {channels.AWAY}"}


def test_only_messages_are_acted_on() -> None:
    assert is_question("GET", "/gmail/v1/users/me/history")
    assert is_question("POST", "/token")
    assert is_question("POST", "/north/contacts/search")
    assert not is_question("POST", "/gmail/v1/users/me/messages/send")
    assert not is_question("POST", "/north/messages")
