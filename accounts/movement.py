"""How far a book moved: revenue since a moment, and accounts in bad health since a day. Read off the histories."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from accounts.changes import TRAIT
from accounts.models.account import TRACKED
from cs_platform.common.statements import fetch
from cs_platform.tenancy.models import Tenant
from cs_platform.web.templatetags.ui import WATCHED_HEALTH

LARGEST_BOOK = 2_000  # whose histories are read while somebody waits


@dataclass(frozen=True, slots=True)
class Moved:
    """`mrr_cents`: what came, what grew or shrank and what went, of accounts that are in the book now; None where the
    history does not reach back. `at_risk`: how many more are, of those whose health was known then.
    """

    mrr_cents: int | None = None
    at_risk: int = 0


def quarter_of(day: date) -> date:
    """Its first day."""
    return date(day.year, (day.month - 1) // 3 * 3 + 1, 1)


def moved(*, tenant: Tenant, csm_id: int | None, quarter: datetime, week: date, now: datetime) -> Moved:
    """Revenue since the moment `quarter`, bad health since the day `week`. One statement."""
    asked = {
        "tenant": tenant.pk,
        "csm": csm_id,
        "tracked": list(TRACKED),
        "since": quarter,
        "is_known": quarter >= now - timedelta(days=tenant.history_days),
        "trait": TRAIT,
        "week": week,
        "watched": tenant.health_scale * WATCHED_HEALTH / 100,
    }
    return Moved(*fetch(_MOVED, asked)[0])


_IS_TRACKED = "a.lifecycle = ANY(%(tracked)s)"


def _was(column: str) -> str:
    """What the first change since has replaced, if there was one. A mapped trait has the column's history."""
    return f"""
    LEFT JOIN LATERAL (
        SELECT c.before FROM accounts_traitchange c
        WHERE c.tenant_id = %(tenant)s AND c.account_id = a.id AND c.at > %(since)s
            AND c.field = ANY(ARRAY(SELECT %(trait)s || d.key FROM accounts_traitdefinition d
                WHERE d.tenant_id = %(tenant)s AND d.scope = 'account' AND d."column" = '{column}') || '{column}'::text)
        ORDER BY c.at, c.id LIMIT 1
    ) was_{column} ON true"""


_MOVED = f"""
WITH book AS MATERIALIZED (
    SELECT a.id, a.lifecycle, a.mrr_cents, a.health, a.created_at FROM accounts_account a
    WHERE a.tenant_id = %(tenant)s AND a.archived_at IS NULL AND (%(csm)s::bigint IS NULL OR a.csm_id = %(csm)s)
), revenue AS (
    SELECT CASE WHEN {_IS_TRACKED} THEN COALESCE(a.mrr_cents, 0) ELSE 0 END AS later,
        CASE WHEN a.created_at > %(since)s THEN 0
            WHEN NOT COALESCE(was_lifecycle.before #>> '{{}}', a.lifecycle) = ANY(%(tracked)s) THEN 0
            WHEN was_mrr_cents IS NULL THEN COALESCE(a.mrr_cents, 0)
            WHEN jsonb_typeof(was_mrr_cents.before) = 'number' THEN was_mrr_cents.before::numeric::bigint
            ELSE 0 END AS earlier
    FROM book a {_was("mrr_cents")} {_was("lifecycle")}
)
SELECT
    CASE WHEN %(is_known)s AND EXISTS (SELECT FROM book WHERE created_at <= %(since)s)
        THEN (SELECT sum(later - earlier)::bigint FROM revenue) END,
    (
        -- Only whose reading changed since then can have moved.
        SELECT count(*) FILTER (WHERE a.health < %(watched)s) - count(*) FILTER (WHERE earlier.value < %(watched)s)
        FROM book a
        JOIN accounts_healthreading r ON r.tenant_id = %(tenant)s AND r.account_id = a.id AND r.score_id IS NULL
            AND r.is_current AND r."on" > %(week)s
        JOIN LATERAL (
            SELECT e.value FROM accounts_healthreading e
            WHERE e.tenant_id = %(tenant)s AND e.account_id = a.id AND e.score_id IS NULL AND e."on" <= %(week)s
            ORDER BY e."on" DESC LIMIT 1
        ) earlier ON true
        WHERE {_IS_TRACKED}
    )
"""
