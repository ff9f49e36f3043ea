"""Near misses: who does not match, and would if one condition more held. One scan judges every condition once.

A part is a condition, or the whole user tree where accounts are asked about: "one of its users satisfies all of it".
Where an alternative fails as a whole, each of its conditions would do, so a near miss may name several parts. A rule of
one part has none: everybody else would be one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from accounts.rules.compile import (
    Audience,
    account_predicate,
    fit_one_pass,
    leaf_predicate,
    live_users,
    predicate,
    tree,
    user_predicate,
    verdicts_of_accounts,
)
from accounts.rules.fields import Column, Subject
from accounts.rules.grammar import Leaf, Rule, leaves
from accounts.rules.sql import Clock, Sql, compose

Part = Leaf | Rule


def parts_of(audience: Audience, *, about_users: bool = False) -> list[Part]:
    """Numbered as the bits of `missing` are."""
    parts: list[Part] = list(leaves(audience.account)) if audience.account else []
    if audience.user:
        parts += list(leaves(audience.user)) if about_users else [audience.user]
    return parts


def asks_relations(audience: Audience) -> bool:
    """What is dear to ask even once: users, events, segments and the like, in no more parts than one pass can tell."""
    asked = audience.account and any(not isinstance(leaf.field.source, Column) for leaf in leaves(audience.account))
    return bool(asked or audience.user) and fit_one_pass(_each_part(audience))


def count_accounts(audience: Audience, *, tenant_id: int, clock: Clock) -> Sql:
    """One row: how many match, then how many each part alone lets through, of those of the audience's lifecycles."""
    parts = [_verdict(part, tenant_id, clock) for part in parts_of(audience)]
    whole = account_predicate(audience, tenant_id=tenant_id, clock=clock)
    return compose(
        "SELECT {counts} FROM accounts_account a WHERE {gates}",
        counts=Sql.join(", ", [compose("count(*) FILTER (WHERE {part})", part=part) for part in (whole, *parts)]),
        gates=account_predicate(_gates(audience), tenant_id=tenant_id, clock=clock),
    )


# Few combinations of verdicts occur, and each is judged once. The ids are gathered on the way: to keep all verdicts and
# read them again for the first few would take half as long as the pass itself.
_JUDGED = """
WITH alike AS MATERIALIZED (
    SELECT s.*, {matches} AS matches, CASE WHEN {matches} THEN 0 ELSE {missing} END AS missing
    FROM (
        SELECT s.bits, s.n, s.ids, {cells}
        FROM (SELECT j.bits, count(*) AS n, array_agg(j.id) AS ids FROM ({verdicts}) j GROUP BY j.bits) s
    ) s
)
SELECT COALESCE((SELECT sum(n) FROM alike WHERE matches), 0)::bigint,
    (SELECT ARRAY[{alone}] FROM alike),
    ARRAY(SELECT id FROM alike, unnest(ids) id WHERE matches ORDER BY 1 LIMIT {limit}),
    ARRAY(SELECT ARRAY[id, missing] FROM alike, unnest(ids) id WHERE missing <> 0 ORDER BY id LIMIT {limit})
"""


def judge_accounts(audience: Audience, *, tenant_id: int, clock: Clock, limit: int) -> Sql:
    """One row, from one pass: how many match, how many each part alone lets through, the ids of the first that match,
    and the first near misses as (id, missing). Where only columns are asked about, shorter looks cost less."""
    parts = _each_part(audience)
    matches, *held = _formulas(audience, about_users=False)
    cells = [f"s.bits & {1 << at}::bigint <> 0 AS c{at}" for at in range(len(parts))]
    alone = [f"COALESCE(sum(n) FILTER (WHERE c{at}), 0)::bigint" for at in range(len(parts))]
    return compose(
        _JUDGED,
        verdicts=verdicts_of_accounts(parts, tenant_id=tenant_id, clock=clock),
        matches=matches,
        missing=_missing(held) if len(parts) > 1 else Sql("0::bigint"),
        cells=Sql(", ".join(cells)),
        alone=Sql(", ".join(alone)),
        limit=Sql(str(int(limit))),
    )


def _each_part(audience: Audience) -> list[Audience]:
    """Numbered as `parts_of` numbers them."""
    conditions = leaves(audience.account) if audience.account else ()
    parts = [Audience(Rule(Subject.ACCOUNT, leaf), None, audience.lifecycles) for leaf in conditions]
    return parts + ([Audience(None, audience.user, audience.lifecycles)] if audience.user else [])


def near_accounts(audience: Audience, *, tenant_id: int, clock: Clock, limit: int) -> Sql:
    """SELECT id, missing; in the order of ids, so that the scan ends with the last row that is wanted."""
    scanned = compose(
        "SELECT a.id, {verdicts} FROM accounts_account a WHERE {gates} ORDER BY a.id OFFSET 0",
        verdicts=_verdicts(parts_of(audience), tenant_id, clock),
        gates=account_predicate(_gates(audience), tenant_id=tenant_id, clock=clock),
    )
    return _near(scanned, "s.id", _formulas(audience, about_users=False), limit)


def near_users(audience: Audience, *, tenant_id: int, clock: Clock, limit: int) -> Sql:
    """SELECT account_id, end_user_id, missing."""
    scanned = compose(
        "SELECT au.account_id, au.end_user_id, {verdicts} FROM accounts_accountuser au"
        " JOIN accounts_enduser u ON u.id = au.end_user_id JOIN accounts_account a ON a.id = au.account_id"
        " WHERE {gates} ORDER BY au.account_id, au.end_user_id OFFSET 0",
        verdicts=_verdicts(parts_of(audience, about_users=True), tenant_id, clock),
        gates=user_predicate(_gates(audience), tenant_id=tenant_id, clock=clock),
    )
    return _near(scanned, "s.account_id, s.end_user_id", _formulas(audience, about_users=True), limit)


def _gates(audience: Audience) -> Audience:
    return Audience(lifecycles=audience.lifecycles)


def _verdicts(parts: Sequence[Part], tenant_id: int, clock: Clock) -> Sql:
    verdicts = (_verdict(part, tenant_id, clock) for part in parts)
    return Sql.join(", ", [compose(f"({{one}}) IS TRUE AS c{at}", one=one) for at, one in enumerate(verdicts)])


def _verdict(part: Part, tenant_id: int, clock: Clock) -> Sql:
    if isinstance(part, Leaf):
        return leaf_predicate(part, tenant_id=tenant_id, clock=clock)
    return compose(
        f"a.id IN (SELECT au.account_id FROM {{users}} WHERE au.tenant_id = {int(tenant_id)} AND {{tree}})",
        users=live_users(tenant_id),
        tree=predicate(part, tenant_id=tenant_id, clock=clock),
    )


def _formulas(audience: Audience, *, about_users: bool) -> list[Sql]:
    """What must hold for a match, over c0, c1 …; and then the same with each of them taken as held."""
    total = len(parts_of(audience, about_users=about_users))
    return [_formula(audience, about_users, held) for held in (None, *range(total))]


def _formula(audience: Audience, about_users: bool, held: int | None) -> Sql:
    cells = (Sql("true") if at == held else Sql(f"s.c{at}") for at in range(2**31))
    trees = [_over(audience.account, cells)] if audience.account else []
    if audience.user:
        trees.append(_over(audience.user, cells) if about_users else next(cells))
    return Sql.join(" AND ", trees)


def _over(rule: Rule, cells: Iterator[Sql]) -> Sql:
    return tree(rule.root, lambda leaf: next(cells))


def _near(scanned: Sql, key: str, formulas: Sequence[Sql], limit: int) -> Sql:
    matches, *held = formulas
    return compose(
        f"SELECT {key}, s.missing FROM (SELECT s.*, {{bits}} AS missing FROM ({{scanned}}) s WHERE NOT ({{matches}})) s"
        f" WHERE s.missing <> 0 ORDER BY {key} LIMIT {int(limit)}",
        bits=_missing(held),
        scanned=scanned,
        matches=matches,
    )


def _missing(held: Sequence[Sql]) -> Sql:
    """Each part that would do, were it held."""
    bits = [compose(f"CASE WHEN {{one}} THEN {1 << at}::bigint ELSE 0 END", one=one) for at, one in enumerate(held)]
    return Sql.join(" | ", bits)
