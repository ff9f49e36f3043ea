"""The account's timeline, newest first, a page at a time."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from accounts.actors import Actor, load_actors
from accounts.models import Account, TimelineEntry
from accounts.places import Place, older_than

PAGE_SIZE = 20
_LOOKS: tuple[tuple[str, str, str], ...] = (
    ("playbook.stopped", "octagon-x", "neutral"),
    ("action.undone", "undo-2", "neutral"),
    ("action.kept", "lock", "neutral"),
    ("action.failed", "circle-alert", "bad"),
    ("playbook.", "workflow", "acc"),
    ("action.", "workflow", "acc"),
    ("cta.", "square-check-big", "neutral"),
    ("task.", "list-checks", "neutral"),
    ("trait.", "tag", "neutral"),
    ("segment.", "shapes", "neutral"),
    ("lifecycle.", "refresh-cw", "neutral"),
    ("indicator.", "triangle-alert", "warn"),
    ("conversation.", "mail", "neutral"),
    ("nps.", "gauge", "neutral"),
)


@dataclass(frozen=True, slots=True)
class Entry:
    text: str
    who: Actor
    at: datetime
    icon: str
    tone: str
    history: str  # the id of the enrollment it is about, or nothing


@dataclass(frozen=True, slots=True)
class Timeline:
    entries: Sequence[Entry]
    next: Place | None


def load_timeline(account: Account, *, after: Place | None = None) -> Timeline:
    entries = TimelineEntry.objects.filter(account=account)
    if after:
        entries = entries.filter(older_than(after))
    found = list(entries.order_by("-at", "-pk")[: PAGE_SIZE + 1])
    shown = found[:PAGE_SIZE]
    actors = load_actors({entry.actor for entry in shown})
    last = Place(shown[-1].at, shown[-1].pk) if len(found) > PAGE_SIZE else None
    return Timeline([_entry(entry, actors[entry.actor]) for entry in shown], last)


def _entry(entry: TimelineEntry, who: Actor) -> Entry:
    icon, tone = next(
        ((icon, tone) for kind, icon, tone in _LOOKS if entry.kind.startswith(kind)), ("circle", "neutral")
    )
    kind, _, id = entry.subject.partition(":")
    return Entry(entry.text, who, entry.at, icon, tone, history=id if kind == "enrollment" else "")
