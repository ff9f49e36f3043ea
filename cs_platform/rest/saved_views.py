"""Shared views: lists a team works by. A key belongs to nobody, so people's own views are not its business."""

from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any, ClassVar

import django_filters as filters
from django.conf import settings
from django.db.models import QuerySet
from django.http import QueryDict
from drf_spectacular.utils import extend_schema_view
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from cs_platform.rest.fields import MemberField, StrictSerializer
from cs_platform.rest.problems import Fault, Invalid
from cs_platform.rest.schema import documented
from cs_platform.rest.viewsets import ApiViewSet, Listed, Retrieved
from cs_platform.tenancy.roles import Ability
from cs_platform.workspace import saved_views
from cs_platform.workspace.models import SavedView
from cs_platform.workspace.saved_views import CannotSave, Setup
from cs_platform.workspace.view_counts import ViewCount, count_views
from cs_platform.workspace.view_icons import ICONS

PAGES = [(page, page.title()) for page in settings.PAGES_WITH_VIEWS]
PICTURES = list(ICONS.items())


class SavedViewSerializer(serializers.ModelSerializer[SavedView]):
    class Meta:
        model = SavedView
        fields = (
            "id", "page", "name", "icon", "owner", "params", "widths", "created_at", "updated_at", "archived_at",
        )  # fmt: skip
        read_only_fields = fields


class _SetupSerializer(StrictSerializer):
    """`params` is the query string of the page."""

    icon = serializers.ChoiceField(choices=PICTURES, required=False, allow_blank=True)
    params = serializers.CharField(required=False, allow_blank=True, max_length=saved_views.LONGEST)
    widths = serializers.DictField(child=serializers.IntegerField(min_value=60, max_value=640), required=False)


class NewSavedViewSerializer(_SetupSerializer):
    page = serializers.ChoiceField(choices=PAGES)
    name = serializers.CharField(max_length=100)
    owner = MemberField()


class SavedViewEditSerializer(_SetupSerializer):
    name = serializers.CharField(max_length=100, required=False)


class SavedViewCountSerializer(serializers.Serializer[ViewCount | None]):
    """Of what it finds now."""

    count = serializers.IntegerField(allow_null=True, help_text="None where that cannot be told, or takes too long.")
    is_capped = serializers.BooleanField(help_text="There are more than counted.")


class SavedViewFilters(filters.FilterSet):
    page = filters.ChoiceFilter(choices=PAGES)
    archived = filters.BooleanFilter(field_name="archived_at", lookup_expr="isnull", exclude=True)

    class Meta:
        model = SavedView
        fields: list[str] = []


@extend_schema_view(
    list=documented("List shared views", answers=SavedViewSerializer, many=True),
    retrieve=documented("Read a shared view", answers=SavedViewSerializer),
)
class SavedViewViewSet(Listed, Retrieved, ApiViewSet):
    """Lists as the team set them up."""

    model = SavedView
    writes = Ability.MANAGE_DATA
    serializer_class = SavedViewSerializer
    filterset_class = SavedViewFilters
    orderings: ClassVar = {"id": "id", "name": "name"}

    def rows(self) -> QuerySet[SavedView]:
        return SavedView.objects.filter(is_shared=True)

    @documented("Share a view", request=NewSavedViewSerializer, answers=SavedViewSerializer, status=201)
    def create(self, request: Request) -> Response:
        said = self.valid(NewSavedViewSerializer)
        setup = _setup(said, None)
        names = {name: said[name] for name in ("page", "name", "owner")}
        with _in_words():
            view = saved_views.save_view(**names, icon=said.get("icon", ""), setup=setup, is_shared=True, now=self.now)
        return self.answer(view, status=HTTPStatus.CREATED)

    @documented("Edit a shared view", request=SavedViewEditSerializer, answers=SavedViewSerializer)
    def partial_update(self, request: Request, pk: str) -> Response:
        view, said = self.get_object(), self.valid(SavedViewEditSerializer)
        with _in_words():
            named = {name: said.get(name, getattr(view, name)) for name in ("name", "icon")}
            saved_views.rename_view(view, **named, is_shared=True, now=self.now)
        saved_views.keep_setup(view, setup=_setup(said, view), now=self.now)
        return self.fresh(view)

    @documented("Count what a shared view finds", answers=SavedViewCountSerializer)
    @action(detail=True)
    def count(self, request: Request, pk: str) -> Response:
        view = self.get_object()
        found = count_views([view], tenant=self.tenant, member=None, now=self.now).get(view.pk)
        told = {"count": found and found.number, "is_capped": bool(found and found.is_capped)}
        return Response(self.sparse(told))

    @documented("Archive a shared view", answers=SavedViewSerializer)
    @action(detail=True, methods=["post"])
    def archive(self, request: Request, pk: str) -> Response:
        view = self.get_object()
        saved_views.delete_view(view, now=self.now)
        return self.fresh(view)

    @documented("Restore a shared view", answers=SavedViewSerializer)
    @action(detail=True, methods=["post"])
    def restore(self, request: Request, pk: str) -> Response:
        view = self.get_object()
        with _in_words():
            saved_views.restore_view(view, now=self.now)
        return self.fresh(view)


def _setup(said: dict[str, Any], view: SavedView | None) -> Setup:
    """What is not said stays as it is."""
    params = said.get("params", view.params if view else "")
    widths = said.get("widths", view.widths if view else {})
    with _in_words("/params"):
        return Setup(Setup.of(QueryDict(params)).params, widths)


@contextmanager
def _in_words(pointer: str = "/name") -> Iterator[None]:
    try:
        yield
    except CannotSave as refusal:
        raise Invalid(faults=[Fault(pointer, str(refusal))]) from None
