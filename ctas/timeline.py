"""What happened to a CTA and its tasks, the last first."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from accounts.actors import Actor, load_actors
from accounts.models import TimelineEntry
from accounts.places import Place, older_than
from cs_platform.web.templatetags.ui import day
from ctas.lists import Kind, Lists
from ctas.models import Cta

PAGE_SIZE = 10
OPENED = "cta.opened"
_ICONS = {"task": "list-checks", "playbook": "workflow"}
_LABELS = {"due_on": "Due", "type": "Type", "reason": "Reason", "priority": "Priority", "owner": "Owner"}
_KINDS = {"type": Kind.TYPE, "reason": Kind.REASON, "priority": Kind.PRIORITY}
_NOTHING = {"owner": "nobody", "due_on": "no date"}


@dataclass(frozen=True, slots=True)
class Happening:
    text: str
    changes: str
    icon: str
    who: Actor
    at: datetime


@dataclass(frozen=True, slots=True)
class Timeline:
    happenings: Sequence[Happening]
    next: Place | None


def load_timeline(cta: Cta, *, after: Place | None = None, today: date, lists: Lists) -> Timeline:
    """With its tasks, those that were removed too."""
    subjects = [cta.subject, *(f"task:{pk}" for pk in cta.tasks.values_list("pk", flat=True))]
    entries = TimelineEntry.objects.filter(account=cta.account_id, subject__in=subjects)
    entries = entries.filter(older_than(after)) if after else entries
    found = list(entries.order_by("-at", "-pk")[: PAGE_SIZE + 1])
    shown, actors = found[:PAGE_SIZE], load_actors({one.actor for one in found})
    told = [
        Happening(
            _text(one, cta),
            _changes(one.detail, today, lists),
            _icon(one.kind),
            actors[one.actor],
            one.at,
        )
        for one in shown
    ]
    if len(found) <= PAGE_SIZE and not (found and found[-1].kind == OPENED):
        told.append(_opened(cta))
    return Timeline(told, Place(shown[-1].at, shown[-1].pk) if len(found) > PAGE_SIZE else None)


def _opened(cta: Cta) -> Happening:
    """What an action of a playbook opened is told among that one's actions."""
    actor = load_actors({cta.created_by})[cta.created_by]
    return Happening("CTA opened", "", _icon(cta.created_by), actor, cta.created_at)


def _text(entry: TimelineEntry, cta: Cta) -> str:
    """Which CTA it is about is said above already."""
    return entry.text.removesuffix(f": {cta.name}")


def _icon(about: str) -> str:
    """Of a kind, such as `task.completed`, or of an actor, such as `playbook:12`."""
    return _ICONS.get(re.split("[.:]", about, maxsplit=1)[0], "square-check-big")


def _changes(detail: Mapping[str, Any], today: date, lists: Lists) -> str:
    return " · ".join(_written(detail, today, lists))


def _written(detail: Mapping[str, Any], today: date, lists: Lists) -> Iterator[str]:
    for name, before in detail.get("before", {}).items():
        was, is_now = (_value(name, one, today, lists) for one in (before, detail["after"].get(name, "")))
        yield f"{_LABELS.get(name, name.capitalize())}: {was} → {is_now}"


def _value(name: str, value: str, today: date, lists: Lists) -> str:
    if not value:
        return _NOTHING.get(name, "none")
    if name == "due_on":
        return day(date.fromisoformat(value), today)
    return lists.find(_KINDS[name], value).name if name in _KINDS else value
