"""Whom the survey may be shown to now, and the claims by which playbooks and people make somebody eligible."""

import calendar
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from django.db.models import Count, Exists, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce

from accounts.models import AccountUser, EndUser, NpsEligibility, NpsResponse, NpsShowing, NpsSurvey
from accounts.models.account import TRACKED
from cs_platform.common.statements import fetch
from cs_platform.tenancy.context import current_tenant_id


def may_be_asked(user_id: int, *, survey: NpsSurvey, account_id: int | None = None, now: datetime, today: date) -> bool:
    """`today` is the workspace's day. Another account than the user's own makes nobody eligible."""
    return askable(survey, account_id=account_id, now=now, today=today).filter(pk=user_id).exists()


def askable(survey: NpsSurvey, *, account_id: int | None = None, now: datetime, today: date) -> QuerySet[EndUser]:
    """Everybody the survey may be shown to."""
    if not survey.is_on:
        return EndUser.objects.none()
    rested_since = months_before(now, survey.months_between)
    old_enough = Q(archived_at__isnull=True, created_at__lte=now - timedelta(days=survey.min_user_age_days))
    found = EndUser.objects.filter(old_enough, _is_tracked(account_id), *_claimed(survey, now))
    found = found.exclude(Exists(_of_user(NpsResponse).filter(answered_at__gt=rested_since)))
    found = found.exclude(Exists(_of_user(NpsShowing).filter(dismissed_at__gt=rested_since)))
    shown_on = _of_user(NpsShowing).filter(on__gt=rested_since.date(), on__lt=today)
    return found.annotate(days_shown=_count(shown_on)).filter(days_shown__lt=survey.max_showings)


def months_before(now: datetime, months: int) -> datetime:
    """The same day of the month, or its last one: 31 May less three months is the end of February."""
    year, month = divmod(now.year * 12 + now.month - 1 - months, 12)
    last = calendar.monthrange(year, month + 1)[1]
    return now.replace(year=year, month=month + 1, day=min(now.day, last))


def _of_user(model: type) -> QuerySet:  # type: ignore[type-arg]
    return model.objects.filter(end_user=OuterRef("pk"))  # type: ignore[attr-defined,no-any-return]


def _is_tracked(account_id: int | None) -> Exists:
    """At an account that is still a customer's."""
    ties = AccountUser.objects.filter(
        end_user=OuterRef("pk"), account__archived_at__isnull=True, account__lifecycle__in=TRACKED
    )
    return Exists(ties if account_id is None else ties.filter(account=account_id))


def _claimed(survey: NpsSurvey, now: datetime) -> list[Exists]:
    return [Exists(_of_user(NpsEligibility).filter(_is_open(now)))] if survey.requires_playbook else []


def _is_open(now: datetime) -> Q:
    return Q(ended_at__isnull=True) & (Q(ends_at__isnull=True) | Q(ends_at__gt=now))


def _count(rows: QuerySet) -> Coalesce:  # type: ignore[type-arg]
    return Coalesce(Subquery(rows.order_by().values("end_user").annotate(n=Count("pk")).values("n")), 0)


# Claims ---------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class EndedClaim:
    source: str
    user_id: int
    answered: bool  # since the claim was made: that answer stays


def make_eligible(user_ids: Iterable[int], *, source: str, now: datetime) -> set[int]:
    """One claim of the source for each; those who had none open before are returned."""
    wanted = set(user_ids)
    claims = NpsEligibility.objects.filter(source=source, end_user_id__in=wanted)
    standing = set(claims.filter(_is_open(now)).values_list("end_user_id", flat=True))
    claims.exclude(_is_open(now)).update(made_at=now, ended_at=None, ends_at=None)
    NpsEligibility.objects.bulk_create(
        (NpsEligibility(end_user_id=user_id, source=source, made_at=now) for user_id in sorted(wanted - standing)),
        batch_size=2_000,
        ignore_conflicts=True,
    )
    return wanted - standing


def claim_eligibility(claims: Sequence[tuple[int, str]], *, now: datetime, ends_at: datetime | None = None) -> None:
    """A claim for each (user, source), all in one statement; those that stand already stay as they are.

    `ends_at`: when they are over by themselves.
    """
    if claims:
        users, sources = zip(*claims, strict=True)
        given = {"tenant": current_tenant_id(), "users": list(users), "sources": list(sources)}
        fetch(_CLAIM, given | {"now": now, "ends_at": ends_at})


_CLAIM = """
INSERT INTO accounts_npseligibility AS e (tenant_id, end_user_id, source, made_at, ends_at)
SELECT DISTINCT %(tenant)s, c.user_id, c.source, %(now)s::timestamptz, %(ends_at)s::timestamptz
FROM unnest(%(users)s::bigint[], %(sources)s::text[]) AS c(user_id, source) ORDER BY 2, 3
ON CONFLICT (tenant_id, end_user_id, source) DO UPDATE
    SET ended_at = NULL, made_at = EXCLUDED.made_at, ends_at = EXCLUDED.ends_at
    WHERE e.ended_at IS NOT NULL OR e.ends_at <= %(now)s
"""


def open_eligibility(sources: Collection[str], *, now: datetime) -> dict[str, tuple[int, int]]:
    """For each source how many users it holds eligible, and how many of them answered since."""
    answers = NpsResponse.objects.filter(end_user=OuterRef("end_user"), answered_at__gte=OuterRef("made_at"))
    held = NpsEligibility.objects.filter(_is_open(now), source__in=sources).annotate(answered=Exists(answers))
    counted = held.order_by().values("source").annotate(users=Count("pk"), done=Count("pk", filter=Q(answered=True)))
    return {row["source"]: (row["users"], row["done"]) for row in counted}


def end_eligibility(
    sources: Collection[str], *, user_ids: Collection[int] | None = None, now: datetime
) -> list[EndedClaim]:
    """Ends what these sources hold open, for all their users or only for some. Answers stay."""
    open_claims = NpsEligibility.objects.filter(_is_open(now), source__in=sources)
    if user_ids is not None:
        open_claims = open_claims.filter(end_user_id__in=user_ids)
    answers = NpsResponse.objects.filter(end_user=OuterRef("end_user"), answered_at__gte=OuterRef("made_at"))
    found = list(open_claims.select_for_update(no_key=True).order_by("pk").annotate(answered=Exists(answers)))
    ids = [claim.pk for claim in found]
    NpsEligibility.objects.filter(pk__in=ids, ended_at__isnull=True).update(ended_at=now)
    return [EndedClaim(claim.source, claim.end_user_id, claim.answered) for claim in found]
