"""The body of a Segment request: unpacked within bounds and cut into JSON lines; what is garbage as a whole is refused.

No call is judged here. Whatever stands in a batch becomes a line, and is taken in or listed as a problem later.
"""

import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import orjson

from accounts.ingest.calls import MOMENTS, is_message_id

BATCH_BYTES = 512_000
CALL_BYTES = 32_768
BATCH_CALLS = 2_500
BATCH = "batch"

_GZIP = 16 + zlib.MAX_WBITS


class BodyRefused(ValueError):
    """Nothing of the request is kept; the text says why to whoever sent it."""


@dataclass(frozen=True, slots=True)
class Body:
    lines: list[bytes]
    write_key: str = ""


def read_body(raw: bytes, *, encoding: str, kind: str) -> Body:
    """`kind` is the type of the one call, or BATCH."""
    plain = _unpacked(raw, encoding.strip().lower())
    if kind != BATCH:
        return _single(plain, kind)
    found, is_strict = _parsed_batch(plain)
    return Body([_line(item, is_strict) for item in _items(found)], _write_key(found))


def _unpacked(raw: bytes, encoding: str) -> bytes:
    if encoding in ("", "identity"):
        plain = raw
    elif encoding in ("gzip", "x-gzip"):
        plain = _gunzipped(raw)
    else:
        raise BodyRefused("Send the body plain or with gzip.")
    if len(plain) > BATCH_BYTES:
        raise BodyRefused(f"A request holds at most {BATCH_BYTES // 1000} kB of JSON.")
    return plain


def _gunzipped(raw: bytes) -> bytes:
    """Never more than the limit and a byte, whatever the archive would like to become."""
    unpacker = zlib.decompressobj(_GZIP)
    try:
        plain = unpacker.decompress(raw, BATCH_BYTES + 1)
    except zlib.error:
        raise BodyRefused("The body is not gzip, though its Content-Encoding says so.") from None
    if len(plain) <= BATCH_BYTES and (not unpacker.eof or unpacker.unused_data):
        raise BodyRefused("The body's gzip ends too early or too late.")
    return plain


# --- one call ---------------------------------------------------------------------------------------------------------


def _single(plain: bytes, kind: str) -> Body:
    if len(plain) > CALL_BYTES:
        raise BodyRefused(f"A call holds at most {CALL_BYTES // 1024} kB. Larger ones are not kept.")
    try:
        item = orjson.loads(plain)
    except orjson.JSONDecodeError as error:
        raise BodyRefused(f"The body is not JSON: {error}.") from None
    if not isinstance(item, dict):
        raise BodyRefused("The body must be a JSON object.")
    write_key = _write_key(item)
    return Body([_line(_completed(item | {"type": kind}), True)], write_key)


# --- many -------------------------------------------------------------------------------------------------------------


def _parsed_batch(plain: bytes) -> tuple[dict[str, Any], bool]:
    """Half of an emoji or a NaN in one call must not cost the others: Python's own parser lets them pass for now."""
    try:
        found, is_strict = orjson.loads(plain), True
    except orjson.JSONDecodeError as error:
        found, is_strict = _parsed_leniently(plain, error), False
    if not isinstance(found, dict) or not isinstance(found.get("batch"), list):
        raise BodyRefused("The body must be a JSON object with a list of calls named batch.")
    if len(found["batch"]) > BATCH_CALLS:
        raise BodyRefused(f"A batch holds at most {BATCH_CALLS:,} calls.")
    return found, is_strict


def _parsed_leniently(plain: bytes, error: orjson.JSONDecodeError) -> Any:
    try:
        return json.loads(plain)
    except (ValueError, RecursionError):
        raise BodyRefused(f"The body is not JSON: {error}.") from None


def _items(found: Mapping[str, Any]) -> list[Any]:
    """What the batch says once holds for each of its calls that says nothing else."""
    said = {name: found[name] for name in ("sentAt", "context") if found.get(name) is not None}
    return [_completed(said | item) if isinstance(item, dict) else item for item in found["batch"]]


def _completed(item: dict[str, Any]) -> dict[str, Any]:
    """Without an id and a moment a repeat could not be told from another call that says the same: it is given an id."""
    item.pop("writeKey", None)
    item.pop("receivedAt", None)  # ours to say
    if not is_message_id(item.get("messageId")) and not any(item.get(name) for name in MOMENTS[:2]):
        item["messageId"] = f"received-{uuid4()}"
    return item


def _line(item: Any, is_strict: bool) -> bytes:
    """orjson would write a NaN as null, so only what it has read itself."""
    try:
        return orjson.dumps(item) if is_strict else json.dumps(item).encode()
    except (TypeError, ValueError, RecursionError):
        raise BodyRefused("The body is nested too deeply.") from None


def _write_key(found: Mapping[str, Any]) -> str:
    """As the browser library sends it."""
    key = found.get("writeKey")
    return key if isinstance(key, str) else ""
