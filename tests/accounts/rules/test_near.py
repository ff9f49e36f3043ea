"""Near misses against the plain-Python reference: who does not match, and would if one more condition held."""

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from accounts.rules.compile import Audience, matching_accounts
from accounts.rules.fields import Subject
from accounts.rules.grammar import Group, Leaf, Mode, Node, Rule, dump
from accounts.rules.near import count_accounts, judge_accounts, near_accounts, near_users, parts_of
from cs_platform.tenancy.context import tenant_context

from .cast import CLOCK as STORY_CLOCK
from .cast import Cast, tenant_of
from .conftest import Run
from .reference import Facts, satisfies
from .strategies import audience, pairs
from .subjects import CLOCK, DAY, Builder, Workspace
from .test_agreement import holds, open_gates

EXAMPLES, EVERYBODY = 25, 10_000

pytestmark = pytest.mark.django_db


def verdict(node: Node, verdicts: Iterator[bool]) -> bool:
    if isinstance(node, Leaf):
        return next(verdicts)
    found = [verdict(child, verdicts) for child in node.children]
    return all(found) if node.mode is Mode.ALL else any(found)


def missing(trees: list[Node], verdicts: list[bool]) -> int:
    """A bit for each condition that alone stands between these verdicts and a match; 0 for a match."""

    def matches(said: list[bool]) -> bool:
        cells = iter(said)
        found = [verdict(tree, cells) for tree in trees]  # each takes its own cells, whatever the others say
        return all(found)

    if matches(verdicts):
        return 0
    return sum(
        1 << at for at, said in enumerate(verdicts) if not said and matches([*verdicts[:at], True, *verdicts[at + 1 :]])
    )


def on(rule: Rule | None, facts: Facts) -> list[bool]:
    return [satisfies(dump(leaf), facts, DAY) for leaf in _leaves(rule.root)] if rule else []


def _leaves(node: Node) -> list[Leaf]:
    return [node] if isinstance(node, Leaf) else [leaf for child in node.children for leaf in _leaves(child)]


def expected_accounts(made: Workspace, asked: Audience) -> dict[int, int]:
    trees: list[Node] = [asked.account.root] if asked.account else []
    if asked.user:
        trees.append(Leaf(*[None] * 2))  # type: ignore[arg-type]
    found = {}
    for account_id, facts in made.accounts.items():
        if open_gates(made, account_id, asked):
            users = [any(holds(asked.user, person) for person in made.people(account_id))] if asked.user else []
            found[account_id] = missing(trees, on(asked.account, facts) + users)
    return {account_id: bits for account_id, bits in found.items() if bits}


def expected_users(made: Workspace, asked: Audience) -> dict[tuple[int, int], int]:
    trees = [rule.root for rule in (asked.account, asked.user) if rule]
    found = {
        (account_id, user_id): missing(trees, on(asked.account, made.accounts[account_id]) + on(asked.user, person))
        for (account_id, user_id), person in made.ties.items()
        if open_gates(made, account_id, asked) and user_id not in made.archived_users
    }
    return {tie: bits for tie, bits in found.items() if bits}


def _parts(asked: Audience) -> list[Audience]:
    """Each condition as an audience of its own, and the user tree as one."""
    alone = [(Rule(Subject.ACCOUNT, leaf), None) for leaf in _leaves(asked.account.root)] if asked.account else []
    return [Audience(*pair, asked.lifecycles) for pair in [*alone, *([(None, asked.user)] if asked.user else [])]]


def test_near_misses_are_those_of_the_reference(run: Run) -> None:
    made = Builder(seed=23).workspace("acme", accounts=30, users=40)
    Builder(seed=24).workspace("other", accounts=5, users=5)

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    @given(st.lists(pairs(made.fields), min_size=4, max_size=4))
    def agree(written: list[Any]) -> None:
        for asked in [one for parts in written if (one := audience(made.fields, *parts))]:
            asking: dict[str, Any] = {"tenant_id": made.tenant_id, "clock": CLOCK}
            where = asking | {"limit": EVERYBODY}
            accounts = {row[0]: row[1] for row in run(near_accounts(asked, **where))}
            users = {row[:2]: row[2] for row in run(near_users(asked, **where))}
            assert accounts == expected_accounts(made, asked)
            [(count, alone, ids, near)] = run(judge_accounts(asked, **where))
            matching = sorted(row[0] for row in run(matching_accounts(asked, **asking)))
            assert (count, ids) == (len(matching), matching)
            assert run(count_accounts(asked, **asking)) == [(count, *alone)]
            assert alone == [len(run(matching_accounts(part, **asking))) for part in _parts(asked)]
            assert dict(near) == (accounts if len(alone) > 1 else {})
            assert users == expected_users(made, asked)

    with tenant_context(made.tenant_id):
        agree()


@pytest.fixture
def cast(db: None) -> Iterator[Cast]:
    tenant = tenant_of()
    with tenant_context(tenant.pk):
        yield Cast.assemble()


PRO_AND_HEALTHY = {
    "all": [
        {"field": "plan", "op": "is", "value": "Pro"},
        {"any": [{"field": "health", "op": "more", "value": 50}, {"field": "mrr", "op": "set"}]},
    ]
}


def test_alternatives_that_fail_together_are_all_named(run: Run, cast: Cast) -> None:
    short = cast.account("One short")
    cast.account("Two short", plan="Free")
    cast.account("Matches", health=90)
    asked = cast.audience(PRO_AND_HEALTHY)

    assert run(near_accounts(asked, limit=10, **cast.where)) == [(short.pk, 0b110)]


def test_a_user_tree_fails_or_holds_as_a_whole(run: Run, cast: Cast) -> None:
    near, far = cast.account("Near"), cast.account("Far", plan="Free")
    cast.user("Ada", near, role="viewer")
    cast.user("Ben", far, role="viewer")
    role = {"field": "role", "op": "is", "value": "admin"}
    asked = cast.audience({"field": "plan", "op": "is", "value": "Pro"}, role)

    assert len(parts_of(asked)) == 2
    assert run(near_accounts(asked, limit=10, **cast.where)) == [(near.pk, 0b10)]


def test_one_row_says_who_matches_who_nearly_does_and_what_each_condition_lets_through(run: Run, cast: Cast) -> None:
    healthy = cast.account("Pro and healthy", health=90)
    short = cast.account("Pro")
    free = cast.account("Free", plan="Free", mrr_cents=100)

    found = run(judge_accounts(cast.audience(PRO_AND_HEALTHY), limit=10, **cast.where))

    assert found == [(1, [2, 1, 1], [healthy.pk], [[short.pk, 0b110], [free.pk, 0b1]])]


def test_a_rule_of_one_condition_has_no_near_misses(run: Run, cast: Cast) -> None:
    cast.account("Free", plan="Free")
    asked = cast.audience({"field": "plan", "op": "is", "value": "Pro"})

    assert run(judge_accounts(asked, limit=10, **cast.where)) == [(0, [0], [], [])]


def test_as_many_as_asked_for_in_the_order_of_ids(run: Run, cast: Cast) -> None:
    made = [cast.account(f"Account {at}", plan="Free", health=90).pk for at in range(5)]
    found = run(near_accounts(cast.audience(PRO_AND_HEALTHY), limit=3, tenant_id=cast.tenant.pk, clock=STORY_CLOCK))

    assert [row[0] for row in found] == made[:3]


def test_groups_are_read_as_the_grammar_has_them() -> None:
    leaf = Leaf(None, None)  # type: ignore[arg-type]
    both = Group(Mode.ALL, (leaf, Group(Mode.ANY, (leaf, leaf))))

    assert missing([both], [True, False, False]) == 0b110
    assert missing([both], [False, True, False]) == 0b001
    assert missing([both], [False, False, False]) == 0
    assert missing([both], [True, True, False]) == 0
