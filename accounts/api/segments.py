"""Segments over the API: what they are, who is in, and putting in and taking out in bulk."""

from collections import Counter
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, ClassVar

import django_filters
from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema_field, extend_schema_view
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api.rules import RuleJson
from accounts.api.stored_rules import changed, read_rule, refused
from accounts.models import Account, EndUser, Segment, SegmentClaim, SegmentMembership
from accounts.rules.fields import Subject
from accounts.segments import defining
from accounts.segments.defining import CannotSave, Wording
from accounts.segments.listing import COUNT_LIMIT, stays_of, with_counts
from accounts.segments.members import add_by_hand, remove_by_hand
from cs_platform.rest.fields import StrictSerializer
from cs_platform.rest.filters import is_given
from cs_platform.rest.problems import Conflict
from cs_platform.rest.schema import documented
from cs_platform.rest.viewsets import ApiViewSet, Listed, Retrieved
from cs_platform.tenancy.roles import Ability

MAX_BULK = 1_000
BULK_COST = 10  # of a key's 50 requests
REFUSED = "refused"


class SegmentSerializer(serializers.ModelSerializer[Segment]):
    rule = RuleJson(read_only=True)
    members = serializers.SerializerMethodField(help_text=f"How many are in; at most {COUNT_LIMIT + 1:,} are counted.")

    class Meta:
        model = Segment
        fields = (
            "id",
            "scope",
            "name",
            "description",
            "rule",
            "members",
            "evaluated_at",
            "created_at",
            "created_by",
            "archived_at",
        )
        read_only_fields = fields

    def get_members(self, segment: Segment) -> int:
        counted: int = segment.counted  # type: ignore[attr-defined]
        return counted


class SegmentEditSerializer(StrictSerializer):
    name = serializers.CharField(max_length=100, required=False)
    description = serializers.CharField(max_length=500, allow_blank=True, required=False)
    rule = RuleJson(required=False, allow_null=True, help_text="null: people and playbooks fill it.")


class NewSegmentSerializer(StrictSerializer):
    scope = serializers.ChoiceField(Segment.Scope.choices)
    name = serializers.CharField(max_length=100)
    description = serializers.CharField(max_length=500, allow_blank=True, default="")
    rule = RuleJson(required=False, allow_null=True, default=None)


class SegmentClaimSerializer(serializers.ModelSerializer[SegmentClaim]):
    """Why: `rule`, `run:<uuid>`, or who did it."""

    class Meta:
        model = SegmentClaim
        fields = ("source", "made_at", "ended_at")
        read_only_fields = fields


class SegmentMemberSerializer(serializers.ModelSerializer[SegmentMembership]):
    user = serializers.PrimaryKeyRelatedField[EndUser](source="end_user", read_only=True)
    external_id = serializers.SerializerMethodField()
    claims = SegmentClaimSerializer(many=True, read_only=True)

    class Meta:
        model = SegmentMembership
        fields = ("id", "account", "user", "external_id", "entered_at", "left_at", "claims")
        read_only_fields = fields

    def get_external_id(self, stay: SegmentMembership) -> str:
        subject = stay.account or stay.end_user
        return subject.external_id if subject else ""


class MemberItemSerializer(StrictSerializer):
    """One of the two: an account's id in a segment of accounts, a user's in one of users."""

    id = serializers.IntegerField(min_value=1, required=False)
    external_id = serializers.CharField(max_length=500, required=False)

    def validate(self, given: dict[str, Any]) -> dict[str, Any]:
        if len(given) != 1:
            raise serializers.ValidationError("Name it by id or by external_id.")
        return given


class MemberItemsSerializer(StrictSerializer):
    items = serializers.ListField(child=MemberItemSerializer(), min_length=1, max_length=MAX_BULK)


class MemberResultSerializer(serializers.Serializer[Any]):
    index = serializers.IntegerField()
    id = serializers.IntegerField(allow_null=True)
    outcome = serializers.ChoiceField(["entered", "claimed", "unchanged", "left", "stays", "absent", REFUSED])
    message = serializers.CharField()


@extend_schema_field({"type": "object", "additionalProperties": {"type": "integer"}})
class CountsField(serializers.DictField):
    """How many items came to which outcome."""


class MemberAnswerSerializer(serializers.Serializer[Any]):
    counts = CountsField()
    results = MemberResultSerializer(many=True)


class SegmentFilters(django_filters.FilterSet):
    scope = django_filters.ChoiceFilter(choices=Segment.Scope.choices)
    name = django_filters.CharFilter(lookup_expr="icontains", label="Part of the name.")
    archived = django_filters.BooleanFilter(method="with_archived", label="Archived ones instead of the present ones.")

    class Meta:
        model = Segment
        fields: list[str] = []

    def filter_queryset(self, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return super().filter_queryset(is_given(queryset, "archived_at", self.form.cleaned_data["archived"] or False))

    def with_archived(self, queryset: QuerySet[Any], name: str, value: bool) -> QuerySet[Any]:
        return queryset


class SegmentMemberFilters(django_filters.FilterSet):
    left = django_filters.BooleanFilter(method="with_left", label="Those who left instead of those who are in.")
    account = django_filters.NumberFilter(field_name="account_id")
    user = django_filters.NumberFilter(field_name="end_user_id")

    class Meta:
        model = SegmentMembership
        fields: list[str] = []

    def filter_queryset(self, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return super().filter_queryset(is_given(queryset, "left_at", self.form.cleaned_data["left"] or False))

    def with_left(self, queryset: QuerySet[Any], name: str, value: bool) -> QuerySet[Any]:
        return queryset


@extend_schema_view(
    list=documented("List segments", answers=SegmentSerializer, many=True),
    retrieve=documented("Read a segment", answers=SegmentSerializer),
)
class SegmentViewSet(Listed, Retrieved, ApiViewSet):
    """Named sets of accounts or of users."""

    model = Segment
    writes = Ability.MANAGE_DATA
    serializer_class = SegmentSerializer
    filterset_class = SegmentFilters
    orderings: ClassVar = {"id": "id", "name": "name", "created_at": "created_at"}
    default_ordering = "name"

    def rows(self) -> QuerySet[Segment]:
        return with_counts(Segment.objects.all())

    @documented("Create a segment", request=NewSegmentSerializer, answers=SegmentSerializer, status=201)
    def create(self, request: Request) -> Response:
        given = self.valid(NewSegmentSerializer)
        scope = given.pop("scope")
        try:
            made = defining.create_segment(
                scope=scope, wording=_wording(scope, given), tenant=self.tenant, by=self.caller, now=self.now
            )
        except CannotSave as refusal:
            raise refused(refusal.field, str(refusal)) from None
        return self.answer(self.get_queryset().get(pk=made.pk), status=HTTPStatus.CREATED)

    @documented("Change a segment", request=SegmentEditSerializer, answers=SegmentSerializer)
    def partial_update(self, request: Request, pk: str) -> Response:
        segment = self.get_object()
        if segment.archived_at:
            raise Conflict("It is archived. Restore it first.")
        stored = {"name": segment.name, "description": segment.description, "rule": segment.rule}
        wording = _wording(segment.scope, changed(stored, self.valid(SegmentEditSerializer)))
        try:
            defining.edit_segment(segment, wording=wording, tenant=self.tenant, by=self.caller, now=self.now)
        except CannotSave as refusal:
            raise refused(refusal.field, str(refusal)) from None
        return self.fresh(segment)

    @documented("Archive a segment", answers=SegmentSerializer)
    @action(detail=True, methods=["post"])
    def archive(self, request: Request, pk: str) -> Response:
        segment = self.get_object()
        defining.archive_segment(segment, by=self.caller, now=self.now)
        return self.fresh(segment)

    @documented("Restore an archived segment", answers=SegmentSerializer)
    @action(detail=True, methods=["post"])
    def restore(self, request: Request, pk: str) -> Response:
        segment = self.get_object()
        try:
            defining.restore_segment(segment, tenant=self.tenant, by=self.caller, now=self.now)
        except CannotSave as refusal:
            raise Conflict(str(refusal)) from None
        return self.fresh(segment)


def _wording(scope: str, given: Mapping[str, Any]) -> Wording:
    rule = read_rule(given["rule"], subject=Subject(scope), at="rule")
    return Wording(given["name"], given["description"], rule)


@extend_schema_view(list=documented("List the members of a segment", answers=SegmentMemberSerializer, many=True))
class SegmentMemberViewSet(Listed, ApiViewSet):
    """Who is in a segment, since when and why."""

    model = SegmentMembership
    writes = Ability.EDIT_ACCOUNTS
    serializer_class = SegmentMemberSerializer
    filterset_class = SegmentMemberFilters
    orderings: ClassVar = {"entered_at": "entered_at"}
    default_ordering = "-entered_at"

    def rows(self) -> QuerySet[SegmentMembership]:
        return stays_of(self._segment())

    @documented(
        "Put up to 1,000 accounts or users into a segment",
        request=MemberItemsSerializer,
        answers=MemberAnswerSerializer,
        needs_key=True,
    )
    @action(detail=False, methods=["post"], needs_idempotency_key=True, throttle_cost=BULK_COST)
    def add(self, request: Request, segment_id: str) -> Response:
        segment, ids = self._present_segment(), self._ids()
        outcomes = add_by_hand(segment=segment, subjects=_known(ids), by=self.caller, now=self.now)
        return _answer(ids, dict(zip(_known(ids), outcomes, strict=True)))

    @documented(
        "Take up to 1,000 accounts or users out of a segment",
        request=MemberItemsSerializer,
        answers=MemberAnswerSerializer,
        needs_key=True,
    )
    @action(detail=False, methods=["post"], needs_idempotency_key=True, throttle_cost=BULK_COST)
    def remove(self, request: Request, segment_id: str) -> Response:
        segment, ids = self._present_segment(), self._ids()
        removed = remove_by_hand(segment=segment, subjects=_known(ids), by=self.caller, now=self.now)
        return _answer(ids, {one.subject_id: one.outcome for one in removed})

    def _segment(self) -> Segment:
        return get_object_or_404(Segment.objects.all(), pk=self.kwargs["segment_id"])

    def _present_segment(self) -> Segment:
        segment = self._segment()
        if segment.archived_at:
            raise Conflict("The segment is archived. Restore it first.")
        return segment

    def _ids(self) -> list[int | None]:
        """Of the items in order; None for one that is unknown here."""
        items = self.valid(MemberItemsSerializer)["items"]
        kind: Any = Account if self._segment().scope == Segment.Scope.ACCOUNT else EndUser
        present = kind.objects.filter(archived_at=None)
        by_id = set(present.filter(pk__in=_given(items, "id")).values_list("pk", flat=True))
        named = present.filter(external_id__in=_given(items, "external_id"))
        by_name = dict(named.values_list("external_id", "pk"))
        return [
            (item["id"] if item["id"] in by_id else None) if "id" in item else by_name.get(item["external_id"])
            for item in items
        ]


def _given(items: Sequence[Mapping[str, Any]], name: str) -> list[Any]:
    return [item[name] for item in items if name in item]


def _known(ids: Sequence[int | None]) -> list[int]:
    return list(dict.fromkeys(id for id in ids if id is not None))


def _answer(ids: Sequence[int | None], outcomes: Mapping[int, str]) -> Response:
    results = [
        {"index": at, "id": None, "outcome": REFUSED, "message": "There is none with this id."}
        if id is None
        else {"index": at, "id": id, "outcome": str(outcomes[id]), "message": ""}
        for at, id in enumerate(ids)
    ]
    return Response({"counts": dict(Counter(result["outcome"] for result in results)), "results": results})
