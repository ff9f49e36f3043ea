"""People at accounts: where somebody belongs, what they did lately, and whom an account is written to first."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from django.db import transaction
from django.db.models import Count, F, Max, Sum

from accounts.changes import Changed, remember_changes
from accounts.ingest import ties
from accounts.models import AccountUser, Conversation, EndUser, EventCount, Suppression, TimelineEntry
from cs_platform.tenancy.context import current_tenant_id
from cs_platform.tenancy.models import Doer

ACCOUNTS_SHOWN = 50
EVENTS_SHOWN = 30
CONVERSATIONS_SHOWN = 10
LATELY = 30  # days


# --- whom an account is written to first ------------------------------------------------------------------------------


def set_key_contact(tie: AccountUser, *, is_key: bool, by: Doer, now: datetime) -> bool:
    """An account can have several; the first of them is written to. False when it was so already."""
    with transaction.atomic():
        if not AccountUser.objects.filter(pk=tie.pk).exclude(is_key_contact=is_key).update(is_key_contact=is_key):
            return False
        tie.is_key_contact = is_key
        EndUser.objects.filter(pk=tie.end_user_id).update(updated_at=now)
        name = str(tie.end_user)
        before, after = (None, name) if is_key else (name, None)
        remember_changes([Changed("key_contact", before, after, by.actor, account_id=tie.account_id)], now=now)
        what = "is a key contact now" if is_key else "is no key contact any more"
        _tell(tie, "contact.changed", what, by=by, now=now)
    return True


def leave_account(tie: AccountUser, *, by: Doer, now: datetime) -> None:
    """The user belongs to it no more. What they did there stays; what speaks of them there brings them back."""
    with transaction.atomic():
        AccountUser.objects.filter(pk=tie.pk).delete()
        ties.count_users([tie.account_id], tenant_id=current_tenant_id(), now=now)
        EndUser.objects.filter(pk=tie.end_user_id).update(updated_at=now)
        was = f" (was {tie.role})" if tie.role else ""
        _tell(tie, "contact.left", f"does not belong here any more{was}", by=by, now=now)


def _tell(tie: AccountUser, kind: str, what: str, *, by: Doer, now: datetime) -> None:
    TimelineEntry.objects.create(
        account_id=tie.account_id,
        end_user_id=tie.end_user_id,
        at=now,
        kind=kind,
        actor=by.actor,
        text=f"{tie.end_user} {what}",
        subject=f"user:{tie.end_user_id}",
    )


# --- the user page ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Places:
    ties: Sequence[AccountUser]
    more: bool


def places_of(user: EndUser) -> Places:
    """The accounts they belong to, where they were seen last first."""
    present = AccountUser.objects.filter(end_user=user, account__archived_at=None).select_related("account__csm")
    found = list(present.order_by(F("last_seen_at").desc(nulls_last=True), "pk")[: ACCOUNTS_SHOWN + 1])
    return Places(found[:ACCOUNTS_SHOWN], len(found) > ACCOUNTS_SHOWN)


@dataclass(frozen=True, slots=True)
class Habit:
    """One event of the last days."""

    name: str
    count: int
    days: int
    last_at: datetime


@dataclass(frozen=True, slots=True)
class Habits:
    habits: Sequence[Habit]
    more: bool


def habits_of(user: EndUser, *, today: date) -> Habits:
    """What they did most, over all their accounts."""
    lately = EventCount.objects.filter(end_user=user, day__gt=today - timedelta(days=LATELY), day__lte=today)
    counted = lately.values(name=F("event_type__name")).annotate(
        total=Sum("count"), days=Count("day", distinct=True), last=Max("last_at")
    )
    rows = list(counted.order_by("-total", "name")[: EVENTS_SHOWN + 1])
    habits = [Habit(row["name"], row["total"], row["days"], row["last"]) for row in rows[:EVENTS_SHOWN]]
    return Habits(habits, len(rows) > EVENTS_SHOWN)


def suppression_of(user: EndUser) -> Suppression | None:
    """Why nothing is sent to their address, if that is so."""
    return Suppression.objects.filter(email=user.email.lower()).first() if user.email else None


def conversations_with(user: EndUser) -> Sequence[Conversation]:
    mine = Conversation.objects.filter(end_user=user).select_related("sender", "account").defer("body")
    return list(mine.order_by("-created_at", "-pk")[:CONVERSATIONS_SHOWN])
