"""An account's health as its page shows it: what each score says, why, and how it came to be."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from django.db.models import Q

from accounts.health.terms import GRADES, POOR, UNKNOWN, MeasureTerms, ScoreTerms, active_terms
from accounts.models import Account, HealthReading
from accounts.rules.describe import People
from accounts.rules.fields import FieldSet
from cs_platform.common.statements import fetch
from cs_platform.tenancy.context import current_tenant_id

SHOWN_DAYS = 90
COMPARED_DAYS = 30
CHANGES_SHOWN = 12

Steps = Sequence[HealthReading]  # of one score, the oldest first: each holds until the next


@dataclass(frozen=True, slots=True)
class Reason:
    name: str
    grade: str
    sentence: str


@dataclass(frozen=True, slots=True)
class ShownScore:
    id: int
    name: str
    value: float | None
    delta: float | None
    weight: float
    reasons: Sequence[Reason]  # the worst first


@dataclass(frozen=True, slots=True)
class Breakdown:
    """`days` are the values of the last days, one each, from the first that is known."""

    value: float | None
    delta: float | None
    scores: Sequence[ShownScore]
    days: Sequence[tuple[date, float | None]]
    changes: Sequence[HealthReading]  # of the whole, the newest first

    @property
    def is_empty(self) -> bool:
        return self.value is None and not self.scores and not self.changes


def breakdown_of(account: Account, *, fields: FieldSet, people: People, today: date) -> Breakdown:
    """Two queries for the readings, whatever their number, beside those for the scores."""
    scores = active_terms(fields).scores
    steps = _steps(account, scores, since=today - timedelta(days=SHOWN_DAYS))
    whole = steps.get(None, ())
    return Breakdown(
        value=account.health,
        delta=_delta(whole, account.health, today),
        scores=[_shown(one, steps.get(one.score.pk, ()), people, today) for one in scores if one.score.pk in steps],
        days=_daily(whole, today),
        changes=list(whole)[::-1][:CHANGES_SHOWN],
    )


_HELD_ON = """
SELECT DISTINCT ON (r.account_id) r.account_id, r.value FROM accounts_healthreading r
WHERE r.tenant_id = %(tenant)s AND r.account_id = ANY(%(ids)s) AND r.score_id IS NULL AND r.on <= %(day)s
ORDER BY r.account_id, r.on DESC
"""


def healths_on(day: date, account_ids: Sequence[int]) -> Mapping[int, float | None]:
    """The health as a whole of each of these accounts, as it was on that day."""
    return dict(fetch(_HELD_ON, {"tenant": current_tenant_id(), "day": day, "ids": list(account_ids)}))


def change_of(account: Account, today: date) -> float | None:
    """Of its health as a whole, against thirty days ago."""
    if account.health is None:
        return None
    then = healths_on(today - timedelta(days=COMPARED_DAYS), [account.pk]).get(account.pk)
    return None if then is None else round(account.health - then, 2)


def _steps(account: Account, scores: Sequence[ScoreTerms], *, since: date) -> Mapping[int | None, Steps]:
    """Readings by score: what held at the beginning of the time, and every one since."""
    mine = HealthReading.objects.filter(account=account)
    mine = mine.filter(Q(score=None) | Q(score__in=[one.score for one in scores]))
    before = mine.filter(on__lte=since).order_by("score", "-on").distinct("score")
    found: dict[int | None, list[HealthReading]] = {}
    for reading in [*before, *mine.filter(on__gt=since).order_by("on", "pk")]:
        found.setdefault(reading.score_id, []).append(reading)
    return found


def _shown(terms: ScoreTerms, steps: Steps, people: People, today: date) -> ShownScore:
    last = steps[-1] if steps else None
    value = last.value if last else None
    reasons = [_reason(one, last, people) for one in terms.measures if last and str(one.measure.pk) in last.grades]
    return ShownScore(
        id=terms.score.pk,
        name=terms.score.name,
        value=value,
        delta=_delta(steps, value, today),
        weight=terms.score.weight,
        reasons=sorted(reasons, key=lambda reason: (_badness(reason.grade), reason.name)),
    )


def _reason(terms: MeasureTerms, reading: HealthReading, people: People) -> Reason:
    grade = reading.grades[str(terms.measure.pk)]
    grade = grade if grade in GRADES else UNKNOWN
    return Reason(terms.measure.name, grade, terms.reason(grade, people))


def _badness(grade: str) -> int:
    return [POOR, "concerning", UNKNOWN, "healthy"].index(grade)


def _delta(steps: Steps, value: float | None, today: date) -> float | None:
    """Against thirty days ago; nothing where one of the two is not known."""
    then = _value_on(steps, today - timedelta(days=COMPARED_DAYS))
    return None if then is None or value is None else round(value - then, 2)


def _value_on(steps: Steps, day: date) -> float | None:
    held = [step for step in steps if step.on <= day]
    return held[-1].value if held else None


def _daily(steps: Steps, today: date) -> list[tuple[date, float | None]]:
    if not steps:
        return []
    first = max(steps[0].on, today - timedelta(days=SHOWN_DAYS))
    days = [first + timedelta(days=at) for at in range((today - first).days + 1)]
    return [(day, _value_on(steps, day)) for day in days]
