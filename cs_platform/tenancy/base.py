"""TenantModel: what every table of a workspace's data is made from."""

from typing import Any, ClassVar

from django.db import models
from django.db.models.base import ModelBase

from .constraints import TenantPolicy, TenantReference
from .context import current_tenant_id


class TenantManager(models.Manager[Any]):
    """Scopes every query to the tenant in force, and raises NoTenant when there is none."""

    def get_queryset(self) -> models.QuerySet[Any]:
        return super().get_queryset().filter(tenant_id=current_tenant_id())


class TenantForeignKey(models.ForeignKey):
    """A foreign key that cannot leave the tenant: composite in the database, ordinary in Django.

    Indexed only when asked, and then as (tenant_id, column): most are covered by a table's own indexes.

    `sharing` names another key of the row, which the row it points at has, too: both must lead to the same. That other
    key is then checked with this one and has no constraint of its own. Neither may be null.
    """

    def __init__(self, to: Any, on_delete: Any, *, sharing: str = "", **kwargs: Any) -> None:
        self.sharing = sharing
        kwargs["db_constraint"] = False
        kwargs.setdefault("db_index", False)
        super().__init__(to, on_delete, **kwargs)

    def deconstruct(self) -> Any:
        name, _path, args, kwargs = super().deconstruct()
        return name, "django.db.models.ForeignKey", args, kwargs | {"db_index": self.db_index}  # type: ignore[attr-defined]

    def reference(self, owner: type[models.Model]) -> TenantReference:
        table, target = owner._meta.db_table, self.remote_field.model._meta.db_table
        on_delete = f"SET NULL ({self.column})" if self.null else "NO ACTION"
        return TenantReference(
            name=f"{table}_{self.column}_tenant_fk"[:63],
            column=self.column,
            to=target,
            on_delete=on_delete,
            shared=f"{self.sharing}_id" if self.sharing else "",
        )


class TenantModelBase(ModelBase):
    """Adds to each concrete table its policy, its composite foreign keys and the key others point at."""

    def __new__(mcs, name: str, bases: tuple[type, ...], attrs: dict[str, Any], **kwargs: Any) -> Any:
        model: Any = super().__new__(mcs, name, bases, attrs, **kwargs)
        options = getattr(model, "_meta", None)
        if options is not None and not options.abstract and not options.proxy:
            mcs._append(model, [TenantPolicy(name=f"{options.db_table}_tenant_policy"[:63])])
            if model.is_referenced:
                key = models.UniqueConstraint(fields=["tenant", "id"], name=f"{options.db_table}_tenant_key"[:63])
                mcs._append(model, [key])
            references = [field for field in options.local_fields if isinstance(field, TenantForeignKey)]
            shared = {field.sharing for field in references}
            for field in references:
                if field.name not in shared:
                    mcs._reference_once_resolved(model, field)
        return model

    @classmethod
    def _reference_once_resolved(mcs, model: type[models.Model], field: TenantForeignKey) -> None:
        def add(owner: type[models.Model], _related: type[models.Model]) -> None:
            mcs._append(owner, [field.reference(owner)])

        models.fields.related.lazy_related_operation(add, model, field.remote_field.model)

    @staticmethod
    def _append(model: type[models.Model], constraints: list[models.BaseConstraint]) -> None:
        options = model._meta
        options.constraints = [*options.constraints, *constraints]
        options.original_attrs["constraints"] = options.constraints


class TenantModel(models.Model, metaclass=TenantModelBase):
    """A row of exactly one workspace. Leaves that nothing points at set `is_referenced = False` and save an index."""

    is_referenced: ClassVar[bool] = True
    append_only: ClassVar[bool] = False

    tenant = models.ForeignKey(
        "tenancy.Tenant",
        on_delete=models.PROTECT,
        default=current_tenant_id,
        db_index=False,
        db_constraint=False,  # TenantPolicy adds it, in the right order
        related_name="+",
    )

    objects = TenantManager()

    class Meta:
        abstract = True
        base_manager_name = "objects"
