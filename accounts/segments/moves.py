"""Coming into segments and going out of them, for any number of subjects and segments in a few statements.

Stays are locked in the order of their ids before their claims are touched, so that the last claim of a stay cannot end
beside a new one.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection

from accounts.models import Segment
from accounts.rules.sql import Sql, compose

RULE = "rule"
RULE_ITSELF = Sql("c.source")

SUBJECT = {Segment.Scope.ACCOUNT: "m.account_id", Segment.Scope.USER: "m.end_user_id"}
COLUMN = {Segment.Scope.ACCOUNT: "account_id", Segment.Scope.USER: "end_user_id"}


@dataclass(frozen=True, slots=True)
class Claim:
    """`source` is "rule", "run:<uuid>" or who did it; `automation` what a bar would name: "rule", "playbook:12"."""

    subject_id: int
    source: str
    automation: str = ""


def run(template: str, **parts: Sql) -> list[tuple[Any, ...]]:
    statement = compose(template, **parts)
    with connection.cursor() as cursor:
        cursor.execute(statement.text, statement.params)
        return list(cursor.fetchall())


# --- coming in --------------------------------------------------------------------------------------------------------

_ALLOWED = """
WITH wanted AS MATERIALIZED ({wanted}), allowed AS MATERIALIZED (
    SELECT w.* FROM wanted w WHERE NOT EXISTS (
        SELECT FROM accounts_segmentbar m WHERE m.tenant_id = {tenant} AND m.segment_id = w.segment_id
        AND {subject} = w.subject_id AND m.source = w.automation
    )
)
"""

_ENTER = f"""{_ALLOWED}, fresh AS (
    INSERT INTO accounts_segmentmembership (tenant_id, segment_id, {{column}}, entered_at)
    SELECT DISTINCT {{tenant}}, a.segment_id, a.subject_id, {{now}}::timestamptz FROM allowed a
    WHERE NOT EXISTS (
        SELECT FROM accounts_segmentmembership m WHERE m.tenant_id = {{tenant}} AND m.segment_id = a.segment_id
        AND {{subject}} = a.subject_id AND m.left_at IS NULL
    )
    ORDER BY 2, 3 ON CONFLICT DO NOTHING RETURNING segment_id, {{column}} AS subject_id
), told AS ({{told}})
SELECT f.subject_id FROM fresh f
"""

_CLAIM = f"""{_ALLOWED}, held AS MATERIALIZED (
    SELECT m.id, m.segment_id, {{subject}} AS subject_id FROM accounts_segmentmembership m
    WHERE m.tenant_id = {{tenant}} AND m.left_at IS NULL
        AND (m.segment_id, {{subject}}) IN (SELECT a.segment_id, a.subject_id FROM allowed a)
    ORDER BY m.id FOR NO KEY UPDATE
), made AS (
    INSERT INTO accounts_segmentclaim AS c (tenant_id, membership_id, source, automation, made_at)
    SELECT DISTINCT ON (h.id, a.source) {{tenant}}, h.id, a.source, a.automation, {{now}}::timestamptz
    FROM held h JOIN allowed a ON a.segment_id = h.segment_id AND a.subject_id = h.subject_id
    ON CONFLICT (tenant_id, membership_id, source)
        DO UPDATE SET ended_at = NULL, made_at = excluded.made_at, automation = excluded.automation
        WHERE c.ended_at IS NOT NULL
    RETURNING c.membership_id, c.source
)
SELECT h.subject_id, made.source FROM made JOIN held h ON h.id = made.membership_id
"""

# The one who let it in tells of it: where several did at once, any of them.
_TELL = """
    INSERT INTO accounts_timelineentry (tenant_id, account_id, end_user_id, at, kind, actor, text, subject, detail)
    SELECT {tenant}, {place}, {now}::timestamptz, {kind}, {actor}, {text}, 'segment:' || s.id, '{}'::jsonb
    FROM {moved} f JOIN accounts_segment s ON s.tenant_id = {tenant} AND s.id = f.segment_id {people}
"""
_ENTERED_BY = """(
    SELECT CASE min(w.source) WHEN 'rule' THEN 'segment:' || f.segment_id ELSE min(w.source) END
    FROM wanted w WHERE w.segment_id = f.segment_id AND w.subject_id = f.subject_id
)"""
_USERS = (
    " JOIN accounts_enduser u ON u.id = f.subject_id AND u.tenant_id = s.tenant_id"
    " JOIN accounts_accountuser au ON au.tenant_id = s.tenant_id AND au.end_user_id = u.id"
)
_USER_NAME = "coalesce(nullif(u.name, ''), u.email, u.external_id)"


def enter(scope: str, wanted: Sql, *, tenant_id: int, now: datetime) -> tuple[list[int], set[tuple[int, str]]]:
    """Who came in, and the claims that were made. `wanted` is SELECT segment_id, subject_id, source, automation."""
    parts = {
        "wanted": wanted,
        "tenant": Sql(str(int(tenant_id))),
        "subject": Sql(SUBJECT[Segment.Scope(scope)]),
        "now": Sql.value(now),
    }
    told = _told(scope, "fresh", verb="entered", actor=Sql(_ENTERED_BY), tenant_id=tenant_id, now=now)
    entered = [id for (id,) in run(_ENTER, column=Sql(COLUMN[Segment.Scope(scope)]), told=told, **parts)]
    return entered, {(id, source) for id, source in run(_CLAIM, **parts)}


def _told(scope: str, moved: str, *, verb: str, actor: Sql, tenant_id: int, now: datetime) -> Sql:
    """On the account, or on every account of the user."""
    of_user = scope == Segment.Scope.USER
    said = f"{_USER_NAME} || ' {verb}'" if of_user else f"'{verb.capitalize()}'"
    return compose(
        _TELL,
        tenant=Sql(str(int(tenant_id))),
        place=Sql("au.account_id, u.id" if of_user else "f.subject_id, NULL::bigint"),
        now=Sql.value(now),
        kind=Sql(f"'segment.{verb}'"),
        actor=actor,
        text=Sql(f"{said} || ' the segment “' || s.name || '”'"),
        moved=Sql(moved),
        people=Sql(_USERS if of_user else ""),
    )


# --- going out --------------------------------------------------------------------------------------------------------

_LOCK = """
SELECT m.id FROM accounts_segmentmembership m
WHERE m.tenant_id = {tenant} AND m.left_at IS NULL
    AND (m.segment_id, {subject}) IN (SELECT w.segment_id, w.subject_id FROM ({wanted}) w)
ORDER BY m.id FOR NO KEY UPDATE
"""
_END = """
UPDATE accounts_segmentclaim c SET ended_at = {now}, ended_by = {by}
FROM ({wanted}) w JOIN accounts_segmentmembership m ON m.tenant_id = {tenant} AND m.segment_id = w.segment_id
    AND {subject} = w.subject_id AND m.left_at IS NULL
WHERE c.tenant_id = {tenant} AND c.membership_id = m.id AND c.ended_at IS NULL AND {which}
RETURNING {subject}, c.source, c.automation
"""
_LEAVE = """
WITH gone AS (
    UPDATE accounts_segmentmembership m SET left_at = {now} FROM ({wanted}) w
    WHERE m.tenant_id = {tenant} AND m.segment_id = w.segment_id AND {subject} = w.subject_id AND m.left_at IS NULL
        AND NOT EXISTS (
            SELECT FROM accounts_segmentclaim c
            WHERE c.tenant_id = {tenant} AND c.membership_id = m.id AND c.ended_at IS NULL
        )
    RETURNING m.segment_id, {subject} AS subject_id
), told AS ({told})
SELECT subject_id FROM gone
"""


def leave(
    scope: str, wanted: Sql, which: Sql, *, actor: Sql, by: Sql = RULE_ITSELF, tenant_id: int, now: datetime
) -> tuple[list[Claim], list[int]]:
    """The claims that ended, and who left. `which` is asked of a claim `c` and its row `w` of `wanted`.

    `by` ended the claims, in SQL over `c`; `actor` tells of it, over `f`, a row of who left.
    """
    parts = {
        "wanted": wanted,
        "tenant": Sql(str(int(tenant_id))),
        "subject": Sql(SUBJECT[Segment.Scope(scope)]),
    }
    run(_LOCK, **parts)
    ended = [Claim(*row) for row in run(_END, which=which, by=by, now=Sql.value(now), **parts)]
    told = _told(scope, "gone", verb="left", actor=actor, tenant_id=tenant_id, now=now)
    return ended, [id for (id,) in run(_LEAVE, told=told, now=Sql.value(now), **parts)]
