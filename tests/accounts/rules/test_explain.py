"""Why an account matches, and why not."""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any

import pytest

from accounts.rules.compile import Audience
from accounts.rules.explain import Explained, account_statement, read_account, read_user, user_statement
from cs_platform.tenancy.context import tenant_context

from .cast import CLOCK, NOW, REPORT, Cast, tenant_of
from .conftest import Run


@pytest.fixture
def cast(db: None) -> Iterator[Cast]:
    tenant = tenant_of()
    with tenant_context(tenant.pk):
        yield Cast.assemble()


def leaf(field: str, op: str, value: Any = None, **more: Any) -> dict[str, Any]:
    return {"field": field, "op": op, **({} if value is None else {"value": value}), **more}


def why(run: Run, cast: Cast, audience: Audience, account_id: int) -> Explained:
    [row] = run(account_statement(audience, account_id=account_id, **cast.where))
    return read_account(audience, row, clock=CLOCK)


def lines(explained: Explained) -> list[tuple[str, bool, str]]:
    own = [] if explained.children else [(explained.sentence, explained.holds, explained.value)]
    return own + [line for child in explained.children for line in lines(child)]


def test_each_condition_shows_its_verdict_and_todays_value(run: Run, cast: Cast) -> None:
    acme = cast.account(
        "Acme", mrr_cents=45_000, renewal_on=date(2026, 7, 1), last_seen_at=datetime(2026, 5, 2, 9, 5, tzinfo=UTC)
    )
    cast.report_by(cast.user("Ada", acme), acme, times=2)
    cast.risk(acme, "Low adoption")
    audience = cast.audience(
        {
            "all": [
                leaf("plan", "is", "Pro"),
                {"any": [leaf("mrr", "more", 100_000), leaf("renewal_on", "within_next_days", 90)]},
                leaf("last_seen_at", "more_than_days_ago", 40),
                leaf("health", "not_set"),
                leaf(f"event:{REPORT}", "at_least", 3, days=30),
                leaf(f"event:{REPORT}", "last_less_than_days_ago", 7),
                leaf("indicator:Low adoption", "active"),
                leaf("indicator:Can't pay", "not_active"),
            ]
        }
    )
    explained = why(run, cast, audience, acme.pk)
    assert not explained.holds
    assert lines(explained) == [
        ("Account is subscribed or trialing", True, "subscribed"),
        ("Plan is Pro", True, "Pro"),
        ("MRR is more than $1,000", False, "$450"),
        ("Renewal date is within the next 90 days", True, "1 Jul 2026"),
        ("Last seen is more than 40 days ago", False, "2 May 2026, 09:05"),
        ("Health is not set", True, "not set"),
        (f"“{REPORT}” was done at least 3 times in the last 30 days", False, "2 times"),
        (f"“{REPORT}” was last done less than 7 days ago", True, "1 Jun 2026"),
        ("Indicator “Low adoption” is active", True, ""),
        ("Indicator “Can't pay” is not active", True, ""),
    ]


def test_an_event_that_never_happened_says_so(run: Run, cast: Cast) -> None:
    acme = cast.account("Acme")
    audience = cast.audience({"all": [leaf(f"event:{REPORT}", "never"), leaf(f"event:{REPORT}", "at_most", 1, days=7)]})
    assert [line[1:] for line in lines(why(run, cast, audience, acme.pk))[1:]] == [(True, "never"), (True, "0 times")]


def test_groups_are_read_off_their_conditions(run: Run, cast: Cast) -> None:
    acme = cast.account("Acme")
    either = {"any": [leaf("plan", "is", "Basic"), leaf("plan", "is", "Pro")]}
    explained = why(run, cast, cast.audience(either), acme.pk)
    [_, group] = explained.children
    assert (group.sentence, group.holds, len(group.children)) == ("Plan is Basic or plan is Pro", True, 2)


def test_users_are_counted_for_the_tree_and_each_part_of_it(run: Run, cast: Cast) -> None:
    acme = cast.account("Acme")
    cast.user("Ada", acme, role="viewer")
    cast.user("Bob", acme, role="admin")
    cast.user("Eve", acme, role="admin")
    cast.user("Old", acme, role="admin", archived_at=NOW)
    audience = cast.audience(None, {"all": [leaf("role", "is", "admin"), leaf("name", "is", "Ada")]})
    explained = why(run, cast, audience, acme.pk)
    [_, users] = explained.children
    assert (users.sentence, users.holds, users.value) == (
        "At least one user: role is admin and name is Ada",
        False,
        "0 of 3 users",
    )
    assert [(line.holds, line.value) for line in users.children] == [(True, "2 of 3 users"), (True, "1 of 3 users")]


def test_an_account_without_users_has_none_that_satisfies(run: Run, cast: Cast) -> None:
    acme = cast.account("Acme")
    explained = why(run, cast, cast.audience(None, leaf("role", "is_not", "admin")), acme.pk)
    assert lines(explained)[-1] == ("At least one user: role is not admin", False, "0 of 0 users")


def test_the_gates_are_part_of_the_answer(run: Run, cast: Cast) -> None:
    gone = cast.account("Gone", lifecycle="churned", archived_at=NOW)
    explained = why(run, cast, cast.audience(leaf("plan", "is", "Pro")), gone.pk)
    assert not explained.holds
    assert lines(explained)[:2] == [
        ("Account is not archived", False, "archived"),
        ("Account is subscribed or trialing", False, "churned"),
    ]


def test_a_user_is_explained_at_one_account(run: Run, cast: Cast) -> None:
    acme, other = cast.account("Acme"), cast.account("Other", plan="Basic")
    ada = cast.user("Ada", acme, other)
    audience = cast.audience(leaf("plan", "is", "Pro"), leaf("role", "is", "admin"))
    verdicts = []
    for account in (acme, other):
        [row] = run(user_statement(audience, account_id=account.pk, end_user_id=ada.pk, **cast.where))
        verdicts.append([line[1:] for line in lines(read_user(audience, row, clock=CLOCK))])
    assert verdicts == [
        [(True, "subscribed"), (True, "Pro"), (True, "admin")],
        [(True, "subscribed"), (False, "Basic"), (True, "admin")],
    ]


def test_an_archived_user_says_so(run: Run, cast: Cast) -> None:
    acme = cast.account("Acme")
    ada = cast.user("Ada", acme, archived_at=NOW)
    audience = cast.audience(None, leaf("role", "is", "admin"))
    [row] = run(user_statement(audience, account_id=acme.pk, end_user_id=ada.pk, **cast.where))
    explained = read_user(audience, row, clock=CLOCK)
    assert not explained.holds
    assert ("User is not archived", False, "archived") in lines(explained)


def test_another_tenants_account_explains_nothing(run: Run, cast: Cast) -> None:
    with tenant_context(tenant_of("rival").pk):
        rival = Cast.assemble("rival")
        theirs = rival.account("theirs")
    audience = cast.audience(leaf("plan", "is", "Pro"))
    assert run(account_statement(audience, account_id=theirs.pk, **cast.where)) == []


def test_the_first_condition_met_tells_a_match_apart_and_what_is_asked_of_everybody_does_not(
    run: Run, cast: Cast
) -> None:
    acme = cast.account("Acme", mrr_cents=45_000, renewal_on=date(2026, 7, 1))
    either = {"any": [leaf("mrr", "more", 100_000), leaf("renewal_on", "within_next_days", 90)]}
    audience = cast.audience({"all": [either, leaf("mrr", "more", 100)]}, lifecycles=("trialing", "subscribed"))
    explained = why(run, cast, audience, acme.pk)

    assert explained.telling is not None
    assert explained.telling.value == "1 Jul 2026"
    missed = cast.audience(leaf("mrr", "more", 100_000))
    assert why(run, cast, missed, acme.pk).telling is None
