"""Playbooks as files: what an import would change, said before it is written, and then done whole or not at all."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction

from cs_platform.tenancy.models import Doer
from playbooks import drafts
from playbooks.comparing import Difference, differences
from playbooks.definition import AnyDefinition, DefinitionErrors, Problem, parse
from playbooks.library import Words
from playbooks.models import Playbook
from playbooks.versions import KEEPS_ITS_AUDIENCE, exported, import_playbook

MANY = 50
NEW, REVISES, SAME, WRONG = "new", "revises", "same", "wrong"


class Unreadable(Exception):
    """The text says what to do."""


@dataclass(frozen=True, slots=True)
class Planned:
    """What one playbook of an import comes to."""

    key: str
    name: str
    change: str  # new, revises, same or wrong
    playbook: Playbook | None
    differences: Sequence[Difference]
    problems: Sequence[Problem]


def read_file(text: str) -> list[Any]:
    """One playbook, or a list of them. Raises Unreadable."""
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        raise Unreadable("This is no JSON. Choose a file that was exported from here.") from None
    found = data if isinstance(data, list) else [data]
    if not 1 <= len(found) <= MANY:
        raise Unreadable(f"Import 1 to {MANY} playbooks at once.")
    return found


def plan_import(found: Sequence[Any]) -> list[Planned]:
    words = Words.load()
    return [_planned(data, words) for data in found]


def _planned(data: Any, words: Words) -> Planned:
    definition, problems = _read(data, words)
    if definition is None:
        given = data if isinstance(data, dict) else {}
        return Planned(str(given.get("key") or ""), str(given.get("name") or "Unnamed"), WRONG, None, (), problems)
    playbook = Playbook.objects.select_related("version").filter(key=definition.key).first()
    if playbook is None:
        return Planned(definition.key, definition.name, NEW, None, (), ())
    if playbook.version_id and playbook.audience != definition.audience:
        return Planned(definition.key, definition.name, WRONG, playbook, (), [Problem("audience", KEEPS_ITS_AUDIENCE)])
    latest = drafts.open_draft(playbook) or playbook.version
    before = exported(playbook, latest) if latest else {}
    found = differences(before, definition.exported(), words=words)
    return Planned(definition.key, definition.name, REVISES if found else SAME, playbook, found, ())


def _read(data: Any, words: Words) -> tuple[AnyDefinition | None, Sequence[Problem]]:
    try:
        return parse(data, fields=words.fields), ()
    except DefinitionErrors as errors:
        return None, errors.problems


def import_all(found: Sequence[Any], *, by: Doer, now: datetime) -> list[Playbook]:
    """As drafts. Raises DefinitionErrors and NotPossible, and writes nothing then."""
    with transaction.atomic():
        return [import_playbook(data, by=by, now=now) for data in found]
