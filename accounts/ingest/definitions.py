"""Which traits the workspace knows, and what an unknown key becomes: its type, its slot, the column it feeds."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models.expressions import RawSQL

from accounts.ingest.reading import Refused, day_in, decimal_in, is_url, moment_in, storable
from accounts.models import TraitDefinition
from accounts.models.slots import slot_names
from accounts.models.traits import SLOT_FAMILY, TraitType
from cs_platform.tenancy.models import Tenant

ACCOUNT, USER = TraitDefinition.Scope.ACCOUNT, TraitDefinition.Scope.USER
Key = tuple[str, str]  # scope, key

KEY_LIMIT = 100
TRAITS_LIMIT = 1_000
SAMPLES = 200

# The trait that feeds a built-in column of an account unless the workspace says otherwise (Tenant.column_traits).
DEFAULT_COLUMNS: Mapping[str, str] = {
    "name": "name",
    "plan": "plan",
    "mrr": "mrr_cents",
    "status": "lifecycle",
    "renewal_date": "renewal_on",
    "trial_ends_at": "trial_end_on",
    "createdAt": "created_at",
    "timezone": "timezone",
    "csm_email": "csm_id",
    "ae_email": "ae_id",
    "health_score": "health",
}
# Segment's own reserved traits of a person; `role` lives on the tie between user and account.
USER_COLUMNS: Mapping[str, str] = {"name": "name", "email": "email", "createdAt": "created_at", "role": "role"}

COLUMN_TYPES: Mapping[str, TraitType] = {
    "name": TraitType.TEXT,
    "email": TraitType.TEXT,
    "role": TraitType.TEXT,
    "plan": TraitType.TEXT,
    "timezone": TraitType.TEXT,
    "lifecycle": TraitType.CHOICE,
    "mrr_cents": TraitType.CURRENCY,
    "health": TraitType.NUMBER,
    "renewal_on": TraitType.DATE,
    "trial_end_on": TraitType.DATE,
    "created_at": TraitType.MOMENT,
    "csm_id": TraitType.PERSON,
    "ae_id": TraitType.PERSON,
}


@dataclass(slots=True)
class Definitions:
    """The definitions of one workspace, and the means to add to them."""

    tenant: Tenant
    known: dict[Key, TraitDefinition]
    columns: dict[str, str]  # column of an account -> key of the trait that feeds it

    @classmethod
    def of(cls, tenant: Tenant) -> "Definitions":
        known = {(definition.scope, definition.key): definition for definition in TraitDefinition.objects.all()}
        # Not the object's own: another import may have mapped a column since it was loaded.
        return cls(tenant, known, Tenant.objects.values_list("column_traits", flat=True).get(pk=tenant.pk))

    def integration_keys(self, scope: str) -> set[str]:
        return {key for (s, key), found in self.known.items() if s == scope and is_from_integration(found)}

    def feeding(self, scope: str, column: str) -> TraitDefinition | None:
        return next((d for (s, _), d in self.known.items() if s == scope and d.column == column), None)

    def learn(self, samples: Mapping[Key, list[Any]]) -> None:
        """Defines keys that were seen for the first time, from the values they came with."""
        made = [definition for key, values in samples.items() if (definition := self._defined(key, values))]
        TraitDefinition.objects.bulk_create(made)

    def why_not(self, key: str) -> str:
        """Why values came for a key that is still unknown."""
        if not is_usable(key):
            return f"a trait's key must have at most {KEY_LIMIT} ordinary characters"
        if len(self.known) >= TRAITS_LIMIT:
            return f"the workspace already has {TRAITS_LIMIT:,} traits"
        return "no value a trait could have"

    def _defined(self, key: Key, values: list[Any]) -> TraitDefinition | None:
        scope, name = key
        column = self._column(scope, name)
        type = COLUMN_TYPES[column] if column else infer_type(name, values)
        if type is None or not is_usable(name) or len(self.known) >= TRAITS_LIMIT:
            return None
        self._map(scope, name, column)
        self.known[key] = TraitDefinition(
            scope=scope,
            key=name,
            label=label_of(name),
            type=type,
            source=TraitDefinition.Source.INTEGRATION,
            column=column,
            slot=None if column else self._free_slot(scope, SLOT_FAMILY[type]),
        )
        return self.known[key]

    def _column(self, scope: str, key: str) -> str:
        """A column has one feeder; a second trait of that meaning is an ordinary trait."""
        if scope == USER:
            column = USER_COLUMNS.get(key, "")
        else:
            chosen = {trait: column for column, trait in self.columns.items()}
            fallback = DEFAULT_COLUMNS.get(key, "")
            column = chosen.get(key) or ("" if fallback in self.columns else fallback)
        return "" if column and self.feeding(scope, column) else column

    def _map(self, scope: str, key: str, column: str) -> None:
        if column and scope == ACCOUNT and column not in self.columns:
            self.columns[column] = key
            added = RawSQL("column_traits || jsonb_build_object(%s::text, %s::text)", [column, key])
            Tenant.objects.filter(pk=self.tenant.pk).update(column_traits=added)

    def _free_slot(self, scope: str, family: str) -> str | None:
        taken = {definition.slot for (s, _), definition in self.known.items() if s == scope}
        return next((slot for slot in slot_names(family) if slot not in taken), None)


def is_from_integration(definition: TraitDefinition) -> bool:
    return definition.source == TraitDefinition.Source.INTEGRATION


def is_usable(key: str) -> bool:
    """`*` is taken: it stands for all other keys where moments are kept."""
    return 0 < len(key) <= KEY_LIMIT and key != "*" and key == key.strip() and storable(key) and key.isprintable()


_ACRONYMS = {"ae", "api", "arr", "cac", "csm", "crm", "id", "ltv", "mrr", "nps", "sso", "url"}


def label_of(key: str) -> str:
    """`trial_ends_at` and `trialEndsAt` are both "Trial ends at"."""
    words = re.sub(r"([a-z0-9])([A-Z])", r"\1 \2", key).replace("_", " ").split()
    shown = [word.upper() if word.lower() in _ACRONYMS else word.lower() for word in words]
    label = " ".join(shown) or key
    return (label[0].upper() + label[1:])[:KEY_LIMIT]


# --- the type of an unknown key ---------------------------------------------------------------------------------------

_MONEY = re.compile(r"(?i)(?:^|[_\s-])(?:mrr|arr|revenue|amount)(?:$|[_\s-])|(?:Mrr|MRR|Arr|ARR|Revenue|Amount)$")


def infer_type(key: str, values: Iterable[Any]) -> TraitType | None:
    """JSON's own types weigh more than texts that look like them; texts must agree to be more than text."""
    values = [value for value in values if value not in (None, "", [])]
    if _MONEY.search(key) and any(_is_amount(value) for value in values):
        return TraitType.CURRENCY
    natural = Counter(type for value in values if (type := _natural_type(value)))
    if natural:
        return max(natural, key=lambda type: (natural[type], type))
    looks = {_look(value) for value in values if isinstance(value, str)}
    if not looks:
        return None
    return looks.pop() if len(looks) == 1 else TraitType.TEXT


def _natural_type(value: Any) -> TraitType | None:
    if isinstance(value, bool):
        return TraitType.BOOLEAN
    if isinstance(value, int | float):
        return TraitType.NUMBER
    has_scalars = isinstance(value, list) and not all(isinstance(item, dict | list) for item in value)
    return TraitType.LIST if has_scalars else None


def _is_amount(value: Any) -> bool:
    if not isinstance(value, str):
        return isinstance(value, int | float) and not isinstance(value, bool)
    try:
        decimal_in(value.strip())
    except Refused:
        return False
    return True


def _look(text: str) -> TraitType:
    text = text.strip()
    if text.lower() in ("true", "false"):
        return TraitType.BOOLEAN
    if is_url(text):
        return TraitType.URL
    try:
        if day_in(text)[0] is not None:
            return TraitType.DATE
        moment_in(text, "")
    except Refused:
        return TraitType.TEXT
    # Only a full one: fromisoformat also accepts 20270118, which is more often a number.
    return TraitType.MOMENT if text[4:5] == "-" and text[10:11] in ("T", " ") else TraitType.TEXT
