"""Bodies at the door: packed, broken, too large; what is garbage as a whole is refused, what can be kept is cut up."""

import gzip
import json
from typing import Any

import pytest

from accounts.ingest.bodies import BATCH, BATCH_BYTES, CALL_BYTES, BodyRefused, read_body
from accounts.ingest.calls import RefusedCall, read_call
from accounts.ingest.files import parsed
from tests.accounts.ingest.calls import track
from tests.accounts.ingest.conftest import NOW


def body(value: Any) -> bytes:
    return value if isinstance(value, bytes) else json.dumps(value).encode()


def batch(*calls: Any, **said: Any) -> bytes:
    return body({"batch": list(calls)} | said)


def lines(raw: bytes, *, encoding: str = "", kind: str = BATCH) -> list[Any]:
    return [json.loads(line) for line in read_body(raw, encoding=encoding, kind=kind).lines]


def refusal(raw: bytes, *, encoding: str = "", kind: str = BATCH) -> str:
    with pytest.raises(BodyRefused) as found:
        read_body(raw, encoding=encoding, kind=kind)
    return str(found.value)


def nested(depth: int) -> bytes:
    return b'{"batch":[' + b'{"a":' * depth + b"1" + b"}" * depth + b"]}"


BROKEN: list[tuple[str, bytes]] = [
    ("nothing", b""),
    ("no JSON", b"hello"),
    ("half of it", b'{"batch": [{"type"'),
    ("two of them", b"{}{}"),
    ("a list", b"[]"),
    ("a number", b"5"),
    ("null", b"null"),
    ("bytes", b"\xff\xfe\x00"),
    ("not UTF-8", b'{"batch": ["\xe9"]}'),
    ("no batch", b"{}"),
    ("batch as an object", b'{"batch": {}}'),
    ("batch as a text", b'{"batch": "[]"}'),
    ("endless integer", b'{"batch": [' + b"9" * 5_000 + b"]}"),
    ("very deep", nested(2_000)),
    ("deep", nested(400)),
    ("many", b'{"batch": [' + b",".join([b"1"] * 2_501) + b"]}"),
    ("large", b'{"batch": ["' + b"a" * BATCH_BYTES + b'"]}'),
]


@pytest.mark.parametrize(("name", "raw"), BROKEN, ids=[name for name, _ in BROKEN])
def test_garbage_is_refused_in_words(name: str, raw: bytes) -> None:
    for packed, encoding in ((raw, ""), (gzip.compress(raw), "gzip")):
        assert refusal(packed, encoding=encoding).endswith(".")


class TestPacking:
    def test_gzip_is_unpacked(self) -> None:
        assert lines(gzip.compress(batch(track("u", "E"))), encoding=" GZIP ")[0]["event"] == "E"

    def test_an_archive_never_becomes_more_than_the_limit(self) -> None:
        bomb = gzip.compress(b" " * 200_000_000, compresslevel=9)
        assert len(bomb) < BATCH_BYTES
        assert refusal(bomb, encoding="gzip") == "A request holds at most 512 kB of JSON."

    @pytest.mark.parametrize(
        "raw",
        [b"", b"plain", gzip.compress(b"{}", mtime=0)[:-4], gzip.compress(b"{}", mtime=0) + b"more"],
        ids=["empty", "not packed", "cut short", "with more behind"],
    )
    def test_a_broken_archive_is_refused(self, raw: bytes) -> None:
        assert "gzip" in refusal(raw, encoding="gzip")

    def test_other_encodings_are_refused(self) -> None:
        assert refusal(b"{}", encoding="br") == "Send the body plain or with gzip."


class TestOne:
    def test_the_address_says_what_it_is(self) -> None:
        said = {"userId": "u", "event": "E", "type": "identify", "writeKey": "k", "receivedAt": "2020-01-01"}
        found = read_body(body(said), encoding="", kind="track")
        (call,) = map(json.loads, found.lines)

        assert found.write_key == "k"
        assert {key: call[key] for key in call if key != "messageId"} == {"userId": "u", "event": "E", "type": "track"}

    def test_more_than_32_kb_are_refused(self) -> None:
        assert "32 kB" in refusal(body({"userId": "u" * CALL_BYTES}), kind="identify")

    @pytest.mark.parametrize("raw", [b"[]", b"5", b"null", b'"x"', b'{"a": NaN}', b'{"a": "\\ud800"}', b"", b"{"])
    def test_what_is_no_plain_object_is_refused(self, raw: bytes) -> None:
        assert refusal(raw, kind="track").startswith("The body")


class TestMany:
    def test_what_the_batch_says_holds_for_calls_that_say_nothing_else(self) -> None:
        shared = {"sentAt": "2026-11-22T11:00:00Z", "context": {"groupId": "acc_1"}}
        first, second = lines(batch({"type": "track"}, {"type": "track", "context": {}}, **shared, integrations={}))

        assert (first["sentAt"], first["context"]) == (shared["sentAt"], {"groupId": "acc_1"})
        assert second["context"] == {}

    def test_one_broken_call_does_not_cost_the_others(self) -> None:
        calls = [b'{"event":"\\ud83d"}', b'{"event":"E","properties":{"price":NaN}}', b"5", b'{"type":"track"}']
        raw = b'{"batch":[' + b",".join(calls) + b"]}"
        found = [parsed(line) for line in read_body(raw, encoding="", kind=BATCH).lines]
        read = [read_call(item, now=NOW) for item in found]

        assert [type(call) for call in read] == [RefusedCall] * 4
        assert [call.reason[:8] for call in read] == ["not JSON", "not JSON", "a call m", "a track "]

    def test_an_empty_batch_is_nothing(self) -> None:
        assert lines(batch()) == []


class TestIdentity:
    """A call that says neither id nor moment could not be told from another that says the same."""

    def test_it_is_given_one(self) -> None:
        calls = [{"type": "track", "userId": "u", "event": "E"}] * 2
        assert len({call["messageId"] for call in lines(batch(*calls))}) == 2

    @pytest.mark.parametrize(
        "said", [{"messageId": "m"}, {"timestamp": "2026-11-22"}, {"originalTimestamp": "2026-11-22"}]
    )
    def test_it_keeps_its_own(self, said: dict[str, str]) -> None:
        assert lines(batch(said)) == [said]
