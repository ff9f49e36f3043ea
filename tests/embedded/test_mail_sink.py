"""Mail goes into files and to nobody."""

import smtplib
from email import message_from_bytes
from pathlib import Path

import pytest

from cs_platform.embedded import mail_sink
from cs_platform.embedded.mail_sink import MailSink


def send(sink: MailSink, subject: str) -> None:
    with smtplib.SMTP("127.0.0.1", sink.port) as smtp:
        smtp.sendmail("us@example.com", ["ann@example.com", "bob@example.com"], f"Subject: {subject}\r\n\r\nHello\r\n")


def test_a_message_becomes_a_file_with_its_true_recipients(tmp_path: Path) -> None:
    sink = MailSink(tmp_path)
    sink.start()
    send(sink, "Welcome")
    sink.stop()
    (path,) = tmp_path.iterdir()
    message = message_from_bytes(path.read_bytes())
    assert message["Subject"] == "Welcome"
    assert message["X-Envelope-To"] == "ann@example.com, bob@example.com"
    assert message.get_payload() == "Hello\r\n"


def test_only_the_newest_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mail_sink, "KEPT", 2)
    sink = MailSink(tmp_path)
    sink.start()
    for subject in ("one", "two", "three"):
        send(sink, subject)
    sink.stop()
    subjects = [message_from_bytes(path.read_bytes())["Subject"] for path in sorted(tmp_path.iterdir())]
    assert subjects == ["two", "three"]


def test_two_sinks_get_ports_of_their_own(tmp_path: Path) -> None:
    first = MailSink(tmp_path / "a")
    first.start()
    second = MailSink(tmp_path / "b")
    second.start()
    assert first.port != second.port
    first.stop()
    second.stop()
