"""Whether playbooks have reached what they are for: asked at every check, written down once.

A run may reach the outcome of the version it follows, and whoever was left out that of the version that found them
first, until as many local days are over as the outcome says. The very check that began a run does not ask yet: nothing
has been done by then.
"""

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection

from accounts.rules.compile import Audience, chunked, one_pass_accounts, one_pass_users
from accounts.rules.fields import FieldSet
from accounts.rules.grammar import RuleErrors
from accounts.rules.sql import Clock
from cs_platform.common.statements import fetch
from cs_platform.tenancy.models import Tenant
from playbooks.definition import outcome_audience
from playbooks.models import Playbook

AT_ONCE = 20_000  # rows that one statement marks: each has a time limit


@dataclass(slots=True)
class _Goal:
    """The outcome of one version, and since when a run may have begun to reach it today."""

    version_id: int
    playbook_id: int
    audience: str
    outcome: dict[str, Any]
    since: datetime
    reached: Audience | None = None
    bit: int = 0


def began_before(days: int, clock: Clock) -> datetime:
    """What began before this moment has had its days. Days are local ones: the last one counts whole."""
    return clock.start_of(clock.today - timedelta(days=days))


def mark_reached(*, tenant: Tenant, fields: FieldSet, clock: Clock) -> int:
    """How many were marked. Two statements look what is open; where nothing is, no rule is asked."""
    goals = list(_askable(_open(tenant.pk, clock), fields))
    marked = 0
    for kind in (Playbook.Audience.ACCOUNTS, Playbook.Audience.USERS):
        for chunk in _chunks([goal for goal in goals if goal.audience == kind]):
            _stage(tenant.pk, chunk, clock)
            marked += _mark(tenant.pk, chunk, clock)
    return marked


def _open(tenant_id: int, clock: Clock) -> list[_Goal]:
    """Of versions with an outcome, those that somebody can still reach."""
    rows = fetch(
        "SELECT v.id, v.playbook_id, p.audience, v.definition -> 'outcome' FROM playbooks_playbookversion v"
        " JOIN playbooks_playbook p ON p.tenant_id = v.tenant_id AND p.id = v.playbook_id"
        " WHERE v.tenant_id = %s AND v.published_at IS NOT NULL AND jsonb_typeof(v.definition -> 'outcome') = 'object'"
        " ORDER BY v.id",
        [tenant_id],
    )
    goals = [_goal(*row, clock=clock) for row in rows]
    if not goals:
        return []
    found = fetch(
        f"SELECT g.version_id FROM {_GOALS} WHERE"
        f" EXISTS (SELECT 1 FROM playbooks_enrollment e WHERE e.tenant_id = %(tenant)s AND {_RUNS})"
        f" OR EXISTS (SELECT 1 FROM playbooks_withheld w WHERE w.tenant_id = %(tenant)s AND {_LEFT_OUT})",
        _asked(tenant_id, goals, clock),
    )
    still = {version_id for (version_id,) in found}
    return [goal for goal in goals if goal.version_id in still]


def _goal(version_id: int, playbook_id: int, audience: str, stored: str, *, clock: Clock) -> _Goal:
    outcome = json.loads(stored)
    return _Goal(version_id, playbook_id, audience, outcome, since=began_before(outcome["days"], clock))


# activated_on is the date in the zone of the account, which may be a day off; it is there for the index.
_GOALS = (
    "unnest(%(versions)s::bigint[], %(playbooks)s::bigint[], %(bits)s::bigint[], %(sinces)s::timestamptz[])"
    " g(version_id, playbook_id, bit, since)"
)
_RUNS = (
    "e.playbook_id = g.playbook_id AND e.version_id = g.version_id AND NOT e.is_dry"
    " AND e.outcome_at IS NULL AND e.activated_at >= g.since AND e.activated_at < %(now)s"
    " AND e.activated_on >= (g.since - interval '2 days')::date"
)
_LEFT_OUT = (
    "w.playbook_id = g.playbook_id AND w.version_id = g.version_id"
    " AND w.outcome_at IS NULL AND w.matched_at >= g.since AND w.matched_at < %(now)s"
)


def _asked(tenant_id: int, goals: Sequence[_Goal], clock: Clock) -> dict[str, Any]:
    return {
        "tenant": tenant_id,
        "now": clock.now,
        "versions": [goal.version_id for goal in goals],
        "playbooks": [goal.playbook_id for goal in goals],
        "bits": [1 << goal.bit for goal in goals],
        "sinces": [goal.since for goal in goals],
        "size": AT_ONCE,
    }


def _askable(goals: Sequence[_Goal], fields: FieldSet) -> Iterator[_Goal]:
    """An outcome that asks about a field that is gone is reached by nobody any more; the others go on."""
    for goal in goals:
        try:
            goal.reached = outcome_audience({"outcome": goal.outcome}, audience=goal.audience, fields=fields)
        except RuleErrors:
            continue
        yield goal


def _chunks(goals: Sequence[_Goal]) -> Iterator[list[_Goal]]:
    """What one statement can ask, each rule once: versions of a playbook mostly share theirs."""
    asking: dict[Audience, list[_Goal]] = defaultdict(list)
    for goal in goals:
        if goal.reached:
            asking[goal.reached].append(goal)
    for chunk in chunked(list(asking)):
        for bit, audience in enumerate(chunk):
            for goal in asking[audience]:
                goal.bit = bit
        yield [goal for audience in chunk for goal in asking[audience]]


def _stage(tenant_id: int, chunk: Sequence[_Goal], clock: Clock) -> None:
    """Temp table `reached(account_id, end_user_id, bits)`: who meets which outcome now."""
    audiences = list(dict.fromkeys(goal.reached for goal in chunk if goal.reached))
    if chunk[0].audience == Playbook.Audience.USERS:
        found = one_pass_users(audiences, tenant_id=tenant_id, clock=clock)
        columns = "account_id, end_user_id, bits"
    else:
        found = one_pass_accounts(audiences, tenant_id=tenant_id, clock=clock)
        columns = "id AS account_id, NULL::bigint AS end_user_id, bits"
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS reached")
        cursor.execute(
            f"CREATE TEMP TABLE reached ON COMMIT DROP AS SELECT {columns} FROM ({found.text}) found; ANALYZE reached",
            found.params,
        )


_MARK_RUNS = f"""
WITH found AS (
    SELECT e.id FROM {_GOALS} JOIN playbooks_enrollment e ON e.tenant_id = %(tenant)s AND {_RUNS}
    JOIN reached x ON x.account_id = e.account_id AND {{same_user}} AND x.bits & g.bit <> 0
    ORDER BY e.id LIMIT %(size)s FOR NO KEY UPDATE OF e
)
UPDATE playbooks_enrollment e SET outcome_at = %(now)s FROM found
WHERE e.tenant_id = %(tenant)s AND e.id = found.id AND e.outcome_at IS NULL
"""
_MARK_LEFT_OUT = f"""
WITH found AS (
    SELECT w.id FROM {_GOALS} JOIN playbooks_withheld w ON w.tenant_id = %(tenant)s AND {_LEFT_OUT}
    JOIN reached x ON x.account_id = w.account_id AND {{same_user}} AND x.bits & g.bit <> 0
    ORDER BY w.id LIMIT %(size)s FOR NO KEY UPDATE OF w
)
UPDATE playbooks_withheld w SET outcome_at = %(now)s FROM found
WHERE w.tenant_id = %(tenant)s AND w.id = found.id AND w.outcome_at IS NULL
"""


def _mark(tenant_id: int, chunk: Sequence[_Goal], clock: Clock) -> int:
    """In bites, each row once: what is marked is found no more."""
    about_users = chunk[0].audience == Playbook.Audience.USERS
    asked, marked = _asked(tenant_id, chunk, clock), 0
    with connection.cursor() as cursor:
        for statement, row in ((_MARK_RUNS, "e"), (_MARK_LEFT_OUT, "w")):
            same_user = f"x.end_user_id = {row}.end_user_id" if about_users else "true"
            while True:
                cursor.execute(statement.format(same_user=same_user), asked)
                marked += cursor.rowcount
                if cursor.rowcount < AT_ONCE:
                    break
    return marked
