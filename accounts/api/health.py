"""Health and lifecycles over the API: scores with their measures, an account's breakdown and history, the rules."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, ClassVar

import django_filters
from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.utils import extend_schema_view
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import lifecycle
from accounts.api.rules import RuleJson
from accounts.api.stored_rules import changed, read_rule, refused
from accounts.fields import workspace_fields
from accounts.health import defining
from accounts.health.defining import CannotSave, MeasureWording, ScoreWording
from accounts.health.reading import Breakdown, breakdown_of
from accounts.models import Account, HealthMeasure, HealthReading, HealthScore, LifecycleRule
from accounts.rule_field import people_of
from accounts.rules.fields import FieldSet, Subject
from cs_platform.rest.fields import StrictSerializer
from cs_platform.rest.filters import is_given
from cs_platform.rest.problems import Conflict
from cs_platform.rest.schema import documented
from cs_platform.rest.viewsets import ApiViewSet, Listed, Retrieved
from cs_platform.tenancy.roles import Ability

WEIGHT: dict[str, Any] = {"min_value": 0.1, "max_value": 100}


class HealthMeasureSerializer(serializers.ModelSerializer[HealthMeasure]):
    healthy = RuleJson(read_only=True)
    poor = RuleJson(read_only=True)

    class Meta:
        model = HealthMeasure
        fields = ("id", "name", "weight", "healthy", "poor", "when_unknown")
        read_only_fields = fields


class HealthScoreSerializer(serializers.ModelSerializer[HealthScore]):
    applies_to = RuleJson(read_only=True)
    measures = HealthMeasureSerializer(many=True, read_only=True)

    class Meta:
        model = HealthScore
        fields = ("id", "name", "weight", "applies_to", "measures", "created_at", "archived_at")
        read_only_fields = fields


class MeasureSerializer(StrictSerializer):
    name = serializers.CharField(max_length=100)
    weight = serializers.FloatField(default=1, **WEIGHT)
    healthy = RuleJson()
    poor = RuleJson(required=False, allow_null=True, default=None)
    when_unknown = serializers.ChoiceField(HealthMeasure.Unknown.choices, default=HealthMeasure.Unknown.LEAVE_OUT)


class HealthScoreEditSerializer(StrictSerializer):
    name = serializers.CharField(max_length=100, required=False)
    weight = serializers.FloatField(required=False, **WEIGHT)
    applies_to = RuleJson(required=False, allow_null=True, help_text="null: all subscribed and trialing accounts.")
    measures = serializers.ListField(
        child=MeasureSerializer(),
        required=False,
        max_length=defining.MOST_MEASURES,
        help_text="All of them: one that is left out goes. One of the same name stays itself.",
    )


class NewHealthScoreSerializer(HealthScoreEditSerializer):
    name = serializers.CharField(max_length=100)


class HealthReasonSerializer(serializers.Serializer[Any]):
    name = serializers.CharField(help_text="Of the measure.")
    grade = serializers.ChoiceField(["healthy", "concerning", "poor", "unknown"])
    sentence = serializers.CharField()


class AccountScoreSerializer(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    name = serializers.CharField()
    weight = serializers.FloatField()
    value = serializers.FloatField(allow_null=True)
    delta = serializers.FloatField(allow_null=True, help_text="Against thirty days ago.")
    reasons = HealthReasonSerializer(many=True)


class AccountHealthSerializer(serializers.Serializer[Breakdown]):
    """The whole, and what each score says of this account."""

    value = serializers.FloatField(allow_null=True)
    delta = serializers.FloatField(allow_null=True, help_text="Against thirty days ago.")
    scores = AccountScoreSerializer(many=True)


class HealthReadingSerializer(serializers.ModelSerializer[HealthReading]):
    """Holds until the next one of the same score; `score` null: the account's health as a whole."""

    grades = serializers.DictField(read_only=True, help_text="Measure id to healthy, concerning, poor or unknown.")

    class Meta:
        model = HealthReading
        fields = ("id", "score", "on", "value", "grades", "is_current")
        read_only_fields = fields


class LifecycleRulesSerializer(StrictSerializer):
    """Asked in this order; who fits none is subscribed."""

    ignored = RuleJson(required=False, allow_null=True, default=None)
    trialing = RuleJson(required=False, allow_null=True, default=None)
    churned = RuleJson(required=False, allow_null=True, default=None)


class HealthScoreFilters(django_filters.FilterSet):
    archived = django_filters.BooleanFilter(method="with_archived", label="Archived ones instead of the present ones.")

    class Meta:
        model = HealthScore
        fields: list[str] = []

    def filter_queryset(self, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return super().filter_queryset(is_given(queryset, "archived_at", self.form.cleaned_data["archived"] or False))

    def with_archived(self, queryset: QuerySet[Any], name: str, value: bool) -> QuerySet[Any]:
        return queryset


class HealthReadingFilters(django_filters.FilterSet):
    score = django_filters.NumberFilter(field_name="score_id", label="Of one score.")
    whole = django_filters.BooleanFilter(field_name="score", lookup_expr="isnull", label="Of the account as a whole.")

    class Meta:
        model = HealthReading
        fields: list[str] = []


@extend_schema_view(
    list=documented("List health scores", answers=HealthScoreSerializer, many=True),
    retrieve=documented("Read a health score", answers=HealthScoreSerializer),
)
class HealthScoreViewSet(Listed, Retrieved, ApiViewSet):
    """Named scores, each with the measures it is the mean of."""

    model = HealthScore
    writes = Ability.MANAGE_DATA
    serializer_class = HealthScoreSerializer
    filterset_class = HealthScoreFilters
    orderings: ClassVar = {"id": "id", "name": "name"}
    default_ordering = "id"

    def rows(self) -> QuerySet[HealthScore]:
        return HealthScore.objects.prefetch_related("measures")

    @documented("Create a health score", request=NewHealthScoreSerializer, answers=HealthScoreSerializer, status=201)
    def create(self, request: Request) -> Response:
        saved = self._save(None, self.valid(NewHealthScoreSerializer))
        return self.answer(self.get_queryset().get(pk=saved.pk), status=HTTPStatus.CREATED)

    @documented("Change a health score", request=HealthScoreEditSerializer, answers=HealthScoreSerializer)
    def partial_update(self, request: Request, pk: str) -> Response:
        score = self.get_object()
        if score.archived_at:
            raise Conflict("It is archived. Restore it first.")
        self._save(score, self.valid(HealthScoreEditSerializer))
        return self.fresh(score)

    @documented("Archive a health score", answers=HealthScoreSerializer)
    @action(detail=True, methods=["post"])
    def archive(self, request: Request, pk: str) -> Response:
        score = self.get_object()
        defining.archive_score(score, tenant=self.tenant, by=self.caller, now=self.now)
        return self.fresh(score)

    @documented("Restore an archived health score", answers=HealthScoreSerializer)
    @action(detail=True, methods=["post"])
    def restore(self, request: Request, pk: str) -> Response:
        score = self.get_object()
        try:
            defining.restore_score(score, tenant=self.tenant, by=self.caller, now=self.now)
        except CannotSave as refusal:
            raise Conflict(str(refusal)) from None
        return self.fresh(score)

    def _save(self, score: HealthScore | None, given: Mapping[str, Any]) -> HealthScore:
        fields = workspace_fields()
        stored = {name: getattr(score, name) for name in ("name", "weight", "applies_to")} if score else {}
        wanted = changed({"weight": 1, "applies_to": None} | stored, given)
        applies_to = read_rule(wanted["applies_to"], subject=Subject.ACCOUNT, at="applies_to", fields=fields)
        measures = _measures(given["measures"], fields) if "measures" in given else None
        try:
            wording = ScoreWording(wanted["name"], wanted["weight"], applies_to)
            saved = defining.save_score(score, wording=wording, tenant=self.tenant, by=self.caller, now=self.now)
            if measures is not None:
                defining.set_measures(saved, wordings=measures, tenant=self.tenant, by=self.caller, now=self.now)
        except CannotSave as refusal:
            raise refused(refusal.field, str(refusal)) from None
        return saved


def _measures(given: Sequence[Mapping[str, Any]], fields: FieldSet) -> list[MeasureWording]:
    return [
        MeasureWording(**(one | {name: _measure_rule(one, at, name, fields) for name in ("healthy", "poor")}))  # type: ignore[operator]
        for at, one in enumerate(given)
    ]


def _measure_rule(one: Mapping[str, Any], at: int, name: str, fields: FieldSet) -> Any:
    rule = read_rule(one[name], subject=Subject.ACCOUNT, at=f"measures[{at}].{name}", fields=fields)
    if name == "healthy" and rule is None:
        raise refused(f"measures/{at}/healthy", "Say when an account is healthy.")
    return rule


class AccountHealthViewSet(ApiViewSet):
    """What each score says of one account now, and why."""

    model = HealthReading
    serializer_class = AccountHealthSerializer

    @documented("Read an account's health, with its reasons", answers=AccountHealthSerializer)
    def read(self, request: Request, account_id: str) -> Response:
        account = get_object_or_404(Account.objects.all(), pk=account_id)
        today = timezone.localdate(self.now)
        people = people_of(self.tenant.pk)
        return self.answer(breakdown_of(account, fields=workspace_fields(), people=people, today=today))


@extend_schema_view(list=documented("List an account's health readings", answers=HealthReadingSerializer, many=True))
class HealthReadingViewSet(Listed, ApiViewSet):
    """The history of one account's health: a reading for each day on which something changed."""

    model = HealthReading
    serializer_class = HealthReadingSerializer
    filterset_class = HealthReadingFilters
    orderings: ClassVar = {"on": "on"}
    default_ordering = "-on"

    def rows(self) -> QuerySet[HealthReading]:
        account = get_object_or_404(Account.objects.all(), pk=self.kwargs["account_id"])
        return HealthReading.objects.filter(account=account)


class LifecycleRulesViewSet(ApiViewSet):
    """Which accounts are ignored, trialing or churned."""

    model = LifecycleRule
    writes = Ability.MANAGE_DATA
    serializer_class = LifecycleRulesSerializer

    @documented("Read the lifecycle rules", answers=LifecycleRulesSerializer)
    def read(self, request: Request) -> Response:
        return self.answer(self._stored())

    @documented("Replace the lifecycle rules", request=LifecycleRulesSerializer, answers=LifecycleRulesSerializer)
    def replace(self, request: Request) -> Response:
        """All of them at once: null, or left out, takes a rule away."""
        given, fields = self.valid(LifecycleRulesSerializer), workspace_fields()
        read = {
            outcome: read_rule(given[outcome], subject=Subject.ACCOUNT, at=outcome, fields=fields)
            for outcome in lifecycle.ORDER
        }
        rules = {outcome: rule for outcome, rule in read.items() if rule}
        try:
            lifecycle.save_rules(rules, tenant=self.tenant, by=self.caller, now=self.now)
        except lifecycle.CannotSave as refusal:
            raise refused(refusal.outcome, str(refusal)) from None
        return self.answer(self._stored())

    def _stored(self) -> dict[str, Any]:
        stored = {one.lifecycle: one.rule for one in LifecycleRule.objects.all()}
        return {str(outcome): stored.get(outcome) for outcome in lifecycle.ORDER}
