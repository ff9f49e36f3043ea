"""What measures and scores come to, in numbers: of the workspace now, and of a measure nobody has saved yet."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from accounts.health.grading import graded
from accounts.health.terms import CONCERNING, GRADES, HEALTHY, POOR, UNKNOWN, MeasureTerms, ScoreTerms
from accounts.matching import bounded
from accounts.models import Account
from accounts.rules.sql import Clock, Sql
from cs_platform.common.time_limit import TooLong
from cs_platform.tenancy.models import Tenant

EXAMPLES = 4
GOOD, WATCHED = 0.75, 0.5  # of the scale, as pages colour it


@dataclass(frozen=True, slots=True)
class Part:
    """How many accounts have a grade, and some of them."""

    grade: str
    count: int
    examples: Sequence[Account] = ()


def distribution(tenant: Tenant) -> list[Part]:
    """Of tracked accounts, by their health as it is."""
    good, watched = GOOD * tenant.health_scale, WATCHED * tenant.health_scale
    [row] = bounded(
        Sql(
            "SELECT count(*) FILTER (WHERE a.health >= %s), count(*) FILTER (WHERE a.health >= %s AND a.health < %s),"
            " count(*) FILTER (WHERE a.health < %s), count(*) FILTER (WHERE a.health IS NULL) FROM accounts_account a"
            " WHERE a.tenant_id = %s AND a.archived_at IS NULL AND a.lifecycle IN ('subscribed', 'trialing')",
            (good, watched, good, watched, tenant.pk),
        )
    )
    return [Part(grade, count) for grade, count in zip((HEALTHY, CONCERNING, POOR, UNKNOWN), row, strict=True)]


def measure_preview(score: ScoreTerms, measure: MeasureTerms, *, tenant: Tenant, now: datetime) -> list[Part] | None:
    """Of the accounts the score is about. None: too many to count while somebody waits."""
    alone = ScoreTerms(score.score, score.applies_to, [measure])
    found = graded([alone], tenant=tenant, clock=Clock.at(now, ZoneInfo(tenant.timezone)))
    try:
        rows = bounded(
            Sql(
                "SELECT x.grade, count(*), (array_agg(x.account_id ORDER BY x.account_id))[:%s] FROM (SELECT"
                f" s.account_id, s.grades ->> %s AS grade FROM ({found.text}) s) x GROUP BY 1",
                (EXAMPLES, str(measure.measure.pk or 0), *found.params),
            )
        )
    except TooLong:
        return None
    return _parts({grade: (count, ids) for grade, count, ids in rows})


def _parts(found: Mapping[str, tuple[int, list[int]]]) -> list[Part]:
    accounts = Account.objects.only("tenant_id", "name").in_bulk([id for _count, ids in found.values() for id in ids])
    return [
        Part(grade, count, [accounts[id] for id in ids])
        for grade in GRADES
        for count, ids in [found.get(grade, (0, []))]
    ]
