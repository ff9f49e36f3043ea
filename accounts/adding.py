"""Accounts and users that people add by hand, through the same door as what the API sends."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import uuid4

from django.db import transaction

from accounts.facts import set_person
from accounts.ingest.upsert import Item, Tie, upsert_accounts, upsert_users
from accounts.models import Account, AccountUser, EndUser, TimelineEntry
from cs_platform.tenancy.models import Doer, Membership, Tenant

TAKEN = "There is one with this id already."


class CannotAdd(ValueError):
    """`faults`: by field, what to do."""

    def __init__(self, faults: Mapping[str, str]) -> None:
        super().__init__(" ".join(faults.values()))
        self.faults = faults


@dataclass(frozen=True, slots=True)
class NewUser:
    name: str
    email: str
    external_id: str = ""
    account: Account | None = None
    role: str = ""


def add_account(
    facts: Mapping[str, Any],
    *,
    external_id: str,
    people: Mapping[str, Membership | None],
    tenant: Tenant,
    by: Doer,
    now: datetime,
) -> Account:
    """`facts` are built-in columns, `people` its CSM and AE. Raises CannotAdd."""
    external_id = external_id or str(uuid4())
    with transaction.atomic():
        _refuse_taken(Account, external_id)
        (result,) = upsert_accounts([Item(external_id, facts)], tenant=tenant, by=by, now=now)
        if result.faults:
            raise CannotAdd({str(fault.path[0]): fault.message for fault in result.faults})
        account: Account = Account.objects.get(pk=result.id)
        TimelineEntry.objects.create(
            account=account, at=now, kind="account.added", actor=by.actor, text="Account added"
        )
        for role, member in people.items():
            set_person(account, role, member=member, by=by, now=now)
    return account


def add_user(new: NewUser, *, tenant: Tenant, by: Doer, now: datetime) -> EndUser:
    """Raises CannotAdd."""
    external_id = new.external_id or str(uuid4())
    facts = {"name": new.name, "email": new.email or None}
    ties = [Tie(new.account.external_id, new.role or None)] if new.account else []
    with transaction.atomic():
        _refuse_taken(EndUser, external_id)
        refuse_same_address(new.email)
        (result,) = upsert_users([Item(external_id, facts, ties=ties)], tenant=tenant, by=by, now=now)
        if result.faults:
            raise CannotAdd({str(fault.path[0]): fault.message for fault in result.faults})
        user: EndUser = EndUser.objects.get(pk=result.id)
        _tell(user, by=by, now=now)
    return user


def _refuse_taken(model: type[Account] | type[EndUser], external_id: str) -> None:
    if model.objects.filter(external_id=external_id).exists():
        raise CannotAdd({"external_id": TAKEN})


def refuse_same_address(email: str, *, but: EndUser | None = None) -> None:
    """Else the same person would be asked, written to and counted twice."""
    others = EndUser.objects.exclude(pk=but.pk) if but else EndUser.objects.all()
    same = others.filter(email__in={email, email.lower()}, archived_at=None).first() if email else None
    if same is not None:
        raise CannotAdd({"email": f"{same} has this address already."})


def _tell(user: EndUser, *, by: Doer, now: datetime) -> None:
    entry = {"end_user": user, "at": now, "kind": "contact.added", "actor": by.actor, "text": f"{user} added"}
    for tie in AccountUser.objects.filter(end_user=user):
        TimelineEntry.objects.create(account_id=tie.account_id, subject=f"user:{user.pk}", **entry)
