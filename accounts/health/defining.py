"""Scores and their measures, as people set them up."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection, transaction
from django.db.models import Max

from accounts import governed
from accounts.fields import workspace_fields
from accounts.health.grading import grade_accounts
from accounts.models import Account, HealthMeasure, HealthScore
from accounts.rules.grammar import Rule, dump, leaves
from accounts.rules.health import PREFIX
from cs_platform.tenancy.audit import record
from cs_platform.tenancy.models import Doer, Tenant

COLUMN = "health"
MOST_SCORES, MOST_MEASURES = 20, 30
AT_ONCE = 20_000  # accounts of a workspace that are graded while a person waits
DEFINING = 7_366_005  # the lock's name; the workspace is its other half


class CannotSave(Exception):
    """The text says what to change; `field` is the part it is about."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


@dataclass(frozen=True, slots=True)
class ScoreWording:
    name: str
    weight: float = 1
    applies_to: Rule | None = None


@dataclass(frozen=True, slots=True)
class MeasureWording:
    name: str
    healthy: Rule
    poor: Rule | None = None
    weight: float = 1
    when_unknown: str = HealthMeasure.Unknown.LEAVE_OUT


# --- scores -----------------------------------------------------------------------------------------------------------


def save_score(
    score: HealthScore | None, *, wording: ScoreWording, tenant: Tenant, by: Doer, now: datetime
) -> HealthScore:
    """Raises CannotSave. A new one counts as soon as it has a measure."""
    with transaction.atomic():
        _alone(tenant)
        present = HealthScore.objects.filter(archived_at=None)
        if present.filter(name=wording.name).exclude(pk=score and score.pk).exists():
            raise CannotSave("name", f"There is a score called {wording.name} already.")
        _refuse_health("applies_to", wording.applies_to)
        before = _said(score)
        score = score or _new_score(now)
        score.name, score.weight = wording.name, wording.weight
        score.applies_to = dump(wording.applies_to) if wording.applies_to else None
        score.save()
        _write_down(score, before, by=by, now=now)
        _settle(tenant, now)
        return score


def archive_score(score: HealthScore, *, tenant: Tenant, by: Doer, now: datetime) -> bool:
    """Its history stays. With the last one, the trait that fed the health before feeds it again."""
    with transaction.atomic():
        _alone(tenant)
        before = _said(score)
        if not HealthScore.objects.filter(pk=score.pk, archived_at=None).update(archived_at=now):
            return False
        score.archived_at = now
        _write_down(score, before, by=by, now=now)
        _settle(tenant, now)
        return True


def restore_score(score: HealthScore, *, tenant: Tenant, by: Doer, now: datetime) -> bool:
    """Raises CannotSave where its name has been given away."""
    with transaction.atomic():
        _alone(tenant)
        if HealthScore.objects.filter(archived_at=None, name=score.name).exclude(pk=score.pk).exists():
            raise CannotSave("name", f"There is a score called {score.name} already. Rename that one first.")
        before = _said(score)
        if not HealthScore.objects.filter(pk=score.pk, archived_at__isnull=False).update(archived_at=None):
            return False
        score.archived_at = None
        _write_down(score, before, by=by, now=now)
        _settle(tenant, now)
        return True


def _new_score(now: datetime) -> HealthScore:
    if HealthScore.objects.filter(archived_at=None).count() >= MOST_SCORES:
        raise CannotSave("", f"A workspace can have {MOST_SCORES} scores. Archive one that is not used any more.")
    last = HealthScore.objects.aggregate(last=Max("position"))["last"]
    return HealthScore(created_at=now, position=0 if last is None else last + 1)


# --- measures ---------------------------------------------------------------------------------------------------------


def save_measure(
    measure: HealthMeasure | None,
    *,
    score: HealthScore,
    wording: MeasureWording,
    tenant: Tenant,
    by: Doer,
    now: datetime,
) -> HealthMeasure:
    """Raises CannotSave."""
    with transaction.atomic():
        _alone(tenant)
        others = HealthMeasure.objects.filter(score=score).exclude(pk=measure and measure.pk)
        if others.filter(name=wording.name).exists():
            raise CannotSave("name", f"{score.name} has a measure called {wording.name} already.")
        for field, rule in (("healthy", wording.healthy), ("poor", wording.poor)):
            _refuse_health(field, rule)
        before = _said(score)
        measure = measure or _new_measure(score, others.count())
        _write(measure, wording)
        _write_down(score, before, by=by, now=now)
        _settle(tenant, now)
        return measure


def remove_measure(measure: HealthMeasure, *, tenant: Tenant, by: Doer, now: datetime) -> None:
    """What it said in the past stays in the readings."""
    with transaction.atomic():
        _alone(tenant)
        before = _said(measure.score)
        measure.delete()
        _write_down(measure.score, before, by=by, now=now)
        _settle(tenant, now)


def set_measures(
    score: HealthScore, *, wordings: Sequence[MeasureWording], tenant: Tenant, by: Doer, now: datetime
) -> HealthScore:
    """All measures of a score at once; one of the same name stays itself. Raises CannotSave."""
    with transaction.atomic():
        _alone(tenant)
        if len({one.name for one in wordings}) < len(wordings):
            raise CannotSave("measures", "Each measure needs a name of its own.")
        if len(wordings) > MOST_MEASURES:
            raise CannotSave("measures", f"A score can have {MOST_MEASURES} measures.")
        before = _said(score)
        known = {one.name: one for one in HealthMeasure.objects.filter(score=score)}
        HealthMeasure.objects.filter(score=score).exclude(name__in=[one.name for one in wordings]).delete()
        for position, wording in enumerate(wordings):
            for field, rule in (("healthy", wording.healthy), ("poor", wording.poor)):
                _refuse_health(f"measures/{position}/{field}", rule)
            measure = known.get(wording.name) or HealthMeasure(score=score)
            measure.position = position
            _write(measure, wording)
        _write_down(score, before, by=by, now=now)
        _settle(tenant, now)
        return score


def _new_measure(score: HealthScore, count: int) -> HealthMeasure:
    if count >= MOST_MEASURES:
        raise CannotSave("", f"A score can have {MOST_MEASURES} measures. Remove one first.")
    last = HealthMeasure.objects.filter(score=score).aggregate(last=Max("position"))["last"]
    return HealthMeasure(score=score, position=0 if last is None else last + 1)


def _write(measure: HealthMeasure, wording: MeasureWording) -> None:
    measure.name, measure.weight, measure.when_unknown = wording.name, wording.weight, wording.when_unknown
    measure.healthy = dump(wording.healthy)
    measure.poor = dump(wording.poor) if wording.poor else None
    measure.save()


# --- both -------------------------------------------------------------------------------------------------------------


def _said(score: HealthScore | None) -> dict[str, Any]:
    """As it is stored, with its measures."""
    stored = HealthScore.objects.filter(pk=score.pk).first() if score and score.pk else None
    if stored is None:
        return {}
    parts = ("weight", "when_unknown", "healthy", "poor")
    measures = HealthMeasure.objects.filter(score=stored).order_by("position", "pk")
    return {name: getattr(stored, name) for name in ("name", "weight", "applies_to")} | {
        "archived": stored.archived_at is not None,
        "measures": {one.name: {part: getattr(one, part) for part in parts} for one in measures},
    }


def _write_down(score: HealthScore, before: dict[str, Any], *, by: Doer, now: datetime) -> None:
    after = _said(score)
    if after != before:
        about: dict[str, Any] = {"subject_type": "health_score", "subject_id": score.pk, "name": score.name}
        record(verb="health_score.changed", **about, before=before, after=after, by=by, now=now)


def _refuse_health(field: str, rule: Rule | None) -> None:
    """Health that depends on itself has no right answer."""
    asked = {leaf.field.key for leaf in leaves(rule)} if rule else set()
    if any(key == COLUMN or key.startswith(PREFIX) for key in asked):
        raise CannotSave(field, "A measure of health cannot ask about health. Remove that condition.")


def _alone(tenant: Tenant) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [DEFINING, tenant.pk % 2**31])


def _settle(tenant: Tenant, now: datetime) -> None:
    """Takes the column over with the first measure and gives it back with the last; grades where that is quick."""
    decides = HealthMeasure.objects.filter(score__archived_at=None).exists()
    feeders = Tenant.objects.values_list("column_traits", flat=True).get(pk=tenant.pk)
    if decides and not governed.is_governed(feeders, COLUMN):
        governed.take_over(COLUMN)
    if not decides and governed.is_governed(feeders, COLUMN):
        governed.give_back(COLUMN)
    if Account.objects.present()[: AT_ONCE + 1].count() <= AT_ONCE:
        grade_accounts(tenant=tenant, fields=workspace_fields(), now=now)
