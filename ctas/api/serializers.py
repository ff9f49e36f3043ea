from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from accounts.models import Account, EndUser
from cs_platform.rest.fields import IdField, MemberField, StrictSerializer
from cs_platform.workspace.comments import MAX_LENGTH
from cs_platform.workspace.models import Comment
from ctas.lists import CATEGORIES, ICONS, REQUIRABLE, TONES, Kind, Lists, current_lists
from ctas.models import CLOSED, KEY_LENGTH, Cta, Recurrence, Task
from ctas.recurring import LONGEST
from ctas.working import missing_to_close

REQUIRED = list(REQUIRABLE)
CLOSING = [choice for choice in Cta.Status.choices if choice[0] in CLOSED]


@extend_schema_field(OpenApiTypes.STR)
class EntryField(serializers.Field):  # type: ignore[type-arg]
    """A key of one of the workspace's lists that is still offered."""

    default_error_messages = {"invalid_choice": "This list has no such key. GET /cta-lists/ names them."}

    def __init__(self, kind: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.kind = kind

    def to_internal_value(self, data: Any) -> str:
        if data == "" and self.kind == Kind.REASON:
            return ""
        entry = current_lists().known(self.kind, data) if isinstance(data, str) else None
        if entry is None or entry.is_archived:
            self.fail("invalid_choice")
        return entry.key

    def to_representation(self, value: Any) -> str:
        return str(value)


class RecurrenceSerializer(serializers.ModelSerializer[Recurrence]):
    class Meta:
        model = Recurrence
        fields = ("every", "unit", "begins", "next_on", "paused_at", "ended_at")
        read_only_fields = fields


class CtaSerializer(serializers.ModelSerializer[Cta]):
    stage = serializers.SerializerMethodField(help_text="The workspace's own status; `status` is its category.")
    users = serializers.SerializerMethodField(help_text="Ids of the users it is about.")
    recurrence = RecurrenceSerializer(read_only=True)
    user = serializers.PrimaryKeyRelatedField[EndUser](source="end_user", read_only=True)
    tasks_total = serializers.IntegerField(read_only=True)
    tasks_done = serializers.IntegerField(read_only=True)
    fields_missing = serializers.SerializerMethodField(help_text="What its type asks for before it is closed.")

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
            "stage",
            "owner",
            "due_on",
            "comment",
            "snoozed_until",
            "snooze_reason",
            "users",
            "recurrence",
            "recurrence_number",
            "tasks_total",
            "tasks_done",
            "created_at",
            "created_by",
            "closed_at",
            "closed_by",
            "fields_missing",
            "touched_at",
            "archived_at",
        )
        read_only_fields = fields

    def get_stage(self, cta: Cta) -> str:
        return self._lists.stage_of(cta).key

    def get_fields_missing(self, cta: Cta) -> list[str]:
        return missing_to_close(cta, lists=self._lists)

    def get_users(self, cta: Cta) -> list[int]:
        linked = sorted(link.end_user_id for link in cta.linked.all())
        return linked if cta.end_user_id is None else [cta.end_user_id, *linked]

    @property
    def _lists(self) -> Lists:
        """Read once for a page of CTAs."""
        shared: Any = self.context
        if "cta_lists" not in shared:
            shared["cta_lists"] = current_lists()
        lists: Lists = shared["cta_lists"]
        return lists


class CtaFactsSerializer(StrictSerializer):
    name = serializers.CharField(max_length=500, required=False)
    type = EntryField(Kind.TYPE, required=False)
    reason = EntryField(Kind.REASON, required=False)
    priority = EntryField(Kind.PRIORITY, required=False)
    owner = MemberField(required=False, allow_null=True)
    due_on = serializers.DateField(required=False, allow_null=True)
    comment = serializers.CharField(max_length=50_000, allow_blank=True, required=False)


class CtaEditSerializer(CtaFactsSerializer):
    move_tasks = serializers.BooleanField(default=False, help_text="Open tasks move with the due date.")
    hand_over_tasks = serializers.ChoiceField(
        ["none", "theirs", "all"],
        default="none",
        help_text="Open tasks go to the new owner: those of the old one, or all of them.",
    )


class NewCtaSerializer(CtaFactsSerializer):
    account = IdField(lambda: Account.objects.present())
    user = IdField(lambda: EndUser.objects.all(), source="end_user", required=False, allow_null=True)
    name = serializers.CharField(max_length=500)
    type = EntryField(Kind.TYPE)


class StageSerializer(StrictSerializer):
    stage = EntryField(Kind.STATUS)


class RepeatSerializer(StrictSerializer):
    every = serializers.IntegerField(min_value=1, max_value=LONGEST)
    unit = serializers.ChoiceField(Recurrence.Unit.choices)
    begins = serializers.ChoiceField(Recurrence.Begins.choices, default=Recurrence.Begins.CLOSED)


class LinkSerializer(StrictSerializer):
    user = IdField(lambda: EndUser.objects.filter(archived_at=None))


class OrderSerializer(StrictSerializer):
    tasks = serializers.ListField(child=serializers.IntegerField(min_value=1, max_value=2**63 - 1), max_length=500)


class EntrySerializer(StrictSerializer):
    key = serializers.CharField(max_length=KEY_LENGTH, required=False, help_text="Left out: a new one.")
    name = serializers.CharField(max_length=KEY_LENGTH)
    tone = serializers.ChoiceField(list(TONES), required=False)
    icon = serializers.ChoiceField(ICONS, required=False, allow_blank=True)
    category = serializers.ChoiceField(list(CATEGORIES), required=False, allow_blank=True, help_text="Of a status.")
    types = serializers.ListField(
        child=serializers.CharField(max_length=KEY_LENGTH),
        required=False,
        max_length=50,
        help_text="Of a reason: those it is for; none means all.",
    )
    to_create = serializers.ListField(
        child=serializers.ChoiceField(REQUIRED), required=False, help_text="Of a type: needed to open one."
    )
    to_close = serializers.ListField(
        child=serializers.ChoiceField(REQUIRED), required=False, help_text="Of a type: needed to close one."
    )
    last_task = serializers.CharField(
        max_length=KEY_LENGTH + 10,
        required=False,
        allow_blank=True,
        help_text='Of a type, once the last task is done: "" asks, "leave" leaves it open, "close:won" closes it.',
    )

    def validate_last_task(self, value: str) -> str:
        known = [key for key, _label in current_lists().last_task_choices()]
        if value not in known:
            raise serializers.ValidationError(f"Choose one of {', '.join(repr(key) for key in known)}.")
        return value


class ListsSerializer(StrictSerializer):
    """A list that is sent is replaced as a whole, in this order; what it leaves out is archived."""

    type = EntrySerializer(many=True, required=False)
    reason = EntrySerializer(many=True, required=False)
    priority = EntrySerializer(many=True, required=False)
    status = EntrySerializer(many=True, required=False)


class CloseSerializer(StrictSerializer):
    status = serializers.ChoiceField(CLOSING, required=False)
    stage = EntryField(Kind.STATUS, required=False, help_text="One of the workspace's closing statuses instead.")
    cancel_tasks = serializers.BooleanField(default=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if ("status" in attrs) == ("stage" in attrs):
            raise serializers.ValidationError({"status": "Give a status or a stage: one of the two."})
        return attrs


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
