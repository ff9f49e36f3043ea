"""Files of CTAs, notes and plans."""

import base64
import binascii
from http import HTTPStatus
from typing import Any, ClassVar

import django_filters as filters
from django.conf import settings
from django.http import Http404
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema, extend_schema_view
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from cs_platform.rest.fields import StrictSerializer
from cs_platform.rest.json import MAX_BULK_BYTES
from cs_platform.rest.problems import Fault, Invalid
from cs_platform.rest.schema import documented
from cs_platform.rest.viewsets import ApiViewSet, Listed, Retrieved
from cs_platform.tenancy.roles import Ability
from cs_platform.workspace import attachments
from cs_platform.workspace.attachments import FileRefused
from cs_platform.workspace.models import Attachment
from cs_platform.workspace.subjects import is_there


class AttachmentSerializer(serializers.ModelSerializer[Attachment]):
    class Meta:
        model = Attachment
        fields = (
            "id",
            "subject",
            "name",
            "content_type",
            "size",
            "sha256",
            "state",
            "reason",
            "author",
            "added_at",
            "archived_at",
        )
        read_only_fields = fields


class NewAttachmentSerializer(StrictSerializer):
    subject = serializers.CharField(max_length=60, help_text='What it is put to, such as "cta:9".')
    name = serializers.CharField(max_length=200, help_text="With its ending, which says what kind of file it is.")
    content = serializers.CharField(help_text="The file in base64. Larger files than fit here are added on pages.")

    def validate_subject(self, subject: str) -> str:
        if not is_there(subject):
            raise serializers.ValidationError(f"Name one of: {', '.join(f'{kind}:7' for kind in settings.SUBJECTS)}.")
        return subject

    def validate_content(self, content: str) -> bytes:
        try:
            return base64.b64decode(content, validate=True)
        except (binascii.Error, ValueError):
            raise serializers.ValidationError("This is no base64.") from None


class AttachmentFilters(filters.FilterSet):
    subject = filters.CharFilter(label='What they are put to, such as "cta:9".')
    state = filters.MultipleChoiceFilter(choices=Attachment.State.choices)
    archived = filters.BooleanFilter(field_name="archived_at", lookup_expr="isnull", exclude=True)

    class Meta:
        model = Attachment
        fields: list[str] = []


@extend_schema_view(
    list=documented("List files", answers=AttachmentSerializer, many=True),
    retrieve=documented("Read what is known of a file", answers=AttachmentSerializer),
)
class AttachmentViewSet(Listed, Retrieved, ApiViewSet):
    """Files put to CTAs, notes and plans."""

    model = Attachment
    writes = Ability.EDIT_ACCOUNTS
    serializer_class = AttachmentSerializer
    filterset_class = AttachmentFilters
    orderings: ClassVar = {"id": "id", "added_at": "added_at"}
    max_bytes = MAX_BULK_BYTES

    @documented("Add a file", request=NewAttachmentSerializer, answers=AttachmentSerializer, status=201)
    def create(self, request: Request) -> Response:
        checked = self.valid(NewAttachmentSerializer)
        try:
            added = attachments.attach(**checked, by=self.caller, now=self.now)
        except FileRefused as refusal:
            raise Invalid(faults=[Fault("/content", str(refusal))]) from None
        return self.answer(added, status=HTTPStatus.CREATED)

    @extend_schema(
        summary="Fetch a file",
        responses={(200, "application/octet-stream"): OpenApiResponse(OpenApiTypes.BINARY, description="The file.")},
    )
    @action(detail=True, methods=["get"])
    def content(self, request: Request, pk: str) -> Any:
        found = self.get_object()
        if found.archived_at or found.state != Attachment.State.CLEAN:
            raise Http404
        return attachments.download(found)

    @documented("Remove a file", answers=AttachmentSerializer)
    @action(detail=True, methods=["post"])
    def archive(self, request: Request, pk: str) -> Response:
        found = self.get_object()
        attachments.archive_attachment(found, now=self.now)
        return self.fresh(found)

    @documented("Bring a removed file back", answers=AttachmentSerializer)
    @action(detail=True, methods=["post"])
    def restore(self, request: Request, pk: str) -> Response:
        found = self.get_object()
        attachments.restore_attachment(found)
        return self.fresh(found)
