"""Intercom, as its reference says it: whom a message is from and to, the message, and what was answered since."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from html import escape
from typing import Any

from cs_platform.common.outbound import Answer, BadAddress, NoAnswer, NotSent, get, post
from cs_platform.connectors.base import HttpOutcome, NotNow, Rejected, Revoked, Unknown
from cs_platform.connectors.providers import PROVIDERS, Intercom, document, words_of
from cs_platform.connectors.smtp import Letter

PAGES, PAGE_SIZE = 10, 50
READ_SECONDS = 5.0
LONGEST = 2 * 1024 * 1024
_CUSTOMERS = {"user", "lead", "contact"}


class NotReached(Exception):
    """No answer that says anything: later."""


class Refused(Exception):
    """The token is not accepted, or may not do this."""


@dataclass(frozen=True, slots=True)
class Changed:
    """A conversation in which something was said; `begun_by` is the message it began with."""

    id: str
    begun_by: str


@dataclass(frozen=True, slots=True)
class Part:
    """What a customer said in a conversation."""

    id: str
    from_email: str
    from_name: str
    html: str


@dataclass(frozen=True, slots=True)
class IntercomTransport:
    url: str
    token: str = field(repr=False)

    # --- sending ---

    def send(self, letter: Letter, *, seconds: float) -> HttpOutcome:
        """`Sent` names the message. Until it is posted nothing has happened: finding people out changes nothing."""
        try:
            admin, contact = self._admin(letter.from_email), self._contact(letter.to_email)
        except Refused as refusal:
            return Revoked(str(refusal))
        except (NotReached, KeyError, TypeError, AttributeError) as trouble:
            return NotNow(str(trouble))
        if admin is None or contact is None:
            who, email = ("teammate", letter.from_email) if admin is None else ("contact", letter.to_email)
            return Rejected(f"Intercom knows no {who} with the address {email}.")
        said = {
            "message_type": "email",
            "subject": letter.subject,
            "body": _html(letter),
            "template": "plain",
            "from": {"type": "admin", "id": admin},
            "to": contact,
        }
        try:
            return PROVIDERS[Intercom.key].judge(self._post("/messages", said, seconds=seconds), now=letter.at)
        except NotSent as error:
            return NotNow(str(error))
        except (BadAddress, NoAnswer) as error:
            return Unknown(str(error))

    def _admin(self, email: str) -> str | None:
        admins = self._ask("/admins")["admins"]
        return next((str(one["id"]) for one in admins if str(one.get("email")).lower() == email.lower()), None)

    def _contact(self, email: str) -> dict[str, str] | None:
        """One who is a user before one who is only a lead."""
        query = {"query": {"field": "email", "operator": "=", "value": email}}
        found = sorted(self._find("/contacts/search", query)["data"], key=lambda one: one.get("role") != "user")
        return {"type": str(found[0]["role"]), "id": str(found[0]["id"])} if found else None

    # --- reading ---

    def changed_since(self, moment: datetime) -> Iterator[Changed]:
        """Raises Refused or NotReached."""
        query = {"field": "updated_at", "operator": ">", "value": str(int(moment.timestamp()))}
        page: dict[str, Any] = {"per_page": PAGE_SIZE}
        for _ in range(PAGES):
            found = self._find("/conversations/search", {"query": query, "pagination": page})
            for one in found["conversations"]:
                yield Changed(str(one["id"]), str((one.get("source") or {}).get("id", "")))
            following = (found.get("pages") or {}).get("next")
            if not following:
                return
            page["starting_after"] = following["starting_after"]

    def said_in(self, conversation: str) -> list[Part]:
        """By customers; notes of the team, and what bots say, stay there. Raises Refused or NotReached."""
        parts = self._ask(f"/conversations/{conversation}")["conversation_parts"]["conversation_parts"]
        return [_part(part) for part in parts if part.get("body") and part["author"]["type"] in _CUSTOMERS]

    # --- the wire ---

    def _ask(self, path: str) -> dict[str, Any]:
        try:
            answer = get(f"{self.url}{path}", self._headers(), seconds=READ_SECONDS, most=LONGEST)
        except (BadAddress, NotSent, NoAnswer) as error:
            raise NotReached(str(error)) from None
        return _read(answer)

    def _find(self, path: str, query: Mapping[str, Any]) -> dict[str, Any]:
        try:
            answer = self._post(path, query, seconds=READ_SECONDS)
        except (BadAddress, NotSent, NoAnswer) as error:
            raise NotReached(str(error)) from None
        return _read(answer)

    def _post(self, path: str, said: Mapping[str, Any], *, seconds: float) -> Answer:
        return post(f"{self.url}{path}", json.dumps(said).encode(), self._headers(), seconds=seconds, most=LONGEST)

    def _headers(self) -> dict[str, str]:
        return Intercom.headers(self.token)


def _html(letter: Letter) -> str:
    """Intercom takes HTML: a text shows as it was written, and nothing in it can become a tag."""
    lines = escape(letter.body).replace("\n", "<br>")
    leave = f'<br><br><a href="{escape(letter.unsubscribe_url)}">Unsubscribe</a>' if letter.unsubscribe_url else ""
    return f"<p>{lines}{leave}</p>"


def _part(part: Mapping[str, Any]) -> Part:
    author = part["author"]
    return Part(str(part["id"]), str(author.get("email") or ""), str(author.get("name") or ""), str(part["body"]))


def _read(answer: Answer) -> dict[str, Any]:
    said = f"Intercom answered {answer.status}{words_of(answer)}"
    if answer.status in (401, 403):
        raise Refused(said)
    found = document(answer)
    if answer.status != 200 or not found:
        raise NotReached(said)
    return found
