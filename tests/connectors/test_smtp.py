"""Mail over real sockets: which step fails decides what is known about the mail."""

import socket
from dataclasses import replace
from typing import Any

import pytest
from pytest_django import Settings

from cs_platform.connectors.base import NotNow, Outcome, Rejected, Repeats, Sent, Unknown
from cs_platform.connectors.smtp import Letter, SmtpTransport, message_id_of
from tests.connectors.mailserver import Server, aim, mail_in, scripted, serving, text_of
from tests.world import MONDAY

LETTER = Letter(
    message_id="<run-1@orbiton.example>",
    at=MONDAY,
    from_name="Priya Raman",
    from_email="priya@orbiton.example",
    to_name="Ben Novak",
    to_email="ben@customer.example",
    subject="Your renewal",
    body="Hello Ben,\n\n.shall we talk?\n.\nPriya\n",
)


def send(letter: Letter = LETTER, *, deadline: float = 5) -> Outcome:
    return SmtpTransport(deadline=deadline).send(letter)


# What arrives


def test_a_mail_arrives_as_it_was_written(settings: Settings) -> None:
    with serving(settings, Server()) as server:
        assert send() == Sent("<run-1@orbiton.example>")

    (envelope,) = server.taken
    mail = mail_in(envelope)
    assert (envelope.mail_from, envelope.rcpt_tos) == ("priya@orbiton.example", ["ben@customer.example"])
    assert mail["Message-ID"] == "<run-1@orbiton.example>"
    assert mail["From"] == "Priya Raman <priya@orbiton.example>"
    assert mail["To"] == "Ben Novak <ben@customer.example>"
    assert mail["Subject"] == "Your renewal"
    assert mail["Date"] == "Mon, 02 Nov 2026 12:00:00 +0000"
    assert text_of(mail) == LETTER.body


def test_letters_beyond_ascii_survive_in_text_and_names(settings: Settings) -> None:
    letter = replace(LETTER, subject="Ihr Vertrag für 2027 – „neu“", to_name="Aïcha Łukasz", body="Grüße ✓\n" * 50)

    with serving(settings, Server()) as server:
        assert isinstance(send(letter), Sent)

    mail = mail_in(server.taken[0])
    assert mail.as_bytes().isascii()
    assert (mail["Subject"], mail["To"].addresses[0].display_name) == (letter.subject, letter.to_name)
    assert text_of(mail) == letter.body


def test_an_address_beyond_ascii_needs_a_server_that_takes_it(settings: Settings) -> None:
    letter = replace(LETTER, to_email="łukasz@customer.example")

    with serving(settings, Server(), enable_SMTPUTF8=True) as server:
        assert isinstance(send(letter), Sent)
    assert server.taken[0].rcpt_tos == ["łukasz@customer.example"]
    with serving(settings, Server(), enable_SMTPUTF8=False) as server:
        assert isinstance(send(letter), Rejected)
    assert not server.taken


@pytest.mark.parametrize("field", ["subject", "from_name", "to_name"])
def test_no_header_can_be_broken_out_of(settings: Settings, field: str) -> None:
    hostile: dict[str, Any] = {field: "Hi\r\nBcc: all@customer.example\r\n\r\nHidden"}
    letter = replace(LETTER, **hostile)

    with serving(settings, Server()) as server:
        assert isinstance(send(letter), Sent)

    mail = mail_in(server.taken[0])
    assert mail["Bcc"] is None
    assert text_of(mail) == LETTER.body


@pytest.mark.parametrize("address", ["", "ben", "ben@x\r\nRCPT TO:<all@x>", "a@b, c@d", "<ben@x>"])
def test_an_address_that_is_none_is_refused_without_a_call(settings: Settings, address: str) -> None:
    with serving(settings, Server()) as server:
        assert isinstance(send(replace(LETTER, to_email=address)), Rejected)

    assert not server.taken


@pytest.mark.parametrize("body", ["a\r.\rMAIL FROM:<x@y>\r", "a\n.\nb", ".", "..", "\r\n.\r\n"])
def test_no_body_can_end_the_mail_early(settings: Settings, body: str) -> None:
    with serving(settings, Server()) as server:
        assert isinstance(send(replace(LETTER, body=body)), Sent)

    (envelope,) = server.taken
    mail = mail_in(envelope)
    assert text_of(mail).split() == body.split()


def test_the_message_id_of_a_run_is_always_the_same() -> None:
    assert message_id_of("0198", "priya@orbiton.example") == "<run-0198@orbiton.example>"
    assert message_id_of("0198", "priya@böse>\r\n") == "<run-0198@bse>"
    assert message_id_of("0198", "") == "<run-0198@localhost>"


# What is known when it fails


@pytest.mark.parametrize("step", ["mail", "rcpt", "data"])
@pytest.mark.parametrize(
    ("answer", "outcome"), [("451 Busy", NotNow), ("550 No such user", Rejected), ("535 Login", NotNow)]
)
def test_an_answer_is_final_whatever_the_step(
    settings: Settings, step: str, answer: str, outcome: type[Outcome]
) -> None:
    with serving(settings, Server(**{step: answer})):
        found = send()

    assert isinstance(found, outcome)
    assert answer[4:] in found.reason  # type: ignore[union-attr]


def test_nobody_listening_is_provably_nothing(settings: Settings) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        aim(settings, free.getsockname()[1])

    assert isinstance(send(), NotNow)


GREETING = (b"220 hello\r\n", b"250 hello\r\n")
ENVELOPE = (*GREETING, b"250 sender\r\n", b"250 recipient\r\n")


@pytest.mark.parametrize("replies", [(), (b"554 go away\r\n",), GREETING[:1], GREETING, ENVELOPE[:3], ENVELOPE])
def test_hanging_up_before_the_mail_is_handed_over_is_provably_nothing(
    settings: Settings, replies: tuple[bytes, ...]
) -> None:
    with scripted(settings, *replies):
        assert isinstance(send(), NotNow)


@pytest.mark.parametrize("replies", [(None,), (*GREETING, None), (*ENVELOPE, None)])
def test_silence_before_the_mail_is_handed_over_is_provably_nothing(
    settings: Settings, replies: tuple[bytes | None, ...]
) -> None:
    with scripted(settings, *replies):
        assert isinstance(send(deadline=0.3), NotNow)


@pytest.mark.parametrize("end", [(), (None,)])
def test_no_answer_after_the_mail_was_handed_over_is_unknown(settings: Settings, end: tuple[None, ...]) -> None:
    with scripted(settings, *ENVELOPE, b"354 go on\r\n", *end):
        found = send(deadline=0.5)

    assert isinstance(found, Unknown)
    assert "did not confirm" in found.reason


def test_the_deadline_holds_however_many_steps_are_slow(settings: Settings) -> None:
    settings.LEASE_SECONDS = 60

    assert SmtpTransport().deadline <= 60 / 5


def test_a_refused_login_waits_for_mended_settings(settings: Settings) -> None:
    replies = (b"220 hello\r\n", b"250-hello\r\n250 AUTH PLAIN\r\n", b"535 wrong\r\n")
    with scripted(settings, *replies):
        settings.EMAIL_HOST_USER, settings.EMAIL_HOST_PASSWORD = "us", "secret"
        found = send()

    assert isinstance(found, NotNow)
    assert "secret" not in found.reason


def test_it_declares_that_a_repeat_cannot_be_recognised() -> None:
    assert SmtpTransport().repeats == Repeats(key=None, window=None, lookup=False)
