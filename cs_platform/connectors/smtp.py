"""Mail by the server of EMAIL_URL, one step of the protocol at a time: which step fails decides what can be known.

Until the server has answered the end of DATA, a mail that was handed over may or may not have been taken; everything
before that is provably nothing, every answer after it is final.
"""

import re
import smtplib
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from email import policy
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime

from django.conf import settings
from django.core.mail.utils import DNS_NAME

from cs_platform.common.message_templates import single_line
from cs_platform.connectors.base import NotNow, Outcome, Rejected, Repeats, Sent, Unknown

# Seven bits whatever the text: not every server takes eight.
_POLICY = policy.SMTP.clone(cte_type="7bit")
REPEATS = Repeats(key=None, window=None, lookup=False)


@dataclass(frozen=True, slots=True)
class Letter:
    """A mail ready to leave. Names and subject may be any text; no header can be broken out of."""

    message_id: str
    at: datetime
    from_name: str
    from_email: str
    to_name: str
    to_email: str
    subject: str
    body: str
    unsubscribe_url: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)  # ours, never anybody's text

    def message(self) -> EmailMessage:
        """Raises ValueError for an address that is none."""
        message = EmailMessage(policy=_POLICY)
        message["Message-ID"] = self.message_id
        message["Date"] = format_datetime(self.at)
        message["From"] = _address(self.from_name, self.from_email)
        message["To"] = _address(self.to_name, self.to_email)
        message["Subject"] = single_line(self.subject)
        if self.unsubscribe_url:
            message["List-Unsubscribe"] = f"<{self.unsubscribe_url}>"
            message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
        for name, value in self.headers.items():
            message[name] = value
        message.set_content(self.body)
        return message

    @property
    def needs_utf8(self) -> bool:
        return not (self.from_email + self.to_email).isascii()


_ADDRESS = re.compile(r"[^\s@<>(),;:\\\"\[\]\x00-\x1f]{1,64}@[^\s@<>(),;:\\\"\[\]\x00-\x1f]{1,253}")


def is_address(text: str) -> bool:
    """Good enough to hand to a mail server, and nothing that could end a header or a command."""
    return bool(_ADDRESS.fullmatch(text))


def _address(name: str, email: str) -> Address:
    if not is_address(email):
        raise ValueError(f"“{single_line(email)}” is no email address")
    local, _at, domain = email.rpartition("@")
    return Address(single_line(name), local, domain)


def message_id_of(id: object, sender_email: str, *, kind: str = "run") -> str:
    """The same for every try of one mail, so that it can be recognised wherever it turns up."""
    domain = re.sub(r"[^A-Za-z0-9.-]", "", sender_email.rpartition("@")[2]) or "localhost"
    return f"<{kind}-{id}@{domain}>"


class _Answer(Exception):
    """An answer of the server that ends the attempt."""

    def __init__(self, code: int, text: bytes, *, of_recipient: bool = False) -> None:
        self.outcome = _judged(code, f"{code} {text.decode(errors='replace')}"[:500])
        if of_recipient and code in _NOBODY_THERE and isinstance(self.outcome, Rejected):
            self.outcome = replace(self.outcome, unreachable=True)
        super().__init__(self.outcome.reason)


_NOBODY_THERE = {550, 551, 553}
# It wants a login, or another one: no fault of this mail, which waits until the settings are mended.
_OUR_FAULT = {530, 534, 535, 538}


def _judged(code: int, words: str) -> NotNow | Rejected:
    """RFC 5321: 4xx asks to try again, 5xx refuses; either way nothing was taken."""
    if 500 <= code < 600 and code not in _OUR_FAULT:
        return Rejected(f"The mail server refused: {words}")
    return NotNow(f"The mail server said: {words}")


class SmtpTransport:
    """`deadline` bounds a whole delivery, in seconds: a batch of calls in five rounds ends before its lease does."""

    repeats = REPEATS

    def __init__(self, *, deadline: float | None = None) -> None:
        self.deadline = settings.LEASE_SECONDS / 6 if deadline is None else deadline

    def send(self, letter: Letter) -> Outcome:
        try:
            data = letter_bytes(letter)
        except (ValueError, UnicodeError) as error:
            return Rejected(f"The mail cannot be written: {error}")
        try:
            with self._connection() as call:
                call.greet(letter)
                call.envelope(letter)
                return call.hand_over(data, letter)
        except _Answer as answer:
            return answer.outcome
        except (OSError, smtplib.SMTPException) as error:
            return NotNow(f"The mail server could not be reached: {_words(error)}")

    @contextmanager
    def _connection(self) -> Iterator["_Call"]:
        ends_at = time.monotonic() + self.deadline
        kind = smtplib.SMTP_SSL if settings.EMAIL_USE_SSL else smtplib.SMTP
        timeout = min(settings.EMAIL_TIMEOUT or self.deadline, self.deadline)
        server = kind(settings.EMAIL_HOST, settings.EMAIL_PORT, local_hostname=DNS_NAME.get_fqdn(), timeout=timeout)
        try:
            yield _Call(server, ends_at)
        finally:
            with suppress(OSError, smtplib.SMTPException):
                server.putcmd("quit")
            server.close()


def letter_bytes(letter: Letter) -> bytes:
    """Raises ValueError or UnicodeError for what no mail can say."""
    return letter.message().as_bytes(policy=_POLICY.clone(utf8=letter.needs_utf8))


def _words(error: Exception) -> str:
    return str(error) or type(error).__name__


class _Call:
    """One conversation with the server; each step gets what is left of the time."""

    def __init__(self, server: smtplib.SMTP, ends_at: float) -> None:
        self.server, self.ends_at = server, ends_at

    def greet(self, letter: Letter) -> None:
        self._hurry()
        self.server.ehlo_or_helo_if_needed()
        if settings.EMAIL_USE_TLS:
            self.server.starttls(context=ssl.create_default_context())
            self.server.ehlo()
        if settings.EMAIL_HOST_USER:
            self._hurry()
            self._log_in()
        if letter.needs_utf8 and not self.server.has_extn("smtputf8"):
            raise _Answer(550, b"it does not take addresses with letters beyond ASCII")

    def _log_in(self) -> None:
        try:
            self.server.login(settings.EMAIL_HOST_USER, settings.EMAIL_HOST_PASSWORD)
        except smtplib.SMTPAuthenticationError as error:
            raise _Answer(535, b"it does not accept our login") from error

    def envelope(self, letter: Letter) -> None:
        options = ["SMTPUTF8", "BODY=8BITMIME"] if letter.needs_utf8 else []
        self._expect({250}, *self._ask(lambda: self.server.mail(letter.from_email, options)))
        self._expect({250, 251}, *self._ask(lambda: self.server.rcpt(letter.to_email)), of_recipient=True)
        self._expect({354}, *self._ask(lambda: self.server.docmd("DATA")))

    def hand_over(self, data: bytes, letter: Letter) -> Outcome:
        """From the first byte on, only an answer can tell."""
        try:
            self._hurry()
            self.server.send(_dotted(data))
            code, text = self.server.getreply()
        except (OSError, smtplib.SMTPException) as error:
            return Unknown(f"The mail was handed over, but the server did not confirm it: {_words(error)}")
        words = f"{code} {text.decode(errors='replace')}"[:500]
        return Sent(letter.message_id) if code == 250 else _judged(code, words)

    def _ask(self, command: Callable[[], tuple[int, bytes]]) -> tuple[int, bytes]:
        self._hurry()
        return command()

    def _expect(self, codes: set[int], code: int, text: bytes, *, of_recipient: bool = False) -> None:
        if code not in codes:
            raise _Answer(code, text, of_recipient=of_recipient)

    def _hurry(self) -> None:
        left = self.ends_at - time.monotonic()
        if left <= 0:
            raise TimeoutError("the mail server is too slow")
        if self.server.sock is not None:
            self.server.sock.settimeout(min(left, settings.EMAIL_TIMEOUT or left))


def _dotted(data: bytes) -> bytes:
    """Lines that begin with a dot are doubled (RFC 5321, 4.5.2), and a lone dot ends the mail."""
    lines = data.replace(b"\r\n.", b"\r\n..")
    lines = b"." + lines if lines.startswith(b".") else lines
    return lines.removesuffix(b"\r\n") + b"\r\n.\r\n"
