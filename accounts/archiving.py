"""Accounts and users that nobody is to work with any more: put away, and brought back, by hand. Nothing is lost.

What is archived is in no list and no evaluation. Integrations go on telling of it, and it stays archived: only what an
undone import has put away comes back by itself (accounts/ingest/subjects.py), since no person ever decided that.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from django.conf import settings
from django.db import transaction
from django.utils.module_loading import import_string

from accounts.models import AccountUser, TimelineEntry
from accounts.table.listing import Listing
from accounts.table.lists import ACCOUNTS
from cs_platform.common.statements import fetch
from cs_platform.tenancy.context import current_tenant_id
from cs_platform.tenancy.models import Tenant

WHY = "Archived"  # what the history of a stopped playbook says
STOP, LEAVE = "stop", "leave"
PLAYBOOKS_THERE = (
    (STOP, "Stop them: what they did is taken back"),
    (LEAVE, "Leave them: what is due meanwhile is skipped"),
)


@dataclass(frozen=True, slots=True)
class UnderWay:
    """What goes on with things that are to be archived."""

    count: int
    names: Sequence[str]  # of the first few


class WorkInProgress(Protocol):
    """An upper layer's, by settings.UNDER_WAY."""

    def on(self, listing: Listing, ids: Sequence[int]) -> UnderWay: ...

    def stop(self, listing: Listing, ids: Sequence[int], *, tenant: Tenant, by: str, note: str, now: datetime) -> None:
        """Takes back what it has done, which it could not on something archived."""


def under_way(listing: Listing, ids: Sequence[int]) -> UnderWay:
    found = [source.on(listing, ids) for source in _sources()]
    return UnderWay(sum(one.count for one in found), [name for one in found for name in one.names])


def archive(listing: Listing, ids: Sequence[int], *, stop: bool, tenant: Tenant, by: str, now: datetime) -> list[int]:
    """Those that were present until now. Playbooks that are not stopped pass over them until they are back."""
    with transaction.atomic():
        if stop:
            for source in _sources():
                source.stop(listing, ids, tenant=tenant, by=by, note=WHY, now=now)
        archived = _write(_ARCHIVE, listing, ids, by=by, now=now)
        _tell(listing, archived, "archived", by=by, now=now)
    return archived


def restore(listing: Listing, ids: Sequence[int], *, by: str, now: datetime) -> list[int]:
    """Those that were archived until now, by whomever."""
    with transaction.atomic():
        restored = _write(_RESTORE, listing, ids, by="", now=now)
        _tell(listing, restored, "restored", by=by, now=now)
    return restored


_ARCHIVE = """
UPDATE {table} SET archived_at = %(now)s, archived_by = %(by)s, updated_at = %(now)s WHERE id IN (
    SELECT id FROM {table} WHERE tenant_id = %(tenant)s AND id = ANY(%(ids)s) AND archived_at IS NULL
    ORDER BY id FOR NO KEY UPDATE
) RETURNING id
"""
_RESTORE = """
UPDATE {table} SET archived_at = NULL, archived_by = %(by)s, updated_at = %(now)s WHERE id IN (
    SELECT id FROM {table} WHERE tenant_id = %(tenant)s AND id = ANY(%(ids)s) AND archived_at IS NOT NULL
    ORDER BY id FOR NO KEY UPDATE
) RETURNING id
"""


def _write(statement: str, listing: Listing, ids: Sequence[int], *, by: str, now: datetime) -> list[int]:
    given = {"tenant": current_tenant_id(), "ids": list(ids), "by": by, "now": now}
    return sorted(id for (id,) in fetch(statement.format(table=listing.model._meta.db_table), given))


def _tell(listing: Listing, ids: Sequence[int], verb: str, *, by: str, now: datetime) -> None:
    """On the account itself, or at every account of the user."""
    if listing is ACCOUNTS:
        entry = {"kind": f"account.{verb}", "text": f"Account {verb}", "actor": by, "at": now}
        TimelineEntry.objects.bulk_create(TimelineEntry(account_id=id, **entry) for id in ids)
        return
    ties = AccountUser.objects.filter(end_user_id__in=ids).select_related("end_user").order_by("pk")
    TimelineEntry.objects.bulk_create(_of_user(tie, verb, by=by, now=now) for tie in ties)


def _of_user(tie: AccountUser, verb: str, *, by: str, now: datetime) -> TimelineEntry:
    return TimelineEntry(
        account_id=tie.account_id,
        end_user_id=tie.end_user_id,
        at=now,
        kind=f"contact.{verb}",
        actor=by,
        text=f"{tie.end_user} {verb}",
        subject=f"user:{tie.end_user_id}",
    )


def _sources() -> Iterable[WorkInProgress]:
    return (import_string(path)() for path in settings.UNDER_WAY)
