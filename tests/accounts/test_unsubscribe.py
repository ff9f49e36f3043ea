"""The link in a message: it works without signing in, with one click, and tells nobody else's business."""

from collections.abc import Iterator

import pytest
from django.test import Client

from accounts.conversations.suppressing import leave_of, read_leave
from accounts.models import Conversation, EndUser, Suppression, TimelineEntry
from cs_platform.connectors.smtp import Letter
from cs_platform.tenancy.context import tenant_context
from tests import world
from tests.visitor import text
from tests.world import MONDAY


@pytest.fixture
def message(db: None) -> Iterator[Conversation]:
    space = world.workspace("orbiton")
    with tenant_context(space.tenant.pk):
        at = world.account(csm=space.priya)
        ben = world.user("Ben Novak", at)
        yield Conversation.objects.create(
            account=at, end_user=ben, subject="Hi", body="Hi", to_email="Ben.Novak@customer.example", to_name=ben.name,
            send_at=MONDAY, created_at=MONDAY, state="sent",
        )  # fmt: skip


def address(message: Conversation) -> str:
    return f"/unsubscribe/{leave_of(message.pk)}/"


def test_looking_at_it_changes_nothing(client: Client, message: Conversation) -> None:
    shown = client.get(address(message))

    assert "Orbiton will send no more messages of this kind to Ben.Novak@customer.example" in text(shown)
    assert not Suppression.objects.exists()


def test_one_click_of_a_mail_program_unsubscribes_for_good(message: Conversation) -> None:
    strict = Client(enforce_csrf_checks=True)

    answer = strict.post(address(message), {"List-Unsubscribe": "One-Click"})

    assert answer.status_code == 200
    assert "You are unsubscribed" in text(answer)
    assert EndUser.objects.get().unsubscribed_at is not None
    listed = Suppression.objects.get()
    assert (listed.email, listed.reason, listed.by) == (
        "ben.novak@customer.example",
        "unsubscribed",
        f"user:{message.end_user_id}",
    )
    strict.post(address(message), {"List-Unsubscribe": "One-Click"})
    assert [entry.text for entry in TimelineEntry.objects.all()] == ["Ben Novak unsubscribed"]


def test_the_recipient_may_take_it_back_and_a_bounce_stays(client: Client, message: Conversation) -> None:
    client.post(address(message))
    Suppression.objects.create(email="other@customer.example", reason="bounced", since=MONDAY)

    client.post(address(message), {"again": "1"})

    assert EndUser.objects.get().unsubscribed_at is None
    assert [listed.reason for listed in Suppression.objects.all()] == ["bounced"]


@pytest.mark.parametrize("bent", ["x", "", "é", "x" * 1_000])
def test_what_we_did_not_sign_leads_nowhere(client: Client, message: Conversation, bent: str) -> None:
    assert read_leave(bent) is None
    assert client.get(f"/unsubscribe/{str(leave_of(message.pk))[:-1]}{bent or 'A'}/").status_code == 404


def test_a_message_that_is_gone_leads_nowhere(client: Client, message: Conversation) -> None:
    gone = f"/unsubscribe/{leave_of(message.pk + 1)}/"

    assert client.get(gone).status_code == 404


def test_the_header_names_the_link_and_the_one_click() -> None:
    letter = Letter("<a@b>", MONDAY, "Priya", "p@orbiton.example", "Ben", "b@c.example", "Hi", "Hi", "https://x/u/")

    message = letter.message()

    assert message["List-Unsubscribe"] == "<https://x/u/>"
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
