"""Teams, and who is invited."""

from collections.abc import Iterator
from contextlib import contextmanager
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
from cs_platform.rest.members import refuse_above_issuer
from cs_platform.rest.problems import Conflict, Fault, Invalid
from cs_platform.rest.schema import documented
from cs_platform.rest.viewsets import ApiViewSet, Listed, Retrieved
from cs_platform.tenancy.roles import Ability, Role
from cs_platform.workspace import invitations, teams
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


class NewTeamSerializer(StrictSerializer):
    name = serializers.CharField(max_length=100)


class TeamPlaceSerializer(StrictSerializer):
    member = MemberField()
    is_lead = serializers.BooleanField(default=False)


class TeamEditSerializer(StrictSerializer):
    name = serializers.CharField(max_length=100, required=False)
    members = serializers.ListField(
        child=TeamPlaceSerializer(), required=False, max_length=1_000, help_text="All of them: others leave."
    )


@extend_schema_view(
    list=documented("List teams", answers=TeamSerializer, many=True),
    retrieve=documented("Read a team", answers=TeamSerializer),
)
class TeamViewSet(Listed, Retrieved, ApiViewSet):
    """Who looks after accounts together."""

    model = Team
    writes = Ability.MANAGE_MEMBERS
    serializer_class = TeamSerializer
    orderings: ClassVar = {"id": "id", "name": "name"}

    def rows(self) -> QuerySet[Team]:
        return Team.objects.prefetch_related(Prefetch("places", TeamMember.objects.order_by("-is_lead", "pk")))

    @documented("Make a team", request=NewTeamSerializer, answers=TeamSerializer, status=201)
    def create(self, request: Request) -> Response:
        with _named_once():
            team = teams.create_team(name=self.valid(NewTeamSerializer)["name"], by=self.caller, now=self.now)
        return self.answer(team, status=HTTPStatus.CREATED)

    @documented("Change a team", request=TeamEditSerializer, answers=TeamSerializer)
    def partial_update(self, request: Request, pk: str) -> Response:
        """Its name, or all its people at once."""
        team, said = self.get_object(), self.valid(TeamEditSerializer)
        if team.archived_at:
            raise Conflict("Not possible now: it is archived. Restore it first.")
        places = said.get("members")
        if places is None:
            kept = TeamMember.objects.filter(team=team).select_related("member")
            places = [{"member": one.member, "is_lead": one.is_lead} for one in kept]
        people = {one["member"].pk: one["member"] for one in places}
        leads = {one["member"].pk for one in places if one["is_lead"]}
        facts: dict[str, Any] = {"name": said.get("name", team.name), "members": people.values(), "leads": leads}
        with _named_once():
            teams.set_team(team, **facts, by=self.caller, now=self.now)
        return self.fresh(team)

    @documented("Archive a team", answers=TeamSerializer)
    @action(detail=True, methods=["post"])
    def archive(self, request: Request, pk: str) -> Response:
        team = self.get_object()
        teams.archive_team(team, by=self.caller, now=self.now)
        return self.fresh(team)

    @documented("Restore an archived team", answers=TeamSerializer)
    @action(detail=True, methods=["post"])
    def restore(self, request: Request, pk: str) -> Response:
        team = self.get_object()
        with _named_once():
            teams.restore_team(team, by=self.caller, now=self.now)
        return self.fresh(team)


@contextmanager
def _named_once() -> Iterator[None]:
    try:
        yield
    except teams.CannotSave as refusal:
        raise Invalid(faults=[Fault("/name", str(refusal))]) from None


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
        refuse_above_issuer(self.caller, by, pointer="/invited_by")
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
