"""Built-in facts that somebody corrects by hand: what changes, what is told, and what an integration does later."""

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


@pytest.fixture
def acme(priya: Visitor, inside: Workspace) -> Account:
    facts = {"name": "Acme", "lifecycle": "trialing", "plan": "Pro", "mrr": "100", "external_id": "acme"}
    priya.submit("accounts/new/", **facts)
    return Account.objects.get()


AS_IT_IS = {"name": "Acme", "lifecycle": "trialing", "plan": "Pro", "mrr": "100.00"}


def edited(priya: Visitor, acme: Account, **facts: Any) -> Account:
    answer = priya.send(f"accounts/{acme.pk}/edit/", target="dialog", **(AS_IT_IS | facts))
    assert answer.status_code == 204, text(answer)
    return Account.objects.get()


def test_only_what_was_changed_is_written_and_told(priya: Visitor, acme: Account) -> None:
    given = {"name": "Acme Inc", "mrr": "250.50", "plan": "", "renewal_on": "2027-01-31", "timezone": "Europe/Berlin"}
    after = edited(priya, acme, **given)

    assert (after.name, after.mrr_cents, after.plan, after.renewal_on) == ("Acme Inc", 25_050, None, on(31, 1, 2027))
    assert (after.timezone, after.lifecycle) == ("Europe/Berlin", "trialing")
    told = TimelineEntry.objects.get(kind="account.edited")
    assert told.actor == priya.member.actor
    assert told.text == (
        "Name changed from Acme to Acme Inc, plan from Pro to nothing, MRR from $100 to $250.50,"
        " renewal from nothing to 31 Jan 2027, time zone from nothing to Europe/Berlin"
    )
    changes = TraitChange.objects.filter(actor=priya.member.actor).values_list("field", "before", "after")
    assert ("trait:plan", "Pro", None) in set(changes)


def test_a_form_that_is_only_opened_and_saved_changes_nothing(priya: Visitor, acme: Account) -> None:
    before = Account.objects.get().updated_at

    assert edited(priya, acme).updated_at == before
    assert not TimelineEntry.objects.filter(kind="account.edited").exists()


def test_what_an_integration_sends_next_replaces_it(priya: Visitor, inside: Workspace, acme: Account) -> None:
    later = edited(priya, acme, plan="Scale").updated_at + days(1)
    call = {"type": "group", "groupId": "acme", "traits": {"plan": "Pro"}, "timestamp": later.isoformat()}
    ingest_calls([call], tenant=inside.tenant, source="source:1", now=later)

    assert Account.objects.get().plan == "Pro"


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ({"name": ""}, "This field is required."),
        ({"mrr": "lots"}, "Enter a number."),
        ({"renewal_on": "soon"}, "Enter a valid date."),
        ({"timezone": "Berlin"}, "time zone"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_written(
    priya: Visitor, acme: Account, typed: dict[str, Any], said: str
) -> None:
    answer = priya.send(f"accounts/{acme.pk}/edit/", target="dialog", **(AS_IT_IS | {"plan": "Scale"} | typed))

    assert answer.status_code == 422
    assert said in text(answer)
    assert Account.objects.get().plan == "Pro"


def test_where_rules_decide_the_lifecycle_it_is_not_asked_for(priya: Visitor, inside: Workspace, acme: Account) -> None:
    assert 'name="lifecycle"' in text(priya.page(f"accounts/{acme.pk}/edit/"))
    gone = parse({"field": "plan", "op": "is", "value": "Gone"}, fields=workspace_fields(), subject=Subject.ACCOUNT)
    save_rules({"churned": gone}, tenant=inside.tenant, by=inside.jonah, now=inside.tenant.created_at)

    assert 'name="lifecycle"' not in text(priya.page(f"accounts/{acme.pk}/edit/"))


def test_a_user_is_renamed_and_that_is_told_where_they_work(priya: Visitor, acme: Account) -> None:
    ines = user("Ines", acme, email="ines@acme.example")
    answer = priya.send(f"users/{ines.pk}/edit/", target="dialog", name="Ines Falk", email="ines@acme.example")
    ines.refresh_from_db()

    assert (answer.status_code, ines.name, ines.email) == (204, "Ines Falk", "ines@acme.example")
    told = TimelineEntry.objects.get(kind="contact.edited")
    assert (told.account, told.end_user, told.text) == (acme, ines, "Ines Falk: Name changed from Ines to Ines Falk")


def test_nobody_gets_the_address_of_somebody_else_or_loses_their_last_name(priya: Visitor, acme: Account) -> None:
    ines, other = user("Ines", acme, email="ines@acme.example"), user("Dario", acme, email="dario@acme.example")
    taken = priya.send(f"users/{other.pk}/edit/", target="dialog", name="Dario", email="ines@acme.example")
    nameless = priya.send(f"users/{ines.pk}/edit/", target="dialog", name="", email="ines@acme.example")

    assert "Ines has this address already." in text(taken)
    assert "not taken away" in text(nameless)
    assert EndUser.objects.get(pk=other.pk).email == "dario@acme.example"


def test_a_user_comes_to_one_account_more_and_changes_the_role_at_another(priya: Visitor, acme: Account) -> None:
    bolt, ines = account("Bolt"), user("Ines", acme)
    for name, role in (("Bolt", "admin"), ("Acme", "owner"), ("Acme", "owner"), ("Acme", "")):
        assert priya.send(f"users/{ines.pk}/place/", target="dialog", account=name, role=role).status_code == 204

    roles = AccountUser.objects.filter(end_user=ines).values_list("account__name", "role")
    assert set(roles) == {("Bolt", "admin"), ("Acme", "")}
    told = TimelineEntry.objects.filter(kind="contact.edited").order_by("pk").values_list("account", "text")
    assert list(told) == [
        (bolt.pk, "Ines is admin here now"),
        (acme.pk, "Ines is owner here now"),
        (acme.pk, "Ines has no role here any more"),
    ]
    assert Account.objects.get(pk=bolt.pk).user_count == 1


def test_a_user_is_taken_out_of_an_account_which_then_counts_one_less(priya: Visitor, acme: Account) -> None:
    ines = user("Ines", acme, role="owner")
    Account.objects.update(user_count=1)
    dialog = text(priya.fragment(f"users/{ines.pk}/place/?account=acme&role=owner", "dialog"))
    answer = priya.send(f"users/{ines.pk}/accounts/{acme.pk}/leave/")

    assert "Take out of Acme" in dialog
    assert "Take out" not in text(priya.fragment(f"users/{ines.pk}/place/", "dialog"))
    assert (answer.status_code, AccountUser.objects.count()) == (204, 0)
    assert Account.objects.get().user_count == 0
    told = TimelineEntry.objects.get(kind="contact.left")
    assert (told.account, told.text) == (acme, "Ines does not belong here any more (was owner)")
    assert priya.send(f"users/{ines.pk}/accounts/{acme.pk}/leave/").status_code == 404


@pytest.mark.parametrize("page", ["accounts/{account}/edit/", "users/{user}/edit/", "users/{user}/place/"])
def test_the_forms_stand_alone_without_scripts_and_are_not_for_observers(
    priya: Visitor, inside: Workspace, acme: Account, page: str
) -> None:
    path = page.format(account=acme.pk, user=user("Ines", acme).pk)

    assert is_whole(priya.page(path))
    assert "hx-post" not in text(priya.page(path)).partition('id="main"')[2].partition("</form>")[0]
    assert Visitor(inside.omar).page(path).status_code == 403
    assert not is_whole(priya.fragment(path, "dialog"))
