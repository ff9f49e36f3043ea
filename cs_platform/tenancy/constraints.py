"""Constraints Django has no words for. In Meta.constraints, makemigrations writes them and no table is forgotten."""

from abc import ABC, abstractmethod
from typing import Any

from django.db.models import BaseConstraint, Model
from django.db.models.constraints import BaseConstraint as _Base


class _SchemaOnly(BaseConstraint, ABC):
    """Enforced by PostgreSQL alone; nothing to validate in Python."""

    def validate(self, *args: Any, **kwargs: Any) -> None:
        return None

    def constraint_sql(self, model: type[Model] | None, schema_editor: Any) -> None:  # type: ignore[override]
        # Not a part of CREATE TABLE: at the end of the migration all tables and keys it names are there.
        schema_editor.deferred_sql.append(self.statement(model, schema_editor))

    def create_sql(self, model: type[Model] | None, schema_editor: Any) -> str:  # type: ignore[override]
        return self.statement(model, schema_editor)

    @abstractmethod
    def statement(self, model: Any, schema_editor: Any) -> str: ...

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, _Base):
            return NotImplemented
        return type(self) is type(other) and self.deconstruct() == other.deconstruct()

    __hash__ = None  # type: ignore[assignment]


class TenantPolicy(_SchemaOnly):
    """The tenant's own foreign key where it adds something, then forced row-level security.

    The policy raises when no tenant is set; it never silently returns nothing. The key comes first because the check
    of existing rows runs as the owner, whom the policy stops.
    """

    def statement(self, model: Any, schema_editor: Any) -> str:
        table = schema_editor.quote_name(model._meta.db_table)
        mine = "tenant_id = current_setting('app.tenant_id')::bigint"
        key = f"ALTER TABLE {table} ADD FOREIGN KEY (tenant_id) REFERENCES tenancy_tenant (id); "
        return (
            f"{'' if _is_implied(model) else key}"
            f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY; ALTER TABLE {table} FORCE ROW LEVEL SECURITY; "
            f"CREATE POLICY tenant ON {table} USING ({mine}) WITH CHECK ({mine})"
        )

    def remove_sql(self, model: Any, schema_editor: Any) -> str:
        table = schema_editor.quote_name(model._meta.db_table)
        return f"DROP POLICY tenant ON {table}; ALTER TABLE {table} DISABLE ROW LEVEL SECURITY"


def _is_implied(model: Any) -> bool:
    """Whether a row's workspace exists because the row it must point at is of the same workspace.

    A composite key whose columns are both NOT NULL is checked for every row: a row (t, x) stands only while its parent
    (t, x) does. The parent's own key, or by the same argument its parent's, says that workspace t exists. The argument
    must begin somewhere, so a table that points at itself is no proof; the catalogue walk (E106) follows every chain
    to a table that has the key. Each key costs every inserted row a look-up.
    """
    return any(
        field.many_to_one and not field.null and not field.db_constraint and field.name != "tenant"
        for field in model._meta.local_fields
        if field.is_relation and field.related_model._meta.db_table != model._meta.db_table
    )


class TenantReference(_SchemaOnly):
    """FOREIGN KEY (tenant_id, column): a row can only point inside its own tenant.

    A plain foreign key would accept another tenant's row, because its check ignores row-level security. `shared` is a
    column that both rows have and must agree on, such as the playbook of an enrollment and of its version.
    """

    def __init__(self, *, name: str, column: str, to: str, on_delete: str, shared: str = "") -> None:
        super().__init__(name=name)
        self.column, self.to, self.on_delete, self.shared = column, to, on_delete, shared

    def deconstruct(self) -> Any:
        path, args, kwargs = super().deconstruct()
        mine = {"column": self.column, "to": self.to, "on_delete": self.on_delete}
        return path, args, kwargs | mine | ({"shared": self.shared} if self.shared else {})

    def statement(self, model: Any, schema_editor: Any) -> str:
        quote = schema_editor.quote_name
        table, to = quote(model._meta.db_table), quote(self.to)
        # The check of existing rows runs as the owner, whom the forced policy would stop: lifted for this statement.
        lift, restore = (
            "; ".join(f"ALTER TABLE {name} {mode} ROW LEVEL SECURITY" for name in dict.fromkeys((table, to)))
            for mode in ("NO FORCE", "FORCE")
        )
        agreed = ", ".join(["tenant_id", *([quote(self.shared)] if self.shared else [])])
        return (
            f"{lift}; ALTER TABLE {table} ADD CONSTRAINT {quote(self.name)} "
            f"FOREIGN KEY ({agreed}, {quote(self.column)}) REFERENCES {to} ({agreed}, id) "
            f"ON DELETE {self.on_delete}; {restore}"
        )

    def remove_sql(self, model: Any, schema_editor: Any) -> str:
        quote = schema_editor.quote_name
        return f"ALTER TABLE {quote(model._meta.db_table)} DROP CONSTRAINT {quote(self.name)}"
