"""Google on this machine: consent, tokens and one mailbox, as its references say them, in a bad mood where asked."""

import base64
import hashlib
import json
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from pytest_django import Settings

from cs_platform.connectors.google import READ, SEND

OK, ACT_THEN_503, ACT_THEN_HANG, LATER, TOO_MUCH, FORBIDDEN, GARBLE, BAD_REQUEST, TOKEN_REFUSED = (
    "ok",
    "act, then 503",
    "act, then say nothing",
    "429",
    "403 rate limit",
    "403",
    "act, answer nonsense",
    "400",
    "401",
)
ACTING = {OK, ACT_THEN_503, ACT_THEN_HANG, GARBLE}
HANG_SECONDS = 0.4


class Google:
    """The person who owns the mailbox says yes unless told otherwise; `mood` is how it takes what is sent."""

    def __init__(self, email: str) -> None:
        self.email, self.mood, self.granted = email, OK, f"{SEND} {READ}"
        self.revoked = self.away = self.history_lost = False
        self.renewals = 0
        self.asked: list[str] = []  # paths that were read
        self.messages: dict[str, dict[str, Any]] = {}
        self._history: list[tuple[int, str]] = []
        self._known: dict[str, dict[str, Any]] = {}  # what is in the history stays there when it is deleted
        self._codes: dict[str, dict[str, str]] = {}
        self._tokens: list[str] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self._server.server_address[1]}"

    def settings(self) -> dict[str, Any]:
        url = f"http://{self.host}"
        return {
            "GOOGLE_CLIENT_ID": "our-client",
            "GOOGLE_CLIENT_SECRET": "our-secret",
            "GOOGLE_CONSENT_URL": f"{url}/o/oauth2/v2/auth",
            "GOOGLE_TOKEN_URL": f"{url}/token",
            "GMAIL_URL": url,
            "OUTBOUND_TRUSTED": [self.host],
        }

    def start(self) -> None:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    # --- people ---

    def consent(self, url: str) -> dict[str, str]:
        """What the browser brings back after a yes."""
        asked = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
        assert (asked["client_id"], asked["response_type"]) == ("our-client", "code")
        assert (asked["code_challenge_method"], asked["access_type"], asked["prompt"]) == ("S256", "offline", "consent")
        assert set(asked["scope"].split()) == {SEND, READ}
        code = f"4/code-{len(self._codes)}"
        self._codes[code] = asked
        return {"state": asked["state"], "code": code}

    def receive(self, thread: str, message: EmailMessage, *, labels: tuple[str, ...] = ("INBOX", "UNREAD")) -> str:
        """A mail comes in."""
        return self._keep(message.as_bytes(), thread, labels)

    def sent(self) -> list[EmailMessage]:
        kept = [one for one in self.messages.values() if "SENT" in one["labelIds"]]
        return [message_from_bytes(one["bytes"], policy=policy.default) for one in kept]  # type: ignore[misc]

    def expire(self) -> None:
        """Every token it gave out so far is refused."""
        self._tokens.clear()

    # --- the wire ---

    def token(self, form: Mapping[str, str]) -> tuple[int, Any]:
        if self.away:
            return 503, b"<html>Sorry</html>"
        if (form["client_id"], form["client_secret"]) != ("our-client", "our-secret"):
            return 401, {"error": "invalid_client", "error_description": "Unauthorized"}
        if self.revoked:
            return 400, {"error": "invalid_grant", "error_description": "Token has been expired or revoked."}
        if form["grant_type"] == "refresh_token":
            assert form["refresh_token"] == "1//refresh"
            self.renewals += 1
            return 200, self._grant()
        asked = self._codes.pop(form["code"], None)
        digest = base64.urlsafe_b64encode(hashlib.sha256(form["code_verifier"].encode()).digest()).rstrip(b"=").decode()
        if not asked or (asked["code_challenge"], asked["redirect_uri"]) != (digest, form["redirect_uri"]):
            return 400, {"error": "invalid_grant", "error_description": "Malformed auth code."}
        return 200, self._grant() | {"refresh_token": "1//refresh"}

    def _grant(self) -> dict[str, Any]:
        self._tokens.append(f"ya29.{len(self._tokens)}-{self.renewals}")
        known = {"expires_in": 3599, "scope": self.granted, "token_type": "Bearer"}
        return {"access_token": self._tokens[-1], **known}

    def knows(self, header: str) -> bool:
        return not self.revoked and header.removeprefix("Bearer ") in self._tokens

    def send(self, body: Mapping[str, str]) -> tuple[int, Any]:
        if self.mood in ACTING:
            raw = base64.urlsafe_b64decode(body["raw"])
            id = self._keep(raw, f"thread-{len(self.messages)}", ("SENT",))
        match self.mood:
            case "act, then 503":
                return 503, _error(503, "backendError")
            case "act, then say nothing":
                time.sleep(HANG_SECONDS)
                return 0, None
            case "429":
                return 429, _error(429, "userRateLimitExceeded")
            case "403 rate limit":
                return 403, _error(403, "rateLimitExceeded")
            case "403":
                return 403, _error(403, "insufficientPermissions")
            case "act, answer nonsense":
                return 200, b"<html>Welcome to the hotel network</html>"
            case "400":
                return 400, _error(400, "invalidArgument", "Invalid To header")
            case "401":
                return 401, _error(401, "authError", "Invalid Credentials")
        return 200, {name: self.messages[id][name] for name in ("id", "threadId", "labelIds")}

    def read(self, path: str, asked: Mapping[str, str]) -> tuple[int, Any]:
        self.asked.append(path)
        if path == "profile":
            return 200, {"emailAddress": self.email, "messagesTotal": len(self.messages), "historyId": self._now()}
        if path == "history":
            return self._history_page(int(asked["startHistoryId"]), int(asked.get("pageToken", 0)))
        if path == "messages":
            assert asked["q"].startswith("after:")
            theirs = [one for one in self.messages.values() if not {"SENT", "DRAFT"} & set(one["labelIds"])]
            return 200, {"messages": [{"id": one["id"], "threadId": one["threadId"]} for one in theirs]}
        found = self.messages.get(path.removeprefix("messages/"))
        if found is None:
            return 404, _error(404, "notFound")
        raw = base64.urlsafe_b64encode(found["bytes"]).decode().rstrip("=")
        return 200, {name: found[name] for name in ("id", "threadId", "labelIds")} | {"raw": raw}

    def _history_page(self, since: int, at: int) -> tuple[int, Any]:
        """Two records a page, so that somebody has to turn over."""
        if self.history_lost:
            return 404, _error(404, "notFound", "Requested entity was not found.")
        records = [(n, self._known[id]) for n, id in self._history if n > since]
        page: dict[str, Any] = {"historyId": self._now()}
        if records[at : at + 2]:
            page["history"] = [_record(n, message) for n, message in records[at : at + 2]]
        return 200, page | ({"nextPageToken": str(at + 2)} if records[at + 2 :] else {})

    def _now(self) -> str:
        return str(1000 + 7 * len(self._history))

    def _keep(self, raw: bytes, thread: str, labels: tuple[str, ...]) -> str:
        id = f"m{len(self.messages)}"
        self.messages[id] = {"id": id, "threadId": thread, "labelIds": list(labels), "bytes": raw}
        self._known[id] = self.messages[id]
        self._history.append((1000 + 7 * (len(self._history) + 1), id))
        return id


def _record(n: int, message: Mapping[str, Any]) -> dict[str, Any]:
    short = {name: message[name] for name in ("id", "threadId", "labelIds")}
    named = {name: message[name] for name in ("id", "threadId")}
    return {"id": str(n), "messages": [named], "messagesAdded": [{"message": short}]}


def _error(code: int, reason: str, message: str = "Trouble") -> dict[str, Any]:
    details = [{"message": message, "domain": "global", "reason": reason}]
    return {"error": {"code": code, "message": message, "errors": details}}


def _handler(google: Google) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            if self.path == "/token":
                self._say(*google.token({name: values[0] for name, values in parse_qs(body).items()}))
            else:
                assert self.path == "/gmail/v1/users/me/messages/send"
                self._guarded(lambda: google.send(json.loads(body)))

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            asked = {name: values[0] for name, values in parse_qs(parts.query).items()}
            self._guarded(lambda: google.read(parts.path.removeprefix("/gmail/v1/users/me/"), asked))

        def _guarded(self, answer: Any) -> None:
            known = google.knows(self.headers["Authorization"])
            self._say(*(answer() if known else (401, _error(401, "authError", "Invalid Credentials"))))

        def _say(self, status: int, said: Any) -> None:
            if not status:
                self.close_connection = True
                return
            body = said if isinstance(said, bytes) else json.dumps(said).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: Any) -> None:
            """Says nothing."""

    return Handler


@contextmanager
def google(settings: Settings, email: str) -> Iterator[Google]:
    server = Google(email)
    for name, value in server.settings().items():
        setattr(settings, name, value)
    server.start()
    yield server
    server.stop()


def callback(said: Mapping[str, str]) -> str:
    return f"/connected/google/?{urlencode(said)}"
