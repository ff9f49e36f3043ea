"""Mail servers for tests: one that keeps what it takes, one that recites a script and hangs up."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage
from threading import Thread
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from pytest_django import Settings


class Server:
    """Keeps what it takes; `answers` says otherwise per step."""

    def __init__(self, **answers: str) -> None:
        self.answers, self.taken = answers, list[Envelope]()

    async def handle_MAIL(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        envelope.mail_from = address
        return self.answers.get("mail", "250 OK")

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        envelope.rcpt_tos.append(address)
        return self.answers.get("rcpt", "250 OK")

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        self.taken.append(envelope)
        return self.answers.get("data", "250 OK")


@contextmanager
def serving(settings: Settings, server: Server, **options: Any) -> Iterator[Server]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    controller = Controller(server, hostname="127.0.0.1", port=port, **options)
    controller.start()
    aim(settings, port)
    try:
        yield server
    finally:
        controller.stop()


def aim(settings: Settings, port: int) -> None:
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", port
    settings.EMAIL_USE_TLS = settings.EMAIL_USE_SSL = False
    settings.EMAIL_HOST_USER = settings.EMAIL_HOST_PASSWORD = ""


@contextmanager
def scripted(settings: Settings, *replies: bytes | None) -> Iterator[None]:
    """A server that says these lines in turn, one per line it hears, then hangs up; None is silence."""
    listener = socket.create_server(("127.0.0.1", 0))
    aim(settings, listener.getsockname()[1])
    thread = Thread(target=_recite, args=(listener, replies), daemon=True)
    thread.start()
    try:
        yield
    finally:
        listener.close()
        thread.join(5)


def _recite(listener: socket.socket, replies: tuple[bytes | None, ...]) -> None:
    with listener.accept()[0] as call, call.makefile("rb") as heard:
        for reply in replies:
            if reply is None:
                heard.read()
                return
            call.sendall(reply)
            heard.readline()


def mail_in(envelope: Envelope) -> EmailMessage:
    assert isinstance(envelope.content, bytes)
    return message_from_bytes(envelope.content, _class=EmailMessage, policy=policy.default)


def text_of(mail: EmailMessage) -> str:
    return str(mail.get_content()).replace("\r\n", "\n")
