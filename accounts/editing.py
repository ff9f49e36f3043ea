"""Built-in facts of an account or user that somebody corrects by hand, through the same door as what the API sends.

What was there before is in the history. An integration that sends the fact, too, replaces it with its next call.
"""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

from django.db import transaction

from accounts.adding import CannotAdd, refuse_same_address
from accounts.ingest.upsert import Item, Result, Tie, upsert_accounts, upsert_users
from accounts.models import Account, AccountUser, EndUser, TimelineEntry
from accounts.models.account import Lifecycle
from accounts.rules.describe import day_words, money
from cs_platform.tenancy.models import Doer, Tenant

WORDS: Mapping[str, str] = {
    "name": "name",
    "email": "email",
    "lifecycle": "status",
    "plan": "plan",
    "mrr_cents": "MRR",
    "renewal_on": "renewal",
    "trial_end_on": "trial end",
    "timezone": "time zone",
}


def edit_account(account: Account, facts: Mapping[str, Any], *, tenant: Tenant, by: Doer, now: datetime) -> bool:
    """`facts` are the built-in columns that change, None: no value any more. Raises CannotAdd."""
    before = {name: getattr(account, name) for name in facts}
    with transaction.atomic():
        (result,) = upsert_accounts([Item(account.external_id, facts)], tenant=tenant, by=by, now=now)
        if changed := _changed(result):
            account.refresh_from_db()
            entry = {"at": now, "kind": "account.edited", "actor": by.actor, "text": _differences(account, before)}
            TimelineEntry.objects.create(account=account, **entry)
    return changed


def edit_user(user: EndUser, facts: Mapping[str, Any], *, tenant: Tenant, by: Doer, now: datetime) -> bool:
    """As for accounts; it is told at every account of theirs."""
    before = {name: getattr(user, name) for name in facts}
    with transaction.atomic():
        if facts.get("email"):
            refuse_same_address(facts["email"], but=user)
        (result,) = upsert_users([Item(user.external_id, facts)], tenant=tenant, by=by, now=now)
        if changed := _changed(result):
            user.refresh_from_db()
            _tell(user, f"{user}: {_differences(user, before)}", by=by, now=now)
    return changed


def place_user(user: EndUser, account: Account, *, role: str, tenant: Tenant, by: Doer, now: datetime) -> bool:
    """At one account more, or in another role at one of theirs. False when it was so already."""
    with transaction.atomic():
        before = AccountUser.objects.filter(end_user=user, account=account).first()
        if before and before.role == role:
            return False
        place = Item(user.external_id, ties=[Tie(account.external_id, role or None)])
        (result,) = upsert_users([place], tenant=tenant, by=by, now=now)
        _changed(result)
        if before and not role:
            AccountUser.objects.filter(pk=before.pk).update(role="")
        EndUser.objects.filter(pk=user.pk).update(updated_at=now)
        said = f"is {role} here now" if role else "has no role here any more" if before else "belongs here now"
        _tell(user, f"{user} {said}", by=by, now=now, at=[account.pk])
    return True


def _changed(result: Result) -> bool:
    if result.faults:
        raise CannotAdd({str(fault.path[0]): fault.message for fault in result.faults})
    return result.outcome == "updated"


def _differences(subject: Account | EndUser, before: Mapping[str, Any]) -> str:
    """“Plan changed from Pro to Scale, MRR from $40 to nothing”."""
    parts = [
        f"{words} changed from {_said(name, before[name])} to {_said(name, getattr(subject, name))}"
        for name, words in WORDS.items()
        if name in before
    ]
    first, *others = parts
    return ", ".join([first[:1].upper() + first[1:], *(one.replace(" changed", "", 1) for one in others)])


def _said(name: str, value: Any) -> str:
    if value in (None, ""):
        return "nothing"
    if name == "mrr_cents":
        return money(value)
    if name == "lifecycle":
        return str(Lifecycle(value).label)
    return day_words(value) if isinstance(value, date) else str(value)


def _tell(user: EndUser, text: str, *, by: Doer, now: datetime, at: Sequence[int] | None = None) -> None:
    ties = AccountUser.objects.filter(end_user=user).values_list("account_id", flat=True) if at is None else at
    entry = {"end_user": user, "at": now, "kind": "contact.edited", "actor": by.actor, "text": text}
    TimelineEntry.objects.bulk_create(
        TimelineEntry(account_id=pk, subject=f"user:{user.pk}", **entry) for pk in sorted(ties)
    )
