"""What the values of an account or a user were before, and who or what changed them."""

from typing import Any, ClassVar

import django_filters
from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema_view
from rest_framework import serializers

from accounts.changes import of_field
from accounts.models import Account, EndUser, TraitChange
from cs_platform.rest.schema import documented
from cs_platform.rest.viewsets import ApiViewSet, Listed


class ChangeSerializer(serializers.ModelSerializer[TraitChange]):
    before = serializers.JSONField(read_only=True, allow_null=True, help_text="As traits are written; null: not set.")
    after = serializers.JSONField(read_only=True, allow_null=True)

    class Meta:
        model = TraitChange
        fields = ("id", "at", "field", "actor", "undone_by", "before", "after")
        read_only_fields = fields


class ChangeFilters(django_filters.FilterSet):
    field = django_filters.CharFilter(method="of_field", label='As rules name it: "trait:plan", "csm".')
    since = django_filters.IsoDateTimeFilter(field_name="at", lookup_expr="gte")

    class Meta:
        model = TraitChange
        fields: list[str] = []

    def of_field(self, queryset: QuerySet[Any], name: str, value: str) -> QuerySet[Any]:
        return queryset.filter(of_field(value))


class ChangesViewSet(Listed, ApiViewSet):
    model = TraitChange
    serializer_class = ChangeSerializer
    filterset_class = ChangeFilters
    orderings: ClassVar = {"at": "at"}
    default_ordering = "-at"


@extend_schema_view(list=documented("Read the history of an account's values", answers=ChangeSerializer, many=True))
class AccountChangesViewSet(ChangesViewSet):
    """Newest first. An account begins with its first values: they leave no change."""

    def rows(self) -> QuerySet[TraitChange]:
        account = get_object_or_404(Account.objects.all(), pk=self.kwargs["account_id"])
        return TraitChange.objects.filter(account=account)


@extend_schema_view(list=documented("Read the history of a user's values", answers=ChangeSerializer, many=True))
class UserChangesViewSet(ChangesViewSet):
    """Newest first. A user begins with its first values: they leave no change."""

    def rows(self) -> QuerySet[TraitChange]:
        user = get_object_or_404(EndUser.objects.all(), pk=self.kwargs["user_id"])
        return TraitChange.objects.filter(end_user=user)
