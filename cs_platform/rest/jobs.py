"""Long jobs: bulk edits, exports, imports. Other endpoints start them; here they are watched, cancelled, undone."""

from http import HTTPStatus
from typing import Any, ClassVar

import django_filters as filters
from django.db.models import QuerySet
from django.http import Http404
from django.http.response import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema, extend_schema_view
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response

from cs_platform.jobs import files, starting
from cs_platform.jobs.kinds import JobRefused, ability_for, kind_of
from cs_platform.jobs.models import Job, JobError
from cs_platform.rest.problems import Conflict
from cs_platform.rest.schema import documented
from cs_platform.rest.viewsets import IDS, ApiViewSet, Listed, Retrieved
from cs_platform.tenancy.roles import Ability, scopes_allow


class JobSerializer(serializers.ModelSerializer[Job]):
    says = serializers.SerializerMethodField(help_text="What came of it, in words.")

    class Meta:
        model = Job
        fields = (
            "id",
            "kind",
            "title",
            "state",
            "total",
            "done",
            "failed",
            "result",
            "says",
            "error",
            "actor",
            "created_at",
            "started_at",
            "finished_at",
            "cancel_requested_at",
            "undo_of",
        )
        read_only_fields = fields

    def get_says(self, job: Job) -> str:
        return kind_of(job).says(job)


class JobErrorSerializer(serializers.ModelSerializer[JobError]):
    class Meta:
        model = JobError
        fields = ("id", "position", "subject", "message")
        read_only_fields = fields


class JobFilters(filters.FilterSet):
    state = filters.MultipleChoiceFilter(choices=Job.State.choices)
    kind = filters.CharFilter()

    class Meta:
        model = Job
        fields: list[str] = []


@extend_schema_view(
    list=documented("List jobs", answers=JobSerializer, many=True),
    retrieve=documented("Read a job", answers=JobSerializer),
)
class JobViewSet(Listed, Retrieved, ApiViewSet):
    """Work too long for a request. Ask for the job until its state is `done`, `failed` or `cancelled`."""

    model = Job
    writes = Ability.READ  # and what the job itself takes
    serializer_class = JobSerializer
    filterset_class = JobFilters
    orderings: ClassVar = {"id": "id"}
    default_ordering = "-id"

    @documented("Cancel a job", answers=JobSerializer)
    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, pk: str) -> Response:
        job = self._changeable()
        acted = starting.cancel(job, by=self.caller, now=self.now)
        if not acted and job.is_over and job.state != Job.State.CANCELLED:
            raise Conflict(f"Not possible now: it is {job.get_state_display()}.")
        return self.fresh(job)

    @documented("Undo a job", answers=JobSerializer, status=201)
    @action(detail=True, methods=["post"])
    def undo(self, request: Request, pk: str) -> Response:
        """Starts another job, which takes back what is still as this one left it."""
        try:
            undoing = starting.undo(self._changeable(), by=self.caller, now=self.now)
        except JobRefused as refusal:
            raise Conflict(str(refusal)) from None
        return self.answer(undoing, status=HTTPStatus.CREATED)

    @extend_schema(
        summary="Fetch the file a job made",
        responses={(200, "text/csv"): OpenApiResponse(OpenApiTypes.BINARY, description="The file.")},
    )
    @action(detail=True)
    def file(self, request: Request, pk: str) -> HttpResponseBase:
        job = self._changeable()
        if not files.has_file(job, now=self.now):
            raise Http404
        return files.download(job)

    def _changeable(self) -> Any:
        job = self.get_object()
        if not scopes_allow(self.caller.scopes, ability_for(job)):
            raise PermissionDenied
        return job


@extend_schema_view(list=documented("List what a job could not do", answers=JobErrorSerializer, many=True))
class JobErrorViewSet(Listed, ApiViewSet):
    """Row by row, with what to do about it; for an undo, what was kept and why."""

    model = JobError
    serializer_class = JobErrorSerializer
    orderings: ClassVar = {"id": "id"}
    default_ordering = "id"

    def rows(self) -> QuerySet[JobError]:
        if not Job.objects.filter(pk=self.kwargs["job_id"]).exists():
            raise Http404
        return JobError.objects.filter(job_id=self.kwargs["job_id"])


ERRORS_PATH = f"jobs/(?P<job_id>{IDS})/errors"
