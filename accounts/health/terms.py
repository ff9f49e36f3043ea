"""A workspace's scores and measures with their rules read: what grading, previews and reasons all work from."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from accounts.models import HealthMeasure, HealthScore
from accounts.rules.compile import Audience
from accounts.rules.describe import People, describe
from accounts.rules.fields import FieldSet, Subject
from accounts.rules.grammar import Group, Leaf, Mode, Rule, RuleErrors, leaves, parse
from accounts.rules.operators import operators_for

PRESENT = "set"
HEALTHY, CONCERNING, POOR, UNKNOWN = "healthy", "concerning", "poor", "unknown"
GRADES = (HEALTHY, CONCERNING, POOR, UNKNOWN)
SHARES = {HEALTHY: 1.0, CONCERNING: 0.5, POOR: 0.0}  # of the workspace's scale


@dataclass(frozen=True, slots=True)
class MeasureTerms:
    measure: HealthMeasure
    healthy: Rule
    poor: Rule | None

    @property
    def known(self) -> Audience | None:
        """Accounts with a value in any of the fields asked about; None where there always is one, such as a count."""
        fields = list(dict.fromkeys(leaf.field for rule in (self.healthy, self.poor) if rule for leaf in leaves(rule)))
        if not all(PRESENT in operators_for(field.type) for field in fields):
            return None
        present = tuple(Leaf(field, operators_for(field.type)[PRESENT]) for field in fields)
        return Audience(account=Rule(Subject.ACCOUNT, Group(Mode.ANY, present)))

    @property
    def unknown_share(self) -> float | None:
        """What an account without values counts as; None leaves the measure out."""
        return SHARES.get(self.measure.when_unknown)

    def reason(self, grade: str, people: People | None = None) -> str:
        healthy = describe(self.healthy, people=people)
        if grade == HEALTHY:
            return healthy
        if grade == POOR and self.poor:
            return describe(self.poor, people=people)
        if grade == UNKNOWN:
            return "Nothing is known of what it asks"
        poor = f", nor: {_small(describe(self.poor, people=people))}" if self.poor else ""
        return f"Not: {_small(healthy)}{poor}"


@dataclass(frozen=True, slots=True)
class ScoreTerms:
    score: HealthScore
    applies_to: Rule | None
    measures: Sequence[MeasureTerms]

    @property
    def audience(self) -> Audience:
        return Audience(account=self.applies_to)


@dataclass(frozen=True, slots=True)
class Broken:
    """A score or measure whose rule cannot be asked any more; grading leaves it out, its page says what to mend."""

    name: str
    problem: str


@dataclass(frozen=True, slots=True)
class Terms:
    scores: Sequence[ScoreTerms]
    broken: Sequence[Broken]


def active_terms(fields: FieldSet) -> Terms:
    """Scores with at least one measure that can be asked."""
    broken: list[Broken] = []
    scores = [_score_terms(score, fields, broken) for score in active_scores()]
    return Terms([one for one in scores if one and one.measures], broken)


def active_scores() -> Iterable[HealthScore]:
    return HealthScore.objects.filter(archived_at=None).prefetch_related("measures").order_by("position", "pk")


def measures_of(score: HealthScore) -> list[HealthMeasure]:
    return sorted(score.measures.all(), key=lambda one: (one.position, one.pk))


def _score_terms(score: HealthScore, fields: FieldSet, broken: list[Broken]) -> ScoreTerms | None:
    """An unreadable `applies_to` stops the whole score: without it, it would be about other accounts."""
    try:
        applies_to = _read(score.applies_to, fields)
    except RuleErrors as errors:
        broken.append(Broken(score.name, str(errors)))
        return None
    return ScoreTerms(score, applies_to, list(_measure_terms(score, fields, broken)))


def _measure_terms(score: HealthScore, fields: FieldSet, broken: list[Broken]) -> Iterable[MeasureTerms]:
    for measure in measures_of(score):
        try:
            healthy, poor = _read(measure.healthy, fields), _read(measure.poor, fields)
        except RuleErrors as errors:
            broken.append(Broken(f"{score.name}, {measure.name}", str(errors)))
            continue
        assert healthy is not None
        yield MeasureTerms(measure, healthy, poor)


def _read(stored: object, fields: FieldSet) -> Rule | None:
    return None if stored is None else parse(stored, fields=fields, subject=Subject.ACCOUNT)


def _small(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:] if sentence[1:2].islower() else sentence
