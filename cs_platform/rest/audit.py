"""The audit log, to be kept where a company keeps such things."""

from typing import ClassVar

import django_filters as filters
from drf_spectacular.utils import extend_schema_view
from rest_framework import serializers

from cs_platform.rest.schema import documented
from cs_platform.rest.viewsets import ApiViewSet, Listed
from cs_platform.tenancy.audit import VERBS
from cs_platform.tenancy.models import AuditEntry
from cs_platform.tenancy.roles import Ability


class AuditSerializer(serializers.ModelSerializer[AuditEntry]):
    detail = serializers.JSONField(help_text="The subject's name then, and what differs before and after.")

    class Meta:
        model = AuditEntry
        fields = ("id", "at", "actor", "verb", "subject_type", "subject_id", "detail", "ip_address")
        read_only_fields = fields


class AuditFilters(filters.FilterSet):
    actor = filters.CharFilter(label="As in the answers: person:7, key:3.")
    verb = filters.MultipleChoiceFilter(choices=list(VERBS.items()))
    subject_type = filters.CharFilter()
    subject_id = filters.CharFilter()
    since = filters.IsoDateTimeFilter(field_name="at", lookup_expr="gte")
    until = filters.IsoDateTimeFilter(field_name="at", lookup_expr="lt")

    class Meta:
        model = AuditEntry
        fields: list[str] = []


@extend_schema_view(list=documented("List the audit log", answers=AuditSerializer, many=True))
class AuditViewSet(Listed, ApiViewSet):
    """Who changed how the workspace is set up, when, from where. Entries are never changed or removed."""

    model = AuditEntry
    reads = Ability.READ_AUDIT
    serializer_class = AuditSerializer
    filterset_class = AuditFilters
    orderings: ClassVar = {"at": "at"}
    default_ordering = "-at"
