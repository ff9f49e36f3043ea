"""Serializer fields for what a body may point at: only this workspace's rows exist."""

from collections.abc import Callable
from typing import Any

from django.db.models import QuerySet
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from cs_platform.tenancy.context import current_tenant_id
from cs_platform.tenancy.models import Membership


@extend_schema_field(OpenApiTypes.INT64)
class IdField(serializers.Field):  # type: ignore[type-arg]
    """The row behind an id. Another workspace's id and one that never was get the same answer."""

    default_error_messages = {"does_not_exist": "There is none with this id.", "incorrect_type": "Send a whole number."}

    def __init__(self, rows: Callable[[], QuerySet[Any]], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.rows = rows

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, bool) or not isinstance(data, int):
            self.fail("incorrect_type")
        found = self.rows().filter(pk=data).first()
        if found is None:
            self.fail("does_not_exist")
        return found

    def to_representation(self, value: Any) -> int:
        pk: int = value.pk
        return pk


def active_members() -> QuerySet[Membership]:
    return Membership.objects.active().in_tenant(current_tenant_id())


class MemberField(IdField):
    """An active team member."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(active_members, **kwargs)


class StrictSerializer(serializers.Serializer):  # type: ignore[type-arg]
    """A body with a key nobody knows is refused: ignored, a typo would look like success."""

    def to_internal_value(self, data: Any) -> Any:
        unknown = set(data) - set(self.fields) if isinstance(data, dict) else set()
        if unknown:
            raise serializers.ValidationError(
                {
                    name: [serializers.ErrorDetail("There is no such field.", "unknown_field")]
                    for name in sorted(unknown)
                }
            )
        return super().to_internal_value(data)
