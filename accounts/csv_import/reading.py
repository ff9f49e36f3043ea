"""Rows of a mapped file as items of the one way in: each cell typed like any integration's, or its row refused."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.utils.text import Truncator

from accounts.csv_import.files import Row
from accounts.csv_import.mapping import ACCOUNT_OF_USER, FACT, KEY, NEW, ROLE, TRAIT, feeder_of, key_of, type_of_fact
from accounts.definitions import define_trait
from accounts.exports import FORMULA
from accounts.ingest.calls import ID_LIMIT
from accounts.ingest.definitions import Definitions
from accounts.ingest.problems import Problems
from accounts.ingest.reading import EMPTY, Refused, Terms, clean, read
from accounts.ingest.upsert import Item, Tie
from accounts.models import CsvImport, TraitDefinition
from accounts.models.traits import TraitType
from cs_platform.tenancy.models import Doer, Membership, Tenant

QUOTE_TAKEN = "a quote in front of a formula taken away"
SHOWN_OF_A_VALUE = 60  # characters, where it is said what is wrong with it
UNREADABLE = "characters that are not of the file's encoding: choose another one"


@dataclass(frozen=True, slots=True)
class _Column:
    at: int
    heading: str
    to: str
    definition: TraitDefinition | None = None  # of a trait or a built-in fact


@dataclass(slots=True)
class RowReader:
    """For one slice: it knows the definitions as they are then."""

    made: CsvImport
    columns: Sequence[_Column]
    terms: Terms
    problems: Problems = field(default_factory=Problems)

    @classmethod
    def of(cls, made: CsvImport, *, tenant: Tenant) -> "RowReader":
        people = Membership.objects.in_tenant(tenant.pk).active().values_list("email", "pk")
        terms = Terms(ZoneInfo(tenant.timezone), {email.lower(): pk for email, pk in people})
        definitions = Definitions.of(tenant)
        mapping = made.mapping["columns"]
        columns = [
            _column(made, int(at), to, definitions) for at, to in sorted(mapping.items(), key=lambda one: int(one[0]))
        ]
        return cls(made, columns, terms)

    def item(self, row: Row) -> Item | str:
        """What the row says; or why it is refused, every reason at once."""
        if len(row.cells) > len(self.made.header):
            return f"It has {len(row.cells)} cells where the heading has {len(self.made.header)}."
        said, wrong = _Said(), []
        for column in self.columns:
            try:
                self._say(said, column, row.cells[column.at] if column.at < len(row.cells) else "")
            except Refused as refusal:
                wrong.append(f"{column.heading}: {refusal}.")
        if not said.external_id and not wrong:
            wrong.append("The external id is empty.")
        return " ".join(wrong) if wrong else said.item()

    def _say(self, said: "_Said", column: _Column, raw: str) -> None:
        text = clean(self._bare(column, raw))
        if column.to == KEY:
            said.external_id = _id(text)
        elif column.to == ACCOUNT_OF_USER:
            said.account = _id(text)
        elif column.to == ROLE:
            said.role = text
        elif column.definition is not None and (text or self.made.mapping.get("clear_empty")):
            said.values(column.to)[_name(column)] = self._typed(column.definition, text)

    def _bare(self, column: _Column, raw: str) -> str:
        """What an export has put in front of a formula goes, and is told."""
        if "\ufffd" in raw:
            raise Refused(UNREADABLE)
        if not (raw.startswith("'") and raw[1:].startswith(FORMULA)):
            return raw
        self.problems.coerced(self.made.scope, column.heading[:100] or "(no heading)", QUOTE_TAKEN, raw)
        return raw[1:]

    def _typed(self, definition: TraitDefinition, text: str) -> Any:
        raw: Any = re.split(r"\s*[,;]\s*", text) if definition.type == TraitType.LIST and text else text
        try:
            value, note = read(raw, definition, terms=self.terms)
        except Refused as refusal:
            self.problems.refused(definition.scope, definition.key, str(refusal), text)
            raise Refused(f"{refusal} (“{Truncator(text).chars(SHOWN_OF_A_VALUE)}”)") from None
        if note not in ("", EMPTY, "text read as a number", "text read as yes or no"):  # a file has nothing but texts
            self.problems.coerced(definition.scope, definition.key, note, text)
        return value


@dataclass(slots=True)
class _Said:
    external_id: str = ""
    account: str = ""
    role: str = ""
    facts: dict[str, Any] = field(default_factory=dict)
    traits: dict[str, Any] = field(default_factory=dict)

    def values(self, to: str) -> dict[str, Any]:
        return self.facts if to.startswith(FACT) else self.traits

    def item(self) -> Item:
        ties = [Tie(self.account, self.role or None)] if self.account else []
        return Item(self.external_id, self.facts, self.traits, ties)


def _id(text: str) -> str:
    if len(text) > ID_LIMIT:
        raise Refused(f"an id must have at most {ID_LIMIT} characters")
    return text


def _name(column: _Column) -> str:
    assert column.definition is not None
    return column.to.removeprefix(FACT) if column.to.startswith(FACT) else column.definition.key


def _column(made: CsvImport, at: int, to: str, definitions: Definitions) -> _Column:
    heading = made.header[at] or f"Column {at + 1}"
    if to.startswith(FACT):
        return _Column(at, heading, to, _feeding(made.scope, to.removeprefix(FACT), definitions))
    if to.startswith(TRAIT):
        return _Column(at, heading, to, definitions.known.get((made.scope, to.removeprefix(TRAIT))))
    if to.startswith(NEW):
        return _Column(at, heading, to, definitions.known.get((made.scope, key_of(to.split(":", 2)[2]))))
    return _Column(at, heading, to)


def _feeding(scope: str, column: str, definitions: Definitions) -> TraitDefinition:
    """Where nothing feeds the column yet, the upsert will make what is read here as it will be."""
    known = definitions.feeding(scope, column)
    return known or TraitDefinition(scope=scope, key=feeder_of(scope, column), type=type_of_fact(column), column=column)


def define_new(made: CsvImport, *, by: Doer, now: datetime) -> None:
    """The traits a mapping asks for, once. Raises CannotDefine."""
    for to in made.mapping["columns"].values():
        if not to.startswith(NEW):
            continue
        _new, type, label = to.split(":", 2)
        key = key_of(label)
        if not TraitDefinition.objects.filter(scope=made.scope, key=key).exists():
            define_trait(scope=made.scope, key=key, label=label, type=type, by=by, now=now)


def merged(items: Sequence[tuple[Row, Item]]) -> Mapping[str, tuple[Row, Item]]:
    """One item per id: of rows about the same, later values win and the accounts of a user add up."""
    found: dict[str, tuple[Row, Item]] = {}
    for row, item in items:
        if item.external_id in found:
            _row, earlier = found[item.external_id]
            item = Item(
                item.external_id,
                {**earlier.facts, **item.facts},
                {**earlier.traits, **item.traits},
                [*(tie for tie in earlier.ties if tie.account not in {one.account for one in item.ties}), *item.ties],
            )
        found[item.external_id] = (row, item)
    return found
