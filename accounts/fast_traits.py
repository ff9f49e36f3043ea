"""Fast traits: a few a workspace, whose slots are indexed, so that a million accounts are sorted by them at once.

Slots are physical columns that all workspaces share; only the last ones of each family are indexed (models/slots.py).
So a trait becomes fast by moving: into a free indexed slot, or into the place of a trait that is not fast.
"""

from django.db import connection

from accounts.models import TraitDefinition
from accounts.models.slots import fast_slot_names
from accounts.models.traits import SLOT_FAMILY
from accounts.traits import mirror_expression
from cs_platform.tenancy.context import current_tenant_id

FAST_LIMIT = 5
REWRITE_MINUTES = 15  # all accounts of a workspace in one statement: the usual limit of a statement is too short


class CannotBeFast(Exception):
    """The text says what to do instead."""


def make_fast(definition: TraitDefinition) -> None:
    """In the caller's transaction. Whoever reads meanwhile still finds both traits where they were."""
    _refuse_what_has_no_slot(definition)
    fellows = list(TraitDefinition.objects.filter(scope=definition.scope).order_by("pk").select_for_update())
    definition.refresh_from_db()
    if definition.is_fast:
        return
    if sum(fellow.is_fast for fellow in fellows) >= FAST_LIMIT:
        raise CannotBeFast(f"{FAST_LIMIT} traits are fast already. Make one of them slow first.")
    if definition.slot not in fast_slot_names(SLOT_FAMILY[definition.type]):
        _move(definition, *_indexed_place(definition, fellows))
    TraitDefinition.objects.filter(pk=definition.pk).update(is_fast=True)
    definition.refresh_from_db()


def refuse_fast(definition: TraitDefinition) -> None:
    """As far as can be told without looking into accounts. Raises CannotBeFast."""
    _refuse_what_has_no_slot(definition)
    fellows = TraitDefinition.objects.filter(scope=definition.scope, is_fast=True).exclude(pk=definition.pk)
    if fellows.count() >= FAST_LIMIT:
        raise CannotBeFast(f"{FAST_LIMIT} traits are fast already. Make one of them slow first.")


def make_slow(definition: TraitDefinition) -> None:
    """It keeps its slot until another trait wants to be fast."""
    TraitDefinition.objects.filter(pk=definition.pk).update(is_fast=False)
    definition.is_fast = False


def mend(definition: TraitDefinition) -> int:
    """Writes the slot from the traits once more, and says for how many accounts it was wrong.

    Run it when a move has been committed: a writer that had read the trait's old place may have used it since.
    """
    value = mirror_expression(definition, "(traits -> k.key)")
    return _rewrite(
        f"{definition.slot} = {value} FROM (VALUES (%s::text)) k(key)",
        f"{definition.slot} IS DISTINCT FROM {value}",
        [definition.key],
    )


def _refuse_what_has_no_slot(definition: TraitDefinition) -> None:
    if definition.scope != TraitDefinition.Scope.ACCOUNT:
        raise CannotBeFast("Only traits of accounts can be fast.")
    if definition.column:
        raise CannotBeFast(f"{definition.label} is fast as it is: it feeds a column that is indexed.")


def _indexed_place(definition: TraitDefinition, fellows: list[TraitDefinition]) -> tuple[str, TraitDefinition | None]:
    """A slot, and who has to leave it."""
    at = {fellow.slot: fellow for fellow in fellows if fellow.slot}
    places = fast_slot_names(SLOT_FAMILY[definition.type])
    free = [place for place in places if place not in at]
    lent = [place for place in places if place in at and not at[place].is_fast and definition.slot]
    if not free and not lent:
        raise CannotBeFast(f"No indexed place is left for a trait of the type {definition.get_type_display()}.")
    return (free[0], None) if free else (lent[0], at[lent[0]])


def _move(definition: TraitDefinition, place: str, occupant: TraitDefinition | None) -> None:
    """One statement moves all values; then the definitions follow, one by one because a slot belongs to one trait."""
    old = definition.slot
    if old:
        _rewrite(f"{place} = {old}, {old} = {place}", f"{old} IS NOT NULL OR {place} IS NOT NULL", [])
    for one, slot in ((definition, None), (occupant, old), (definition, place)):
        if one is not None:
            TraitDefinition.objects.filter(pk=one.pk).update(slot=slot)
    definition.slot = place
    if not old:
        mend(definition)


def _rewrite(assignments: str, condition: str, params: list[str]) -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('statement_timeout')")
        usual = cursor.fetchone()[0]
        cursor.execute("SELECT set_config('statement_timeout', %s, true)", [f"{REWRITE_MINUTES}min"])
        cursor.execute(
            f"UPDATE accounts_account SET {assignments} WHERE tenant_id = %s AND ({condition})",
            [*params, current_tenant_id()],
        )
        count: int = cursor.rowcount
        cursor.execute("SELECT set_config('statement_timeout', %s, true)", [usual])
    return count
