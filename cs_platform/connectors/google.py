"""Google's OAuth and Gmail, as their references say them: consent, tokens, sending, and what has come in since.

What is read raises; what is sent answers an outcome, since there an error after the call is not an error before it.
"""

import base64
import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from django.conf import settings

from cs_platform.common.outbound import Answer, BadAddress, NoAnswer, NotSent, get, post
from cs_platform.connectors.base import HttpOutcome, NotNow, Rejected, Repeats, Revoked, Sent, Unknown
from cs_platform.connectors.providers import document, slow_down, words_of
from cs_platform.connectors.smtp import Letter, letter_bytes

SEND = "https://www.googleapis.com/auth/gmail.send"
READ = "https://www.googleapis.com/auth/gmail.readonly"
# Gmail takes a message as often as it is given, and no search finds one for certain by an id of ours.
REPEATS = Repeats(key=None, window=None, lookup=False, proves_not_done=frozenset({400, 413, 429}))
READ_SECONDS = 5.0
LONGEST_MESSAGE = 2 * 1024 * 1024
PAGES = 10
PAGE_SIZE = 100


class Refused(Exception):
    """Google does not accept this token, code or client: its owner has to say yes again."""


class NotReached(Exception):
    """No answer that says anything: later."""


class Gone(Exception):
    """What was asked for is not there (any more)."""


# --- consent and tokens -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Tokens:
    access: str
    good_until: datetime
    refresh: str = ""  # only with the first


def consent_url(*, state: str, verifier: str, back_to: str, email: str) -> str:
    """Where a person says yes. `offline` and `consent` bring a token that can be renewed while they are away."""
    digest = hashlib.sha256(verifier.encode()).digest()
    query = {
        "client_id": settings.GOOGLE_CLIENT_ID,
        "redirect_uri": back_to,
        "response_type": "code",
        "scope": f"{SEND} {READ}",
        "access_type": "offline",
        "prompt": "consent",
        "state": state,
        "code_challenge": base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
        "code_challenge_method": "S256",
        "login_hint": email,
    }
    return f"{settings.GOOGLE_CONSENT_URL}?{urlencode(query)}"


def redeem(code: str, *, verifier: str, back_to: str, now: datetime) -> Tokens:
    """The tokens for a code. Raises Refused or NotReached."""
    asked = {"grant_type": "authorization_code", "code": code, "code_verifier": verifier, "redirect_uri": back_to}
    found, said = _tokens(asked, now)
    missing = {SEND, READ} - set(str(said.get("scope", "")).split())
    if missing or not found.refresh:
        raise Refused("Google was not allowed to let us send and read. Tick both when you connect it again.")
    return found


def renew(refresh: str, *, now: datetime) -> Tokens:
    """Raises Refused or NotReached."""
    return _tokens({"grant_type": "refresh_token", "refresh_token": refresh}, now)[0]


def _tokens(asked: Mapping[str, str], now: datetime) -> tuple[Tokens, dict[str, Any]]:
    client = {"client_id": settings.GOOGLE_CLIENT_ID, "client_secret": settings.GOOGLE_CLIENT_SECRET}
    body = urlencode({**asked, **client}).encode()
    try:
        answer = post(
            settings.GOOGLE_TOKEN_URL,
            body,
            {"Content-Type": "application/x-www-form-urlencoded"},
            seconds=READ_SECONDS,
        )
    except (BadAddress, NotSent, NoAnswer) as error:
        raise NotReached(str(error)) from None
    said = document(answer)
    if answer.status in (400, 401) and isinstance(said.get("error"), str):
        raise Refused(f"Google says {said['error']}: {said.get('error_description', '')}".rstrip(": "))
    access, seconds = said.get("access_token"), said.get("expires_in")
    if answer.status != 200 or not isinstance(access, str) or not isinstance(seconds, int):
        raise NotReached(f"Google answered {answer.status}{words_of(answer)}")
    refresh = said.get("refresh_token")
    return Tokens(access, now + timedelta(seconds=seconds), refresh if isinstance(refresh, str) else ""), said


# --- sending ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class GmailTransport:
    """Speaks for one mailbox, for as long as its token is good."""

    access: str = field(repr=False)

    def send(self, letter: Letter, *, seconds: float) -> HttpOutcome:
        """`Sent` names the thread, by which answers are found. Revoked: the token, or what it may do."""
        try:
            raw = base64.urlsafe_b64encode(letter_bytes(letter)).decode()
        except (ValueError, UnicodeError) as error:
            return Rejected(f"The mail cannot be written: {error}")
        headers = {"Content-Type": "application/json", **_bearer(self.access)}
        try:
            answer = post(_url("messages/send"), json.dumps({"raw": raw}).encode(), headers, seconds=seconds)
        except NotSent as error:
            return NotNow(str(error))
        except (BadAddress, NoAnswer) as error:
            return Unknown(str(error))
        return _judged(answer, now=letter.at)


def _judged(answer: Answer, *, now: datetime) -> HttpOutcome:
    said, reasons = f"Gmail answered {answer.status}{words_of(answer)}", _reasons(answer)
    if answer.status == 200:
        thread = document(answer).get("threadId")
        return Sent(thread) if isinstance(thread, str) else Unknown(f"Gmail answered 200, but not as Gmail does{said}")
    if answer.status == 429 or (answer.status == 403 and reasons & _TOO_MUCH):
        return slow_down(said, answer, now)
    if answer.status in (401, 403):
        return Revoked(said)
    return Rejected(said) if answer.status in REPEATS.proves_not_done else Unknown(said)


_TOO_MUCH = {"rateLimitExceeded", "userRateLimitExceeded", "dailyLimitExceeded", "quotaExceeded"}


def _reasons(answer: Answer) -> set[str]:
    error = document(answer).get("error")
    errors = error.get("errors") if isinstance(error, dict) else None
    return {str(one.get("reason")) for one in errors if isinstance(one, dict)} if isinstance(errors, list) else set()


# --- reading ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Arrived:
    id: str
    thread: str
    history: str = ""  # as of when it was there


def profile(access: str) -> tuple[str, str]:
    """The mailbox's address, and where its history stands."""
    said = _ask(access, "profile")
    return str(said["emailAddress"]), str(said["historyId"])


def arrived_since(access: str, history: str) -> tuple[list[Arrived], str]:
    """What came in since, without what was sent or drafted there; and how far that was.

    Raises Gone for a history that Gmail has forgotten, which it may after a week.
    """
    found: list[Arrived] = []
    for page in _pages(access, "history", startHistoryId=history, historyTypes="messageAdded"):
        for record in page.get("history", []):
            history = str(record["id"])
            added = [one["message"] for one in record.get("messagesAdded", [])]
            theirs = [one for one in added if not _OURS & set(one.get("labelIds", []))]
            found += [Arrived(one["id"], one["threadId"], history) for one in theirs]
        if not page.get("nextPageToken"):
            history = str(page["historyId"])
    return found, history


_OURS = {"SENT", "DRAFT"}


def arrived_after(access: str, moment: datetime) -> list[Arrived]:
    """The same by its date, when the history is lost."""
    asked = {"q": f"after:{int(moment.timestamp())} -in:sent -in:drafts"}
    pages = _pages(access, "messages", **asked)
    return [Arrived(one["id"], one["threadId"]) for page in pages for one in page.get("messages", [])]


def message_of(access: str, id: str) -> bytes:
    """The whole message; of one that is very long, its head and a few words. Raises Gone."""
    try:
        said = _ask(access, f"messages/{id}", most=LONGEST_MESSAGE, format="raw")
    except NotReached:
        said = _ask(access, f"messages/{id}", format="metadata")
        lines = [f"{one['name']}: {one['value']}" for one in said["payload"]["headers"] if one["name"] in _HEAD]
        return "\r\n".join([*lines, "", str(said.get("snippet", ""))]).encode(errors="replace")
    raw = str(said["raw"])
    return base64.urlsafe_b64decode(raw + "=" * (-len(raw) % 4))


_HEAD = {"From", "To", "Subject", "Date", "Message-ID", "Message-Id", "Auto-Submitted"}


def _pages(access: str, path: str, **asked: str) -> Iterator[dict[str, Any]]:
    for _ in range(PAGES):
        page = _ask(access, path, most=LONGEST_MESSAGE, **asked | {"maxResults": str(PAGE_SIZE)})
        yield page
        if not page.get("nextPageToken"):
            return
        asked["pageToken"] = page["nextPageToken"]


def _ask(access: str, path: str, *, most: int = LONGEST_MESSAGE, **asked: str) -> dict[str, Any]:
    url = _url(path) + (f"?{urlencode(asked)}" if asked else "")
    try:
        answer = get(url, _bearer(access), seconds=READ_SECONDS, most=most)
    except (BadAddress, NotSent, NoAnswer) as error:
        raise NotReached(str(error)) from None
    said = f"Gmail answered {answer.status}{words_of(answer)}"
    if answer.status == 404:
        raise Gone(said)
    if answer.status == 401 or (answer.status == 403 and not _reasons(answer) & _TOO_MUCH):
        raise Refused(said)
    found = document(answer)
    if answer.status != 200 or not found:
        raise NotReached(said)
    return found


def _url(path: str) -> str:
    return f"{settings.GMAIL_URL.rstrip('/')}/gmail/v1/users/me/{path}"


def _bearer(access: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {access}"}
