"""What the account page tells from this app's own tables."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Count, Q

from accounts.actors import Actor, load_actors
from accounts.models import Account, AccountUser, Conversation, Indicator, TraitDefinition
from accounts.models.account import writer_of
from accounts.models.traits import TraitType
from accounts.trait_values import TraitValue, presented
from cs_platform.tenancy.context import current_tenant_id
from cs_platform.tenancy.models import Membership

USERS_SHOWN = 10
CONVERSATIONS_SHOWN = 10
TRAITS_SHOWN = 200
RECENTLY = timedelta(days=30)


# Facts ----------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Usage:
    users: int
    recent: int  # seen within the last 30 days


def usage(account: Account, *, now: datetime) -> Usage:
    recent = Count("pk", filter=Q(last_seen_at__gte=now - RECENTLY))
    counted = AccountUser.objects.filter(account=account).aggregate(users=Count("pk"), recent=recent)
    return Usage(**counted)


# Indicators -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class RaisedIndicator:
    indicator: Indicator
    raised_by: Actor


def active_indicators(account: Account) -> list[RaisedIndicator]:
    """Risks first, the newest of each first. Few by nature: one per kind and title."""
    active = account.indicators.filter(state=Indicator.State.ACTIVE).select_related("assignee")
    found = list(active.order_by("-kind", "-raised_at", "pk"))
    actors = load_actors({indicator.raised_by for indicator in found})
    return [RaisedIndicator(indicator, actors[indicator.raised_by]) for indicator in found]


# Users and conversations ----------------------------------------------------------------------------------------------


def first_users(account: Account) -> Sequence[AccountUser]:
    """Key contacts first, then who was seen last."""
    users = AccountUser.objects.filter(account=account, end_user__archived_at__isnull=True).select_related("end_user")
    return list(users.order_by("-is_key_contact", "-last_seen_at", "pk")[:USERS_SHOWN])


@dataclass(frozen=True, slots=True)
class Conversations:
    pending: Sequence[Conversation]
    past: Sequence[Conversation]


def conversations(account: Account) -> Conversations:
    """All that wait for a person's eyes, then the latest of the others."""
    mine = Conversation.objects.filter(account=account).select_related("sender").defer("body")
    pending = mine.filter(state=Conversation.State.PENDING).order_by("send_at", "pk")
    past = mine.exclude(state=Conversation.State.PENDING).order_by("-created_at", "-pk")
    return Conversations(list(pending[:CONVERSATIONS_SHOWN]), list(past[:CONVERSATIONS_SHOWN]))


# Traits ---------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ShownTrait:
    definition: TraitDefinition
    value: TraitValue | None
    writer: Actor | None  # None: it came with an import, like most


def account_traits(account: Account) -> list[ShownTrait]:
    """Those edited here come first, set or not; of the others, those that are set."""
    definitions = list(_definitions(account))
    people = _people(account, definitions)
    writers = load_actors({writer_of(account, one.key) for one in definitions})
    return [
        ShownTrait(one, presented(one, account.traits.get(one.key), people=people), _writer(account, one, writers))
        for one in definitions
    ]


def custom_definitions() -> Sequence[TraitDefinition]:
    scope, custom = TraitDefinition.Scope.ACCOUNT, TraitDefinition.Source.CUSTOM
    return list(TraitDefinition.objects.filter(scope=scope, source=custom).order_by("label", "pk")[:TRAITS_SHOWN])


def _definitions(account: Account) -> Iterable[TraitDefinition]:
    custom = Q(source=TraitDefinition.Source.CUSTOM)
    shown = TraitDefinition.objects.filter(
        custom | Q(key__in=list(account.traits)), scope=TraitDefinition.Scope.ACCOUNT
    )
    return shown.order_by("source", "label", "pk")[:TRAITS_SHOWN]


def _people(account: Account, definitions: Iterable[TraitDefinition]) -> dict[int, str]:
    ids = {account.traits.get(one.key) for one in definitions if one.type == TraitType.PERSON} - {None}
    members = Membership.objects.in_tenant(current_tenant_id()).filter(pk__in=ids) if ids else ()
    return {member.pk: member.name for member in members}


def _writer(account: Account, definition: TraitDefinition, writers: dict[str, Actor]) -> Actor | None:
    writer = writer_of(account, definition.key)
    return None if writer == "import" else writers[writer]
