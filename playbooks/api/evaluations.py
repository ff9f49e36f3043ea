"""Looks at the rules of playbooks, and those that were held."""

from http import HTTPStatus
from typing import ClassVar

from django.db.models import F, QuerySet
from drf_spectacular.utils import extend_schema_view
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from cs_platform.rest.schema import documented
from cs_platform.rest.viewsets import ApiViewSet, Listed, Retrieved
from cs_platform.tenancy.roles import Ability
from playbooks import evaluation
from playbooks.api import filters, serializers
from playbooks.models import Evaluation, EvaluationRun


@extend_schema_view(
    list=documented("List evaluations", answers=serializers.EvaluationSerializer, many=True),
    retrieve=documented("Read an evaluation", answers=serializers.EvaluationSerializer),
)
class EvaluationViewSet(Listed, Retrieved, ApiViewSet):
    """What each look at a playbook's rules came to."""

    model = Evaluation
    writes = Ability.RELEASE_EVALUATIONS
    serializer_class = serializers.EvaluationSerializer
    filterset_class = filters.EvaluationFilters

    def rows(self) -> QuerySet[Evaluation]:
        return Evaluation.objects.select_related("run").annotate(version_number=F("version__number"))

    @documented("Evaluate all live playbooks now", answers=serializers.EvaluationRunSerializer, status=202)
    def create(self, request: Request) -> Response:
        """A worker does it; `finished_at` of the run says when it is done."""
        run = evaluation.ask_for_look(self.tenant, by=self.caller, now=self.now)
        return Response(serializers.EvaluationRunSerializer(run).data, status=HTTPStatus.ACCEPTED)

    @documented("Let a held evaluation through", answers=serializers.EvaluationSerializer)
    @action(detail=True, methods=["post"])
    def release(self, request: Request, pk: str) -> Response:
        """A worker looks at the playbook again, without the brake, and enrolls; its evaluation is a further one."""
        held = self.get_object()
        acted = evaluation.release(held, by=self.caller, now=self.now) is not None
        return self.outcome(held, acted=acted, state=Evaluation.State.RELEASED)

    @documented("Let a held evaluation go without effect", answers=serializers.EvaluationSerializer)
    @action(detail=True, methods=["post"])
    def drop(self, request: Request, pk: str) -> Response:
        held = self.get_object()
        acted = evaluation.drop(held, by=self.caller, now=self.now)
        return self.outcome(held, acted=acted, state=Evaluation.State.DROPPED)


@extend_schema_view(
    list=documented("List evaluation runs", answers=serializers.EvaluationRunSerializer, many=True),
    retrieve=documented("Read an evaluation run", answers=serializers.EvaluationRunSerializer),
)
class EvaluationRunViewSet(Listed, Retrieved, ApiViewSet):
    """Looks at all live playbooks at once: each night, and whenever somebody asks."""

    model = EvaluationRun
    serializer_class = serializers.EvaluationRunSerializer
    orderings: ClassVar = {"id": "id"}
