"""Accounts, users and what is known about them."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from http import HTTPStatus
from typing import Any, ClassVar

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema_view
from rest_framework.decorators import action
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import archiving, trait_jobs, trait_settings
from accounts.api import facts, filters, serializers, upserts
from accounts.api.bulk import BulkEditSerializer, ExportSerializer, started_bulk_edit, started_export
from accounts.api.upserting import BULK_COST, UpsertViewSet
from accounts.contacts import leave_account, set_key_contact
from accounts.definitions import CannotDefine, define_trait
from accounts.fast_traits import CannotBeFast
from accounts.models import (
    Account,
    AccountUser,
    Conversation,
    EndUser,
    EventType,
    Indicator,
    Message,
    TimelineEntry,
    TraitDefinition,
    TraitProblem,
)
from accounts.table.listing import Listing
from accounts.table.lists import ACCOUNTS, USERS
from accounts.trait_settings import CannotChange
from accounts.traits import choice_values
from accounts.writing import CannotWrite, move
from cs_platform.jobs.models import Job
from cs_platform.rest.jobs import JobSerializer
from cs_platform.rest.problems import Fault, Invalid
from cs_platform.rest.schema import documented
from cs_platform.rest.viewsets import ApiViewSet, Listed, Retrieved
from cs_platform.tenancy.roles import Ability, scopes_allow


class TableViewSet(UpsertViewSet):
    """What has a table: it is exported and edited as the table shows it, archived and restored."""

    listing: ClassVar[Listing]

    @action(detail=True, methods=["post"])
    def archive(self, request: Request, pk: str) -> Response:
        """It leaves lists, rules and evaluations; nothing of it is lost."""
        found, checked = self.get_object(), self.valid(serializers.PutAwaySerializer)
        stop = checked["playbooks"] == archiving.STOP
        if stop and not scopes_allow(self.caller.scopes, Ability.RUN_PLAYBOOKS):
            raise PermissionDenied("To stop playbooks this key needs the scope playbooks:run, too.")
        archiving.archive(self.listing, [found.pk], stop=stop, tenant=self.tenant, by=self.caller.actor, now=self.now)
        return self.fresh(found)

    @action(detail=True, methods=["post"])
    def restore(self, request: Request, pk: str) -> Response:
        found = self.get_object()
        archiving.restore(self.listing, [found.pk], by=self.caller.actor, now=self.now)
        return self.fresh(found)

    @action(detail=False, methods=["post"], ability_of_action=Ability.MANAGE_DATA, throttle_cost=BULK_COST)
    def export(self, request: Request) -> Response:
        """Starts a job: when it is done, its file is under `/jobs/{id}/file/`."""
        job = started_export(
            self.listing, self.valid(ExportSerializer), tenant=self.tenant, by=self.caller, now=self.now
        )
        return Response(JobSerializer(job).data, status=HTTPStatus.CREATED)

    @action(detail=False, methods=["post"], url_path="bulk-edit", needs_idempotency_key=True, throttle_cost=BULK_COST)
    def bulk_edit(self, request: Request) -> Response:
        """Starts a job: ask for it under `/jobs/` until it is over."""
        job = started_bulk_edit(
            self.listing, self.valid(BulkEditSerializer), tenant=self.tenant, by=self.caller, now=self.now
        )
        return Response(JobSerializer(job).data, status=HTTPStatus.CREATED)


@extend_schema_view(
    list=documented("List accounts", answers=serializers.AccountSerializer, many=True),
    retrieve=documented("Read an account", answers=serializers.AccountSerializer),
    create=documented(
        "Create an account",
        request=serializers.NewAccountSerializer,
        answers=serializers.AccountSerializer,
        status=201,
    ),
    partial_update=documented(
        "Edit an account as a person does",
        request=facts.AccountEditsSerializer,
        answers=serializers.AccountSerializer,
    ),
    by_external_id=documented("Read an account by its external id", answers=serializers.AccountSerializer),
    export=documented("Export accounts as CSV", request=ExportSerializer, answers=JobSerializer, status=201),
    archive=documented(
        "Archive an account", request=serializers.PutAwaySerializer, answers=serializers.AccountSerializer
    ),
    restore=documented("Bring an archived account back", answers=serializers.AccountSerializer),
    bulk_edit=documented(
        "Edit many accounts at once", request=BulkEditSerializer, answers=JobSerializer, status=201, needs_key=True
    ),
    bulk=documented(
        "Create or update up to 1,000 accounts",
        request=serializers.BulkAccountsSerializer,
        answers=serializers.BulkAnswerSerializer,
        needs_key=True,
    ),
)
class AccountViewSet(Listed, Retrieved, TableViewSet):
    """Customers of the workspace."""

    model = Account
    listing = ACCOUNTS
    kind = upserts.ACCOUNTS
    scope = TraitDefinition.Scope.ACCOUNT
    facts_serializer = serializers.AccountFactsSerializer
    writes = Ability.EDIT_ACCOUNTS
    serializer_class = serializers.AccountSerializer
    filterset_class = filters.AccountFilters
    orderings: ClassVar = {
        "id": "id",
        "name": "name",
        "mrr_cents": "mrr_cents",
        "renewal_on": "renewal_on",
        "health": "health",
        "updated_at": "updated_at",
        "created_at": "created_at",
    }
    default_ordering = "name"

    edits_serializer = facts.AccountEditsSerializer

    def rows(self) -> QuerySet[Account]:
        return Account.objects.prefetch_related("key_roles__role")

    def edit_facts(self, subject: Account, checked: dict[str, Any]) -> None:
        facts.edit_facts(subject, checked, by=self.caller, now=self.now)

    @documented(
        "Create or update an account by its external id",
        request=serializers.AccountFactsSerializer,
        answers=serializers.AccountSerializer,
    )
    def put_by_external_id(self, request: Request, external_id: str) -> Response:
        return super().put_by_external_id(request, external_id)


@extend_schema_view(
    list=documented("List users", answers=serializers.UserSerializer, many=True),
    retrieve=documented("Read a user", answers=serializers.UserSerializer),
    create=documented(
        "Create a user", request=serializers.NewUserSerializer, answers=serializers.UserSerializer, status=201
    ),
    partial_update=documented(
        "Edit custom traits of a user", request=serializers.TraitEditsSerializer, answers=serializers.UserSerializer
    ),
    by_external_id=documented("Read a user by its external id", answers=serializers.UserSerializer),
    export=documented("Export users as CSV", request=ExportSerializer, answers=JobSerializer, status=201),
    archive=documented("Archive a user", request=serializers.PutAwaySerializer, answers=serializers.UserSerializer),
    restore=documented("Bring an archived user back", answers=serializers.UserSerializer),
    bulk_edit=documented(
        "Edit many users at once", request=BulkEditSerializer, answers=JobSerializer, status=201, needs_key=True
    ),
    bulk=documented(
        "Create or update up to 1,000 users",
        request=serializers.BulkUsersSerializer,
        answers=serializers.BulkAnswerSerializer,
        needs_key=True,
    ),
)
class UserViewSet(Listed, Retrieved, TableViewSet):
    """People at the accounts."""

    model = EndUser
    listing = USERS
    kind = upserts.USERS
    scope = TraitDefinition.Scope.USER
    facts_serializer = serializers.UserFactsSerializer
    writes = Ability.EDIT_ACCOUNTS
    serializer_class = serializers.UserSerializer
    filterset_class = filters.UserFilters
    orderings: ClassVar = {"id": "id", "name": "name", "updated_at": "updated_at", "last_seen_at": "last_seen_at"}
    default_ordering = "id"

    def rows(self) -> QuerySet[EndUser]:
        return EndUser.objects.prefetch_related("account_users")

    @documented(
        "Create or update a user by its external id",
        request=serializers.UserFactsSerializer,
        answers=serializers.UserSerializer,
    )
    def put_by_external_id(self, request: Request, external_id: str) -> Response:
        return super().put_by_external_id(request, external_id)

    @documented(
        "Say who is a key contact", request=serializers.KeyContactSerializer, answers=serializers.UserSerializer
    )
    @action(detail=True, methods=["post"], url_path="key-contact")
    def key_contact(self, request: Request, pk: str) -> Response:
        user, checked = self.get_object(), self.valid(serializers.KeyContactSerializer)
        tie = _tie_of(user, checked["account"])
        set_key_contact(tie, is_key=checked["is_key_contact"], by=self.caller, now=self.now)
        return self.fresh(user)

    @documented(
        "Take a user out of an account", request=serializers.LeaveSerializer, answers=serializers.UserSerializer
    )
    @action(detail=True, methods=["post"])
    def leave(self, request: Request, pk: str) -> Response:
        """They stay at their other accounts, if any."""
        user, checked = self.get_object(), self.valid(serializers.LeaveSerializer)
        leave_account(_tie_of(user, checked["account"]), by=self.caller, now=self.now)
        return self.fresh(user)


def _tie_of(user: EndUser, account_id: int) -> AccountUser:
    tie: AccountUser | None = user.account_users.filter(account_id=account_id).select_related("end_user").first()
    if tie is None:
        raise Invalid(faults=[Fault("/account", "The user does not belong to an account with this id.")])
    return tie


@extend_schema_view(
    list=documented("List traits", answers=serializers.TraitSerializer, many=True),
    retrieve=documented("Read a trait", answers=serializers.TraitSerializer),
)
class TraitViewSet(Listed, Retrieved, ApiViewSet):
    """Which traits accounts and users have, and of what type."""

    model = TraitDefinition
    writes = Ability.MANAGE_DATA
    serializer_class = serializers.TraitSerializer
    filterset_class = filters.TraitFilters
    orderings: ClassVar = {"id": "id", "label": "label", "key": "key"}
    default_ordering = "id"

    @documented(
        "Define a custom trait",
        request=serializers.NewTraitSerializer,
        answers=serializers.TraitSerializer,
        status=201,
    )
    def create(self, request: Request) -> Response:
        try:
            definition = define_trait(**self.valid(serializers.NewTraitSerializer), by=self.caller, now=self.now)
        except CannotDefine as refusal:
            raise Invalid(faults=[Fault(f"/{refusal.field}", str(refusal))]) from None
        return self.answer(definition, status=HTTPStatus.CREATED)

    @documented(
        "Rename or describe a trait, or change its choices",
        request=serializers.TraitDescriptionSerializer,
        answers=serializers.TraitSerializer,
    )
    def partial_update(self, request: Request, pk: str) -> Response:
        definition, checked = self.get_object(), self.valid(serializers.TraitDescriptionSerializer)
        present = {"label": definition.label, "description": definition.description}
        choices = checked.get("choices", choice_values(definition))
        with _refusals("choices"):
            said = present | checked | {"choices": choices}
            trait_settings.describe_trait(definition, **said, by=self.caller, now=self.now)
        return self.fresh(definition)

    @documented("Archive a trait", answers=serializers.TraitSerializer)
    @action(detail=True, methods=["post"])
    def archive(self, request: Request, pk: str) -> Response:
        definition = self.get_object()
        trait_settings.archive_trait(definition, by=self.caller, now=self.now)
        return self.fresh(definition)

    @documented("Bring an archived trait back", answers=serializers.TraitSerializer)
    @action(detail=True, methods=["post"])
    def restore(self, request: Request, pk: str) -> Response:
        definition = self.get_object()
        trait_settings.restore_trait(definition, by=self.caller, now=self.now)
        return self.fresh(definition)

    @documented(
        "Change the type of a trait, or see what that would clear",
        request=serializers.TraitTypeSerializer,
        answers=JobSerializer,
        status=201,
    )
    @action(detail=True, methods=["post"], url_path="type")
    def change_type(self, request: Request, pk: str) -> Response:
        """Starts a job. Its `result` says how many values were kept and lost, its errors which."""
        definition, checked = self.get_object(), self.valid(serializers.TraitTypeSerializer)
        type, clearing = checked["type"], checked["clearing"]
        by: Any = {"by": self.caller, "now": self.now}
        with _refusals("type"):
            if checked["preview"]:
                return self._job(trait_jobs.check_type(definition, type, **by))
            return self._job(trait_jobs.change_type(definition, type, clearing=clearing, **by))

    @documented(
        "Fill a built-in field from a trait",
        request=serializers.FedFieldSerializer,
        answers=JobSerializer,
        status=201,
    )
    @action(detail=True, methods=["post"], url_path="field")
    def feed_field(self, request: Request, pk: str) -> Response:
        """Starts a job. Without a field the trait fills none any more."""
        definition, checked = self.get_object(), self.valid(serializers.FedFieldSerializer)
        with _refusals("field"):
            return self._job(trait_jobs.feed_column(definition, checked["field"] or "", by=self.caller, now=self.now))

    @documented(
        "Make a trait fast, or slow again", request=serializers.SpeedSerializer, answers=JobSerializer, status=201
    )
    @action(detail=True, methods=["post"])
    def speed(self, request: Request, pk: str) -> Response:
        """Making it fast starts a job."""
        definition, checked = self.get_object(), self.valid(serializers.SpeedSerializer)
        if not checked["fast"]:
            trait_settings.set_fast(definition, fast=False, by=self.caller, now=self.now)
            return self.fresh(definition)
        with _refusals("fast"):
            return self._job(trait_jobs.make_fast(definition, by=self.caller, now=self.now))

    def _job(self, job: Job) -> Response:
        return Response(JobSerializer(job).data, status=HTTPStatus.CREATED)


@contextmanager
def _refusals(name: str) -> Iterator[None]:
    try:
        yield
    except (CannotBeFast, CannotChange) as refusal:
        raise Invalid(faults=[Fault(f"/{name}", str(refusal))]) from None


@extend_schema_view(list=documented("List events", answers=serializers.EventTypeSerializer, many=True))
class EventViewSet(Listed, ApiViewSet):
    """The events that users of the workspace's customers have done at least once; rules count them."""

    model = EventType
    serializer_class = serializers.EventTypeSerializer
    orderings: ClassVar = {"id": "id", "name": "name"}
    default_ordering = "name"


@extend_schema_view(
    list=documented("List indicators", answers=serializers.IndicatorSerializer, many=True),
    retrieve=documented("Read an indicator", answers=serializers.IndicatorSerializer),
)
class IndicatorViewSet(Listed, Retrieved, ApiViewSet):
    """Risks and opportunities."""

    model = Indicator
    writes = Ability.EDIT_ACCOUNTS
    serializer_class = serializers.IndicatorSerializer
    filterset_class = filters.IndicatorFilters
    orderings: ClassVar = {"id": "id", "raised_at": "raised_at"}

    @documented(
        "Raise an indicator",
        request=serializers.NewIndicatorSerializer,
        answers=serializers.IndicatorSerializer,
        status=201,
    )
    def create(self, request: Request) -> Response:
        checked = self.valid(serializers.NewIndicatorSerializer)
        indicator = Indicator.raise_on(checked.pop("account"), **checked, by=self.caller, now=self.now)
        return self.answer(indicator, status=HTTPStatus.CREATED)

    @documented("Mark an indicator as addressed", answers=serializers.IndicatorSerializer)
    @action(detail=True, methods=["post"])
    def address(self, request: Request, pk: str) -> Response:
        indicator = self.get_object()
        acted = indicator.address(by=self.caller, now=self.now)
        return self.outcome(indicator, acted=acted, state=Indicator.State.ADDRESSED)

    @documented("End an indicator that no longer holds", answers=serializers.IndicatorSerializer)
    @action(detail=True, methods=["post"])
    def end(self, request: Request, pk: str) -> Response:
        indicator = self.get_object()
        acted = indicator.end(by=self.caller, now=self.now)
        return self.outcome(indicator, acted=acted, state=Indicator.State.ENDED)

    @documented("Make an indicator active again", answers=serializers.IndicatorSerializer)
    @action(detail=True, methods=["post"])
    def reopen(self, request: Request, pk: str) -> Response:
        indicator = self.get_object()
        acted = indicator.reopen(by=self.caller, now=self.now)
        return self.outcome(indicator, acted=acted, state=Indicator.State.ACTIVE)


class ConversationViewSet(Listed, Retrieved, ApiViewSet):
    """What was written to customers, and drafts that wait. Served by the layer that also decides about their runs."""

    model = Conversation
    writes = Ability.EDIT_ACCOUNTS
    serializer_class = serializers.ConversationSerializer
    filterset_class = filters.ConversationFilters
    orderings: ClassVar = {"id": "id", "send_at": "send_at", "created_at": "created_at"}

    @documented(
        "Edit a pending conversation",
        request=serializers.ConversationEditSerializer,
        answers=serializers.ConversationSerializer,
    )
    def partial_update(self, request: Request, pk: str) -> Response:
        conversation = self.get_object()
        wanted = {"subject": conversation.subject, "body": conversation.body}
        wanted |= self.valid(serializers.ConversationEditSerializer)
        send_at = wanted.pop("send_at", conversation.send_at)
        acted = conversation.edit(**wanted, by=self.caller, now=self.now)
        if acted and send_at != conversation.send_at:
            acted = self._move(conversation, send_at)
        return self.outcome(conversation, acted=acted, state="")

    def _move(self, conversation: Conversation, send_at: datetime) -> bool:
        try:
            return move(conversation, send_at, by=self.caller, now=self.now)
        except CannotWrite as refusal:
            raise Invalid(faults=[Fault(f"/{refusal.field}", str(refusal))]) from None


@extend_schema_view(
    list=documented("Read what was said in a conversation", answers=serializers.MessageSerializer, many=True)
)
class MessageViewSet(Listed, ApiViewSet):
    """Messages as they left, and answers that came in, newest first."""

    model = Message
    serializer_class = serializers.MessageSerializer
    orderings: ClassVar = {"at": "at"}
    default_ordering = "-at"

    def rows(self) -> QuerySet[Message]:
        conversation = get_object_or_404(Conversation.objects.all(), pk=self.kwargs["conversation_id"])
        return Message.objects.filter(conversation=conversation)


@extend_schema_view(
    list=documented("Read an account's timeline", answers=serializers.TimelineEntrySerializer, many=True)
)
class TimelineViewSet(Listed, ApiViewSet):
    """Everything that happened on one account, newest first."""

    model = TimelineEntry
    serializer_class = serializers.TimelineEntrySerializer
    filterset_class = filters.TimelineFilters
    orderings: ClassVar = {"at": "at"}
    default_ordering = "-at"

    def rows(self) -> QuerySet[TimelineEntry]:
        account = get_object_or_404(Account.objects.all(), pk=self.kwargs["account_id"])
        return TimelineEntry.objects.filter(account=account)


@extend_schema_view(list=documented("List ingest problems", answers=serializers.TraitProblemSerializer, many=True))
class IngestProblemViewSet(Listed, ApiViewSet):
    """What data-in had to coerce or refuse, added up per trait and reason."""

    model = TraitProblem
    serializer_class = serializers.TraitProblemSerializer
    filterset_class = filters.TraitProblemFilters
    orderings: ClassVar = {"id": "id", "last_at": "last_at", "count": "count"}
    default_ordering = "-last_at"
