"""Team members, whose ids owners, assignees and person traits are."""

from typing import ClassVar

import django_filters as filters
from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema_view
from rest_framework import serializers

from cs_platform.rest.schema import documented
from cs_platform.rest.viewsets import ApiViewSet, Listed, Retrieved
from cs_platform.tenancy.context import current_tenant_id
from cs_platform.tenancy.models import Membership
from cs_platform.tenancy.roles import Role


class MemberSerializer(serializers.ModelSerializer[Membership]):
    class Meta:
        model = Membership
        fields = ("id", "name", "email", "role", "joined_at", "deactivated_at")
        read_only_fields = fields


class MemberFilters(filters.FilterSet):
    email = filters.CharFilter(lookup_expr="iexact")
    role = filters.MultipleChoiceFilter(choices=Role.choices)
    active = filters.BooleanFilter(field_name="deactivated_at", lookup_expr="isnull")

    class Meta:
        model = Membership
        fields: list[str] = []


@extend_schema_view(
    list=documented("List members", answers=MemberSerializer, many=True),
    retrieve=documented("Read a member", answers=MemberSerializer),
)
class MemberViewSet(Listed, Retrieved, ApiViewSet):
    """The workspace's team. Members are deactivated, not deleted."""

    model = Membership
    serializer_class = MemberSerializer
    filterset_class = MemberFilters
    orderings: ClassVar = {"id": "id", "name": "name"}
    default_ordering = "name"

    def rows(self) -> QuerySet[Membership]:
        return Membership.objects.in_tenant(current_tenant_id())
