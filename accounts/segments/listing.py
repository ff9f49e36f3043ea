"""What is shown of segments: the list, the members with why they are in, and the segments of one account or user."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Prefetch, Q, QuerySet
from django.db.models.expressions import RawSQL
from django.db.models.fields import IntegerField

from accounts.actors import Actor, load_actors
from accounts.models import Account, EndUser, Segment, SegmentBar, SegmentClaim, SegmentMembership
from accounts.places import Place
from accounts.rules.describe import People, describe
from accounts.rules.fields import FieldSet, Subject
from accounts.rules.grammar import Rule, RuleErrors, parse
from accounts.segments.moves import RULE

PAGE_SIZE = 50
COUNT_LIMIT = 1_000
SHOWN_OF_SUBJECT = 100
ITS_RULE = Actor("Its rule", "shapes")

_COUNT = """
(SELECT count(*) FROM (
    SELECT FROM accounts_segmentmembership m
    WHERE m.tenant_id = accounts_segment.tenant_id AND m.segment_id = accounts_segment.id AND m.left_at IS NULL
    LIMIT %s
) x)
"""


@dataclass(frozen=True, slots=True)
class Count:
    """How many are in; of many only that there are more."""

    shown: int
    more: bool

    @classmethod
    def of(cls, counted: int) -> "Count":
        return cls(min(counted, COUNT_LIMIT), counted > COUNT_LIMIT)


@dataclass(frozen=True, slots=True)
class Row:
    segment: Segment
    count: Count
    sentence: str  # of its rule; empty where it has none
    problem: str  # why its rule cannot be asked any more


def segment_rows(segments: Iterable[Segment], *, fields: FieldSet, people: People) -> list[Row]:
    """Of segments with their count (`with_counts`)."""
    return [_row(segment, fields, people) for segment in segments]


def with_counts(segments: "QuerySet[Segment]") -> "QuerySet[Segment]":
    return segments.annotate(counted=RawSQL(_COUNT, [COUNT_LIMIT + 1], output_field=IntegerField()))


def _row(segment: Segment, fields: FieldSet, people: People) -> Row:
    count = Count.of(segment.counted)  # type: ignore[attr-defined]
    try:
        rule = rule_of(segment, fields)
    except RuleErrors as errors:
        return Row(segment, count, "", "; ".join(dict.fromkeys(error.message for error in errors.errors)))
    return Row(segment, count, describe(rule, people=people) if rule else "", "")


def rule_of(segment: Segment, fields: FieldSet) -> Rule | None:
    """Raises RuleErrors where it cannot be asked any more."""
    if segment.rule is None:
        return None
    return parse(segment.rule, fields=fields, subject=Subject(segment.scope))


# --- members ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Why:
    who: Actor
    at: datetime


@dataclass(frozen=True, slots=True)
class Member:
    stay: SegmentMembership
    subject: Account | EndUser
    why: Sequence[Why]


@dataclass(frozen=True, slots=True)
class Members:
    rows: Sequence[Member]
    next: Place | None


def members_of(segment: Segment, *, gone: bool = False, after: Place | None = None) -> Members:
    """Who came in last stands first; `gone` shows those who left, with what had held them."""
    stays = stays_of(segment).filter(left_at__isnull=not gone)
    if after:
        stays = stays.filter(Q(entered_at__lt=after.at) | Q(entered_at=after.at, pk__lt=after.id))
    found = list(stays.order_by("-entered_at", "-pk")[: PAGE_SIZE + 1])
    shown = found[:PAGE_SIZE]
    actors = load_actors({claim.source for stay in shown for claim in stay.claims.all()})
    last = Place(shown[-1].entered_at, shown[-1].pk) if len(found) > PAGE_SIZE else None
    return Members([_member(stay, actors) for stay in shown], last)


def stays_of(segment: Segment) -> "QuerySet[SegmentMembership]":
    claims = SegmentClaim.objects.order_by("made_at", "pk")
    stays = SegmentMembership.objects.filter(segment=segment).select_related("account", "end_user")
    return stays.prefetch_related(Prefetch("claims", queryset=claims))


def _member(stay: SegmentMembership, actors: Mapping[str, Actor]) -> Member:
    subject = stay.account or stay.end_user
    assert subject is not None
    held = [claim for claim in stay.claims.all() if claim.ended_at is None or stay.left_at]
    return Member(stay, subject, [Why(_who(claim.source, actors), claim.made_at) for claim in held])


def _who(source: str, actors: Mapping[str, Actor]) -> Actor:
    return ITS_RULE if source == RULE else actors[source]


def kept_out(segment: Segment) -> Sequence[SegmentBar]:
    """Whom people took out; the latest first."""
    bars = SegmentBar.objects.filter(segment=segment).select_related("account", "end_user")
    return list(bars.order_by("-made_at", "-pk")[:PAGE_SIZE])


# --- of one account or user -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Held:
    segment: Segment
    since: datetime
    why: Sequence[Why]


def segments_of(subject: Account | EndUser) -> list[Held]:
    """For its page, by name."""
    mine = {"end_user" if isinstance(subject, EndUser) else "account": subject}
    stays = SegmentMembership.objects.filter(left_at=None, segment__archived_at=None, **mine).select_related("segment")
    claims = SegmentClaim.objects.filter(ended_at=None).order_by("made_at", "pk")
    listed = stays.prefetch_related(Prefetch("claims", queryset=claims)).order_by("segment__name", "pk")
    found = list(listed[:SHOWN_OF_SUBJECT])
    actors = load_actors({claim.source for stay in found for claim in stay.claims.all()})
    return [
        Held(
            stay.segment,
            stay.entered_at,
            [Why(_who(claim.source, actors), claim.made_at) for claim in stay.claims.all()],
        )
        for stay in found
    ]


def offered_to(subject: Account | EndUser) -> "QuerySet[Segment]":
    """Segments it could be put in by hand."""
    scope = Segment.Scope.USER if isinstance(subject, EndUser) else Segment.Scope.ACCOUNT
    mine = {"end_user" if isinstance(subject, EndUser) else "account": subject}
    held = SegmentMembership.objects.filter(left_at=None, **mine).values("segment")
    return Segment.objects.filter(scope=scope, archived_at=None).exclude(pk__in=held).order_by("name", "pk")
