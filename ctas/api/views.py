"""CTAs and their tasks: work for people."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from http import HTTPStatus
from typing import Any, ClassVar

from django.db.models import Count, IntegerField, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.utils import timezone
from drf_spectacular.utils import extend_schema_view
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from cs_platform.rest.jobs import JobSerializer
from cs_platform.rest.problems import Fault, Invalid
from cs_platform.rest.schema import documented
from cs_platform.rest.viewsets import ApiViewSet, Listed, Retrieved
from cs_platform.tenancy.roles import Ability
from cs_platform.workspace.comments import load_thread
from ctas import recurring
from ctas.api import filters, serializers
from ctas.api.bulk import BulkEditSerializer, started_bulk_edit, started_edit_of_tasks
from ctas.lists import CannotEdit, Entry, Kind, Lists, current_lists, replace_list
from ctas.models import Cta, ListEntry, Task
from ctas.opening import comment_on, open_cta
from ctas.own_days import own_day
from ctas.working import (
    CannotWork,
    FieldsMissing,
    add_task,
    close_cta,
    complete_task,
    edit_cta,
    edit_task,
    hand_over_tasks,
    link_user,
    missing_to_open,
    order_tasks,
    set_status,
    shift_tasks,
    unlink_user,
)


@extend_schema_view(
    list=documented("List CTAs", answers=serializers.CtaSerializer, many=True),
    retrieve=documented("Read a CTA", answers=serializers.CtaSerializer),
)
class CtaViewSet(Listed, Retrieved, ApiViewSet):
    """Calls to action on accounts."""

    model = Cta
    writes = Ability.WORK_CTAS
    state_field = "status"
    serializer_class = serializers.CtaSerializer
    filterset_class = filters.CtaFilters
    orderings: ClassVar = {"id": "id", "due_on": "due_on", "created_at": "created_at", "name": "name"}

    def rows(self) -> QuerySet[Cta]:
        ctas = Cta.objects.annotate(tasks_total=_tasks(), tasks_done=_tasks(status=Task.Status.DONE))
        return ctas.select_related("recurrence").prefetch_related("linked")

    @property
    def today(self) -> date:
        return timezone.localdate(self.now)

    @documented("Open a CTA", request=serializers.NewCtaSerializer, answers=serializers.CtaSerializer, status=201)
    def create(self, request: Request) -> Response:
        checked = self.valid(serializers.NewCtaSerializer)
        if missing := missing_to_open(checked, type=checked["type"], lists=current_lists()):
            raise _missing(FieldsMissing(missing, to="open"))
        cta = open_cta(**checked, by=self.caller, now=self.now)
        return self.answer(self.get_queryset().get(pk=cta.pk), status=HTTPStatus.CREATED)

    @documented("Edit a CTA", request=serializers.CtaEditSerializer, answers=serializers.CtaSerializer)
    def partial_update(self, request: Request, pk: str) -> Response:
        cta, checked = self.get_object(), self.valid(serializers.CtaEditSerializer)
        moves, hands_over = checked.pop("move_tasks"), checked.pop("hand_over_tasks")
        due_on, owner = cta.due_on, cta.owner
        if edit_cta(cta, by=self.caller, now=self.now, **checked):
            if moves and due_on and cta.due_on and due_on != cta.due_on:
                shift_tasks(cta, days=(cta.due_on - due_on).days, by=self.caller, now=self.now)
            if hands_over != "none" and owner != cta.owner:
                only_of = owner if hands_over == "theirs" else None
                hand_over_tasks(cta, to=cta.owner, only_of=only_of, by=self.caller, now=self.now)
        return self.fresh(cta)

    @documented("Give a CTA another status", request=serializers.StageSerializer, answers=serializers.CtaSerializer)
    @action(detail=True, methods=["post"], url_path="set-status")
    def set_status(self, request: Request, pk: str) -> Response:
        """One of another category closes or reopens it; its open tasks stay as they are."""
        cta, stage = self.get_object(), self.valid(serializers.StageSerializer)["stage"]
        with _told():
            set_status(cta, stage=stage, today=self.today, by=self.caller, now=self.now)
        return self.fresh(cta)

    @documented("Close a CTA", request=serializers.CloseSerializer, answers=serializers.CtaSerializer)
    @action(detail=True, methods=["post"])
    def close(self, request: Request, pk: str) -> Response:
        """What its type asks for must be filled in."""
        cta, checked = self.get_object(), self.valid(serializers.CloseSerializer)
        stage = checked.get("stage") or checked["status"]
        how = {"stage": stage, "cancel_tasks": checked["cancel_tasks"]}
        with _told():
            acted = close_cta(cta, **how, today=self.today, by=self.caller, now=self.now)
        return self.outcome(cta, acted=acted, state=checked.get("status") or cta.status)

    @documented("Reopen a CTA", answers=serializers.CtaSerializer)
    @action(detail=True, methods=["post"])
    def reopen(self, request: Request, pk: str) -> Response:
        cta = self.get_object()
        return self.outcome(cta, acted=cta.reopen_with_tasks(by=self.caller, now=self.now), state=Cta.Status.OPEN)

    @documented("Snooze a CTA", request=serializers.SnoozeSerializer, answers=serializers.CtaSerializer)
    @action(detail=True, methods=["post"])
    def snooze(self, request: Request, pk: str) -> Response:
        cta, checked = self.get_object(), self.valid(serializers.SnoozeSerializer)
        if checked["until"] <= own_day(cta.owner, self.tenant, now=self.now):
            fault = Fault("/until", "Name a day after today, in its owner's zone.", "too_early")
            raise Invalid("A CTA is snoozed until a day to come.", faults=[fault])
        acted = cta.snooze(**checked, by=self.caller, now=self.now)
        return self.outcome(cta, acted=acted, state=Cta.Status.OPEN)

    @documented("Take snoozing back", answers=serializers.CtaSerializer)
    @action(detail=True, methods=["post"])
    def wake(self, request: Request, pk: str) -> Response:
        cta = self.get_object()
        cta.wake(by=self.caller, now=self.now)
        return self.fresh(cta)

    @documented("Let a CTA come again", request=serializers.RepeatSerializer, answers=serializers.CtaSerializer)
    @action(detail=True, methods=["post"])
    def repeat(self, request: Request, pk: str) -> Response:
        cta, often = self.get_object(), self.valid(serializers.RepeatSerializer)
        recurring.repeat(cta, **often, today=self.today, by=self.caller, now=self.now)
        return self.fresh(cta)

    @documented("Let no next one come for now", answers=serializers.CtaSerializer)
    @action(detail=True, methods=["post"], url_path="pause-repeating")
    def pause_repeating(self, request: Request, pk: str) -> Response:
        cta = self.get_object()
        recurring.pause(cta, by=self.caller, now=self.now)
        return self.fresh(cta)

    @documented("Let it come again after a pause", answers=serializers.CtaSerializer)
    @action(detail=True, methods=["post"], url_path="resume-repeating")
    def resume_repeating(self, request: Request, pk: str) -> Response:
        cta = self.get_object()
        recurring.resume(cta, today=self.today, by=self.caller, now=self.now)
        return self.fresh(cta)

    @documented("Let no next one come any more", answers=serializers.CtaSerializer)
    @action(detail=True, methods=["post"], url_path="stop-repeating")
    def stop_repeating(self, request: Request, pk: str) -> Response:
        cta = self.get_object()
        recurring.stop_repeating(cta, by=self.caller, now=self.now)
        return self.fresh(cta)

    @documented("Link a user to a CTA", request=serializers.LinkSerializer, answers=serializers.CtaSerializer)
    @action(detail=True, methods=["post"], url_path="link-user")
    def link_user(self, request: Request, pk: str) -> Response:
        cta, user = self.get_object(), self.valid(serializers.LinkSerializer)["user"]
        with _told("/user"):
            link_user(cta, user, by=self.caller, now=self.now)
        return self.fresh(cta)

    @documented("Unlink a user from a CTA", request=serializers.LinkSerializer, answers=serializers.CtaSerializer)
    @action(detail=True, methods=["post"], url_path="unlink-user")
    def unlink_user(self, request: Request, pk: str) -> Response:
        cta, user = self.get_object(), self.valid(serializers.LinkSerializer)["user"]
        unlink_user(cta, user, by=self.caller, now=self.now)
        return self.fresh(cta)

    @documented("Put a CTA's tasks in order", request=serializers.OrderSerializer, answers=serializers.CtaSerializer)
    @action(detail=True, methods=["post"], url_path="order-tasks")
    def order_tasks(self, request: Request, pk: str) -> Response:
        """Those left out stay behind the others."""
        cta, ids = self.get_object(), self.valid(serializers.OrderSerializer)["tasks"]
        order_tasks(cta, ids, by=self.caller, now=self.now)
        return self.fresh(cta)

    @documented("Edit many CTAs", request=BulkEditSerializer, answers=JobSerializer, status=201, needs_key=True)
    @action(detail=False, methods=["post"], url_path="bulk-edit", needs_idempotency_key=True)
    def bulk_edit(self, request: Request) -> Response:
        """By a job, with errors row by row and one undo. docs/jobs.md lists the verbs."""
        job = started_bulk_edit(self.valid(BulkEditSerializer), tenant=self.tenant, by=self.caller, now=self.now)
        return Response(JobSerializer(job).data, status=HTTPStatus.CREATED)

    @documented("Comment on a CTA", request=serializers.NewCommentSerializer, answers=serializers.CommentSerializer)
    @action(detail=True, methods=["post"], url_path="comment", ability_of_action=Ability.COMMENT)
    def comment(self, request: Request, pk: str) -> Response:
        cta, body = self.get_object(), self.valid(serializers.NewCommentSerializer)["body"]
        written = comment_on(cta, body=body, by=self.caller, now=self.now)
        return Response(serializers.CommentSerializer(written).data, status=HTTPStatus.CREATED)

    @documented("The comments on a CTA", answers=serializers.ThreadSerializer)
    @action(detail=True, methods=["get"])
    def comments(self, request: Request, pk: str) -> Response:
        """The newest 100, oldest first."""
        thread = load_thread(f"cta:{self.get_object().pk}")
        return Response(serializers.ThreadSerializer({"comments": thread.comments, "more": thread.more}).data)

    @documented("Archive a CTA with its tasks", answers=serializers.CtaSerializer)
    @action(detail=True, methods=["post"])
    def archive(self, request: Request, pk: str) -> Response:
        cta = self.get_object()
        cta.archive(by=self.caller, now=self.now)
        return self.fresh(cta)

    @documented("Restore an archived CTA", answers=serializers.CtaSerializer)
    @action(detail=True, methods=["post"])
    def restore(self, request: Request, pk: str) -> Response:
        cta = self.get_object()
        cta.restore(by=self.caller, now=self.now)
        return self.fresh(cta)


@contextmanager
def _told(pointer: str = "/stage") -> Iterator[None]:
    try:
        yield
    except FieldsMissing as refusal:
        raise _missing(refusal) from None
    except CannotWork as refusal:
        raise Invalid(faults=[Fault(pointer, str(refusal))]) from None


def _missing(refusal: FieldsMissing) -> Invalid:
    return Invalid(str(refusal), faults=[Fault(f"/{name}", str(refusal), "required") for name in refusal.fields])


def _tasks(**which: str) -> Coalesce:
    """A sub-select, not a join: the outer rows can then be locked and paged."""
    mine = Task.objects.present().filter(cta=OuterRef("pk"), **which).order_by().values("cta")
    return Coalesce(Subquery(mine.annotate(n=Count("pk")).values("n"), output_field=IntegerField()), 0)


@extend_schema_view(
    list=documented("List tasks", answers=serializers.TaskSerializer, many=True),
    retrieve=documented("Read a task", answers=serializers.TaskSerializer),
)
class TaskViewSet(Listed, Retrieved, ApiViewSet):
    """The steps of CTAs."""

    model = Task
    writes = Ability.WORK_CTAS
    state_field = "status"
    serializer_class = serializers.TaskSerializer
    filterset_class = filters.TaskFilters
    orderings: ClassVar = {"id": "id", "due_on": "due_on", "created_at": "created_at", "position": "position"}

    def rows(self) -> QuerySet[Task]:
        return Task.objects.select_related("cta")

    @documented(
        "Add a task to a CTA", request=serializers.NewTaskSerializer, answers=serializers.TaskSerializer, status=201
    )
    def create(self, request: Request) -> Response:
        checked = self.valid(serializers.NewTaskSerializer)
        task = add_task(checked.pop("cta"), **checked, by=self.caller, now=self.now)
        return self.answer(task, status=HTTPStatus.CREATED)

    @documented("Edit a task", request=serializers.TaskEditSerializer, answers=serializers.TaskSerializer)
    def partial_update(self, request: Request, pk: str) -> Response:
        task = self.get_object()
        edit_task(task, by=self.caller, now=self.now, **self.valid(serializers.TaskEditSerializer))
        return self.fresh(task)

    @documented("Edit many tasks", request=BulkEditSerializer, answers=JobSerializer, status=201, needs_key=True)
    @action(detail=False, methods=["post"], url_path="bulk-edit", needs_idempotency_key=True)
    def bulk_edit(self, request: Request) -> Response:
        """By a job, with errors row by row and one undo. docs/jobs.md lists the verbs. A key gives `ids`."""
        job = started_edit_of_tasks(self.valid(BulkEditSerializer), tenant=self.tenant, by=self.caller, now=self.now)
        return Response(JobSerializer(job).data, status=HTTPStatus.CREATED)

    @documented("Complete a task", answers=serializers.TaskSerializer)
    @action(detail=True, methods=["post"])
    def complete(self, request: Request, pk: str) -> Response:
        """Where the type of its CTA says so, the last one closes the CTA."""
        task = self.get_object()
        done = complete_task(task, today=timezone.localdate(self.now), by=self.caller, now=self.now)
        return self.outcome(task, acted=done.acted, state=Task.Status.DONE)

    @documented("Cancel a task", request=serializers.CancelSerializer, answers=serializers.TaskSerializer)
    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, pk: str) -> Response:
        task, reason = self.get_object(), self.valid(serializers.CancelSerializer)["reason"]
        acted = task.cancel(reason=reason, by=self.caller, now=self.now)
        return self.outcome(task, acted=acted, state=Task.Status.CANCELLED)

    @documented("Reopen a task", answers=serializers.TaskSerializer)
    @action(detail=True, methods=["post"])
    def reopen(self, request: Request, pk: str) -> Response:
        task = self.get_object()
        return self.outcome(task, acted=task.reopen(by=self.caller, now=self.now), state=Task.Status.OPEN)

    @documented("Archive a task", answers=serializers.TaskSerializer)
    @action(detail=True, methods=["post"])
    def archive(self, request: Request, pk: str) -> Response:
        task = self.get_object()
        task.archive(by=self.caller, now=self.now)
        return self.fresh(task)

    @documented("Restore an archived task", answers=serializers.TaskSerializer)
    @action(detail=True, methods=["post"])
    def restore(self, request: Request, pk: str) -> Response:
        task = self.get_object()
        task.restore(by=self.caller, now=self.now)
        return self.fresh(task)


class CtaListsViewSet(ApiViewSet):
    """The lists CTAs choose from: types, reasons, priorities and statuses."""

    model = ListEntry
    writes = Ability.MANAGE_DATA
    serializer_class = serializers.ListsSerializer

    @documented("Read the lists of CTAs", answers=serializers.ListsSerializer)
    def read(self, request: Request) -> Response:
        """Archived entries are left out."""
        return self.answer(current_lists())

    @documented("Replace lists of CTAs", request=serializers.ListsSerializer, answers=serializers.ListsSerializer)
    def edit(self, request: Request) -> Response:
        """Each list that is sent, as a whole and in its order. What it leaves out is archived; what has it keeps it."""
        for kind, entries in self.valid(serializers.ListsSerializer).items():
            try:
                replace_list(kind, entries, by=self.caller, now=self.now)
            except CannotEdit as refusal:
                raise Invalid(faults=[Fault(f"/{kind}", str(refusal))]) from None
        return self.answer(current_lists())

    def shown(self, found: Lists) -> dict[str, Any]:
        return {kind: [_facts(kind, entry) for entry in found.offered(kind)] for kind in Kind.values}


_FACTS = {
    Kind.TYPE: ("tone", "icon", "to_create", "to_close", "last_task"),
    Kind.REASON: ("types",),
    Kind.PRIORITY: ("tone",),
    Kind.STATUS: ("tone", "category"),
}


def _facts(kind: str, entry: Entry) -> dict[str, Any]:
    facts = {name: getattr(entry, name) for name in ("key", "name", *_FACTS[Kind(kind)])}
    return {name: list(value) if isinstance(value, tuple) else value for name, value in facts.items()}
