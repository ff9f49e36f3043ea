"""The workspace's rules for lifecycles: ignored beats everything, then trialing, then churned; else subscribed."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.db import connection, transaction

from accounts import governed
from accounts.fields import workspace_fields
from accounts.models import Account, LifecycleRule
from accounts.models.account import Lifecycle
from accounts.rules.compile import Audience, one_pass_accounts
from accounts.rules.fields import FieldSet, Subject
from accounts.rules.grammar import Rule, RuleErrors, dump, leaves, parse
from accounts.rules.sql import Clock, Sql, compose
from cs_platform.tenancy.audit import record
from cs_platform.tenancy.models import Doer, Tenant

COLUMN = "lifecycle"
ACTOR = "lifecycle-rules"
ORDER = (LifecycleRule.Outcome.IGNORED, LifecycleRule.Outcome.TRIALING, LifecycleRule.Outcome.CHURNED)
AT_ONCE = 20_000  # accounts of a workspace whose lifecycles are settled while a person waits

Rules = Mapping[LifecycleRule.Outcome, Rule]


class CannotSave(Exception):
    """The text says what to change; `outcome` is the rule it is about."""

    def __init__(self, outcome: str, message: str) -> None:
        super().__init__(message)
        self.outcome = outcome


@dataclass(frozen=True, slots=True)
class Share:
    """How many accounts have a lifecycle, and how many would."""

    lifecycle: Lifecycle
    now: int
    then: int


def stored_rules(fields: FieldSet) -> Rules:
    """Raises RuleErrors where one of them cannot be asked any more."""
    stored = {LifecycleRule.Outcome(one.lifecycle): one.rule for one in LifecycleRule.objects.all()}
    return {
        outcome: parse(stored[outcome], fields=fields, subject=Subject.ACCOUNT, path=outcome)
        for outcome in ORDER
        if outcome in stored
    }


def save_rules(rules: Rules, *, tenant: Tenant, by: Doer, now: datetime) -> bool:
    """Replaces all of them, and settles at once where the workspace is small enough. False: at the next evaluation.

    Raises CannotSave.
    """
    for outcome, rule in rules.items():
        _refuse_itself(outcome, rule)
    with transaction.atomic():
        had = {one.lifecycle: one.rule for one in LifecycleRule.objects.select_for_update()}
        LifecycleRule.objects.exclude(lifecycle__in=rules).delete()
        for outcome, rule in rules.items():
            LifecycleRule.objects.update_or_create(lifecycle=outcome, defaults={"rule": dump(rule)})
        _write_down(had, {str(outcome): dump(rule) for outcome, rule in rules.items()}, tenant=tenant, by=by, now=now)
        if rules and not had:
            governed.take_over(COLUMN)
        if had and not rules:
            governed.give_back(COLUMN)
        if Account.objects.present()[: AT_ONCE + 1].count() > AT_ONCE:
            return False
        settle_lifecycles(tenant=tenant, fields=workspace_fields(), now=now)
        return True


def _write_down(
    before: Mapping[str, Any], after: Mapping[str, Any], *, tenant: Tenant, by: Doer, now: datetime
) -> None:
    if after != before:
        about: dict[str, Any] = {"subject_type": "lifecycle_rules", "subject_id": tenant.pk, "name": "Lifecycle rules"}
        record(verb="lifecycle_rules.changed", **about, before=before, after=after, by=by, now=now)


def _refuse_itself(outcome: str, rule: Rule) -> None:
    if any(leaf.field.key == COLUMN for leaf in leaves(rule)):
        raise CannotSave(outcome, "A lifecycle cannot depend on the lifecycle itself. Remove that condition.")


def settle_lifecycles(*, tenant: Tenant, fields: FieldSet, now: datetime) -> int:
    """Gives every account the lifecycle its rules say; returns how many changed. Without rules nothing does.

    With a rule that cannot be asked any more nothing changes either: the others alone would say something else.
    """
    try:
        rules = stored_rules(fields)
    except RuleErrors:
        return 0
    if not rules:
        return 0
    wanted = _wanted(rules, tenant_id=tenant.pk, clock=_clock(tenant, now))
    statement = compose(_SETTLE, wanted=wanted, tenant=Sql.value(tenant.pk), now=Sql.value(now), by=Sql.value(ACTOR))
    with connection.cursor() as cursor:
        cursor.execute(statement.text, statement.params)
        return int(cursor.fetchone()[0])


def shares(rules: Rules, *, tenant: Tenant, now: datetime) -> list[Share]:
    """How many accounts have each lifecycle, and how many would with these rules."""
    wanted = (
        _wanted(rules, tenant_id=tenant.pk, clock=_clock(tenant, now))
        if rules
        else Sql(f"{_AS_THEY_ARE} AND a.tenant_id = {int(tenant.pk)}")
    )
    statement = compose(_SHARES, wanted=wanted, tenant=Sql.value(tenant.pk))
    with connection.cursor() as cursor:
        cursor.execute(statement.text, statement.params)
        found = {lifecycle: (has, will) for lifecycle, has, will in cursor.fetchall()}
    return [Share(one, *found.get(one.value, (0, 0))) for one in Lifecycle]


def _clock(tenant: Tenant, now: datetime) -> Clock:
    return Clock.at(now, ZoneInfo(tenant.timezone))


def _wanted(rules: Rules, *, tenant_id: int, clock: Clock) -> Sql:
    """SELECT id, lifecycle: what the rules say of every account."""
    asked = [outcome for outcome in ORDER if outcome in rules]
    audiences = [Audience(account=rules[outcome], lifecycles=None) for outcome in asked]
    cases = " ".join(f"WHEN b.bits & {1 << bit} <> 0 THEN '{outcome}'" for bit, outcome in enumerate(asked))
    return compose(
        f"SELECT a.id, CASE {cases} ELSE '{Lifecycle.SUBSCRIBED}' END AS lifecycle FROM accounts_account a"
        f" LEFT JOIN ({{bits}}) b ON b.id = a.id WHERE a.tenant_id = {int(tenant_id)} AND a.archived_at IS NULL",
        bits=one_pass_accounts(audiences, tenant_id=tenant_id, clock=clock),
    )


_SETTLE = f"""
WITH wanted AS ({{wanted}}), changed AS (
    UPDATE accounts_account t SET lifecycle = w.lifecycle, updated_at = {{now}}
    FROM wanted w WHERE t.tenant_id = {{tenant}} AND t.id = w.id AND t.lifecycle <> w.lifecycle
    RETURNING t.id, old.lifecycle AS before, new.lifecycle AS after
), noted AS (
    INSERT INTO accounts_traitchange (tenant_id, account_id, field, at, actor, before, after)
    SELECT {{tenant}}, c.id, '{COLUMN}', {{now}}, {{by}}, to_jsonb(c.before), to_jsonb(c.after) FROM changed c
), told AS (
    INSERT INTO accounts_timelineentry (tenant_id, account_id, at, kind, actor, text, subject, detail)
    SELECT {{tenant}}, c.id, {{now}}, 'lifecycle.changed', {{by}},
        'Lifecycle changed from ' || c.before || ' to ' || c.after, '{COLUMN}',
        jsonb_build_object('before', c.before, 'after', c.after)
    FROM changed c
)
SELECT count(*) FROM changed
"""

_AS_THEY_ARE = "SELECT a.id, a.lifecycle FROM accounts_account a WHERE a.archived_at IS NULL"
_SHARES = """
WITH wanted AS ({wanted})
SELECT l, count(*) FILTER (WHERE a.lifecycle = l), count(*) FILTER (WHERE w.lifecycle = l)
FROM accounts_account a JOIN wanted w ON w.id = a.id
CROSS JOIN unnest(ARRAY['trialing', 'subscribed', 'churned', 'ignored']) l
WHERE a.tenant_id = {tenant} GROUP BY l
"""
