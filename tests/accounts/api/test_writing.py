"""Starting a conversation over REST, and settling what nobody knows."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from accounts.models import Account, Conversation, EndUser, TimelineEntry
from actions.base import Uncertain
from actions.by_people import send_by_people
from cs_platform.tenancy.context import tenant_context
from tests.rest.client import Api
from tests.world import MONDAY, Workspace, account, user


@pytest.fixture
def harbour(orbiton: Workspace) -> Account:
    with tenant_context(orbiton.tenant.pk):
        return account(csm=orbiton.priya, ae=orbiton.tom)


@pytest.fixture
def ben(orbiton: Workspace, harbour: Account) -> EndUser:
    with tenant_context(orbiton.tenant.pk):
        return user("Ben Novak", harbour, role="admin")


def write(api: Api, harbour: Account, ben: EndUser, *, key: str = "one", **parts: Any) -> Any:
    body = {"user": ben.pk, "subject": "Hello", "body": "Shall we talk?"} | parts
    return api.post(f"/accounts/{harbour.pk}/conversations/", body, Idempotency_Key=key)


def test_a_conversation_is_started_in_the_csms_name_and_says_who_wrote_it(
    api: Api, orbiton: Workspace, harbour: Account, ben: EndUser
) -> None:
    made = write(api, harbour, ben)

    assert made.status == 201
    assert (made.json["state"], made.json["sender"], made.json["user"]) == ("pending", orbiton.priya.pk, ben.pk)
    assert made.json["written_by"].startswith("key:")
    assert [one["id"] for one in api.get(f"/accounts/{harbour.pk}/conversations/").results] == [made.json["id"]]
    with tenant_context(orbiton.tenant.pk):
        assert TimelineEntry.objects.get().actor == made.json["written_by"]


def test_a_repeat_with_the_same_key_starts_no_other_and_one_without_is_refused(
    api: Api, orbiton: Workspace, harbour: Account, ben: EndUser
) -> None:
    first, second = write(api, harbour, ben), write(api, harbour, ben)
    without = api.post(f"/accounts/{harbour.pk}/conversations/", {"user": ben.pk, "subject": "Hello", "body": "?"})

    assert first.json["id"] == second.json["id"]
    assert without.status == 400
    with tenant_context(orbiton.tenant.pk):
        assert Conversation.objects.count() == 1


def test_it_waits_until_its_moment_and_can_be_changed_until_then(api: Api, harbour: Account, ben: EndUser) -> None:
    made = write(api, harbour, ben, send_at="2099-01-01T09:00:00Z")
    assert (made.status, made.errors) == (400, {"/send_at": "invalid"})

    made = write(api, harbour, ben, key="two")
    address = f"/conversations/{made.json['id']}/"
    assert api.patch(address, {"subject": "Better"}).json["subject"] == "Better"
    assert api.post(f"{address}cancel/").json["state"] == "cancelled"
    assert api.post(f"{address}send-again/", Idempotency_Key="again").status == 409


def test_while_it_waits_it_can_be_given_another_moment(
    api: Api, orbiton: Workspace, harbour: Account, ben: EndUser
) -> None:
    tomorrow, later = (datetime.now(UTC).replace(microsecond=0) + timedelta(days=n) for n in (1, 2))
    made = write(api, harbour, ben, send_at=tomorrow.isoformat())
    address = f"/conversations/{made.json['id']}/"

    moved = api.patch(address, {"send_at": later.isoformat(), "subject": "Better"})
    assert (datetime.fromisoformat(moved.json["send_at"]), moved.json["subject"]) == (later, "Better")
    for wrong in ("2020-01-01T09:00:00Z", "2999-01-01T09:00:00Z"):
        refused = api.patch(address, {"send_at": wrong, "subject": "Worse"})
        assert (refused.status, refused.errors) == (400, {"/send_at": "invalid"})
    assert api.get(address).json["subject"] == "Better"

    api.post(f"{address}cancel/")
    assert api.patch(address, {"send_at": tomorrow.isoformat()}).status == 409


def test_what_is_not_allowed_is_said_by_its_field(api: Api, orbiton: Workspace, harbour: Account, ben: EndUser) -> None:
    with tenant_context(orbiton.tenant.pk):
        eve = user("Eve Else", account("Elsewhere"))
        una = user("Una Unsub", harbour, unsubscribed_at=MONDAY)
        lonely = account("Lonely")
        lou = user("Lou Lonely", lonely)

    asked = {
        "elsewhere": write(api, harbour, eve, key="a"),
        "unsubscribed": write(api, harbour, una, key="b"),
        "observer": write(api, harbour, ben, key="c", sender=orbiton.omar.pk),
        "nowhere": write(api, harbour, ben, key="d", channel="intercom", connector="nowhere"),
        "gmail": write(api, harbour, ben, key="e", channel="gmail"),
        "nobody": write(api, lonely, lou, key="f"),
    }

    assert {name: next(iter(answer.errors)) for name, answer in asked.items()} == {
        "elsewhere": "/user",
        "unsubscribed": "/user",
        "observer": "/sender",
        "nowhere": "/channel",
        "gmail": "/channel",
        "nobody": "/sender",
    }


@pytest.mark.parametrize(("verb", "state"), [("arrived", "sent"), ("send-again", "pending")])
def test_what_nobody_knows_is_settled(
    api: Api, orbiton: Workspace, harbour: Account, ben: EndUser, verb: str, state: str
) -> None:
    made = write(api, harbour, ben)
    with tenant_context(orbiton.tenant.pk):
        now = Conversation.objects.get().send_at
    send_by_people(orbiton.tenant, now=now, deliver=lambda payload: Uncertain("The line went dead."))
    address = f"/conversations/{made.json['id']}/"
    uncertain = api.get(address).json
    assert (uncertain["state"], uncertain["problem"]) == ("uncertain", "The line went dead.")

    settled = [api.post(f"{address}{verb}/", Idempotency_Key=f"s{n}") for n in range(2)]

    assert [answer.status for answer in settled] == [200, 200]
    assert settled[0].json["state"] == state


def test_another_workspaces_account_is_not_there(api: Api, halyard: Workspace, ben: EndUser) -> None:
    with tenant_context(halyard.tenant.pk):
        theirs = account("Theirs", csm=halyard.priya)

    assert write(api, theirs, ben).status == 404
    assert api.get(f"/accounts/{theirs.pk}/conversations/").status == 404
