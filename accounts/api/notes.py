"""Notes on accounts."""

from http import HTTPStatus
from typing import ClassVar

import django_filters
from drf_spectacular.utils import extend_schema_view
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.models import Account, Note
from cs_platform.rest.fields import IdField, StrictSerializer
from cs_platform.rest.filters import NumberInFilter
from cs_platform.rest.problems import Conflict
from cs_platform.rest.schema import documented
from cs_platform.rest.viewsets import ApiViewSet, Listed, Retrieved
from cs_platform.tenancy.roles import Ability

NOTE_LIMIT = 10_000


class NoteSerializer(serializers.ModelSerializer[Note]):
    class Meta:
        model = Note
        fields = ("id", "account", "body", "author", "written_at", "edited_at", "archived_at")
        read_only_fields = fields


class NoteEditSerializer(StrictSerializer):
    body = serializers.CharField(max_length=NOTE_LIMIT)


class NewNoteSerializer(NoteEditSerializer):
    account = IdField(lambda: Account.objects.filter(archived_at__isnull=True))


class NoteFilters(django_filters.FilterSet):
    account = NumberInFilter(field_name="account_id", label="Ids of accounts.")
    author = django_filters.CharFilter(label='Such as "person:7".')
    written_since = django_filters.IsoDateTimeFilter(field_name="written_at", lookup_expr="gte")

    class Meta:
        model = Note
        fields: list[str] = []


@extend_schema_view(
    list=documented("List notes", answers=NoteSerializer, many=True),
    retrieve=documented("Read a note", answers=NoteSerializer),
)
class NoteViewSet(Listed, Retrieved, ApiViewSet):
    """What people wrote down about accounts."""

    model = Note
    writes = Ability.EDIT_ACCOUNTS
    serializer_class = NoteSerializer
    filterset_class = NoteFilters
    orderings: ClassVar = {"id": "id", "written_at": "written_at"}

    @documented("Write a note", request=NewNoteSerializer, answers=NoteSerializer, status=201)
    def create(self, request: Request) -> Response:
        checked = self.valid(NewNoteSerializer)
        note = Note.write(checked["account"], body=checked["body"], by=self.caller, now=self.now)
        return self.answer(note, status=HTTPStatus.CREATED)

    @documented("Change a note the same key wrote", request=NoteEditSerializer, answers=NoteSerializer)
    def partial_update(self, request: Request, pk: str) -> Response:
        note, body = self.get_object(), self.valid(NoteEditSerializer)["body"]
        if not note.is_of(self.caller):
            raise Conflict("Only the author changes a note: this one was not written with this key.")
        acted = note.edit(body=body, by=self.caller, now=self.now)
        if not acted and note.archived_at:
            raise Conflict("Not possible now: it is archived.")
        return self.fresh(note)

    @documented("Archive a note", answers=NoteSerializer)
    @action(detail=True, methods=["post"])
    def archive(self, request: Request, pk: str) -> Response:
        note = self.get_object()
        note.archive(now=self.now)
        return self.fresh(note)

    @documented("Bring an archived note back", answers=NoteSerializer)
    @action(detail=True, methods=["post"])
    def restore(self, request: Request, pk: str) -> Response:
        note = self.get_object()
        note.restore()
        return self.fresh(note)
