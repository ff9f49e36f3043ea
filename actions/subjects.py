"""The account or user a run is about, still there and locked, and users of its account that a step chooses."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from accounts.fields import workspace_fields
from accounts.rules import grammar
from accounts.rules.compile import predicate
from accounts.rules.fields import Subject
from accounts.rules.sql import Clock, Sql
from actions.base import Batch, Held, Run
from cs_platform.common.statements import fetch
from cs_platform.tenancy.models import Tenant

ACCOUNT, USER = "account", "user"
_TABLES = {ACCOUNT: "accounts_account", USER: "accounts_enduser"}
FAN_LIMIT = 1_000


def target_of(run: Run, scope: str) -> int | None:
    return run.account_id if scope == ACCOUNT else run.end_user_id


def lock_present(batch: Batch, scope: str, ids: Iterable[int | None]) -> set[int]:
    """In the order of ids, so that two batches on the same rows never wait for each other in a ring."""
    rows = fetch(
        f"SELECT id FROM {_TABLES[scope]} WHERE tenant_id = %(tenant)s AND id = ANY(%(ids)s) "
        "AND archived_at IS NULL ORDER BY id FOR NO KEY UPDATE",
        {"tenant": batch.tenant_id, "ids": list({id for id in ids if id is not None})},
    )
    return {pk for (pk,) in rows}


def users_of(batch: Batch, runs: Iterable[Run], rule: Any = None) -> dict[UUID, list[int]] | Held:
    """For each run the users of its account, those a stored rule matches where there is one; at most FAN_LIMIT each.

    Held when the rule asks about something that is gone.
    """
    try:
        which = _predicate(batch, rule) if rule else Sql("true")
    except grammar.RuleErrors as errors:
        return Held("condition_gone", f"Its users cannot be chosen: {errors}")
    by_account: Mapping[int, list[int]] = _users(batch, {run.account_id for run in runs}, which)
    return {run.id: by_account.get(run.account_id, [])[:FAN_LIMIT] for run in runs}


def _predicate(batch: Batch, rule: Any) -> Sql:
    parsed = grammar.parse(rule, fields=workspace_fields(), subject=Subject.USER)
    zone = ZoneInfo(Tenant.objects.values_list("timezone", flat=True).get(pk=batch.tenant_id))
    return predicate(parsed, tenant_id=batch.tenant_id, clock=Clock.at(batch.now, zone))


def _users(batch: Batch, account_ids: set[int], which: Sql) -> dict[int, list[int]]:
    rows = fetch(
        "SELECT au.account_id, u.id FROM accounts_accountuser au"
        " JOIN accounts_enduser u ON u.tenant_id = au.tenant_id AND u.id = au.end_user_id"
        f" WHERE au.tenant_id = %s AND au.account_id = ANY(%s) AND u.archived_at IS NULL AND ({which.text})"
        " ORDER BY au.account_id, au.id",
        [batch.tenant_id, list(account_ids), *which.params],
    )
    found: dict[int, list[int]] = defaultdict(list)
    for account_id, user_id in rows:
        found[account_id].append(user_id)
    return found
