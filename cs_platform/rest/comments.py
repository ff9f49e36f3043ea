"""What is said about anything. Commenting on something is an action of the thing itself."""

from typing import ClassVar

import django_filters as filters
from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema_view
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from cs_platform.rest.fields import StrictSerializer
from cs_platform.rest.problems import Conflict
from cs_platform.rest.schema import documented
from cs_platform.rest.viewsets import ApiViewSet, Listed, Retrieved
from cs_platform.tenancy.roles import Ability
from cs_platform.workspace import comments
from cs_platform.workspace.mentions import mentioned_in
from cs_platform.workspace.models import Comment

NOT_YOURS = "Only its author can do that: it was not written with this key."


class AnyCommentSerializer(serializers.ModelSerializer[Comment]):
    mentions = serializers.SerializerMethodField(help_text="Ids of the members mentioned; in the body they are <@7>.")

    class Meta:
        model = Comment
        fields = ("id", "subject", "author", "body", "mentions", "written_at", "edited_at", "archived_at")
        read_only_fields = fields

    def get_mentions(self, comment: Comment) -> list[int]:
        return sorted(mentioned_in(comment.body))


class CommentEditSerializer(StrictSerializer):
    body = serializers.CharField(max_length=comments.MAX_LENGTH)


class CommentFilters(filters.FilterSet):
    subject = filters.CharFilter(label='What they are about, such as "cta:9".')
    author = filters.CharFilter(label='Such as "person:7".')
    written_since = filters.IsoDateTimeFilter(field_name="written_at", lookup_expr="gte")
    archived = filters.BooleanFilter(field_name="archived_at", lookup_expr="isnull", exclude=True)

    class Meta:
        model = Comment
        fields: list[str] = []


@extend_schema_view(
    list=documented("List comments", answers=AnyCommentSerializer, many=True),
    retrieve=documented("Read a comment", answers=AnyCommentSerializer),
)
class CommentViewSet(Listed, Retrieved, ApiViewSet):
    """What people say about CTAs, indicators and plans. A mention is <@7>, or @ and the member's name."""

    model = Comment
    writes = Ability.COMMENT
    serializer_class = AnyCommentSerializer
    filterset_class = CommentFilters
    orderings: ClassVar = {"id": "id", "written_at": "written_at"}

    def rows(self) -> QuerySet[Comment]:
        rows: QuerySet[Comment] = Comment.objects.all()
        return rows

    @documented("Change a comment the same key wrote", request=CommentEditSerializer, answers=AnyCommentSerializer)
    def partial_update(self, request: Request, pk: str) -> Response:
        comment, body = self.get_object(), self.valid(CommentEditSerializer)["body"]
        self._refuse_others(comment)
        if not comments.edit_comment(comment, body=body, by=self.caller, now=self.now) and comment.archived_at:
            raise Conflict("Not possible now: it is archived.")
        return self.fresh(comment)

    @documented("Archive a comment the same key wrote", answers=AnyCommentSerializer)
    @action(detail=True, methods=["post"])
    def archive(self, request: Request, pk: str) -> Response:
        comment = self.get_object()
        self._refuse_others(comment)
        comments.archive_comment(comment, by=self.caller, now=self.now)
        return self.fresh(comment)

    @documented("Bring an archived comment back", answers=AnyCommentSerializer)
    @action(detail=True, methods=["post"])
    def restore(self, request: Request, pk: str) -> Response:
        comment = self.get_object()
        self._refuse_others(comment)
        comments.restore_comment(comment, by=self.caller)
        return self.fresh(comment)

    def _refuse_others(self, comment: Comment) -> None:
        if comment.author != self.caller.actor:
            raise Conflict(NOT_YOURS)
