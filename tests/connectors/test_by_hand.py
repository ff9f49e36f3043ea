"""What people write by hand, by their own Gmail and by Intercom: in moods, refused, answered."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from email.message import EmailMessage
from uuid import uuid4

import pytest
from pytest_django import Settings

from accounts.models import Account, Conversation, EndUser, Message, TimelineEntry
from accounts.writing import Written, start
from actions.by_people import it_arrived
from cs_platform.connectors import mailboxes
from cs_platform.connectors.google import consent_url
from cs_platform.connectors.managing import connect, renew_secret
from cs_platform.connectors.models import Connector, Mailbox
from cs_platform.tenancy.context import tenant_context
from cs_platform.workspace.models import Notification
from tests import world
from tests.connectors import google as fake_google
from tests.connectors import intercom as fake_intercom
from tests.connectors.google import Google
from tests.connectors.intercom import TOKEN, Intercom
from tests.world import MONDAY, Workspace, tick

MAILBOX = "priya.raman@orbiton-mail.example"
VERIFIER = "v" * 64


@pytest.fixture
def google(settings: Settings) -> Iterator[Google]:
    with fake_google.google(settings, MAILBOX) as server:
        yield server


@pytest.fixture
def intercom(settings: Settings) -> Iterator[Intercom]:
    with fake_intercom.intercom(settings) as server:
        yield server


@pytest.fixture
def orbiton(db: None) -> Iterator[Workspace]:
    home = world.workspace("orbiton")
    with tenant_context(home.tenant.pk):
        yield home


@pytest.fixture
def harbour(orbiton: Workspace) -> Account:
    return world.account("Harbourline Logistics", csm=orbiton.priya)


@pytest.fixture
def ada(harbour: Account) -> EndUser:
    return world.user("Ada Okafor", harbour, role="owner", email="ada@harbour.example")


def mailbox(google: Google, orbiton: Workspace, now: datetime = MONDAY) -> Mailbox:
    url = consent_url(state="s", verifier=VERIFIER, back_to=mailboxes.back_to(), email="")
    mailboxes.begin(orbiton.priya, code=google.consent(url)["code"], verifier=VERIFIER, now=now)
    tick(now=now)
    return Mailbox.objects.get()


def connector(orbiton: Workspace, token: str = TOKEN) -> Connector:
    return connect(kind="intercom", key="talk", name="Our Intercom", secret=token, by=orbiton.olga, now=MONDAY)[0]


def write(orbiton: Workspace, harbour: Account, ada: EndUser, way: str) -> Conversation:
    letter = Written(uuid4(), ada, orbiton.priya, way, "Renewal", "Hello Ada", MONDAY)
    return start(harbour, letter, by=orbiton.priya, now=MONDAY)


def state(letter: Conversation) -> str:
    letter.refresh_from_db()
    return letter.state


# By one's own Gmail


def test_it_leaves_from_ones_own_mailbox_and_its_answer_comes_back(
    google: Google, orbiton: Workspace, harbour: Account, ada: EndUser
) -> None:
    mailbox(google, orbiton)
    letter = write(orbiton, harbour, ada, "gmail")
    tick(now=MONDAY)

    (sent,) = google.sent()
    assert (sent["From"], sent["To"]) == (f"Priya Raman <{MAILBOX}>", "Ada Okafor <ada@harbour.example>")
    assert (state(letter), letter.thread) == ("sent", "thread-0")
    assert Message.objects.get().from_email == MAILBOX

    answer = EmailMessage()
    answer["From"], answer["To"], answer["Subject"] = "Ada Okafor <ada@harbour.example>", MAILBOX, "Re: Renewal"
    answer["Message-ID"] = "<yes@harbour.example>"
    answer.set_content("Yes.")
    google.receive(letter.thread, answer)
    tick(now=MONDAY + timedelta(minutes=5))

    assert TimelineEntry.objects.latest("pk").text == "Ada Okafor answered: Re: Renewal"
    assert Notification.objects.get().member == orbiton.priya


@pytest.mark.parametrize(
    ("mood", "expected", "arrived"),
    [
        (fake_google.GARBLE, "uncertain", 1),
        (fake_google.LATER, "pending", 0),
        (fake_google.TOO_MUCH, "pending", 0),
        (fake_google.BAD_REQUEST, "failed", 0),
    ],
)
def test_what_is_known_after_an_odd_answer_of_google(
    google: Google, orbiton: Workspace, harbour: Account, ada: EndUser, mood: str, expected: str, arrived: int
) -> None:
    mailbox(google, orbiton)
    google.mood = mood
    letter = write(orbiton, harbour, ada, "gmail")
    tick(now=MONDAY)
    assert (state(letter), len(google.sent())) == (expected, arrived)

    google.mood = fake_google.OK
    tick(now=MONDAY + timedelta(hours=1))
    assert state(letter) == ("sent" if expected == "pending" else expected)
    assert len(google.sent()) == (0 if expected == "failed" else 1)


def test_one_that_is_said_to_have_arrived_is_kept_as_from_the_mailbox(
    google: Google, orbiton: Workspace, harbour: Account, ada: EndUser
) -> None:
    mailbox(google, orbiton)
    google.mood = fake_google.GARBLE
    letter = write(orbiton, harbour, ada, "gmail")
    tick(now=MONDAY)

    assert it_arrived(letter, by=orbiton.priya, now=MONDAY)

    assert Message.objects.get().from_email == MAILBOX
    assert Message.objects.get().message_id == google.sent()[0]["Message-ID"]


def test_a_token_that_ran_out_is_renewed_first(
    google: Google, orbiton: Workspace, harbour: Account, ada: EndUser
) -> None:
    mailbox(google, orbiton)
    google.expire()
    letter = write(orbiton, harbour, ada, "gmail")
    for seconds in (0, 20, 40):
        tick(now=MONDAY + timedelta(seconds=seconds))

    assert (state(letter), google.renewals, len(google.sent())) == ("sent", 1, 1)


def test_a_mailbox_that_refuses_us_makes_it_wait_until_it_is_connected_again(
    google: Google, orbiton: Workspace, harbour: Account, ada: EndUser
) -> None:
    mailbox(google, orbiton)
    letter = write(orbiton, harbour, ada, "gmail")
    Mailbox.objects.update(state="needs_reauth", state_reason="Token has been revoked.")
    tick(now=MONDAY)
    assert (state(letter), letter.send_at) == ("pending", MONDAY + timedelta(minutes=10))
    assert "Token has been revoked." in letter.problem

    mailbox(google, orbiton, now=MONDAY + timedelta(minutes=5))
    tick(now=MONDAY + timedelta(minutes=10))
    assert (state(letter), letter.problem) == ("sent", "")


# By Intercom


def test_it_goes_from_the_teammate_to_the_contact_and_its_answer_comes_back(
    intercom: Intercom, orbiton: Workspace, harbour: Account, ada: EndUser
) -> None:
    connector(orbiton)
    letter = write(orbiton, harbour, ada, "intercom:talk")
    tick(now=MONDAY)
    (message,) = intercom.messages
    assert (state(letter), letter.thread) == ("sent", message["id"])

    later = MONDAY + timedelta(minutes=5)
    intercom.answer(message["id"], "<p>Yes</p>", at=int(later.timestamp()))
    tick(now=later + timedelta(minutes=1))
    assert [one.body for one in Message.objects.filter(outgoing=False)] == ["Yes"]


@pytest.mark.parametrize(
    ("mood", "expected", "arrived"),
    [
        (fake_intercom.ACT_THEN_503, "uncertain", 1),
        (fake_intercom.LATER, "pending", 0),
        (fake_intercom.BAD_REQUEST, "failed", 0),
    ],
)
def test_what_is_known_after_an_odd_answer_of_intercom(
    intercom: Intercom, orbiton: Workspace, harbour: Account, ada: EndUser, mood: str, expected: str, arrived: int
) -> None:
    connector(orbiton)
    intercom.mood, intercom.reset_at = mood, int((MONDAY + timedelta(minutes=10)).timestamp())
    letter = write(orbiton, harbour, ada, "intercom:talk")
    tick(now=MONDAY)
    assert (state(letter), len(intercom.messages)) == (expected, arrived)

    intercom.mood = fake_intercom.OK
    tick(now=MONDAY + timedelta(minutes=11))
    assert state(letter) == ("sent" if expected == "pending" else expected)


def test_a_secret_that_is_not_good_any_more_makes_it_wait_and_tells_admins(
    intercom: Intercom, orbiton: Workspace, harbour: Account, ada: EndUser
) -> None:
    held = connector(orbiton, token="another-token")
    letter = write(orbiton, harbour, ada, "intercom:talk")
    tick(now=MONDAY)
    assert state(letter) == "pending"
    assert sorted(Notification.objects.values_list("member__name", flat=True)) == ["Jonah Weiss", "Olga Lind"]

    held.refresh_from_db()
    renew_secret(held, secret=TOKEN, by=orbiton.olga, now=MONDAY)
    tick(now=MONDAY + timedelta(minutes=10))
    assert (state(letter), len(intercom.messages)) == ("sent", 1)
