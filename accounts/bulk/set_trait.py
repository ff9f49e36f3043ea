"""Set or clear a custom trait of many accounts, or users.

The job is the value's writer, so only what is still its own goes back.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django import forms

from accounts.bulk.verbs import BulkVerb, Config, Done, Task, VerbForm, id_of, subject_of
from accounts.bulk.writing import (
    CHANGED_SINCE,
    Told,
    as_they_stand,
    gone,
    lock_present,
    member_names,
    refuse_absent,
    write_down,
)
from accounts.changes import TRAIT
from accounts.heirs import Legacy, hand_over
from accounts.models import TraitDefinition
from accounts.models.traits import TraitType
from accounts.table.lists import USERS
from accounts.traits import (
    IMPORT,
    TABLES,
    Change,
    TraitValueError,
    change_in_words,
    choice_values,
    shown,
    typed_value,
    write_assignments,
)
from cs_platform.common.statements import fetch
from cs_platform.jobs.kinds import Item
from cs_platform.jobs.models import JobItem
from cs_platform.tenancy.context import current_tenant_id
from cs_platform.tenancy.models import Membership

YES_OR_NO = (("", "Not set"), ("true", "Yes"), ("false", "No"))
NOT_SET = ("", "Not set")
MOST_MEMBERS = 1_000


def custom_traits(scope: str) -> list[TraitDefinition]:
    custom = TraitDefinition.objects.filter(scope=scope, archived_at=None)
    return list(custom.filter(source=TraitDefinition.Source.CUSTOM).order_by("label", "pk"))


def active_members() -> list[tuple[str, str]]:
    members = Membership.objects.in_tenant(current_tenant_id()).active().order_by("name", "pk")[:MOST_MEMBERS]
    return [(str(pk), name) for pk, name in members.values_list("pk", "name")]


class AnyValue(forms.Field):
    """What was typed, or what JSON says: accounts.traits decides what it means."""

    def clean(self, value: Any) -> Any:
        return value


class SetTraitForm(VerbForm):
    trait = forms.ChoiceField(label="Trait", error_messages={"invalid_choice": "Choose one of the custom traits."})
    value = AnyValue(required=False, help_text="Leave it empty to clear the trait.")
    scope: str = TraitDefinition.Scope.ACCOUNT

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.definitions = {one.key: one for one in custom_traits(self.scope)}
        offered = [(key, one.label) for key, one in self.definitions.items()]
        self.offer(
            "trait", offered, none=f"No trait of {self.scope}s is edited here yet. Define one in Settings, Traits."
        )
        chosen = self.definitions.get(str(self["trait"].value())) or next(iter(self.definitions.values()), None)
        if chosen:
            self.fields["value"].widget = _widget(chosen)

    def clean(self) -> dict[str, Any]:
        definition = self.definitions.get(self.cleaned_data.get("trait", ""))
        if definition is None:
            return self.cleaned_data
        try:
            self.cleaned_data["value"] = typed_value(definition, self.cleaned_data.get("value"))
        except TraitValueError as refusal:
            self.add_error("value", str(refusal))
        else:
            self._refuse_stranger(definition)
        return self.cleaned_data

    def _refuse_stranger(self, definition: TraitDefinition) -> None:
        value = self.cleaned_data["value"]
        if definition.type == TraitType.PERSON and value is not None and str(value) not in dict(active_members()):
            self.add_error("value", "Choose an active member of this workspace.")


def _widget(definition: TraitDefinition) -> forms.Widget:
    match definition.type:
        case TraitType.BOOLEAN:
            return forms.Select(choices=YES_OR_NO)
        case TraitType.PERSON:
            return forms.Select(choices=[NOT_SET, *active_members()])
        case TraitType.CHOICE if definition.choices:
            return forms.Select(choices=[NOT_SET, *((one, one) for one in choice_values(definition))])
        case TraitType.DATE:
            return forms.DateInput(attrs={"type": "date"})
    return forms.TextInput(attrs={"maxlength": "10000"})


@dataclass(frozen=True, slots=True)
class Held:
    """What a trait holds, who wrote it, and what its mirror holds: a fed column may know more than the trait did."""

    value: Any
    writer: str
    mirror: Any

    @classmethod
    def read(cls, value: str | None, writer: str | None, mirror: str | None) -> "Held":
        return cls(_loaded(value), writer or IMPORT, _loaded(mirror))

    @classmethod
    def before(cls, item: JobItem) -> "Held":
        return cls(item.before["before"], item.before["before_writer"], item.before["before_mirror"])

    @property
    def kept(self) -> dict[str, Any]:
        """In the names a playbook's receipt has for it: what inherits from one can inherit from the other."""
        return {"before": self.value, "before_writer": self.writer, "before_mirror": self.mirror}


class SetTrait(BulkVerb):
    key = "set_trait"
    label = "Set a trait"
    icon = "tag"
    form = SetTraitForm

    def describe(self, config: Config) -> str:
        definition = self._definition(config)
        label = definition.label if definition else config["trait"]
        if config["value"] is None:
            return f"Clear {label}"
        return f"Set {label} to {_words(definition, config['value'])}"

    def apply(self, task: Task, ids: Sequence[int]) -> Done:
        definition = self._definition(task.config)
        if definition is None:
            return Done(refused=dict.fromkeys(ids, "The trait does not exist any more. Create it again."))
        present = lock_present(ids, self.listing)
        value = task.config["value"]
        before = write_values(definition, {id: Held(value, task.actor, value) for id in present}, now=task.now)
        self._tell(task, definition, {id: (held.value, value) for id, held in before.items()}, back_to={})
        items = [Item(subject_of(id, self.listing), held.kept, {"value": value}) for id, held in before.items()]
        return Done(items, refuse_absent(ids, before, self.listing))

    def restore(self, task: Task, items: Sequence[JobItem], *, undone: str) -> Mapping[str, str]:
        definition = self._definition(task.config)
        if definition is None:
            return {item.subject: "The trait does not exist any more." for item in items}
        current = _current(definition, lock_present([id_of(item) for item in items], self.listing))
        found = {id: Held.before(item) for id, item in as_they_stand(items).items()}
        ours = {id: found[id] for id, held in current.items() if held.writer == undone}
        was = write_values(definition, ours, now=task.now)
        writers = {id: held.writer for id, held in ours.items()}
        changes = {id: (held.value, ours[id].value) for id, held in was.items()}
        self._tell(task, definition, changes, back_to=writers)
        kept = {id for id in found if id not in ours and not _is_back(current.get(id), found[id])}
        hand_over(legacies(definition, undone, {id: found[id] for id in current if id in kept}))
        return {subject_of(id, self.listing): CHANGED_SINCE if id in current else gone(self.listing) for id in kept}

    def _definition(self, config: Config) -> TraitDefinition | None:
        scope = self.listing.subject.value
        return TraitDefinition.objects.filter(scope=scope, key=config["trait"], archived_at=None).first()

    def _tell(
        self,
        task: Task,
        definition: TraitDefinition,
        changes: Mapping[int, tuple[Any, Any]],
        *,
        back_to: Mapping[int, str],
    ) -> None:
        names = member_names(value for pair in changes.values() for value in pair) if _is_person(definition) else {}
        field = TRAIT + definition.key
        told = [
            Told(id, field, before, after, _sentence(definition, before, after, names), back_to.get(id, ""))
            for id, (before, after) in changes.items()
        ]
        write_down(task, told, kind="trait.changed", subject=field, listing=self.listing)


class UserTraitForm(SetTraitForm):
    scope = TraitDefinition.Scope.USER


class SetUserTrait(SetTrait):
    form = UserTraitForm
    listing = USERS


def _is_back(held: Held | None, found: Held) -> bool:
    """An undo that was cancelled half way has been here."""
    return held is not None and (held.value, held.writer) == (found.value, found.writer)


def legacies(definition: TraitDefinition, undone: str, found: Mapping[int, Held]) -> list[Legacy]:
    """To whoever has written over `undone` since."""
    names = member_names(held.value for held in found.values()) if _is_person(definition) else {}

    def text(value: Any) -> str:
        return names.get(value, shown(value)) if _is_person(definition) else shown(value, definition.type)

    return [
        Legacy(definition.scope, id, undone, held.kept | {"before_text": text(held.value)}, definition.key)
        for id, held in found.items()
    ]


def _words(definition: TraitDefinition | None, value: Any) -> str:
    if definition and definition.type == TraitType.PERSON:
        return member_names([value]).get(value, "somebody")
    return shown(value, definition.type if definition else "")


def _is_person(definition: TraitDefinition) -> bool:
    return definition.type == TraitType.PERSON


def _sentence(definition: TraitDefinition, before: Any, after: Any, names: Mapping[int, str]) -> str:
    if _is_person(definition):
        before, after = (None if value is None else names.get(value, "somebody") for value in (before, after))
    return change_in_words(definition, Change(before, after))


def _current(definition: TraitDefinition, ids: Sequence[int]) -> dict[int, Held]:
    rows = fetch(
        "SELECT id, (traits -> %(key)s::text)::text, trait_writers ->> %(key)s::text, NULL"
        f" FROM {TABLES[TraitDefinition.Scope(definition.scope)]} WHERE tenant_id = %(tenant)s AND id = ANY(%(ids)s)",
        {"tenant": current_tenant_id(), "key": definition.key, "ids": list(ids)},
    )
    return {id: Held.read(*found) for id, *found in rows}


def write_values(definition: TraitDefinition, values: Mapping[int, Held], *, now: datetime) -> dict[int, Held]:
    """Value, writer and mirror of each account or user in one UPDATE; returns what was there."""
    if not values:
        return {}
    assignments = write_assignments(
        definition, key="%(key)s::text", value="n.value", writer="n.writer", mirror="n.mirror"
    )
    mirror = f"to_jsonb(old.{definition.column})" if definition.column else "old.traits -> %(key)s::text"
    rows = fetch(
        f"""
        UPDATE {TABLES[TraitDefinition.Scope(definition.scope)]} t SET {assignments}, updated_at = CASE
            WHEN t.traits -> %(key)s::text IS DISTINCT FROM n.value THEN %(now)s ELSE t.updated_at END
        FROM unnest(%(ids)s::bigint[], %(values)s::jsonb[], %(writers)s::text[], %(mirrors)s::jsonb[])
            AS n(id, value, writer, mirror)
        WHERE t.tenant_id = %(tenant)s AND t.id = n.id
        RETURNING t.id, (old.traits -> %(key)s::text)::text, old.trait_writers ->> %(key)s::text, ({mirror})::text
        """,
        {
            "tenant": current_tenant_id(),
            "now": now,
            "key": definition.key,
            "ids": list(values),
            "values": _jsonb(held.value for held in values.values()),
            "writers": [held.writer for held in values.values()],
            "mirrors": _jsonb(held.mirror for held in values.values()),
        },
    )
    return {id: Held.read(*found) for id, *found in rows}


def _jsonb(values: Iterable[Any]) -> list[str | None]:
    """Absent is NULL, never the JSON null."""
    return [None if value is None else json.dumps(value) for value in values]


def _loaded(value: str | None) -> Any:
    return None if value is None else json.loads(value)
