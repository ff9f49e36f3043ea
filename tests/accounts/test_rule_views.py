"""A rule while it is written: who matches, who nearly, why; and the rule as a filter of the accounts table."""

import json
from typing import Any
from unittest.mock import patch
from urllib.parse import parse_qs, quote, urlsplit

import pytest
from django.http import QueryDict

from accounts import matching
from accounts.models import Account
from tests.visitor import Visitor, is_whole, text
from tests.world import Workspace, account, user

PRO = {"field": "plan", "op": "is", "value": "Pro"}
RICH = {"field": "mrr", "op": "more", "value": 5_000}
BOTH = {"rules:0:field": "plan", "rules:0:op": "is", "rules:0:value": "Pro", "rules:1:field": "mrr"}
BOTH |= {"rules:1:op": "more", "rules:1:value": "50"}


@pytest.fixture
def three(inside: Workspace) -> dict[str, Account]:
    return {
        "Ada": account("Ada Freight", plan="Pro", mrr_cents=10_000),
        "Bob": account("Bob Foods", plan="Pro", mrr_cents=100),
        "Cyd": account("Cyd Games", plan="Free", mrr_cents=10_000),
    }


def filtered(rule: Any) -> str:
    return f"accounts/?filter={quote(rule if isinstance(rule, str) else json.dumps(rule))}"


# --- who matches ------------------------------------------------------------------------------------------------------


def test_a_preview_counts_shows_and_says_who_nearly_matches(priya: Visitor, three: dict[str, Account]) -> None:
    shown = text(priya.send("accounts/rules/preview/", **BOTH))

    assert '<span class="big-num">1</span> <b>account matches now</b>' in shown
    assert "Plan is Pro and MRR is more than $50." in shown
    assert shown.index("Ada Freight") < shown.index("Near misses") < shown.index("Bob Foods")
    assert "MRR is more than $50: $1" in shown
    assert "Plan is Pro: Free" in shown
    assert '<hx-partial hx-target="#id_rules-0-count"><span title="2 meet this rule alone">2</span>' in shown


def test_what_is_only_begun_is_left_out_and_what_is_wrong_is_waited_for(priya: Visitor, three: Any) -> None:
    begun, wrong = BOTH | {"rules:2:field": ""}, BOTH | {"rules:1:value": "much"}

    assert "account matches now" in text(priya.send("accounts/rules/preview/", **begun))
    assert "Finish the conditions" in text(priya.send("accounts/rules/preview/", **wrong))
    assert "Add a condition" in text(priya.send("accounts/rules/preview/"))


def test_two_editors_are_asked_about_together(priya: Visitor, three: dict[str, Account]) -> None:
    user("Ines", three["Ada"], role="admin")
    user("Joe", three["Bob"], role="admin")
    roles = {"people:0:field": "role", "people:0:op": "is", "people:0:value": "admin"}
    where = "accounts/rules/preview/?account=rules&user=people"

    assert "Plan is Pro and MRR is more than $50, and at least one user: role is admin." in text(
        priya.send(where, **BOTH, **roles)
    )
    assert "1</span> <b>user matches now" in text(priya.send(f"{where}&audience=users", **BOTH, **roles))


def test_lifecycles_narrow_a_preview(priya: Visitor, three: dict[str, Account]) -> None:
    answer = priya.send("accounts/rules/preview/?lifecycles=churned,unheard", **BOTH)

    assert '<span class="big-num">0</span> <b>accounts match now</b>' in text(answer)


def test_what_takes_too_long_is_said_and_breaks_nothing(priya: Visitor, three: dict[str, Account]) -> None:
    with (
        patch.object(matching, "LIMIT_MS", 1),
        patch.object(matching, "count_accounts", lambda *_, **__: matching.Sql("SELECT pg_sleep(1)")),
        patch.object(
            matching.Asking, "_matching", lambda self: matching.Sql("SELECT id FROM accounts_account, pg_sleep(1)")
        ),
    ):
        shown = text(priya.send("accounts/rules/preview/", **BOTH))

    assert "Too many to count while you wait." in shown


def test_one_account_is_explained_by_its_name(priya: Visitor, three: dict[str, Account]) -> None:
    exact = text(priya.send("accounts/rules/explain/", **BOTH, **{"rule-check": "bob foods"}))
    nobody = text(priya.send("accounts/rules/explain/", **BOTH, **{"rule-check": "\x00 xyz %"}))

    assert "Bob Foods does not match" in exact
    assert 'Not met: </span><span>MRR is more than $50</span><span class="val bad-text">$1</span>' in exact
    assert "No account of that name" in nobody


def test_of_several_accounts_one_is_chosen(priya: Visitor, three: dict[str, Account]) -> None:
    offered = text(priya.send("accounts/rules/explain/", **BOTH, **{"rule-check": "d"}))
    chosen = text(priya.send("accounts/rules/explain/", **BOTH, **{"rule-account": str(three["Ada"].pk)}))

    assert all(f">{three[name].name}</button>" in offered for name in three)
    assert "Ada Freight matches" in chosen


# --- as a filter ------------------------------------------------------------------------------------------------------


def test_a_rule_in_the_address_filters_the_table(priya: Visitor, three: dict[str, Account]) -> None:
    shown = text(priya.page(filtered({"all": [PRO, RICH]})))

    assert "Ada Freight" in shown
    assert "Bob Foods" not in shown
    assert "Cyd Games" not in shown


def test_each_condition_is_a_chip_that_goes_alone(priya: Visitor, three: dict[str, Account]) -> None:
    shown = text(priya.page(filtered({"all": [PRO, RICH]})))
    [link] = [part for part in shown.split('href="') if "Remove filter Plan is Pro" in part.split(">")[0]]

    assert "Remove filter MRR is more than $50" in shown
    left = parse_qs(urlsplit(link.split('"')[0].replace("&amp;", "&")).query)["filter"]
    assert [json.loads(one) for one in left] == [{"all": [RICH]}]


def test_alternatives_are_one_chip(priya: Visitor, three: dict[str, Account]) -> None:
    shown = text(priya.page(filtered({"any": [PRO, RICH]})))

    assert "Remove filter Plan is Pro or MRR is more than $50" in shown


def test_a_rule_stands_beside_search_facets_and_sort(priya: Visitor, three: dict[str, Account]) -> None:
    shown = text(priya.page(f"{filtered(PRO)}&q=bob&status=subscribed&sort=name"))

    assert ">Bob Foods</a>" in shown
    assert ">Ada Freight</a>" not in shown


HOSTILE = [
    "{",
    "null",
    "[]",
    "5",
    '"all"',
    "NaN",
    "[" * 50_000,
    '{"all":' * 30 + "1" + "}" * 30,
    '{"field": "trait:unknown", "op": "is", "value": "x"}',
    '{"field": "plan", "op": "is", "value": "\\u0000"}',
    '{"field": "plan\\ud800", "op": "is", "value": "\\ud800"}',
    '{"field": "mrr", "op": "more", "value": 1e999}',
    '{"field": "mrr", "op": "more", "value": ' + "9" * 5_000 + "}",
    '{"field": "plan", "op": "is", "value": "x\'; DROP TABLE accounts_account; --", "more": 1}',
    '{"any": [{"field": "plan", "op": "set"}, {"field": "plan", "op": "not_set"}]}',
    "x" * 70_000,
    "\x00",
]


@pytest.mark.parametrize("rule", HOSTILE, ids=range(len(HOSTILE)))
def test_what_is_no_rule_is_said_and_ignored(priya: Visitor, three: dict[str, Account], rule: str) -> None:
    answer = priya.page(filtered(rule))

    assert answer.status_code == 200
    assert "The filter in this address is ignored." in text(answer)
    assert "Cyd Games" in text(answer)
    assert priya.page(filtered(rule).replace("accounts/", "accounts/filter/")).status_code == 200


def test_the_builder_opens_with_the_rule_and_leads_back_with_the_new_one(priya: Visitor, three: Any) -> None:
    address = f"{filtered(PRO).replace('accounts/', 'accounts/filter/')}&q=a&after=x"
    page, dialog = priya.page(address), priya.fragment(address, "dialog")
    done = priya.submit(address, **BOTH)

    assert [is_whole(page), is_whole(dialog)] == [True, False]
    assert 'name="rules:0:value" value="Pro"' in text(dialog)
    back = QueryDict(urlsplit(done["Location"]).query)
    assert (back["q"], "after" in back) == ("a", False)
    assert json.loads(back["filter"]) == {"all": [PRO, RICH]}


def test_the_builder_can_begin_with_one_condition_more(priya: Visitor, three: Any) -> None:
    address = filtered(PRO).replace("accounts/", "accounts/filter/")
    picking = text(priya.page(f"{address}&add="))
    about_health = text(priya.page(f"{address}&add=health"))

    assert all(part in picking for part in ('name="rules:0:value" value="Pro"', "Search fields", "rules:picking"))
    assert 'name="rules:1:field" value="health"' in about_health
    assert "rules:picking" in text(priya.page(f"{address}&add=trait:unheard-of"))
    assert "add=" not in priya.submit(f"{address}&add=health", **BOTH)["Location"]


def test_a_condition_more_stands_beside_alternatives_and_is_none_of_them(priya: Visitor, three: Any) -> None:
    address = filtered({"any": [PRO, RICH]}).replace("accounts/", "accounts/filter/")
    page = text(priya.page(f"{address}&add=health"))

    assert 'name="rules:0.0:value" value="Pro"' in page
    assert 'name="rules:1:field" value="health"' in page


def test_without_scripts_a_button_shows_the_form_again_with_nothing_lost(priya: Visitor, three: Any) -> None:
    pressed = priya.submit("accounts/filter/", **BOTH, **{"rules:edit": "down 0"})

    assert pressed.status_code == 200
    assert is_whole(pressed)
    assert text(pressed).index('name="rules:0:value" value="50"') < text(pressed).index(
        'name="rules:1:value" value="Pro"'
    )
    assert 'class="error"' not in text(pressed)


def test_a_wrong_filter_comes_back_with_its_error(priya: Visitor, three: dict[str, Account]) -> None:
    answer = priya.submit("accounts/filter/", **BOTH | {"rules:1:value": "much"})

    assert answer.status_code == 422
    assert "Write an amount, such as 1200 or 12.50." in text(answer)


def test_an_emptied_builder_takes_the_filter_away(priya: Visitor, three: dict[str, Account]) -> None:
    answer = priya.submit(filtered(PRO).replace("accounts/", "accounts/filter/"))

    assert "filter" not in QueryDict(urlsplit(answer["Location"]).query)


def test_by_htmx_the_dialog_closes_and_the_list_changes(priya: Visitor, three: dict[str, Account]) -> None:
    answer = priya.send("accounts/filter/?sort=name", target="dialog", **BOTH)
    told = json.loads(answer["HX-Trigger"])

    assert answer.status_code == 204
    assert "dialog:close" in told
    assert told["list:chosen"]["address"].startswith("/w/orbiton/accounts/?sort=name&filter=")
