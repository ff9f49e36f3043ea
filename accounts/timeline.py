"""What happened on an account or around a user, newest first, a page at a time, and narrowed to what somebody seeks."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any
from urllib.parse import urlencode

from django.db.models import Q
from django.utils import timezone
from django.utils.dateparse import parse_date

from accounts.actors import Actor, ids_after, load_actors
from accounts.models import Account, EndUser, Note, TimelineEntry
from accounts.places import Place, older_than

PAGE_SIZE = 20
DOERS_SHOWN = 50
_LOOKS: tuple[tuple[str, str, str], ...] = (
    ("playbook.stopped", "octagon-x", "neutral"),
    ("action.undone", "undo-2", "neutral"),
    ("action.kept", "lock", "neutral"),
    ("action.failed", "circle-alert", "bad"),
    ("action.approved", "circle-check", "ok"),
    ("action.rejected", "circle-x", "neutral"),
    ("playbook.", "workflow", "acc"),
    ("action.", "workflow", "acc"),
    ("plan.", "flag", "plan"),
    ("cta.", "square-check-big", "neutral"),
    ("task.", "list-checks", "neutral"),
    ("trait.", "tag", "neutral"),
    ("segment.", "shapes", "neutral"),
    ("lifecycle.", "refresh-cw", "neutral"),
    ("role.", "user", "neutral"),
    ("parent.", "building-2", "neutral"),
    ("cause.", "info", "neutral"),
    ("contact.", "users", "neutral"),
    ("note.", "notebook-pen", "info"),
    ("comment.", "message-square", "neutral"),
    ("indicator.", "triangle-alert", "warn"),
    ("account.", "building-2", "neutral"),
    ("conversation.failed", "mail", "bad"),
    ("conversation.uncertain", "mail", "bad"),
    ("conversation.", "mail", "neutral"),
    ("nps.", "gauge", "neutral"),
)


# --- narrowing --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Group:
    """Kinds of entries that a person looks for together."""

    key: str
    label: str
    kinds: tuple[str, ...]  # how they begin

    def holds(self) -> Q:
        found = Q()
        for kind in self.kinds:
            found |= Q(kind__startswith=kind)
        return found


GROUPS: tuple[Group, ...] = (
    Group("playbooks", "Playbooks", ("playbook.", "action.", "enrollment.")),
    Group("work", "CTAs, tasks and plans", ("cta.", "task.", "plan.")),
    Group("notes", "Notes and comments", ("note.", "comment.")),
    Group("facts", "Traits and roles", ("trait.", "role.", "parent.", "cause.", "contact.", "lifecycle.", "account.")),
    Group("indicators", "Indicators", ("indicator.",)),
    Group("conversations", "Conversations", ("conversation.",)),
    Group("signals", "Segments, health and NPS", ("segment.", "health.", "nps.")),
)


@dataclass(frozen=True, slots=True)
class Search:
    """What of the timeline is asked for. Words that mean nothing ask for nothing in particular."""

    group: Group | None = None
    doer: str = ""
    first: date | None = None
    last: date | None = None

    @classmethod
    def read(cls, params: Mapping[str, str]) -> "Search":
        group = next((one for one in GROUPS if one.key == params.get("kind")), None)
        doer = params.get("by", "").replace("\x00", "")[:100]
        return cls(group, doer, _day(params.get("from", "")), _day(params.get("to", "")))

    @property
    def is_narrow(self) -> bool:
        return any((self.group, self.doer, self.first, self.last))

    def params(self) -> dict[str, str]:
        given = {
            "kind": self.group.key if self.group else "",
            "by": self.doer,
            "from": self.first.isoformat() if self.first else "",
            "to": self.last.isoformat() if self.last else "",
        }
        return {name: value for name, value in given.items() if value}

    def holds(self) -> Q:
        """Days are the workspace's."""
        found = self.group.holds() if self.group else Q()
        if self.doer:
            found &= Q(actor=self.doer)
        if self.first:
            found &= Q(at__gte=_midnight(self.first))
        if self.last:
            found &= Q(at__lt=_midnight(self.last + timedelta(days=1)))
        return found


def _day(text: str) -> date | None:
    try:
        found = parse_date(text)
    except ValueError:
        return None
    return found if found and 1900 <= found.year < 2200 else None


def _midnight(day: date) -> datetime:
    return timezone.make_aware(datetime.combine(day, time()))


# --- reading ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Entry:
    text: str
    who: Actor
    at: datetime
    icon: str
    tone: str
    link: str  # what opens the drawer of what it is about: "history=31", "changes=5&field=csm"; or nothing
    note: Note | None = None
    account: Account | None = None  # named where the timeline is a user's


@dataclass(frozen=True, slots=True)
class Timeline:
    entries: Sequence[Entry]
    next: Place | None


def load_timeline(subject: Account | EndUser, *, search: Search | None = None, after: Place | None = None) -> Timeline:
    entries = _of(subject).filter(search.holds() if search else Q())
    if after:
        entries = entries.filter(older_than(after))
    found = list(entries.order_by("-at", "-pk")[: PAGE_SIZE + 1])
    shown = found[:PAGE_SIZE]
    actors, notes = load_actors({entry.actor for entry in shown}), _notes(shown)
    last = Place(shown[-1].at, shown[-1].pk) if len(found) > PAGE_SIZE else None
    about_user = isinstance(subject, EndUser)
    return Timeline([_entry(entry, actors[entry.actor], notes, about_user) for entry in shown], last)


def doers(subject: Account | EndUser) -> list[tuple[str, str]]:
    """Who did anything here, by name."""
    found = _of(subject).order_by().values_list("actor", flat=True).distinct()[:DOERS_SHOWN]
    return sorted(((key, actor.name) for key, actor in load_actors(set(found)).items()), key=lambda one: one[1])


def _of(subject: Account | EndUser) -> Any:
    if isinstance(subject, EndUser):
        return TimelineEntry.objects.filter(end_user=subject).select_related("account")
    return TimelineEntry.objects.filter(account=subject)


def _notes(entries: Iterable[TimelineEntry]) -> dict[str, Note]:
    """What notes say is read from themselves: an edit shows everywhere, and an archived one nowhere."""
    ids = ids_after("note:", {entry.subject for entry in entries})
    found = Note.objects.filter(pk__in=ids, archived_at=None) if ids else ()
    return {note.subject: note for note in found}


def _entry(entry: TimelineEntry, who: Actor, notes: Mapping[str, Note], about_user: bool) -> Entry:
    icon, tone = next(
        ((icon, tone) for kind, icon, tone in _LOOKS if entry.kind.startswith(kind)), ("circle", "neutral")
    )
    return Entry(
        entry.text,
        who,
        entry.at,
        icon,
        tone,
        link=_link(entry),
        note=notes.get(entry.subject),
        account=entry.account if about_user else None,
    )


_DRAWERS = {"enrollment": "history", "cta": "cta", "indicator": "indicator"}


def _link(entry: TimelineEntry) -> str:
    kind, _, rest = entry.subject.partition(":")
    if kind in _DRAWERS:
        return f"{_DRAWERS[kind]}={rest}"
    if kind == "field":
        return f"changes={entry.account_id}&{urlencode({'field': rest})}"
    if kind != "trait":
        return ""
    subject = f"user_changes={entry.end_user_id}" if entry.end_user_id else f"changes={entry.account_id}"
    return f"{subject}&{urlencode({'field': entry.subject})}"
