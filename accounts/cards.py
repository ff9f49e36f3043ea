"""What the account page tells from this app's own tables."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Count, Prefetch, Q, QuerySet
from django.urls import reverse

from accounts.actors import Actor, load_actors
from accounts.changes import ROLE, TRAIT
from accounts.holders import PERSONS
from accounts.key_roles import Holding, holdings
from accounts.models import Account, AccountUser, Conversation, EndUser, Message, TraitDefinition
from accounts.models.account import writer_of
from accounts.models.traits import TraitType
from accounts.trait_values import TraitValue, presented
from cs_platform.tenancy.context import current_tenant_id
from cs_platform.tenancy.models import Membership

USERS_SHOWN = 10
CONVERSATIONS_SHOWN = 10
CONVERSATIONS_COUNTED = 100
MESSAGES_SHOWN = 20  # of one conversation, the newest
TRAITS_SHOWN = 200
RECENTLY = timedelta(days=30)


# Facts ----------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Usage:
    users: int
    recent: int  # seen within the last 30 days


def usage(account: Account, *, now: datetime) -> Usage:
    recent = Count("pk", filter=Q(last_seen_at__gte=now - RECENTLY))
    present = AccountUser.objects.filter(account=account, end_user__archived_at=None)
    counted = present.aggregate(users=Count("pk"), recent=recent)
    return Usage(**counted)


# Key roles ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class RoleLine:
    """`place` is where its editor goes, `address` what fills it, `field` what its history is called."""

    label: str
    name: str  # of whoever holds it, or nothing
    place: str
    address: str
    field: str


def role_lines(account: Account, *, slug: str) -> list[RoleLine]:
    """CSM, AE, then the workspace's own in their order."""
    persons = [_person(account, slug, role, label) for role, label in PERSONS.items()]
    return persons + [_own_role(account, slug, one) for one in holdings(account)]


def _person(account: Account, slug: str, role: str, label: str) -> RoleLine:
    holder: Membership | None = getattr(account, role)
    address = reverse(f"accounts:{role}", args=[slug, account.pk])
    return RoleLine(label, holder.name if holder else "", f"edit-{role}", address, role)


def _own_role(account: Account, slug: str, holding: Holding) -> RoleLine:
    role, held = holding.role, holding.held
    address = reverse("accounts:role", args=[slug, account.pk, role.pk])
    return RoleLine(role.name, held.member.name if held else "", f"edit-role-{role.pk}", address, ROLE + role.key)


# Users and conversations ----------------------------------------------------------------------------------------------


def first_users(account: Account) -> Sequence[AccountUser]:
    """Key contacts first, then who was seen last."""
    users = AccountUser.objects.filter(account=account, end_user__archived_at__isnull=True).select_related("end_user")
    return list(users.order_by("-is_key_contact", "-last_seen_at", "pk")[:USERS_SHOWN])


@dataclass(frozen=True, slots=True)
class Conversations:
    pending: Sequence[Conversation]
    past: Sequence[Conversation]  # each with its messages, as `said`
    count: str  # of all, as far as is worth counting


def conversations(account: Account) -> Conversations:
    """All that wait for a person's eyes, then the latest of the others."""
    mine = Conversation.objects.filter(account=account).select_related("sender").defer("body")
    pending = mine.filter(state__in=Conversation.WAITING).order_by("send_at", "pk")
    past = mine.exclude(state__in=Conversation.WAITING).order_by("-created_at", "-pk")
    said = Prefetch("messages", Message.objects.order_by("-at", "-pk")[:MESSAGES_SHOWN], to_attr="said")
    return Conversations(
        pending=list(pending[:CONVERSATIONS_SHOWN]),
        past=list(past.prefetch_related(said)[:CONVERSATIONS_SHOWN]),
        count=_counted(Conversation.objects.filter(account=account)),
    )


def _counted(rows: QuerySet[Conversation]) -> str:
    count = rows[: CONVERSATIONS_COUNTED + 1].count()
    return f"{CONVERSATIONS_COUNTED}+" if count > CONVERSATIONS_COUNTED else str(count or "")


# Traits ---------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ShownTrait:
    definition: TraitDefinition
    value: TraitValue | None
    writer: Actor | None  # None: it came with an import, like most

    @property
    def field(self) -> str:
        """What its history is called."""
        return TRAIT + self.definition.key


def shown_traits(subject: Account | EndUser) -> list[ShownTrait]:
    """Those edited here come first, set or not; of the others, those that are set."""
    definitions = list(_definitions(subject))
    people = _people(subject, definitions)
    writers = load_actors({writer_of(subject, one.key) for one in definitions})
    return [
        ShownTrait(one, presented(one, subject.traits.get(one.key), people=people), _writer(subject, one, writers))
        for one in definitions
    ]


def custom_definitions(scope: str = TraitDefinition.Scope.ACCOUNT) -> Sequence[TraitDefinition]:
    custom = TraitDefinition.objects.filter(scope=scope, source=TraitDefinition.Source.CUSTOM, archived_at=None)
    return list(custom.order_by("label", "pk")[:TRAITS_SHOWN])


def _definitions(subject: Account | EndUser) -> Iterable[TraitDefinition]:
    scope = TraitDefinition.Scope.USER if isinstance(subject, EndUser) else TraitDefinition.Scope.ACCOUNT
    custom = Q(source=TraitDefinition.Source.CUSTOM)
    present = TraitDefinition.objects.filter(scope=scope, archived_at=None)
    return present.filter(custom | Q(key__in=list(subject.traits))).order_by("source", "label", "pk")[:TRAITS_SHOWN]


def _people(subject: Account | EndUser, definitions: Iterable[TraitDefinition]) -> dict[int, str]:
    ids = {subject.traits.get(one.key) for one in definitions if one.type == TraitType.PERSON} - {None}
    members = Membership.objects.in_tenant(current_tenant_id()).filter(pk__in=ids) if ids else ()
    return {member.pk: member.name for member in members}


def _writer(subject: Account | EndUser, definition: TraitDefinition, writers: dict[str, Actor]) -> Actor | None:
    writer = writer_of(subject, definition.key)
    return None if writer == "import" else writers[writer]
