"""HTTP to addresses that customers typed in: never into our own networks, never further than asked, never for long.

A name is resolved once and the connection goes to the very address that was checked, so that a name which answers
differently the second time gains nothing. Redirects are answers like any other. What happened before the request left
is told apart from what happened after: only the former is provably nothing.
"""

import http.client
import ipaddress
import re
import socket
import ssl
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from django.conf import settings

PORTS = (443, 8443)
SECONDS = 10.0
ANSWER_BYTES = 64 * 1024
URL_LIMIT = 2_000
_HOST = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)(?:\.(?!-)[a-z0-9-]{1,63}(?<!-))*\.?")
# Called global by ipaddress, though they stand for other addresses, or for nobody's.
_NEVER = tuple(
    map(
        ipaddress.ip_network,
        (
            "::ffff:0:0/96",
            "64:ff9b::/96",
            "64:ff9b:1::/48",
            "2002::/16",
            "2001::/32",
            "::/96",
            "192.0.0.0/24",
            "192.88.99.0/24",
            "100.64.0.0/10",
        ),
    )
)

Resolve = Callable[[str, int], Sequence[str]]


class BadAddress(ValueError):
    """Nothing is ever sent there; the text says why to whoever typed it."""


class NotSent(Exception):
    """Nothing has left: the name, the connection or the handshake failed."""


class NoAnswer(Exception):
    """The request has left, or part of it, and nobody can tell what became of it."""


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: Mapping[str, str] = field(default_factory=dict)  # by their lower-case names
    body: bytes = b""  # its beginning


@dataclass(frozen=True, slots=True)
class Target:
    scheme: str
    host: str
    port: int
    path: str
    is_trusted: bool = False

    @property
    def authority(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == {"https": 443, "http": 80}[self.scheme] else f"{host}:{self.port}"


def target_of(url: str) -> Target:
    """Raises BadAddress. What the name resolves to is asked when something is sent."""
    if len(url) > URL_LIMIT or not url.isascii() or re.search(r"[\x00-\x20\\\x7f]", url):
        raise BadAddress("Enter a web address of plain characters, such as https://hooks.example.com/in.")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise BadAddress("This is no web address.") from None
    host = (parts.hostname or "").rstrip(".")
    if parts.username is not None or parts.password is not None or "@" in parts.netloc:
        raise BadAddress("Leave out user and password; a connector signs what it sends.")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    if f"{host}:{port}" in settings.OUTBOUND_TRUSTED:
        return Target(parts.scheme, host, port or 443, path, is_trusted=True)
    if parts.scheme != "https":
        raise BadAddress("The address must begin with https://.")
    if (port or 443) not in PORTS:
        raise BadAddress("Only the ports 443 and 8443 can be used.")
    return Target("https", _checked_host(host), port or 443, path)


def _checked_host(host: str) -> str:
    try:
        literal = ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        literal = None
    if literal is not None:
        if not is_public(str(literal)):
            raise BadAddress("This address is not on the public internet.")
        return str(literal)
    last = host.rpartition(".")[2]
    if not _HOST.fullmatch(host) or "." not in host or re.fullmatch(r"\d+|0x[0-9a-f]*", last):
        raise BadAddress("The host must be a full name, such as hooks.example.com.")
    if last in ("localhost", "local", "internal", "lan", "home", "corp", "arpa", "onion", "test", "invalid"):
        raise BadAddress("This name is not on the public internet.")
    return host


def is_public(address: str) -> bool:
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if not found.is_global or found.is_multicast or found.is_reserved or found.is_unspecified:
        return False
    return not any(found in network for network in _NEVER if network.version == found.version)


def resolved(host: str, port: int) -> list[str]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


@dataclass(frozen=True, slots=True)
class _Request:
    method: str
    headers: Mapping[str, str]
    body: bytes
    most: int  # bytes of the answer


def post(
    url: str,
    body: bytes,
    headers: Mapping[str, str],
    *,
    seconds: float = SECONDS,
    most: int = ANSWER_BYTES,
    resolve: Resolve = resolved,
) -> Answer:
    """Raises BadAddress, NotSent or NoAnswer. Any answer is returned, redirects too; `most` bytes of it."""
    lines = {"Content-Length": str(len(body)), **headers}
    return _ask(url, _Request("POST", lines, body, most), seconds, resolve)


def get(
    url: str,
    headers: Mapping[str, str],
    *,
    seconds: float = SECONDS,
    most: int = ANSWER_BYTES,
    resolve: Resolve = resolved,
) -> Answer:
    """As `post` does; of a body longer than `most` bytes the rest is not read."""
    return _ask(url, _Request("GET", headers, b"", most), seconds, resolve)


def _ask(url: str, request: _Request, seconds: float, resolve: Resolve) -> Answer:
    ends_at = time.monotonic() + seconds
    target = target_of(url)
    with closing(_connected(target, _address_of(target, resolve), ends_at)) as wire:
        return _exchange(wire, target, request, ends_at)


def _address_of(target: Target, resolve: Resolve) -> str:
    """One address that may be spoken to. A name of which any address may not is not spoken to at all."""
    try:
        addresses = resolve(target.host, target.port)
    except OSError as error:
        raise NotSent(f"{target.host} is not known: {_words(error)}") from None
    if not addresses:
        raise NotSent(f"{target.host} is not known.")
    if not target.is_trusted and not all(map(is_public, addresses)):
        raise BadAddress(f"{target.host} does not lead to the public internet.")
    return addresses[0]


def _connected(target: Target, address: str, ends_at: float) -> socket.socket:
    try:
        wire = socket.create_connection((address, target.port), timeout=_left(ends_at))
    except OSError as error:
        raise NotSent(f"{target.host} could not be reached: {_words(error)}") from None
    if target.scheme == "http":
        return wire
    try:
        wire.settimeout(_left(ends_at))
        return ssl.create_default_context().wrap_socket(wire, server_hostname=target.host)
    except OSError as error:
        wire.close()
        raise NotSent(f"{target.host} offers no connection that can be trusted: {_words(error)}") from None


def _exchange(wire: socket.socket, target: Target, request: _Request, ends_at: float) -> Answer:
    lines = {"Host": target.authority, "Connection": "close", **request.headers}
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    if any("\r" in part or "\n" in part for pair in lines.items() for part in pair):
        raise BadAddress("A header cannot hold a line break.")
    try:
        wire.settimeout(_left(ends_at))
        wire.sendall(f"{request.method} {target.path} HTTP/1.1\r\n{head}\r\n".encode("latin-1") + request.body)
        hurried = _Hurried(wire, ends_at, request.most)
        response = http.client.HTTPResponse(hurried, method=request.method)  # type: ignore[arg-type]
        response.begin()
        found = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, found, _beginning(response, request.most))
    except (OSError, http.client.HTTPException) as error:
        raise NoAnswer(f"{target.host} did not answer: {_words(error)}") from None


def _beginning(response: http.client.HTTPResponse, most: int) -> bytes:
    """The status has been said: what goes wrong after it changes nothing."""
    try:
        return response.read(most)
    except (OSError, http.client.HTTPException):
        return b""


class _Hurried:
    """A socket whose every read gets only what is left of the time, so that a trickle does not last for ever."""

    def __init__(self, wire: socket.socket, ends_at: float, most: int) -> None:
        self._wire, self._ends_at, self._most = wire, ends_at, most

    def makefile(self, *_: object) -> "_Reader":
        return _Reader(self._wire, self._ends_at, self._most)


class _Reader:
    def __init__(self, wire: socket.socket, ends_at: float, most: int) -> None:
        self._wire, self._ends_at, self._most, self._held = wire, ends_at, most, b""

    def readline(self, limit: int = -1) -> bytes:
        while b"\n" not in self._held and (limit < 0 or len(self._held) < limit) and self._fill():
            pass
        end = self._held.find(b"\n") + 1 or len(self._held)
        return self._take(end if limit < 0 else min(end, limit))

    def read(self, amount: int = -1) -> bytes:
        while (amount < 0 or len(self._held) < amount) and len(self._held) < self._most and self._fill():
            pass
        return self._take(len(self._held) if amount < 0 else amount)

    def _fill(self) -> bool:
        self._wire.settimeout(_left(self._ends_at))
        found = self._wire.recv(16_384)
        self._held += found
        return bool(found)

    def _take(self, amount: int) -> bytes:
        taken, self._held = self._held[:amount], self._held[amount:]
        return taken

    def flush(self) -> None:
        """There is nothing to write."""

    def close(self) -> None:
        """The socket is closed by whoever opened it."""


def _left(ends_at: float) -> float:
    left = ends_at - time.monotonic()
    if left <= 0:
        raise TimeoutError("it took too long")
    return left


def _words(error: Exception) -> str:
    return str(error) or type(error).__name__
