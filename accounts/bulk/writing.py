"""What bulk verbs write beside the change itself: the history of values and the timeline, in one statement each."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from accounts.bulk.verbs import Task
from accounts.changes import Changed, remember_changes
from accounts.models import Account, TimelineEntry
from cs_platform.common.statements import fetch
from cs_platform.tenancy.context import current_tenant_id
from cs_platform.tenancy.models import Membership

CHANGED_SINCE = "Somebody or something has changed it since: it stays."
GONE = "The account is archived."


@dataclass(frozen=True, slots=True)
class Told:
    """One change of one account, and how the timeline says it."""

    account_id: int
    field: str
    before: object
    after: object
    text: str


def write_down(task: Task, told: Iterable[Told], *, kind: str, subject: str) -> None:
    lines = [one for one in told if one.before != one.after]
    changes = [Changed(one.field, one.before, one.after, task.actor, account_id=one.account_id) for one in lines]
    remember_changes(changes, now=task.now)
    TimelineEntry.objects.bulk_create(
        TimelineEntry(
            account_id=one.account_id, at=task.now, kind=kind, actor=task.actor, text=one.text, subject=subject[:60]
        )
        for one in lines
    )


def lock_present(account_ids: Sequence[int]) -> list[int]:
    """In the order of ids, like every batch of the engine."""
    rows = fetch(
        "SELECT id FROM accounts_account WHERE tenant_id = %s AND id = ANY(%s) AND archived_at IS NULL"
        " ORDER BY id FOR NO KEY UPDATE",
        [current_tenant_id(), list(account_ids)],
    )
    return [id for (id,) in rows]


def refuse_absent(wanted: Iterable[int], present: Collection[int]) -> dict[int, str]:
    return {id: GONE for id in wanted if id not in present}


def member_names(ids: Iterable[object]) -> Mapping[int, str]:
    wanted = {id for id in ids if isinstance(id, int)}
    members = Membership.objects.in_tenant(current_tenant_id()).filter(pk__in=wanted)
    return dict(members.values_list("pk", "name"))


def account_names(ids: Iterable[int]) -> Mapping[int, str]:
    return dict(Account.objects.filter(pk__in=list(ids)).values_list("pk", "name"))
