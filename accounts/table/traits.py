"""A column for each trait of accounts, or of users; the ones edited here are shown from the start."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cached_property, partial
from typing import Any

from accounts.models import TraitDefinition
from accounts.models.traits import TraitType
from accounts.rules.fields import Subject
from accounts.rules.sql import Sql, compose
from accounts.table import cells
from accounts.table.built_in import EARLIEST, FIRST, LAST, LATEST, LEAST, MOST
from accounts.table.columns import Cells, Choice, Column, Facet, Sort
from accounts.table.listing import Thing
from accounts.trait_values import presented
from cs_platform.tenancy.models import Membership

SHOWN_FROM_THE_START = 2
MOST_CHOICES = 30  # in a column's menu
UNSET = " "  # no choice is called so
_NUMBERS = (TraitType.NUMBER, TraitType.CURRENCY)
_SORTS: dict[str, tuple[type, str, str]] = {
    TraitType.TEXT: (str, FIRST, LAST),
    TraitType.CHOICE: (str, FIRST, LAST),
    TraitType.URL: (str, FIRST, LAST),
    TraitType.NUMBER: (float, LEAST, MOST),
    TraitType.CURRENCY: (int, LEAST, MOST),
    TraitType.DATE: (date, EARLIEST, LATEST),
    TraitType.MOMENT: (datetime, EARLIEST, LATEST),
    TraitType.BOOLEAN: (bool, "No first", "Yes first"),
}


@dataclass
class TraitColumns:
    """Traits that feed a built-in column are that column. One without a slot is shown, but cannot be sorted by."""

    tenant_id: int
    subject: Subject
    _by_column: dict[str, TraitDefinition] = field(default_factory=dict)

    @cached_property
    def _definitions(self) -> list[TraitDefinition]:
        found = TraitDefinition.objects.filter(scope=self.subject.value, column="", archived_at__isnull=True)
        return list(found.order_by("source", "label", "pk"))

    def columns(self) -> Sequence[Column]:
        custom = [one for one in self._definitions if one.source == TraitDefinition.Source.CUSTOM]
        usual = {one.pk for one in custom[:SHOWN_FROM_THE_START]}
        return [self._column(definition, usual=definition.pk in usual) for definition in self._definitions]

    def facets(self) -> Sequence[Facet]:
        return ()

    def _facet(self, key: str, definition: TraitDefinition) -> Facet | None:
        if not definition.slot or definition.type not in (TraitType.BOOLEAN, TraitType.CHOICE):
            return None
        return Facet(key, definition.label, "tag", partial(_choices, definition), listed=False, op="is")

    def _column(self, definition: TraitDefinition, *, usual: bool) -> Column:
        key = f"trait:{definition.key}"
        self._by_column[key] = definition
        return Column(
            key,
            definition.label,
            cells.trait,
            icon="tag",
            group="Traits",
            classes="right" if definition.type in _NUMBERS else "",
            sorts=_sorts(key, definition),
            facet=self._facet(key, definition),
            loads=(definition.slot or "traits",),
            usual=usual,
            without="Not set",
            shared=True,
        )

    def cells(self, columns: Sequence[Column], things: Sequence[Thing], *, now: datetime, here: str) -> Cells:
        shown = [(column.key, self._by_column[column.key]) for column in columns]
        people = self._people([definition for _key, definition in shown], things)
        return {
            (thing.pk, key): presented(definition, _value(thing, definition), people=people)
            for key, definition in shown
            for thing in things
        }

    def _people(self, definitions: Sequence[TraitDefinition], things: Sequence[Thing]) -> dict[int, str]:
        persons = [one for one in definitions if one.type == TraitType.PERSON]
        ids = {_value(thing, one) for one in persons for thing in things} - {None}
        found = Membership.objects.in_tenant(self.tenant_id).filter(pk__in=ids) if ids else ()
        return {member.pk: member.name for member in found}


def _sorts(key: str, definition: TraitDefinition) -> tuple[Sort, ...]:
    if not definition.slot or definition.type not in _SORTS:
        return ()
    kind, ascending, descending = _SORTS[definition.type]
    return (Sort(key, _slot(definition), kind, ascending, descending),)


def _choices(definition: TraitDefinition) -> Iterator[Choice]:
    """Of a trait with a few values only."""
    slot = _slot(definition).text
    if definition.type == TraitType.BOOLEAN:
        yield from (Choice("yes", "Yes", Sql(f"{slot} = true")), Choice("no", "No", Sql(f"{slot} = false")))
    for word in definition.choices[:MOST_CHOICES]:
        yield Choice(word, word, compose(f"{slot} = {{word}}", word=Sql.value(word)))
    yield Choice(UNSET, "Not set", Sql(f"{slot} IS NULL"))


def _slot(definition: TraitDefinition) -> Sql:
    return Sql(f"{'u' if definition.scope == TraitDefinition.Scope.USER else 'a'}.{definition.slot}")


def _value(thing: Thing, definition: TraitDefinition) -> Any:
    return getattr(thing, definition.slot) if definition.slot else thing.traits.get(definition.key)
