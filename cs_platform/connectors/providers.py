"""Whom we speak HTTP to: how each wants to be spoken to, what its answers mean, and how it recognises a repeat."""

import base64
import json
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, ClassVar

from cs_platform.common.outbound import Answer, BadAddress, NoAnswer, NotSent, post, target_of
from cs_platform.connectors.base import HttpOutcome, NotNow, Rejected, Repeats, Revoked, Sent, Unknown
from cs_platform.connectors.standard_webhooks import PREFIX, new_secret, signed_headers

LATEST_RETRY = timedelta(hours=24)
SLOW_DOWN = timedelta(seconds=60)
SEGMENT_HOST = "https://api.segment.io"

Secrets = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Call:
    """One request, ready to leave: it holds secrets, so it is never stored."""

    provider: "Provider"
    url: str
    body: bytes
    headers: Mapping[str, str]
    at: datetime

    def deliver(self, *, seconds: float) -> HttpOutcome:
        try:
            return self.provider.judge(post(self.url, self.body, self.headers, seconds=seconds), now=self.at)
        except BadAddress as refusal:
            return Revoked(str(refusal))
        except NotSent as error:
            return NotNow(str(error))
        except NoAnswer as error:
            return Unknown(str(error))


class Provider(ABC):
    """Stateless. `url_is_secret`: the address itself is what nobody may know."""

    key: ClassVar[str]
    label: ClassVar[str]
    icon: ClassVar[str]
    repeats: ClassVar[Repeats]
    per_second: ClassVar[float]
    url_is_secret: ClassVar[bool] = False
    makes_secret: ClassVar[bool] = False  # we make it, and the other side is told
    revoked: ClassVar[Sequence[int]] = (401, 403)

    @abstractmethod
    def call(self, message: Mapping[str, Any], *, url: str, secrets: Secrets, id: str, now: datetime) -> Call:
        """The request for one message. `id` is the same for every try."""

    @abstractmethod
    def test_message(self, *, workspace: str, now: datetime) -> dict[str, Any]:
        """What the test button sends."""

    def check_secret(self, secret: str) -> str:
        """The secret as it is kept. Raises ValueError with words for whoever typed it."""
        if not secret.isascii() or not secret.isprintable() or not 8 <= len(secret) <= 500 or " " in secret:
            raise ValueError("Enter it as the other side shows it.")
        return secret

    def judge(self, answer: Answer, *, now: datetime) -> HttpOutcome:
        said = f"It answered {answer.status}{_words_of(answer)}"
        if 200 <= answer.status < 300:
            return self.accepted(answer)
        if answer.status in self.revoked:
            return Revoked(said)
        if answer.status in self.repeats.proves_not_done:
            return _slow_down(said, answer, now) if answer.status == 429 else Rejected(said)
        return Unknown(said)

    def accepted(self, answer: Answer) -> HttpOutcome:
        return Sent(str(answer.status))


_DEAD = (400, 404, 405, 413, 415, 422)


class Webhook(Provider):
    key, label, icon = "webhook", "Webhook", "send"
    # Standard Webhooks: receivers recognise a repeat by webhook-id.
    repeats = Repeats("header", timedelta(hours=24), lookup=False, proves_not_done=frozenset({*_DEAD, 429}))
    per_second = 10.0
    makes_secret = True
    revoked = (401, 403, 410)

    def call(self, message: Mapping[str, Any], *, url: str, secrets: Secrets, id: str, now: datetime) -> Call:
        body = json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode()
        good = [secrets["secret"], *([secrets["former"]] if secrets.get("former") else [])]
        signed = signed_headers(body, message_id=f"msg_{id}", at=now, secrets=good)
        return Call(self, url, body, {"Content-Type": "application/json", "User-Agent": "CS-Platform/1", **signed}, now)

    def test_message(self, *, workspace: str, now: datetime) -> dict[str, Any]:
        return {"type": "test", "timestamp": now.isoformat(), "data": {"workspace": workspace}}

    def check_secret(self, secret: str) -> str:
        if not secret:
            return new_secret()
        try:
            raw = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
        except ValueError:
            raw = b""
        if not secret.startswith(PREFIX) or not 24 <= len(raw) <= 64:
            raise ValueError("A secret begins with whsec_ and holds 24 to 64 bytes. Leave it empty to have one made.")
        return secret


class Slack(Provider):
    key, label, icon = "slack", "Slack", "message-square"
    repeats = Repeats(None, None, lookup=False, proves_not_done=frozenset({400, 413, 429}))
    per_second = 1.0
    url_is_secret = True
    revoked = (401, 403, 404, 410)

    def call(self, message: Mapping[str, Any], *, url: str, secrets: Secrets, id: str, now: datetime) -> Call:
        body = json.dumps(message, ensure_ascii=False).encode()
        return Call(self, secrets["secret"], body, {"Content-Type": "application/json"}, now)

    def test_message(self, *, workspace: str, now: datetime) -> dict[str, Any]:
        return {"text": f"{workspace} can post here."}

    def check_secret(self, secret: str) -> str:
        target_of(secret)
        return secret

    def accepted(self, answer: Answer) -> HttpOutcome:
        """Slack says ok, in so many letters; anything else under 200 is somebody in between."""
        said = answer.body.strip()
        return Sent("ok") if said == b"ok" else Unknown(f"It answered 200, but not as Slack does{_words_of(answer)}")


class Segment(Provider):
    key, label, icon = "segment", "Segment", "plug-zap"
    repeats = Repeats("field", timedelta(hours=24), lookup=False, proves_not_done=frozenset({400, 413, 429}))
    per_second = 50.0

    def call(self, message: Mapping[str, Any], *, url: str, secrets: Secrets, id: str, now: datetime) -> Call:
        """The Tracking API as its libraries speak it: the write key as Basic user, `messageId` for the repeat."""
        body = json.dumps({**message, "messageId": id, "sentAt": _moment(now)}, ensure_ascii=False).encode()
        key = base64.b64encode(f"{secrets['secret']}:".encode()).decode()
        headers = {"Content-Type": "application/json", "Authorization": f"Basic {key}"}
        return Call(self, f"{(url or SEGMENT_HOST).rstrip('/')}/v1/track", body, headers, now)

    def test_message(self, *, workspace: str, now: datetime) -> dict[str, Any]:
        return {
            "event": "Connection Tested",
            "anonymousId": "connection-test",
            "properties": {"workspace": workspace},
            "timestamp": _moment(now),
        }

    def accepted(self, answer: Answer) -> HttpOutcome:
        return Sent("accepted")


PROVIDERS: Mapping[str, Provider] = {provider.key: provider for provider in (Webhook(), Slack(), Segment())}


def _moment(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def _words_of(answer: Answer) -> str:
    """The first line of what it said, for a person: without what could be read as more than a line."""
    line = answer.body[:400].decode(errors="replace").strip().partition("\n")[0]
    clean = "".join(letter for letter in line if letter.isprintable())[:120]
    return f": {clean}" if clean else "."


def _slow_down(said: str, answer: Answer, now: datetime) -> NotNow:
    """Not before the moment it asks for, as seconds or as a date, within a day; and no fault of ours."""
    asked = answer.headers.get("retry-after", "").strip()
    wanted = now + SLOW_DOWN
    if asked.isascii() and asked.isdecimal() and len(asked) < 9:
        wanted = now + timedelta(seconds=int(asked))
    elif asked:
        with suppress(ValueError):
            found = parsedate_to_datetime(asked)
            wanted = found if found.tzinfo else found.replace(tzinfo=UTC)
    return NotNow(said, min(max(wanted, now), now + LATEST_RETRY), counts=False)
