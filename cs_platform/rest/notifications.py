"""What team members were told. A key is nobody: it reads for whoever manages the members."""

from typing import ClassVar

import django_filters as filters
from drf_spectacular.utils import extend_schema_view
from rest_framework import serializers

from cs_platform.rest.filters import NumberInFilter
from cs_platform.rest.schema import documented
from cs_platform.rest.viewsets import ApiViewSet, Listed, Retrieved
from cs_platform.tenancy.roles import Ability
from cs_platform.workspace.models import Notification


class NotificationSerializer(serializers.ModelSerializer[Notification]):
    class Meta:
        model = Notification
        fields = (
            "id",
            "member",
            "kind",
            "text",
            "url",
            "subject",
            "actor",
            "at",
            "is_shown",
            "read_at",
            "mail",
            "mailed_at",
        )
        read_only_fields = fields


class NotificationFilters(filters.FilterSet):
    member = NumberInFilter(field_name="member_id", label="Ids of members.")
    kind = filters.MultipleChoiceFilter(choices=Notification.Kind.choices)
    read = filters.BooleanFilter(field_name="read_at", lookup_expr="isnull", exclude=True)
    since = filters.IsoDateTimeFilter(field_name="at", lookup_expr="gte")

    class Meta:
        model = Notification
        fields: list[str] = []


@extend_schema_view(
    list=documented("List notifications", answers=NotificationSerializer, many=True),
    retrieve=documented("Read a notification", answers=NotificationSerializer),
)
class NotificationViewSet(Listed, Retrieved, ApiViewSet):
    """Mentions, assignments, what is due, jobs, held checks and failures, as people were told of them."""

    model = Notification
    reads = Ability.MANAGE_MEMBERS
    serializer_class = NotificationSerializer
    filterset_class = NotificationFilters
    orderings: ClassVar = {"id": "id", "at": "at"}
