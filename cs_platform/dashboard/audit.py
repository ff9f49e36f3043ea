"""The audit log as a page: newest first, by person and by what was done."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Q, QuerySet
from django.http import HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_safe

from accounts.actors import Actor, load_actors
from cs_platform.tenancy.audit import VERBS
from cs_platform.tenancy.models import AuditEntry, Membership
from cs_platform.tenancy.roles import Ability
from cs_platform.web.pages import WorkspaceRequest, render_page, requires

PAGE_SIZE = 50
NOT_SET = "–"
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(\+\d\d:\d\d|Z)")
LONGEST = 300  # characters of one value; the API has all of it


@dataclass(frozen=True, slots=True)
class Change:
    """One thing an entry says: `before` is empty for what there was not, and so is `after`."""

    what: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Row:
    entry: AuditEntry
    who: Actor
    verb: str
    changes: Sequence[Change]


@require_safe
@requires(Ability.READ_AUDIT)
def audit_log(request: WorkspaceRequest, slug: str) -> HttpResponse:
    who, verb = request.GET.get("who", ""), request.GET.get("verb", "")
    found = list(_before(_entries(who, verb), request.GET.get("before", ""))[: PAGE_SIZE + 1])
    shown = found[:PAGE_SIZE]
    names = load_actors({entry.actor for entry in shown} | ({who} if who else set()))
    context = {
        "rows": [Row(one, names[one.actor], VERBS.get(one.verb, one.verb), changes_of(one.detail)) for one in shown],
        "next": shown[-1].pk if len(found) > PAGE_SIZE else None,
        "people": _people(request, who, names),
        "verbs": VERBS.items(),
        "wanted": {"who": who, "verb": verb},
    }
    return render_page(request, "dashboard/audit.html", context, fragments={"audit": "dashboard/_audit.html"})


def _entries(who: str, verb: str) -> QuerySet[AuditEntry]:
    """A filter that nothing can match shows nothing, never everything."""
    entries = AuditEntry.objects.order_by("-at", "-pk")
    if "\0" in who + verb:
        return entries.none()
    entries = entries.filter(actor=who) if who else entries
    return entries.filter(verb=verb) if verb else entries


def _before(entries: QuerySet[AuditEntry], id: str) -> QuerySet[AuditEntry]:
    """What is older than an entry, which is where the page before ended."""
    known = id.isascii() and id.isdecimal() and len(id) < 18
    last = AuditEntry.objects.filter(pk=int(id)).only("tenant_id", "at").first() if known else None
    return entries.filter(Q(at=last.at, pk__lt=last.pk) | Q(at__lt=last.at), at__lte=last.at) if last else entries


def _people(request: WorkspaceRequest, who: str, names: dict[str, Actor]) -> list[tuple[str, str]]:
    """The team, with those who left; and whoever else is asked for."""
    team = Membership.objects.in_tenant(request.tenant.pk).order_by("name", "pk")
    people = [(member.actor, member.name) for member in team]
    return people if not who or who in dict(people) else [*people, (who, names[who].name)]


# --- what it said before and after ------------------------------------------------------------------------------------


def changes_of(detail: dict[str, Any]) -> list[Change]:
    before, after = detail.get("before", {}), detail.get("after", {})
    return [
        Change(key.replace("_", " ").capitalize(), _side(before, key), _side(after, key)) for key in {**before, **after}
    ]


def _side(said: dict[str, Any], key: str) -> str:
    return _shortened(_words(said[key])) if key in said else ""


def _words(value: Any) -> str:
    if value is None or value in ("", [], {}):
        return NOT_SET
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict | list):
        return ", ".join(_parts(value))
    return _moment(value) if isinstance(value, str) else str(value)


def _moment(text: str) -> str:
    """One that was written down for programs, as people read it; every other text as it is."""
    try:
        moment = datetime.fromisoformat(text) if MOMENT.fullmatch(text) else None
    except ValueError:  # somebody's own text that only looks like one
        return text
    return f"{timezone.localtime(moment):%-d %b %Y, %H:%M}" if moment else text


def _parts(value: dict[str, Any] | list[Any]) -> Iterator[str]:
    if isinstance(value, list):
        yield from map(_words, value)
    else:
        yield from (f"{key.replace('_', ' ')} {_words(inner)}" for key, inner in value.items())


def _shortened(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
