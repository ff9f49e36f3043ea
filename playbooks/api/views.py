"""Playbooks, their enrollments, runs and evaluations. Each verb is one call into the engine."""

from http import HTTPStatus
from typing import Any, ClassVar

from django.db.models import Exists, F, OuterRef, QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema_view
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api import serializers as account_serializers
from accounts.api.rules import ExplainedSerializer
from accounts.api.upserting import BULK_COST
from accounts.api.views import ConversationViewSet as DraftViewSet
from accounts.fields import workspace_fields
from accounts.models import AccountUser, Conversation
from accounts.rules.grammar import RuleErrors
from actions.registry import ACTIONS
from cs_platform.jobs.bulk import CannotChoose
from cs_platform.rest.bulk import BulkEditSerializer, checked_verb, nobody_is_meant
from cs_platform.rest.forms import form_schema
from cs_platform.rest.jobs import JobSerializer
from cs_platform.rest.problems import Conflict, Fault, Invalid, pointer_of_path
from cs_platform.rest.schema import documented
from cs_platform.rest.viewsets import UUIDS, ApiViewSet, Listed, Retrieved
from cs_platform.tenancy.roles import Ability
from playbooks import (
    approvals,
    drafts,
    dry_runs,
    evaluation,
    failures,
    on_enrollments,
    reviews,
    task_lists,
    undo,
    versions,
)
from playbooks.api import filters, serializers
from playbooks.api.drafting import Drafting
from playbooks.audience import why_of
from playbooks.definition import DefinitionErrors, parse
from playbooks.enrollment import AlreadyActive, apply_by_hand
from playbooks.models import (
    ActionRun,
    Approval,
    Enrollment,
    Evaluation,
    EvaluationRun,
    LedgerEntry,
    Playbook,
    PlaybookVersion,
)
from playbooks.moving import MoveAhead, Passed, look_ahead_of_late_move, look_ahead_of_move, start_move
from playbooks.on_ctas import count_tasks
from playbooks.pausing import Missed
from playbooks.questions import with_runs
from playbooks.rezoning import changed_zones, follow_zones
from playbooks.stop_jobs import NothingToStop, Places, look_ahead_of_stop, start_stop
from playbooks.undo import STOPPABLE, outcome_of_stop, preview_stop, request_stop

HISTORY_SHOWN = 500


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
    list=documented("List enrollments", answers=serializers.EnrollmentSerializer, many=True),
    retrieve=documented("Read an enrollment with its runs", answers=serializers.WholeEnrollmentSerializer),
)
class EnrollmentViewSet(Listed, Retrieved, ApiViewSet):
    """Applications of playbooks to accounts, users and CTAs."""

    model = Enrollment
    writes = Ability.RUN_PLAYBOOKS
    filterset_class = filters.EnrollmentFilters
    orderings: ClassVar = {"id": "id", "activated_at": "activated_at", "progress": "progress"}
    keyed_actions = frozenset({"create"})

    def get_serializer_class(self) -> Any:
        return serializers.EnrollmentSerializer if self.action == "list" else serializers.WholeEnrollmentSerializer

    def rows(self) -> QuerySet[Enrollment]:
        return Enrollment.objects.annotate(version_number=F("version__number"))

    def paginate_queryset(self, queryset: Any) -> Any:
        page = super().paginate_queryset(queryset)
        count_tasks(page or ())
        return page

    def shown(self, found: Enrollment) -> Any:
        """With what only one enrollment shows, loaded here so that a list can never ask for it row by row."""
        runs = found.runs.select_related("step", "enrollment").order_by(
            F("due_at").asc(nulls_last=True), "position", "pk"
        )
        entries = LedgerEntry.objects.filter(enrollment_id=found.pk).order_by("-pk")[:HISTORY_SHOWN]
        found._prefetched_objects_cache = {"runs": list(runs)}  # type: ignore[attr-defined]
        found.ledger = list(entries)  # type: ignore[attr-defined]
        count_tasks([found])
        return super().shown(found)

    @documented(
        "Apply a playbook",
        request=serializers.ApplySerializer,
        answers=serializers.WholeEnrollmentSerializer,
        status=201,
        needs_key=True,
    )
    def create(self, request: Request) -> Response:
        checked = self.valid(serializers.ApplySerializer)
        if checked["cta"] is not None:
            return self._apply_to_cta(checked)
        _refuse_misfit(checked)
        try:
            enrollment = apply_by_hand(
                playbook=checked["playbook"],
                account=checked["account"],
                end_user=checked["user"],
                by=self.caller.actor,
                now=self.now,
            )
        except AlreadyActive as refusal:
            raise Conflict(str(refusal), code="already_active") from None
        return self.answer(self.get_queryset().get(pk=enrollment.pk), status=HTTPStatus.CREATED)

    def _apply_to_cta(self, checked: dict[str, Any]) -> Response:
        if checked["account"] is not None or checked["user"] is not None:
            raise Invalid(faults=[Fault("/cta", "A CTA says which account is meant: leave account and user out.")])
        try:
            made = task_lists.apply_to_cta(checked["playbook"], checked["cta"], by=self.caller, now=self.now)
        except task_lists.NotPossible as refusal:
            raise Conflict(str(refusal), code="cannot_apply") from None
        return self.answer(self.get_queryset().get(pk=made.pk), status=HTTPStatus.CREATED)

    @documented(
        "Edit many enrollments at once", request=BulkEditSerializer, answers=JobSerializer, status=201, needs_key=True
    )
    @action(
        detail=False,
        methods=["post"],
        url_path="bulk-edit",
        needs_idempotency_key=True,
        ability_of_action=Ability.RELEASE_EVALUATIONS,
    )
    def bulk_edit(self, request: Request) -> Response:
        """Starts a job: ask for it under `/jobs/` until it is over."""
        asked = self.valid(BulkEditSerializer)
        verb, config = checked_verb(on_enrollments.VERBS, asked, self.caller)
        selection = on_enrollments.Selection(tuple(asked.get("ids", ())), asked.get("query"))
        try:
            meant = selection.among().count()
        except CannotChoose as refusal:
            raise Invalid(faults=[Fault("/query", str(refusal))]) from None
        if not meant:
            raise nobody_is_meant(asked, "enrollment")
        job = on_enrollments.start_bulk_edit(selection, verb, config, by=self.caller, now=self.now)
        return Response(JobSerializer(job).data, status=HTTPStatus.CREATED)

    @documented(
        "List time zones that have changed since playbooks were applied",
        answers=serializers.ZoneChangeSerializer,
        many=True,
    )
    @action(detail=False, methods=["get"], url_path="changed-zones", pagination_class=None, filter_backends=[])
    def changed_zones(self, request: Request) -> Response:
        return Response(serializers.ZoneChangeSerializer(changed_zones(self.tenant), many=True).data)

    @documented("Let what runs follow changed time zones", answers=JobSerializer, status=201, needs_key=True)
    @action(
        detail=False,
        methods=["post"],
        url_path="follow-zones",
        needs_idempotency_key=True,
        ability_of_action=Ability.PUBLISH_PLAYBOOKS,
    )
    def follow_zones(self, request: Request) -> Response:
        """Starts a job: ask for it under `/jobs/` until it is over."""
        job = follow_zones(self.tenant, by=self.caller, now=self.now)
        if job is None:
            raise Conflict("Everything runs in the time zone of its account.", code="nothing_to_move")
        return Response(JobSerializer(job).data, status=HTTPStatus.CREATED)

    @documented("Show what becomes of a CTA's tasks without its playbook", answers=serializers.RemovalSerializer)
    @action(detail=True, methods=["post"], url_path="removal-preview")
    def removal_preview(self, request: Request, pk: str) -> Response:
        enrollment = self._on_cta()
        preview = task_lists.preview_removal(enrollment, now=self.now)
        return Response(serializers.RemovalSerializer(preview).data)

    @documented(
        "Replace the playbook of a CTA by another one",
        request=serializers.ReplaceSerializer,
        answers=serializers.WholeEnrollmentSerializer,
        needs_key=True,
    )
    @action(detail=True, methods=["post"], needs_idempotency_key=True)
    def replace(self, request: Request, pk: str) -> Response:
        """Answers the new enrollment."""
        enrollment, wanted = self._on_cta(), self.valid(serializers.ReplaceSerializer)
        playbook, stay = wanted["playbook"], wanted["keep_tasks"]
        try:
            made = task_lists.replace(enrollment, playbook, stay=stay, by=self.caller, now=self.now)
        except task_lists.NotPossible as refusal:
            raise Conflict(str(refusal), code="cannot_apply") from None
        return self.answer(self.get_queryset().get(pk=made.pk))

    @documented(
        "Put a removed or replaced playbook back on its CTA",
        answers=serializers.WholeEnrollmentSerializer,
        needs_key=True,
    )
    @action(detail=True, methods=["post"], url_path="put-back", needs_idempotency_key=True)
    def put_back(self, request: Request, pk: str) -> Response:
        """Answers a new enrollment with the same tasks; what replaced it is removed."""
        try:
            made = task_lists.put_back(self._on_cta(), by=self.caller, now=self.now)
        except task_lists.NotPossible as refusal:
            raise Conflict(str(refusal), code="cannot_put_back") from None
        return self.answer(self.get_queryset().get(pk=made.pk))

    def _on_cta(self) -> Enrollment:
        enrollment: Enrollment = self.get_object()
        if enrollment.cta_id is None:
            raise Conflict("This is about a playbook on a CTA. Stop this one instead.", code="not_on_a_cta")
        return enrollment

    @documented("Show what stopping would do, item by item", answers=serializers.StopPreviewSerializer)
    @action(detail=True, methods=["post"], url_path="stop-preview")
    def stop_preview(self, request: Request, pk: str) -> Response:
        enrollment = self.get_object()
        stoppable = enrollment.state in STOPPABLE
        preview = preview_stop(enrollment, now=self.now) if stoppable else outcome_of_stop(enrollment)
        return Response(serializers.StopPreviewSerializer(preview).data)

    @documented(
        "Stop a playbook and undo what it did",
        request=serializers.StopSerializer,
        answers=serializers.StoppedSerializer,
        needs_key=True,
    )
    @action(detail=True, methods=["post"], needs_idempotency_key=True)
    def stop(self, request: Request, pk: str) -> Response:
        """A second stop answers what the first one came to."""
        enrollment, wanted = self.get_object(), self.valid(serializers.StopSerializer)
        if enrollment.cta_id:
            task_lists.remove(enrollment, stay=wanted["keep_tasks"], by=self.caller, now=self.now)
        else:
            request_stop(enrollment, by=self.caller, note=wanted["note"], keep=wanted["keep"], now=self.now)
        fresh = self.get_queryset().get(pk=enrollment.pk)
        shown = {"enrollment": fresh, "outcome": outcome_of_stop(fresh)}
        return Response(serializers.StoppedSerializer(shown).data)


def _refuse_misfit(checked: dict[str, Any]) -> None:
    playbook, account, user = checked["playbook"], checked["account"], checked["user"]
    if account is None:
        raise Invalid(faults=[Fault("/account", "Say which account, or which CTA, it is to be applied to.")])
    if playbook.status != Playbook.Status.LIVE or playbook.audience == Playbook.Audience.CTAS:
        raise Invalid(faults=[Fault("/playbook", "Choose a live playbook about accounts or users.")])
    about_users = playbook.audience == Playbook.Audience.USERS
    if about_users and (user is None or not AccountUser.objects.filter(account=account, end_user=user).exists()):
        raise Invalid(faults=[Fault("/user", "This playbook is about users: choose one of the account's.")])
    if not about_users and user is not None:
        raise Invalid(faults=[Fault("/user", "This playbook is about accounts: leave the user out.")])


@extend_schema_view(
    list=documented("List action runs", answers=serializers.RunSerializer, many=True),
    retrieve=documented("Read an action run", answers=serializers.RunSerializer),
)
class RunViewSet(Listed, Retrieved, ApiViewSet):
    """Single steps of enrollments, with what came of them."""

    model = ActionRun
    writes = Ability.RUN_PLAYBOOKS
    serializer_class = serializers.RunSerializer
    filterset_class = filters.RunFilters
    lookup_value_regex = UUIDS
    orderings: ClassVar = {"id": "id", "due_at": "due_at", "settled_at": "settled_at"}

    def rows(self) -> QuerySet[ActionRun]:
        return ActionRun.objects.select_related("step", "enrollment")

    @documented("Try a failed, held or uncertain run again", answers=serializers.RunSerializer)
    @action(detail=True, methods=["post"])
    def retry(self, request: Request, pk: str) -> Response:
        run = self.get_object()
        acted = failures.retry(run, by=self.caller.actor, now=self.now)
        return self.outcome(run, acted=acted, state=ActionRun.State.SCHEDULED)

    @documented("Skip a failed or held run", answers=serializers.RunSerializer)
    @action(detail=True, methods=["post"])
    def skip(self, request: Request, pk: str) -> Response:
        run = self.get_object()
        acted = failures.skip(run, by=self.caller.actor, now=self.now)
        return self.outcome(run, acted=acted, state=ActionRun.State.SKIPPED)

    @documented("Say that an uncertain or failed run was done", answers=serializers.RunSerializer)
    @action(detail=True, methods=["post"])
    def settle(self, request: Request, pk: str) -> Response:
        run = self.get_object()
        acted = failures.mark_done(run, by=self.caller.actor, now=self.now)
        return self.outcome(run, acted=acted, state=ActionRun.State.APPLIED)

    @documented("Try again to undo a run whose undo failed", answers=serializers.RunSerializer)
    @action(detail=True, methods=["post"], url_path="retry-undo")
    def retry_undo(self, request: Request, pk: str) -> Response:
        run = self.get_object()
        acted = undo.retry_undo(run, by=self.caller.actor, now=self.now)
        return self.outcome(run, acted=acted, state=ActionRun.State.UNDONE)

    @documented("Let the effect of a run whose undo failed stay", answers=serializers.RunSerializer)
    @action(detail=True, methods=["post"])
    def keep(self, request: Request, pk: str) -> Response:
        run = self.get_object()
        acted = undo.accept_as_kept(run, by=self.caller.actor, now=self.now)
        return self.outcome(run, acted=acted, state=ActionRun.State.KEPT)


@extend_schema_view(
    list=documented("List actions that ask for approval", answers=serializers.ApprovalSerializer, many=True),
    retrieve=documented("Read what asks for approval", answers=serializers.ApprovalSerializer),
)
class ApprovalViewSet(Listed, Retrieved, ApiViewSet):
    """Actions that wait until somebody approves them, and what was answered."""

    model = Approval
    writes = Ability.PUBLISH_PLAYBOOKS  # a key answers for whoever is asked
    serializer_class = serializers.ApprovalSerializer
    filterset_class = filters.ApprovalFilters
    orderings: ClassVar = {"id": "id", "expires_at": "expires_at", "decided_at": "decided_at"}

    def rows(self) -> QuerySet[Approval]:
        return Approval.objects.select_related("enrollment")

    def paginate_queryset(self, queryset: Any) -> Any:
        page = super().paginate_queryset(queryset)
        with_runs(page or ())
        return page

    def shown(self, found: Approval) -> Any:
        with_runs([found])
        return super().shown(found)

    @documented("Approve an action", request=serializers.VerdictSerializer, answers=serializers.ApprovalSerializer)
    @action(detail=True, methods=["post"])
    def approve(self, request: Request, pk: str) -> Response:
        return self._answer(approvals.approve, Approval.State.APPROVED)

    @documented("Reject an action", request=serializers.VerdictSerializer, answers=serializers.ApprovalSerializer)
    @action(detail=True, methods=["post"])
    def reject(self, request: Request, pk: str) -> Response:
        return self._answer(approvals.reject, Approval.State.REJECTED)

    def _answer(self, verb: Any, state: str) -> Response:
        found, note = self.get_object(), self.valid(serializers.VerdictSerializer)["note"]
        return self.outcome(found, acted=bool(verb([found.pk], by=self.caller, note=note, now=self.now)), state=state)

    @documented(
        "Approve or reject up to 500 actions",
        request=serializers.DecideApprovalsSerializer,
        answers=serializers.DecidedSerializer,
        needs_key=True,
    )
    @action(detail=False, methods=["post"], needs_idempotency_key=True, throttle_cost=BULK_COST)
    def decide(self, request: Request) -> Response:
        asked = self.valid(serializers.DecideApprovalsSerializer)
        verb = approvals.approve if asked["verdict"] == "approve" else approvals.reject
        done = verb(asked["ids"], by=self.caller, note=asked["note"], now=self.now)
        return Response(_decided(asked["ids"], done))


def _decided(ids: list[int], done: set[int]) -> dict[str, list[int]]:
    return {"decided": sorted(done), "unchanged": sorted(set(ids) - done)}


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


@extend_schema_view(
    list=documented("List conversations", answers=account_serializers.ConversationSerializer, many=True),
    retrieve=documented("Read a conversation", answers=account_serializers.ConversationSerializer),
)
class ConversationViewSet(DraftViewSet):
    """What was written to customers, and drafts that wait. Deciding about a draft also decides about its run."""

    @documented("Send a pending conversation now", answers=account_serializers.ConversationSerializer, needs_key=True)
    @action(detail=True, methods=["post"], url_path="send-now", needs_idempotency_key=True)
    def send_now(self, request: Request, pk: str) -> Response:
        conversation = self.get_object()
        acted = reviews.send_now(conversation, by=self.caller, now=self.now)
        return self.outcome(conversation, acted=acted, state=Conversation.State.SENT)

    @documented("Cancel a pending conversation", answers=account_serializers.ConversationSerializer)
    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, pk: str) -> Response:
        conversation = self.get_object()
        acted = reviews.cancel(conversation, by=self.caller, now=self.now)
        return self.outcome(conversation, acted=acted, state=Conversation.State.CANCELLED)

    @documented(
        "Send or cancel up to 500 pending conversations",
        request=serializers.DecideDraftsSerializer,
        answers=serializers.DecidedSerializer,
        needs_key=True,
    )
    @action(detail=False, methods=["post"], needs_idempotency_key=True, throttle_cost=BULK_COST)
    def decide(self, request: Request) -> Response:
        asked = self.valid(serializers.DecideDraftsSerializer)
        verb = reviews.send_now if asked["verdict"] == "send_now" else reviews.cancel
        drafts = Conversation.objects.filter(pk__in=asked["ids"], state=Conversation.State.PENDING).order_by("pk")
        done = {one.pk for one in drafts if verb(one, by=self.caller, now=self.now)}
        return Response(_decided(asked["ids"], done))


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
