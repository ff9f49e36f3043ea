"""Data sources over the API: their write keys, and what was wrong with what they sent."""

from http import HTTPStatus
from typing import ClassVar

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema_view
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api.filters import TraitProblemFilters
from accounts.api.serializers import TraitProblemSerializer
from accounts.ingest.draining import retry
from accounts.models import DataSource, TraitProblem
from accounts.sources import (
    TooManySources,
    clear_problems,
    close_source,
    open_source,
    rename_source,
    rotate_key,
    standing_of,
)
from cs_platform.rest.fields import StrictSerializer
from cs_platform.rest.problems import Conflict
from cs_platform.rest.schema import documented
from cs_platform.rest.viewsets import IDS, ApiViewSet, Listed, Retrieved
from cs_platform.tenancy.roles import Ability

FIELDS = ("id", "name", "last_four", "created_at", "created_by", "last_received_at", "revoked_at")


class DataSourceSerializer(serializers.ModelSerializer[DataSource]):
    """A source of Segment calls."""

    class Meta:
        model = DataSource
        fields = FIELDS
        read_only_fields = fields


class WriteKeySerializer(serializers.ModelSerializer[DataSource]):
    """A source with its new key, which nobody can read again."""

    write_key = serializers.CharField(read_only=True)

    class Meta:
        model = DataSource
        fields = (*FIELDS, "write_key")
        read_only_fields = fields


class SourceStandingSerializer(serializers.Serializer):  # type: ignore[type-arg]
    """What waits of a source, and what was wrong."""

    waiting = serializers.IntegerField(help_text="Calls that were accepted and are not taken in yet.")
    set_aside = serializers.IntegerField(help_text="Batches that could not be taken in after several attempts.")
    refused = serializers.IntegerField(help_text="Values and calls that were refused, since the list was cleared.")
    coerced = serializers.IntegerField(help_text="Values that were read as another type.")


class NewDataSourceSerializer(StrictSerializer):
    name = serializers.CharField(max_length=100)


@extend_schema_view(
    list=documented("List data sources", answers=DataSourceSerializer, many=True),
    retrieve=documented("Read a data source", answers=DataSourceSerializer),
)
class DataSourceViewSet(Listed, Retrieved, ApiViewSet):
    """Where Segment calls come in: each source has a write key."""

    model = DataSource
    writes = Ability.MANAGE_DATA
    serializer_class = DataSourceSerializer
    orderings: ClassVar = {"id": "id", "name": "name", "created_at": "created_at"}

    @documented("Open a data source", request=NewDataSourceSerializer, answers=WriteKeySerializer, status=201)
    def create(self, request: Request) -> Response:
        name = self.valid(NewDataSourceSerializer)["name"]
        try:
            source, key = open_source(name=name, by=self.caller, now=self.now)
        except TooManySources as refusal:
            raise Conflict(str(refusal)) from None
        return _with_key(source, key, status=HTTPStatus.CREATED)

    @documented("Rename a data source", request=NewDataSourceSerializer, answers=DataSourceSerializer)
    def partial_update(self, request: Request, pk: str) -> Response:
        source = self.get_object()
        rename_source(source, name=self.valid(NewDataSourceSerializer)["name"], by=self.caller, now=self.now)
        return self.fresh(source)

    @documented("Give a data source a new write key", answers=WriteKeySerializer)
    @action(detail=True, methods=["post"], url_path="rotate-key")
    def rotate_key(self, request: Request, pk: str) -> Response:
        source = self.get_object()
        if source.revoked_at:
            raise Conflict("Not possible now: it is closed.")
        return _with_key(source, rotate_key(source, by=self.caller, now=self.now))

    @documented("Close a data source", answers=DataSourceSerializer)
    @action(detail=True, methods=["post"])
    def close(self, request: Request, pk: str) -> Response:
        source = self.get_object()
        close_source(source, by=self.caller, now=self.now)
        return self.fresh(source)

    @documented("Read how things are with a data source", answers=SourceStandingSerializer)
    @action(detail=True, methods=["get"])
    def standing(self, request: Request, pk: str) -> Response:
        return Response(SourceStandingSerializer(standing_of(self.get_object())).data)

    @documented("Try again what was set aside", answers=DataSourceSerializer)
    @action(detail=True, methods=["post"])
    def retry(self, request: Request, pk: str) -> Response:
        source = self.get_object()
        retry(source, now=self.now)
        return self.fresh(source)

    @documented("Clear the list of problems", answers=DataSourceSerializer)
    @action(detail=True, methods=["post"], url_path="clear-problems")
    def clear_problems(self, request: Request, pk: str) -> Response:
        source = self.get_object()
        clear_problems(source.actor)
        return self.fresh(source)


def _with_key(source: DataSource, key: str, *, status: int = HTTPStatus.OK) -> Response:
    source.write_key = key  # type: ignore[attr-defined]
    return Response(WriteKeySerializer(source).data, status=status)


@extend_schema_view(list=documented("List a data source's problems", answers=TraitProblemSerializer, many=True))
class SourceProblemViewSet(Listed, ApiViewSet):
    """What had to be coerced or refused of what one source sent."""

    model = TraitProblem
    serializer_class = TraitProblemSerializer
    filterset_class = TraitProblemFilters
    orderings: ClassVar = {"id": "id", "last_at": "last_at", "count": "count"}
    default_ordering = "-last_at"

    def rows(self) -> QuerySet[TraitProblem]:
        source = get_object_or_404(DataSource.objects.all(), pk=self.kwargs["source_id"])
        return TraitProblem.objects.from_source(source.actor)


SOURCE_PROBLEMS = f"data-sources/(?P<source_id>{IDS})/problems"
