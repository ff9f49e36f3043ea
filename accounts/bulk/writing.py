"""What bulk verbs write beside the change itself: the history of values and the timeline, in one statement each."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from accounts.bulk.verbs import Task, id_of
from accounts.changes import Changed, remember_changes
from accounts.models import AccountUser, TimelineEntry
from accounts.table.listing import Listing
from accounts.table.lists import ACCOUNTS
from cs_platform.common.statements import fetch
from cs_platform.jobs.models import JobItem
from cs_platform.tenancy.context import current_tenant_id
from cs_platform.tenancy.models import Membership

CHANGED_SINCE = "Somebody or something has changed it since: it stays."


@dataclass(frozen=True, slots=True)
class Told:
    """One change of one account or user, and how the timeline says it."""

    id: int
    field: str
    before: object
    after: object
    text: str
    back_to: str = ""  # where an undo makes it somebody's word again: whose


def write_down(task: Task, told: Iterable[Told], *, kind: str, subject: str, listing: Listing = ACCOUNTS) -> None:
    told = list(told)
    remember_changes([_changed(task, one, listing) for one in told], now=task.now)
    lines = [one for one in told if one.before != one.after]
    entry = {"at": task.now, "kind": kind, "actor": task.actor, "subject": subject[:60]}
    places = _places([one.id for one in lines], listing)
    TimelineEntry.objects.bulk_create(
        TimelineEntry(text=one.text, **place, **entry) for one in lines for place in places.get(one.id, ())
    )


def _changed(task: Task, one: Told, listing: Listing) -> Changed:
    own: dict[str, Any] = {"account_id" if listing is ACCOUNTS else "end_user_id": one.id}
    undone_by = task.actor if one.back_to else ""
    return Changed(one.field, one.before, one.after, one.back_to or task.actor, **own, undone_by=undone_by)


def _places(ids: Sequence[int], listing: Listing) -> Mapping[int, Sequence[Mapping[str, int]]]:
    """The timelines something of an account or user stands in: a user's is told at every account of theirs."""
    if listing is ACCOUNTS:
        return {id: [{"account_id": id}] for id in ids}
    places: dict[int, list[Mapping[str, int]]] = {}
    ties = AccountUser.objects.filter(end_user_id__in=ids).order_by("pk")
    for user_id, account_id in ties.values_list("end_user_id", "account_id"):
        places.setdefault(user_id, []).append({"account_id": account_id, "end_user_id": user_id})
    return places


def lock_present(ids: Sequence[int], listing: Listing = ACCOUNTS) -> list[int]:
    """In the order of ids, like every batch of the engine."""
    rows = fetch(
        f"SELECT id FROM {listing.model._meta.db_table} WHERE tenant_id = %s AND id = ANY(%s) AND archived_at IS NULL"
        " ORDER BY id FOR NO KEY UPDATE",
        [current_tenant_id(), list(ids)],
    )
    return [id for (id,) in rows]


def as_they_stand(items: Iterable[JobItem]) -> Mapping[int, JobItem]:
    """By account or user, read again under their lock: they may have inherited meanwhile (accounts/heirs.py)."""
    return {id_of(item): item for item in JobItem.objects.filter(pk__in=[item.pk for item in items])}


def refuse_absent(wanted: Iterable[int], present: Collection[int], listing: Listing = ACCOUNTS) -> dict[int, str]:
    return {id: gone(listing) for id in wanted if id not in present}


def gone(listing: Listing = ACCOUNTS) -> str:
    return f"The {listing.noun} is archived."


def member_names(ids: Iterable[object]) -> Mapping[int, str]:
    wanted = {id for id in ids if isinstance(id, int)}
    members = Membership.objects.in_tenant(current_tenant_id()).filter(pk__in=wanted)
    return dict(members.values_list("pk", "name"))


def names_of(listing: Listing, ids: Iterable[int]) -> Mapping[int, str]:
    return {thing.pk: str(thing) for thing in listing.model.objects.filter(pk__in=list(ids))}
