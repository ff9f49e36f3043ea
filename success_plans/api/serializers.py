from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from accounts.models import Account, EndUser
from cs_platform.rest.fields import IdField, MemberField, StrictSerializer
from ctas.api.serializers import TaskSerializer
from ctas.models import CLOSED, Cta
from success_plans.custom_fields import KINDS
from success_plans.models import Objective, PlanTemplate, PlanType, ShareLink, ShareVisit, Stakeholder, SuccessPlan
from success_plans.planning import OpenObjectives
from success_plans.progress import NOTHING, load_progress, standing
from success_plans.sharing import MOST_DAYS, USUAL_DAYS

OUTCOMES = [choice for choice in Cta.Status.choices if choice[0] in CLOSED]
OF_OBJECTIVES = [
    (OpenObjectives.CLOSE.value, "Close them too"),
    (OpenObjectives.KEEP.value, "Leave them open in the plan"),
    (OpenObjectives.LEAVE.value, "Take them out of the plan"),
]


@extend_schema_field({"type": "object", "additionalProperties": True})
class ValuesField(serializers.DictField):
    """What the plan says in the fields of its type, by key; null takes a value away."""


# --- plans ------------------------------------------------------------------------------------------------------------


class ProgressSerializer(serializers.Serializer[Any]):
    percent = serializers.IntegerField()
    objectives = serializers.IntegerField()
    closed = serializers.IntegerField()
    tasks = serializers.IntegerField()
    done = serializers.IntegerField()
    next_due = serializers.DateField(allow_null=True)
    last_due = serializers.DateField(allow_null=True)


class PlanListSerializer(serializers.ListSerializer[Any]):
    """The progress of a whole page is asked for at once."""

    def to_representation(self, data: Any) -> Any:
        rows = list(data)
        context: Any = self.context  # the root's, which the rows read as well
        context["progress"] = load_progress([row.pk for row in rows]) if rows else {}
        return super().to_representation(rows)


class PlanSerializer(serializers.ModelSerializer[SuccessPlan]):
    values = ValuesField(read_only=True)
    progress = serializers.SerializerMethodField()
    standing = serializers.SerializerMethodField()

    class Meta:
        model = SuccessPlan
        list_serializer_class = PlanListSerializer
        fields = (
            "id",
            "account",
            "type",
            "template",
            "name",
            "owner",
            "status",
            "standing",
            "progress",
            "start_on",
            "due_on",
            "highlights",
            "metric",
            "metric_unit",
            "metric_start",
            "metric_now",
            "metric_goal",
            "values",
            "created_at",
            "created_by",
            "activated_at",
            "closed_at",
            "closed_by",
            "touched_at",
            "archived_at",
        )
        read_only_fields = fields

    @extend_schema_field(ProgressSerializer)
    def get_progress(self, plan: SuccessPlan) -> Any:
        return ProgressSerializer(self._progress(plan)).data

    @extend_schema_field(serializers.CharField(help_text="On track, At risk, Overdue, Draft or Closed: as of today."))
    def get_standing(self, plan: SuccessPlan) -> str:
        today = timezone.localdate(self.context["view"].now)
        return standing(plan, self._progress(plan), today=today).label

    def _progress(self, plan: SuccessPlan) -> Any:
        known = self.context.get("progress")
        known = load_progress([plan.pk]) if known is None or plan.pk not in known else known
        return known.get(plan.pk, NOTHING)


def present_types() -> Any:
    return PlanType.objects.filter(archived_at=None)


def present_templates() -> Any:
    return PlanTemplate.objects.filter(archived_at=None)


class PlanEditSerializer(StrictSerializer):
    name = serializers.CharField(max_length=500, required=False)
    type = IdField(present_types, required=False)
    owner = MemberField(required=False, allow_null=True)
    start_on = serializers.DateField(required=False, allow_null=True)
    due_on = serializers.DateField(required=False, allow_null=True)
    highlights = serializers.CharField(max_length=10_000, allow_blank=True, required=False)
    metric = serializers.CharField(max_length=100, allow_blank=True, required=False)
    metric_unit = serializers.CharField(max_length=12, allow_blank=True, required=False)
    metric_start = serializers.FloatField(required=False, allow_null=True)
    metric_now = serializers.FloatField(required=False, allow_null=True)
    metric_goal = serializers.FloatField(required=False, allow_null=True)
    values = ValuesField(required=False)


class NewPlanSerializer(PlanEditSerializer):
    account = IdField(lambda: Account.objects.present())
    name = serializers.CharField(max_length=500)


class StartPlanSerializer(StrictSerializer):
    """A plan of a template: its objectives, tasks and values come from there."""

    template = IdField(present_templates)
    account = IdField(lambda: Account.objects.present())
    name = serializers.CharField(max_length=500)
    owner = MemberField(required=False, allow_null=True, default=None)
    start_on = serializers.DateField(required=False, help_text="Left out: today.")
    due_on = serializers.DateField(required=False, allow_null=True, default=None)


class ClosePlanSerializer(StrictSerializer):
    objectives = serializers.ChoiceField(OF_OBJECTIVES, help_text="What becomes of those that are still open.")
    outcome = serializers.ChoiceField(OUTCOMES, default="won", help_text="How they are closed, where they are.")


# --- objectives -------------------------------------------------------------------------------------------------------


class ObjectiveSerializer(serializers.ModelSerializer[Objective]):
    name = serializers.CharField(source="cta.name", read_only=True)
    status = serializers.ChoiceField(Cta.Status.choices, source="cta.status", read_only=True)
    owner = serializers.IntegerField(source="cta.owner_id", read_only=True, allow_null=True)
    due_on = serializers.DateField(source="cta.due_on", read_only=True, allow_null=True)
    needs = serializers.SerializerMethodField(help_text="Ids of the objectives it waits for.")
    warnings = serializers.SerializerMethodField()
    percent = serializers.SerializerMethodField()
    tasks = serializers.SerializerMethodField()

    class Meta:
        model = Objective
        fields = (
            "id",
            "plan",
            "cta",
            "name",
            "status",
            "owner",
            "category",
            "weight",
            "position",
            "start_on",
            "due_on",
            "percent",
            "needs",
            "warnings",
            "tasks",
            "joined_at",
            "joined_by",
        )
        read_only_fields = fields

    def get_needs(self, objective: Objective) -> list[int]:
        return [one.objective.pk for one in self._line(objective).needs]

    def get_warnings(self, objective: Objective) -> list[str]:
        return list(self._line(objective).warnings)

    def get_percent(self, objective: Objective) -> int:
        percent: int = self._line(objective).percent
        return percent

    @extend_schema_field(TaskSerializer(many=True))
    def get_tasks(self, objective: Objective) -> Any:
        tasks = list(self._line(objective).tasks)
        for task in tasks:
            task.cta = objective.cta
        return TaskSerializer(tasks, many=True).data

    def _line(self, objective: Objective) -> Any:
        return self.context["lines"][objective.pk]


class ObjectivesSerializer(serializers.Serializer[Any]):
    objectives = ObjectiveSerializer(many=True)


class ObjectiveEditSerializer(StrictSerializer):
    name = serializers.CharField(max_length=500, required=False)
    category = serializers.CharField(max_length=100, allow_blank=True, required=False)
    weight = serializers.IntegerField(min_value=1, max_value=100, required=False)
    owner = MemberField(required=False, allow_null=True)
    start_on = serializers.DateField(required=False, allow_null=True)
    due_on = serializers.DateField(required=False, allow_null=True)
    comment = serializers.CharField(max_length=50_000, allow_blank=True, required=False)
    position = serializers.IntegerField(min_value=0, max_value=1_000, required=False, help_text="Counted from 0.")
    needs = serializers.ListField(
        child=serializers.IntegerField(min_value=1),
        max_length=100,
        required=False,
        help_text="Ids of objectives of the same plan that end before it begins.",
    )


class NewObjectiveSerializer(ObjectiveEditSerializer):
    """A new CTA of type Objective; or with `cta`, one that is there already and keeps what it says."""

    plan = IdField(lambda: SuccessPlan.objects.present().select_related("type", "account"))
    cta = IdField(lambda: Cta.objects.present(), required=False)

    def validate(self, given: dict[str, Any]) -> dict[str, Any]:
        if "cta" in given and (own := sorted(given.keys() & {"name", "owner", "due_on", "comment"})):
            raise serializers.ValidationError({name: ["The CTA has this already."] for name in own})
        if "cta" not in given and "name" not in given:
            raise serializers.ValidationError({"name": ["Name it, or say which CTA joins."]})
        return given


# --- people and comments ----------------------------------------------------------------------------------------------


class StakeholderSerializer(serializers.ModelSerializer[Stakeholder]):
    user = serializers.PrimaryKeyRelatedField[EndUser](source="end_user", read_only=True)
    tasks = serializers.SerializerMethodField(help_text="Ids of those they do themselves.")

    class Meta:
        model = Stakeholder
        fields = ("id", "plan", "user", "name", "email", "role", "tasks", "added_at")
        read_only_fields = fields

    def get_tasks(self, stakeholder: Stakeholder) -> list[int]:
        return sorted(one.task_id for one in stakeholder.tasks.all())


class GivenTaskSerializer(StrictSerializer):
    task = serializers.IntegerField(min_value=1, max_value=2**63 - 1)
    stakeholder = IdField(lambda: Stakeholder.objects.all(), allow_null=True)


class GivenSerializer(StrictSerializer):
    tasks = serializers.ListField(child=GivenTaskSerializer(), max_length=500)


class StakeholdersSerializer(serializers.Serializer[Any]):
    stakeholders = StakeholderSerializer(many=True)


class NewStakeholderSerializer(StrictSerializer):
    user = IdField(lambda: EndUser.objects.filter(archived_at=None), source="end_user", required=False)
    name = serializers.CharField(max_length=200, required=False)
    email = serializers.EmailField(required=False)
    role = serializers.CharField(max_length=100, allow_blank=True, required=False)


class RemoveStakeholderSerializer(StrictSerializer):
    id = serializers.IntegerField(min_value=1)


# --- types and templates ----------------------------------------------------------------------------------------------


class PlanFieldSerializer(StrictSerializer):
    key = serializers.RegexField(r"^[a-z][a-z0-9_]{0,39}$", required=False, help_text="Left out: made from the label.")
    label = serializers.CharField(max_length=100)  # type: ignore[assignment]
    kind = serializers.ChoiceField(KINDS, default="text")
    group = serializers.CharField(max_length=60, allow_blank=True, default="")
    choices = serializers.ListField(child=serializers.CharField(max_length=100), max_length=100, default=list)


class TypeSerializer(serializers.ModelSerializer[PlanType]):
    categories = serializers.ListField(child=serializers.CharField(), read_only=True)
    fields_of_its_own = PlanFieldSerializer(source="fields", many=True, read_only=True)

    class Meta:
        model = PlanType
        fields = ("id", "name", "formula", "categories", "fields_of_its_own", "created_at", "archived_at")
        read_only_fields = fields


class TypeEditSerializer(StrictSerializer):
    name = serializers.CharField(max_length=100, required=False)
    formula = serializers.ChoiceField(PlanType.Formula.choices, required=False)
    categories = serializers.ListField(child=serializers.CharField(max_length=100), max_length=30, required=False)
    fields_of_its_own = PlanFieldSerializer(many=True, required=False)


class NewTypeSerializer(TypeEditSerializer):
    name = serializers.CharField(max_length=100)


class TaskLineSerializer(StrictSerializer):
    title = serializers.CharField(max_length=500)
    description = serializers.CharField(max_length=10_000, allow_blank=True, default="")
    due_day = serializers.IntegerField(min_value=0, max_value=1_000, allow_null=True, default=None)
    owner = serializers.CharField(max_length=260, allow_blank=True, default="")


class ObjectiveLineSerializer(StrictSerializer):
    name = serializers.CharField(max_length=500)
    category = serializers.CharField(max_length=100, allow_blank=True, default="")
    weight = serializers.IntegerField(min_value=1, max_value=100, default=1)
    start_day = serializers.IntegerField(
        min_value=0, max_value=1_000, allow_null=True, default=None, help_text="Days after the start of the plan."
    )
    due_day = serializers.IntegerField(min_value=0, max_value=1_000, allow_null=True, default=None)
    owner = serializers.CharField(
        max_length=260, allow_blank=True, default="", help_text="Empty: the plan's owner. csm, ae or member:<email>."
    )
    comment = serializers.CharField(max_length=10_000, allow_blank=True, default="")
    needs = serializers.ListField(
        child=serializers.IntegerField(min_value=0), default=list, help_text="Places in this list, from 0."
    )
    playbook = serializers.CharField(
        max_length=100, allow_blank=True, default="", help_text="Key of a live CTA playbook that is applied to it."
    )
    tasks = TaskLineSerializer(many=True, default=list)


class OutlineSerializer(StrictSerializer):
    highlights = serializers.CharField(max_length=10_000, allow_blank=True, default="")
    values = ValuesField(default=dict)
    objectives = ObjectiveLineSerializer(many=True, default=list)
    on_weekends = serializers.BooleanField(
        default=False, help_text="Due dates may fall on weekends and holidays; otherwise the next working day."
    )


class TemplateSerializer(serializers.ModelSerializer[PlanTemplate]):
    definition = OutlineSerializer(read_only=True)

    class Meta:
        model = PlanTemplate
        fields = (
            "id",
            "key",
            "name",
            "description",
            "type",
            "duration_days",
            "definition",
            "created_at",
            "archived_at",
        )
        read_only_fields = fields


class TemplateEditSerializer(StrictSerializer):
    name = serializers.CharField(max_length=200, required=False)
    key = serializers.RegexField(r"^[a-z0-9][a-z0-9-]{0,59}$", required=False)
    description = serializers.CharField(max_length=2_000, allow_blank=True, required=False)
    type = IdField(present_types, required=False)
    duration_days = serializers.IntegerField(min_value=0, max_value=1_000, allow_null=True, required=False)
    definition = OutlineSerializer(required=False)


class NewTemplateSerializer(TemplateEditSerializer):
    name = serializers.CharField(max_length=200)
    type = IdField(present_types)


# --- share links ------------------------------------------------------------------------------------------------------


class LinkSerializer(serializers.ModelSerializer[ShareLink]):
    parts = serializers.ListField(child=serializers.CharField(), read_only=True)
    holds = serializers.SerializerMethodField()

    class Meta:
        model = ShareLink
        fields = (
            "id",
            "plan",
            "name",
            "parts",
            "last_four",
            "holds",
            "created_at",
            "created_by",
            "expires_at",
            "revoked_at",
        )
        read_only_fields = fields

    def get_holds(self, link: ShareLink) -> bool:
        return link.holds_at(self.context["view"].now)


class NewLinkAnswerSerializer(LinkSerializer):
    address = serializers.CharField(read_only=True, help_text="Told only here; nobody can show it again.")

    class Meta(LinkSerializer.Meta):
        fields: Any = (*LinkSerializer.Meta.fields, "address")
        read_only_fields: Any = fields


class LinkEditSerializer(StrictSerializer):
    name = serializers.CharField(max_length=100, required=False)
    days = serializers.IntegerField(min_value=1, max_value=MOST_DAYS, required=False, help_text="Counted from now.")
    parts = serializers.ListField(child=serializers.CharField(max_length=60), max_length=300, required=False)


class NewLinkSerializer(LinkEditSerializer):
    plan = IdField(lambda: SuccessPlan.objects.present().select_related("type"))
    name = serializers.CharField(max_length=100)
    days = serializers.IntegerField(min_value=1, max_value=MOST_DAYS, default=USUAL_DAYS)
    parts = serializers.ListField(child=serializers.CharField(max_length=60), max_length=300, default=list)


class VisitSerializer(serializers.ModelSerializer[ShareVisit]):
    class Meta:
        model = ShareVisit
        fields = ("first_at", "last_at", "times", "ip_address", "browser")
        read_only_fields = fields


class VisitsSerializer(serializers.Serializer[Any]):
    visits = VisitSerializer(many=True)
