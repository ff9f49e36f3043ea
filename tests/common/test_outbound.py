"""Where a connector may never lead, however it is written, and what can be known after each kind of failure."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest
from pytest_django import Settings

from cs_platform.common.outbound import ANSWER_BYTES, BadAddress, NoAnswer, NotSent, is_public, post, target_of

NOT_PUBLIC = [
    "127.0.0.1",
    "127.1.2.3",
    "0.0.0.0",
    "0.1.2.3",
    "10.0.0.1",
    "10.255.255.255",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.0.1",
    "169.254.169.254",
    "169.254.170.2",
    "100.64.0.1",
    "100.100.100.200",
    "192.0.0.8",
    "192.0.0.170",
    "192.0.2.1",
    "198.18.0.1",
    "198.51.100.7",
    "203.0.113.9",
    "192.88.99.1",
    "224.0.0.1",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "::ffff:8.8.8.8",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b::7f00:1",
    "64:ff9b:1::1",
    "2002:a9fe:a9fe::1",
    "2002:7f00:1::1",
    "2001::1",
    "2001:db8::1",
    "fe80::1",
    "fe80::1%eth0",
    "fc00::1",
    "fd00:ec2::254",
    "ff02::1",
    "ff0e::1",
]
BAD = [
    "http://example.com/",
    "ftp://example.com/",
    "file:///etc/passwd",
    "gopher://example.com/",
    "//example.com/",
    "https:///x",
    "example.com",
    "https://example.com:80/",
    "https://example.com:22/",
    "https://example.com:6379/",
    "https://example.com:99999/",
    "https://user@example.com/",
    "https://user:pw@example.com/",
    "https://example.com@127.0.0.1/",
    "https://localhost/",
    "https://localhost./",
    "https://db.internal/",
    "https://printer.local/",
    "https://x.home.arpa/",
    "https://intranet/",
    "https://127.1/",
    "https://0x7f000001/",
    "https://0x7f.0.0.1/",
    "https://2130706433/",
    "https://017700000001/",
    "https://0177.0.0.1/",
    "https://[::1]/",
    "https://[::ffff:169.254.169.254]/",
    "https://[64:ff9b::a9fe:a9fe]/",
    "https://169.254.169.254/latest/meta-data/",
    "https://10.0.0.1/",
    "https://exa_mple.com/",
    "https://-a.com/",
    "https://a..b.com/",
    "https://ex%61mple.com/",
    "https://\\\\evil",
]


@pytest.mark.parametrize("address", NOT_PUBLIC)
def test_an_address_inside_is_never_spoken_to_even_behind_a_good_name(address: str) -> None:
    assert not is_public(address)
    with pytest.raises(BadAddress):
        post("https://good.example.com/", b"", {}, resolve=lambda host, port: ["93.184.216.34", address])


@pytest.mark.parametrize("url", [*BAD, "https://bücher.example/", "https://example.com/a b", "https://e.com/\x00"])
def test_an_address_is_refused_as_it_is_written(url: str) -> None:
    with pytest.raises(BadAddress):
        target_of(url)


@pytest.mark.parametrize("url", ["https://hooks.example.com/in?x=1", "https://example.com:8443", "https://8.8.8.8/"])
def test_the_public_internet_may_be_spoken_to(url: str) -> None:
    assert target_of(url).scheme == "https"


def test_a_name_is_asked_once_and_the_checked_address_is_the_one_that_is_called(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A name server that answers well the first time and 127.0.0.1 ever after."""
    asked: list[str] = []
    called: list[object] = []

    def resolve(host: str, port: int) -> list[str]:
        asked.append(host)
        return ["93.184.216.34"] if len(asked) == 1 else ["127.0.0.1"]

    def connect(address: object, timeout: float) -> socket.socket:
        called.append(address)
        raise ConnectionRefusedError("nobody there")

    monkeypatch.setattr(socket, "create_connection", connect)
    with pytest.raises(NotSent):
        post("https://rebinding.example.com/", b"", {}, resolve=resolve)
    assert (asked, called) == (["rebinding.example.com"], [("93.184.216.34", 443)])


# --- what can be known ------------------------------------------------------------------------------------------------


@contextmanager
def server(settings: Settings, answer: Callable[[socket.socket], None]) -> Iterator[str]:
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    settings.OUTBOUND_TRUSTED = [f"127.0.0.1:{port}"]

    def serve() -> None:
        with suppress(OSError):  # closed before anybody came
            wire, _ = listener.accept()
            with wire:
                wire.recv(65_536)
                answer(wire)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{port}/in"
    listener.close()
    thread.join(timeout=5)


def test_a_redirect_is_an_answer_and_not_followed(settings: Settings) -> None:
    said = b"HTTP/1.1 302 Found\r\nLocation: http://169.254.169.254/\r\nContent-Length: 0\r\n\r\n"
    with server(settings, lambda wire: wire.sendall(said)) as url:
        assert post(url, b"{}", {}).status == 302


def test_of_a_long_answer_only_the_beginning_is_read(settings: Settings) -> None:
    with server(settings, lambda wire: wire.sendall(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 900_000)) as url:
        assert len(post(url, b"{}", {}).body) == ANSWER_BYTES


def test_a_trickle_ends_with_the_time(settings: Settings) -> None:
    def trickle(wire: socket.socket) -> None:
        for _ in range(40):
            try:
                wire.sendall(b"H")
            except OSError:
                return
            time.sleep(0.02)

    with server(settings, trickle) as url, pytest.raises(NoAnswer):
        post(url, b"{}", {}, seconds=0.2)


@pytest.mark.parametrize("said", [b"", b"garbage\r\n\r\n", b"HTTP/1.1 999999 x\r\n\r\n"])
def test_who_answers_nothing_that_makes_sense_may_have_acted(settings: Settings, said: bytes) -> None:
    with server(settings, lambda wire: wire.sendall(said)) as url, pytest.raises(NoAnswer):
        post(url, b"{}", {})


def test_who_cannot_be_reached_has_done_nothing(settings: Settings) -> None:
    settings.OUTBOUND_TRUSTED = ["127.0.0.1:1"]
    with pytest.raises(NotSent):
        post("http://127.0.0.1:1/", b"{}", {})


def test_a_header_cannot_be_broken_out_of(settings: Settings) -> None:
    with server(settings, lambda wire: None) as url, pytest.raises(BadAddress):
        post(url, b"{}", {"X-Name": "a\r\nX-Other: b"})
