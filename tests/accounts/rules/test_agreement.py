"""SQL and the plain-Python reference agree: as a predicate, in one pass, and explained."""

import os
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from accounts.rules import compile, explain
from accounts.rules.compile import Audience
from accounts.rules.grammar import Rule, dump
from accounts.rules.sql import Sql, compose
from cs_platform.tenancy.context import tenant_context

from .conftest import Run
from .reference import Facts, satisfies
from .strategies import audience, pairs
from .subjects import CLOCK, DAY, Builder, Workspace

EXAMPLES, RULES_EACH = 150 if os.environ["TEST_WALKS"] else 60, 20  # for each an account's rule and a user's

pytestmark = pytest.mark.django_db


def holds(rule: Rule | None, facts: Facts) -> bool:
    return rule is None or satisfies(dump(rule), facts, DAY)


def open_gates(made: Workspace, account_id: int, asked: Audience) -> bool:
    lifecycle, archived = made.gates[account_id]
    return not archived and (asked.lifecycles is None or lifecycle in asked.lifecycles)


def expected_accounts(made: Workspace, asked: Audience) -> set[int]:
    return {
        account_id
        for account_id, facts in made.accounts.items()
        if open_gates(made, account_id, asked)
        and holds(asked.account, facts)
        and (asked.user is None or any(holds(asked.user, person) for person in made.people(account_id)))
    }


def expected_users(made: Workspace, asked: Audience) -> set[tuple[int, int]]:
    able = {
        account_id
        for account_id, facts in made.accounts.items()
        if open_gates(made, account_id, asked) and holds(asked.account, facts)
    }
    return {
        (account_id, user_id)
        for (account_id, user_id), person in made.ties.items()
        if account_id in able and user_id not in made.archived_users and holds(asked.user, person)
    }


def by_bit(rows: list[tuple[Any, ...]], count: int) -> list[set[Any]]:
    """Matches per audience, from rows of (key…, bits)."""
    return [{row[0] if len(row) == 2 else row[:-1] for row in rows if row[-1] >> at & 1} for at in range(count)]


def by_predicate(run: Run, asked: list[Audience], tenant_id: int) -> list[set[Any]]:
    """Every audience as a plain predicate, all of them in one statement's columns."""
    predicates = [compile.account_predicate(one, tenant_id=tenant_id, clock=CLOCK) for one in asked]
    columns = Sql.join(", ", [compose("({p}) IS TRUE", p=predicate) for predicate in predicates])
    rows = run(compose("SELECT a.id, {columns} FROM accounts_account a", columns=columns))
    return [{row[0] for row in rows if row[1 + at]} for at in range(len(asked))]


def users_by_predicate(run: Run, asked: list[Audience], tenant_id: int) -> list[set[Any]]:
    predicates = [compile.user_predicate(one, tenant_id=tenant_id, clock=CLOCK) for one in asked]
    columns = Sql.join(", ", [compose("({p}) IS TRUE", p=predicate) for predicate in predicates])
    source = "accounts_accountuser au JOIN accounts_enduser u ON u.id = au.end_user_id"
    rows = run(
        compose(
            f"SELECT au.account_id, au.end_user_id, {{columns}} FROM {source}"
            " JOIN accounts_account a ON a.id = au.account_id",
            columns=columns,
        )
    )
    return [{row[:2] for row in rows if row[2 + at]} for at in range(len(asked))]


def check_explained(run: Run, made: Workspace, asked: Audience, at: int) -> None:
    accounts, ties = list(made.accounts), list(made.ties)
    account_id, (tied, user_id) = accounts[at % len(accounts)], ties[at % len(ties)]
    where: dict[str, Any] = {"tenant_id": made.tenant_id, "clock": CLOCK}
    [row] = run(explain.account_statement(asked, account_id=account_id, **where))
    assert explain.read_account(asked, row, clock=CLOCK).holds == (account_id in expected_accounts(made, asked))
    [row] = run(explain.user_statement(asked, account_id=tied, end_user_id=user_id, **where))
    assert explain.read_user(asked, row, clock=CLOCK).holds == ((tied, user_id) in expected_users(made, asked))


def test_sql_agrees_with_the_reference_on_thousands_of_rules(run: Run) -> None:
    builder = Builder(seed=7)
    made = builder.workspace("acme", accounts=40, users=60)
    builder.workspace("other", accounts=5, users=5)
    checked = 0

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    @given(st.lists(pairs(made.fields), min_size=RULES_EACH, max_size=RULES_EACH), st.integers(0, 1000))
    def agree(written: list[Any], at: int) -> None:
        nonlocal checked
        asked = [one for parts in written if (one := audience(made.fields, *parts))]
        checked += len(asked)
        where: dict[str, Any] = {"tenant_id": made.tenant_id, "clock": CLOCK}
        accounts = [expected_accounts(made, one) for one in asked]
        assert by_bit(run(compile.one_pass_accounts(asked, **where)), len(asked)) == accounts
        assert by_predicate(run, asked, made.tenant_id) == accounts
        users = [expected_users(made, one) for one in asked]
        assert by_bit(run(compile.one_pass_users(asked, **where)), len(asked)) == users
        assert users_by_predicate(run, asked, made.tenant_id) == users
        for one in asked[:4]:
            check_explained(run, made, one, at)

    with tenant_context(made.tenant_id):
        agree()
    assert checked > 0.9 * EXAMPLES * RULES_EACH
