"""What waits for a person: actions to approve, and messages to read before they leave."""

from typing import Any, ClassVar

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema_view
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api import serializers as account_serializers
from accounts.api.upserting import BULK_COST
from accounts.api.views import ConversationViewSet as DraftViewSet
from accounts.models import Conversation
from actions import by_people
from cs_platform.rest.schema import documented
from cs_platform.rest.viewsets import ApiViewSet, Listed, Retrieved
from cs_platform.tenancy.roles import Ability
from playbooks import approvals, reviews
from playbooks.api import filters, serializers
from playbooks.models import Approval
from playbooks.questions import with_runs


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

    @documented("Say that an uncertain message arrived", answers=account_serializers.ConversationSerializer)
    @action(detail=True, methods=["post"])
    def arrived(self, request: Request, pk: str) -> Response:
        """One that was written by hand; a playbook's is settled by its run."""
        conversation = self.get_object()
        acted = by_people.it_arrived(conversation, by=self.caller, now=self.now)
        return self.outcome(conversation, acted=acted, state=Conversation.State.SENT)

    @documented(
        "Send a message again that did not arrive",
        answers=account_serializers.ConversationSerializer,
        needs_key=True,
    )
    @action(detail=True, methods=["post"], url_path="send-again", needs_idempotency_key=True)
    def send_again(self, request: Request, pk: str) -> Response:
        """One that was written by hand, and is uncertain or failed."""
        conversation = self.get_object()
        acted = by_people.send_again(conversation, by=self.caller, now=self.now)
        return self.outcome(conversation, acted=acted, state=Conversation.State.PENDING)

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


def _decided(ids: list[int], done: set[int]) -> dict[str, list[int]]:
    return {"decided": sorted(done), "unchanged": sorted(set(ids) - done)}
