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

from django.conf import settings

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
    has_own_url: ClassVar[bool] = False  # an address is only given where it is another
    is_read: ClassVar[bool] = False  # what is answered there is brought back
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
        said = f"It answered {answer.status}{words_of(answer)}"
        if 200 <= answer.status < 300:
            return self.accepted(answer)
        if answer.status in self.revoked:
            return Revoked(said)
        if answer.status in self.repeats.proves_not_done:
            return slow_down(said, answer, now) if answer.status == 429 else Rejected(said)
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
        return Sent("ok") if said == b"ok" else Unknown(f"It answered 200, but not as Slack does{words_of(answer)}")


class Segment(Provider):
    key, label, icon = "segment", "Segment", "plug-zap"
    repeats = Repeats("field", timedelta(hours=24), lookup=False, proves_not_done=frozenset({400, 413, 429}))
    per_second = 50.0
    has_own_url = True

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


class Intercom(Provider):
    """Messages from teammates to contacts. More than one request each: see cs_platform.connectors.intercom."""

    key, label, icon = "intercom", "Intercom", "message-circle"
    repeats = Repeats(None, None, lookup=False, proves_not_done=frozenset({400, 404, 413, 422, 429}))
    per_second = 10.0
    has_own_url = is_read = True

    def call(self, message: Mapping[str, Any], *, url: str, secrets: Secrets, id: str, now: datetime) -> Call:
        body = json.dumps(message["said"]).encode()
        return Call(self, f"{intercom_url(url)}{message['path']}", body, self.headers(secrets["secret"]), now)

    @staticmethod
    def headers(token: str) -> dict[str, str]:
        fixed = {"Content-Type": "application/json", "Accept": "application/json", "Intercom-Version": "2.11"}
        return {"Authorization": f"Bearer {token}", **fixed}

    def test_message(self, *, workspace: str, now: datetime) -> dict[str, Any]:
        """A search, which tells whether the token is good and bothers nobody."""
        query = {"field": "email", "operator": "=", "value": "connection-test@example.com"}
        return {"path": "/contacts/search", "said": {"query": query}}

    def judge(self, answer: Answer, *, now: datetime) -> HttpOutcome:
        """Of too many calls it says when the next ones count, as a moment."""
        outcome, reset = super().judge(answer, now=now), answer.headers.get("x-ratelimit-reset", "")
        if answer.status == 429 and isinstance(outcome, NotNow) and reset.isascii() and reset.isdecimal():
            asked = datetime.fromtimestamp(min(int(reset), 2**32), UTC)
            return NotNow(outcome.reason, min(max(asked, now), now + LATEST_RETRY), counts=False)
        return outcome

    def accepted(self, answer: Answer) -> HttpOutcome:
        said = document(answer)
        if "id" in said or "data" in said:
            return Sent(str(said.get("id", "found")))
        return Unknown(f"It answered {answer.status}, but not as Intercom does{words_of(answer)}")


def intercom_url(url: str) -> str:
    """Workspaces kept in Europe or Australia have an address of their own."""
    return (url or settings.INTERCOM_URL).rstrip("/")


_KINDS = (Webhook(), Slack(), Segment(), Intercom())
PROVIDERS: Mapping[str, Provider] = {provider.key: provider for provider in _KINDS}


def document(answer: Answer) -> dict[str, Any]:
    """Empty for what is no JSON object."""
    try:
        found = json.loads(answer.body)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _moment(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def words_of(answer: Answer) -> str:
    """The first line of what it said, for a person: without what could be read as more than a line."""
    line = answer.body[:400].decode(errors="replace").strip().partition("\n")[0]
    clean = "".join(letter for letter in line if letter.isprintable())[:120]
    return f": {clean}" if clean else "."


def slow_down(said: str, answer: Answer, now: datetime) -> NotNow:
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
