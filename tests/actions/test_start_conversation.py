"""TRUST §2.3, “Mail / conversation …”, F24 and F34: looked at last thing before it leaves, never sent after a stop."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest
from pytest_django import Settings

from accounts.models import Account, AccountUser, Conversation, EndUser, Message, Suppression, TimelineEntry
from actions.base import Applied, Held, Prepared, Refused, Retry, Skipped, Uncertain
from actions.registry import action_for
from actions.types.start_conversation import StartConversation
from cs_platform.connectors.base import NotNow, Outcome, Rejected, Sent, Unknown
from cs_platform.connectors.smtp import Letter
from tests import world
from tests.actions.world import LATER, Played, kept, play, undone
from tests.connectors.mailserver import Server, mail_in, serving, text_of
from tests.world import MONDAY, Workspace


def hello(**parts: Any) -> dict[str, Any]:
    return {"sender": "csm", "subject": "Hello {{ user.first_name }}", "body": "From {{ sender.name }}"} | parts


@pytest.fixture
def drafted(harbour: Account, ben: EndUser) -> Played:
    return play("start_conversation", hello(review_hours=24), harbour)


@dataclass
class Outbox:
    """A transport that notes what it is given and answers as told."""

    answer: Callable[[Letter], Outcome] = lambda letter: Sent(letter.message_id)
    letters: list[Letter] = field(default_factory=list)

    def send(self, letter: Letter) -> Outcome:
        self.letters.append(letter)
        return self.answer(letter)


@pytest.fixture
def outbox(monkeypatch: pytest.MonkeyPatch) -> Outbox:
    box = Outbox()
    monkeypatch.setattr(StartConversation, "transport", box)
    return box


def loaded(played: Played) -> Any:
    """What the engine asks last thing before the call, for the one run."""
    (found,) = action_for("start_conversation").load(replace(played.batch, now=LATER)).values()  # type: ignore[attr-defined]
    return found


def deliver(played: Played) -> Any:
    action: Any = action_for("start_conversation")
    batch = replace(played.batch, now=LATER)
    outcomes = {run_id: action.deliver(payload) for run_id, payload in action.load(batch).items()}
    action.record(batch, outcomes)
    (outcome,) = outcomes.values()
    return outcome


def conversation() -> Conversation:
    return Conversation.objects.get()


# To whom, from whom, what


def test_it_drafts_to_the_key_contact(orbiton: Workspace, harbour: Account, ben: EndUser) -> None:
    lena = world.user("Lena Ruiz", harbour)
    AccountUser.objects.filter(end_user=lena).update(is_key_contact=True)

    play("start_conversation", hello(), harbour)

    draft = conversation()
    assert (draft.end_user, draft.to_email, draft.to_name) == (lena, "lena.ruiz@customer.example", "Lena Ruiz")
    assert (draft.sender, draft.subject, draft.body) == (orbiton.priya, "Hello Lena", "From Priya Raman")
    assert draft.state == "pending"


def test_without_a_key_contact_it_goes_to_the_first_owner_or_admin(harbour: Account) -> None:
    world.user("Member Mia", harbour)
    world.user("Admin Ana", harbour, role="admin")
    world.user("Owner Ole", harbour, role="owner")

    play("start_conversation", hello(), harbour)

    assert conversation().to_name == "Admin Ana"


def test_contacts_that_cannot_be_written_to_are_passed_over(harbour: Account) -> None:
    world.user("No Mail", harbour, role="owner", email=None)
    world.user("Gone Gus", harbour, role="owner", archived_at=MONDAY)
    world.user("Admin Ana", harbour, role="admin")

    play("start_conversation", hello(), harbour)

    assert conversation().to_name == "Admin Ana"


def test_without_any_contact_the_run_is_held(harbour: Account) -> None:
    world.user("Member Mia", harbour)

    (outcome,) = play("start_conversation", hello(), harbour).results

    assert isinstance(outcome, Held)
    assert outcome.code == "no_recipient"
    assert not Conversation.objects.exists()


def test_for_users_it_goes_to_the_user_themself(harbour: Account, ben: EndUser) -> None:
    mia = world.user("Member Mia", harbour)

    play("start_conversation", hello(), (harbour, mia))

    assert conversation().end_user == mia


def test_a_user_without_an_address_is_held(harbour: Account) -> None:
    nobody = world.user("No Mail", harbour, email="not an address")

    (outcome,) = play("start_conversation", hello(), (harbour, nobody)).results

    assert isinstance(outcome, Held)
    assert outcome.code == "no_recipient"


def test_a_deactivated_csm_gives_way_to_the_fallback_and_then_holds(
    orbiton: Workspace, harbour: Account, ben: EndUser
) -> None:
    orbiton.priya.deactivated_at = MONDAY
    orbiton.priya.save()

    (held,) = play("start_conversation", hello(), harbour).results
    play("start_conversation", hello(fallback_sender="member:maya@orbiton.example"), harbour)

    assert isinstance(held, Held)
    assert held.code == "no_assignee"
    assert conversation().sender == orbiton.maya


def test_a_missing_first_name_holds_and_is_never_hello_comma(harbour: Account) -> None:
    world.user("", harbour, role="admin", email="info@customer.example")

    (outcome,) = play("start_conversation", hello(subject="Hello {{ user.first_name }},"), harbour).results

    assert isinstance(outcome, Held)
    assert outcome.code == "missing_value"


@pytest.mark.parametrize("reason", ["unsubscribed", "bounced", "manual"])
def test_a_suppressed_address_is_skipped_at_once(harbour: Account, ben: EndUser, reason: str) -> None:
    Suppression.objects.create(email="ben.novak@customer.example", reason=reason, since=MONDAY)

    (outcome,) = play("start_conversation", hello(), harbour).results

    assert isinstance(outcome, Skipped)
    assert not Conversation.objects.exists()


def test_it_waits_for_review_as_long_as_it_says(drafted: Played) -> None:
    (outcome,) = drafted.results

    assert isinstance(outcome, Prepared)
    assert outcome.send_at == MONDAY + timedelta(hours=24) == conversation().send_at
    assert drafted.told == ["Email drafted to Ben Novak: Hello Ben"]


def test_preparing_a_run_again_finds_its_draft_as_people_left_it(orbiton: Workspace, drafted: Played) -> None:
    conversation().edit(subject="Better", body="Words", by=orbiton.priya, now=LATER)

    (again,) = action_for("start_conversation").prepare(drafted.batch).values()  # type: ignore[attr-defined]

    assert isinstance(again, Prepared)
    assert (conversation().subject, conversation().body) == ("Better", "Words")


# The last look


def test_what_leaves_is_the_draft_as_edited(orbiton: Workspace, drafted: Played) -> None:
    conversation().edit(subject="Better", body="Words", by=orbiton.priya, now=LATER)

    letter = loaded(drafted).letter

    assert (letter.subject, letter.body) == ("Better", "Words")
    assert (letter.from_name, letter.from_email) == ("Priya Raman", "priya@orbiton.example")
    assert letter.message_id == f"<run-{drafted.runs[0].id}@orbiton.example>"
    assert conversation().state == "sending"


def test_a_draft_a_person_cancelled_is_skipped_and_says_who(orbiton: Workspace, drafted: Played) -> None:
    conversation().cancel(by=orbiton.maya, now=LATER)

    assert loaded(drafted) == Skipped("The draft was cancelled by Maya Osei.")


def test_unsubscribed_since_is_skipped(drafted: Played, ben: EndUser) -> None:
    EndUser.objects.filter(pk=ben.pk).update(unsubscribed_at=LATER)

    assert loaded(drafted) == Skipped("Ben Novak has unsubscribed.")
    assert conversation().state == "cancelled"


@pytest.mark.parametrize("reason", ["unsubscribed", "bounced", "manual"])
def test_suppressed_since_is_skipped(drafted: Played, reason: str) -> None:
    Suppression.objects.create(email="ben.novak@customer.example", reason=reason, since=LATER)

    assert isinstance(loaded(drafted), Skipped)


def test_a_sender_who_left_since_holds_it_until_another_is_chosen(orbiton: Workspace, drafted: Played) -> None:
    orbiton.priya.deactivated_at = LATER
    orbiton.priya.save()

    held = loaded(drafted)
    assert isinstance(held, Held)
    assert held.code == "no_assignee"
    draft = conversation()
    draft.edit(subject=draft.subject, body=draft.body, sender=orbiton.maya, by=orbiton.maya, now=LATER)

    assert loaded(drafted).letter.from_email == "maya@orbiton.example"


@pytest.mark.parametrize("model", [Account, EndUser])
def test_an_account_or_user_gone_since_is_skipped(drafted: Played, model: Any) -> None:
    model.objects.update(archived_at=LATER)

    assert isinstance(loaded(drafted), Skipped)


# What comes of it


def test_a_sent_mail_is_kept_as_it_left(drafted: Played, outbox: Outbox) -> None:
    outcome = deliver(drafted)

    assert isinstance(outcome, Applied)
    assert (conversation().state, conversation().sent_at) == ("sent", LATER)
    message = Message.objects.get()
    assert (message.message_id, message.body) == (outbox.letters[0].message_id, "From Priya Raman")
    assert (message.from_email, message.to_email) == ("priya@orbiton.example", "ben.novak@customer.example")
    assert drafted.action.tell(drafted.batch.config, outcome.receipt) == "Email sent to Ben Novak: Hello Ben"


@pytest.mark.parametrize(
    ("answer", "outcome", "state"),
    [(NotNow("busy"), Retry, "pending"), (Rejected("no"), Refused, "failed"), (Unknown("?"), Uncertain, "sending")],
)
def test_what_did_not_arrive_says_so(
    drafted: Played, outbox: Outbox, answer: Outcome, outcome: type, state: str
) -> None:
    outbox.answer = lambda letter: answer

    assert isinstance(deliver(drafted), outcome)
    assert conversation().state == state
    assert not Message.objects.exists()


def test_a_retry_sends_the_same_message_id(drafted: Played, outbox: Outbox) -> None:
    outbox.answer = lambda letter: NotNow("busy")
    deliver(drafted)
    outbox.answer = lambda letter: Sent(letter.message_id)
    deliver(drafted)

    first, second = outbox.letters
    assert first.message_id == second.message_id == Message.objects.get().message_id


def test_recording_twice_keeps_one_message(drafted: Played, outbox: Outbox) -> None:
    outcome = deliver(drafted)

    drafted.action.record(drafted.batch, {drafted.runs[0].id: outcome})  # type: ignore[attr-defined]

    assert Message.objects.count() == 1


def test_an_uncertain_one_somebody_settles_as_sent_is_kept_as_a_message(drafted: Played, outbox: Outbox) -> None:
    outbox.answer = lambda letter: Unknown("?")
    deliver(drafted)

    receipt = drafted.receipts[0]
    drafted.action.record(drafted.batch, {drafted.runs[0].id: Applied(receipt)})  # type: ignore[attr-defined]

    assert conversation().state == "sent"
    assert Message.objects.get().message_id == outbox.letters[0].message_id


def test_it_leaves_by_a_real_mail_server(drafted: Played, settings: Settings) -> None:
    with serving(settings, Server()) as server:
        assert isinstance(deliver(drafted), Applied)

    mail = mail_in(server.taken[0])
    assert (mail["From"], mail["To"]) == (
        "Priya Raman <priya@orbiton.example>",
        "Ben Novak <ben.novak@customer.example>",
    )
    assert text_of(mail) == "From Priya Raman\n"


# Stop


def test_pending_it_is_cancelled_and_never_sent_after(orbiton: Workspace, drafted: Played, outbox: Outbox) -> None:
    conversation().edit(subject="Better", body="Words", by=orbiton.priya, now=LATER)

    assert undone(drafted.undo()) == ["The draft “Better” to Ben Novak is cancelled"]

    assert (conversation().state, conversation().cancelled_by, conversation().body) == (
        "cancelled",
        "playbook:1",
        "Words",
    )
    assert isinstance(loaded(drafted), Skipped)


def test_cancelling_undelivered_runs_withdraws_their_drafts(drafted: Played) -> None:
    action_for("start_conversation").cancel(drafted.batch)

    assert conversation().state == "cancelled"


def test_a_draft_a_person_cancelled_keeps_their_name(orbiton: Workspace, drafted: Played) -> None:
    conversation().cancel(by=orbiton.maya, now=LATER)

    assert undone(drafted.undo()) == ["“Hello Ben” to Ben Novak was never sent"]
    assert conversation().cancelled_by == orbiton.maya.actor


def test_sent_it_stays_sent_and_says_when(drafted: Played, outbox: Outbox) -> None:
    deliver(drafted)

    assert kept(drafted.undo()) == [("already_sent", "“Hello Ben” was sent to Ben Novak on 5 Nov")]
    assert conversation().state == "sent"


def test_on_the_wire_it_stays(drafted: Played) -> None:
    loaded(drafted)

    assert [code for code, _says in kept(drafted.undo())] == ["already_sent"]
    assert conversation().state == "sending"


def test_a_run_that_never_got_to_draft_has_nothing_to_cancel(harbour: Account, ben: EndUser, drafted: Played) -> None:
    Conversation.objects.all().delete()

    (says,) = undone(drafted.undo())

    assert says.endswith("will not be sent")


# What people do with a draft


def test_verbs_on_a_draft_are_told_and_remembered(orbiton: Workspace, drafted: Played) -> None:
    draft = conversation()

    assert draft.edit(subject="Better", body="Words", by=orbiton.priya, now=LATER)
    assert draft.send_now(by=orbiton.priya, now=LATER)
    assert draft.cancel(by=orbiton.priya, now=LATER)
    assert draft.cancel(by=orbiton.priya, now=LATER) is False

    draft = conversation()
    assert (draft.edited_by, draft.edited_at, draft.send_at) == (orbiton.priya, LATER, LATER)
    assert draft.cancelled_by == orbiton.priya.actor
    assert list(TimelineEntry.objects.order_by("id").values_list("text", flat=True)) == [
        "Draft edited: Better",
        "Draft released to be sent: Better",
        "Draft cancelled: Better",
    ]


@pytest.mark.parametrize("state", ["sending", "sent", "cancelled", "failed"])
def test_what_is_no_draft_any_more_cannot_be_changed(orbiton: Workspace, drafted: Played, state: str) -> None:
    stale = conversation()
    Conversation.objects.update(state=state)

    assert stale.edit(subject="x", body="y", by=orbiton.priya, now=LATER) is False
    assert stale.send_now(by=orbiton.priya, now=LATER) is False
    assert stale.cancel(by=orbiton.priya, now=LATER) is False
    assert conversation().subject == "Hello Ben"
