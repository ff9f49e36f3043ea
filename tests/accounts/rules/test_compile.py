"""What the compiler promises beside the meaning of single conditions."""

import re
from collections.abc import Iterator
from typing import Any

import pytest

from accounts.models import Account
from accounts.rules import compile
from accounts.rules.compile import MAX_BITS, Audience, chunked
from accounts.rules.fields import Subject
from accounts.rules.grammar import parse
from accounts.rules.sql import Sql
from cs_platform.tenancy.context import tenant_context

from .cast import CLOCK, NOW, REPORT, Cast, tenant_of
from .conftest import Run

PRO = {"field": "plan", "op": "is", "value": "Pro"}
ADMIN = {"field": "role", "op": "is", "value": "admin"}


def reported(times: int, days: int = 30) -> dict[str, Any]:
    return {"field": f"event:{REPORT}", "op": "at_least", "value": times, "days": days}


@pytest.fixture
def cast(db: None) -> Iterator[Cast]:
    tenant = tenant_of()
    with tenant_context(tenant.pk):
        yield Cast.assemble()


def names(run: Run, cast: Cast, audience: Audience) -> set[str]:
    """Who matches; the plain statement and the one-pass statement must say the same."""
    plain = {cast.names[id] for (id,) in run(compile.matching_accounts(audience, **cast.where))}
    masked = {cast.names[id] for id, bits in run(compile.one_pass_accounts([audience], **cast.where)) if bits == 1}
    assert plain == masked
    return plain


def ties(run: Run, cast: Cast, audience: Audience) -> set[tuple[int, int]]:
    plain = set(run(compile.matching_users(audience, **cast.where)))
    masked = {row[:2] for row in run(compile.one_pass_users([audience], **cast.where)) if row[2] == 1}
    assert plain == masked
    return plain


def test_one_user_must_satisfy_the_whole_user_tree(run: Run, cast: Cast) -> None:
    together, apart = cast.account("together"), cast.account("apart")
    cast.account("nobody")
    cast.user("Ada", together)
    cast.user("Bob", apart)
    cast.user("Eve", apart, role="viewer")
    both = [ADMIN, {"field": "name", "op": "is_any_of", "value": ["Ada", "Eve"]}]
    assert names(run, cast, cast.audience(PRO, {"all": both})) == {"together"}


def test_archived_accounts_and_users_never_match(run: Run, cast: Cast) -> None:
    present = cast.account("present")
    gone = cast.account("gone", archived_at=NOW)
    ada = cast.user("Ada", present, gone)
    cast.user("Bob", cast.account("left behind"), archived_at=NOW)
    assert names(run, cast, cast.audience(PRO, lifecycles=None)) == {"present", "left behind"}
    assert names(run, cast, cast.audience(None, ADMIN)) == {"present"}
    assert ties(run, cast, cast.audience(None, ADMIN)) == {(present.pk, ada.pk)}


def test_churned_and_ignored_accounts_match_only_when_asked_for(run: Run, cast: Cast) -> None:
    for lifecycle in ("subscribed", "trialing", "churned", "ignored"):
        cast.account(lifecycle, lifecycle=lifecycle)
    assert names(run, cast, cast.audience(PRO)) == {"subscribed", "trialing"}
    assert names(run, cast, cast.audience(PRO, lifecycles=("churned",))) == {"churned"}
    assert names(run, cast, cast.audience(PRO, lifecycles=None)) == {"subscribed", "trialing", "churned", "ignored"}


def test_audiences_of_different_lifecycles_keep_apart_in_one_pass(run: Run, cast: Cast) -> None:
    for lifecycle in ("subscribed", "churned", "ignored"):
        cast.account(lifecycle, lifecycle=lifecycle)
    asked = [cast.audience(PRO), cast.audience(PRO, lifecycles=("churned",)), cast.audience(PRO, lifecycles=None)]
    found = {cast.names[id]: bits for id, bits in run(compile.one_pass_accounts(asked, **cast.where))}
    assert found == {"subscribed": 0b101, "churned": 0b110, "ignored": 0b100}
    found = {cast.names[id]: bits for id, bits in run(compile.one_pass_accounts(asked[:2], **cast.where))}
    assert found == {"subscribed": 0b01, "churned": 0b10}


def test_a_user_of_two_accounts_matches_once_for_each(run: Run, cast: Cast) -> None:
    pro, basic, other = cast.account("pro"), cast.account("basic", plan="Basic"), cast.account("other")
    ada = cast.user("Ada", pro, basic, other)
    assert ties(run, cast, cast.audience(PRO, ADMIN)) == {(pro.pk, ada.pk), (other.pk, ada.pk)}


def test_a_users_events_count_over_all_accounts_and_an_accounts_over_all_users(run: Run, cast: Cast) -> None:
    first, second = cast.account("first"), cast.account("second")
    ada, bob = cast.user("Ada", first, second), cast.user("Bob", first)
    cast.report_by(ada, first, times=1)
    cast.report_by(ada, second, times=1)
    cast.report_by(bob, first, times=1)
    assert names(run, cast, cast.audience(reported(2))) == {"first"}
    assert ties(run, cast, cast.audience(None, reported(2))) == {(first.pk, ada.pk), (second.pk, ada.pk)}


def test_another_tenants_rows_are_out_of_reach(run: Run, cast: Cast) -> None:
    cast.account("ours")
    with tenant_context(tenant_of("rival").pk):
        rival = Cast.assemble("rival")
        rival.user("Eve", rival.account("theirs"))
        assert names(run, rival, rival.audience(PRO, ADMIN)) == {"theirs"}
        assert run(compile.matching_accounts(cast.audience(PRO), **cast.where)) == []
    assert names(run, cast, cast.audience(PRO)) == {"ours"}
    assert run(compile.one_pass_accounts([cast.audience(PRO)], tenant_id=rival.tenant.pk, clock=CLOCK)) == []


def test_every_table_is_read_with_the_tenant_as_a_constant(cast: Cast) -> None:
    asked = [
        cast.audience(
            {"all": [PRO, reported(1), {"field": "indicator:X", "op": "active"}]}, {"all": [ADMIN, reported(1)]}
        )
    ]
    statements = [
        compile.matching_accounts(asked[0], **cast.where),
        compile.matching_users(asked[0], **cast.where),
        compile.one_pass_accounts(asked, **cast.where),
        compile.one_pass_users(asked, **cast.where),
    ]
    for statement in statements:
        aliases = re.findall(r"(?:FROM|JOIN) accounts_\w+ (\w+)", statement.text)
        for alias in set(aliases):
            constants = statement.text.count(f"{alias}.tenant_id = {cast.tenant.pk}")
            assert constants >= aliases.count(alias), (alias, statement.text)


def test_values_travel_as_parameters_only(cast: Cast) -> None:
    nasty = "'; DROP TABLE accounts_account; -- %s {x}"
    audience = cast.audience({"all": [{"field": "plan", "op": "contains", "value": nasty}]})
    statement = compile.matching_accounts(audience, **cast.where)
    assert "DROP" not in statement.text
    assert nasty in statement.params


def test_values_that_look_like_sql_or_patterns_are_literal(run: Run, cast: Cast) -> None:
    odd = "50%_off'; {0} %s \\"
    cast.account("odd", plan=odd)
    cast.account("plain", plan="50 off")
    for op in ("is", "contains", "starts_with", "ends_with"):
        assert names(run, cast, cast.audience({"field": "plan", "op": op, "value": odd})) == {"odd"}
    assert names(run, cast, cast.audience({"field": "plan", "op": "contains", "value": "%"})) == {"odd"}


def test_a_rule_is_a_queryset_condition(cast: Cast) -> None:
    cast.account("pro")
    cast.account("basic", plan="Basic")
    rule = parse(PRO, fields=cast.fields, subject=Subject.ACCOUNT)
    matching = Account.objects.all().where(compile.predicate(rule, **cast.where))
    assert [account.name for account in matching.order_by("name")] == ["pro"]


# One statement -------------------------------------------------------------------------------------------------------


def test_every_bit_of_a_full_statement_is_told_apart(run: Run, cast: Cast) -> None:
    for at in range(MAX_BITS):
        cast.account(str(at), plan=f"plan {at}")
    asked = [cast.audience({"field": "plan", "op": "is", "value": f"plan {at}"}) for at in range(MAX_BITS)]
    found = {cast.names[id]: bits for id, bits in run(compile.one_pass_accounts(asked, **cast.where))}
    assert found == {str(at): 1 << at for at in range(MAX_BITS)}


def test_more_than_a_statement_holds_is_refused(cast: Cast) -> None:
    for asked in ([], [cast.audience(PRO)] * (MAX_BITS + 1)):
        with pytest.raises(ValueError, match="chunked"):
            compile.one_pass_accounts(asked, **cast.where)


def test_chunks_are_consecutive_and_each_fits(cast: Cast) -> None:
    asked = [cast.audience(reported(times)) for times in range(1, 151)]
    asked += [cast.audience({"any": [reported(times, days) for times in range(1, 45)]}) for days in (10, 20, 30)]
    chunks = list(chunked(asked))
    assert [one for chunk in chunks for one in chunk] == asked
    assert [len(chunk) for chunk in chunks] == [62, 62, 26, 1, 1, 1]
    for chunk in chunks:
        compile.one_pass_accounts(chunk, **cast.where)


def test_equal_leaves_and_equal_user_trees_are_computed_once(cast: Cast) -> None:
    def asked(plan: str) -> Audience:
        return cast.audience({"all": [{"field": "plan", "op": "is", "value": plan}, reported(3)]}, ADMIN)

    statement = compile.one_pass_accounts([asked(str(at)) for at in range(10)], **cast.where)
    assert statement.text.count("FROM accounts_eventcount") == 1
    assert statement.text.count("FROM accounts_accountuser") == 1
    assert statement.text.count("UNION ALL") == 1


def test_a_condition_and_its_opposite_share_their_bit(cast: Cast) -> None:
    never, ever = ({"field": f"event:{REPORT}", "op": op} for op in ("never", "ever"))
    statement = compile.one_pass_accounts([cast.audience(never), cast.audience(ever)], **cast.where)
    assert statement.text.count("FROM accounts_eventcount") == 1


def test_rules_on_columns_alone_join_nothing(cast: Cast) -> None:
    assert "JOIN" not in compile.one_pass_accounts([cast.audience(PRO)], **cast.where).text


def test_an_audience_refuses_trees_of_the_wrong_subject(cast: Cast) -> None:
    account = parse(PRO, fields=cast.fields, subject=Subject.ACCOUNT)
    user = parse(ADMIN, fields=cast.fields, subject=Subject.USER)
    for wrong in ({"account": user}, {"user": account}, {"lifecycles": ()}):
        with pytest.raises(ValueError):
            Audience(**wrong)


# Enough rows for an index to pay.
CROWD = Sql(
    "INSERT INTO accounts_account (tenant_id, external_id, name, lifecycle, user_count, created_at, updated_at, traits,"
    " trait_writers) SELECT current_setting('app.tenant_id')::bigint, 'crowd ' || n, 'crowd ' || n, 'subscribed', 0,"
    " now(), now(), '{}', '{}' FROM generate_series(1, 5000) n RETURNING id"
)
INDEXED = [
    ("name", "is", "x"),
    ("name", "is_any_of", ["x", "y"]),
    ("name", "starts_with", "x"),
    ("mrr", "more", 5),
    ("mrr", "between", [1, 2]),
    ("renewal_on", "within_next_days", 30),
    ("renewal_on", "not_set", None),
    ("health", "less", 5),
    ("csm", "is", 4),
]


@pytest.mark.parametrize(("field", "op", "value"), INDEXED)
def test_what_an_index_can_serve_is_served_under_row_level_security(
    run: Run, cast: Cast, field: str, op: str, value: Any
) -> None:
    written = {"field": field, "op": op} | ({} if value is None else {"value": value})
    statement = compile.matching_accounts(cast.audience(written, lifecycles=None), **cast.where)
    run(CROWD)
    plan = "\n".join(row[0] for row in run(Sql("EXPLAIN (COSTS OFF) " + statement.text, statement.params)))
    column = {"mrr": "mrr_cents", "csm": "csm_id"}.get(field, field)
    assert re.search(rf"Index Cond: .*{column}", plan), plan
