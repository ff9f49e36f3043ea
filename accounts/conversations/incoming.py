"""What comes back as mail: an answer, an automatic one, or word that nothing was delivered."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage, Message
from email.utils import parseaddr
from html import unescape

import nh3

LONGEST = 50_000
SUBJECT_LIMIT, NAME_LIMIT = 998, 320


@dataclass(frozen=True, slots=True)
class Bounce:
    """A mail server's word (RFC 3464) that it has given up on an address; `unreachable`: there is nobody."""

    address: str
    unreachable: bool
    words: str


@dataclass(frozen=True, slots=True)
class Incoming:
    message_id: str
    from_name: str
    from_email: str
    subject: str
    text: str
    is_automatic: bool
    bounces: tuple[Bounce, ...]


def read_message(raw: bytes, *, id: str) -> Incoming:
    """Whatever it is; `id` names it where it does not itself. Nothing of it is to be trusted."""
    message = message_from_bytes(raw, policy=policy.default)
    assert isinstance(message, EmailMessage)
    name, email = parseaddr(_header(message, "From"))
    automatic = _header(message, "Auto-Submitted").lower()
    return Incoming(
        message_id=_header(message, "Message-ID")[:SUBJECT_LIMIT] or id,
        from_name=name[:NAME_LIMIT],
        from_email=email.lower()[:NAME_LIMIT],
        subject=_header(message, "Subject")[:SUBJECT_LIMIT],
        text=_text(message)[:LONGEST],
        is_automatic=automatic not in ("", "no"),
        bounces=tuple(_bounces(message)),
    )


def _header(message: Message, name: str) -> str:
    """On one line. A header that cannot be read is none."""
    try:
        found = str(message.get(name, ""))
    except (ValueError, LookupError, AttributeError, IndexError):
        return ""
    return _clean(" ".join(found.split()))


def _text(message: EmailMessage) -> str:
    """Its plain text; of one in HTML alone what remains without its tags."""
    part = message.get_body(preferencelist=("plain", "html"))
    if part is None:
        return ""
    try:
        content = str(part.get_content())
    except (LookupError, ValueError, KeyError, AttributeError):
        return ""
    return text_of_html(content) if part.get_content_type() == "text/html" else _tidy(content)


def text_of_html(content: str) -> str:
    return _tidy(unescape(nh3.clean(_BREAKS.sub("\n", content), tags=set())))


def _tidy(text: str) -> str:
    return _clean(text).replace("\r\n", "\n").replace("\xa0", " ").strip()


_BREAKS = re.compile(r"<(?:br|/p|/div|/tr|/li|/h[1-6])\b[^>]{0,200}>", re.IGNORECASE)


def _clean(text: str) -> str:
    """What PostgreSQL can hold."""
    return text.replace("\0", "").encode(errors="replace").decode()


def _bounces(message: EmailMessage) -> Iterator[Bounce]:
    if message.get_content_type() != "multipart/report":
        return
    for part in message.walk():
        blocks = part.get_payload() if part.get_content_type() == "message/delivery-status" else []
        for block in blocks if isinstance(blocks, list) else []:
            found = _bounce(block) if isinstance(block, Message) else None
            if found:
                yield found


def _bounce(block: Message) -> Bounce | None:
    """Of one recipient. Delays are none, and neither is the block that speaks of the whole message."""
    if _header(block, "Action").lower() != "failed":
        return None
    address = _header(block, "Final-Recipient").rpartition(";")[2].strip().lower()
    status = _header(block, "Status")
    words = _header(block, "Diagnostic-Code").partition(";")[2].strip() or status
    return Bounce(address, bool(_NOBODY_THERE.match(status)), words[:300])


# RFC 3463: a bad destination address, or a mailbox that is disabled.
_NOBODY_THERE = re.compile(r"5\.(?:1\.\d+|2\.1)\b")
