"""Accounts, users and what is known about them."""

from typing import ClassVar

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404

from accounts.api import filters, serializers
from accounts.models import (
    Account,
    Conversation,
    EndUser,
    EventType,
    Indicator,
    TimelineEntry,
    TraitDefinition,
    TraitProblem,
)
from cs_platform.rest.viewsets import ApiViewSet, Listed, Retrieved
from cs_platform.tenancy.roles import Ability


class AccountViewSet(Listed, Retrieved, ApiViewSet):
    """Customers of the workspace."""

    model = Account
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


class UserViewSet(Listed, Retrieved, ApiViewSet):
    """People at the accounts."""

    model = EndUser
    writes = Ability.EDIT_ACCOUNTS
    serializer_class = serializers.UserSerializer
    filterset_class = filters.UserFilters
    orderings: ClassVar = {"id": "id", "name": "name", "updated_at": "updated_at", "last_seen_at": "last_seen_at"}
    default_ordering = "id"

    def rows(self) -> QuerySet[EndUser]:
        return EndUser.objects.prefetch_related("account_users")


class TraitViewSet(Listed, Retrieved, ApiViewSet):
    """Which traits accounts and users have, and of what type."""

    model = TraitDefinition
    writes = Ability.MANAGE_DATA
    serializer_class = serializers.TraitSerializer
    filterset_class = filters.TraitFilters
    orderings: ClassVar = {"id": "id", "label": "label", "key": "key"}
    default_ordering = "id"


class EventViewSet(Listed, ApiViewSet):
    """The events that users of the workspace's customers have done at least once; rules count them."""

    model = EventType
    serializer_class = serializers.EventTypeSerializer
    orderings: ClassVar = {"id": "id", "name": "name"}
    default_ordering = "name"


class IndicatorViewSet(Listed, Retrieved, ApiViewSet):
    """Risks and opportunities."""

    model = Indicator
    writes = Ability.EDIT_ACCOUNTS
    serializer_class = serializers.IndicatorSerializer
    filterset_class = filters.IndicatorFilters
    orderings: ClassVar = {"id": "id", "raised_at": "raised_at"}


class ConversationViewSet(Listed, Retrieved, ApiViewSet):
    """What was written to customers, and drafts that wait."""

    model = Conversation
    writes = Ability.EDIT_ACCOUNTS
    serializer_class = serializers.ConversationSerializer
    filterset_class = filters.ConversationFilters
    orderings: ClassVar = {"id": "id", "send_at": "send_at", "created_at": "created_at"}


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


class IngestProblemViewSet(Listed, ApiViewSet):
    """What data-in had to coerce or refuse, added up per trait and reason."""

    model = TraitProblem
    serializer_class = serializers.TraitProblemSerializer
    filterset_class = filters.TraitProblemFilters
    orderings: ClassVar = {"id": "id", "last_at": "last_at", "count": "count"}
    default_ordering = "-last_at"
