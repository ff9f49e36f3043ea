"""Who is in a segment. A subject is in while anything claims it: the segment's rule, a playbook's run, a person.

All verbs take any number of subjects at once.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from django.db import transaction
from django.db.models import QuerySet

from accounts.models import Segment, SegmentBar
from accounts.rules.sql import Sql
from accounts.segments.moves import COLUMN, RULE, SUBJECT, Claim, enter, leave, run
from cs_platform.tenancy.context import current_tenant_id
from cs_platform.tenancy.models import Doer

TRIES = 3  # how often a stay may end between our finding it and our locking it


class Outcome(StrEnum):
    ENTERED = "entered"
    CLAIMED = "claimed"  # was in already; has one more reason now
    UNCHANGED = "unchanged"
    BARRED = "barred"  # a person took it out, and this automation may not put it back
    LEFT = "left"
    STAYS = "stays"  # something else still claims it
    ABSENT = "absent"  # nothing to end


@dataclass(frozen=True, slots=True)
class Removed:
    """A subject, and the claims that ended: given to `add`, they put it back."""

    subject_id: int
    outcome: Outcome
    claims: tuple[Claim, ...] = ()


# --- verbs ------------------------------------------------------------------------------------------------------------


def add(*, segment: Segment, claims: Sequence[Claim], now: datetime) -> list[Outcome]:
    """One outcome per claim, in order."""
    with transaction.atomic():
        entered, made = _add(segment, claims, now)
        return _outcomes(segment, claims, entered, made)


def end_claims(*, segment: Segment, claims: Sequence[Claim], actor: str, now: datetime) -> list[Outcome]:
    """Ends exactly these claims; who is claimed by nothing else leaves. One outcome per claim, in order."""
    with transaction.atomic():
        wanted = _unnest(segment, claims)
        ended, left = _leave(segment, wanted, Sql("c.source = w.source"), actor=actor, now=now)
    gone, found = set(left), {_key(claim) for claim in ended}
    return [_ending(_key(claim) in found, claim.subject_id in gone) for claim in claims]


def displace(*, segment: Segment, subjects: Iterable[int], actor: str, now: datetime) -> list[Removed]:
    """Ends what rules and playbooks claim. What a person put in stays: automation does not undo a person's word."""
    return _take_out(segment, subjects, Sql("c.automation <> ''"), actor=actor, now=now)


def put_back(*, segment: Segment, removed: Iterable[Removed], by: str, now: datetime) -> None:
    """What `by` had displaced: the claims that nobody withdrew, and nothing took out again, since."""
    with transaction.atomic():
        restorable = claims_ended_by(by, segment=segment, claims=[claim for one in removed for claim in one.claims])
        if restorable:
            _add(segment, restorable, now)


def withdraw(*, segment: Segment, claims: Sequence[Claim]) -> None:
    """Claims that somebody else ended: their own source takes them back, so nobody puts them in again."""
    run(
        "UPDATE accounts_segmentclaim c SET ended_by = c.source FROM ({wanted}) w"
        " JOIN accounts_segmentmembership m ON m.tenant_id = {tenant} AND m.segment_id = w.segment_id"
        " AND {subject} = w.subject_id WHERE c.tenant_id = {tenant} AND c.membership_id = m.id"
        " AND c.source = w.source AND c.ended_at IS NOT NULL RETURNING c.id",
        wanted=_unnest(segment, claims),
        tenant=Sql.value(segment.tenant_id),
        subject=Sql(SUBJECT[Segment.Scope(segment.scope)]),
    )


def add_by_hand(*, segment: Segment, subjects: Iterable[int], by: Doer, now: datetime) -> list[Outcome]:
    """A person's claim. It also lets automation back that was kept out before."""
    ids = list(subjects)
    with transaction.atomic():
        _lift_bars(segment, ids)
        return add(segment=segment, claims=[Claim(id, by.actor) for id in ids], now=now)


def remove_by_hand(*, segment: Segment, subjects: Iterable[int], by: Doer, now: datetime) -> list[Removed]:
    """Ends every claim; what automation held the subject may not put it back until a person does."""
    with transaction.atomic():
        removed = _take_out(segment, subjects, Sql("true"), actor=by.actor, now=now)
        _bar(segment, removed, by=by.actor, now=now)
    return removed


def end_rule_claims(*, segment: Segment, actor: str, now: datetime) -> None:
    """The segment has no rule any more."""
    everybody = Sql(
        f"SELECT m.segment_id, {SUBJECT[Segment.Scope(segment.scope)]} AS subject_id, %s::text AS source"
        " FROM accounts_segmentmembership m WHERE m.tenant_id = %s AND m.segment_id = %s AND m.left_at IS NULL",
        (RULE, segment.tenant_id, segment.pk),
    )
    with transaction.atomic():
        _leave(segment, everybody, Sql("c.source = w.source"), actor=actor, now=now)


def _ending(found: bool, is_gone: bool) -> Outcome:
    if not found:
        return Outcome.ABSENT
    return Outcome.LEFT if is_gone else Outcome.STAYS


def _unnest(segment: Segment, claims: Sequence[Claim]) -> Sql:
    return Sql(
        f"SELECT {int(segment.pk)}::bigint AS segment_id, g.* FROM"
        " unnest(%s::bigint[], %s::text[], %s::text[]) AS g(subject_id, source, automation)",
        (
            [claim.subject_id for claim in claims],
            [claim.source for claim in claims],
            [claim.automation for claim in claims],
        ),
    )


# --- coming in --------------------------------------------------------------------------------------------------------


def _add(segment: Segment, claims: Sequence[Claim], now: datetime) -> tuple[set[int], set[tuple[int, str]]]:
    """Who came in, and the claims that were made. A stay that ended before we held it is begun anew."""
    entered: set[int] = set()
    made: set[tuple[int, str]] = set()
    left_over = claims
    for _ in range(TRIES):
        some, more = enter(segment.scope, _unnest(segment, left_over), tenant_id=current_tenant_id(), now=now)
        entered |= set(some)
        made |= more
        left_over = _not_in(segment, [claim for claim in left_over if _key(claim) not in made])
        if not left_over:
            break
    return entered, made


def _not_in(segment: Segment, claims: Sequence[Claim]) -> list[Claim]:
    """Neither claimed already nor barred."""
    if not claims:
        return []
    held, bars = _open_claims(segment, claims), _bars(segment, claims)
    return [claim for claim in claims if _key(claim) not in held and not _is_barred(claim, bars)]


def _key(claim: Claim) -> tuple[int, str]:
    return claim.subject_id, claim.source


def _outcomes(
    segment: Segment, claims: Sequence[Claim], entered: set[int], made: set[tuple[int, str]]
) -> list[Outcome]:
    bars = _bars(segment, [claim for claim in claims if claim.subject_id not in entered])
    return [_outcome(claim, entered, made, bars) for claim in claims]


def _outcome(claim: Claim, entered: set[int], made: set[tuple[int, str]], bars: set[tuple[int, str]]) -> Outcome:
    if _is_barred(claim, bars):
        return Outcome.BARRED
    if _key(claim) not in made:
        return Outcome.UNCHANGED
    return Outcome.ENTERED if claim.subject_id in entered else Outcome.CLAIMED


def _is_barred(claim: Claim, bars: set[tuple[int, str]]) -> bool:
    return bool(claim.automation) and (claim.subject_id, claim.automation) in bars


def _bars(segment: Segment, claims: Sequence[Claim]) -> set[tuple[int, str]]:
    column, ids = COLUMN[Segment.Scope(segment.scope)], [claim.subject_id for claim in claims if claim.automation]
    if not ids:
        return set()
    return set(segment.bars.filter(**{f"{column}__in": ids}).values_list(column, "source"))


def _open_claims(segment: Segment, claims: Sequence[Claim]) -> set[tuple[int, str]]:
    rows = run(
        "SELECT {subject}, c.source FROM accounts_segmentmembership m"
        " JOIN accounts_segmentclaim c ON c.tenant_id = m.tenant_id AND c.membership_id = m.id AND c.ended_at IS NULL"
        " WHERE m.tenant_id = {tenant} AND m.segment_id = {segment} AND m.left_at IS NULL AND {subject} = ANY({ids})",
        subject=Sql(SUBJECT[Segment.Scope(segment.scope)]),
        tenant=Sql.value(segment.tenant_id),
        segment=Sql.value(segment.pk),
        ids=Sql.value([claim.subject_id for claim in claims]),
    )
    return {(id, source) for id, source in rows}


def claims_ended_by(by: str, *, segment: Segment, claims: Sequence[Claim]) -> list[Claim]:
    """Those of the claims that are ended and whose ending was `by` this actor."""
    if not claims:
        return []
    rows = run(
        "SELECT w.subject_id, w.source, w.automation FROM ({wanted}) w WHERE ("
        "SELECT c.ended_by FROM accounts_segmentmembership m JOIN accounts_segmentclaim c ON c.tenant_id = m.tenant_id"
        " AND c.membership_id = m.id AND c.source = w.source"
        " WHERE m.tenant_id = {tenant} AND m.segment_id = w.segment_id"
        " AND {subject} = w.subject_id AND c.ended_at IS NOT NULL ORDER BY c.ended_at DESC, c.id DESC LIMIT 1) = {by}",
        wanted=_unnest(segment, claims),
        tenant=Sql.value(segment.tenant_id),
        subject=Sql(SUBJECT[Segment.Scope(segment.scope)]),
        by=Sql.value(by),
    )
    return [Claim(*row) for row in rows]


def open_claims(*, segment: Segment, subjects: Iterable[int]) -> set[tuple[int, str]]:
    """Who holds them there: subject and source."""
    return _open_claims(segment, [Claim(id, "") for id in subjects])


# --- going out --------------------------------------------------------------------------------------------------------


def _take_out(segment: Segment, subjects: Iterable[int], which: Sql, *, actor: str, now: datetime) -> list[Removed]:
    ids = list(subjects)
    wanted = _unnest(segment, [Claim(id, "") for id in ids])
    with transaction.atomic():
        ended, left = _leave(segment, wanted, which, actor=actor, now=now)
    gone, by_subject = set(left), _by_subject(ended)
    return [Removed(id, _ending(id in by_subject, id in gone), tuple(by_subject.get(id, ()))) for id in ids]


def _leave(segment: Segment, wanted: Sql, which: Sql, *, actor: str, now: datetime) -> tuple[list[Claim], list[int]]:
    by = Sql.value(actor)
    return leave(segment.scope, wanted, which, actor=by, by=by, tenant_id=current_tenant_id(), now=now)


def _by_subject(claims: Iterable[Claim]) -> dict[int, list[Claim]]:
    found: dict[int, list[Claim]] = {}
    for claim in claims:
        found.setdefault(claim.subject_id, []).append(claim)
    return found


def _bar(segment: Segment, removed: Iterable[Removed], *, by: str, now: datetime) -> None:
    column = COLUMN[Segment.Scope(segment.scope)]
    held = {(one.subject_id, claim.automation) for one in removed for claim in one.claims if claim.automation}
    bars = [
        SegmentBar(segment=segment, source=source, made_at=now, made_by=by, **{column: subject_id})
        for subject_id, source in sorted(held)
    ]
    SegmentBar.objects.bulk_create(bars, ignore_conflicts=True)


def _lift_bars(segment: Segment, subjects: Sequence[int]) -> None:
    bars_on(segment=segment, subjects=subjects).delete()


def bars_on(*, segment: Segment, subjects: Iterable[int]) -> "QuerySet[SegmentBar]":
    """Who a person's word keeps out; `add_by_hand` lifts them."""
    found: QuerySet[SegmentBar] = segment.bars.filter(**{f"{COLUMN[Segment.Scope(segment.scope)]}__in": list(subjects)})
    return found
