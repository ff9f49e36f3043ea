from rest_framework import serializers

from accounts.models import Account, EndUser
from cs_platform.rest.fields import IdField, MemberField, StrictSerializer
from cs_platform.workspace.comments import MAX_LENGTH
from cs_platform.workspace.models import Comment
from ctas.models import CLOSED, Cta, Task

CLOSING = [choice for choice in Cta.Status.choices if choice[0] in CLOSED]


class CtaSerializer(serializers.ModelSerializer[Cta]):
    user = serializers.PrimaryKeyRelatedField[EndUser](source="end_user", read_only=True)
    tasks_total = serializers.IntegerField(read_only=True)
    tasks_done = serializers.IntegerField(read_only=True)

    class Meta:
        model = Cta
        fields = (
            "id",
            "account",
            "user",
            "name",
            "type",
            "reason",
            "priority",
            "status",
            "owner",
            "due_on",
            "comment",
            "snoozed_until",
            "snooze_reason",
            "tasks_total",
            "tasks_done",
            "created_at",
            "created_by",
            "closed_at",
            "closed_by",
            "touched_at",
            "archived_at",
        )
        read_only_fields = fields


class CtaEditSerializer(StrictSerializer):
    name = serializers.CharField(max_length=500, required=False)
    type = serializers.ChoiceField(Cta.Type.choices, required=False)
    reason = serializers.CharField(max_length=100, allow_blank=True, required=False)
    priority = serializers.ChoiceField(Cta.Priority.choices, required=False)
    owner = MemberField(required=False, allow_null=True)
    due_on = serializers.DateField(required=False, allow_null=True)
    comment = serializers.CharField(max_length=50_000, allow_blank=True, required=False)


class NewCtaSerializer(CtaEditSerializer):
    account = IdField(lambda: Account.objects.present())
    user = IdField(lambda: EndUser.objects.all(), source="end_user", required=False, allow_null=True)
    name = serializers.CharField(max_length=500)
    type = serializers.ChoiceField(Cta.Type.choices)


class CloseSerializer(StrictSerializer):
    status = serializers.ChoiceField(CLOSING)
    cancel_tasks = serializers.BooleanField(default=False)


class SnoozeSerializer(StrictSerializer):
    until = serializers.DateField()
    reason = serializers.CharField(max_length=200, allow_blank=True, default="")


class CommentSerializer(serializers.ModelSerializer[Comment]):
    class Meta:
        model = Comment
        fields = ("id", "author", "body", "written_at", "edited_at")
        read_only_fields = fields


class ThreadSerializer(serializers.Serializer):  # type: ignore[type-arg]
    comments = CommentSerializer(many=True)
    more = serializers.BooleanField()


class NewCommentSerializer(StrictSerializer):
    body = serializers.CharField(max_length=MAX_LENGTH)


class TaskSerializer(serializers.ModelSerializer[Task]):
    account = serializers.IntegerField(source="cta.account_id", read_only=True)

    class Meta:
        model = Task
        fields = (
            "id",
            "cta",
            "account",
            "title",
            "description",
            "owner",
            "due_on",
            "status",
            "position",
            "reason",
            "created_at",
            "created_by",
            "completed_at",
            "completed_by",
            "touched_at",
            "archived_at",
        )
        read_only_fields = fields


class TaskEditSerializer(StrictSerializer):
    title = serializers.CharField(max_length=500, required=False)
    description = serializers.CharField(max_length=50_000, allow_blank=True, required=False)
    owner = MemberField(required=False, allow_null=True)
    due_on = serializers.DateField(required=False, allow_null=True)


class NewTaskSerializer(TaskEditSerializer):
    cta = IdField(lambda: Cta.objects.present())
    title = serializers.CharField(max_length=500)


class CancelSerializer(StrictSerializer):
    reason = serializers.CharField(max_length=60, allow_blank=True, default="")
