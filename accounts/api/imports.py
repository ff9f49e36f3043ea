"""Imports of CSV files as the API starts and watches them."""

from http import HTTPStatus
from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema_view
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.csv_import.files import DELIMITERS, CsvRefused, keep_upload
from accounts.csv_import.mapping import MappingFaults, guess
from accounts.csv_import.running import CHECK, RUN, CannotImport, job_of, set_mapping, start_check, start_run
from accounts.models import CsvImport
from cs_platform.jobs import starting
from cs_platform.jobs.kinds import JobRefused
from cs_platform.jobs.models import Job
from cs_platform.rest.jobs import JobSerializer
from cs_platform.rest.json import MAX_BULK_BYTES
from cs_platform.rest.problems import Conflict, Fault, Invalid, pointer
from cs_platform.rest.schema import documented
from cs_platform.rest.viewsets import ApiViewSet, Listed, Retrieved
from cs_platform.tenancy.roles import Ability


class NewImportSerializer(serializers.Serializer[Any]):
    scope = serializers.ChoiceField(choices=CsvImport.Scope.choices)
    file_name = serializers.CharField(max_length=200, default="import.csv")
    content = serializers.CharField(trim_whitespace=False, help_text="The file, up to 2.5 MB of text with a heading.")
    delimiter = serializers.ChoiceField(choices=DELIMITERS, required=False, help_text="Found out, if left out.")


class MappingSerializer(serializers.Serializer[Any]):
    columns = serializers.DictField(
        child=serializers.CharField(allow_blank=True, max_length=250),
        help_text="Column position → `external_id`, `fact:name`, `trait:<key>`, `new:<type>:<name>`, or nothing.",
    )
    clear_empty = serializers.BooleanField(default=False, help_text="Empty cells clear what is there.")


class ImportSerializer(serializers.ModelSerializer[CsvImport]):
    columns = serializers.SerializerMethodField(help_text="What each column becomes; before it is said, a guess.")
    check_job = serializers.SerializerMethodField(help_text="The latest dry run.")
    run_job = serializers.SerializerMethodField()

    class Meta:
        model = CsvImport
        fields = (
            "id",
            "scope",
            "file_name",
            "size",
            "state",
            "encoding",
            "delimiter",
            "header",
            "columns",
            "rows",
            "result",
            "check_job",
            "run_job",
            "created_at",
            "finished_at",
        )
        read_only_fields = fields

    def get_columns(self, made: CsvImport) -> dict[str, str]:
        return made.mapping.get("columns") or guess(made)

    def get_check_job(self, made: CsvImport) -> int | None:
        return getattr(job_of(made, CHECK), "pk", None)

    def get_run_job(self, made: CsvImport) -> int | None:
        return getattr(job_of(made, RUN), "pk", None)


@extend_schema_view(
    list=documented("List imports", answers=ImportSerializer, many=True),
    retrieve=documented("Read an import", answers=ImportSerializer),
)
class ImportViewSet(Listed, Retrieved, ApiViewSet):
    """A CSV file on its way in: uploaded, mapped, tried, run, and perhaps undone."""

    model = CsvImport
    reads = writes = Ability.MANAGE_DATA
    serializer_class = ImportSerializer
    orderings: ClassVar = {"id": "id"}
    default_ordering = "-id"
    max_bytes = MAX_BULK_BYTES

    @documented("Upload a CSV file", request=NewImportSerializer, answers=ImportSerializer, status=201)
    def create(self, request: Request) -> Response:
        checked = self.valid(NewImportSerializer)
        content = checked.pop("content").encode()
        chunks = [content[at : at + 64_000] for at in range(0, len(content), 64_000)]
        try:
            made = keep_upload(chunks, encoding="utf-8", by=self.caller, now=self.now, **checked)
        except CsvRefused as refusal:
            raise Invalid(faults=[Fault("/content", str(refusal))]) from None
        return self.answer(made, status=HTTPStatus.CREATED)

    @documented("Say what each column becomes", request=MappingSerializer, answers=ImportSerializer)
    @action(detail=True, methods=["post"])
    def mapping(self, request: Request, pk: str) -> Response:
        made, checked = self.get_object(), self.valid(MappingSerializer)
        try:
            set_mapping(made, checked["columns"], clear_empty=checked["clear_empty"])
        except MappingFaults as wrong:
            faults = [Fault(pointer("columns", at) if at else "/columns", text) for at, text in wrong.faults.items()]
            raise Invalid(faults=faults) from None
        except CannotImport as refusal:
            raise Conflict(str(refusal)) from None
        return self.fresh(made)

    @documented("Try an import without writing anything", answers=JobSerializer, status=201)
    @action(detail=True, methods=["post"], url_path="dry-run")
    def dry_run(self, request: Request, pk: str) -> Response:
        return self._started(start_check)

    @documented("Run an import", answers=JobSerializer, status=201)
    @action(detail=True, methods=["post"])
    def run(self, request: Request, pk: str) -> Response:
        return self._started(start_run)

    @documented("Undo an import", answers=JobSerializer, status=201)
    @action(detail=True, methods=["post"])
    def undo(self, request: Request, pk: str) -> Response:
        job = job_of(self.get_object(), RUN)
        if job is None:
            raise Conflict("This import has not run yet.")
        try:
            return self._shown(starting.undo(job, by=self.caller, now=self.now))
        except JobRefused as refusal:
            raise Conflict(str(refusal)) from None

    def _started(self, start: Any) -> Response:
        try:
            return self._shown(start(self.get_object(), by=self.caller, now=self.now))
        except CannotImport as refusal:
            raise Conflict(str(refusal)) from None

    def _shown(self, job: Job) -> Response:
        return Response(JobSerializer(job).data, status=HTTPStatus.CREATED)
