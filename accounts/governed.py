"""Built-in columns that the workspace's own rules decide: then no trait feeds them, so that two hands never fight.

The trait that fed such a column becomes an ordinary one, which the rules can ask about. When the last rule goes, it
gets its column back.
"""

from collections.abc import Mapping

from django.db import connection
from django.db.models import JSONField, QuerySet
from django.db.models.expressions import RawSQL

from accounts.models import TraitDefinition
from accounts.traits import mirror_expression
from cs_platform.tenancy.context import current_tenant_id
from cs_platform.tenancy.models import Tenant

RULES = ""  # what Tenant.column_traits names as the feeder of a column that rules decide


def take_over(column: str) -> TraitDefinition | None:
    """From now on rules decide this column of accounts. Returns the trait that fed it."""
    fed = _account_traits().filter(column=column).first()
    if fed:
        _account_traits().filter(pk=fed.pk).update(column="", yielded_column=column)
    _feeders("column_traits || jsonb_build_object(%s::text, %s::text)", column, RULES)
    return fed


def give_back(column: str) -> None:
    """The trait that had yielded feeds the column again, with the values it has now."""
    fed = _account_traits().filter(yielded_column=column, column="").first()
    if fed is None:
        _account_traits().filter(yielded_column=column).update(yielded_column="")  # it feeds another one by now
        _feeders("column_traits - %s::text", column)
        return
    _account_traits().filter(pk=fed.pk).update(column=column, yielded_column="", slot=None, is_fast=False)
    fed.column = column
    _feeders("column_traits || jsonb_build_object(%s::text, %s::text)", column, fed.key)
    _refill(fed)


def is_governed(feeders: Mapping[str, str], column: str) -> bool:
    return feeders.get(column) == RULES


def yielded_to(column: str) -> TraitDefinition | None:
    """The trait that would feed it, or the one that does."""
    return _account_traits().filter(yielded_column=column).first() or _account_traits().filter(column=column).first()


def _account_traits() -> "QuerySet[TraitDefinition]":
    return TraitDefinition.objects.filter(scope=TraitDefinition.Scope.ACCOUNT).order_by("pk")


def _feeders(expression: str, *params: str) -> None:
    feeders = RawSQL(expression, params, output_field=JSONField())
    Tenant.objects.filter(pk=current_tenant_id()).update(column_traits=feeders)


def _refill(definition: TraitDefinition) -> None:
    value = mirror_expression(definition, "(t.traits -> k.key)")
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE accounts_account t SET {definition.column} = {value} FROM (VALUES (%s::text)) k(key)"
            f" WHERE t.tenant_id = %s AND t.{definition.column} IS DISTINCT FROM {value}",
            [definition.key, current_tenant_id()],
        )
