"""Accounts of somebody who leaves: in every role they have there."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from accounts.changes import ROLE, Changed, remember_changes
from accounts.holders import PERSONS, Holding, hold, role_names
from accounts.models import Account, AccountRole, Indicator, TimelineEntry
from cs_platform.tenancy.models import Membership


class Accounts:
    def counts(self, member: Membership) -> Sequence[tuple[str, int]]:
        held = [(f"accounts as {name}", _held(role, member).count()) for role, name in role_names().items()]
        return [*held, ("active indicators", _indicators(member).count())]

    def hand_over(self, member: Membership, to: Membership, *, by: Membership, now: datetime) -> None:
        for role, name in role_names().items():
            ids = list(_held(role, member).select_for_update(no_key=True).order_by("pk").values_list("pk", flat=True))
            hold(role, {id: Holding(to.pk, by.actor) for id in ids}, now=now)
            changes = [Changed(role, member.pk, to.pk, by.actor, account_id=id) for id in ids]
            remember_changes(changes, now=now)
            text = f"{name} changed from {member.name} to {to.name}"
            told = {"at": now, "kind": "role.changed", "actor": by.actor, "text": text, "subject": f"field:{role}"[:60]}
            TimelineEntry.objects.bulk_create(TimelineEntry(account_id=id, **told) for id in ids)
        _indicators(member).update(assignee=to)


def _held(role: str, member: Membership) -> Any:
    present = Account.objects.present()
    if role in PERSONS:
        return present.filter(**{role: member})
    theirs = AccountRole.objects.filter(role__key=role.removeprefix(ROLE), member=member)
    return present.filter(pk__in=theirs.values("account"))


def _indicators(member: Membership) -> Any:
    return Indicator.objects.filter(assignee=member, state=Indicator.State.ACTIVE)
