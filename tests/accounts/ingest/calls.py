"""Short ways to write Segment calls in tests."""

from itertools import count
from typing import Any

_numbers = count(1)

MORNING = "2026-11-02T06:00:00.000Z"


def call(type: str, at: str, **fields: Any) -> dict[str, Any]:
    return {"type": type, "messageId": f"m-{next(_numbers)}", "timestamp": at} | fields


def group(group_id: str, at: str = MORNING, /, **traits: Any) -> dict[str, Any]:
    return call("group", at, groupId=group_id, anonymousId="a-1", traits=traits)


def identify(user_id: str, at: str = MORNING, /, *, of: str | None = None, **traits: Any) -> dict[str, Any]:
    return call("identify", at, userId=user_id, traits=traits, **_context(of))


def track(user_id: str, event: str, at: str = MORNING, *, of: str | None = None) -> dict[str, Any]:
    return call("track", at, userId=user_id, event=event, properties={"source": "web"}, **_context(of))


def _context(group_id: str | None) -> dict[str, Any]:
    return {"context": {"groupId": group_id}} if group_id else {}
