"""Connectors over the API: set up, changed, renewed, tested and put away. A secret is answered once, if we made it."""

from http import HTTPStatus
from typing import Any, ClassVar

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema_view
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from cs_platform.connectors.managing import CannotConnect, change, connect, put_away, renew_secret, try_again
from cs_platform.connectors.models import Connector
from cs_platform.connectors.providers import PROVIDERS
from cs_platform.connectors.testing import ask_for_test
from cs_platform.rest.fields import StrictSerializer
from cs_platform.rest.problems import Fault, Invalid
from cs_platform.rest.schema import documented
from cs_platform.rest.viewsets import ApiViewSet, Listed, Retrieved
from cs_platform.tenancy.roles import Ability

FIELDS = (
    "id",
    "key",
    "kind",
    "name",
    "url",
    "last_four",
    "former_until",
    "state",
    "state_reason",
    "open_until",
    "test_asked_at",
    "tested_at",
    "test_worked",
    "test_result",
    "created_at",
    "created_by",
)


class ConnectorSerializer(serializers.ModelSerializer[Connector]):
    """Another system that playbooks speak to. Of its secret only the end can be read."""

    class Meta:
        model = Connector
        fields = FIELDS
        read_only_fields = fields


class SecretSerializer(serializers.ModelSerializer[Connector]):
    """A connector with its new secret, which nobody can read again."""

    secret = serializers.CharField(read_only=True)

    class Meta:
        model = Connector
        fields = (*FIELDS, "secret")
        read_only_fields = fields


class NewConnectorSerializer(StrictSerializer):
    kind = serializers.ChoiceField(sorted(PROVIDERS))
    key = serializers.CharField(max_length=40, help_text="How playbooks name it.")
    name = serializers.CharField(max_length=100)
    url = serializers.CharField(max_length=2_000, required=False, default="", allow_blank=True)
    secret = serializers.CharField(
        max_length=2_000,
        required=False,
        default="",
        allow_blank=True,
        help_text="Segment's write key, Intercom's token, Slack's address. A webhook's is made when this is left out.",
    )


class ConnectorEditSerializer(StrictSerializer):
    name = serializers.CharField(max_length=100, required=False)
    url = serializers.CharField(max_length=2_000, required=False, allow_blank=True)


class RenewSerializer(StrictSerializer):
    secret = serializers.CharField(max_length=2_000, required=False, default="", allow_blank=True)


@extend_schema_view(
    list=documented("List connectors", answers=ConnectorSerializer, many=True),
    retrieve=documented("Read a connector", answers=ConnectorSerializer),
)
class ConnectorViewSet(Listed, Retrieved, ApiViewSet):
    """What playbooks speak to."""

    model = Connector
    reads = writes = Ability.MANAGE_CONNECTIONS
    serializer_class = ConnectorSerializer
    orderings: ClassVar = {"id": "id", "name": "name"}

    def rows(self) -> QuerySet[Connector]:
        return Connector.objects.present()

    @documented("Connect another system", request=NewConnectorSerializer, answers=SecretSerializer, status=201)
    def create(self, request: Request) -> Response:
        made, secret = self._done(lambda: connect(**self.valid(NewConnectorSerializer), by=self.caller, now=self.now))
        return _with_secret(made, secret, status=HTTPStatus.CREATED)

    @documented("Change a connector", request=ConnectorEditSerializer, answers=ConnectorSerializer)
    def partial_update(self, request: Request, pk: str) -> Response:
        connector = self.get_object()
        wanted = {"name": connector.name, "url": connector.url} | self.valid(ConnectorEditSerializer, partial=True)
        self._done(lambda: change(connector, **wanted, by=self.caller, now=self.now))
        return self.fresh(connector)

    @documented("Renew a connector's secret", request=RenewSerializer, answers=SecretSerializer)
    @action(detail=True, methods=["post"])
    def renew(self, request: Request, pk: str) -> Response:
        connector, wanted = self.get_object(), self.valid(RenewSerializer)
        return _with_secret(
            connector, self._done(lambda: renew_secret(connector, **wanted, by=self.caller, now=self.now))
        )

    @documented("Send a test message through a connector", answers=ConnectorSerializer, status=202)
    @action(detail=True, methods=["post"])
    def test(self, request: Request, pk: str) -> Response:
        """`test_asked_at` is null again once it was answered."""
        connector = self.get_object()
        ask_for_test(connector, now=self.now)
        connector.refresh_from_db()
        return Response(ConnectorSerializer(connector).data, status=HTTPStatus.ACCEPTED)

    @documented("Let what a connector has refused go on", answers=ConnectorSerializer)
    @action(detail=True, methods=["post"], url_path="try-again")
    def try_again(self, request: Request, pk: str) -> Response:
        connector = self.get_object()
        try_again(connector, by=self.caller, now=self.now)
        return self.fresh(connector)

    @documented("Put a connector away", answers=None, status=204)
    @action(detail=True, methods=["post"])
    def archive(self, request: Request, pk: str) -> Response:
        put_away(self.get_object(), by=self.caller, now=self.now)
        return Response(status=HTTPStatus.NO_CONTENT)

    def _done(self, verb: Any) -> Any:
        try:
            return verb()
        except CannotConnect as refusal:
            raise Invalid(faults=[Fault(f"/{refusal.field}", str(refusal))]) from None


def _with_secret(connector: Connector, secret: str, *, status: int = HTTPStatus.OK) -> Response:
    shown = secret if connector.provider.makes_secret else ""
    return Response(ConnectorSerializer(connector).data | {"secret": shown}, status=status)
