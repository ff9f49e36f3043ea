"""What is said about an indicator."""

from http import HTTPStatus
from typing import ClassVar

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema_view
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.indicators import comment_on
from accounts.models import Indicator
from cs_platform.rest.fields import StrictSerializer
from cs_platform.rest.schema import documented
from cs_platform.rest.viewsets import ApiViewSet, Listed
from cs_platform.tenancy.roles import Ability
from cs_platform.workspace.comments import MAX_LENGTH
from cs_platform.workspace.models import Comment


class IndicatorCommentSerializer(serializers.ModelSerializer[Comment]):
    class Meta:
        model = Comment
        fields = ("id", "author", "body", "written_at", "edited_at")
        read_only_fields = fields


class NewIndicatorCommentSerializer(StrictSerializer):
    body = serializers.CharField(max_length=MAX_LENGTH)


@extend_schema_view(
    list=documented("Read what is said about an indicator", answers=IndicatorCommentSerializer, many=True)
)
class IndicatorCommentViewSet(Listed, ApiViewSet):
    """Newest first."""

    model = Comment
    writes = Ability.COMMENT
    serializer_class = IndicatorCommentSerializer
    orderings: ClassVar = {"written_at": "written_at"}
    default_ordering = "-written_at"

    def rows(self) -> QuerySet[Comment]:
        return Comment.objects.filter(subject=self._indicator().subject, archived_at=None)

    @documented(
        "Comment on an indicator",
        request=NewIndicatorCommentSerializer,
        answers=IndicatorCommentSerializer,
        status=201,
    )
    def create(self, request: Request, indicator_id: str) -> Response:
        indicator, body = self._indicator(), self.valid(NewIndicatorCommentSerializer)["body"]
        comment = comment_on(indicator, body=body, by=self.caller, now=self.now)
        return self.answer(comment, status=HTTPStatus.CREATED)

    def _indicator(self) -> Indicator:
        return get_object_or_404(Indicator.objects.all(), pk=self.kwargs["indicator_id"])
