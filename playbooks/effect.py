"""What playbooks led to: how what was begun in a time ended, and what people did about it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from accounts.nps.scores import FIRST_PROMOTER, LAST_DETRACTOR, Tally
from accounts.rules.sql import Clock
from cs_platform.common.statements import fetch
from cs_platform.tenancy.context import current_tenant_id
from playbooks.compared import Compared, compare
from playbooks.models import Playbook

SHOWN = 50


@dataclass(frozen=True, slots=True)
class Effect:
    """Of one playbook, over the enrollments that began in the time. `nps`: the last answers of users it asked.

    `compared` is missing where no outcome was chosen.
    """

    playbook: Playbook
    applied: int = 0
    active: int = 0
    finished: int = 0
    stopped: int = 0
    days_to_finish: float | None = None  # in which half of the finished were through
    tasks: int = 0
    tasks_done: int = 0
    messages: int = 0
    replies: int = 0
    nps: Tally = field(default_factory=Tally)
    compared: Compared | None = None


def effects(
    *, since: datetime, clock: Clock, csms: Sequence[int] | None = None, playbooks: Sequence[int] | None = None
) -> list[Effect]:
    """The most applied ones first. Six statements, whatever the number of playbooks; `csms` as in accounts.revenue."""
    asked: dict[str, Any] = {
        "tenant": current_tenant_id(),
        "since": since,
        "all": csms is None,
        "csms": list(csms or ()),
        "any": playbooks is None,
        "playbooks": list(playbooks or ()),
        "shown": SHOWN,
    }
    counted = {row[0]: row[1:] for row in fetch(_ENROLLMENTS, asked)}
    asked |= {"any": False, "playbooks": list(counted)}
    tasks, messages, nps = (_by_playbook(statement, asked) for statement in (_TASKS, _MESSAGES, _NPS))
    known = Playbook.objects.select_related("version").in_bulk(list(counted))
    compared = compare(list(known.values()), since=since, clock=clock, csms=csms)
    return [
        Effect(
            *[known[id], *counts, *tasks.get(id, (0, 0)), *messages.get(id, (0, 0))],
            *[Tally(*nps.get(id, ())), compared.get(id)],
        )
        for id, counts in counted.items()
    ]


def _by_playbook(statement: str, asked: Mapping[str, Any]) -> dict[int, tuple[int, ...]]:
    return {row[0]: row[1:] for row in fetch(statement, asked)}


_BEGUN = """
begun AS (
    SELECT e.id, e.playbook_id, e.state, e.completed_at - e.activated_at AS took FROM playbooks_enrollment e
    JOIN accounts_account a ON a.tenant_id = e.tenant_id AND a.id = e.account_id
    WHERE e.tenant_id = %(tenant)s AND NOT e.is_dry AND e.activated_at >= %(since)s
        AND (%(all)s OR a.csm_id = ANY(%(csms)s)) AND (%(any)s OR e.playbook_id = ANY(%(playbooks)s))
)"""
_RUNS = "JOIN playbooks_actionrun r ON r.tenant_id = %(tenant)s AND r.enrollment_id = b.id"

_ENROLLMENTS = f"""
WITH {_BEGUN}
SELECT playbook_id, count(*)::int,
    count(*) FILTER (WHERE state IN ('active', 'paused', 'stopping'))::int,
    count(*) FILTER (WHERE state = 'completed')::int, count(*) FILTER (WHERE state = 'stopped')::int,
    percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM took)::float8)
        FILTER (WHERE state = 'completed') / 86400
FROM begun GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT %(shown)s
"""
_TASKS = f"""
WITH {_BEGUN}
SELECT b.playbook_id, count(*)::int, count(*) FILTER (WHERE t.status = 'done')::int
FROM begun b {_RUNS}
JOIN ctas_task t ON t.tenant_id = %(tenant)s AND t.origin_run_id = r.id AND t.archived_at IS NULL
GROUP BY 1
"""
# An automatic answer is none, and neither is word that nothing was delivered.
_MESSAGES = f"""
WITH {_BEGUN}
SELECT b.playbook_id, count(*)::int, count(c.replied_at)::int
FROM begun b {_RUNS} AND r.is_external
JOIN accounts_conversation c ON c.tenant_id = %(tenant)s AND c.origin_run_id = r.id AND c.state = 'sent'
GROUP BY 1
"""
# Who was asked by a run, and answered since; each user counts once for a playbook, by the last answer.
_NPS = f"""
WITH {_BEGUN}, answer AS (
    SELECT DISTINCT ON (b.playbook_id, n.end_user_id) b.playbook_id, n.score
    FROM begun b {_RUNS}
    JOIN accounts_npseligibility l ON l.tenant_id = %(tenant)s AND l.source = 'run:' || r.id
    JOIN accounts_npsresponse n ON n.tenant_id = %(tenant)s AND n.end_user_id = l.end_user_id
        AND n.answered_at >= l.made_at
    ORDER BY 1, n.end_user_id, n.answered_at DESC, n.id DESC
)
SELECT playbook_id, count(*) FILTER (WHERE score >= {FIRST_PROMOTER})::int,
    count(*) FILTER (WHERE score > {LAST_DETRACTOR} AND score < {FIRST_PROMOTER})::int,
    count(*) FILTER (WHERE score <= {LAST_DETRACTOR})::int
FROM answer GROUP BY 1
"""
