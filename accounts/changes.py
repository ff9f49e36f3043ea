"""What a value was before, and who or what changed it: written with every change, read by the history of one thing."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from django.db import connection
from django.db.models import F, Q

from accounts.actors import Actor, load_actors
from accounts.models import Account, EndUser, KeyRole, TraitChange, TraitDefinition
from accounts.models.traits import TraitType
from accounts.places import Place, older_than
from accounts.trait_values import TraitValue, presented
from cs_platform.tenancy.context import current_tenant_id
from cs_platform.tenancy.models import Membership

PAGE_SIZE = 20
TRAIT, ROLE = "trait:", "role:"
# Fields that are no traits, in the words of pages; the roles a workspace defines come on top.
BUILT_IN: Mapping[str, str] = {
    "name": "Name",
    "csm": "CSM",
    "ae": "AE",
    "lifecycle": "Lifecycle",
    "parent": "Parent account",
    "key_contact": "Key contact",
    "known_cause": "Known cause",
    "known_cause_until": "Known cause until",
}
# What a trait that feeds a column is called by whoever writes the column itself.
_COLUMN_OF = {"csm": "csm_id", "ae": "ae_id", "lifecycle": "lifecycle", "name": "name"}
_PEOPLE = ("csm", "ae")


# --- writing ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Changed:
    """One value of one account or user. The ids stand for rows of the tenant in force."""

    field: str  # as rules name it: "trait:plan", "csm", "role:onboarding"
    before: Any
    after: Any
    actor: str
    account_id: int | None = None
    end_user_id: int | None = None
    undone_by: str = ""  # it is the actor's word again, be the value the same, because this undid another's


_PARTS = tuple(part.name for part in fields(Changed))


def of_subject(subject: Account | EndUser) -> dict[str, Any]:
    """How a Changed names its subject."""
    return {"end_user_id" if isinstance(subject, EndUser) else "account_id": subject.pk}


def remember_changes(changes: Iterable[Changed], *, now: datetime) -> None:
    """All in one statement; what did not change leaves nothing."""
    # Not `asdict`: a thousand at a time are written, and it copies their values, too.
    rows = [
        {name: getattr(one, name) for name in _PARTS} for one in changes if one.before != one.after or one.undone_by
    ]
    if not rows:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO accounts_traitchange
                (tenant_id, account_id, end_user_id, field, at, actor, undone_by, before, after)
            SELECT %s, c.account_id, c.end_user_id, c.field, %s, c.actor, c.undone_by, c.before, c.after
            FROM jsonb_to_recordset(%s) AS c(
                account_id bigint, end_user_id bigint, field text, actor text, undone_by text, before jsonb, after jsonb
            )
            """,
            [current_tenant_id(), now, json.dumps(rows)],
        )


# --- reading ----------------------------------------------------------------------------------------------------------

# A value that only became somebody's word again is no change to a reader.
_IS_ONE = ~Q(before=F("after")) & ~Q(before__isnull=True, after__isnull=True)


@dataclass(frozen=True, slots=True)
class ShownChange:
    label: str
    who: Actor
    back_to: Actor | None  # where `who` took something back: whose value it is again
    at: datetime
    before: TraitValue | None
    after: TraitValue | None


@dataclass(frozen=True, slots=True)
class History:
    changes: Sequence[ShownChange]
    next: Place | None


def load_history(subject: Account | EndUser, *, field: str = "", after: Place | None = None) -> History:
    """Of one field, or of all; newest first, a page at a time."""
    rows = TraitChange.objects.filter(_IS_ONE, **of_subject(subject))
    if field:
        rows = rows.filter(of_field(field))
    if after:
        rows = rows.filter(older_than(after))
    found = list(rows.order_by("-at", "-pk")[: PAGE_SIZE + 1])
    shown = found[:PAGE_SIZE]
    last = Place(shown[-1].at, shown[-1].pk) if len(found) > PAGE_SIZE else None
    return History(_shown(shown, scope=_scope(subject)), last)


def label_of_field(subject: Account | EndUser, field: str) -> str:
    """Nothing for a field that is none."""
    return _labels([field], scope=_scope(subject)).get(field, "")


def _scope(subject: Account | EndUser) -> str:
    scopes = TraitDefinition.Scope
    return scopes.USER if isinstance(subject, EndUser) else scopes.ACCOUNT


def of_field(field: str) -> Q:
    """The field, and the trait that feeds its column: an integration writes that one."""
    column = _COLUMN_OF.get(field)
    if column is None:
        return Q(field=field)
    feeding = TraitDefinition.objects.filter(scope=TraitDefinition.Scope.ACCOUNT, column=column)
    return Q(field__in=[field, *(TRAIT + key for key in feeding.values_list("key", flat=True))])


def _labels(fields: Iterable[str], *, scope: str) -> dict[str, str]:
    wanted = set(fields)
    roles = KeyRole.objects.filter(key__in=_keys(wanted, ROLE)).values_list("key", "name")
    definitions = TraitDefinition.objects.filter(scope=scope, key__in=_keys(wanted, TRAIT)).values_list("key", "label")
    named = {field: label for field, label in BUILT_IN.items() if field in wanted and scope == "account"}
    return named | {ROLE + key: name for key, name in roles} | {TRAIT + key: label for key, label in definitions}


def _keys(fields: Iterable[str], prefix: str) -> list[str]:
    return [field.removeprefix(prefix) for field in fields if field.startswith(prefix)]


def _shown(rows: Sequence[TraitChange], *, scope: str) -> list[ShownChange]:
    fields = {row.field for row in rows}
    labels = _labels(fields, scope=scope)
    actors = load_actors({actor for row in rows for actor in (row.actor, row.undone_by) if actor})
    values = _Values.of(rows, scope=scope)
    return [
        ShownChange(
            label=labels.get(row.field, row.field.removeprefix(TRAIT)),
            who=actors[row.undone_by or row.actor],
            back_to=actors[row.actor] if row.undone_by else None,
            at=row.at,
            before=values.shown(row.field, row.before),
            after=values.shown(row.field, row.after),
        )
        for row in rows
    ]


@dataclass(frozen=True, slots=True)
class _Values:
    """What is needed to say a stored value in words, for one page of changes."""

    definitions: Mapping[str, TraitDefinition]
    people: Mapping[int, str]
    accounts: Mapping[int, str]

    @classmethod
    def of(cls, rows: Sequence[TraitChange], *, scope: str) -> "_Values":
        keys = _keys((row.field for row in rows), TRAIT)
        definitions = {one.key: one for one in TraitDefinition.objects.filter(scope=scope, key__in=keys)}
        persons = {key for key, one in definitions.items() if one.type == TraitType.PERSON}
        people = [row for row in rows if _is_person(row.field) or row.field.removeprefix(TRAIT) in persons]
        members = Membership.objects.in_tenant(current_tenant_id()).filter(pk__in=_ids(people))
        parents = Account.objects.filter(pk__in=_ids(row for row in rows if row.field == "parent"))
        return cls(definitions, dict(members.values_list("pk", "name")), dict(parents.values_list("pk", "name")))

    def shown(self, field: str, value: Any) -> TraitValue | None:
        if value is None:
            return None
        if definition := self.definitions.get(field.removeprefix(TRAIT)) if field.startswith(TRAIT) else None:
            return presented(definition, value, people=self.people)
        if _is_person(field):
            return TraitValue(TraitType.TEXT, self.people.get(value, f"member {value}"))
        if field == "parent":
            return TraitValue(TraitType.TEXT, self.accounts.get(value, f"account {value}"))
        return _plain(field, value)


def _plain(field: str, value: Any) -> TraitValue | None:
    """A value of a field that is no trait, or of a trait that is gone."""
    date = TraitDefinition(type=TraitType.DATE if field == "known_cause_until" else TraitType.TEXT)
    text = value if isinstance(value, str) else ", ".join(value) if isinstance(value, list) else str(value)
    return presented(date, text, people={})


def _is_person(field: str) -> bool:
    return field in _PEOPLE or field.startswith(ROLE)


def _ids(rows: Iterable[TraitChange]) -> set[int]:
    return {value for row in rows for value in (row.before, row.after) if isinstance(value, int)}
