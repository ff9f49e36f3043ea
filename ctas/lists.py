"""The lists an admin edits: types, reasons, priorities and statuses of CTAs.

Every workspace begins with the same ones. They become rows of its own when somebody first edits one of them; a CTA
keeps the key, so that a new name shows everywhere and what is archived is still known where it is used.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from datetime import datetime
from functools import cached_property
from typing import Any

from django.db import transaction

from cs_platform.tenancy.audit import record
from cs_platform.tenancy.context import NoTenant, current_tenant_id
from cs_platform.tenancy.looked_up import once
from cs_platform.tenancy.models import Doer
from ctas.models import CLOSED, KEY_LENGTH, Cta, ListEntry

Kind = ListEntry.Kind

LIMITS = {Kind.TYPE: 50, Kind.REASON: 200, Kind.PRIORITY: 9, Kind.STATUS: 30}
TONES = {
    "neutral": "Grey",
    "info": "Blue",
    "ok": "Green",
    "warn": "Amber",
    "bad": "Red",
    "plan": "Violet",
    "acc": "Accent",
}
ICONS = (
    "triangle-alert",
    "trending-up",
    "trending-down",
    "refresh-cw",
    "square-check-big",
    "flag",
    "message-square",
    "heart-pulse",
    "rocket",
    "target",
    "users",
    "calendar",
    "circle-dollar-sign",
    "mail",
    "shield-check",
    "clock",
)
CATEGORIES = {"open": "Open", "won": "Closed won", "lost": "Closed lost", "cancelled": "Cancelled"}
# What follows when the last task of a CTA is done, by its type; or CLOSE and the key of a closing status.
ASK, LEAVE, CLOSE = "", "leave", "close:"
REQUIRABLE = {"reason": "Reason", "due_on": "Due date", "owner": "Owner", "comment": "Description"}


class CannotEdit(ValueError):
    """The text says why."""


@dataclass(frozen=True, slots=True)
class Entry:
    key: str
    name: str
    tone: str = "neutral"
    icon: str = ""
    category: str = ""  # of a status
    types: tuple[str, ...] = ()  # of a reason: those it is for; none: all
    to_create: tuple[str, ...] = ()  # of a type: what must be filled in
    to_close: tuple[str, ...] = ()
    last_task: str = ASK  # of a type
    is_archived: bool = False

    def suits(self, type: str) -> bool:
        return not self.types or type in self.types


def _reasons(*names: str) -> tuple[Entry, ...]:
    return tuple(Entry(name, name) for name in names)


BUILT_IN: Mapping[str, tuple[Entry, ...]] = {
    Kind.TYPE: (
        Entry("risk", "Risk", "bad", "triangle-alert"),
        Entry("opportunity", "Opportunity", "ok", "trending-up"),
        Entry("lifecycle", "Lifecycle", "info", "refresh-cw"),
        Entry("activity", "Activity", "neutral", "square-check-big"),
        Entry("objective", "Objective", "plan", "flag"),
    ),
    Kind.REASON: _reasons(
        "Low adoption",
        "Champion left",
        "Support load",
        "Engagement",
        "Payment failed",
        "Expansion",
        "Onboarding",
        "Trial",
        "Renewal",
        "Advocacy",
        "Meeting follow-up",
    ),
    Kind.PRIORITY: (Entry("high", "High", "bad"), Entry("medium", "Medium"), Entry("low", "Low")),
    Kind.STATUS: (
        Entry("new", "New", "info", category="open"),
        Entry("in_progress", "In progress", "info", category="open"),
        Entry("won", "Closed won", "ok", category="won"),
        Entry("lost", "Closed lost", "bad", category="lost"),
        Entry("cancelled", "Cancelled", "neutral", category="cancelled"),
    ),
}


@dataclass(frozen=True)
class Lists:
    """All four lists of a workspace, archived entries included, in the order an admin gave them."""

    entries: Mapping[str, tuple[Entry, ...]]

    def offered(self, kind: str) -> list[Entry]:
        return [entry for entry in self.entries[kind] if not entry.is_archived]

    def archived(self, kind: str) -> list[Entry]:
        return [entry for entry in self.entries[kind] if entry.is_archived]

    def known(self, kind: str, key: str) -> Entry | None:
        return self._by_key[kind].get(key)

    def find(self, kind: str, key: str) -> Entry:
        """What nobody has listed (an API wrote it before there were lists) is called by its key."""
        return self._by_key[kind].get(key) or Entry(key, key)

    @cached_property
    def _by_key(self) -> dict[str, dict[str, Entry]]:
        return {kind: {entry.key: entry for entry in entries} for kind, entries in self.entries.items()}

    def last_task_choices(self) -> list[tuple[str, str]]:
        closing = [(f"{CLOSE}{entry.key}", f"Close it as {entry.name}") for entry in self.stages(*CLOSED)]
        return [(ASK, "Ask whether it is done"), (LEAVE, "Leave it open"), *closing]

    # Types by hand: objectives belong to success plans.
    def types(self) -> list[Entry]:
        return [entry for entry in self.offered(Kind.TYPE) if entry.key != Cta.Type.OBJECTIVE]

    def reasons(self, type: str | None = None) -> list[Entry]:
        return [entry for entry in self.offered(Kind.REASON) if type is None or entry.suits(type)]

    def stages(self, *categories: str) -> list[Entry]:
        return [entry for entry in self.offered(Kind.STATUS) if not categories or entry.category in categories]

    def stage(self, stage: str, status: str) -> Entry:
        """Of its category, whatever the key says: automation moves the category alone."""
        found = self.known(Kind.STATUS, stage)
        if found and found.category == status:
            return found
        first = next((entry for entry in self.entries[Kind.STATUS] if entry.category == status), None)
        return first or Entry("", str(dict(Cta.Status.choices).get(status, status)), category=status)

    def stage_of(self, cta: Cta) -> Entry:
        return self.stage(cta.stage, cta.status)

    def bars(self, priority: str) -> int:
        """Three for the first, one for the last."""
        keys = [entry.key for entry in self.offered(Kind.PRIORITY)]
        return max(1, round(3 * (len(keys) - keys.index(priority)) / len(keys))) if priority in keys else 1

    def default(self, kind: str, usual: str) -> str:
        keys = [entry.key for entry in self.offered(kind)]
        return usual if usual in keys or not keys else keys[0]

    def choices(self, kind: str, *, but: str = "") -> list[tuple[str, str]]:
        """For a form; `but` is what the thing has now, which stays possible."""
        shown = [entry for entry in self.entries[kind] if not entry.is_archived or entry.key == but]
        listed = [(entry.key, entry.name) for entry in shown]
        return listed if not but or but in dict(listed) else [(but, but), *listed]


def current_lists() -> Lists:
    """In one query. Outside a workspace, such as where the API describes itself: what everybody begins with."""
    try:
        current_tenant_id()
    except NoTenant:
        return Lists(BUILT_IN)
    own: dict[str, list[Entry]] = {}
    for row in once("lists of CTAs", lambda: list(ListEntry.objects.order_by("position", "key"))):
        own.setdefault(row.kind, []).append(_entry(row))
    return Lists({kind: tuple(own[kind]) if kind in own else entries for kind, entries in BUILT_IN.items()})


def _entry(row: ListEntry) -> Entry:
    lists: dict[str, Any] = {name: tuple(getattr(row, name)) for name in ("types", "to_create", "to_close")}
    facts = {name: getattr(row, name) for name in ("key", "name", "tone", "icon", "category", "last_task")}
    return Entry(**facts, **lists, is_archived=row.archived_at is not None)


# What an admin does --------------------------------------------------------------------------------------------------


def add_entry(kind: str, *, name: str, by: Doer, now: datetime, **more: Any) -> Entry:
    entry = Entry("", name, **_written(more))
    return _change(kind, lambda known: [*known, replace(entry, key=_free_key(kind, name, known))], by=by, now=now)[-1]


def edit_entry(kind: str, key: str, *, by: Doer, now: datetime, **changes: Any) -> Entry:
    """Its key stays: CTAs, rules and playbooks go on meaning it."""

    def edited(known: Sequence[Entry]) -> list[Entry]:
        return [replace(one, **_written(changes)) if one.key == key else one for one in known]

    return _found(_change(kind, edited, by=by, now=now), key)


def archive_entry(kind: str, key: str, *, by: Doer, now: datetime) -> Entry:
    """It is offered nowhere any more; what has it keeps it."""
    return edit_entry(kind, key, is_archived=True, by=by, now=now)


def restore_entry(kind: str, key: str, *, by: Doer, now: datetime) -> Entry:
    return edit_entry(kind, key, is_archived=False, by=by, now=now)


def order_entries(kind: str, keys: Sequence[str], *, by: Doer, now: datetime) -> None:
    """Those named come first, in this order; an entry somebody added meanwhile stays behind them."""
    place = {key: at for at, key in enumerate(keys)}
    _change(kind, lambda known: sorted(known, key=lambda one: place.get(one.key, len(place))), by=by, now=now)


def move_entry(kind: str, key: str, *, up: bool, by: Doer, now: datetime) -> None:
    """One place among those that are offered."""

    def moved(known: Sequence[Entry]) -> list[Entry]:
        shown = [one for one in known if not one.is_archived]
        at = next((n for n, one in enumerate(shown) if one.key == key), None)
        if at is None or not 0 <= (other := at + (-1 if up else 1)) < len(shown):
            return list(known)
        shown[at], shown[other] = shown[other], shown[at]
        return [*shown, *(one for one in known if one.is_archived)]

    _change(kind, moved, by=by, now=now)


def replace_list(kind: str, wanted: Sequence[Mapping[str, Any]], *, by: Doer, now: datetime) -> None:
    """As a document says it, in its order. What it leaves out is archived; an entry without a key is new."""

    def replaced(known: Sequence[Entry]) -> list[Entry]:
        there = {one.key: one for one in known}
        made: list[Entry] = []
        for facts in map(dict, wanted):
            key = facts.pop("key", "") or _free_key(kind, facts.get("name", ""), [*known, *made])
            made.append(replace(there.get(key, Entry(key, key)), **_written(facts), is_archived=False))
        keys = {one.key for one in made}
        return [*made, *(replace(one, is_archived=True) for one in known if one.key not in keys)]

    _change(kind, replaced, by=by, now=now)


def _found(entries: Iterable[Entry], key: str) -> Entry:
    found = next((one for one in entries if one.key == key), None)
    if found is None:
        raise CannotEdit("There is no such entry any more.")
    return found


def _written(facts: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: tuple(value) if name in ("types", "to_create", "to_close") else value for name, value in facts.items()
    }


def _change(kind: str, change: Any, *, by: Doer, now: datetime) -> Sequence[Entry]:
    """Reads the list, changes and checks it, and writes it whole: two admins at once wait for each other."""
    with transaction.atomic():
        _lock_list(kind)
        known = current_lists().entries[kind]
        changed = [replace(one, name=" ".join(one.name.split())) for one in change(known)]
        if list(known) == changed:
            return changed
        _check(kind, changed)
        _write(kind, changed, now=now)
        before, after = (_names(entries) for entries in (known, changed))
        record(
            verb="cta_list.changed",
            subject_type="cta_list",
            subject_id=kind,
            name=f"{Kind(kind).label} of CTAs",
            before=before,
            after=after,
            by=by,
            now=now,
        )
    return changed


def _lock_list(kind: str) -> None:
    """The first edit makes the rows, of which there is then always one to lock."""
    if not ListEntry.objects.filter(kind=kind).exists():
        rows = (_row(kind, entry, at, None) for at, entry in enumerate(BUILT_IN[kind]))
        ListEntry.objects.bulk_create(rows, ignore_conflicts=True)
    list(ListEntry.objects.filter(kind=kind).order_by("key").select_for_update())


def _write(kind: str, entries: Sequence[Entry], *, now: datetime) -> None:
    archived = dict(ListEntry.objects.filter(kind=kind).values_list("key", "archived_at"))
    rows = [
        _row(kind, entry, at, (archived.get(entry.key) or now) if entry.is_archived else None)
        for at, entry in enumerate(entries)
    ]
    names = [name for name in _STORED if name != "key"] + ["position", "archived_at"]
    ListEntry.objects.bulk_create(
        rows, update_conflicts=True, unique_fields=["tenant", "kind", "key"], update_fields=names
    )


_STORED = [field.name for field in fields(Entry) if field.name != "is_archived"]


def _row(kind: str, entry: Entry, position: int, archived_at: datetime | None) -> ListEntry:
    facts = {name: list(value) if isinstance(value, tuple) else value for name, value in _stored(entry).items()}
    return ListEntry(kind=kind, position=position, archived_at=archived_at, **facts)


def _stored(entry: Entry) -> dict[str, Any]:
    return {name: value for name, value in asdict(entry).items() if name in _STORED}


def _names(entries: Iterable[Entry]) -> dict[str, Any]:
    return {
        entry.key: {name: value for name, value in asdict(entry).items() if value and name != "key"} | {"position": at}
        for at, entry in enumerate(entries)
    }


def _check(kind: str, entries: Sequence[Entry]) -> None:
    offered = [entry for entry in entries if not entry.is_archived]
    if len(offered) > LIMITS[Kind(kind)]:
        raise CannotEdit(f"This list can have {LIMITS[Kind(kind)]} entries. Archive one first.")
    for entry in entries:
        _check_entry(kind, entry)
    names = [entry.name.lower() for entry in offered]
    if twice := next((entry.name for entry in offered if names.count(entry.name.lower()) > 1), None):
        raise CannotEdit(f"There is one called {twice} already.")
    if len({entry.key for entry in entries}) < len(entries):
        raise CannotEdit("A key can be given once only.")
    _check_left(kind, offered)


def _check_entry(kind: str, entry: Entry) -> None:
    if not entry.name or len(entry.name) > KEY_LENGTH or not entry.name.isprintable():
        raise CannotEdit(f"Give it a name of 1 to {KEY_LENGTH} characters.")
    if not entry.key or len(entry.key) > KEY_LENGTH or not entry.key.isprintable():
        raise CannotEdit(f"A key has 1 to {KEY_LENGTH} characters.")
    if entry.tone not in TONES or (entry.icon and entry.icon not in ICONS):
        raise CannotEdit("Choose one of the colours and icons.")
    if (entry.category in CATEGORIES) != (kind == Kind.STATUS):
        raise CannotEdit(f"A status belongs to one of {', '.join(CATEGORIES)}; nothing else does.")
    if {*entry.to_create, *entry.to_close} - REQUIRABLE.keys():
        raise CannotEdit(f"What can be asked for is {', '.join(REQUIRABLE)}.")


def _check_left(kind: str, offered: Sequence[Entry]) -> None:
    """What nothing works without."""
    keys = {entry.key for entry in offered}
    if kind == Kind.TYPE and (Cta.Type.OBJECTIVE not in keys or len(keys) < 2):
        raise CannotEdit("Keep Objective, which success plans are made of, and at least one other type.")
    if kind == Kind.PRIORITY and not keys:
        raise CannotEdit("Keep at least one priority.")
    missing = [] if kind != Kind.STATUS else ["open", *CLOSED]
    for category in missing:
        if category not in {entry.category for entry in offered}:
            raise CannotEdit(f"Keep at least one status that means {CATEGORIES[category].lower()}.")


def _free_key(kind: str, name: str, known: Iterable[Entry]) -> str:
    """From the name, for ever; with a number where the plain one is taken. A reason's is the name itself."""
    plain = " ".join(name.split())[:KEY_LENGTH]
    stem = plain if kind == Kind.REASON else re.sub(r"[^a-z0-9]+", "_", plain.lower()).strip("_")[:50] or kind
    taken = {entry.key for entry in known}
    return next(key for n in range(1, 10_000) if (key := stem if n == 1 else f"{stem[:90]}_{n}") not in taken)
