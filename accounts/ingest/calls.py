"""One Segment call at the door: read into a `Call`, or refused as a whole with its reason."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from accounts.ingest.reading import storable

ID_LIMIT = 255
EVENT_LIMIT = 200
KEYS_LIMIT = 500
BYTES_LIMIT = 256_000
DEPTH_LIMIT = 32
_YEARS = range(1990, 2100)
_EARLIEST = datetime(_YEARS[0], 1, 1, tzinfo=UTC)

# As Segment names them where it makes events of pages; with a name "Viewed Pricing Page".
_PAGE_EVENTS = {"page": "Loaded a Page", "screen": "Loaded a Screen"}
_TYPES = ("group", "identify", "track", "page", "screen")
MOMENTS = ("timestamp", "originalTimestamp", "sentAt", "receivedAt")


ALIAS = "alias is not carried out: two ids are never merged, so send the lasting userId in every call"


class CallRefused(ValueError):
    """Nothing of the call is taken in."""


@dataclass(frozen=True, slots=True)
class Unreadable:
    """What stood where a call should be, found while reading a file."""

    identity: str
    reason: str
    sample: str


@dataclass(frozen=True, slots=True)
class Delivered:
    """A call that came over HTTP: when it came is ours to say, and its sender's clock may be wrong."""

    item: Any
    received_at: datetime


@dataclass(slots=True)
class Call:
    type: str
    message_id: str
    at: datetime
    user_id: str = ""
    group_id: str = ""
    event: str = ""
    traits: dict[str, Any] = field(default_factory=dict)
    size: int = 0


@dataclass(slots=True)
class RefusedCall:
    type: str
    message_id: str
    reason: str
    sample: str
    size: int = 0


def read_call(item: Any, *, now: datetime) -> Call | RefusedCall:
    """`now` stands in where a call carries no moment of its own."""
    received_at = None
    if isinstance(item, Delivered):
        item, now, received_at = item.item, item.received_at, item.received_at
    if isinstance(item, Unreadable):
        return RefusedCall("unreadable", item.identity, item.reason, item.sample)
    if not isinstance(item, dict):
        return RefusedCall("unreadable", _fingerprint(item), "a call must be a JSON object", sample_of(item))
    try:
        call = _accepted(item, now)
        if received_at:
            call.at = _by_our_clock(call.at, item.get("sentAt"), received_at)
        return call
    except CallRefused as refusal:
        return RefusedCall(_shown_type(item), _message_id(item), str(refusal), sample_of(item))


def _accepted(item: dict[str, Any], now: datetime) -> Call:
    size = _weighed(item)
    type = item.get("type")
    if type not in _TYPES:
        raise CallRefused(ALIAS if type == "alias" else "not a known type of call")
    call = Call(type, _message_id(item), _moment(item, now), size=size)
    call.user_id = _id(item.get("userId"))
    call.group_id = _id(item.get("groupId")) or _group_of_context(item.get("context"))
    _PARTS[type](item, call)
    return call


# --- the parts of each type -------------------------------------------------------------------------------------------


def _group(item: dict[str, Any], call: Call) -> None:
    if not call.group_id:
        raise CallRefused("a group call without a groupId")
    call.traits = _traits(item)


def _identify(item: dict[str, Any], call: Call) -> None:
    if not call.user_id:
        raise CallRefused("no userId: anonymous visitors are not kept")
    call.traits = _traits(item)
    names = [call.traits.get(part) for part in ("firstName", "lastName")]
    if any(names) and "name" not in call.traits:
        call.traits = {**call.traits, "name": " ".join(name for name in names if isinstance(name, str))}


def _track(item: dict[str, Any], call: Call) -> None:
    event = item.get("event") if call.type == "track" else _page_event(item, call.type)
    if not isinstance(event, str) or not event.strip():
        raise CallRefused("a track call without an event")
    call.event = event.strip()
    if len(call.event) > EVENT_LIMIT or not storable(call.event):
        raise CallRefused(f"an event name must have at most {EVENT_LIMIT} ordinary characters")
    if not call.user_id and not call.group_id:
        raise CallRefused("neither a userId nor a groupId: anonymous visitors are not kept")


def _page_event(item: dict[str, Any], type: str) -> str:
    name = item.get("name")
    if not isinstance(name, str) or not name.strip():
        return _PAGE_EVENTS[type]
    return f"Viewed {name.strip()} {type.capitalize()}"


_PARTS: dict[str, Callable[[dict[str, Any], Call], None]] = {
    "group": _group,
    "identify": _identify,
    "track": _track,
    "page": _track,
    "screen": _track,
}


def _traits(item: dict[str, Any]) -> dict[str, Any]:
    traits = item.get("traits")
    if traits is None:
        return {}
    if not isinstance(traits, dict):
        raise CallRefused("traits must be a JSON object")
    if len(traits) > KEYS_LIMIT:
        raise CallRefused(f"more than {KEYS_LIMIT} traits")
    return traits


def _group_of_context(context: Any) -> str:
    return _id(context.get("groupId")) if isinstance(context, dict) else ""


def _id(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value) if abs(value) < 2**63 else "0" * (ID_LIMIT + 1)
    if not isinstance(value, str):
        raise CallRefused("an id must be a text")
    value = value.strip()
    if len(value) > ID_LIMIT or not storable(value):
        raise CallRefused(f"an id must have at most {ID_LIMIT} ordinary characters")
    return value


def _moment(item: dict[str, Any], now: datetime) -> datetime:
    written = next((item[name] for name in MOMENTS if item.get(name) is not None), None)
    if written is None:
        return now
    return _read_moment(written)


def _read_moment(written: Any) -> datetime:
    try:
        moment = datetime.fromisoformat(written)
    except (TypeError, ValueError):
        raise CallRefused("its timestamp is not a date and time") from None
    if moment.year not in _YEARS:
        raise CallRefused("its timestamp is not plausible")
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def _by_our_clock(at: datetime, sent_at: Any, received_at: datetime) -> datetime:
    """What happened so long before it was sent happened so long before it came; nothing happened after it came."""
    try:
        ahead = received_at - _read_moment(sent_at)
    except CallRefused:  # without a usable sentAt nobody knows how wrong the clock is
        ahead = timedelta(0)
    return min(max(at + ahead, _EARLIEST), received_at)


# --- size, identity, sample -------------------------------------------------------------------------------------------


def _weighed(item: dict[str, Any]) -> int:
    """Bytes of the call. What orjson refuses (huge integers, lone surrogates) is refused value by value later."""
    try:
        raw = orjson.dumps(item)
    except TypeError:
        _refuse_depth(item)
        raw = _dumped(item).encode()
    if raw.count(b"{") + raw.count(b"[") > DEPTH_LIMIT:
        _refuse_depth(item)
    if len(raw) > BYTES_LIMIT:
        raise CallRefused(f"larger than {BYTES_LIMIT // 1000} kB")
    return len(raw)


def _refuse_depth(item: Any) -> None:
    level, depth = [item], 0
    while level:
        depth += 1
        if depth > DEPTH_LIMIT:
            raise CallRefused(f"nested deeper than {DEPTH_LIMIT} levels")
        level = [child for node in level for child in _children(node) if isinstance(child, dict | list)]


def _children(node: Any) -> Any:
    return node.values() if isinstance(node, dict) else node


def _message_id(item: dict[str, Any]) -> str:
    """Its own messageId; without one (or with an unusable one) a fingerprint, so that a repeat is still recognised."""
    given = item.get("messageId")
    if is_message_id(given):
        return str(given)
    return _fingerprint({key: value for key, value in item.items() if key not in ("sentAt", "receivedAt")})


def is_message_id(given: Any) -> bool:
    return isinstance(given, str) and 0 < len(given) <= ID_LIMIT and storable(given)


def _dumped(item: Any) -> str:
    try:
        return json.dumps(item, sort_keys=True, default=repr)
    except ValueError:
        raise CallRefused("contains a number of thousands of digits") from None


def _fingerprint(item: Any) -> str:
    try:
        raw = _dumped(item)
    except (CallRefused, RecursionError):
        raw = json.dumps(sorted(item) if isinstance(item, dict) else len(item))  # its outline has to do
    return fingerprint(raw.encode())


def fingerprint(raw: bytes) -> str:
    return f"sha256:{hashlib.sha256(raw).hexdigest()}"


def sample_of(value: Any) -> str:
    """A short, storable rendering: JSON with everything unusual escaped."""
    try:
        return json.dumps(value, default=repr)[:200]
    except (RecursionError, ValueError):
        return "(cannot be shown)"


def _shown_type(item: dict[str, Any]) -> str:
    type = item.get("type")
    return type if type in (*_TYPES, "alias") else "unknown"
