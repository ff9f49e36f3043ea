"""A mail server that misbehaves on purpose, and remembers what it really took.

What it does with a letter depends on the seed, the letter and how often it came, so a run can be told again.
"""

import asyncio
import random
import socket
import threading
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email import message_from_bytes

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

# What happens to a letter, and how often: in a thousand.
TAKE, SLOW, TOO_SLOW, TAKE_AND_DROP, DROP, LATER, REFUSE = (
    "take",
    "take slowly",
    "take too slowly",
    "take, then drop",
    "drop",
    "not now",
    "refuse",
)
MOODS: Mapping[str, int] = {
    TAKE: 740,
    SLOW: 100,
    TOO_SLOW: 10,
    TAKE_AND_DROP: 30,
    DROP: 20,
    LATER: 80,
    REFUSE: 20,
}
TAKING = {TAKE, SLOW, TOO_SLOW, TAKE_AND_DROP}
SLOW_SECONDS, TOO_SLOW_SECONDS = 1.0, 8.0


@dataclass(frozen=True, slots=True)
class Arrival:
    """One letter that was handed over, and whether we took it."""

    message_id: str
    mood: str
    at: datetime

    @property
    def taken(self) -> bool:
        return self.mood in TAKING


class MoodyMailServer:
    """Listens on a port of its own until stopped; `calm` makes it take everything but what it refused before."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.calm = False
        self.arrivals: list[Arrival] = []
        self._times: dict[str, int] = defaultdict(int)
        self._lock = threading.Lock()
        self._port = _free_port()
        self._controller = Controller(self, hostname="127.0.0.1", port=self._port)

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self._port}"

    def start(self) -> None:
        self._controller.start()

    def stop(self) -> None:
        self._controller.stop(no_assert=True)

    def moods(self) -> Counter[str]:
        with self._lock:
            return Counter(arrival.mood for arrival in self.arrivals)

    def taken(self) -> dict[str, list[Arrival]]:
        """What was taken, by Message-ID."""
        with self._lock:
            found: dict[str, list[Arrival]] = defaultdict(list)
            for arrival in self.arrivals:
                if arrival.taken:
                    found[arrival.message_id].append(arrival)
            return found

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        arrival = self._receive(envelope.original_content or b"")
        match arrival.mood:
            case "take slowly":
                await asyncio.sleep(SLOW_SECONDS)
            case "take too slowly":
                await asyncio.sleep(TOO_SLOW_SECONDS)
            case "take, then drop" | "drop":
                _cut(server)
            case "not now":
                return "451 Too busy, try again later"
            case "refuse":
                return "550 Nobody here reads this"
        return "250 Taken"

    def _receive(self, content: bytes) -> Arrival:
        """Written down before we answer: from here on it is ours, whatever becomes of the call."""
        message_id = str(message_from_bytes(content)["Message-ID"])
        with self._lock:
            self._times[message_id] += 1
            arrival = Arrival(message_id, self._mood(message_id), datetime.now(UTC))
            self.arrivals.append(arrival)
        return arrival

    def _mood(self, message_id: str) -> str:
        times = self._times[message_id]
        chance = random.Random(f"{self.seed} {message_id} {times}")
        mood = chance.choices(list(MOODS), list(MOODS.values()))[0]
        return TAKE if self.calm and mood != REFUSE else mood


def _cut(server: SMTP) -> None:
    if isinstance(server.transport, asyncio.WriteTransport):
        server.transport.abort()


def _free_port() -> int:
    with socket.socket() as candidate:
        candidate.bind(("127.0.0.1", 0))
        return int(candidate.getsockname()[1])
