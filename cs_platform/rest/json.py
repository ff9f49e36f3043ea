"""JSON at the edge: what cannot be stored, or would be read differently elsewhere, is refused with a pointer."""

from collections.abc import Mapping
from typing import IO, Any

import orjson
from rest_framework.parsers import BaseParser

from cs_platform.rest.problems import Fault, Invalid, pointer

MAX_BYTES = 256 * 1024
MAX_BULK_BYTES = 2_500_000  # below DATA_UPLOAD_MAX_MEMORY_SIZE, which would refuse it in words of its own
MAX_DEPTH = 32
MAX_KEYS = 500
EXACT = 2**53  # beyond it, readers that keep numbers as doubles see another number


class Refused(Exception):
    """Raised at the offending value; callers on the way up prepend their key."""

    def __init__(self, message: str, code: str) -> None:
        super().__init__(message)
        self.code = code
        self.path: list[str | int] = []


class StrictJSONParser(BaseParser):
    media_type = "application/json"

    def parse(
        self, stream: IO[bytes], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        limit = getattr((parser_context or {}).get("view"), "max_bytes", MAX_BYTES)
        return strict_json(stream.read(limit + 1), limit=limit)


def strict_json(raw: bytes, *, limit: int = MAX_BYTES) -> Any:
    """Raises Invalid for everything that is not plain, storable JSON."""
    refuse_long_body(len(raw), limit=limit)
    try:
        value = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        message = f"The body is not JSON: {error}."
        raise Invalid(message, code="invalid_json", faults=[Fault("", message, "invalid_json")]) from None
    try:
        _check(value, 1)
    except Refused as refused:
        fault = Fault(pointer(*reversed(refused.path)), str(refused), refused.code)
        raise Invalid(str(refused), code=refused.code, faults=[fault]) from None
    return value


def refuse_long_body(length: int, *, limit: int) -> None:
    if length > limit:
        message = f"The body is longer than {limit // 1000:,} kB. Send less at a time."
        raise Invalid(message, code="too_large", faults=[Fault("", message, "too_large")])


def _check(value: Any, depth: int) -> None:
    """Descends no deeper than it allows, so no body can exhaust the stack."""
    if isinstance(value, str):
        _check_text(value)
    elif isinstance(value, dict):
        _check_object(value, depth)
    elif isinstance(value, list):
        _check_items(enumerate(value), depth)
    elif isinstance(value, int | float) and abs(value) > EXACT:
        raise Refused("Numbers beyond ±2^53 are not exact in JSON. Send it as a text.", "number_too_large")


def _check_object(value: dict[str, Any], depth: int) -> None:
    if len(value) > MAX_KEYS:
        raise Refused(f"An object can have {MAX_KEYS} keys at most.", "too_many_keys")
    for key in value:
        _check_text(key)
    _check_items(value.items(), depth)


def _check_items(items: Any, depth: int) -> None:
    if depth > MAX_DEPTH:
        raise Refused(f"Values can be nested {MAX_DEPTH} deep at most.", "too_deep")
    for key, item in items:
        try:
            _check(item, depth + 1)
        except Refused as refused:
            refused.path.append(key)
            raise


def _check_text(text: str) -> None:
    if "\0" in text:
        raise Refused("The character U+0000 cannot be stored.", "null_character")
