"""When messages leave and to whom none do, and what each of the team can take on: the settings, over REST."""

from http import HTTPStatus
from typing import Any, ClassVar

import django_filters
from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema_view
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.conversations.sending import change_policy, the_policy
from accounts.conversations.suppressing import lift, suppress_by_hand
from accounts.models import SendingPolicy, Suppression
from accounts.workload import Load, loads_of, set_workload
from cs_platform.connectors.smtp import is_address
from cs_platform.rest.fields import StrictSerializer
from cs_platform.rest.filters import TextInFilter
from cs_platform.rest.problems import Conflict, Fault, Invalid
from cs_platform.rest.schema import documented
from cs_platform.rest.viewsets import ApiViewSet, Listed, Retrieved
from cs_platform.tenancy.context import current_tenant_id
from cs_platform.tenancy.models import Membership
from cs_platform.tenancy.roles import Ability

# --- when messages leave ----------------------------------------------------------------------------------------------


class SendingPolicySerializer(serializers.ModelSerializer[SendingPolicy]):
    class Meta:
        model = SendingPolicy
        fields = ("opens_at", "closes_at", "weekdays_only", "mails_an_hour", "hours_between")
        read_only_fields = fields


class SendingPolicyEditsSerializer(StrictSerializer):
    """What is left out stays."""

    opens_at = serializers.IntegerField(required=False, min_value=0, max_value=23, help_text="An hour of the day.")
    closes_at = serializers.IntegerField(required=False, min_value=1, max_value=24)
    weekdays_only = serializers.BooleanField(required=False, help_text="Monday to Friday, without holidays.")
    mails_an_hour = serializers.IntegerField(
        required=False, min_value=1, max_value=10_000, help_text="From one mailbox."
    )
    hours_between = serializers.IntegerField(
        required=False, min_value=0, max_value=720, help_text="Between two messages of playbooks to one person."
    )


class SendingPolicyViewSet(ApiViewSet):
    """The workspace's one policy, for all playbooks together."""

    model = SendingPolicy
    writes = Ability.MANAGE_DATA
    serializer_class = SendingPolicySerializer

    @documented("Read when messages leave", answers=SendingPolicySerializer)
    def read(self, request: Request) -> Response:
        return self.answer(the_policy())

    @documented("Change when messages leave", request=SendingPolicyEditsSerializer, answers=SendingPolicySerializer)
    def edit(self, request: Request) -> Response:
        changes, before = self.valid(SendingPolicyEditsSerializer), the_policy()
        if changes.get("opens_at", before.opens_at) >= changes.get("closes_at", before.closes_at):
            raise Invalid(faults=[Fault("/closes_at", "Choose an hour after the first.")])
        return self.answer(change_policy(**changes, by=self.caller, now=self.now) if changes else before)


# --- to whom nobody writes --------------------------------------------------------------------------------------------


class SuppressionSerializer(serializers.ModelSerializer[Suppression]):
    class Meta:
        model = Suppression
        fields = ("id", "email", "reason", "since", "by")
        read_only_fields = fields


class NewSuppressionSerializer(StrictSerializer):
    email = serializers.CharField(max_length=320)

    def validate_email(self, email: str) -> str:
        email = email.strip().lower()
        if not is_address(email):
            raise serializers.ValidationError("Enter an email address.")
        return email


class SuppressionFilters(django_filters.FilterSet):
    email = TextInFilter(label="One or several addresses in lower case, separated by commas.")
    reason = django_filters.MultipleChoiceFilter(choices=Suppression.Reason.choices)
    updated_since = django_filters.IsoDateTimeFilter(field_name="since", lookup_expr="gte", label="Listed since.")

    class Meta:
        model = Suppression
        fields: list[str] = []


@extend_schema_view(
    list=documented("List addresses nobody writes to", answers=SuppressionSerializer, many=True),
    retrieve=documented("Read why nobody writes to an address", answers=SuppressionSerializer),
)
class SuppressionViewSet(Listed, Retrieved, ApiViewSet):
    """Asked last thing before a message leaves."""

    model = Suppression
    writes = Ability.MANAGE_DATA
    serializer_class = SuppressionSerializer
    filterset_class = SuppressionFilters
    orderings: ClassVar = {"id": "id", "since": "since"}

    @documented(
        "Let nobody write to an address", request=NewSuppressionSerializer, answers=SuppressionSerializer, status=201
    )
    def create(self, request: Request) -> Response:
        """One that is listed stays as it is."""
        email = self.valid(NewSuppressionSerializer)["email"]
        new = suppress_by_hand(email, by=self.caller, now=self.now)
        found = Suppression.objects.get(email=email)
        return self.answer(found, status=HTTPStatus.CREATED if new else HTTPStatus.OK)

    @documented("Write to an address again", status=204)
    def destroy(self, request: Request, pk: str) -> Response:
        if not lift(self.get_object(), by=self.caller, now=self.now):
            raise Conflict("Whoever has this address unsubscribed: only they can return.")
        return Response(status=HTTPStatus.NO_CONTENT)


# --- what each of the team can take on --------------------------------------------------------------------------------


class WorkloadSerializer(serializers.Serializer[Load]):
    id = serializers.IntegerField(source="member.pk", help_text="Of the member.")
    name = serializers.CharField(source="member.name")
    as_csm = serializers.IntegerField(help_text="Customers and trials they are the CSM of.")
    as_ae = serializers.IntegerField()
    capacity = serializers.IntegerField(
        source="workload.capacity", allow_null=True, help_text="Accounts they hold at most, in each role; null: any."
    )
    away_until = serializers.DateField(
        source="workload.away_until", allow_null=True, help_text="Until that day they are given nothing new."
    )


class WorkloadEditsSerializer(StrictSerializer):
    """What is left out stays."""

    capacity = serializers.IntegerField(required=False, allow_null=True, min_value=0, max_value=100_000)
    away_until = serializers.DateField(required=False, allow_null=True)


@extend_schema_view(list=documented("List what each of the team can take on", answers=WorkloadSerializer, many=True))
class WorkloadViewSet(Listed, ApiViewSet):
    """Read by the action that assigns accounts."""

    model = Membership
    writes = Ability.MANAGE_DATA
    serializer_class = WorkloadSerializer
    orderings: ClassVar = {"id": "id", "name": "name"}
    default_ordering = "name"

    def rows(self) -> QuerySet[Membership]:
        return Membership.objects.in_tenant(current_tenant_id()).active()

    def paginate_queryset(self, queryset: Any) -> Any:
        return loads_of(super().paginate_queryset(queryset) or ())

    def shown(self, found: Membership) -> Any:
        (load,) = loads_of([found])
        return super().shown(load)

    @documented("Read what a member can take on", answers=WorkloadSerializer)
    def retrieve(self, request: Request, pk: str) -> Response:
        return self.answer(self.get_object())

    @documented("Change what a member can take on", request=WorkloadEditsSerializer, answers=WorkloadSerializer)
    def partial_update(self, request: Request, pk: str) -> Response:
        member = self.get_object()
        (load,) = loads_of([member])
        held = {"capacity": load.workload.capacity, "away_until": load.workload.away_until}
        set_workload(member, **held | self.valid(WorkloadEditsSerializer), by=self.caller, now=self.now)
        return self.answer(get_object_or_404(self.get_queryset(), pk=member.pk))
