"""Who a rule is about right now, who nearly, and why: what every preview and check of a rule shows."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from django.db import connection

from accounts.models import Account, EndUser
from accounts.rules.compile import MAX_BITS, Audience, matching_accounts, matching_users
from accounts.rules.describe import People, describe_audience
from accounts.rules.explain import (
    Explained,
    account_statement,
    accounts_statement,
    read_account,
    read_user,
    user_statement,
    users_statement,
)
from accounts.rules.near import asks_relations, count_accounts, judge_accounts, near_accounts, near_users, parts_of
from accounts.rules.sql import Clock, Sql, compose
from cs_platform.common.time_limit import TooLong, at_most

EXAMPLES = 10
LIMIT_MS = 1_000  # for each of the statements of a preview: longer, and it says so instead of an answer

Row = tuple[Any, ...]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class One:
    """An account, or one of its users."""

    account: Account
    user: EndUser | None
    why: Explained

    @property
    def name(self) -> str:
        return f"{self.user}, {self.account.name}" if self.user else self.account.name


@dataclass(frozen=True, slots=True)
class Near:
    """Who fails one condition only; where alternatives fail together, any of `missing` would do."""

    one: One
    missing: Sequence[Explained]


@dataclass(frozen=True, slots=True)
class Found:
    """`count` is None where counting would have taken too long; `is_complete` False where looking for others would.

    `alone`: how many accounts meet each condition by itself; None where that is not known.
    """

    sentence: str
    count: int | None
    examples: Sequence[One]
    near: Sequence[Near]
    is_complete: bool
    alone: Sequence[int] | None = None


@dataclass(frozen=True, slots=True)
class Asking:
    """One question about an audience: of accounts, or of users at their accounts."""

    audience: Audience
    about_users: bool
    tenant_id: int
    clock: Clock
    people: People

    @property
    def where(self) -> dict[str, Any]:
        return {"tenant_id": self.tenant_id, "clock": self.clock}

    def found(self) -> Found:
        """Count, examples and near misses: a few statements of bounded length, whatever the rule.

        Relations are asked once for all of it. Where that takes too long, each part may be found by itself.
        """
        together = not self.about_users and asks_relations(self.audience)
        return (_or_none(self._judged) if together else None) or self._one_by_one()

    def _judged(self) -> Found:
        """Raises TooLong."""
        [row] = bounded(judge_accounts(self.audience, limit=EXAMPLES, **self.where))
        count, alone, ids, missing = row
        known = self._explained([(id,) for id in (*ids, *(id for id, _bits in missing))])
        examples = [known[(id,)] for id in ids if (id,) in known]
        near = [self._near(known[(id,)], bits) for id, bits in missing if (id,) in known]
        return Found(self.sentence, count, examples, near, True, alone)

    def _one_by_one(self) -> Found:
        (count, alone), examples, near = self._counts(), _or_none(self.examples), _or_none(self.near)
        is_complete = examples is not None and near is not None
        return Found(self.sentence, count, examples or [], near or [], is_complete, alone)

    def _counts(self) -> tuple[int | None, Sequence[int] | None]:
        """How many, and of accounts how many meet each condition alone."""
        rows = None if self.about_users else _or_none(lambda: bounded(count_accounts(self.audience, **self.where)))
        if rows:
            count, *alone = rows[0]
            return count, alone
        return _or_none(self.count), None

    @property
    def sentence(self) -> str:
        return str(describe_audience(self.audience, people=self.people))

    def count(self) -> int:
        """Raises TooLong."""
        [[count]] = bounded(compose("SELECT count(*) FROM ({found}) f", found=self._matching()))
        return int(count)

    def examples(self) -> list[One]:
        """The first few by id, which costs no sorting. Raises TooLong."""
        order = "1, 2" if self.about_users else "1"
        found = compose(f"{{found}} ORDER BY {order} LIMIT {EXAMPLES}", found=self._matching())
        return list(self._explained(bounded(found)).values())

    def near(self) -> list[Near]:
        """Raises TooLong."""
        if not 1 < len(parts_of(self.audience, about_users=self.about_users)) <= MAX_BITS:
            return []
        statement = near_users if self.about_users else near_accounts
        bits = {row[:-1]: row[-1] for row in bounded(statement(self.audience, limit=EXAMPLES, **self.where))}
        return [self._near(one, bits[key]) for key, one in self._explained(list(bits)).items()]

    def why(self, account: Account, user: EndUser | None = None) -> Explained | None:
        """Every condition for one account or user, whether or not it matches. None: no user of that account."""
        if user is None:
            rows = rows_of(account_statement(self.audience, account_id=account.pk, **self.where))
        else:
            rows = rows_of(user_statement(self.audience, account_id=account.pk, end_user_id=user.pk, **self.where))
        return self._read(rows[0], of_user=user is not None) if rows else None

    def _matching(self) -> Sql:
        return (matching_users if self.about_users else matching_accounts)(self.audience, **self.where)

    def _explained(self, keys: Sequence[Row]) -> dict[Row, One]:
        """In the order asked for; what vanished meanwhile is left out."""
        if not keys:
            return {}
        width = 2 if self.about_users else 1
        statement = (
            users_statement(self.audience, ties=[(key[0], key[1]) for key in keys], **self.where)
            if self.about_users
            else accounts_statement(self.audience, account_ids=[key[0] for key in keys], **self.where)
        )
        rows = {row[:width]: row[width:] for row in rows_of(statement)}
        accounts = Account.objects.in_bulk([key[0] for key in keys])
        users = EndUser.objects.in_bulk([key[1] for key in keys]) if self.about_users else {}
        return {
            key: One(accounts[key[0]], users[key[1]] if users else None, self._read(rows[key], of_user=width == 2))
            for key in keys
            if key in rows and key[0] in accounts
        }

    def _read(self, row: Row, *, of_user: bool) -> Explained:
        read = read_user if of_user else read_account
        return read(self.audience, row, clock=self.clock, people=self.people)

    def _near(self, one: One, bits: int) -> Near:
        lines = list(_lines(self.audience, one.why, about_users=self.about_users))
        return Near(one, [line for at, line in enumerate(lines) if bits >> at & 1])


def _lines(audience: Audience, why: Explained, *, about_users: bool) -> Iterator[Explained]:
    """The line of each part, numbered as `parts_of` numbers them: what stands before the trees is no part."""
    trees = list(why.children)[-sum(1 for rule in (audience.account, audience.user) if rule) :]
    whole_users = audience.user is not None and not about_users
    for tree in trees[:-1] if whole_users else trees:
        yield from _leaves(tree)
    if whole_users:
        yield trees[-1]


def _leaves(line: Explained) -> Iterator[Explained]:
    if line.mode is None:
        yield line
    for child in line.children:
        yield from _leaves(child)


def _or_none(ask: Callable[[], T]) -> T | None:
    try:
        return ask()
    except TooLong:
        return None


def rows_of(sql: Sql) -> list[Row]:
    with connection.cursor() as cursor:
        cursor.execute(sql.text, sql.params)
        return list(cursor.fetchall())


def bounded(sql: Sql, *, at_most_ms: int = LIMIT_MS) -> list[Row]:
    with at_most(at_most_ms, shared_out=True):
        return rows_of(sql)
