"""What a step of a playbook can do."""

from rest_framework.request import Request
from rest_framework.response import Response

from actions.registry import ACTIONS
from cs_platform.rest.forms import form_schema
from cs_platform.rest.schema import documented
from cs_platform.rest.viewsets import ApiViewSet
from playbooks.api import serializers
from playbooks.models import Playbook


class ActionViewSet(ApiViewSet):
    """What a step of a playbook can do, and what its config must look like."""

    model = Playbook
    pagination_class = None

    @documented("List actions with the schema of their config", answers=serializers.ActionSerializer, many=True)
    def list(self, request: Request) -> Response:
        shown = [
            {
                "key": kind.key,
                "label": kind.label,
                "audiences": sorted(kind.audiences),
                "external": kind.external,
                "reversible": kind.reversible,
                "config": form_schema(kind.form),
                "sample": kind.sample,
            }
            for kind in ACTIONS
        ]
        return Response(shown)
