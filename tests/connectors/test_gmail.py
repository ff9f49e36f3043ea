"""A member's own Gmail: connected by their word, written from in their name, answered, bounced, revoked."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from email.message import EmailMessage
from typing import Any

import pytest
from pytest_django import Settings

from accounts.models import Account, Conversation, Message, SendingPolicy, Suppression, TimelineEntry
from cs_platform.connectors import mailboxes
from cs_platform.connectors.google import consent_url
from cs_platform.connectors.models import Mailbox
from cs_platform.tenancy.clock import database_now
from cs_platform.tenancy.context import tenant_context
from cs_platform.workspace.models import Notification
from playbooks.models import ActionRun, Playbook
from playbooks.pump import pump
from tests import world
from tests.connectors import google as fake
from tests.connectors.google import Google, callback
from tests.rest.client import Api
from tests.visitor import Visitor, text
from tests.world import MONDAY, Workspace, apply_now, days, live, playbook_json, tick

MAILBOX = "priya.raman@orbiton-mail.example"
VERIFIER = "v" * 64


@pytest.fixture
def google(settings: Settings) -> Iterator[Google]:
    with fake.google(settings, MAILBOX) as server:
        yield server


@pytest.fixture
def orbiton(db: None) -> Iterator[Workspace]:
    home = world.workspace("orbiton")
    with tenant_context(home.tenant.pk):
        SendingPolicy.objects.create(opens_at=0, closes_at=24, weekdays_only=False)
        yield home


@pytest.fixture
def harbour(orbiton: Workspace) -> Account:
    at = world.account("Harbourline Logistics", csm=orbiton.priya, plan="Pro")
    world.user("Ada Okafor", at, role="owner", email="ada@harbour.example")
    return at


def writing(**more: Any) -> Playbook:
    config = {"sender": "csm", "channel": "gmail", "subject": "Renewal", "body": "Hello Ada", **more}
    return live(playbook_json(steps=[{"key": "mail", "day": 1, "action": "start_conversation", "config": config}]))


def connected(google: Google, orbiton: Workspace, now: datetime = MONDAY) -> Mailbox:
    url = consent_url(state="s", verifier=VERIFIER, back_to=mailboxes.back_to(), email="")
    mailboxes.begin(orbiton.priya, code=google.consent(url)["code"], verifier=VERIFIER, now=now)
    tick(now=now)
    return Mailbox.objects.get()


def state() -> tuple[str, str]:
    run = ActionRun.objects.get()
    return run.state, run.reason_code


def mail(sender: str, subject: str, body: str, **headers: str) -> EmailMessage:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = sender, MAILBOX, subject
    message["Message-ID"] = f"<{abs(hash((sender, subject, body)))}@harbour.example>"
    for name, value in headers.items():
        message[name.replace("_", "-")] = value
    message.set_content(body)
    return message


# --- connecting -------------------------------------------------------------------------------------------------------


def test_a_member_connects_a_mailbox_in_the_browser_and_is_written_for(
    google: Google, orbiton: Workspace, harbour: Account
) -> None:
    priya = Visitor(orbiton.priya)
    assert "Connect Gmail" in text(priya.page("profile/"))
    asked = priya.page("mailbox/ask/")["Location"]
    assert asked.startswith(google.settings()["GOOGLE_CONSENT_URL"])

    back = priya.client.get(callback(google.consent(asked)))
    shown = text(priya.client.get(back["Location"], follow=True))
    assert "Your mailbox is being connected" in shown
    assert Mailbox.objects.get().state == "connecting"
    assert google.asked == []  # no request waits for Google

    pump("deliver", clock=database_now)
    assert MAILBOX in text(priya.fragment("profile/", "mailbox"))
    apply_now(writing(), harbour, now=database_now())
    (letter,) = google.sent()
    assert (letter["From"], letter["To"]) == (f"Priya Raman <{MAILBOX}>", "Ada Okafor <ada@harbour.example>")
    conversation = Conversation.objects.get()
    assert (conversation.state, conversation.channel, conversation.thread) == ("sent", "gmail", "thread-0")
    assert "1//refresh" not in Mailbox.objects.get().sealed

    priya.submit("mailbox/disconnect/")
    assert not Mailbox.objects.exists()


def test_an_answer_of_google_counts_once_and_only_in_the_browser_that_asked(google: Google, orbiton: Workspace) -> None:
    priya, tom = Visitor(orbiton.priya), Visitor(orbiton.tom)
    said = google.consent(priya.page("mailbox/ask/")["Location"])
    address = priya.client.get(callback(said))["Location"]

    assert "not one to a question of yours" in text(tom.client.get(address, follow=True))
    assert not Mailbox.objects.exists()
    priya.client.get(address)
    assert Mailbox.objects.get().member == orbiton.priya
    assert "not one to a question of yours" in text(priya.client.get(address, follow=True))
    assert priya.client.get(callback({"state": "forged", "code": "x"})).status_code == 404

    state = google.consent(tom.page("mailbox/ask/")["Location"])["state"]
    refused = tom.client.get(callback({"state": state, "error": "access_denied"}))
    assert "was not allowed" in text(tom.client.get(refused["Location"], follow=True))


@pytest.mark.parametrize("trouble", ["half a yes", "another verifier", "away for a while"])
def test_a_mailbox_that_cannot_be_connected_says_so(google: Google, orbiton: Workspace, trouble: str) -> None:
    google.granted = fake.SEND if trouble == "half a yes" else google.granted
    google.away = trouble == "away for a while"
    url = consent_url(state="s", verifier=VERIFIER, back_to=mailboxes.back_to(), email="")
    verifier = VERIFIER[::-1] + "x" if trouble == "another verifier" else VERIFIER
    mailboxes.begin(orbiton.priya, code=google.consent(url)["code"], verifier=verifier, now=MONDAY)
    tick(now=MONDAY)
    if not google.away:
        assert Mailbox.objects.get().state == "needs_reauth"
        return

    assert Mailbox.objects.get().state == "connecting"
    google.away = False
    tick(now=MONDAY + timedelta(minutes=3))
    assert Mailbox.objects.get().state == "active"


# --- sending ----------------------------------------------------------------------------------------------------------


AFTERWARDS = {
    fake.ACT_THEN_503: ("uncertain", "uncertain"),
    fake.ACT_THEN_HANG: ("uncertain", "uncertain"),
    fake.GARBLE: ("uncertain", "uncertain"),
    fake.LATER: ("scheduled", "retry"),
    fake.TOO_MUCH: ("scheduled", "retry"),
    fake.BAD_REQUEST: ("dead", "refused"),
}


@pytest.mark.parametrize("mood", AFTERWARDS)
def test_what_is_known_after_an_odd_answer(google: Google, orbiton: Workspace, harbour: Account, mood: str) -> None:
    connected(google, orbiton)
    google.mood = mood
    apply_now(writing(), harbour, now=MONDAY)
    assert state() == AFTERWARDS[mood]

    google.mood = fake.OK
    tick(now=MONDAY + timedelta(minutes=30))
    assert state()[0] == ("applied" if AFTERWARDS[mood][0] == "scheduled" else AFTERWARDS[mood][0])
    assert len(google.sent()) == (0 if mood == fake.BAD_REQUEST else 1)


def test_a_token_is_renewed_before_it_is_used_up_and_when_it_is_refused(
    google: Google, orbiton: Workspace, harbour: Account
) -> None:
    connected(google, orbiton)
    later = MONDAY + timedelta(hours=3)
    tick(now=later)
    assert google.renewals == 1

    google.expire()
    apply_now(writing(), harbour, now=later)
    tick(now=later + timedelta(seconds=20))
    assert (state()[0], google.renewals, len(google.sent())) == ("applied", 2, 1)


def test_a_revoked_grant_holds_what_waits_tells_its_owner_once_and_goes_on_when_it_is_given_again(
    google: Google, orbiton: Workspace, harbour: Account
) -> None:
    connected(google, orbiton)
    google.revoked = True
    apply_now(writing(), harbour, now=MONDAY)
    tick(now=MONDAY + timedelta(minutes=1))
    tick(now=MONDAY + timedelta(hours=2))
    assert state()[0] == "held"
    assert Mailbox.objects.get().state == "needs_reauth"
    assert "Token has been expired or revoked" in Mailbox.objects.get().state_reason
    assert list(Notification.objects.values_list("member__name", flat=True)) == ["Priya Raman"]
    assert google.sent() == []

    google.revoked = False
    connected(google, orbiton, now=MONDAY + timedelta(hours=3))
    assert (state()[0], len(google.sent())) == ("applied", 1)


def test_a_mailbox_that_may_not_send_is_given_up_after_a_few_tokens(
    google: Google, orbiton: Workspace, harbour: Account
) -> None:
    connected(google, orbiton)
    google.mood = fake.FORBIDDEN
    apply_now(writing(), harbour, now=MONDAY)
    for n in range(1, 6):
        tick(now=MONDAY + timedelta(seconds=30 * n))
    assert (Mailbox.objects.get().state, state()[0]) == ("needs_reauth", "held")
    assert google.renewals <= mailboxes.MOST_REFUSALS


def test_without_a_mailbox_it_waits_until_one_is_connected(
    google: Google, orbiton: Workspace, harbour: Account
) -> None:
    apply_now(writing(), harbour, now=MONDAY)
    assert state() == ("held", "no_mailbox")

    connected(google, orbiton, now=MONDAY + timedelta(hours=1))
    assert (state()[0], len(google.sent())) == ("applied", 1)


# --- what comes back --------------------------------------------------------------------------------------------------


def test_an_answer_is_kept_shown_and_told_and_nothing_else_is_read(
    google: Google, orbiton: Workspace, harbour: Account
) -> None:
    connected(google, orbiton)
    apply_now(writing(), harbour, now=MONDAY)
    thread = Conversation.objects.get().thread
    private = google.receive("family", mail("mum@home.example", "Sunday", "Lunch?"))
    away = mail("ada@harbour.example", "Away", "I am away", Auto_Submitted="auto-replied")
    google.receive(thread, away)
    tick(now=MONDAY + timedelta(minutes=5))
    assert Conversation.objects.get().replied_at is None

    answer = mail("Ada Okafor <ada@harbour.example>", "Re: Renewal", "Yes, let us talk.\n")
    google.receive(thread, answer)
    for minutes in (10, 15):
        tick(now=MONDAY + timedelta(minutes=minutes))
    assert f"messages/{private}" not in google.asked
    assert Conversation.objects.get().replied_at == MONDAY + timedelta(minutes=10)
    kept = Message.objects.filter(outgoing=False).order_by("at").values_list("body", flat=True)
    assert list(kept) == ["I am away", "Yes, let us talk."]
    told = TimelineEntry.objects.filter(kind="conversation.answered").order_by("at")
    assert [entry.text for entry in told] == [
        "ada@harbour.example answered automatically: Away",
        "Ada Okafor answered: Re: Renewal",
    ]
    page = text(Visitor(orbiton.priya).page(f"accounts/{harbour.pk}/"))
    assert "Yes, let us talk." in page
    notice = Notification.objects.get(kind="reply")
    assert (notice.member, notice.url) == (orbiton.priya, f"/w/orbiton/accounts/{harbour.pk}/#conversations")
    assert notice.text == "Ada Okafor of Harbourline Logistics answered: Re: Renewal"
    assert "Lunch?" not in page


def test_a_bounce_that_comes_later_keeps_everybody_from_writing_there_again(
    google: Google, orbiton: Workspace, harbour: Account
) -> None:
    connected(google, orbiton)
    apply_now(writing(), harbour, now=MONDAY)
    google.receive(Conversation.objects.get().thread, _report("ada@harbour.example", "failed", "5.1.1"))
    tick(now=MONDAY + timedelta(minutes=5))

    assert Suppression.objects.get().email == "ada@harbour.example"
    assert Conversation.objects.get().replied_at is None
    texts = TimelineEntry.objects.values_list("text", flat=True)
    assert "“Renewal” was not delivered: 550 5.1.1 no such user" in texts


@pytest.mark.parametrize(
    ("address", "action", "status"),
    [("ada@harbour.example", "delayed", "4.4.1"), ("eve@else.example", "failed", "5.1.1")],
)
def test_a_report_of_a_delay_or_of_somebody_else_is_no_bounce(
    google: Google, orbiton: Workspace, harbour: Account, address: str, action: str, status: str
) -> None:
    connected(google, orbiton)
    apply_now(writing(), harbour, now=MONDAY)
    google.receive(Conversation.objects.get().thread, _report(address, action, status))
    tick(now=MONDAY + timedelta(minutes=5))
    assert not Suppression.objects.exists()


def _report(address: str, action: str, status: str) -> EmailMessage:
    """As RFC 3464 has it."""
    raw = (
        "From: Mail Delivery Subsystem <mailer-daemon@googlemail.com>\r\nSubject: Delivery Status Notification\r\n"
        f"Message-ID: <dsn-{action}@mail.gmail.com>\r\nMIME-Version: 1.0\r\n"
        'Content-Type: multipart/report; report-type=delivery-status; boundary="b"\r\n\r\n'
        "--b\r\nContent-Type: text/plain\r\n\r\nAddress not found\r\n"
        "--b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; googlemail.com\r\n\r\n"
        f"Final-Recipient: rfc822; {address}\r\nAction: {action}\r\nStatus: {status}\r\n"
        f"Diagnostic-Code: smtp; 550 {status} no such user\r\n\r\n--b--\r\n"
    )
    message = fake.message_from_bytes(raw.encode(), policy=fake.policy.default)
    assert isinstance(message, EmailMessage)
    return message


def test_answers_are_found_by_their_date_when_gmail_has_forgotten_its_history(
    google: Google, orbiton: Workspace, harbour: Account
) -> None:
    connected(google, orbiton)
    apply_now(writing(), harbour, now=MONDAY)
    google.history_lost = True
    google.receive(Conversation.objects.get().thread, mail("ada@harbour.example", "Re: Renewal", "Yes"))
    tick(now=MONDAY + days(9))
    google.history_lost = False
    tick(now=MONDAY + days(10))

    assert list(Message.objects.filter(outgoing=False).values_list("body", flat=True)) == ["Yes"]


def test_an_answer_that_is_quicker_than_our_noting_what_it_answers_is_read_again(
    google: Google, orbiton: Workspace, harbour: Account
) -> None:
    connected(google, orbiton)
    apply_now(writing(), harbour, now=MONDAY)
    thread = Conversation.objects.get().thread
    Conversation.objects.update(state="sending", thread="", sending_at=MONDAY)
    google.receive(thread, mail("ada@harbour.example", "Re: Renewal", "Yes"))
    tick(now=MONDAY + timedelta(minutes=5))
    assert not Message.objects.filter(outgoing=False).exists()

    Conversation.objects.update(state="sent", thread=thread)
    for minutes in (10, 15):
        tick(now=MONDAY + timedelta(minutes=minutes))
    assert list(Message.objects.filter(outgoing=False).values_list("body", flat=True)) == ["Yes"]


def test_many_answers_are_read_page_by_page_and_one_that_was_deleted_is_passed_over(
    google: Google, orbiton: Workspace, harbour: Account
) -> None:
    connected(google, orbiton)
    apply_now(writing(), harbour, now=MONDAY)
    thread = Conversation.objects.get().thread
    for n in range(5):
        google.receive(thread, mail("ada@harbour.example", f"Re: {n}", f"Answer {n}"))
    del google.messages["m3"]
    tick(now=MONDAY + timedelta(minutes=5))

    assert Message.objects.filter(outgoing=False).count() == 4


# --- over REST --------------------------------------------------------------------------------------------------------


def test_admins_see_and_disconnect_mailboxes_over_rest_and_on_the_page(google: Google, orbiton: Workspace) -> None:
    mailbox = connected(google, orbiton)
    api = Api.with_key(orbiton.tenant, "connections")
    (found,) = api.get("/mailboxes/").results
    assert (found["email"], found["state"], "sealed" in found) == (MAILBOX, "active", False)
    assert MAILBOX in text(Visitor(orbiton.olga).page("settings/connectors/"))

    address = f"settings/connectors/mailboxes/{mailbox.pk}/disconnect/"
    assert Visitor(orbiton.tom).submit(address).status_code == 403
    assert "is disconnected" in text(Visitor(orbiton.olga).client.post(f"/w/orbiton/{address}", follow=True))
    assert api.ask("delete", f"/mailboxes/{connected(google, orbiton).pk}/").status == 204
    assert not Mailbox.objects.exists()
