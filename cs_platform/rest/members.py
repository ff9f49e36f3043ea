"""Team members, whose ids owners, assignees and person traits are: roles, leaving and coming back."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

import django_filters as filters
from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema_view
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from cs_platform.rest.fields import MemberField, StrictSerializer
from cs_platform.rest.problems import Fault, Invalid
from cs_platform.rest.schema import documented
from cs_platform.rest.viewsets import ApiViewSet, Listed, Retrieved
from cs_platform.tenancy.context import current_tenant_id
from cs_platform.tenancy.models import ApiKey, Membership
from cs_platform.tenancy.roles import Ability, Role, may_give
from cs_platform.workspace import members
from cs_platform.workspace.handover import hand_over
from cs_platform.workspace.members import CannotChange


class MemberSerializer(serializers.ModelSerializer[Membership]):
    class Meta:
        model = Membership
        fields = ("id", "name", "email", "role", "joined_at", "deactivated_at")
        read_only_fields = fields


class ActingSerializer(StrictSerializer):
    """`by` is the member in whose name, and with whose rank, it is done."""

    by = MemberField()


class RoleSerializer(ActingSerializer):
    role = serializers.ChoiceField(choices=Role.choices)


class LeavingSerializer(ActingSerializer):
    to = MemberField(required=False, help_text="A colleague who gets their accounts, CTAs, tasks and indicators.")
    revoke_keys = serializers.BooleanField(default=False, help_text="Keys they issued stop working, too.")


def refuse_above_issuer(key: ApiKey, by: Membership, *, pointer: str) -> None:
    """Nobody does through a key what they could not do themselves. A key made on the server has no issuer."""
    issuer = key.created_by
    if issuer and not may_give(Role(issuer.role), Role(by.role)):
        why = f"{issuer.name}, who issued this key, ranks below {by.name}. Name somebody else."
        raise Invalid(faults=[Fault(pointer, why)])


class MemberFilters(filters.FilterSet):
    email = filters.CharFilter(lookup_expr="iexact")
    role = filters.MultipleChoiceFilter(choices=Role.choices)
    active = filters.BooleanFilter(field_name="deactivated_at", lookup_expr="isnull")

    class Meta:
        model = Membership
        fields: list[str] = []


@extend_schema_view(
    list=documented("List members", answers=MemberSerializer, many=True),
    retrieve=documented("Read a member", answers=MemberSerializer),
)
class MemberViewSet(Listed, Retrieved, ApiViewSet):
    """The workspace's team. Members are deactivated, not deleted."""

    model = Membership
    writes = Ability.MANAGE_MEMBERS
    serializer_class = MemberSerializer
    filterset_class = MemberFilters
    orderings: ClassVar = {"id": "id", "name": "name"}
    default_ordering = "name"

    def rows(self) -> QuerySet[Membership]:
        return Membership.objects.in_tenant(current_tenant_id())

    @documented("Give a member another role", request=RoleSerializer, answers=MemberSerializer)
    @action(detail=True, methods=["post"], url_path="change-role")
    def change_role(self, request: Request, pk: str) -> Response:
        """From their next request on."""
        member, by, said = self._asked(RoleSerializer)
        with _told("/role"):
            members.change_role(member, role=said["role"], by=by, now=self.now)
        return self.fresh(member)

    @documented("Deactivate a member", request=LeavingSerializer, answers=MemberSerializer)
    @action(detail=True, methods=["post"])
    def deactivate(self, request: Request, pk: str) -> Response:
        """They are out with their next request. With `to`, their work goes to a colleague in the same transaction."""
        member, by, said = self._asked(LeavingSerializer)
        to: Membership | None = said.get("to")
        if to == member:
            raise Invalid(faults=[Fault("/to", "Choose a colleague.")])
        with _told("/by"):
            members.deactivate(member, revoke_keys=said["revoke_keys"], by=by, now=self.now)
        if to:
            hand_over(member, to, by=by, now=self.now)
        return self.fresh(member)

    @documented("Let a member come back", request=ActingSerializer, answers=MemberSerializer)
    @action(detail=True, methods=["post"])
    def reactivate(self, request: Request, pk: str) -> Response:
        member, by, _said = self._asked(ActingSerializer)
        with _told("/by"):
            members.reactivate(member, by=by, now=self.now)
        return self.fresh(member)

    def _asked(self, kind: type[ActingSerializer]) -> tuple[Membership, Membership, dict[str, Any]]:
        """Whom it is about, in whose name, and the rest."""
        member, said = self.get_object(), dict(self.valid(kind))
        by = said.pop("by")
        refuse_above_issuer(self.caller, by, pointer="/by")
        return member, by, said


@contextmanager
def _told(pointer: str) -> Iterator[None]:
    try:
        yield
    except CannotChange as refusal:
        raise Invalid(faults=[Fault(pointer, str(refusal))]) from None
