"""What playbooks are applied to, and the single steps of that."""

from http import HTTPStatus
from typing import Any, ClassVar

from django.db.models import F, QuerySet
from drf_spectacular.utils import extend_schema_view
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.models import AccountUser
from cs_platform.jobs.bulk import CannotChoose
from cs_platform.rest.bulk import BulkEditSerializer, checked_verb, nobody_is_meant
from cs_platform.rest.jobs import JobSerializer
from cs_platform.rest.problems import Conflict, Fault, Invalid
from cs_platform.rest.schema import documented
from cs_platform.rest.viewsets import UUIDS, ApiViewSet, Listed, Retrieved
from cs_platform.tenancy.roles import Ability
from playbooks import failures, on_enrollments, task_lists, undo
from playbooks.api import filters, serializers
from playbooks.enrollment import AlreadyActive, apply_by_hand
from playbooks.models import ActionRun, Enrollment, LedgerEntry, Playbook
from playbooks.on_ctas import count_tasks
from playbooks.rezoning import changed_zones, follow_zones
from playbooks.undo import STOPPABLE, outcome_of_stop, preview_stop, request_stop

HISTORY_SHOWN = 500


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
