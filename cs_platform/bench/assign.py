"""Giving tens of thousands of accounts a CSM: the action's batches against an aggregate and an UPDATE per account.

One by one is measured on a few, where all others are given already; it is spared the commit of each.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Count

from accounts.models import Account, RoleTurn, TraitChange
from accounts.models.account import TRACKED
from actions.base import Batch, Run
from actions.checks import clean_config
from actions.registry import action_for
from cs_platform.bench.data import define_traits, fill_accounts, make_people, settle_tables
from cs_platform.bench.measure import Cost, cost_of
from cs_platform.bench.profiles import NOW
from cs_platform.tenancy.context import tenant_context
from cs_platform.tenancy.models import Membership, Tenant
from playbooks.leases import BATCH

PEOPLE = 40
ONE_BY_ONE = 40
NEVER = (datetime.min.replace(tzinfo=UTC), 0)


def assign(accounts: int) -> tuple[dict[str, tuple[int, Cost]], bool]:
    """What each way cost for how many accounts, and whether both gave the same accounts to the same people."""
    tenant = Tenant.objects.create(slug="assign", name="Assign", created_at=NOW)
    people = make_people(tenant, PEOPLE)
    with tenant_context(tenant.pk):
        define_traits()
        fill_accounts(tenant, accounts, people, [])
        Account.objects.update(csm=None)
    settle_tables(["accounts_account"])
    with tenant_context(tenant.pk):
        ids = list(Account.objects.order_by("pk").values_list("pk", flat=True))
    few = ids[:ONE_BY_ONE]
    batches, _ = cost_of(lambda: _by_batches(tenant, ids))
    single, theirs = cost_of(lambda: _compared(tenant, few, _one_by_one))
    _cost, ours = cost_of(lambda: _compared(tenant, few, _by_batches))
    return {"assigned in batches": (len(ids), batches), "assigned one by one": (len(few), single)}, ours == theirs


def _compared(tenant: Tenant, ids: Sequence[int], way: Any) -> dict[int, int]:
    """Gives these accounts anew, looks at what came of it, and leaves everything as it was."""
    with tenant_context(tenant.pk):
        Account.objects.filter(pk__in=ids).update(csm=None)
        way(tenant, ids)
        found = dict(Account.objects.filter(pk__in=ids).values_list("pk", "csm_id"))
        transaction.set_rollback(True)
    return found


def _by_batches(tenant: Tenant, ids: Sequence[int]) -> None:
    action = action_for("assign")
    for some in (ids[start : start + BATCH] for start in range(0, len(ids), BATCH)):
        with tenant_context(tenant.pk):
            config = clean_config(action, {"role": "csm", "method": "least_accounts"})
            runs = [Run(UUID(int=id), id, id, None, None, "UTC", None) for id in some]
            action.apply(Batch(tenant.pk, config, NOW, NOW.date(), "playbook:1", "Assign", runs))


def _one_by_one(tenant: Tenant, ids: Sequence[int]) -> None:
    for id in ids:
        with transaction.atomic():
            _give(tenant, id)


def _give(tenant: Tenant, account_id: int) -> None:
    account = Account.objects.select_for_update().only("tenant_id", "csm_id").get(pk=account_id)
    members = list(Membership.objects.in_tenant(tenant.pk).active().filter(role="csm").order_by("pk"))
    theirs = Account.objects.present().filter(csm__in=members, lifecycle__in=TRACKED).order_by()
    loads = dict(theirs.values_list("csm_id").annotate(Count("pk")))
    turns = {turn.member_id: (turn.assigned_at, turn.place) for turn in RoleTurn.objects.filter(role="csm")}
    chosen = min(members, key=lambda one: (loads.get(one.pk, 0), turns.get(one.pk, NEVER), one.pk))
    place = max((place for _at, place in turns.values()), default=0) + 1
    RoleTurn.objects.update_or_create(role="csm", member=chosen, defaults={"assigned_at": NOW, "place": place})
    TraitChange.objects.create(account=account, field="csm", at=NOW, actor="run:1", before=None, after=chosen.pk)
    Account.objects.filter(pk=account.pk).update(csm=chosen, updated_at=NOW)
