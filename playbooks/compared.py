"""What a playbook is for, with it and without: how many reached its outcome, and whether that is more than chance.

Only those whose days are over are compared, each by the outcome that counted for them, where that is still the
playbook's. Runs that a person stopped do not count. Once somebody is left out, the runs compared are those that might
have been left out, too: begun by the rules since then, the first of each subject.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from accounts.rules.describe import counted
from accounts.rules.sql import Clock
from cs_platform.common import proportions
from cs_platform.common.proportions import Interval
from cs_platform.common.statements import fetch
from cs_platform.tenancy.context import current_tenant_id
from playbooks.models import Playbook
from playbooks.outcomes import began_before

ENOUGH = 10  # in each group, for the two to be compared


@dataclass(frozen=True, slots=True)
class Group:
    compared: int = 0
    reached: int = 0

    @property
    def percent(self) -> float | None:
        return 100 * self.reached / self.compared if self.compared else None

    def __str__(self) -> str:
        if self.percent is None:
            return "nobody yet"
        return f"{self.reached:,} of {self.compared:,} ({self.percent:.0f}%)"


@dataclass(frozen=True, slots=True)
class Compared:
    """`days` and `name` are the outcome's; `holdout` is the per cent left out now."""

    name: str
    days: int
    holdout: int
    with_it: Group = field(default_factory=Group)
    without: Group = field(default_factory=Group)

    @property
    def is_enough(self) -> bool:
        return min(self.with_it.compared, self.without.compared) >= ENOUGH

    @property
    def leaves_out(self) -> bool:
        return bool(self.holdout or self.without.compared)

    @property
    def says(self) -> str:
        """All of it, as a sentence."""
        if not self.with_it.compared:
            return f"Known for the first when {counted(self.days, 'day')} are over"
        said = f"With the playbook {self.with_it}"
        if self.leaves_out:
            said += f", without it {self.without}"
        if found := self.difference:
            value, low, high = (_points(one) for one in (found.value, found.low, found.high))
            return f"{said}. Difference {value} points, 95% interval {low} to {high}."
        return f"{said}. {'Too few to compare' if self.leaves_out else 'Nobody is left out to compare'}."

    @property
    def verdict(self) -> str:
        """What the interval allows to say."""
        found = self.difference
        if found is None:
            return ""
        if found.holds_zero:
            return "May be chance: the interval includes no difference"
        return "More than chance" if found.value > 0 else "Fewer, and more than chance"

    @property
    def difference(self) -> Interval | None:
        """In points of per cent."""
        if not self.is_enough:
            return None
        groups = (self.with_it, self.without)
        found = proportions.difference(*(proportions.share(one.reached, one.compared) for one in groups))
        return Interval(100 * found.value, 100 * found.low, 100 * found.high)


def compare(
    playbooks: Sequence[Playbook], *, since: datetime, clock: Clock, csms: Sequence[int] | None = None
) -> dict[int, Compared]:
    """Of those that have an outcome, by playbook. They come with their version. One statement for them all."""
    found = {
        one.pk: (one.version.definition["outcome"], one.version.definition.get("holdout") or 0)
        for one in playbooks
        if one.version and one.version.definition.get("outcome")
    }
    if not found:
        return {}
    rows = fetch(
        _GROUPS,
        {
            "tenant": current_tenant_id(),
            "playbooks": list(found),
            "outcomes": [json.dumps(outcome) for outcome, _share in found.values()],
            "overs": [began_before(outcome["days"], clock) for outcome, _share in found.values()],
            "since": since,
            "all": csms is None,
            "csms": list(csms or ()),
        },
    )
    groups = {(id, left_out): Group(compared, reached) for id, left_out, compared, reached in rows}
    return {
        id: Compared(
            outcome["name"], outcome["days"], share, *(groups.get((id, out), Group()) for out in (False, True))
        )
        for id, (outcome, share) in found.items()
    }


def _points(value: float) -> str:
    """With its sign; 0 has none."""
    whole = round(value)
    return f"{whole:+}".replace("-", "−") if whole else "0"


# A stop by the rules, or because nobody answered, is the playbook's own doing.
_STOPPED_BY_A_PERSON = (
    "e.state IN ('stopping', 'stopped') AND NOT e.stopped_by ^@ 'evaluation:' AND e.stopped_by <> 'engine'"
)
_GROUPS = f"""
WITH asked AS (
    SELECT v.id AS version_id, v.playbook_id, g.over
    FROM unnest(%(playbooks)s::bigint[], %(outcomes)s::jsonb[], %(overs)s::timestamptz[]) g(playbook_id, outcome, over)
    JOIN playbooks_playbookversion v ON v.tenant_id = %(tenant)s AND v.playbook_id = g.playbook_id
        AND v.published_at IS NOT NULL AND (v.definition -> 'outcome') - 'name' = g.outcome - 'name'
), left_out AS (
    SELECT w.playbook_id, w.account_id, w.end_user_id, w.matched_at AS at, w.outcome_at, g.over
    FROM asked g JOIN playbooks_withheld w ON w.tenant_id = %(tenant)s AND w.playbook_id = g.playbook_id
        AND w.version_id = g.version_id
), began AS (
    SELECT playbook_id, min(at) AS at FROM left_out GROUP BY 1
), run AS (
    SELECT e.playbook_id, e.account_id, e.activated_at AS at, e.outcome_at, g.over, b.at AS compared_since,
        {_STOPPED_BY_A_PERSON} AS is_stopped,
        row_number() OVER (PARTITION BY e.playbook_id, e.account_id, e.end_user_id ORDER BY e.activated_at, e.id) AS nth
    FROM asked g JOIN playbooks_enrollment e ON e.tenant_id = %(tenant)s AND e.playbook_id = g.playbook_id
        AND e.version_id = g.version_id AND NOT e.is_dry
    LEFT JOIN began b ON b.playbook_id = e.playbook_id
    WHERE (b.at IS NULL AND e.activated_at >= %(since)s) OR (e.by_rules AND e.activated_at >= b.at AND NOT EXISTS (
        SELECT 1 FROM left_out l WHERE l.playbook_id = e.playbook_id AND l.account_id = e.account_id
            AND l.end_user_id IS NOT DISTINCT FROM e.end_user_id
    ))
), subject AS (
    SELECT playbook_id, false AS is_left_out, account_id, at, outcome_at, over FROM run
    WHERE NOT is_stopped AND (compared_since IS NULL OR nth = 1)
    UNION ALL
    SELECT playbook_id, true, account_id, at, outcome_at, over FROM left_out l
    WHERE NOT EXISTS (
        SELECT 1 FROM playbooks_enrollment e WHERE e.tenant_id = %(tenant)s AND e.playbook_id = l.playbook_id
            AND e.account_id = l.account_id AND e.end_user_id IS NOT DISTINCT FROM l.end_user_id AND NOT e.is_dry
    )
)
SELECT s.playbook_id, s.is_left_out, count(*)::int, count(s.outcome_at)::int
FROM subject s JOIN accounts_account a ON a.tenant_id = %(tenant)s AND a.id = s.account_id
WHERE s.at >= %(since)s AND s.at < s.over AND (%(all)s OR a.csm_id = ANY(%(csms)s))
GROUP BY 1, 2
"""
