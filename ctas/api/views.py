"""CTAs and their tasks: work for people."""

from http import HTTPStatus
from typing import ClassVar

from django.db.models import Count, IntegerField, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.utils import timezone
from drf_spectacular.utils import extend_schema_view
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from cs_platform.rest.problems import Fault, Invalid
from cs_platform.rest.schema import documented
from cs_platform.rest.viewsets import ApiViewSet, Listed, Retrieved
from cs_platform.tenancy.roles import Ability
from cs_platform.workspace.comments import load_thread
from ctas.api import filters, serializers
from ctas.models import Cta, Task
from ctas.opening import comment_on, open_cta


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
        return Cta.objects.annotate(tasks_total=_tasks(), tasks_done=_tasks(status=Task.Status.DONE))

    @documented("Open a CTA", request=serializers.NewCtaSerializer, answers=serializers.CtaSerializer, status=201)
    def create(self, request: Request) -> Response:
        cta = open_cta(**self.valid(serializers.NewCtaSerializer), by=self.caller, now=self.now)
        return self.answer(self.get_queryset().get(pk=cta.pk), status=HTTPStatus.CREATED)

    @documented("Edit a CTA", request=serializers.CtaEditSerializer, answers=serializers.CtaSerializer)
    def partial_update(self, request: Request, pk: str) -> Response:
        cta = self.get_object()
        cta.edit(by=self.caller, now=self.now, **self.valid(serializers.CtaEditSerializer))
        return self.fresh(cta)

    @documented("Close a CTA", request=serializers.CloseSerializer, answers=serializers.CtaSerializer)
    @action(detail=True, methods=["post"])
    def close(self, request: Request, pk: str) -> Response:
        cta, checked = self.get_object(), self.valid(serializers.CloseSerializer)
        close = cta.close_with_tasks if checked["cancel_tasks"] else cta.close
        acted = close(status=checked["status"], by=self.caller, now=self.now)
        return self.outcome(cta, acted=acted, state=checked["status"])

    @documented("Reopen a CTA", answers=serializers.CtaSerializer)
    @action(detail=True, methods=["post"])
    def reopen(self, request: Request, pk: str) -> Response:
        cta = self.get_object()
        return self.outcome(cta, acted=cta.reopen(by=self.caller, now=self.now), state=Cta.Status.OPEN)

    @documented("Snooze a CTA", request=serializers.SnoozeSerializer, answers=serializers.CtaSerializer)
    @action(detail=True, methods=["post"])
    def snooze(self, request: Request, pk: str) -> Response:
        cta, checked = self.get_object(), self.valid(serializers.SnoozeSerializer)
        if checked["until"] <= timezone.localdate(self.now):
            fault = Fault("/until", "Name a day after today, in the workspace's zone.", "too_early")
            raise Invalid("A CTA is snoozed until a day to come.", faults=[fault])
        acted = cta.snooze(**checked, by=self.caller, now=self.now)
        return self.outcome(cta, acted=acted, state=Cta.Status.OPEN)

    @documented("Take snoozing back", answers=serializers.CtaSerializer)
    @action(detail=True, methods=["post"])
    def wake(self, request: Request, pk: str) -> Response:
        cta = self.get_object()
        cta.wake(by=self.caller, now=self.now)
        return self.fresh(cta)

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
        task = checked.pop("cta").add_task(**checked, by=self.caller, now=self.now)
        return self.answer(task, status=HTTPStatus.CREATED)

    @documented("Edit a task", request=serializers.TaskEditSerializer, answers=serializers.TaskSerializer)
    def partial_update(self, request: Request, pk: str) -> Response:
        task = self.get_object()
        task.edit(by=self.caller, now=self.now, **self.valid(serializers.TaskEditSerializer))
        return self.fresh(task)

    @documented("Complete a task", answers=serializers.TaskSerializer)
    @action(detail=True, methods=["post"])
    def complete(self, request: Request, pk: str) -> Response:
        task = self.get_object()
        return self.outcome(task, acted=task.complete(by=self.caller, now=self.now), state=Task.Status.DONE)

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
