"""The key roles a workspace has beside CSM and AE. Who holds them is edited with the account."""

from http import HTTPStatus
from typing import ClassVar

from drf_spectacular.utils import extend_schema_view
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.key_roles import NAME_LIMIT, CannotName, archive_role, define_role, rename_role, restore_role
from accounts.models import KeyRole
from cs_platform.rest.fields import StrictSerializer
from cs_platform.rest.problems import Fault, Invalid
from cs_platform.rest.schema import documented
from cs_platform.rest.viewsets import ApiViewSet, Listed, Retrieved
from cs_platform.tenancy.roles import Ability


class KeyRoleSerializer(serializers.ModelSerializer[KeyRole]):
    class Meta:
        model = KeyRole
        fields = ("id", "key", "name", "position", "archived_at")
        read_only_fields = fields


class KeyRoleNameSerializer(StrictSerializer):
    name = serializers.CharField(max_length=NAME_LIMIT)


@extend_schema_view(
    list=documented("List key roles", answers=KeyRoleSerializer, many=True),
    retrieve=documented("Read a key role", answers=KeyRoleSerializer),
)
class KeyRoleViewSet(Listed, Retrieved, ApiViewSet):
    """Roles of the workspace's own. Rules ask about one as `role:<key>`."""

    model = KeyRole
    writes = Ability.MANAGE_DATA
    serializer_class = KeyRoleSerializer
    orderings: ClassVar = {"id": "id", "position": "position"}
    default_ordering = "position"

    @documented("Define a key role", request=KeyRoleNameSerializer, answers=KeyRoleSerializer, status=201)
    def create(self, request: Request) -> Response:
        try:
            role = define_role(self.valid(KeyRoleNameSerializer)["name"])
        except CannotName as refusal:
            raise _invalid(refusal) from None
        return self.answer(role, status=HTTPStatus.CREATED)

    @documented("Rename a key role", request=KeyRoleNameSerializer, answers=KeyRoleSerializer)
    def partial_update(self, request: Request, pk: str) -> Response:
        role = self.get_object()
        try:
            rename_role(role, self.valid(KeyRoleNameSerializer)["name"])
        except CannotName as refusal:
            raise _invalid(refusal) from None
        return self.fresh(role)

    @documented("Archive a key role", answers=KeyRoleSerializer)
    @action(detail=True, methods=["post"])
    def archive(self, request: Request, pk: str) -> Response:
        role = self.get_object()
        archive_role(role, now=self.now)
        return self.fresh(role)

    @documented("Bring an archived key role back", answers=KeyRoleSerializer)
    @action(detail=True, methods=["post"])
    def restore(self, request: Request, pk: str) -> Response:
        role = self.get_object()
        try:
            restore_role(role)
        except CannotName as refusal:
            raise _invalid(refusal) from None
        return self.fresh(role)


def _invalid(refusal: CannotName) -> Invalid:
    return Invalid(faults=[Fault("/name", str(refusal))])
