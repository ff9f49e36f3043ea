"""Rules to SQL.

A positive leaf stays a plain predicate, so that an index can serve it; a negative one becomes `(leaf) IS NOT TRUE`.
Missing values are false on both sides and three-valued logic never leaves a leaf, so AND, OR and CASE can be trusted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from dataclasses import field as attribute
from typing import Any

from accounts.rules.fields import Column, Relation, Subject
from accounts.rules.grammar import Group, Leaf, Mode, Node, Rule, leaves
from accounts.rules.operators import condition
from accounts.rules.sql import Clock, Sql, compose

__all__ = [
    "MAX_BITS",
    "Audience",
    "Clock",
    "Sql",
    "account_predicate",
    "chunked",
    "fit_one_pass",
    "leaf_predicate",
    "live_users",
    "matching_accounts",
    "matching_users",
    "one_pass_accounts",
    "one_pass_users",
    "predicate",
    "subject_id",
    "tree",
    "user_predicate",
    "verdict_of_one",
    "verdicts_of_accounts",
]

MAX_BITS = 62  # a bigint without its sign, and one to spare
TRACKED = ("subscribed", "trialing")
# Of the audiences that ask about users. Where there are more, some account rule holds for most accounts as a rule, and
# reading those first costs more than adding up the users of the others (both cost the same at 40 % of the accounts).
MOST_NARROWING = 2


@dataclass(frozen=True, slots=True)
class Audience:
    """Who a playbook, filter or segment is about. `lifecycles=None` takes accounts of every lifecycle."""

    account: Rule | None = None
    user: Rule | None = None
    lifecycles: tuple[str, ...] | None = TRACKED

    def __post_init__(self) -> None:
        if self.lifecycles == ():
            raise ValueError("An audience needs a lifecycle; None stands for all of them.")
        if self.account and self.account.subject is not Subject.ACCOUNT:
            raise ValueError("The account tree of an audience asks about accounts.")
        if self.user and self.user.subject is not Subject.USER:
            raise ValueError("The user tree of an audience asks about users.")


# One rule ------------------------------------------------------------------------------------------------------------


def predicate(rule: Rule, *, tenant_id: int, clock: Clock) -> Sql:
    """The tree alone, over `a` for accounts or `u` and `au` for users."""
    return tree(rule.root, lambda leaf: leaf_predicate(leaf, tenant_id=tenant_id, clock=clock))


def account_predicate(audience: Audience, *, tenant_id: int, clock: Clock) -> Sql:
    """Over `a`: the account matches, and one of its users satisfies the whole user tree."""
    parts = [_live_accounts(tenant_id), *_lifecycle(audience.lifecycles)]
    if audience.account:
        parts.append(predicate(audience.account, tenant_id=tenant_id, clock=clock))
    if audience.user:
        parts.append(_some_user(predicate(audience.user, tenant_id=tenant_id, clock=clock), tenant_id))
    return Sql.join(" AND ", parts)


def user_predicate(audience: Audience, *, tenant_id: int, clock: Clock) -> Sql:
    """Over `a`, `au` and `u`: account tree on the user's account, user tree on the user."""
    parts = [
        _live_accounts(tenant_id),
        Sql(_of("au", tenant_id)),
        _live_users(tenant_id),
        *_lifecycle(audience.lifecycles),
    ]
    rules = (rule for rule in (audience.account, audience.user) if rule)
    return Sql.join(" AND ", [*parts, *(predicate(rule, tenant_id=tenant_id, clock=clock) for rule in rules)])


def matching_accounts(audience: Audience, *, tenant_id: int, clock: Clock) -> Sql:
    """SELECT id."""
    where = account_predicate(audience, tenant_id=tenant_id, clock=clock)
    return compose("SELECT a.id FROM accounts_account a WHERE {where}", where=where)


def matching_users(audience: Audience, *, tenant_id: int, clock: Clock) -> Sql:
    """SELECT account_id, end_user_id: a user of several accounts appears once for each that matches."""
    where = user_predicate(audience, tenant_id=tenant_id, clock=clock)
    return compose(
        "SELECT au.account_id, au.end_user_id FROM accounts_accountuser au"
        " JOIN accounts_enduser u ON u.id = au.end_user_id"
        " JOIN accounts_account a ON a.id = au.account_id WHERE {where}",
        where=where,
    )


def tree(node: Node, judge: Callable[[Leaf], Sql]) -> Sql:
    if isinstance(node, Group):
        joiner = " AND " if node.mode is Mode.ALL else " OR "
        return Sql.join(joiner, [tree(child, judge) for child in node.children]).wrapped()
    return judge(node)


def leaf_predicate(leaf: Leaf, *, tenant_id: int, clock: Clock) -> Sql:
    """The verdict of one condition as a plain predicate."""
    source = leaf.field.source
    if isinstance(source, Column):
        return _column_leaf(leaf, source.expression, clock)
    ids = source.hits(leaf, tenant_id=tenant_id, clock=clock)
    return _signed(leaf, compose("{id} IN ({ids})", id=subject_id(leaf), ids=ids))


def verdict_of_one(leaf: Leaf, *, tenant_id: int, clock: Clock) -> Sql:
    """The same verdict, true or false, where one subject is looked at: a relation is asked about that subject alone."""
    source = leaf.field.source
    if isinstance(source, Column):
        return compose("({leaf}) IS TRUE", leaf=_column_leaf(leaf, source.expression, clock))
    ids = source.hits(leaf, tenant_id=tenant_id, clock=clock)
    return _signed(
        leaf, compose("EXISTS (SELECT 1 FROM ({ids}) h(id) WHERE h.id = {id})", ids=ids, id=subject_id(leaf))
    )


def subject_id(leaf: Leaf) -> Sql:
    return Sql("a.id" if leaf.field.subject is Subject.ACCOUNT else "au.end_user_id")


def _column_leaf(leaf: Leaf, x: Sql, clock: Clock) -> Sql:
    if leaf.operator.column_sql:
        return compose(leaf.operator.column_sql, x=x)
    return _signed(leaf, condition(leaf.operator, x, leaf.values, type=leaf.field.type, clock=clock))


def _signed(leaf: Leaf, positive: Sql) -> Sql:
    return compose("({positive}) IS NOT TRUE", positive=positive) if leaf.operator.negative else positive


def _of(alias: str, tenant_id: int) -> str:
    """The tenant as a constant, beside row-level security: the planner and the partitions want it."""
    return f"{alias}.tenant_id = {int(tenant_id)}"


def _live_accounts(tenant_id: int) -> Sql:
    return Sql(f"{_of('a', tenant_id)} AND a.archived_at IS NULL")


def _live_users(tenant_id: int) -> Sql:
    return Sql(f"{_of('u', tenant_id)} AND u.archived_at IS NULL")


def _lifecycle(lifecycles: tuple[str, ...] | None) -> list[Sql]:
    return [] if lifecycles is None else [compose("a.lifecycle IN ({names})", names=Sql.values(lifecycles))]


def _some_user(user_tree: Sql, tenant_id: int) -> Sql:
    return compose(
        "EXISTS (SELECT 1 FROM {users} WHERE {own} AND au.account_id = a.id AND {tree})",
        users=live_users(tenant_id),
        own=Sql(_of("au", tenant_id)),
        tree=user_tree,
    )


def live_users(tenant_id: int) -> Sql:
    """FROM: `au` and `u`, without archived users."""
    return compose(
        "accounts_accountuser au JOIN accounts_enduser u ON u.id = au.end_user_id AND {live}",
        live=_live_users(tenant_id),
    )


# All rules of a workspace in one statement ---------------------------------------------------------------------------


def one_pass_accounts(audiences: Sequence[Audience], *, tenant_id: int, clock: Clock) -> Sql:
    """SELECT id, bits: bit n says that the account matches audience n. Accounts that match none are left out."""
    return compose(
        "SELECT s.id, s.bits FROM ({scan}) s WHERE s.bits <> 0",
        scan=_account_scan(audiences, tenant_id=tenant_id, clock=clock),
    )


def verdicts_of_accounts(audiences: Sequence[Audience], *, tenant_id: int, clock: Clock) -> Sql:
    """SELECT id, bits: the same with those that match none."""
    return _account_scan(audiences, tenant_id=tenant_id, clock=clock)


def one_pass_users(audiences: Sequence[Audience], *, tenant_id: int, clock: Clock) -> Sql:
    """SELECT account_id, end_user_id, bits: as above, for every tie between a user and an account."""
    _refuse_too_many(audiences)
    bits = _LeafBits("urel", tenant_id, clock)
    on_account = [Audience(audience.account, None, audience.lifecycles) for audience in audiences]
    mask = _mask([bits.tree(audience.user) if audience.user else Sql("true") for audience in audiences])
    return compose(
        "SELECT s.account_id, s.end_user_id, s.bits FROM ("
        "SELECT au.account_id, au.end_user_id, acc.bits & ({mask}) AS bits FROM {users}"
        " JOIN ({accounts}) acc ON acc.id = au.account_id AND acc.bits <> 0"
        f"{{computed}}{{relations}} WHERE {_of('au', tenant_id)} OFFSET 0) s WHERE s.bits <> 0",
        mask=mask,
        computed=bits.computed(),
        users=live_users(tenant_id),
        accounts=_account_scan(on_account, tenant_id=tenant_id, clock=clock),
        relations=bits.joined_to("au.end_user_id"),
    )


def fit_one_pass(audiences: Sequence[Audience]) -> bool:
    """Whether one statement can hold them all."""
    return bool(audiences) and _fit(audiences)


def chunked(audiences: Sequence[Audience]) -> Iterator[list[Audience]]:
    """Consecutive slices, each within what one statement can hold."""
    chunk: list[Audience] = []
    for audience in audiences:
        if chunk and not _fit([*chunk, audience]):
            yield chunk
            chunk = []
        chunk.append(audience)
    if chunk:
        yield chunk


def _account_scan(audiences: Sequence[Audience], *, tenant_id: int, clock: Clock) -> Sql:
    """OFFSET 0 keeps the planner from computing every mask a second time in the filter above."""
    _refuse_too_many(audiences)
    bits = _LeafBits("rel", tenant_id, clock)
    common = _common_lifecycles(audiences)
    mask = _mask([_account_verdict(audience, bits, common) for audience in audiences])
    return compose(
        "SELECT a.id, {mask} AS bits FROM accounts_account a{computed}{relations} WHERE {live} OFFSET 0",
        mask=mask,
        computed=bits.computed(),
        relations=bits.joined_to("a.id"),
        live=Sql.join(" AND ", [_live_accounts(tenant_id), *_lifecycle(common)]),
    )


def _common_lifecycles(audiences: Sequence[Audience]) -> tuple[str, ...] | None:
    """Those that any audience takes: asked once for the whole scan instead of once per rule."""
    if any(audience.lifecycles is None for audience in audiences):
        return None
    return tuple(sorted({name for audience in audiences for name in audience.lifecycles or ()}))


def _account_verdict(audience: Audience, bits: _LeafBits, common: tuple[str, ...] | None) -> Sql:
    own = audience.lifecycles is not None and set(audience.lifecycles) != set(common or ())
    parts = _lifecycle(audience.lifecycles) if own else []
    if audience.account:
        parts.append(bits.tree(audience.account))
    if audience.user:
        parts.append(bits.some_user(audience.user, audience))
    return Sql.join(" AND ", parts) if parts else Sql("true")


def _mask(verdicts: Sequence[Sql]) -> Sql:
    cases = [
        compose(f"CASE WHEN {{verdict}} THEN {_bit(at)} ELSE 0 END", verdict=verdict)
        for at, verdict in enumerate(verdicts)
    ]
    return Sql.join(" | ", cases)


def _bit(at: int) -> str:
    return f"{1 << at}::bigint"


@dataclass(slots=True)
class _LeafBits:
    """Gives every distinct relational leaf and user tree one bit, and builds the stream that carries those bits.

    The stream is aggregated once and joined once, however many rules ask.
    """

    alias: str
    tenant_id: int
    clock: Clock
    _leaves: dict[Sql, int] = attribute(default_factory=dict)
    _trees: dict[Node, int] = attribute(default_factory=dict)
    _asking: list[Audience] = attribute(default_factory=list)
    _computed: dict[Sql, Sql] = attribute(default_factory=dict)

    def tree(self, rule: Rule) -> Sql:
        return tree(rule.root, self._leaf)

    def some_user(self, rule: Rule, audience: Audience) -> Sql:
        self._asking.append(audience)
        return self._test(self._trees.setdefault(rule.root, self._next))

    def joined_to(self, subject: str) -> Sql:
        """The LEFT JOIN for this stream, or nothing when no rule needs it."""
        rows = [*self._user_rows(), *self._leaf_rows()]
        if not rows:
            return Sql("")
        return compose(
            " LEFT JOIN (SELECT x.id, bit_or(x.m) AS m FROM ({rows}) x GROUP BY x.id) {stream}"
            " ON {stream}.id = {subject}",
            stream=Sql(self.alias),
            subject=Sql(subject),
            rows=Sql.join(" UNION ALL ", rows),
        )

    def computed(self) -> Sql:
        """Values that are not plain columns (traits without a slot), worked out once per row however many rules ask."""
        if not self._computed:
            return Sql("")
        columns = [compose(f"{{x}} AS v{at}", x=expression) for at, expression in enumerate(self._computed)]
        return compose(" CROSS JOIN LATERAL (SELECT {columns} OFFSET 0) j", columns=Sql.join(", ", columns))

    @property
    def _next(self) -> int:
        return len(self._leaves) + len(self._trees)

    def _leaf(self, leaf: Leaf) -> Sql:
        source = leaf.field.source
        if isinstance(source, Column):
            return _column_leaf(leaf, self._column(source), self.clock)
        ids = source.hits(leaf, tenant_id=self.tenant_id, clock=self.clock)
        return _signed(leaf, self._test(self._leaves.setdefault(ids, self._next)))

    def _column(self, column: Column) -> Sql:
        if column.plain:
            return column.expression
        return self._computed.setdefault(column.expression, Sql(f"j.v{len(self._computed)}"))

    def _test(self, bit: int) -> Sql:
        return Sql(f"({self.alias}.m & {_bit(bit)}) <> 0")

    def _leaf_rows(self) -> Iterator[Sql]:
        for ids, bit in self._leaves.items():
            yield compose(f"SELECT h.id, {_bit(bit)} AS m FROM ({{ids}}) h(id)", ids=ids)

    def _user_rows(self) -> Iterator[Sql]:
        """All user trees as one mask per user, in one scan.

        The filter says the same as `m <> 0`, or more where the account's own tree rules it out; as a plain predicate
        the planner can push its parts below the joins, and most users never meet the mask.
        """
        if not self._trees:
            return
        users = _LeafBits("urel", self.tenant_id, self.clock)
        verdicts = {node: tree(node, users._leaf) for node in self._trees}
        cases = [
            compose(f"CASE WHEN {{verdict}} THEN {_bit(self._trees[node])} ELSE 0 END", verdict=verdict)
            for node, verdict in verdicts.items()
        ]
        accounts, wanted = self._wanted(verdicts)
        yield compose(
            "SELECT au.account_id AS id, {mask} AS m FROM {users}{accounts}{computed}{relations}"
            " WHERE {own} AND ({wanted})",
            mask=Sql.join(" | ", cases),
            users=live_users(self.tenant_id),
            accounts=accounts,
            computed=users.computed(),
            relations=users.joined_to("au.end_user_id"),
            own=Sql(_of("au", self.tenant_id)),
            wanted=wanted,
        )

    def _wanted(self, verdicts: Mapping[Node, Sql]) -> tuple[Sql, Sql]:
        """The join to the accounts, if that narrows the users down, and what some audience asks of account and user."""
        needs = [
            (self._account_need(audience), verdicts[audience.user.root]) for audience in self._asking if audience.user
        ]
        if len(needs) > MOST_NARROWING or any(need is None for need, _ in needs):
            return Sql(""), Sql.join(" OR ", [verdict.wrapped() for verdict in verdicts.values()])
        both = [compose("({need} AND {verdict})", need=need or Sql("true"), verdict=verdict) for need, verdict in needs]
        live = Sql.join(" AND ", [_live_accounts(self.tenant_id), *_lifecycle(_common_lifecycles(self._asking))])
        return compose(" JOIN accounts_account a ON a.id = au.account_id AND {live}", live=live), Sql.join(" OR ", both)

    def _account_need(self, audience: Audience) -> Sql | None:
        return _necessary(audience.account.root, self.clock) if audience.account else None


def _necessary(node: Node, clock: Clock) -> Sql | None:
    """What the columns alone must satisfy for the tree to hold; None when they decide nothing."""
    if isinstance(node, Leaf):
        source = node.field.source
        if isinstance(source, Column) and source.plain:
            return _column_leaf(node, source.expression, clock)
        return None
    needs = [_necessary(child, clock) for child in node.children]
    known = [need for need in needs if need]
    if not known or (node.mode is Mode.ANY and len(known) < len(needs)):
        return None
    return Sql.join(" AND " if node.mode is Mode.ALL else " OR ", known).wrapped()


def _fit(audiences: Sequence[Audience]) -> bool:
    trees = {audience.user.root for audience in audiences if audience.user}
    on_accounts = _relational(audience.account for audience in audiences)
    on_users = _relational(audience.user for audience in audiences)
    return max(len(audiences), len(trees) + len(on_accounts), len(on_users)) <= MAX_BITS


def _relational(rules: Iterator[Rule | None]) -> set[tuple[Relation, str, tuple[Any, ...]]]:
    found = (leaf for rule in rules if rule for leaf in leaves(rule))
    return {
        (leaf.field.source, leaf.operator.key, leaf.values)
        for leaf in found
        if not isinstance(leaf.field.source, Column)
    }


def _refuse_too_many(audiences: Sequence[Audience]) -> None:
    if not audiences or not _fit(audiences):
        raise ValueError(
            f"One statement holds 1 to {MAX_BITS} audiences and as many relational conditions; split with chunked()."
        )
