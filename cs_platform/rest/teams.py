"""Teams, and who is invited."""

from http import HTTPStatus
from typing import Any, ClassVar

import django_filters as filters
from django.db.models import Prefetch, QuerySet
from drf_spectacular.utils import extend_schema_view
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from cs_platform.rest.fields import IdField, MemberField, StrictSerializer
from cs_platform.rest.problems import Conflict, Fault, Invalid
from cs_platform.rest.schema import documented
from cs_platform.rest.viewsets import ApiViewSet, Listed, Retrieved
from cs_platform.tenancy.roles import Ability, Role
from cs_platform.workspace import invitations
from cs_platform.workspace.models import Invitation, Team, TeamMember


class PlaceSerializer(serializers.ModelSerializer[TeamMember]):
    class Meta:
        model = TeamMember
        fields = ("member", "is_lead")


class TeamSerializer(serializers.ModelSerializer[Team]):
    members = PlaceSerializer(source="places", many=True)

    class Meta:
        model = Team
        fields = ("id", "name", "members", "created_at", "archived_at")
        read_only_fields = fields


@extend_schema_view(
    list=documented("List teams", answers=TeamSerializer, many=True),
    retrieve=documented("Read a team", answers=TeamSerializer),
)
class TeamViewSet(Listed, Retrieved, ApiViewSet):
    """Who looks after accounts together."""

    model = Team
    serializer_class = TeamSerializer
    orderings: ClassVar = {"id": "id", "name": "name"}

    def rows(self) -> QuerySet[Team]:
        return Team.objects.prefetch_related(Prefetch("places", TeamMember.objects.order_by("-is_lead", "pk")))


class InvitationSerializer(serializers.ModelSerializer[Invitation]):
    class Meta:
        model = Invitation
        fields = (
            "id",
            "email",
            "role",
            "team",
            "invited_by",
            "created_at",
            "expires_at",
            "accepted_at",
            "revoked_at",
        )
        read_only_fields = fields


class NewInvitationSerializer(StrictSerializer):
    """`invited_by` is the member in whose name, and with whose rank, it is sent."""

    email = serializers.EmailField(max_length=254)
    role = serializers.ChoiceField(choices=Role.choices)
    team = IdField(lambda: Team.objects.filter(archived_at=None), required=False)
    invited_by = MemberField()


class InvitationFilters(filters.FilterSet):
    email = filters.CharFilter(lookup_expr="iexact")
    accepted = filters.BooleanFilter(field_name="accepted_at", lookup_expr="isnull", exclude=True)
    revoked = filters.BooleanFilter(field_name="revoked_at", lookup_expr="isnull", exclude=True)

    class Meta:
        model = Invitation
        fields: list[str] = []


@extend_schema_view(
    list=documented("List invitations", answers=InvitationSerializer, many=True),
    retrieve=documented("Read an invitation", answers=InvitationSerializer),
)
class InvitationViewSet(Listed, Retrieved, ApiViewSet):
    """Who may join, as what, and until when. The link itself is only ever in the mail."""

    model = Invitation
    reads = writes = Ability.MANAGE_MEMBERS
    serializer_class = InvitationSerializer
    filterset_class = InvitationFilters
    orderings: ClassVar = {"id": "id", "created_at": "created_at"}

    @documented("Invite somebody", request=NewInvitationSerializer, answers=InvitationSerializer, status=201)
    def create(self, request: Request) -> Response:
        said: dict[str, Any] = {"team": None, **self.valid(NewInvitationSerializer)}
        by = said.pop("invited_by")
        try:
            made = invitations.invite(**said, by=by, now=self.now)
        except invitations.CannotInvite as refusal:
            raise Invalid(faults=[Fault("/email", str(refusal))]) from None
        return self.answer(made, status=HTTPStatus.CREATED)

    @documented("Revoke an invitation", answers=InvitationSerializer)
    @action(detail=True, methods=["post"])
    def revoke(self, request: Request, pk: str) -> Response:
        invitation = self.get_object()
        if not invitations.revoke(invitation, by=self.caller, now=self.now) and invitation.accepted_at:
            raise Conflict("Not possible now: it is accepted.")
        return self.fresh(invitation)
