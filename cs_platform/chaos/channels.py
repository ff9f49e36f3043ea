"""What Gmail and Intercom are asked beside being handed a message, answered as their references say.

One server stands for all of their customers: a token, or the first part of an address, names the workspace. What is
asked changes nothing here, but it may find nobody there, or be refused.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

from cs_platform.connectors.google import READ, SEND

CONSENT, GMAIL = "code:", "/gmail/v1/users/me/"
FINE, AWAY, TOO_MUCH, REFUSED = "answer", "503", "429", "refuse"
# What happens to a question, and how often: in a thousand.
MOODS: Mapping[str, int] = {FINE: 930, AWAY: 40, TOO_MUCH: 20, REFUSED: 10}
Said = tuple[int, dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Question:
    """Anything that hands over no message."""

    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def key(self) -> str:
        return f"{self.path} {self.headers.get('authorization', '')} {self.body.decode()}"


def is_question(method: str, path: str) -> bool:
    return method == "GET" or path == "/token" or path.endswith("/search")


def answer(question: Question, mood: str) -> Said:
    match mood:
        case "503":
            return 503, {}
        case "429":
            return 429, {"error": {"errors": [{"reason": "rateLimitExceeded"}]}}
        case "refuse":
            return (400, {"error": "invalid_grant"}) if question.path == "/token" else (401, {"error": "unauthorized"})
    path = urlsplit(question.path).path
    if path == "/token":
        return 200, _grant(question.body)
    if path.startswith(GMAIL):
        return 200, _of_gmail(path.removeprefix(GMAIL), question.headers)
    return 200, _of_intercom(path, question.body)


def _grant(body: bytes) -> dict[str, Any]:
    """For the code that a person's yes brought, and for the token that renews: both name the workspace."""
    form = {name: values[0] for name, values in parse_qs(body.decode()).items()}
    slug = (form.get("code") or form["refresh_token"]).rpartition(":")[2]
    tokens = {"access_token": f"access:{slug}", "refresh_token": f"refresh:{slug}", "token_type": "Bearer"}
    return {**tokens, "expires_in": 3599, "scope": f"{SEND} {READ}"}


def _of_gmail(asked: str, headers: Mapping[str, str]) -> dict[str, Any]:
    """Nobody answers by mail here."""
    slug = headers["authorization"].rpartition(":")[2]
    return {"emailAddress": member_of(slug), "historyId": "1"} if asked == "profile" else {"historyId": "1"}


def _of_intercom(path: str, body: bytes) -> dict[str, Any]:
    slug, asked = path.split("/")[1], path.split("/", 2)[2]
    if asked == "admins":
        return {"admins": [{"type": "admin", "id": f"admin of {slug}", "email": member_of(slug)}]}
    if asked == "contacts/search":
        return {"data": [{"type": "contact", "id": json.loads(body)["query"]["value"], "role": "user"}]}
    return {"conversations": [], "pages": {}}


def member_of(slug: str) -> str:
    """Whoever looks after the workspace's customers."""
    return f"csm@{slug}.example"


def consent_of(slug: str) -> str:
    """What a member's yes at Google brings back."""
    return f"{CONSENT}{slug}"
