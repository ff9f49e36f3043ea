"""The first lock: no query on a workspace's model is even made outside a workspace, by whatever way it is asked for."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import DatabaseError, models, transaction
from django.db.models import Count

from cs_platform.tenancy.base import TenantModel
from cs_platform.tenancy.context import NoTenant, tenant_context
from tests.tenancy.rows import TENANT_MODELS, Rows
from tests.world import Workspace

# Every public way from a manager to rows; those that are missing here are Django's building blocks, not questions.
ASKING: dict[str, Callable[[Any, Any], Any]] = {
    "aggregate": lambda manager, row: manager.aggregate(n=Count("pk")),
    "alias": lambda manager, row: manager.alias(n=Count("pk")).count(),
    "all": lambda manager, row: list(manager.all()),
    "annotate": lambda manager, row: list(manager.annotate(n=Count("pk"))),
    "bulk_create": lambda manager, row: manager.bulk_create([row]),
    "bulk_update": lambda manager, row: manager.bulk_update([row], ["tenant"]),
    "complex_filter": lambda manager, row: list(manager.complex_filter({"pk": row.pk})),
    "contains": lambda manager, row: manager.contains(row),
    "count": lambda manager, row: manager.count(),
    "create": lambda manager, row: manager.create(),
    "dates": lambda manager, row: list(manager.dates("id", "day")),
    "datetimes": lambda manager, row: list(manager.datetimes("id", "day")),
    "defer": lambda manager, row: list(manager.defer("tenant")),
    "difference": lambda manager, row: list(manager.difference(manager.all())),
    "distinct": lambda manager, row: list(manager.distinct()),
    "earliest": lambda manager, row: manager.earliest("pk"),
    "exclude": lambda manager, row: list(manager.exclude(pk=0)),
    "exists": lambda manager, row: manager.exists(),
    "explain": lambda manager, row: manager.explain(),
    "extra": lambda manager, row: list(manager.extra(where=["true"])),
    "filter": lambda manager, row: list(manager.filter(pk=row.pk)),
    "first": lambda manager, row: manager.first(),
    "get": lambda manager, row: manager.get(pk=row.pk),
    "get_or_create": lambda manager, row: manager.get_or_create(pk=row.pk),
    "in_bulk": lambda manager, row: manager.in_bulk([row.pk]),
    "intersection": lambda manager, row: list(manager.intersection(manager.all())),
    "iterator": lambda manager, row: list(manager.iterator()),
    "last": lambda manager, row: manager.last(),
    "latest": lambda manager, row: manager.latest("pk"),
    "none": lambda manager, row: list(manager.none()),
    "only": lambda manager, row: list(manager.only("pk")),
    "order_by": lambda manager, row: list(manager.order_by("pk")),
    "prefetch_related": lambda manager, row: list(manager.prefetch_related("tenant")),
    "raw": lambda manager, row: list(manager.raw("SELECT 1 AS id")),
    "reverse": lambda manager, row: list(manager.reverse()),
    "select_for_update": lambda manager, row: list(manager.select_for_update()),
    "select_related": lambda manager, row: list(manager.select_related("tenant")),
    "union": lambda manager, row: list(manager.union(manager.all())),
    "update": lambda manager, row: manager.update(tenant=1),
    "update_or_create": lambda manager, row: manager.update_or_create(pk=row.pk),
    "using": lambda manager, row: list(manager.using("default")),
    "values": lambda manager, row: list(manager.values("pk")),
    "values_list": lambda manager, row: list(manager.values_list("pk")),
}
# Ways that do not ask the database, or ask as another of them does.
NOT_ASKING = {"auto_created", "check", "contribute_to_class", "creation_counter", "db", "db_manager", "deconstruct"}
NOT_ASKING |= {"from_queryset", "get_queryset", "model", "name", "use_in_migrations"}


def outcome(question: Callable[..., Any], *parts: Any, **more: Any) -> str:
    try:
        with transaction.atomic():
            question(*parts, **more)
    except (NoTenant, DatabaseError) as error:
        return type(error).__name__
    return "answered"


def test_every_way_to_ask_a_manager_is_tried() -> None:
    ways = {name for name in dir(models.Manager) if not name.startswith("_")}
    async_twins = {name for name in ways if name[0] == "a" and name[1:] in ways}
    assert ways - async_twins - NOT_ASKING == set(ASKING)


def test_outside_a_workspace_no_manager_asks_anything(mine: Rows) -> None:
    answers = {
        (model.__name__, manager.name, way): outcome(ASKING[way], manager, mine[model])
        for model in TENANT_MODELS
        for manager in (*model._meta.managers, model._base_manager)
        for way in ASKING
    }
    assert {at: answer for at, answer in answers.items() if answer != "NoTenant"} == {}


def test_outside_a_workspace_no_related_manager_asks_anything(mine: Rows) -> None:
    related = {f"{type(row).__name__}.{name}": manager for row, name, manager in _related_managers(mine)}
    answers = {at: outcome(manager.all) for at, manager in related.items()}

    assert len(related) > 10
    assert {at: answer for at, answer in answers.items() if answer != "NoTenant"} == {}


def _related_managers(rows: Rows) -> Iterator[tuple[models.Model, str, Any]]:
    for row in rows.values():
        for relation in row._meta.related_objects:
            name = relation.get_accessor_name()
            if name and issubclass(relation.related_model, TenantModel):
                yield row, name, getattr(row, name)


def test_outside_a_workspace_an_object_can_do_nothing(mine: Rows) -> None:
    answers = {}
    for model in TENANT_MODELS:
        row = mine[model]
        answers[model.__name__] = [
            outcome(row.save),
            outcome(row.refresh_from_db),
            outcome(model(tenant_id=row.tenant_id, pk=row.pk).save, force_insert=True),
            outcome(model),
            outcome(row.delete),
        ]

    assert {model: found for model, found in answers.items() if "answered" in found} == {}
    assert {tuple(found[:4]) for found in answers.values()} == {("NoTenant",) * 4}


def test_outside_a_workspace_no_foreign_key_is_followed(mine: Rows) -> None:
    for model in TENANT_MODELS:
        for field in model._meta.concrete_fields:
            if isinstance(field, models.ForeignKey) and issubclass(field.related_model, TenantModel):
                bare = _without_cache(mine[model], field)
                assert bare is None or outcome(getattr, bare, field.name) == "NoTenant"


def _without_cache(row: Any, field: Any) -> Any:
    """The row as if it had just been loaded; None when it points nowhere."""
    if getattr(row, field.attname) is None:
        return None
    return type(row)(**{one.attname: getattr(row, one.attname) for one in row._meta.concrete_fields})


@pytest.mark.parametrize("way", ["update", "delete", "get", "in_bulk", "exists"])
def test_another_workspaces_rows_do_not_exist(orbiton: Workspace, mine: Rows, theirs: Rows, way: str) -> None:
    ask: dict[str, Callable[[Any, Any], Any]] = {
        "update": lambda rows, pk: rows.filter(pk=pk).update(tenant_id=1),
        "delete": lambda rows, pk: rows.filter(pk=pk)._raw_delete("default"),
        "get": lambda rows, pk: rows.filter(pk=pk).first(),
        "in_bulk": lambda rows, pk: rows.in_bulk([pk]),
        "exists": lambda rows, pk: rows.filter(pk=pk).exists(),
    }
    with tenant_context(orbiton.tenant.pk):
        found = {
            model.__name__: ask[way](model._default_manager, theirs[model].pk)
            for model in TENANT_MODELS
            if not (model.append_only and way in ("update", "delete"))
        }

    assert {model: answer for model, answer in found.items() if answer} == {}
