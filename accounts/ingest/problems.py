"""What was refused or coerced, added up per trait for an admin to see."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from django.db import connection

from accounts.ingest.calls import sample_of
from accounts.ingest.rows import as_json
from accounts.models import TraitProblem

COERCED, REFUSED = TraitProblem.Outcome.COERCED, TraitProblem.Outcome.REFUSED
# A sender may invent keys for ever; the list stays one that can be read.
ROWS_LIMIT = 5_000
OTHERS = "(others)"


@dataclass(frozen=True, slots=True)
class Problem:
    scope: str
    key: str
    outcome: str
    reason: str
    count: int
    sample: str


@dataclass(slots=True)
class Problems:
    counts: dict[tuple[str, str, str, str], int] = field(default_factory=dict)
    samples: dict[tuple[str, str, str, str], str] = field(default_factory=dict)

    def coerced(self, scope: str, key: str, note: str, value: Any) -> None:
        self._add((scope, key, COERCED, note), sample_of(value))

    def refused(self, scope: str, key: str, reason: str, value: Any, count: int = 1) -> None:
        self._add((scope, key, REFUSED, reason), sample_of(value), count)

    def refused_call(self, type: str, reason: str, sample: str) -> None:
        self._add(("call", type, REFUSED, reason), sample)

    def add(self, other: "Problems") -> None:
        for key, count in other.counts.items():
            self._add(key, other.samples[key], count)

    def __iter__(self) -> Iterator[Problem]:
        return (Problem(*key, count, self.samples[key]) for key, count in sorted(self.counts.items()))

    def without_keys(self) -> "Problems":
        merged = Problems()
        for (scope, key, outcome, reason), count in self.counts.items():
            merged._add((scope, OTHERS, outcome, reason), self.samples[scope, key, outcome, reason], count)
        return merged

    def _add(self, key: tuple[str, str, str, str], sample: str, count: int = 1) -> None:
        if key not in self.counts and len(self.counts) >= ROWS_LIMIT:
            key = (key[0], OTHERS, *key[2:])
        self.samples.setdefault(key, sample)
        self.counts[key] = self.counts.get(key, 0) + count


def save(problems: Problems, *, tenant_id: int, source: str, now: datetime) -> None:
    if not problems.counts:
        return
    if TraitProblem.objects.count() >= ROWS_LIMIT:
        problems = problems.without_keys()
    rows = [asdict(problem) for problem in problems]
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO accounts_traitproblem AS t
                (tenant_id, source, scope, key, outcome, reason, sample, count, first_at, last_at)
            SELECT %s, %s, s.scope, s.key, s.outcome, s.reason, s.sample, s.count, %s, %s
            FROM json_to_recordset(%s)
                AS s(scope text, key text, outcome text, reason text, sample text, count int)
            ON CONFLICT (tenant_id, source, scope, key, outcome, reason) DO UPDATE SET
                count = t.count + EXCLUDED.count, last_at = EXCLUDED.last_at
            """,
            [tenant_id, source, now, now, as_json(rows)],
        )
