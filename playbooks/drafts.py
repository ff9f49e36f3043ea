"""A playbook while people work on it: one draft, finished or not, changed a part at a time.

The draft is JSON in the form that import reads. Nothing judges it while it is written; `problems_of` says what is
still wrong, and publishing refuses it until nothing is.
"""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils.text import slugify

from accounts.fields import workspace_fields
from accounts.rules.fields import FieldSet
from cs_platform.tenancy.models import Doer
from playbooks.definition import Definition, DefinitionErrors, Problem, TaskList, parse
from playbooks.icons import USUAL
from playbooks.models import Playbook, PlaybookVersion
from playbooks.versions import UNTITLED, NotPossible, exported, name_after_draft, write_down, write_draft

OVERVIEW, RULES, ACTIONS, REVIEW = "overview", "rules", "actions", "review"
PARTS = (OVERVIEW, RULES, ACTIONS, REVIEW)
_PART_OF = {
    "rules": RULES,
    "reenrollment": RULES,
    "on_unmatch": RULES,
    "respects_known_cause": RULES,
    "outcome": RULES,
    "holdout": RULES,
    "steps": ACTIONS,
    "skip_weekends": ACTIONS,
    "brake_limit": REVIEW,
}
KEY_LIMIT = 40
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")

EMPTY: dict[str, Any] = {
    "name": "",
    "category": "",
    "icon": USUAL,
    "audience": "accounts",
    "target": "tracked",
    "description": "",
    "rules": {"account": None, "user": None},
    "reenrollment": None,  # what is usual for its rules
    "on_unmatch": "finish",
    "respects_known_cause": False,
    "outcome": None,
    "holdout": 0,
    "skip_weekends": False,
    "brake_limit": None,
    "steps": [],
}


class ChangedByAnother(Exception):
    """Somebody else has changed the draft since it was read. It is as they left it."""

    def __init__(self, draft: PlaybookVersion) -> None:
        who = draft.changed_by.name if draft.changed_by else "Somebody else"
        super().__init__(f"{who} changed this draft meanwhile. What you wrote is not saved yet.")
        self.draft = draft


def part_of(path: str) -> str:
    """The step of the wizard that mends a problem at this path."""
    return _PART_OF.get(path.partition(".")[0].partition("[")[0], OVERVIEW)


def begin(*, name: str, by: Doer, now: datetime, content: Mapping[str, Any] | None = None) -> PlaybookVersion:
    """A new playbook as a draft, from nothing or from what another one says."""
    name = name.strip()[:200] or UNTITLED
    with transaction.atomic():
        key = free_key(name)
        draft = {**EMPTY, **(content or {}), "key": key, "name": name}
        playbook = Playbook.objects.create(key=key, name=name, created_at=now, created_by=by.member)
        name_after_draft(playbook, draft)
        version = write_draft(playbook, draft, by=by, now=now)
        write_down("drafted", playbook, after={"draft": version.number}, by=by, now=now)
    return version


def duplicate(playbook: Playbook, *, by: Doer, now: datetime) -> PlaybookVersion:
    """A new playbook that says the same, under a key of its own."""
    return begin(name=f"Copy of {playbook.name}", content=_said(playbook, None), by=by, now=now)


def open_draft(playbook: Playbook) -> PlaybookVersion | None:
    return playbook.versions.select_related("changed_by").filter(published_at__isnull=True).first()


def revise(playbook: Playbook, *, by: Doer, now: datetime, source: PlaybookVersion | None = None) -> PlaybookVersion:
    """The draft there is, else a new one of what is published now; with a `source`, of that version in any case."""
    with transaction.atomic():
        playbook = Playbook.objects.select_for_update(of=("self",)).select_related("version").get(pk=playbook.pk)
        draft = open_draft(playbook)
        if draft and source is None:
            return draft
        content = _said(playbook, source)
        if draft:
            draft.delete()
        version = write_draft(playbook, content, by=by, now=now)
        after = {"draft": version.number} | ({"restored": source.number} if source else {})
        write_down("drafted", playbook, after=after, by=by, now=now)
    return version


def change(
    draft: PlaybookVersion, parts: Mapping[str, Any], *, revision: int | None, by: Doer, now: datetime
) -> PlaybookVersion:
    """Replace these parts. `revision` is what the person was looking at; their own later changes do not count.

    Raises ChangedByAnother, and NotPossible when the draft is gone.
    """
    with transaction.atomic():
        current = _locked(draft)
        theirs = current.changed_by_id != (by.member.pk if by.member else None)
        if revision is not None and revision != current.revision and theirs:
            raise ChangedByAnother(current)
        before: dict[str, Any] = current.draft or {}
        content = {**before, **_storable(parts), "key": before["key"]}
        if content == before:
            return current
        current.draft, current.revision = content, current.revision + 1
        current.changed_at, current.changed_by = now, by.member
        current.save(update_fields=["draft", "revision", "changed_at", "changed_by"])
        name_after_draft(current.playbook, content)
    return current


def discard(playbook: Playbook, *, by: Doer, now: datetime) -> bool:
    """The draft goes. A playbook that was never published stands empty then, so it goes with it."""
    with transaction.atomic():
        playbook = Playbook.objects.select_for_update().get(pk=playbook.pk)
        gone, _rows = playbook.versions.filter(published_at__isnull=True).delete()
        if not gone:
            return False
        write_down("draft_discarded", playbook, by=by, now=now)
        if playbook.version_id is None and not playbook.enrollments.exists():
            playbook.delete()
    return True


def problems_of(content: Mapping[str, Any], *, fields: FieldSet | None = None) -> list[Problem]:
    return read(content, fields=fields)[1]


def read(content: Mapping[str, Any], *, fields: FieldSet | None = None) -> tuple[Definition | None, list[Problem]]:
    """What the draft comes to, or all that is wrong with it."""
    try:
        found = parse(dict(content), fields=fields or workspace_fields())
    except DefinitionErrors as errors:
        return None, errors.problems
    if isinstance(found, TaskList):
        return None, [Problem("audience", "A CTA playbook is written on a page of its own.")]
    return found, []


def _said(playbook: Playbook, source: PlaybookVersion | None) -> dict[str, Any]:
    version = source or playbook.version or open_draft(playbook)
    if version is None:
        raise NotPossible("This playbook says nothing yet.")
    return exported(playbook, version)


def _storable(value: Any) -> Any:
    """PostgreSQL takes no NUL and no half of a surrogate pair."""
    match value:
        case str():
            return _UNSTORABLE.sub("", value)
        case Mapping():
            return {_storable(name): _storable(one) for name, one in value.items()}
        case list() | tuple():
            return [_storable(one) for one in value]
    return value


def _locked(draft: PlaybookVersion) -> PlaybookVersion:
    found = PlaybookVersion.objects.select_for_update(of=("self",)).select_related("playbook", "changed_by")
    current = found.filter(pk=draft.pk, published_at__isnull=True).first()
    if current is None:
        raise NotPossible("This draft was published or discarded meanwhile. Open the playbook again.")
    return current


def free_key(name: str) -> str:
    stem = slugify(name)[: KEY_LIMIT - 5].strip("-_") or "playbook"
    taken = set(Playbook.objects.filter(key__startswith=stem).values_list("key", flat=True))
    return next(key for key in (stem, *(f"{stem}-{n}" for n in range(2, 10_000))) if key not in taken)
