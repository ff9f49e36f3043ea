"""The newest word wins, trait by trait, in whatever order the calls arrive.

`trait_moments` says when each trait was last spoken of. Most calls bring all of a subject's traits, so only exceptions
are listed: {"*": of every trait that is present and not listed, "phone": of one that is older, or that was removed}.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

REST = "*"
_NEVER = -(2**62)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)

Moment = int  # milliseconds since 1970: what a call's timestamp carries
Said = tuple[Moment, Any]  # None: the trait was removed


@dataclass(slots=True)
class News:
    """What one batch of calls says about one account or user."""

    first_at: datetime
    seen_at: datetime | None = None
    traits: dict[str, Said] = field(default_factory=dict)
    unsubscribed: list[tuple[datetime, bool]] = field(default_factory=list)

    def mention(self, at: datetime) -> None:
        self.first_at = min(self.first_at, at)

    def see(self, at: datetime) -> None:
        self.mention(at)
        if self.seen_at is None or at > self.seen_at:
            self.seen_at = at

    def say(self, key: str, value: Any, at: datetime) -> None:
        said, known = (milliseconds(at), value), self.traits.get(key)
        if known is None or _later(said, known):
            self.traits[key] = said


@dataclass(slots=True)
class Document:
    """The traits of one account or user, with who wrote them and when they were spoken of."""

    traits: dict[str, Any]
    writers: dict[str, str]
    moments: dict[str, Moment]
    # key -> before and after, of what was taken in; a first value replaces nothing.
    replaced: dict[str, tuple[Any, Any]] = field(default_factory=dict)

    def take(self, news: Mapping[str, Said], *, own: Collection[str]) -> set[str] | None:
        """Takes in what is newer and names the traits that changed; None when nothing was newer.

        `own`: the keys that integrations write. A value said again is newer and changes nothing: what it feeds stays.
        """
        moments = self._unpacked(own)
        newer = {
            key: said for key, said in news.items() if _later(said, (moments.get(key, _NEVER), self.traits.get(key)))
        }
        if not newer:
            return None
        before = {key: self.traits.get(key) for key in newer if key in moments}
        changed = {key for key, (_, value) in newer.items() if self._write(key, value)}
        self.replaced = {key: (before[key], self.traits.get(key)) for key in changed if key in before}
        self.moments = self._packed(moments | {key: at for key, (at, _) in newer.items()})
        return changed

    def moment_of(self, key: str) -> Moment:
        return self.moments.get(key, self.moments.get(REST, _NEVER) if key in self.traits else _NEVER)

    def _write(self, key: str, value: Any) -> bool:
        before = self.traits.pop(key, None)
        self.writers.pop(key, None)  # untagged: an import's
        if value is not None:
            self.traits[key] = value
        return _rank(before) != _rank(value)

    def _unpacked(self, own: Collection[str]) -> dict[str, Moment]:
        moments = {key: self.moment_of(key) for key in self.traits if key in own}
        return moments | {key: at for key, at in self.moments.items() if key != REST}

    def _packed(self, moments: dict[str, Moment]) -> dict[str, Moment]:
        rest = max(moments.values())
        listed = {key: at for key, at in sorted(moments.items()) if at != rest or key not in self.traits}
        return {REST: rest} | listed


def unsubscribed_since(
    current: datetime | None, said: list[tuple[datetime, bool]], *, known_at: Moment
) -> datetime | None:
    """The first call that said so since the last that said otherwise; late calls can only move it back."""
    for at, out in sorted(said):
        is_late = milliseconds(at) < known_at
        if out and current is not None:
            current = min(current, at)
        elif out and not is_late:
            current = at
        elif not out and not is_late:
            current = None
        known_at = max(known_at, milliseconds(at))
    return current


def milliseconds(at: datetime) -> Moment:
    return (at - _EPOCH) // _MILLISECOND


def _later(one: Said, other: Said) -> bool:
    """Two different values of the same moment: any fixed order will do, as long as all arrivals agree on it."""
    if one[0] != other[0]:
        return one[0] > other[0]
    return _rank(one[1]) > _rank(other[1])


def _rank(value: Any) -> bytes:
    return b"" if value is None else orjson.dumps(value)
