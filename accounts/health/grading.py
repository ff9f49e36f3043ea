"""Every account's health in a few statements: all rules of all measures are asked together, like playbooks are.

A measure gives the whole scale where an account is healthy, half of it where it is concerning, nothing where it is
poor; a score is the weighted mean of its measures, and the account's health the weighted mean of its scores.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.db import connection

from accounts.health.terms import CONCERNING, HEALTHY, POOR, SHARES, UNKNOWN, MeasureTerms, ScoreTerms, active_terms
from accounts.rules.compile import Audience, chunked, one_pass_accounts
from accounts.rules.fields import FieldSet
from accounts.rules.sql import Clock, Sql
from cs_platform.tenancy.models import Tenant


def grade_accounts(*, tenant: Tenant, fields: FieldSet, now: datetime) -> None:
    """Without scores of its own the workspace's health comes from elsewhere; then only its history is kept."""
    scores = active_terms(fields).scores
    clock = Clock.at(now, ZoneInfo(tenant.timezone))
    if not scores:
        if _any_given_anew(tenant.pk) and _keep_changes(_GIVEN_ANEW, {"tenant": tenant.pk}, on=clock.today):
            _note_kept(tenant.pk)
        return
    _stage(scores, tenant=tenant, clock=clock)
    _keep_changes(_CHANGED, {"tenant": tenant.pk, "scores": [one.score.pk for one in scores]}, on=clock.today)
    _write_health(tenant.pk, now)


@dataclass
class Questions:
    """All rules of all scores as bits: one statement per 62 of them, joined account by account."""

    tenant_id: int
    clock: Clock
    asked: list[Audience] = field(default_factory=list)
    _places: list[tuple[int, int]] = field(default_factory=list)

    def place(self, audience: Audience) -> int:
        """The number to ask for with `holds`, once `settle` has been called."""
        if audience not in self.asked:
            self.asked.append(audience)
        return self.asked.index(audience)

    def settle(self) -> Sql:
        """FROM: accounts `a` and the answers."""
        chunks = list(chunked(self.asked))
        self._places = [(at, bit) for at, chunk in enumerate(chunks) for bit in range(len(chunk))]
        joins = [
            Sql(f" LEFT JOIN ({bits.text}) b{at} ON b{at}.id = a.id", bits.params)
            for at, bits in enumerate(self._answers(chunks))
        ]
        return Sql.join("", [Sql("accounts_account a"), *joins])

    def holds(self, place: int) -> str:
        chunk, bit = self._places[place]
        return f"b{chunk}.bits & {1 << bit}::bigint <> 0"

    def _answers(self, chunks: Sequence[Sequence[Audience]]) -> Iterator[Sql]:
        return (one_pass_accounts(chunk, tenant_id=self.tenant_id, clock=self.clock) for chunk in chunks)


def graded(scores: Sequence[ScoreTerms], *, tenant: Tenant, clock: Clock) -> Sql:
    """SELECT account_id, score_id, weight, value, grades: a row for each account and score that is about it."""
    questions = Questions(tenant.pk, clock)
    places = [_Places.of(score, questions) for score in scores]
    source = questions.settle()
    labels = ", ".join(
        f"{measure.label(questions)} AS {measure.column}" for place in places for measure in place.measures
    )
    applies = ", ".join(f"{questions.holds(place.applies)} AS s{place.at}" for place in places)
    rows = ", ".join(place.row(tenant.health_scale) for place in places)
    return Sql(
        f"SELECT g.id AS account_id, v.score_id, v.weight, v.value, v.grades"
        f" FROM (SELECT a.id, {applies}, {labels} FROM {source.text}"
        f" WHERE a.tenant_id = {tenant.pk} AND a.archived_at IS NULL OFFSET 0) g"
        f" CROSS JOIN LATERAL (VALUES {rows}) v(applies, score_id, weight, value, grades) WHERE v.applies",
        source.params,
    )


@dataclass(frozen=True)
class _Measure:
    terms: MeasureTerms
    column: str
    healthy: int
    poor: int | None
    known: int | None

    def label(self, questions: Questions) -> str:
        """The grade as the rules say it. Without an answer no bit is set, and NULL is not true."""
        unknown = (
            f"WHEN ({questions.holds(self.known)}) IS NOT TRUE THEN '{UNKNOWN}' " if self.known is not None else ""
        )
        poor = f"WHEN {questions.holds(self.poor)} THEN '{POOR}' " if self.poor is not None else ""
        return f"CASE {unknown}WHEN {questions.holds(self.healthy)} THEN '{HEALTHY}' {poor}ELSE '{CONCERNING}' END"

    @property
    def share(self) -> str:
        known = " ".join(f"WHEN '{grade}' THEN {share}" for grade, share in SHARES.items())
        unknown = self.terms.unknown_share
        return f"CASE g.{self.column} {known} ELSE {'NULL' if unknown is None else unknown}::float8 END"

    @property
    def weight(self) -> float:
        return float(self.terms.measure.weight)

    @property
    def is_left_out(self) -> str:
        if self.known is None or self.terms.unknown_share is not None:
            return "false"
        return f"g.{self.column} = '{UNKNOWN}'"


@dataclass(frozen=True)
class _Places:
    """Where the answers about one score stand."""

    at: int
    terms: ScoreTerms
    applies: int
    measures: Sequence[_Measure]

    @classmethod
    def of(cls, terms: ScoreTerms, questions: Questions) -> "_Places":
        applies = questions.place(terms.audience)
        at = terms.score.pk or 0
        measures = [
            _Measure(
                one,
                f"m{at}_{place}",
                questions.place(Audience(account=one.healthy)),
                questions.place(Audience(account=one.poor)) if one.poor else None,
                questions.place(known) if (known := one.known) else None,
            )
            for place, one in enumerate(terms.measures)
        ]
        return cls(at, terms, applies, measures)

    def row(self, scale: int) -> str:
        """Applies, score, weight, value, grades."""
        weights = " + ".join(f"CASE WHEN {one.is_left_out} THEN 0 ELSE {one.weight!r} END" for one in self.measures)
        points = " + ".join(f"{one.weight!r} * coalesce({one.share}, 0)" for one in self.measures)
        grades = ", ".join(f"'{one.terms.measure.pk or 0}', g.{one.column}" for one in self.measures)
        value = f"round(({int(scale)} * ({points}) / nullif({weights}, 0))::numeric, 2)::float8"
        return (
            f"(coalesce(g.s{self.at}, false), {self.at}::bigint, {float(self.terms.score.weight)!r}::float8,"
            f" {value}, jsonb_build_object({grades}))"
        )


def _stage(scores: Sequence[ScoreTerms], *, tenant: Tenant, clock: Clock) -> None:
    """Temp table `health_graded`: a row per account and score, and one without a score for the whole."""
    found = graded(scores, tenant=tenant, clock=clock)
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS health_graded")
        cursor.execute(
            f"CREATE TEMP TABLE health_graded ON COMMIT DROP AS WITH of_scores AS MATERIALIZED ({found.text})"
            " SELECT account_id, score_id, value, grades FROM of_scores UNION ALL"
            " SELECT account_id, NULL, round((sum(weight * value) / nullif(sum(weight) FILTER"
            " (WHERE value IS NOT NULL), 0))::numeric, 2)::float8, '{}'::jsonb FROM of_scores GROUP BY account_id;"
            " ANALYZE health_graded",
            found.params,
        )


def _keep_changes(changed: str, params: Mapping[str, Any], *, on: date) -> bool:
    """A reading for whatever is not as the last one says. A score that is about an account no more reads as nothing."""
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS health_changed")
        cursor.execute(changed, params)
        if not cursor.rowcount:
            return False
        cursor.execute("ANALYZE health_changed")
        cursor.execute(_PAST, {**params, "on": on})
        cursor.execute(_READ, {**params, "on": on})
        return True


# Every night: an index holds the few it finds, and no other account is read.
_ANEW = "accounts_account WHERE tenant_id = %(tenant)s AND archived_at IS NULL AND health IS DISTINCT FROM health_kept"
_GIVEN_ANEW = f"""
CREATE TEMP TABLE health_changed ON COMMIT DROP AS
SELECT id AS account_id, NULL::bigint AS score_id, health AS value, '{{}}'::jsonb AS grades FROM {_ANEW}
"""
_CHANGED = """
CREATE TEMP TABLE health_changed ON COMMIT DROP AS
SELECT coalesce(g.account_id, r.account_id) AS account_id, coalesce(g.score_id, r.score_id) AS score_id, g.value,
    coalesce(g.grades, '{}'::jsonb) AS grades
FROM health_graded g FULL JOIN (
    SELECT * FROM accounts_healthreading
    WHERE tenant_id = %(tenant)s AND is_current AND (score_id IS NULL OR score_id = ANY(%(scores)s))
) r ON r.account_id = g.account_id AND coalesce(r.score_id, 0) = coalesce(g.score_id, 0)
WHERE r.id IS NULL OR r.value IS DISTINCT FROM g.value OR r.grades <> coalesce(g.grades, '{}'::jsonb)
"""
_PAST = """
UPDATE accounts_healthreading r SET is_current = false FROM health_changed c
WHERE r.tenant_id = %(tenant)s AND r.is_current AND r.account_id = c.account_id
    AND coalesce(r.score_id, 0) = coalesce(c.score_id, 0) AND r."on" <> %(on)s
"""
_READ = """
INSERT INTO accounts_healthreading (tenant_id, account_id, score_id, "on", value, grades, is_current)
SELECT %(tenant)s, c.account_id, c.score_id, %(on)s, c.value, c.grades, true FROM health_changed c
ORDER BY c.account_id, c.score_id
ON CONFLICT (tenant_id, account_id, score_id, "on")
    DO UPDATE SET value = excluded.value, grades = excluded.grades, is_current = true
"""


def _any_given_anew(tenant_id: int) -> bool:
    """Nearly always there is none, and a table for them is dearer than a look. Asked for one, not all, it would take
    the planner's first guess instead of the index.
    """
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM {_ANEW}", {"tenant": tenant_id})
        return bool(cursor.fetchone()[0])


def _note_kept(tenant_id: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE accounts_account a SET health_kept = c.value FROM health_changed c"
            " WHERE a.tenant_id = %s AND a.id = c.account_id",
            [tenant_id],
        )


def _write_health(tenant_id: int, now: datetime) -> None:
    """The whole on the account itself, for lists and rules; accounts no score is about have none."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE accounts_account t SET health = w.value, health_kept = w.value, updated_at = %s
            FROM (
                SELECT a.id, g.value FROM accounts_account a
                LEFT JOIN health_graded g ON g.account_id = a.id AND g.score_id IS NULL
                WHERE a.tenant_id = %s AND a.archived_at IS NULL
            ) w WHERE t.tenant_id = %s AND t.id = w.id
                AND (t.health IS DISTINCT FROM w.value OR t.health_kept IS DISTINCT FROM w.value)
            """,
            [now, tenant_id, tenant_id],
        )
