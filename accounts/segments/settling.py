"""Segments that have a rule: who should be in, against who is. A few statements, however many segments and subjects.

A rule may ask about other segments; those are settled first.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from graphlib import TopologicalSorter
from zoneinfo import ZoneInfo

from django.db import connection

from accounts.models import Account, Segment
from accounts.rules.compile import Audience, chunked, one_pass_accounts, one_pass_users
from accounts.rules.fields import FieldSet, Subject
from accounts.rules.grammar import Rule, RuleErrors, leaves, parse
from accounts.rules.segments import ALL, PREFIX
from accounts.rules.sql import Clock, Sql
from accounts.segments.moves import COLUMN, RULE, enter, leave
from cs_platform.tenancy.models import Tenant

AT_ONCE = 20_000  # accounts of a workspace whose segments are settled while a person waits


@dataclass(frozen=True, slots=True)
class _Ruled:
    segment: Segment
    rule: Rule

    @property
    def audience(self) -> Audience:
        """Whatever their lifecycle: a rule may ask about that itself."""
        if self.rule.subject is Subject.USER:
            return Audience(user=self.rule, lifecycles=None)
        return Audience(account=self.rule, lifecycles=None)


def settle_segments(*, tenant: Tenant, fields: FieldSet, now: datetime) -> None:
    """All of a workspace, as the evaluation does it."""
    ruled = _parsed(Segment.objects.filter(archived_at=None, rule__isnull=False).order_by("pk"), fields)
    for level in _levels(ruled):
        _settle(tenant, level, now)
    _mark(ruled.values(), now)


def settle_at_once(segment: Segment, *, tenant: Tenant, fields: FieldSet, now: datetime) -> bool:
    """After its rule was saved. False: the workspace is too large to let a person wait; the next evaluation does it."""
    if Account.objects.present()[: AT_ONCE + 1].count() > AT_ONCE:
        return False
    ruled = _parsed([segment], fields)
    _settle(tenant, list(ruled.values()), now)
    _mark(ruled.values(), now)
    return bool(ruled)


def segments_asked(rule: Rule) -> set[int]:
    """Whose members a rule depends on."""
    found: set[int] = set()
    for leaf in leaves(rule):
        if leaf.field.key.startswith(PREFIX):
            found.add(int(leaf.field.key.removeprefix(PREFIX)))
        elif leaf.field.key == ALL:
            found |= {int(id) for id in leaf.values or [value for value, _name in leaf.field.choices]}
    return found


def _parsed(segments: Iterable[Segment], fields: FieldSet) -> dict[int, _Ruled]:
    """Without those whose rule cannot be asked any more: they keep their members, and their page says so."""
    found = {}
    for segment in segments:
        try:
            rule = parse(segment.rule, fields=fields, subject=Subject(segment.scope))
        except RuleErrors:
            continue
        found[segment.pk] = _Ruled(segment, rule)
    return found


def _levels(ruled: Mapping[int, _Ruled]) -> Iterator[list[_Ruled]]:
    """Each asks only about those before it: saving refuses circles."""
    sorter = TopologicalSorter({id: segments_asked(one.rule) & ruled.keys() for id, one in ruled.items()})
    sorter.prepare()
    while sorter.is_active():
        ready = sorter.get_ready()
        yield [ruled[id] for id in sorted(ready)]
        sorter.done(*ready)


def _settle(tenant: Tenant, level: Sequence[_Ruled], now: datetime) -> None:
    for scope in Segment.Scope:
        mine = [one for one in level if one.segment.scope == scope]
        rest = iter(mine)
        for chunk in chunked([one.audience for one in mine]):
            _settle_chunk(tenant, scope, [next(rest) for _ in chunk], now)


def _settle_chunk(tenant: Tenant, scope: Segment.Scope, chunk: Sequence[_Ruled], now: datetime) -> None:
    _stage(tenant, scope, chunk, now)
    coming, going = (_changed(chunk, way) for way in ("coming", "going"))
    enter(scope, coming, tenant_id=tenant.pk, now=now)
    rule_itself = Sql("'segment:' || f.segment_id")
    leave(scope, going, Sql("c.source = w.source"), actor=rule_itself, tenant_id=tenant.pk, now=now)


def _changed(chunk: Sequence[_Ruled], way: str) -> Sql:
    return Sql(
        f"SELECT p.segment_id, d.subject_id, '{RULE}'::text AS source, '{RULE}'::text AS automation"
        f" FROM segment_diff d JOIN {_bits(chunk)} ON d.{way} & p.bit <> 0"
    )


def _stage(tenant: Tenant, scope: Segment.Scope, chunk: Sequence[_Ruled], now: datetime) -> None:
    """Temp table `segment_diff(subject_id, coming, going)`: where rules and their claims differ, a bit a segment."""
    hits = _hits(tenant, scope, chunk, now)
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS segment_diff")
        cursor.execute(
            f"""
            CREATE TEMP TABLE segment_diff ON COMMIT DROP AS
            SELECT * FROM (
                SELECT subject_id, coalesce(hit.bits, 0) & ~coalesce(held.bits, 0) AS coming,
                    coalesce(held.bits, 0) & ~coalesce(hit.bits, 0) AS going
                FROM ({hits.text}) hit FULL JOIN ({_held(tenant, scope, chunk)}) held USING (subject_id)
            ) d WHERE d.coming <> 0 OR d.going <> 0;
            ANALYZE segment_diff
            """,
            hits.params,
        )


def _hits(tenant: Tenant, scope: Segment.Scope, chunk: Sequence[_Ruled], now: datetime) -> Sql:
    audiences, clock = [one.audience for one in chunk], Clock.at(now, ZoneInfo(tenant.timezone))
    if scope == Segment.Scope.ACCOUNT:
        found = one_pass_accounts(audiences, tenant_id=tenant.pk, clock=clock)
        return Sql(f"SELECT x.id AS subject_id, x.bits FROM ({found.text}) x", found.params)
    found = one_pass_users(audiences, tenant_id=tenant.pk, clock=clock)
    return Sql(
        f"SELECT x.end_user_id AS subject_id, bit_or(x.bits) AS bits FROM ({found.text}) x GROUP BY 1", found.params
    )


def _held(tenant: Tenant, scope: Segment.Scope, chunk: Sequence[_Ruled]) -> str:
    return (
        f"SELECT m.{COLUMN[scope]} AS subject_id, bit_or(p.bit) AS bits FROM accounts_segmentmembership m"
        f" JOIN {_bits(chunk)} ON p.segment_id = m.segment_id"
        f" JOIN accounts_segmentclaim c ON c.tenant_id = m.tenant_id AND c.membership_id = m.id"
        f" AND c.source = '{RULE}' AND c.ended_at IS NULL"
        f" WHERE m.tenant_id = {tenant.pk} AND m.left_at IS NULL GROUP BY 1"
    )


def _bits(chunk: Sequence[_Ruled]) -> str:
    rows = ", ".join(f"({one.segment.pk}::bigint, {1 << bit}::bigint)" for bit, one in enumerate(chunk))
    return f"(VALUES {rows}) p(segment_id, bit)"


def _mark(ruled: Iterable[_Ruled], now: datetime) -> None:
    Segment.objects.filter(pk__in=[one.segment.pk for one in ruled]).update(evaluated_at=now)
