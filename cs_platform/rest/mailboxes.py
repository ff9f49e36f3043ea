"""Mailboxes of team members. Who owns one connects it in a browser, since it takes their word at Google."""

from http import HTTPStatus
from typing import ClassVar

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema_view
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from cs_platform.connectors.mailboxes import disconnect
from cs_platform.connectors.models import Mailbox
from cs_platform.rest.schema import documented
from cs_platform.rest.viewsets import ApiViewSet, Listed, Retrieved
from cs_platform.tenancy.roles import Ability


class MailboxSerializer(serializers.ModelSerializer[Mailbox]):
    """From where playbooks write in a member's name, and how that is doing."""

    class Meta:
        model = Mailbox
        fields = ("id", "member", "email", "state", "state_reason", "read_at", "connected_at")
        read_only_fields = fields


@extend_schema_view(
    list=documented("List mailboxes", answers=MailboxSerializer, many=True),
    retrieve=documented("Read a mailbox", answers=MailboxSerializer),
)
class MailboxViewSet(Listed, Retrieved, ApiViewSet):
    """Mailboxes that members have connected."""

    model = Mailbox
    reads = writes = Ability.MANAGE_CONNECTIONS
    serializer_class = MailboxSerializer
    orderings: ClassVar = {"id": "id"}

    def rows(self) -> QuerySet[Mailbox]:
        return Mailbox.objects.select_related("member")

    @documented("Disconnect a mailbox", status=204)
    def destroy(self, request: Request, pk: str) -> Response:
        """Its tokens are forgotten. What was to be sent from it waits."""
        disconnect(self.get_object(), by=self.caller, now=self.now)
        return Response(status=HTTPStatus.NO_CONTENT)
