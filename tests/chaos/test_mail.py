"""The mail server of bin/chaos does what its mood says, and its log knows better than its answers."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from django.test import override_settings

from cs_platform.chaos import mail
from cs_platform.chaos.mail import MoodyMailServer
from cs_platform.connectors.base import NotNow, Rejected, Sent, Unknown
from cs_platform.connectors.smtp import Letter, SmtpTransport


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[MoodyMailServer]:
    monkeypatch.setattr(mail, "SLOW_SECONDS", 0.05)
    monkeypatch.setattr(mail, "TOO_SLOW_SECONDS", 1.5)
    server = MoodyMailServer(seed=1)
    server.start()
    yield server
    server.stop()


def send(server: MoodyMailServer, message_id: str = "<run-1@x.example>") -> object:
    letter = Letter(message_id, datetime.now(UTC), "Casey", "casey@x.example", "Ada", "ada@y.example", "Hello", "Hi")
    host, port = server.url.removeprefix("smtp://").split(":")
    with override_settings(EMAIL_HOST=host, EMAIL_PORT=int(port)):
        return SmtpTransport(deadline=1).send(letter)


@pytest.mark.parametrize(
    ("mood", "answer", "taken"),
    [
        (mail.TAKE, Sent, 1),
        (mail.SLOW, Sent, 1),
        (mail.TOO_SLOW, Unknown, 1),
        (mail.TAKE_AND_DROP, Unknown, 1),
        (mail.DROP, Unknown, 0),
        (mail.LATER, NotNow, 0),
        (mail.REFUSE, Rejected, 0),
    ],
)
def test_each_mood(
    server: MoodyMailServer, monkeypatch: pytest.MonkeyPatch, mood: str, answer: type, taken: int
) -> None:
    monkeypatch.setattr(mail, "MOODS", {mood: 1})

    assert isinstance(send(server), answer)
    assert sum(map(len, server.taken().values())) == taken
    assert server.moods() == {mood: 1}


def test_a_calm_server_takes_what_comes_again(server: MoodyMailServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mail, "MOODS", {mail.LATER: 1})
    assert isinstance(send(server), NotNow)

    server.calm = True

    assert isinstance(send(server), Sent)
