"""One row of every table of a workspace, made from the models alone: a new table is covered the day it is made."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

from django.apps import apps
from django.db import models

from cs_platform.tenancy.base import TenantModel
from cs_platform.tenancy.models import Membership
from tests.world import MONDAY, Workspace

Rows = dict[type[models.Model], Any]

TENANT_MODELS = sorted(
    (model for model in apps.get_models() if issubclass(model, TenantModel)), key=lambda model: model._meta.db_table
)
# What a column holds, by the kind of its field. A kind that is missing here fails with its name.
EXAMPLES: dict[type[Any], Callable[[Any], Any]] = {
    models.BinaryField: lambda _: b"content",
    models.BooleanField: lambda _: False,
    models.CharField: lambda field: word_for(field),
    models.DateField: lambda _: MONDAY.date(),
    models.DateTimeField: lambda _: MONDAY,
    models.FloatField: lambda _: 1.0,
    models.IntegerField: lambda _: 1,
    models.JSONField: lambda _: {},
    models.TextField: lambda field: field.name,
    models.UUIDField: lambda _: uuid4(),
}
# Tables whose rows are about an account or about a user, and a check makes sure of it.
EITHER_OR = {"accounts_segmentmembership": ("account", "end_user"), "accounts_traitchange": ("account", "end_user")}
# Columns that hold one of the words that a check knows.
WORDS = {("connectors_connector", "kind"): "webhook"}
# What may be empty, but not in a row that has nothing else.
NEEDED = {"playbooks_playbookversion": {"draft"}}


def fill(home: Workspace) -> Rows:
    """Inside the workspace's context. Required columns only: the rest keeps its default."""
    made: Rows = {Membership: home.olga}
    for model in TENANT_MODELS:
        row_of(model, made)
    return made


def row_of(model: type[models.Model], made: Rows) -> Any:
    if model not in made:
        made[model] = model._default_manager.create(**required_values(model, made))
    return made[model]


def required_values(model: type[models.Model], made: Rows) -> dict[str, Any]:
    return {field.name: example(field, made) for field in model._meta.concrete_fields if is_required(field)}


def is_required(field: Any) -> bool:
    if field.name == EITHER_OR.get(field.model._meta.db_table, ("",))[0]:
        return True
    if field.name in NEEDED.get(field.model._meta.db_table, ()):
        return True
    is_made = field.generated or isinstance(field, models.AutoField)
    may_be_left_out = field.null or field.has_default() or field.has_db_default()
    return not is_made and not may_be_left_out and field.name != "tenant"


def example(field: Any, made: Rows) -> Any:
    if isinstance(field, models.ForeignKey):
        return row_of(field.related_model, made)
    for kind in type(field).__mro__:
        if kind in EXAMPLES:
            return EXAMPLES[kind](field)
    raise AssertionError(f"tests/tenancy/rows.py: say in EXAMPLES what a {type(field).__name__} ({field}) may hold")


def word_for(field: Any) -> str:
    known = WORDS.get((field.model._meta.db_table, field.name), "")
    return known or (field.choices[0][0] if field.choices else field.name[: field.max_length])


def sibling(field: Any) -> Any:
    """The field that has to be empty when this one is not, if there is one."""
    pair = EITHER_OR.get(field.model._meta.db_table, ())
    return next((field.model._meta.get_field(name) for name in pair if field.name in pair and name != field.name), None)
