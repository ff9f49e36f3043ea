"""Defining a custom trait: its key is free, and it gets the next slot of its family while there is one."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from django.db import transaction

from accounts.ingest.definitions import TRAITS_LIMIT
from accounts.models import TraitDefinition
from accounts.models.slots import slot_names
from accounts.models.traits import SLOT_FAMILY, TraitType
from cs_platform.tenancy.audit import record
from cs_platform.tenancy.models import Doer

# What a person can change about a trait, as the audit log has it.
SAID = ("label", "description", "choices", "type", "column", "is_fast")


class CannotDefine(Exception):
    """The text says why; `field` is the part to change."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


def define_trait(
    *, scope: str, key: str, label: str, type: str, choices: Sequence[str] = (), by: Doer, now: datetime
) -> TraitDefinition:
    """Two at the same moment cannot take one slot: a unique constraint refuses the later."""
    known = TraitDefinition.objects.filter(scope=scope)
    if known.filter(key=key).exists():
        raise CannotDefine("key", f"There is a trait with the key {key} already.")
    if TraitDefinition.objects.count() >= TRAITS_LIMIT:
        raise CannotDefine("key", f"A workspace can have {TRAITS_LIMIT:,} traits. Remove one first.")
    if choices and type != TraitType.CHOICE:
        raise CannotDefine("choices", "Only a single choice has choices.")
    taken = set(known.values_list("slot", flat=True))
    slot = next((name for name in slot_names(SLOT_FAMILY[type]) if name not in taken), None)
    definition = TraitDefinition.objects.create(
        scope=scope, key=key, label=label, type=type, slot=slot, choices=list(dict.fromkeys(choices))
    )
    said = {"scope": scope, "key": key, "type": type, "choices": definition.choices}
    about: dict[str, Any] = {"subject_type": "trait", "subject_id": definition.pk, "name": label}
    record(verb="trait.defined", **about, after=said, by=by, now=now)
    return definition


@contextmanager
def change_written_down(definition: TraitDefinition, *, by: Doer, now: datetime) -> Iterator[None]:
    """What changes inside goes into the audit log with it; the definition comes out as it is stored."""
    before = _said(definition)
    with transaction.atomic():
        yield
        definition.refresh_from_db()
        if (after := _said(definition)) != before:
            about: dict[str, Any] = {"subject_type": "trait", "subject_id": definition.pk, "name": definition.label}
            record(verb="trait.changed", **about, before=before, after=after, by=by, now=now)


def _said(definition: TraitDefinition) -> dict[str, Any]:
    return {name: getattr(definition, name) for name in SAID} | {"archived": definition.archived_at is not None}
