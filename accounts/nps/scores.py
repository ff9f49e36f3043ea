"""What answers say together: every user counts once, by their last answer."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import Count, Q, QuerySet, Window
from django.db.models.functions import RowNumber, TruncMonth

from accounts.models import NpsResponse, Segment, SegmentMembership

LAST_DETRACTOR, FIRST_PROMOTER = 6, 9
TREND_MONTHS = 12


class Group(StrEnum):
    PROMOTERS = "promoters"
    PASSIVES = "passives"
    DETRACTORS = "detractors"


_IN_GROUP = {
    Group.PROMOTERS: Q(score__gte=FIRST_PROMOTER),
    Group.PASSIVES: Q(score__gt=LAST_DETRACTOR, score__lt=FIRST_PROMOTER),
    Group.DETRACTORS: Q(score__lte=LAST_DETRACTOR),
}


def group_of(score: int) -> str:
    """The word for somebody who gave this score."""
    return "promoter" if score >= FIRST_PROMOTER else "passive" if score > LAST_DETRACTOR else "detractor"


@dataclass(frozen=True, slots=True)
class Tally:
    promoters: int = 0
    passives: int = 0
    detractors: int = 0

    @property
    def answers(self) -> int:
        return self.promoters + self.passives + self.detractors

    @property
    def score(self) -> int | None:
        """−100 to 100, halves away from zero as PostgreSQL rounds them; None while nobody has answered."""
        if not self.answers:
            return None
        share = Decimal(100 * (self.promoters - self.detractors)) / self.answers
        return int(share.quantize(Decimal(1), ROUND_HALF_UP))


def answers_in(segment: Segment | None = None, *, account_id: int | None = None) -> QuerySet[NpsResponse]:
    """All answers given at an account, or by (at) the members of a segment; without either, all."""
    answers: QuerySet[NpsResponse] = NpsResponse.objects.all()
    if account_id is not None:
        answers = answers.filter(account_id=account_id)
    if segment is not None:
        members = SegmentMembership.objects.filter(segment=segment, left_at__isnull=True)
        name = "account_id" if segment.scope == Segment.Scope.ACCOUNT else "end_user_id"
        answers = answers.filter(**{f"{name}__in": members.values(name)})
    return answers


def in_group(answers: QuerySet[NpsResponse], group: Group) -> QuerySet[NpsResponse]:
    return answers.filter(_IN_GROUP[group])


def last_of_each(answers: QuerySet[NpsResponse]) -> QuerySet[NpsResponse]:
    """Of these answers, each user's last."""
    last = answers.order_by("end_user_id", "-answered_at", "-pk").distinct("end_user_id")
    return NpsResponse.objects.filter(pk__in=last.values("pk"))


def tally(answers: QuerySet[NpsResponse]) -> Tally:
    return Tally(**last_of_each(answers).aggregate(**_counts()))


@dataclass(frozen=True, slots=True)
class Month:
    first_day: date
    tally: Tally


def trend(answers: QuerySet[NpsResponse], *, until: date, zone: ZoneInfo, months: int = TREND_MONTHS) -> list[Month]:
    """By calendar month of the workspace, the one of `until` last; in each, users count by their last answer in it."""
    days = [_month_before(until, back) for back in range(months - 1, -1, -1)]
    begins = datetime(days[0].year, days[0].month, 1, tzinfo=zone)
    dated = answers.filter(answered_at__gte=begins).annotate(month=TruncMonth("answered_at", tzinfo=zone))
    of_each = Window(RowNumber(), partition_by=["month", "end_user_id"], order_by=["-answered_at", "-pk"])
    last = dated.annotate(place=of_each).filter(place=1)
    counted = NpsResponse.objects.filter(pk__in=last.values("pk")).annotate(
        month=TruncMonth("answered_at", tzinfo=zone)
    )
    rows = counted.order_by().values("month").annotate(**_counts())
    found = {row["month"].date(): _tally_of(row) for row in rows}
    return [Month(day, found.get(day, Tally())) for day in days]


def _counts() -> dict[str, Count]:
    return {group.value: Count("pk", filter=condition) for group, condition in _IN_GROUP.items()}


def _tally_of(row: Mapping[str, Any]) -> Tally:
    return Tally(**{group.value: row[group.value] for group in Group})


def _month_before(day: date, back: int) -> date:
    year, month = divmod(day.year * 12 + day.month - 1 - back, 12)
    return date(year, month + 1, 1)
