"""Playbooks and their versions. Each verb is one call into the engine."""

from http import HTTPStatus
from typing import Any, ClassVar

from django.db.models import Exists, F, OuterRef, QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema_view
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api.rules import ExplainedSerializer
from accounts.fields import workspace_fields
from accounts.rules.grammar import RuleErrors
from cs_platform.rest.jobs import JobSerializer
from cs_platform.rest.problems import Conflict, Fault, Invalid, pointer_of_path
from cs_platform.rest.schema import documented
from cs_platform.rest.viewsets import ApiViewSet, Listed, Retrieved
from cs_platform.tenancy.roles import Ability
from playbooks import drafts, dry_runs, versions
from playbooks.api import filters, serializers
from playbooks.api.drafting import Drafting
from playbooks.audience import why_of
from playbooks.definition import DefinitionErrors, parse
from playbooks.models import Playbook, PlaybookVersion, Withheld
from playbooks.moving import MoveAhead, Passed, look_ahead_of_late_move, look_ahead_of_move, start_move
from playbooks.pausing import Missed
from playbooks.stop_jobs import NothingToStop, Places, look_ahead_of_stop, start_stop


@extend_schema_view(
    list=documented("List playbooks", answers=serializers.PlaybookSerializer, many=True),
    retrieve=documented("Read a playbook with its definition", answers=serializers.WholePlaybookSerializer),
)
class PlaybookViewSet(Listed, Retrieved, Drafting):
    """Rules with a schedule of actions."""

    model = Playbook
    writes = Ability.PUBLISH_PLAYBOOKS
    state_field = "status"
    filterset_class = filters.PlaybookFilters
    orderings: ClassVar = {"id": "id", "name": "name", "created_at": "created_at", "live_at": "live_at"}

    def get_serializer_class(self) -> Any:
        return serializers.PlaybookSerializer if self.action == "list" else serializers.WholePlaybookSerializer

    def rows(self) -> QuerySet[Playbook]:
        drafts = PlaybookVersion.objects.filter(playbook=OuterRef("pk"), published_at__isnull=True)
        rows = Playbook.objects.annotate(version_number=F("version__number"), has_draft=Exists(drafts))
        return rows if self.action == "list" else rows.select_related("version")

    @documented(
        "Import a playbook as a draft",
        request=serializers.DEFINITION,
        answers=serializers.WholePlaybookSerializer,
    )
    @action(detail=False, methods=["post"], url_path="import", ability_of_action=Ability.DRAFT_PLAYBOOKS)
    def import_definition(self, request: Request) -> Response:
        try:
            playbook = versions.import_playbook(request.data, by=self.caller, now=self.now)
        except DefinitionErrors as errors:
            raise _wrong_definition(errors) from None
        except versions.NotPossible as refusal:
            raise Conflict(str(refusal)) from None
        return self.fresh(playbook)

    @documented(
        "Explain why a playbook is applied to an account, or one of its users, or why not",
        request=serializers.SubjectSerializer,
        answers=ExplainedSerializer,
    )
    @action(detail=True, methods=["post"], ability_of_action=Ability.READ)
    def explain(self, request: Request, pk: str) -> Response:
        playbook, asked = self.get_object(), self.valid(serializers.SubjectSerializer)
        version = playbook.version or playbook.versions.order_by("-number").first()
        try:
            why = why_of(version, asked["account"], asked.get("user"), tenant=self.tenant, now=self.now)
        except RuleErrors:
            raise Conflict("Its rules ask about a field that is gone. Mend them first.") from None
        if why is None:
            raise Invalid(faults=[Fault("/user", "The account has no such user.")])
        return Response(ExplainedSerializer(why).data)

    @documented(
        "Publish the draft",
        request=serializers.PublishSerializer,
        answers=serializers.WholePlaybookSerializer,
    )
    @action(detail=True, methods=["post"])
    def publish(self, request: Request, pk: str) -> Response:
        """For future enrollments, and with `running: move` for those under way, which a job moves."""
        playbook, wanted = self.get_object(), self.valid(serializers.PublishSerializer)

        def publish() -> None:
            versions.publish(playbook, by=self.caller, now=self.now)
            if wanted["running"] == "move":
                playbook.refresh_from_db()
                start_move(playbook, passed=Passed(wanted["passed"]), by=self.caller, now=self.now)

        return self._published(playbook, publish)

    @documented(
        "Show what moving enrollments to another version changes",
        answers=serializers.MoveAheadSerializer,
    )
    @action(detail=True, methods=["get"], url_path="move-preview")
    def move_preview(self, request: Request, pk: str) -> Response:
        """Of all under way to what is drafted, or without a draft of those on earlier versions to the published one."""
        playbook = self.get_object()
        ahead = self._move_ahead(playbook, drafts.open_draft(playbook))
        if ahead is None:
            raise Conflict("Counting takes too long.", code="too_many")
        return Response(serializers.MoveAheadSerializer(ahead).data)

    def _move_ahead(self, playbook: Playbook, draft: PlaybookVersion | None) -> MoveAhead | None:
        if draft is None:
            return look_ahead_of_late_move(playbook, tenant=self.tenant, now=self.now)
        try:
            definition = parse(draft.draft, fields=workspace_fields())
        except DefinitionErrors as errors:
            raise _wrong_definition(errors) from None
        weekends = getattr(definition, "skip_weekends", False)
        return look_ahead_of_move(
            playbook, steps=definition.steps, skips_weekends=weekends, tenant=self.tenant, now=self.now
        )

    @documented(
        "Move enrollments on earlier versions to the published one",
        request=serializers.MoveSerializer,
        answers=JobSerializer,
        status=201,
        needs_key=True,
    )
    @action(detail=True, methods=["post"], needs_idempotency_key=True)
    def move(self, request: Request, pk: str) -> Response:
        """Starts a job: ask for it under `/jobs/` until it is over."""
        playbook, passed = self.get_object(), Passed(self.valid(serializers.MoveSerializer)["passed"])
        job = start_move(playbook, passed=passed, by=self.caller, now=self.now) if playbook.version_id else None
        if job is None:
            raise Conflict("Nothing runs on an earlier version.", code="nothing_to_move")
        return Response(JobSerializer(job).data, status=HTTPStatus.CREATED)

    @documented(
        "Publish the draft and let evaluations enroll",
        request=serializers.LiveSerializer,
        answers=serializers.WholePlaybookSerializer,
    )
    @action(detail=True, methods=["post"], url_path="set-live")
    def set_live(self, request: Request, pk: str) -> Response:
        playbook, expected = self.get_object(), self.valid(serializers.LiveSerializer)["expected_count"]
        return self._published(
            playbook,
            lambda: versions.set_live(playbook, by=self.caller, now=self.now, expected_count=expected),
        )

    def _published(self, playbook: Playbook, publish: Any) -> Response:
        try:
            publish()
        except DefinitionErrors as errors:
            raise _wrong_definition(errors) from None
        except versions.NotPossible as refusal:
            raise Conflict(str(refusal)) from None
        return self.fresh(playbook)

    @documented(
        "Publish the draft and only record what it would do",
        request=serializers.LiveSerializer,
        answers=serializers.WholePlaybookSerializer,
    )
    @action(detail=True, methods=["post"], url_path="dry-run")
    def dry_run(self, request: Request, pk: str) -> Response:
        """It is evaluated, enrolls and comes to its days as if it were live."""
        playbook, expected = self.get_object(), self.valid(serializers.LiveSerializer)["expected_count"]
        return self._published(
            playbook,
            lambda: dry_runs.start_dry_run(playbook, by=self.caller, now=self.now, expected_count=expected),
        )

    @documented(
        "End a dry run and set the playbook live",
        request=serializers.PromoteSerializer,
        answers=serializers.WholePlaybookSerializer,
    )
    @action(detail=True, methods=["post"])
    def promote(self, request: Request, pk: str) -> Response:
        """A job ends what was recorded, and begins it again where that is asked for."""
        playbook, restart = self.get_object(), self.valid(serializers.PromoteSerializer)["restart"]
        return self._published(
            playbook, lambda: dry_runs.promote(playbook, restart=restart, by=self.caller, now=self.now)
        )

    @documented("End a dry run and pause the playbook", answers=serializers.WholePlaybookSerializer)
    @action(detail=True, methods=["post"], url_path="discard-dry-run")
    def discard_dry_run(self, request: Request, pk: str) -> Response:
        playbook = self.get_object()
        return self._published(playbook, lambda: dry_runs.discard(playbook, by=self.caller, now=self.now))

    @documented("Pause a playbook: running enrollments wait", answers=serializers.WholePlaybookSerializer)
    @action(detail=True, methods=["post"])
    def pause(self, request: Request, pk: str) -> Response:
        playbook = self.get_object()
        versions.pause(playbook, by=self.caller, now=self.now)
        return self.outcome(playbook, acted=False, state=Playbook.Status.PAUSED)

    @documented(
        "Resume a paused playbook", request=serializers.ResumeSerializer, answers=serializers.WholePlaybookSerializer
    )
    @action(detail=True, methods=["post"])
    def resume(self, request: Request, pk: str) -> Response:
        """More than 1,000 that wait go on by a job."""
        playbook, missed = self.get_object(), Missed(self.valid(serializers.ResumeSerializer)["missed"])
        versions.resume(playbook, by=self.caller, now=self.now, missed=missed)
        return self.outcome(playbook, acted=False, state=Playbook.Status.LIVE)

    @documented(
        "Archive a playbook", request=serializers.ArchiveSerializer, answers=serializers.WholePlaybookSerializer
    )
    @action(detail=True, methods=["post"])
    def archive(self, request: Request, pk: str) -> Response:
        playbook, stop = self.get_object(), self.valid(serializers.ArchiveSerializer)["stop"]
        return self._published(playbook, lambda: versions.archive(playbook, by=self.caller, now=self.now, stop=stop))

    @documented(
        "Show what stopping a playbook in many places comes to",
        request=serializers.PlacesSerializer,
        answers=serializers.StopAheadSerializer,
    )
    @action(detail=True, methods=["post"], url_path="stop-preview", ability_of_action=Ability.READ)
    def stop_preview(self, request: Request, pk: str) -> Response:
        ahead = look_ahead_of_stop(self._places(self.valid(serializers.PlacesSerializer)))
        return Response(serializers.StopAheadSerializer(ahead).data)

    @documented(
        "Stop a playbook in many places and undo what it did there",
        request=serializers.StopAllSerializer,
        answers=JobSerializer,
        status=201,
        needs_key=True,
    )
    @action(detail=True, methods=["post"], needs_idempotency_key=True, ability_of_action=Ability.RELEASE_EVALUATIONS)
    def stop(self, request: Request, pk: str) -> Response:
        """Starts a job: ask for it under `/jobs/` until it is over. Its file says what came of each."""
        wanted = self.valid(serializers.StopAllSerializer)
        try:
            job = start_stop(self._places(wanted), note=wanted["note"], by=self.caller, now=self.now)
        except NothingToStop as refusal:
            raise Conflict(str(refusal), code="nothing_to_stop") from None
        return Response(JobSerializer(job).data, status=HTTPStatus.CREATED)

    def _places(self, wanted: dict[str, Any]) -> Places:
        return Places(self.get_object().pk, wanted["enrollments"], wanted["finished"])

    @documented("Take a playbook out of the archive", answers=serializers.WholePlaybookSerializer)
    @action(detail=True, methods=["post"])
    def unarchive(self, request: Request, pk: str) -> Response:
        playbook = self.get_object()
        versions.unarchive(playbook, by=self.caller, now=self.now)
        return self.fresh(playbook)


def _wrong_definition(errors: DefinitionErrors) -> Invalid:
    faults = [Fault(pointer_of_path(problem.path), problem.message) for problem in errors.problems]
    return Invalid("The playbook has problems to mend.", code="invalid_playbook", faults=faults)


@extend_schema_view(list=documented("List a playbook's versions", answers=serializers.VersionSerializer, many=True))
class VersionViewSet(Listed, ApiViewSet):
    """What a playbook has been; enrollments stay on the version they began with."""

    model = PlaybookVersion
    serializer_class = serializers.VersionSerializer
    orderings: ClassVar = {"number": "number"}
    default_ordering = "-number"

    def rows(self) -> QuerySet[PlaybookVersion]:
        playbook = get_object_or_404(Playbook.objects.all(), pk=self.kwargs["playbook_id"])
        return PlaybookVersion.objects.filter(playbook=playbook).defer("definition")


@extend_schema_view(
    list=documented("List those a playbook leaves out to compare", answers=serializers.LeftOutSerializer, many=True)
)
class LeftOutViewSet(Listed, ApiViewSet):
    """Accounts and users its rules found and its holdout leaves without it. By hand it can be applied to them."""

    model = Withheld
    serializer_class = serializers.LeftOutSerializer
    filterset_class = filters.LeftOutFilters
    orderings: ClassVar = {"id": "id", "matched_at": "matched_at"}

    def rows(self) -> QuerySet[Withheld]:
        playbook = get_object_or_404(Playbook.objects.all(), pk=self.kwargs["playbook_id"])
        return Withheld.objects.filter(playbook=playbook).select_related("version").defer("version__definition")
