"""A server that speaks what Slack, Segment, Gmail, Intercom and receivers of webhooks speak, misbehaves, and remembers.

What it does with a message depends on the seed, the message and how often it came, so a run can be told again.
"""

import base64
import json
import random
import sys
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email import message_from_bytes, policy
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from uuid import uuid4

from cs_platform.chaos import channels
from cs_platform.chaos.channels import Question, is_question

TAKE, SLOW, TAKE_AND_FAIL, TAKE_AND_HANG, LATER, FAIL, REVOKE, GARBLE, REDIRECT = (
    "take",
    "take slowly",
    "take, then 503",
    "take, then say nothing",
    "not now",
    "503",
    "revoke",
    "take, answer nonsense",
    "redirect",
)
# What happens to a message, and how often: in a thousand.
MOODS: Mapping[str, int] = {
    TAKE: 700,
    SLOW: 50,
    TAKE_AND_FAIL: 50,
    TAKE_AND_HANG: 20,
    LATER: 80,
    FAIL: 60,
    REVOKE: 10,
    GARBLE: 20,
    REDIRECT: 10,
}
TAKING = {TAKE, SLOW, TAKE_AND_FAIL, TAKE_AND_HANG, GARBLE}
SLOW_SECONDS, HANG_SECONDS = 1.0, 12.0


@dataclass(frozen=True, slots=True)
class Arrival:
    """One message that was handed over, and whether it was acted on."""

    id: str  # what it would be recognised by; empty for Slack, Gmail and Intercom
    mood: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    at: datetime = field(default_factory=lambda: datetime.now(UTC))

    @property
    def taken(self) -> bool:
        return self.mood in TAKING

    @property
    def message(self) -> Any:
        """What it says; a mail, by its lines."""
        said = json.loads(self.body)
        return dict(_mail(said["raw"]).items()) if "raw" in said else said


def _mail(raw: str) -> Any:
    return message_from_bytes(base64.urlsafe_b64decode(raw), policy=policy.default)


def _yes(arrival: Arrival) -> bytes:
    """As each says it; who names what it took gives it a name of its own."""
    name = uuid4().hex
    if arrival.path.endswith("/messages/send"):
        return json.dumps({"id": f"m-{name}", "threadId": f"t-{name}", "labelIds": ["SENT"]}).encode()
    if arrival.path.endswith("/messages"):
        return json.dumps({"type": "admin_message", "id": name}).encode()
    return b'{"success": true}' if arrival.path.endswith("/v1/track") else b"ok"


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Callers that are killed hang up."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class MoodyHooks:
    """Listens on a port of its own until stopped. `mood` forces one; `calm` takes everything from now on."""

    def __init__(self, seed: int = 0, *, hang_seconds: float = HANG_SECONDS) -> None:
        self.seed, self.hang_seconds = seed, hang_seconds
        self.calm, self.mood = False, ""
        self.slow_seconds = 0.0
        self.at_once = self.most_at_once = 0
        self.arrivals: list[Arrival] = []
        self.asked: Counter[str] = Counter()  # questions, by what became of them
        self._times: dict[str, int] = defaultdict(int)
        self._lock = threading.Lock()
        self._server = _Server(("127.0.0.1", 0), self._handler())

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self._server.server_address[1]}"

    @property
    def url(self) -> str:
        return f"http://{self.host}"

    def start(self) -> None:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def taken(self) -> Counter[str]:
        """How often each message would have taken effect: a receiver that recognises repeats counts them once."""
        with self._lock:
            keyed = {arrival.id for arrival in self.arrivals if arrival.taken and arrival.id}
            unkeyed = Counter(arrival.body.decode() for arrival in self.arrivals if arrival.taken and not arrival.id)
        return Counter(dict.fromkeys(keyed, 1)) + unkeyed

    def acted_on(self) -> list[Arrival]:
        with self._lock:
            return [arrival for arrival in self.arrivals if arrival.taken]

    def moods(self) -> Counter[str]:
        with self._lock:
            return Counter(arrival.mood for arrival in self.arrivals) + self.asked

    def ask(self, question: Question) -> channels.Said:
        mood = channels.FINE if self.calm or self.mood else self._chosen(question.key, channels.MOODS)
        with self._lock:
            self.asked[f"asked: {mood}"] += 1
        return channels.answer(question, mood)

    def _chosen(self, message: str, moods: Mapping[str, int]) -> str:
        with self._lock:
            self._times[message] += 1
            chance = random.Random(f"{self.seed} {message} {self._times[message]}")
        return chance.choices(list(moods), list(moods.values()))[0]

    def receive(self, path: str, headers: Mapping[str, str], body: bytes) -> Arrival:
        """Written down before it is answered: from here on it is acted on, whatever becomes of the call."""
        said = json.loads(body)
        id = headers.get("webhook-id") or said.get("messageId", "")
        same = _mail(said["raw"])["Message-ID"] if "raw" in said else body.decode()  # a mail has its moment in it
        mood = TAKE if self.calm else self.mood or self._chosen(id or f"{path} {same}", MOODS)
        arrival = Arrival(id, mood, path, headers, body)
        with self._lock:
            self.arrivals.append(arrival)
        return arrival

    def count(self, change: int) -> None:
        with self._lock:
            self.at_once += change
            self.most_at_once = max(self.most_at_once, self.at_once)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        hooks = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.do_POST()

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                headers = {name.lower(): value for name, value in self.headers.items()}
                if is_question(self.command, self.path):
                    status, said = hooks.ask(Question(self.path, headers, body))
                    self._say(status, json.dumps(said).encode())
                    return
                arrival = hooks.receive(self.path, headers, body)
                hooks.count(1)
                time.sleep(hooks.slow_seconds)
                hooks.count(-1)
                self._answer(arrival)

            def _answer(self, arrival: Arrival) -> None:
                match arrival.mood:
                    case "take slowly":
                        time.sleep(SLOW_SECONDS)
                        self._take(arrival)
                    case "take, then 503" | "503":
                        self._say(503, b"upstream is away")
                    case "take, then say nothing":
                        time.sleep(hooks.hang_seconds)
                        self.close_connection = True
                    case "not now":
                        self._say(429, b"slow down", {"Retry-After": "120"})
                    case "revoke":
                        self._say(401 if "webhook-id" in arrival.headers else 403, b"invalid_token")
                    case "take, answer nonsense":
                        self._say(200, b"<html>Welcome to the hotel network</html>")
                    case "redirect":
                        self._say(302, b"", {"Location": "http://169.254.169.254/"})
                    case _:
                        self._take(arrival)

            def _take(self, arrival: Arrival) -> None:
                self._say(200, _yes(arrival))

            def _say(self, status: int, body: bytes, headers: Mapping[str, str] | None = None) -> None:
                self.send_response(status)
                for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args: Any) -> None:
                """Says nothing."""

        return Handler
