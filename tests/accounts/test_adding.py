"""Accounts and users that people add by hand, in a dialog or on a page of its own."""

from typing import Any

import pytest

from accounts.fields import workspace_fields
from accounts.ingest.run import ingest_calls
from accounts.lifecycle import save_rules
from accounts.models import Account, AccountUser, EndUser, TimelineEntry, TraitChange
from accounts.rules.fields import Subject
from accounts.rules.grammar import parse
from tests.visitor import Visitor, is_whole, text
from tests.world import Workspace, account, days, on, user

FACTS = {"name": "Harbourline", "lifecycle": "trialing", "plan": "Pro", "mrr": "1200.50", "renewal_on": "2027-01-31"}


def test_an_account_is_added_with_what_is_known_and_who_looks_after_it(priya: Visitor, inside: Workspace) -> None:
    answer = priya.send("accounts/new/", target="dialog", **FACTS, csm=inside.tom.pk)
    made = Account.objects.get()

    assert answer.headers["HX-Redirect"] == made.get_absolute_url()
    assert (made.name, made.lifecycle, made.plan, made.mrr_cents) == ("Harbourline", "trialing", "Pro", 120_050)
    assert (made.renewal_on, made.csm, made.ae) == (on(31, 1, 2027), inside.tom, None)
    assert len(made.external_id) == 36
    told = TimelineEntry.objects.order_by("pk").values_list("text", "actor")
    assert list(told) == [
        ("Account added", inside.priya.actor),
        ("CSM changed from nobody to Tom Lindqvist", inside.priya.actor),
    ]
    assert TraitChange.objects.get().field == "csm"


def test_what_a_source_sends_later_goes_to_the_same_account(priya: Visitor, inside: Workspace) -> None:
    priya.submit("accounts/new/", name="Harbourline", external_id="acme", lifecycle="subscribed")
    later = Account.objects.get().created_at + days(1)
    call = {"type": "group", "groupId": "acme", "traits": {"plan": "Scale"}, "timestamp": later.isoformat()}
    ingest_calls([call], tenant=inside.tenant, source="source:1", now=later)

    assert (Account.objects.get().name, Account.objects.get().plan) == ("Harbourline", "Scale")


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ({"name": ""}, "This field is required."),
        ({"external_id": "known"}, "There is one with this id already."),
        ({"mrr": "lots"}, "Enter a number."),
        ({"csm": "999999"}, "Choose somebody of the team."),
    ],
)
def test_what_cannot_be_added_comes_back_with_what_to_do(priya: Visitor, typed: dict[str, Any], said: str) -> None:
    account("Known", external_id="known")
    answer = priya.send("accounts/new/", target="dialog", **(FACTS | typed))

    assert (answer.status_code, Account.objects.count()) == (422, 1)
    assert said in text(answer)


def test_where_rules_decide_the_status_nobody_is_asked(priya: Visitor, inside: Workspace) -> None:
    gone = parse({"field": "plan", "op": "is", "value": "Gone"}, fields=workspace_fields(), subject=Subject.ACCOUNT)
    save_rules({"churned": gone}, tenant=inside.tenant, by=inside.jonah, now=inside.tenant.created_at)

    assert 'name="lifecycle"' not in text(priya.fragment("accounts/new/", "dialog"))
    priya.submit("accounts/new/", name="Harbourline")
    assert Account.objects.get().name == "Harbourline"


def test_a_user_is_added_at_an_account_by_its_name(priya: Visitor, inside: Workspace) -> None:
    at = account("Harbourline")
    answer = priya.submit("users/new/", name="Ada King", email="ada@x.example", account="Harbourline", role="admin")
    made = EndUser.objects.get()

    assert answer.headers["Location"].endswith(f"/users/{made.pk}/")
    assert (made.name, made.email) == ("Ada King", "ada@x.example")
    assert AccountUser.objects.values_list("account", "role").get() == (at.pk, "admin")
    assert Account.objects.get().user_count == 1
    assert TimelineEntry.objects.values_list("account", "text").get() == (at.pk, "Ada King added")


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ({}, "Enter a name or an email address."),
        ({"email": "Ann@customer.example"}, "Ann has this address already."),
        ({"name": "Bo", "account": "Nowhere"}, "No account has this name."),
        ({"name": "Bo", "role": "admin"}, "Say at which account they have this role."),
    ],
)
def test_a_user_that_cannot_be_added_comes_back_with_what_to_do(
    priya: Visitor, typed: dict[str, Any], said: str
) -> None:
    user("Ann")
    answer = priya.submit("users/new/", **typed)

    assert (answer.status_code, EndUser.objects.count()) == (422, 1)
    assert said in text(answer)


def test_the_tables_offer_it_to_who_may_and_the_page_of_an_account_names_it(priya: Visitor, inside: Workspace) -> None:
    at = account("Harbourline")

    assert "New account" in text(priya.page("accounts/"))
    assert "New user" in text(priya.page("users/"))
    assert f'value="{at.external_id}"' in text(priya.page(f"users/new/?account={at.pk}"))
    assert "New account" not in text(Visitor(inside.omar).page("accounts/"))
    assert is_whole(priya.page("accounts/new/"))
