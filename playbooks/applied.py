"""How much playbooks were applied, and which of their actions failed and wait for a person."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cs_platform.common.statements import fetch
from cs_platform.tenancy.context import current_tenant_id
from playbooks.models import Playbook

SHOWN = 50
Csms = Sequence[int] | None  # whose accounts; None: everybody's, and nobody's


@dataclass(frozen=True, slots=True)
class Applied:
    """Enrollments that began between one moment and the next, by what they are now."""

    since: datetime
    finished: int = 0
    under_way: int = 0
    stopped: int = 0

    @property
    def total(self) -> int:
        return self.finished + self.under_way + self.stopped


@dataclass(frozen=True, slots=True)
class Failures:
    """Actions of one playbook that nobody has settled yet. `reason`: what most of them failed of."""

    playbook: Playbook
    failed: int
    uncertain: int
    undo_failed: int
    accounts: int
    oldest_at: datetime | None
    reason: str

    @property
    def total(self) -> int:
        return self.failed + self.uncertain + self.undo_failed


def applied(*, starts: Sequence[datetime], csms: Csms = None) -> list[Applied]:
    """From each of these moments, which are in order, until the next; from the last one until now. One statement."""
    found = {at: counts for at, *counts in fetch(_APPLIED, _asked(csms) | {"starts": list(starts)})}
    return [Applied(since, *found.get(at, ())) for at, since in enumerate(starts, 1)]


def under_way(*, csms: Csms = None) -> int:
    """How many go on right now, whenever they began."""
    [[count]] = fetch(_UNDER_WAY, _asked(csms))
    return int(count)


def open_failures(*, csms: Csms = None) -> list[Failures]:
    """Whenever it failed; the playbook with the most of them first. Two statements."""
    rows = fetch(_FAILURES, _asked(csms) | {"shown": SHOWN})
    known = Playbook.objects.in_bulk([id for id, *_ in rows])
    return [Failures(known[id], *counts) for id, *counts in rows]


def _asked(csms: Csms) -> dict[str, Any]:
    return {"tenant": current_tenant_id(), "all": csms is None, "csms": list(csms or ())}


_REAL = """
    JOIN accounts_account a ON a.tenant_id = e.tenant_id AND a.id = e.account_id
        AND (%(all)s OR a.csm_id = ANY(%(csms)s))
    WHERE NOT e.is_dry"""
_IS_UNDER_WAY = "e.state IN ('active', 'paused', 'stopping')"

_APPLIED = f"""
SELECT width_bucket(e.activated_at, %(starts)s::timestamptz[]),
    count(*) FILTER (WHERE e.state = 'completed')::int,
    count(*) FILTER (WHERE {_IS_UNDER_WAY})::int,
    count(*) FILTER (WHERE e.state = 'stopped')::int
FROM playbooks_enrollment e {_REAL} AND e.tenant_id = %(tenant)s AND e.activated_at >= (%(starts)s::timestamptz[])[1]
GROUP BY 1
"""
_UNDER_WAY = f"""
SELECT count(*) FROM playbooks_enrollment e {_REAL} AND e.tenant_id = %(tenant)s AND {_IS_UNDER_WAY}
"""
# Where a stop was asked for, nobody has to do anything about what failed before; but about an undo that did.
_FAILURES = f"""
SELECT e.playbook_id,
    count(*) FILTER (WHERE r.state = 'dead')::int,
    count(*) FILTER (WHERE r.state = 'uncertain')::int,
    count(*) FILTER (WHERE r.state = 'undo_dead')::int,
    count(DISTINCT e.account_id)::int,
    min(r.settled_at),
    mode() WITHIN GROUP (ORDER BY r.reason)
FROM playbooks_actionrun r
JOIN playbooks_enrollment e ON e.tenant_id = r.tenant_id AND e.id = r.enrollment_id {_REAL}
    AND r.tenant_id = %(tenant)s AND r.state IN ('dead', 'uncertain', 'undo_dead')
    AND (r.state = 'undo_dead' OR e.state IN ('active', 'paused', 'completed'))
GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT %(shown)s
"""
