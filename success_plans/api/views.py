"""Success plans over the API: plans and their objectives, types and templates, links for customers."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any, ClassVar

import django_filters
from django.db import transaction
from django.db.models import QuerySet
from django.urls import reverse
from django.utils import timezone
from drf_spectacular.utils import extend_schema_view
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from cs_platform.rest.filters import NumberInFilter
from cs_platform.rest.problems import Conflict, Fault, Invalid
from cs_platform.rest.schema import documented
from cs_platform.rest.viewsets import ApiViewSet, Listed, Retrieved
from cs_platform.tenancy.roles import Ability
from cs_platform.workspace.comments import load_thread
from ctas.api.serializers import CommentSerializer, NewCommentSerializer, ThreadSerializer
from success_plans import defining, guests, planning, scheduling, sharing
from success_plans.api import filters, serializers
from success_plans.models import Objective, PlanTemplate, PlanType, ShareLink, Stakeholder, SuccessPlan
from success_plans.objectives import load_lines
from success_plans.planning import CannotPlan, OpenObjectives
from success_plans.templates import start_by_hand

OF_CTA = ("name", "owner", "due_on", "comment")
OF_PLACE = ("category", "weight", "start_on")


@contextmanager
def refusals(under: str = "") -> Iterator[None]:
    """What cannot be is a fault of the body, at the place it is about."""
    try:
        yield
    except CannotPlan as refusal:
        raise Invalid(str(refusal), faults=[Fault(f"{under}/{refusal.field}", str(refusal), "impossible")]) from None


def picked(checked: dict[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    return {name: checked[name] for name in names if name in checked}


# --- plans ------------------------------------------------------------------------------------------------------------


@extend_schema_view(
    list=documented("List success plans", answers=serializers.PlanSerializer, many=True),
    retrieve=documented("Read a success plan", answers=serializers.PlanSerializer),
)
class PlanViewSet(Listed, Retrieved, ApiViewSet):
    """What customers want to reach: objectives with their tasks, in time."""

    model = SuccessPlan
    writes = Ability.WORK_CTAS
    state_field = "status"
    serializer_class = serializers.PlanSerializer
    filterset_class = filters.PlanFilters
    orderings: ClassVar = {"id": "id", "due_on": "due_on", "created_at": "created_at", "name": "name"}

    def rows(self) -> QuerySet[SuccessPlan]:
        rows: QuerySet[SuccessPlan] = SuccessPlan.objects.select_related("type", "account", "owner")
        return rows

    @documented(
        "Create a success plan", request=serializers.NewPlanSerializer, answers=serializers.PlanSerializer, status=201
    )
    def create(self, request: Request) -> Response:
        """A draft without objectives; `POST /success-plans/start/` makes one from a template."""
        checked = self.valid(serializers.NewPlanSerializer)
        with refusals():
            plan = planning.create_plan(**checked, by=self.caller, now=self.now)
        return self.answer(self.get_queryset().get(pk=plan.pk), status=HTTPStatus.CREATED)

    @documented(
        "Start a success plan from a template",
        request=serializers.StartPlanSerializer,
        answers=serializers.PlanSerializer,
        status=201,
    )
    @action(detail=False, methods=["post"])
    def start(self, request: Request) -> Response:
        checked = self.valid(serializers.StartPlanSerializer)
        checked.setdefault("start_on", timezone.localdate(self.now))
        with refusals():
            plan = start_by_hand(checked.pop("template"), **checked, by=self.caller, now=self.now)
        return self.answer(self.get_queryset().get(pk=plan.pk), status=HTTPStatus.CREATED)

    @documented("Edit a success plan", request=serializers.PlanEditSerializer, answers=serializers.PlanSerializer)
    def partial_update(self, request: Request, pk: str) -> Response:
        plan, checked = self.get_object(), self.valid(serializers.PlanEditSerializer)
        with refusals():
            planning.edit_plan(plan, by=self.caller, now=self.now, **checked)
        return self.fresh(plan)

    @documented("Let a plan begin", answers=serializers.PlanSerializer)
    @action(detail=True, methods=["post"])
    def activate(self, request: Request, pk: str) -> Response:
        return self._turned(planning.activate, SuccessPlan.Status.ACTIVE)

    @documented("Make a plan a draft again", answers=serializers.PlanSerializer)
    @action(detail=True, methods=["post"])
    def withdraw(self, request: Request, pk: str) -> Response:
        return self._turned(planning.withdraw, SuccessPlan.Status.DRAFT)

    @documented("Close a plan", request=serializers.ClosePlanSerializer, answers=serializers.PlanSerializer)
    @action(detail=True, methods=["post"])
    def close(self, request: Request, pk: str) -> Response:
        plan, checked = self.get_object(), self.valid(serializers.ClosePlanSerializer)
        choice = OpenObjectives(checked["objectives"])
        acted = planning.close_plan(plan, objectives=choice, outcome=checked["outcome"], by=self.caller, now=self.now)
        return self.outcome(plan, acted=acted, state=SuccessPlan.Status.CLOSED)

    @documented("Reopen a plan", answers=serializers.PlanSerializer)
    @action(detail=True, methods=["post"])
    def reopen(self, request: Request, pk: str) -> Response:
        return self._turned(planning.reopen_plan, SuccessPlan.Status.ACTIVE)

    @documented("Archive a plan with its objectives", answers=serializers.PlanSerializer)
    @action(detail=True, methods=["post"])
    def archive(self, request: Request, pk: str) -> Response:
        plan = self.get_object()
        planning.archive_plan(plan, by=self.caller, now=self.now)
        return self.fresh(plan)

    @documented("Restore an archived plan", answers=serializers.PlanSerializer)
    @action(detail=True, methods=["post"])
    def restore(self, request: Request, pk: str) -> Response:
        plan = self.get_object()
        planning.restore_plan(plan, by=self.caller, now=self.now)
        return self.fresh(plan)

    def _turned(self, verb: Callable[..., bool], state: str) -> Response:
        plan = self.get_object()
        return self.outcome(plan, acted=verb(plan, by=self.caller, now=self.now), state=state)

    @documented("The objectives of a plan", answers=serializers.ObjectivesSerializer)
    @action(detail=True, methods=["get"])
    def objectives(self, request: Request, pk: str) -> Response:
        """In their order, with tasks, what they wait for, and what does not fit in time."""
        lines = load_lines(self.get_object(), today=timezone.localdate(self.now))
        context = {**self.get_serializer_context(), "lines": {line.objective.pk: line for line in lines}}
        shown = serializers.ObjectiveSerializer([line.objective for line in lines], many=True, context=context)
        return Response({"objectives": shown.data})

    @documented("The stakeholders of a plan", answers=serializers.StakeholdersSerializer)
    @action(detail=True, methods=["get"])
    def stakeholders(self, request: Request, pk: str) -> Response:
        rows = self.get_object().stakeholders.prefetch_related("tasks").order_by("pk")
        return Response(serializers.StakeholdersSerializer({"stakeholders": rows}).data)

    @documented(
        "Add a stakeholder", request=serializers.NewStakeholderSerializer, answers=serializers.StakeholderSerializer
    )
    @action(detail=True, methods=["post"], url_path="add-stakeholder")
    def add_stakeholder(self, request: Request, pk: str) -> Response:
        """A user of the account, or somebody by name."""
        plan, checked = self._present(), self.valid(serializers.NewStakeholderSerializer)
        with refusals():
            added = planning.add_stakeholder(plan, **checked, by=self.caller, now=self.now)
        return Response(serializers.StakeholderSerializer(added).data, status=HTTPStatus.CREATED)

    @documented(
        "Remove a stakeholder",
        request=serializers.RemoveStakeholderSerializer,
        answers=serializers.StakeholdersSerializer,
    )
    @action(detail=True, methods=["post"], url_path="remove-stakeholder")
    def remove_stakeholder(self, request: Request, pk: str) -> Response:
        plan, checked = self._present(), self.valid(serializers.RemoveStakeholderSerializer)
        found = Stakeholder.objects.filter(plan=plan, pk=checked["id"]).select_related("plan").first()
        if found:
            planning.remove_stakeholder(found, by=self.caller, now=self.now)
        return Response(serializers.StakeholdersSerializer({"stakeholders": plan.stakeholders.order_by("pk")}).data)

    @documented("Comment on a plan", request=NewCommentSerializer, answers=CommentSerializer)
    @action(detail=True, methods=["post"], ability_of_action=Ability.COMMENT)
    def comment(self, request: Request, pk: str) -> Response:
        plan, body = self._present(), self.valid(NewCommentSerializer)["body"]
        written = planning.comment_on(plan, body=body, by=self.caller, now=self.now)
        return Response(CommentSerializer(written).data, status=HTTPStatus.CREATED)

    @documented(
        "Write to the customer of a plan",
        request=NewCommentSerializer,
        answers=CommentSerializer,
        status=201,
    )
    @action(detail=True, methods=["post"], url_path="answer")
    def answer_customer(self, request: Request, pk: str) -> Response:
        """It stands on the shared page. What is said there is listed by /comments/?subject=shared:<id of the plan>."""
        plan, body = self._present(), self.valid(NewCommentSerializer)["body"]
        written = guests.answer(plan, body=body, by=self.caller, now=self.now)
        return Response(CommentSerializer(written).data, status=HTTPStatus.CREATED)

    @documented("The comments on a plan", answers=ThreadSerializer)
    @action(detail=True, methods=["get"])
    def comments(self, request: Request, pk: str) -> Response:
        """The newest 100, oldest first."""
        thread = load_thread(self.get_object().subject)
        return Response(ThreadSerializer({"comments": thread.comments, "more": thread.more}).data)

    def _present(self) -> SuccessPlan:
        plan: SuccessPlan = self.get_object()
        if plan.archived_at:
            raise Conflict("Not possible now: it is archived.")
        return plan


# --- objectives -------------------------------------------------------------------------------------------------------


@extend_schema_view(retrieve=documented("Read an objective", answers=serializers.ObjectiveSerializer))
class ObjectiveViewSet(Retrieved, ApiViewSet):
    """The places of CTAs in plans. What a CTA itself says is changed there or here."""

    model = Objective
    writes = Ability.WORK_CTAS
    serializer_class = serializers.ObjectiveSerializer

    def rows(self) -> QuerySet[Objective]:
        rows = Objective.objects.filter(cta__archived_at=None, plan__archived_at=None)
        return rows.select_related("plan__type", "plan__account", "cta__owner")  # type: ignore[no-any-return]

    def shown(self, found: Any) -> Any:
        lines = load_lines(found.plan, today=timezone.localdate(self.now))
        by_id = {line.objective.pk: line for line in lines}
        context = {**self.get_serializer_context(), "lines": by_id}
        return serializers.ObjectiveSerializer(by_id[found.pk].objective, context=context).data

    @documented(
        "Add an objective to a plan",
        request=serializers.NewObjectiveSerializer,
        answers=serializers.ObjectiveSerializer,
        status=201,
    )
    def create(self, request: Request) -> Response:
        """A new CTA, or with `cta` one that joins and keeps its history."""
        checked = self.valid(serializers.NewObjectiveSerializer)
        plan, cta = checked.pop("plan"), checked.pop("cta", None)
        by: dict[str, Any] = {"by": self.caller, "now": self.now}
        with refusals(), transaction.atomic():
            if cta:
                made = planning.join_plan(plan, cta, **picked(checked, OF_PLACE), **by)
            else:
                made = planning.add_objective(plan, **picked(checked, OF_CTA + OF_PLACE), **by)
            self._arrange(made, checked)
        return self.answer(self.get_queryset().get(pk=made.pk), status=HTTPStatus.CREATED)

    @documented(
        "Edit an objective", request=serializers.ObjectiveEditSerializer, answers=serializers.ObjectiveSerializer
    )
    def partial_update(self, request: Request, pk: str) -> Response:
        objective, checked = self.get_object(), self.valid(serializers.ObjectiveEditSerializer)
        by: dict[str, Any] = {"by": self.caller, "now": self.now}
        with refusals(), transaction.atomic():
            if of_cta := picked(checked, OF_CTA):
                objective.cta.edit(**of_cta, **by)
            if of_place := picked(checked, OF_PLACE):
                scheduling.change_place(objective, **of_place, **by)
            self._arrange(objective, checked)
        return self.fresh(objective)

    def _arrange(self, objective: Objective, checked: dict[str, Any]) -> None:
        if "needs" in checked:
            scheduling.set_needs(objective, set(checked["needs"]), by=self.caller, now=self.now)
        if "position" in checked:
            scheduling.move(objective, to=checked["position"], by=self.caller, now=self.now)

    @documented(
        "Say who at the customer does an objective's tasks",
        request=serializers.GivenSerializer,
        answers=serializers.ObjectiveSerializer,
    )
    @action(detail=True, methods=["post"], url_path="give-tasks")
    def give_tasks(self, request: Request, pk: str) -> Response:
        """On a link that lets stakeholders in they complete these themselves. Tasks left out stay as they are."""
        objective, given = self.get_object(), self.valid(serializers.GivenSerializer)["tasks"]
        with refusals():
            wanted = {one["task"]: one["stakeholder"] for one in given}
            guests.give_tasks(objective, wanted, by=self.caller, now=self.now)
        return self.fresh(objective)

    @documented("Take a CTA out of its plan", status=204)
    @action(detail=True, methods=["post"])
    def leave(self, request: Request, pk: str) -> Response:
        """It goes on without the plan, with its history; a draft becomes work."""
        planning.leave_plan(self.get_object(), by=self.caller, now=self.now)
        return Response(status=HTTPStatus.NO_CONTENT)


# --- types and templates ----------------------------------------------------------------------------------------------


@extend_schema_view(
    list=documented("List types of plans", answers=serializers.TypeSerializer, many=True),
    retrieve=documented("Read a type of plans", answers=serializers.TypeSerializer),
)
class TypeViewSet(Listed, Retrieved, ApiViewSet):
    """What plans of one kind share: how progress counts, their categories, their own fields."""

    model = PlanType
    writes = Ability.MANAGE_DATA
    serializer_class = serializers.TypeSerializer
    filterset_class = filters.TypeFilters
    orderings: ClassVar = {"id": "id", "name": "name"}
    default_ordering = "name"

    @documented(
        "Create a type of plans", request=serializers.NewTypeSerializer, answers=serializers.TypeSerializer, status=201
    )
    def create(self, request: Request) -> Response:
        checked = self.valid(serializers.NewTypeSerializer)
        usual = {"formula": PlanType.Formula.TASKS, "categories": [], "fields_of_its_own": []}
        return self.answer(self._saved(None, usual | checked), status=HTTPStatus.CREATED)

    @documented("Change a type of plans", request=serializers.TypeEditSerializer, answers=serializers.TypeSerializer)
    def partial_update(self, request: Request, pk: str) -> Response:
        held = self.get_object()
        names = {"name": "name", "formula": "formula", "categories": "categories", "fields_of_its_own": "fields"}
        stored = {name: getattr(held, column) for name, column in names.items()}
        return self.answer(self._saved(held, stored | self.valid(serializers.TypeEditSerializer)))

    def _saved(self, held: PlanType | None, facts: dict[str, Any]) -> PlanType:
        fields = facts.pop("fields_of_its_own")
        with refusals():
            return defining.save_type(held, **facts, fields=fields, by=self.caller, now=self.now)

    @documented("Archive a type of plans", answers=serializers.TypeSerializer)
    @action(detail=True, methods=["post"])
    def archive(self, request: Request, pk: str) -> Response:
        return _put_away(self)

    @documented("Restore an archived type of plans", answers=serializers.TypeSerializer)
    @action(detail=True, methods=["post"])
    def restore(self, request: Request, pk: str) -> Response:
        return _taken_out(self)


@extend_schema_view(
    list=documented("List templates of plans", answers=serializers.TemplateSerializer, many=True),
    retrieve=documented("Read a template of plans", answers=serializers.TemplateSerializer),
)
class TemplateViewSet(Listed, Retrieved, ApiViewSet):
    """Plans that are started often, with their objectives and tasks."""

    model = PlanTemplate
    writes = Ability.MANAGE_DATA
    serializer_class = serializers.TemplateSerializer
    filterset_class = filters.TemplateFilters
    orderings: ClassVar = {"id": "id", "name": "name"}
    default_ordering = "name"

    @documented(
        "Create a template of plans",
        request=serializers.NewTemplateSerializer,
        answers=serializers.TemplateSerializer,
        status=201,
    )
    def create(self, request: Request) -> Response:
        made = self._saved(None, {"definition": {}} | self.valid(serializers.NewTemplateSerializer))
        return self.answer(made, status=HTTPStatus.CREATED)

    @documented(
        "Change a template of plans",
        request=serializers.TemplateEditSerializer,
        answers=serializers.TemplateSerializer,
    )
    def partial_update(self, request: Request, pk: str) -> Response:
        """Plans that were started from it stay as they are."""
        held = self.get_object()
        stored = {name: getattr(held, name) for name in ("name", "description", "type", "duration_days", "definition")}
        return self.answer(self._saved(held, stored | self.valid(serializers.TemplateEditSerializer)))

    def _saved(self, held: PlanTemplate | None, facts: dict[str, Any]) -> PlanTemplate:
        with refusals():
            return defining.save_template(held, **facts, by=self.caller, now=self.now)

    @documented("Archive a template of plans", answers=serializers.TemplateSerializer)
    @action(detail=True, methods=["post"])
    def archive(self, request: Request, pk: str) -> Response:
        return _put_away(self)

    @documented("Restore an archived template of plans", answers=serializers.TemplateSerializer)
    @action(detail=True, methods=["post"])
    def restore(self, request: Request, pk: str) -> Response:
        return _taken_out(self)


def _put_away(view: ApiViewSet) -> Response:
    held = view.get_object()
    defining.put_away(held, by=view.caller, now=view.now)
    return view.fresh(held)


def _taken_out(view: ApiViewSet) -> Response:
    held = view.get_object()
    with refusals():
        defining.take_out(held, by=view.caller, now=view.now)
    return view.fresh(held)


# --- links for customers ----------------------------------------------------------------------------------------------


class LinkFilters(django_filters.FilterSet):
    plan = NumberInFilter(field_name="plan_id", label="Ids of plans.")

    class Meta:
        model = ShareLink
        fields: list[str] = []


@extend_schema_view(
    list=documented("List share links", answers=serializers.LinkSerializer, many=True),
    retrieve=documented("Read a share link", answers=serializers.LinkSerializer),
)
class LinkViewSet(Listed, Retrieved, ApiViewSet):
    """Pages for customers that show what was picked of a plan."""

    model = ShareLink
    writes = Ability.EDIT_ACCOUNTS
    serializer_class = serializers.LinkSerializer
    filterset_class = LinkFilters
    orderings: ClassVar = {"id": "id", "created_at": "created_at"}

    def rows(self) -> QuerySet[ShareLink]:
        rows: QuerySet[ShareLink] = ShareLink.objects.filter(plan__archived_at=None)
        return rows.select_related("plan__type", "plan__account", "plan__owner")

    @documented(
        "Make a share link",
        request=serializers.NewLinkSerializer,
        answers=serializers.NewLinkAnswerSerializer,
        status=201,
    )
    def create(self, request: Request) -> Response:
        """Its address is told in this answer only. Without `parts` the page shows nothing yet."""
        checked = self.valid(serializers.NewLinkSerializer)
        with refusals():
            link, token = sharing.make_link(checked.pop("plan"), **checked, by=self.caller, now=self.now)
        shown = self.shown(link) | {"address": request.build_absolute_uri(reverse("shared:plan", args=[token]))}
        return Response(shown, status=HTTPStatus.CREATED)

    @documented("Change a share link", request=serializers.LinkEditSerializer, answers=serializers.LinkSerializer)
    def partial_update(self, request: Request, pk: str) -> Response:
        link, checked = self.get_object(), self.valid(serializers.LinkEditSerializer)
        with refusals():
            if not sharing.change_link(link, **checked, by=self.caller, now=self.now):
                raise Conflict("Not possible now: it is revoked.")
        return self.fresh(link)

    @documented("Revoke a share link", answers=serializers.LinkSerializer)
    @action(detail=True, methods=["post"])
    def revoke(self, request: Request, pk: str) -> Response:
        link = self.get_object()
        sharing.revoke_link(link, by=self.caller, now=self.now)
        return self.fresh(link)

    @documented("Who opened a share link", answers=serializers.VisitsSerializer)
    @action(detail=True, methods=["get"])
    def visits(self, request: Request, pk: str) -> Response:
        """The latest 100; openings from one place within an hour are one visit."""
        return Response(serializers.VisitsSerializer({"visits": sharing.visits_of(self.get_object())}).data)
