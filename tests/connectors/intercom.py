"""Intercom on this machine: teammates, contacts, messages and what customers answer, in a bad mood where asked."""

import json
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from pytest_django import Settings

OK, ACT_THEN_503, ACT_THEN_HANG, LATER, GARBLE, REVOKED, BAD_REQUEST = (
    "ok",
    "act, then 503",
    "act, then say nothing",
    "429",
    "act, answer nonsense",
    "401",
    "422",
)
ACTING = {OK, ACT_THEN_503, ACT_THEN_HANG, GARBLE}
HANG_SECONDS = 0.4
TOKEN = "dG9rOmFjY2Vzcw"


class Intercom:
    """`mood` is how it takes messages; `answer` has a contact say something."""

    def __init__(self) -> None:
        self.mood = OK
        self.reset_at = 0  # what it says when it was asked too often
        self.admins = {"priya@orbiton.example": "493881"}
        self.contacts = {"ada@harbour.example": ("536e564f316c83104c000020", "user")}
        self.messages: list[dict[str, Any]] = []
        self.conversations: dict[str, dict[str, Any]] = {}
        self.asked: list[str] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self._server.server_address[1]}"

    def start(self) -> None:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def answer(self, message_id: str, html: str, *, author: str = "user", at: int) -> None:
        """In the conversation that a message began, which there is only once it was answered."""
        id = f"c-{message_id}"
        known = {
            "type": "conversation",
            "id": id,
            "source": {"type": "email", "id": message_id, "body": "<p>Hello</p>"},
        }
        conversation = self.conversations.setdefault(id, known | {"parts": []})
        conversation["updated_at"] = at
        who = {"type": author, "id": "536e564f316c83104c000020", "name": "Ada Okafor", "email": "ada@harbour.example"}
        part = {"type": "conversation_part", "id": f"{id}-{len(conversation['parts'])}", "part_type": "comment"}
        conversation["parts"].append(part | {"body": html, "created_at": at, "author": who})

    # --- the wire ---

    def post(self, path: str, said: Mapping[str, Any]) -> tuple[int, Any, dict[str, str]]:
        if path == "/contacts/search":
            assert (said["query"]["field"], said["query"]["operator"]) == ("email", "=")
            found = self.contacts.get(said["query"]["value"])
            data = [{"type": "contact", "id": found[0], "role": found[1]}] if found else []
            return 200, {"type": "list", "data": data, "total_count": len(data)}, {}
        if path == "/conversations/search":
            return 200, self._search(said), {}
        assert path == "/messages"
        return self._message(said)

    def _message(self, said: Mapping[str, Any]) -> tuple[int, Any, dict[str, str]]:
        if self.mood in ACTING:
            assert said["from"] == {"type": "admin", "id": "493881"}
            assert said["to"] == {"type": "user", "id": "536e564f316c83104c000020"}
            id = f"200{len(self.messages)}"
            self.messages.append({"type": "admin_message", "id": id, "created_at": 1401916877, **said})
        match self.mood:
            case "act, then 503":
                return 503, b"<html>Sorry</html>", {}
            case "act, then say nothing":
                time.sleep(HANG_SECONDS)
                return 0, None, {}
            case "429":
                return 429, _errors("rate_limit_exceeded"), {"X-RateLimit-Reset": str(self.reset_at)}
            case "act, answer nonsense":
                return 200, b"<html>Welcome to the hotel network</html>", {}
            case "401":
                return 401, _errors("unauthorized"), {}
            case "422":
                return 422, _errors("parameter_invalid"), {}
        return 200, self.messages[-1], {}

    def _search(self, said: Mapping[str, Any]) -> dict[str, Any]:
        """One a page, so that somebody has to turn over."""
        query = said["query"]
        assert (query["field"], query["operator"]) == ("updated_at", ">")
        found = [one for one in self.conversations.values() if one["updated_at"] > int(query["value"])]
        at = int(said["pagination"].get("starting_after", 0))
        shown = [{name: one[name] for name in ("type", "id", "source", "updated_at")} for one in found[at : at + 1]]
        following = {"next": {"per_page": 1, "starting_after": str(at + 1)}} if found[at + 1 :] else {}
        return {"type": "conversation.list", "conversations": shown, "pages": {"type": "pages", **following}}

    def get(self, path: str) -> tuple[int, Any, dict[str, str]]:
        self.asked.append(path)
        if path == "/admins":
            admins = [{"type": "admin", "id": id, "email": email} for email, id in self.admins.items()]
            return 200, {"type": "admin.list", "admins": [*admins, {"type": "team", "id": "8", "email": None}]}, {}
        found = self.conversations.get(path.removeprefix("/conversations/"))
        if not found:
            return 404, _errors("not_found"), {}
        parts = {"type": "conversation_part.list", "conversation_parts": found["parts"]}
        return 200, {"type": "conversation", "id": found["id"], "conversation_parts": parts}, {}


def _errors(code: str) -> dict[str, Any]:
    return {"type": "error.list", "errors": [{"code": code, "message": code.replace("_", " ").capitalize()}]}


def _handler(intercom: Intercom) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            said = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            self._guarded(lambda: intercom.post(self.path, said))

        def do_GET(self) -> None:
            self._guarded(lambda: intercom.get(self.path))

        def _guarded(self, answer: Any) -> None:
            assert self.headers["Intercom-Version"]
            known = self.headers["Authorization"] == f"Bearer {TOKEN}"
            self._say(*(answer() if known else (401, _errors("unauthorized"), {})))

        def _say(self, status: int, said: Any, headers: Mapping[str, str]) -> None:
            if not status:
                self.close_connection = True
                return
            body = said if isinstance(said, bytes) else json.dumps(said).encode()
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: Any) -> None:
            """Says nothing."""

    return Handler


@contextmanager
def intercom(settings: Settings) -> Iterator[Intercom]:
    server = Intercom()
    settings.INTERCOM_URL, settings.OUTBOUND_TRUSTED = f"http://{server.host}", [server.host]
    server.start()
    yield server
    server.stop()
