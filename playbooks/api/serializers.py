"""What playbooks, enrollments and their runs look like from outside."""

from functools import cached_property
from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from accounts.models import Account, EndUser
from actions.registry import action_for
from cs_platform.rest.fields import IdField, StrictSerializer
from ctas.models import Cta
from playbooks.conflicts import Finding
from playbooks.drafts import problems_of
from playbooks.forecast import Cost, Load
from playbooks.history import line
from playbooks.models import (
    ActionRun,
    Approval,
    Enrollment,
    Evaluation,
    EvaluationRun,
    LedgerEntry,
    Playbook,
    PlaybookVersion,
    Withheld,
)
from playbooks.moving import Passed
from playbooks.pausing import Missed
from playbooks.task_lists import Removal
from playbooks.undo import StopLine
from playbooks.versions import exported

NOTE_LIMIT = 1_000
IDS_LIMIT = 500
MAX_ID = 2**63 - 1


class IdsField(serializers.ListField):
    def __init__(self, **kwargs: Any) -> None:
        super().__init__(
            child=serializers.IntegerField(min_value=1, max_value=MAX_ID), min_length=1, max_length=IDS_LIMIT, **kwargs
        )


class PlaybookSerializer(serializers.ModelSerializer[Playbook]):
    version = serializers.IntegerField(source="version_number", read_only=True, allow_null=True)
    has_draft = serializers.BooleanField(read_only=True)

    class Meta:
        model = Playbook
        fields: tuple[str, ...] = (
            "id",
            "key",
            "name",
            "category",
            "icon",
            "audience",
            "status",
            "version",
            "has_draft",
            "live_at",
            "created_at",
        )
        read_only_fields = fields


class WholePlaybookSerializer(PlaybookSerializer):
    definition = serializers.SerializerMethodField(help_text="Published, in the form that import reads.")
    draft = serializers.SerializerMethodField(help_text="Drafted and not yet published.")

    class Meta(PlaybookSerializer.Meta):
        fields = (*PlaybookSerializer.Meta.fields, "definition", "draft")
        read_only_fields = fields

    @extend_schema_field({"type": ["object", "null"], "additionalProperties": {}})
    def get_definition(self, playbook: Playbook) -> dict[str, Any] | None:
        return exported(playbook, playbook.version) if playbook.version else None

    @extend_schema_field({"type": ["object", "null"], "additionalProperties": {}})
    def get_draft(self, playbook: Playbook) -> dict[str, Any] | None:
        draft = playbook.versions.filter(published_at__isnull=True).first()
        return exported(playbook, draft) if draft else None


class VersionSerializer(serializers.ModelSerializer[PlaybookVersion]):
    class Meta:
        model = PlaybookVersion
        fields = ("id", "number", "created_at", "published_at", "published_by")
        read_only_fields = fields


DEFINITION = {
    "application/json": {
        "type": "object",
        "description": "A playbook as export writes it; docs/playbooks.md describes every part.",
    }
}


class ArchiveSerializer(StrictSerializer):
    stop = serializers.BooleanField(
        default=False, help_text="Also stop it wherever it is under way. Without this, such a playbook is not archived."
    )


class LiveSerializer(StrictSerializer):
    expected_count = serializers.IntegerField(
        required=False,
        allow_null=True,
        default=None,
        min_value=0,
        help_text="How many you expect it to apply to at first; far more are held for a person.",
    )


PASSED = [(one.value, one.value) for one in Passed]


class MoveSerializer(StrictSerializer):
    passed = serializers.ChoiceField(
        choices=PASSED, default=Passed.SKIP.value, help_text="New actions whose day is over: skipped, or run at once."
    )


class PublishSerializer(MoveSerializer):
    running = serializers.ChoiceField(
        choices=[("finish", "finish"), ("move", "move")],
        default="finish",
        help_text="What is under way finishes on the version it began with, or a job moves it to the new one.",
    )


class StepMovesSerializer(serializers.Serializer[Any]):
    change = serializers.ChoiceField(choices=["removed", "changed", "added", "same"])
    says = serializers.CharField()
    open = serializers.IntegerField(help_text="In how many places it is cancelled, changed or added.")
    done = serializers.IntegerField(help_text="In how many it was done, and stays.")
    passed = serializers.IntegerField(help_text="Of those it is added to: for how many its day is over.")


class MoveAheadSerializer(serializers.Serializer[Any]):
    running = serializers.IntegerField(help_text="How many run on another version.")
    steps = StepMovesSerializer(many=True)


class ResumeSerializer(StrictSerializer):
    missed = serializers.ChoiceField(
        choices=[(one.value, one.value) for one in Missed],
        default=Missed.RUN.value,
        help_text="What fell due while it was paused: run in its order, or skipped.",
    )


class ZoneChangeSerializer(serializers.Serializer[Any]):
    before = serializers.CharField()
    after = serializers.CharField()
    enrollments = serializers.IntegerField()
    runs = serializers.IntegerField(help_text="Actions to come, which move.")


class PromoteSerializer(StrictSerializer):
    restart = serializers.BooleanField(
        default=False, help_text="Those the dry run recorded begin today, on day 1. Without this, only new ones do."
    )


class RunSerializer(serializers.ModelSerializer[ActionRun]):
    step = serializers.CharField(source="step.key", read_only=True)
    action = serializers.CharField(source="step.action", read_only=True)
    account = serializers.IntegerField(source="enrollment.account_id", read_only=True)
    playbook = serializers.IntegerField(source="enrollment.playbook_id", read_only=True)
    says = serializers.SerializerMethodField(help_text="What it did, or will do, as a sentence.")

    class Meta:
        model = ActionRun
        fields = (
            "id",
            "enrollment",
            "playbook",
            "account",
            "step",
            "action",
            "state",
            "says",
            "due_on",
            "due_at",
            "try_at",
            "attempt",
            "settled_at",
            "reason_code",
            "reason",
            "receipt",
        )
        read_only_fields = fields

    @cached_property
    def planned(self) -> dict[int, str]:
        """What steps will do, for all runs of a list."""
        return {}

    def get_says(self, run: ActionRun) -> str:
        return line(run, self.planned).says


class ApprovalSerializer(serializers.ModelSerializer[Approval]):
    run = serializers.UUIDField(source="run_id", read_only=True)
    playbook = serializers.IntegerField(source="enrollment.playbook_id", read_only=True)
    account = serializers.IntegerField(source="enrollment.account_id", read_only=True)
    user = serializers.IntegerField(source="enrollment.end_user_id", read_only=True, allow_null=True)
    step = serializers.CharField(source="asked_about.step.key", read_only=True)
    action = serializers.CharField(source="asked_about.step.action", read_only=True)
    says = serializers.SerializerMethodField(help_text="What it would do, as a sentence.")

    class Meta:
        model = Approval
        fields = (
            "id",
            "run",
            "enrollment",
            "playbook",
            "account",
            "user",
            "step",
            "action",
            "says",
            "asks",
            "state",
            "otherwise",
            "asked_at",
            "expires_at",
            "decided_at",
            "decided_by",
            "note",
        )
        read_only_fields = fields

    @cached_property
    def planned(self) -> dict[int, str]:
        return {}

    def get_says(self, approval: Approval) -> str:
        step = approval.asked_about.step  # type: ignore[attr-defined]
        if step.pk not in self.planned:
            self.planned[step.pk] = action_for(step.action).describe(step.config)
        return self.planned[step.pk]


class VerdictSerializer(StrictSerializer):
    note = serializers.CharField(max_length=NOTE_LIMIT, allow_blank=True, default="", help_text="For the whole team.")


class DecideApprovalsSerializer(VerdictSerializer):
    ids = IdsField(help_text="Of approvals that wait.")
    verdict = serializers.ChoiceField(choices=["approve", "reject"])


class DecideDraftsSerializer(StrictSerializer):
    ids = IdsField(help_text="Of pending conversations.")
    verdict = serializers.ChoiceField(choices=["send_now", "cancel"])


class DecidedSerializer(serializers.Serializer[Any]):
    """Each is judged by itself: what was settled before stays as it is."""

    decided = serializers.ListField(child=serializers.IntegerField())
    unchanged = serializers.ListField(
        child=serializers.IntegerField(), help_text="Settled before, or not there at all."
    )


class LedgerSerializer(serializers.ModelSerializer[LedgerEntry]):
    run = serializers.UUIDField(source="run_id", read_only=True, allow_null=True)

    class Meta:
        model = LedgerEntry
        fields = ("id", "at", "run", "from_state", "to_state", "actor", "reason")
        read_only_fields = fields


class EnrollmentSerializer(serializers.ModelSerializer[Enrollment]):
    version = serializers.IntegerField(source="version_number", read_only=True)
    user = serializers.PrimaryKeyRelatedField[EndUser](source="end_user", read_only=True)
    dry_run = serializers.BooleanField(source="is_dry", read_only=True, help_text="Only recorded: nothing was done.")

    class Meta:
        model = Enrollment
        fields: tuple[str, ...] = (
            "id",
            "playbook",
            "version",
            "account",
            "user",
            "cta",
            "state",
            "dry_run",
            "timezone",
            "activated_at",
            "activated_on",
            "occasion",
            "applied_by",
            "steps_total",
            "steps_done",
            "progress",
            "completed_at",
            "outcome_at",
            "stop_requested_at",
            "stopped_at",
            "stopped_by",
            "stop_note",
        )
        read_only_fields = fields


class LeftOutSerializer(serializers.ModelSerializer[Withheld]):
    version = serializers.IntegerField(
        source="version.number", read_only=True, help_text="That found them first: its outcome counts."
    )
    user = serializers.PrimaryKeyRelatedField[EndUser](source="end_user", read_only=True)

    class Meta:
        model = Withheld
        fields = ("id", "playbook", "version", "account", "user", "matched_at", "outcome_at")
        read_only_fields = fields


class WholeEnrollmentSerializer(EnrollmentSerializer):
    runs = RunSerializer(many=True, read_only=True)
    history = LedgerSerializer(source="ledger", many=True, read_only=True, help_text="The latest 500, newest first.")

    class Meta(EnrollmentSerializer.Meta):
        fields = (*EnrollmentSerializer.Meta.fields, "runs", "history")
        read_only_fields = fields


class ApplySerializer(StrictSerializer):
    playbook = IdField(lambda: Playbook.objects.select_related("version", "tenant"), help_text="A live one.")
    account = IdField(
        lambda: Account.objects.present(),
        required=False,
        allow_null=True,
        default=None,
        help_text="Unless a CTA is given.",
    )
    cta = IdField(
        lambda: Cta.objects.present(),
        required=False,
        allow_null=True,
        default=None,
        help_text="For CTA playbooks: an open one, of a type the playbook is for.",
    )
    user = IdField(
        lambda: EndUser.objects.filter(archived_at__isnull=True),
        required=False,
        allow_null=True,
        default=None,
        help_text="For playbooks about users: one of the account's.",
    )


class SubjectSerializer(StrictSerializer):
    account = IdField(lambda: Account.objects.all())
    user = IdField(
        lambda: EndUser.objects.all(),
        required=False,
        allow_null=True,
        default=None,
        help_text="For playbooks about users: one of the account's.",
    )


class StopSerializer(StrictSerializer):
    note = serializers.CharField(max_length=NOTE_LIMIT, allow_blank=True, default="", help_text="For the whole team.")
    keep = serializers.ListField(
        child=serializers.UUIDField(), max_length=500, default=list, help_text="Runs that shall stay as they are."
    )
    keep_tasks = serializers.ListField(
        child=serializers.IntegerField(min_value=1),
        max_length=500,
        default=list,
        help_text="On a CTA: open tasks, edited since, that shall stay. Other edited ones are cancelled.",
    )


MOST_IDS = 1_000


class PlacesSerializer(StrictSerializer):
    enrollments = serializers.ListField(
        child=serializers.IntegerField(min_value=1, max_value=2**63 - 1),
        required=False,
        allow_null=True,
        allow_empty=False,
        default=None,
        max_length=MOST_IDS,
        help_text="Where: ids of its enrollments. Left out: wherever it is under way.",
    )
    finished = serializers.BooleanField(default=False, help_text="Where it has finished, too: undo what it did there.")


class StopAllSerializer(PlacesSerializer):
    note = serializers.CharField(max_length=NOTE_LIMIT, allow_blank=True, default="", help_text="For the whole team.")


class StepAheadSerializer(serializers.Serializer[Any]):
    says = serializers.CharField()
    on_stop = serializers.CharField(help_text="What stopping does to it, where it ran.")
    ran = serializers.IntegerField(help_text="In how many places it ran.")
    waiting = serializers.IntegerField(help_text="In how many it will not run.")


class StopAheadSerializer(serializers.Serializer[Any]):
    places = serializers.IntegerField()
    steps = StepAheadSerializer(many=True)


class ReplaceSerializer(StrictSerializer):
    playbook = IdField(lambda: Playbook.objects.select_related("version", "tenant"), help_text="A live CTA playbook.")
    keep_tasks = serializers.ListField(
        child=serializers.IntegerField(min_value=1),
        max_length=500,
        default=list,
        help_text="Open tasks of the old one, edited since, that shall stay. Other edited ones are cancelled.",
    )


class RemovalSerializer(serializers.Serializer[Any]):
    going = serializers.SerializerMethodField(help_text="Ids of open tasks nobody touched: archived.")
    asked = serializers.SerializerMethodField(help_text="Ids of open tasks edited since: name those to keep.")
    staying = serializers.SerializerMethodField(help_text="Ids of tasks that stay in any case.")

    @extend_schema_field(serializers.ListField(child=serializers.IntegerField()))
    def get_going(self, removal: Removal) -> list[int]:
        return [task.pk for task in removal.going]

    @extend_schema_field(serializers.ListField(child=serializers.IntegerField()))
    def get_asked(self, removal: Removal) -> list[int]:
        return [task.pk for task in removal.asked]

    @extend_schema_field(serializers.ListField(child=serializers.IntegerField()))
    def get_staying(self, removal: Removal) -> list[int]:
        return [task.pk for task in removal.staying]


class StopLineSerializer(serializers.Serializer[StopLine]):
    run = serializers.UUIDField(source="run_id")
    day = serializers.IntegerField()
    says = serializers.CharField()
    detail = serializers.CharField()


class StopPreviewSerializer(serializers.Serializer[Any]):
    undone = StopLineSerializer(many=True)
    cancelled = StopLineSerializer(many=True)
    kept = StopLineSerializer(many=True)


class StoppedSerializer(serializers.Serializer[Any]):
    enrollment = EnrollmentSerializer()
    outcome = StopPreviewSerializer()


class EvaluationSerializer(serializers.ModelSerializer[Evaluation]):
    version = serializers.IntegerField(source="version_number", read_only=True)
    started_at = serializers.DateTimeField(source="run.started_at", read_only=True)
    dry_run = serializers.BooleanField(source="is_dry", read_only=True)
    trigger = serializers.ChoiceField(EvaluationRun.Trigger.choices, source="run.trigger", read_only=True)

    class Meta:
        model = Evaluation
        fields = (
            "id",
            "run",
            "playbook",
            "version",
            "trigger",
            "started_at",
            "state",
            "dry_run",
            "matched",
            "enrolled",
            "released",
            "held_back",
            "left_out",
            "would_enroll",
            "would_release",
            "limit",
            "reason",
            "settled_at",
            "settled_by",
        )
        read_only_fields = fields


class EvaluationRunSerializer(serializers.ModelSerializer[EvaluationRun]):
    class Meta:
        model = EvaluationRun
        fields = ("id", "trigger", "local_date", "started_at", "finished_at", "duration_ms", "looked_at")
        read_only_fields = fields


@extend_schema_field(OpenApiTypes.OBJECT)
class SchemaField(serializers.JSONField):
    """A JSON Schema."""


class ActionSerializer(serializers.Serializer[Any]):
    key = serializers.CharField()
    label = serializers.CharField()  # type: ignore[assignment]  # Field has an attribute of that name
    audiences = serializers.ListField(child=serializers.CharField())
    external = serializers.BooleanField()
    reversible = serializers.BooleanField()
    config = SchemaField(help_text="JSON Schema of the step's `config`.")
    sample = SchemaField(help_text="A valid config.")


# Drafts ---------------------------------------------------------------------------------------------------------------


@extend_schema_field({"type": "object", "additionalProperties": {}})
class ContentField(serializers.JSONField):
    """A playbook in the form that import reads, finished or not."""

    def to_internal_value(self, data: Any) -> Any:
        if not isinstance(data, dict):
            raise serializers.ValidationError("A playbook is a JSON object.")
        return super().to_internal_value(data)


class BeginSerializer(StrictSerializer):
    name = serializers.CharField(max_length=200, allow_blank=True, default="")
    template = serializers.CharField(
        max_length=40, allow_blank=True, default="", help_text="The key of a template to begin with."
    )
    content = ContentField(required=False, default=None, help_text="What it says already, instead of a template.")


class ReviseSerializer(StrictSerializer):
    version = serializers.IntegerField(
        required=False,
        allow_null=True,
        default=None,
        min_value=1,
        max_value=10**9,
        help_text="Replaces the draft by what this version says. Left out: the draft there is, else a new one.",
    )


class ProblemSerializer(serializers.Serializer[Any]):
    path = serializers.CharField()
    message = serializers.CharField()


class AskSerializer(StrictSerializer):
    note = serializers.CharField(max_length=1_000, allow_blank=True, required=False, default="")


class DraftSerializer(serializers.ModelSerializer[PlaybookVersion]):
    content = ContentField(source="draft", read_only=True)
    problems = serializers.SerializerMethodField(help_text="What has to be mended before it can be published.")

    class Meta:
        model = PlaybookVersion
        fields = (
            "id",
            "playbook",
            "number",
            "revision",
            "changed_at",
            "changed_by",
            "asked_at",
            "asked_by",
            "asked_note",
            "content",
            "problems",
        )
        read_only_fields = fields

    @extend_schema_field(ProblemSerializer(many=True))
    def get_problems(self, version: PlaybookVersion) -> list[Any]:
        return list(ProblemSerializer(problems_of(version.draft or {}), many=True).data)


class PlaybookTemplateSerializer(serializers.Serializer[Any]):
    key = serializers.CharField()
    name = serializers.CharField()
    category = serializers.CharField()
    summary = serializers.CharField()
    content = ContentField()


class ExampleSerializer(serializers.Serializer[Any]):
    account = serializers.IntegerField(source="account.pk")
    user = serializers.IntegerField(source="user.pk", allow_null=True, default=None)
    name = serializers.CharField()


class LoadSerializer(serializers.Serializer[Load]):
    member = serializers.IntegerField(source="member.pk", allow_null=True, default=None)
    name = serializers.CharField(source="member.name", default="")
    tasks = serializers.IntegerField()
    ctas = serializers.IntegerField()
    conversations = serializers.IntegerField()
    already = serializers.IntegerField(help_text="Open tasks of theirs that are due by then, without this playbook.")


class CostSerializer(serializers.Serializer[Cost]):
    label = serializers.CharField()  # type: ignore[assignment]  # Field has an attribute of that name
    count = serializers.IntegerField()


class FindingSerializer(serializers.Serializer[Finding]):
    code = serializers.ChoiceField(choices=["feeds_itself", "reaches_itself", "against", "circle", "feeds", "fed_by"])
    severity = serializers.ChoiceField(source="tone", choices=["warn", "info"])
    says = serializers.CharField()
    detail = serializers.CharField()
    playbook = serializers.IntegerField(source="playbook.pk", allow_null=True, default=None, help_text="The other one.")


class AheadSerializer(serializers.Serializer[Any]):
    matched = serializers.IntegerField(help_text="How many meet the rules.")
    would_enroll = serializers.IntegerField(source="fresh", help_text="How many of them would be enrolled.")
    left_out = serializers.IntegerField(help_text="How many of them the holdout would leave out, to compare.")
    without_csm = serializers.IntegerField()
    limit = serializers.IntegerField(help_text="Above this the first evaluation is held.")
    examples = ExampleSerializer(many=True)
    loads = LoadSerializer(many=True, help_text="What it gives each of the team to do in the next 30 days.")
    costs = CostSerializer(many=True, help_text="What leaves the workspace in all, if every schedule is gone through.")


class PreviewSerializer(serializers.Serializer[Any]):
    version = serializers.IntegerField()
    problems = ProblemSerializer(many=True)
    ahead = AheadSerializer(
        allow_null=True, help_text="Null while there are problems, and where counting would take too long."
    )
    findings = FindingSerializer(many=True, help_text="What it and the live playbooks do to each other.")


class TriedSerializer(serializers.Serializer[Any]):
    on = serializers.DateField(allow_null=True, help_text="Null while the date it counts from is not set.")
    says = serializers.CharField()
    became = serializers.ChoiceField(choices=["applied", "skipped", "held", "failed", "waiting"])
    why = serializers.CharField()
    approval = serializers.CharField(help_text="Who is asked first. Empty: nobody.")


class DifferenceSerializer(serializers.Serializer[Any]):
    what = serializers.CharField()
    before = serializers.CharField()
    after = serializers.CharField()


class DefinitionsSerializer(StrictSerializer):
    playbooks = serializers.ListField(child=ContentField(), min_length=1, max_length=50)


class PlannedSerializer(serializers.Serializer[Any]):
    key = serializers.CharField()
    name = serializers.CharField()
    change = serializers.ChoiceField(choices=["new", "revises", "same", "wrong"])
    playbook = serializers.IntegerField(source="playbook.pk", allow_null=True, default=None)
    differences = DifferenceSerializer(many=True)
    problems = ProblemSerializer(many=True)
