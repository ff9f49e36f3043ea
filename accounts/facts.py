"""Facts of an account that people set beside its traits: who looks after it, whose child it is, why it looks unwell.

Each is one UPDATE with its line of the history and of the timeline, in one transaction. A fact that an integration
also sends stays as it was set here until the integration says something new (accounts/ingest/subjects.py).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.db import connection, transaction

from accounts.changes import ROLE, Changed, remember_changes
from accounts.holders import PERSONS, take_turns
from accounts.models import Account, AccountRole, KeyRole, TimelineEntry
from accounts.traits import Change
from cs_platform.tenancy.context import current_tenant_id
from cs_platform.tenancy.models import Doer, Membership

CHILDREN_SHOWN = 20
ANCESTORS_LIMIT = 100
_ONE_FAMILY_AT_A_TIME = 7_366_011  # an advisory lock per workspace: two changes at once could close a circle


class CannotBeParent(ValueError):
    """The text says why."""


# --- who looks after it -----------------------------------------------------------------------------------------------


def set_person(account: Account, role: str, *, member: Membership | None, by: Doer, now: datetime) -> Change:
    """Its CSM or AE."""
    with transaction.atomic():
        (before,) = _write(account, {f"{role}_id": _id(member)}, now=now)
        change = Change(before, _id(member))
        if change:
            take_turns(role, [change.after], now=now)
        _keep(account, role, change, _assigned(PERSONS[role], change), by=by, now=now)
    setattr(account, role, member)
    return change


def set_key_role(account: Account, role: KeyRole, *, member: Membership | None, by: Doer, now: datetime) -> Change:
    """Who holds a role of the workspace's own."""
    with transaction.atomic():
        _lock(account)
        held = AccountRole.objects.filter(account=account, role=role).first()
        change = Change(held.member_id if held else None, _id(member))
        if change:
            _hold(account, role, member, by=by, now=now)
            Account.objects.filter(pk=account.pk).update(updated_at=now)
            take_turns(ROLE + role.key, [change.after], now=now)
        _keep(account, ROLE + role.key, change, _assigned(role.name, change), by=by, now=now)
    return change


def _hold(account: Account, role: KeyRole, member: Membership | None, *, by: Doer, now: datetime) -> None:
    if member is None:
        AccountRole.objects.filter(account=account, role=role).delete()
        return
    held = {"member": member, "since_at": now, "assigned_by": by.actor}
    AccountRole.objects.update_or_create(account=account, role=role, defaults=held)


def _assigned(role: str, change: Change) -> Callable[[], str]:
    def words() -> str:
        ids = [pk for pk in (change.before, change.after) if pk]
        names = dict(Membership.objects.in_tenant(current_tenant_id()).filter(pk__in=ids).values_list("pk", "name"))
        before, after = (names.get(pk, "nobody") for pk in (change.before, change.after))
        return f"{role} changed from {before} to {after}"

    return words


# --- whose child it is ------------------------------------------------------------------------------------------------


def set_parent(account: Account, *, parent: Account | None, by: Doer, now: datetime) -> Change:
    with transaction.atomic():
        if parent:
            _refuse_circle(account, parent)
        (before,) = _write(account, {"parent_id": _id(parent)}, now=now)
        change = Change(before, _id(parent))
        words = f"Is now a child account of {parent.name}" if parent else "Has no parent account any more"
        _keep(account, "parent", change, lambda: words, by=by, now=now)
    account.parent = parent
    return change


def _refuse_circle(account: Account, parent: Account) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [_ONE_FAMILY_AT_A_TIME, current_tenant_id() % 2**31])
    if parent.pk == account.pk:
        raise CannotBeParent("An account cannot be its own parent.")
    ancestors = _ancestor_ids(parent)
    if account.pk in ancestors:
        raise CannotBeParent(f"{parent.name} is itself below {account.name}.")
    if len(ancestors) >= ANCESTORS_LIMIT:
        raise CannotBeParent(f"Accounts can stand at most {ANCESTORS_LIMIT} levels deep.")


def _ancestor_ids(account: Account) -> set[int]:
    with connection.cursor() as cursor:
        cursor.execute(
            """
            WITH RECURSIVE up(id, depth) AS (
                SELECT parent_id, 1 FROM accounts_account WHERE tenant_id = %s AND id = %s
                UNION ALL
                SELECT a.parent_id, up.depth + 1 FROM up JOIN accounts_account a ON a.tenant_id = %s AND a.id = up.id
                WHERE up.depth < %s
            ) SELECT id FROM up WHERE id IS NOT NULL
            """,
            [account.tenant_id, account.pk, account.tenant_id, ANCESTORS_LIMIT],
        )
        return {pk for (pk,) in cursor.fetchall()}


@dataclass(frozen=True, slots=True)
class Family:
    parent: Account | None
    children: Sequence[Account]
    more: bool  # there are more children than that


def family_of(account: Account) -> Family:
    parent = Account.objects.present().filter(pk=account.parent_id).first() if account.parent_id else None
    children = Account.objects.present().filter(parent=account).defer("traits").order_by("name", "pk")
    found = list(children[: CHILDREN_SHOWN + 1])
    return Family(parent, found[:CHILDREN_SHOWN], more=len(found) > CHILDREN_SHOWN)


# --- why it looks unwell ----------------------------------------------------------------------------------------------


def set_known_cause(account: Account, *, cause: str, until: date | None, by: Doer, now: datetime) -> bool:
    """Both or neither: a cause nobody sets an end to would hold good for ever."""
    with transaction.atomic():
        values = {"known_cause": cause, "known_cause_until": until}
        old_cause, old_until = _write(account, values, now=now)
        changes = {
            "known_cause": Change(old_cause or None, cause or None),
            "known_cause_until": Change(old_until and old_until.isoformat(), until and until.isoformat()),
        }
        changed = any(changes.values())
        if changed:
            _remember(account, changes, by=by, now=now)
            words = f"Known cause until {until:%-d %B %Y}: {cause}" if until else "The known cause is over"
            _tell(account, "cause.changed", "known_cause", words, by=by, now=now)
    account.known_cause, account.known_cause_until = cause, until
    return changed


# --- writing ----------------------------------------------------------------------------------------------------------


def _id(row: Account | Membership | None) -> int | None:
    return row.pk if row else None


def _write(account: Account, values: Mapping[str, Any], *, now: datetime) -> tuple[Any, ...]:
    """What was there before. `updated_at` moves only with a change."""
    columns, old = ", ".join(values), ", ".join(f"old.{column}" for column in values)
    places = ", ".join(["%s"] * len(values))
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE accounts_account t SET ({columns}) = ROW({places}),"
            f" updated_at = CASE WHEN ({', '.join(f't.{column}' for column in values)}) IS DISTINCT FROM ({places})"
            " THEN %s ELSE t.updated_at END"
            f" WHERE t.tenant_id = %s AND t.id = %s RETURNING {old}",
            [*values.values(), *values.values(), now, account.tenant_id, account.pk],
        )
        before: tuple[Any, ...] = cursor.fetchone()
    return before


def _lock(account: Account) -> None:
    Account.objects.select_for_update(no_key=True).only("tenant_id").get(pk=account.pk)


def _keep(account: Account, field: str, change: Change, words: Callable[[], str], *, by: Doer, now: datetime) -> None:
    if not change:
        return
    _remember(account, {field: change}, by=by, now=now)
    _tell(account, "parent.changed" if field == "parent" else "role.changed", field, words(), by=by, now=now)


def _remember(account: Account, changes: Mapping[str, Change], *, by: Doer, now: datetime) -> None:
    rows = [Changed(field, one.before, one.after, by.actor, account_id=account.pk) for field, one in changes.items()]
    remember_changes(rows, now=now)


def _tell(account: Account, kind: str, field: str, text: str, *, by: Doer, now: datetime) -> None:
    """`subject` names the field, which leads the page to its history."""
    TimelineEntry.objects.create(
        account_id=account.pk, at=now, kind=kind, actor=by.actor, text=text, subject=f"field:{field}"[:60]
    )
