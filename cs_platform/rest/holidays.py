"""The days a workspace does not work, beside weekends."""

from http import HTTPStatus
from typing import ClassVar

import django_filters as filters
from drf_spectacular.utils import extend_schema_view
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from cs_platform.rest.fields import StrictSerializer
from cs_platform.rest.problems import Fault, Invalid
from cs_platform.rest.schema import documented
from cs_platform.rest.viewsets import ApiViewSet, Listed, Retrieved
from cs_platform.tenancy.roles import Ability
from cs_platform.workspace import holidays
from cs_platform.workspace.models import Holiday


class HolidaySerializer(serializers.ModelSerializer[Holiday]):
    class Meta:
        model = Holiday
        fields = ("id", "on", "name")
        read_only_fields = fields


class NewHolidaySerializer(StrictSerializer):
    on = serializers.DateField()
    name = serializers.CharField(max_length=100)


class HolidayFilters(filters.FilterSet):
    since = filters.DateFilter(field_name="on", lookup_expr="gte")
    until = filters.DateFilter(field_name="on", lookup_expr="lte")

    class Meta:
        model = Holiday
        fields: list[str] = []


@extend_schema_view(
    list=documented("List holidays", answers=HolidaySerializer, many=True),
    retrieve=documented("Read a holiday", answers=HolidaySerializer),
)
class HolidayViewSet(Listed, Retrieved, ApiViewSet):
    """Days on which nobody works. What skips weekends skips these too."""

    model = Holiday
    writes = Ability.MANAGE_DATA
    serializer_class = HolidaySerializer
    filterset_class = HolidayFilters
    orderings: ClassVar = {"on": "on"}
    default_ordering = "on"

    @documented("Add a holiday", request=NewHolidaySerializer, answers=HolidaySerializer, status=201)
    def create(self, request: Request) -> Response:
        try:
            added = holidays.add_holiday(**self.valid(NewHolidaySerializer), by=self.caller, now=self.now)
        except holidays.CannotAdd as refusal:
            raise Invalid(faults=[Fault("/on", str(refusal))]) from None
        return self.answer(added, status=HTTPStatus.CREATED)

    @documented("Remove a holiday", status=204)
    def destroy(self, request: Request, pk: str) -> Response:
        holidays.remove_holiday(self.get_object(), by=self.caller, now=self.now)
        return Response(status=HTTPStatus.NO_CONTENT)
