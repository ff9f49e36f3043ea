"""What people write leaves at its time, once: through real mail servers in every mood, crashes and races included."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from threading import Barrier
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from pytest_django import Settings

from accounts.models import Account, Conversation, EndUser, Message, Suppression, TimelineEntry
from accounts.writing import Written, start
from actions import by_people
from actions.base import Applied, DeliveryOutcome, Refused, Retry, Uncertain
from actions.by_people import it_arrived, send_again, send_by_people
from actions.letters import Payload
from cs_platform.tenancy.context import tenant_context
from cs_platform.tenancy.models import WorkDue
from cs_platform.workspace.models import Notification
from tests.connectors.mailserver import Server, mail_in, scripted, serving, text_of
from tests.world import MONDAY, Workspace, account, user, workspace

HOUR = timedelta(hours=1)
LEASE = timedelta(seconds=61)
GREETING, EHLO, OK, DATA = b"220 hi\r\n", b"250 hi\r\n", b"250 OK\r\n", b"354 go on\r\n"


@pytest.fixture
def letter(orbiton: Workspace, harbour: Account, ben: EndUser) -> Conversation:
    return write(orbiton, harbour, ben)


def write(space: Workspace, account: Account, to: EndUser, **parts: Any) -> Conversation:
    known: dict[str, Any] = {"hand_id": uuid4(), "way": "smtp", "subject": "Hello", "body": "Shall we\ntalk?"}
    written = Written(to=to, sender=space.priya, **(known | {"send_at": MONDAY} | parts))
    return start(account, written, by=space.priya, now=MONDAY)


def go(space: Workspace, now: datetime = MONDAY, **how: Any) -> int:
    return send_by_people(space.tenant, now=now, **how)


def answering(outcome: DeliveryOutcome) -> Callable[[Payload], DeliveryOutcome]:
    return lambda payload: outcome


def now_is(letter: Conversation) -> Conversation:
    letter.refresh_from_db()
    return letter


def told() -> list[str]:
    return list(TimelineEntry.objects.order_by("pk").values_list("text", flat=True))[1:]


# It leaves


def test_it_leaves_by_a_real_mail_server_and_is_kept_as_it_left(
    orbiton: Workspace, letter: Conversation, settings: Settings
) -> None:
    with serving(settings, Server()) as server:
        assert go(orbiton) == 1
        assert go(orbiton) == 0

    (taken,) = server.taken
    mail = mail_in(taken)
    assert mail["To"] == "Ben Novak <ben.novak@customer.example>"
    assert mail["From"] == "Priya Raman <priya@orbiton.example>"
    assert text_of(mail) == "Shall we\ntalk?\n"
    assert "unsubscribe" in mail["List-Unsubscribe"]
    assert mail["Message-ID"] == f"<mail-{letter.hand_id}@orbiton.example>"
    assert (now_is(letter).state, letter.sent_at, letter.lease_token) == ("sent", MONDAY, None)
    message = Message.objects.get()
    assert (message.message_id, message.from_email) == (mail["Message-ID"], "priya@orbiton.example")
    entry = TimelineEntry.objects.latest("pk")
    assert (entry.text, entry.actor) == ("Email sent to Ben Novak: Hello", orbiton.priya.actor)


def test_it_leaves_at_its_moment_whatever_the_hour(orbiton: Workspace, harbour: Account, ben: EndUser) -> None:
    """Not before; and the sending hours of playbooks are none of its business."""
    night = MONDAY + timedelta(hours=14)
    letter = write(orbiton, harbour, ben, send_at=night)

    assert go(orbiton, night - timedelta(seconds=1), deliver=answering(Applied({}))) == 0
    go(orbiton, night, deliver=lambda payload: Applied(payload.receipt))

    assert (now_is(letter).state, letter.sent_at) == ("sent", night)


def test_several_are_out_at_once(orbiton: Workspace, harbour: Account, ben: EndUser) -> None:
    """Each waits until all are: one after the other they would never come back."""
    for _ in range(3):
        write(orbiton, harbour, ben)
    together = Barrier(3, timeout=10)

    def wait(payload: Payload) -> DeliveryOutcome:
        together.wait()
        return Applied(payload.receipt)

    assert go(orbiton, deliver=wait) == 3
    assert set(Conversation.objects.values_list("state", flat=True)) == {"sent"}


def test_the_marker_is_there_before_the_call(orbiton: Workspace, letter: Conversation, monkeypatch: Any) -> None:
    seen = []

    def look(tenant: Any, taken: Any, *args: Any) -> None:
        seen.append((now_is(letter).state, letter.lease_token == taken.token, letter.sending_at))

    monkeypatch.setattr(by_people, "_deliver", look)
    go(orbiton)

    assert seen == [("sending", True, MONDAY)]


# It does not leave


@pytest.mark.parametrize("reason", ["bounced", "manual", "unsubscribed"])
def test_who_is_on_the_list_by_then_is_not_written_to(orbiton: Workspace, letter: Conversation, reason: str) -> None:
    Suppression.objects.create(email="ben.novak@customer.example", reason=reason, since=MONDAY)
    sent: list[Payload] = []

    go(orbiton, deliver=lambda payload: sent.append(payload) or Applied({}))

    assert sent == []
    assert now_is(letter).state == "failed"
    assert letter.problem.startswith("Ben Novak ")
    assert told() == [f"“Hello” to Ben Novak was not sent: {letter.problem}"]
    assert Notification.objects.get().member == orbiton.priya


@pytest.mark.parametrize("model", [Account, EndUser])
def test_nor_is_who_is_gone(orbiton: Workspace, letter: Conversation, model: Any) -> None:
    model.objects.update(archived_at=MONDAY)

    go(orbiton, deliver=answering(Applied({})))

    assert (now_is(letter).state, letter.problem) == ("failed", "The account or the user is archived.")


def test_one_that_was_cancelled_does_not(orbiton: Workspace, letter: Conversation) -> None:
    letter.cancel(by=orbiton.maya, now=MONDAY)

    assert go(orbiton, deliver=answering(Applied({}))) == 0
    assert now_is(letter).state == "cancelled"


def test_a_sender_who_left_keeps_it_waiting_for_another(orbiton: Workspace, letter: Conversation) -> None:
    orbiton.priya.deactivated_at = MONDAY
    orbiton.priya.save()

    go(orbiton, deliver=answering(Applied({})))

    assert (now_is(letter).state, letter.send_at) == ("pending", MONDAY + timedelta(minutes=10))
    assert "no longer active" in letter.problem


def test_one_more_than_a_day_late_asks_first(orbiton: Workspace, letter: Conversation) -> None:
    go(orbiton, MONDAY + timedelta(days=2), deliver=answering(Applied({})))

    assert now_is(letter).state == "failed"
    assert "more than a day late" in letter.problem


def test_a_server_that_refuses_says_why_and_an_unknown_address_is_remembered(
    orbiton: Workspace, letter: Conversation, settings: Settings
) -> None:
    with serving(settings, Server(rcpt="550 nobody here")):
        go(orbiton)

    assert now_is(letter).state == "failed"
    assert "550 nobody here" in letter.problem
    listed = Suppression.objects.get()
    assert (listed.email, listed.reason, listed.by) == ("ben.novak@customer.example", "bounced", orbiton.priya.actor)


# It waits and is tried again


def test_a_busy_server_is_asked_again_later_with_the_same_id(
    orbiton: Workspace, letter: Conversation, settings: Settings
) -> None:
    with serving(settings, Server(data="451 later")) as busy:
        go(orbiton)
    assert (now_is(letter).state, letter.attempts, letter.lease_token) == ("pending", 1, None)
    assert MONDAY < letter.send_at <= MONDAY + timedelta(seconds=30)
    assert "451 later" in letter.problem

    with serving(settings, Server()) as well:
        go(orbiton, MONDAY + HOUR)
    assert (now_is(letter).state, letter.problem) == ("sent", "")
    assert mail_in(busy.taken[0])["Message-ID"] == mail_in(well.taken[0])["Message-ID"]


def test_a_server_that_cannot_be_reached_costs_nothing(
    orbiton: Workspace, letter: Conversation, settings: Settings
) -> None:
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 1

    go(orbiton)

    assert (now_is(letter).state, letter.attempts) == ("pending", 1)


def test_after_ten_tries_it_counts_as_not_sent(orbiton: Workspace, letter: Conversation) -> None:
    for n in range(10):
        assert now_is(letter).state == "pending"
        go(orbiton, MONDAY + n * HOUR, deliver=answering(Retry("busy")))

    assert (now_is(letter).state, letter.problem, letter.attempts) == ("failed", "busy", 10)


def test_being_asked_to_slow_down_is_no_try(orbiton: Workspace, letter: Conversation) -> None:
    until = MONDAY + timedelta(minutes=5)

    go(orbiton, deliver=answering(Retry("429", until, counts=False)))

    assert (now_is(letter).state, letter.attempts, letter.send_at) == ("pending", 0, until)


def test_whoever_was_frozen_too_long_begins_no_call(
    orbiton: Workspace, letter: Conversation, settings: Settings
) -> None:
    settings.LEASE_SECONDS = -1
    sent: list[Payload] = []

    go(orbiton, deliver=lambda payload: sent.append(payload) or Applied({}))

    assert sent == []
    assert now_is(letter).state == "pending"


# Nobody knows


def test_a_server_that_hangs_up_after_the_letter_makes_it_uncertain_and_nothing_repeats_it(
    orbiton: Workspace, letter: Conversation, settings: Settings
) -> None:
    with scripted(settings, GREETING, EHLO, OK, OK, DATA):
        go(orbiton)
    assert now_is(letter).state == "uncertain"
    assert "did not confirm" in letter.problem
    assert told()[0].startswith("Nobody knows whether “Hello” reached Ben Novak: ")
    assert Notification.objects.filter(member=orbiton.priya).count() == 1

    sent: list[Payload] = []
    for days in range(3):
        go(orbiton, MONDAY + timedelta(days=days), deliver=lambda payload: sent.append(payload) or Applied({}))
    assert sent == []
    assert now_is(letter).state == "uncertain"


def test_an_error_in_the_call_is_uncertain_too(orbiton: Workspace, letter: Conversation) -> None:
    def breaks(payload: Payload) -> DeliveryOutcome:
        raise RuntimeError("what was that")

    go(orbiton, deliver=breaks)

    assert now_is(letter).state == "uncertain"


def test_an_outcome_that_cannot_be_written_down_stays_marked_and_becomes_uncertain(
    orbiton: Workspace, harbour: Account, ben: EndUser, monkeypatch: Any
) -> None:
    """And keeps no other letter's outcome from being written down."""
    lost, kept = write(orbiton, harbour, ben, subject="Lost"), write(orbiton, harbour, ben, subject="Kept")
    tell = by_people.tell

    def breaks(row: Conversation, *args: Any, **kwargs: Any) -> None:
        if row.subject == "Lost":
            raise RuntimeError("the database went away")
        tell(row, *args, **kwargs)

    with monkeypatch.context() as patched:
        patched.setattr(by_people, "tell", breaks)
        go(orbiton, deliver=lambda payload: Applied(payload.receipt))
    assert (now_is(lost).state, now_is(kept).state) == ("sending", "sent")

    go(orbiton, MONDAY + LEASE, deliver=answering(Applied({})))
    assert now_is(lost).state == "uncertain"


def test_an_answer_that_comes_after_the_lease_is_still_known(orbiton: Workspace, letter: Conversation) -> None:
    def slow(payload: Payload) -> DeliveryOutcome:
        return Applied(payload.receipt)

    write_down = by_people._write_down

    def late(*args: Any) -> None:
        go(orbiton, MONDAY + LEASE, deliver=answering(Applied({})))
        assert now_is(letter).state == "uncertain"
        write_down(*args)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(by_people, "_write_down", late)
        go(orbiton, deliver=slow)

    assert now_is(letter).state == "sent"


# What people say of it


@pytest.fixture
def uncertain(orbiton: Workspace, letter: Conversation) -> Conversation:
    go(orbiton, deliver=answering(Uncertain("The line went dead.")))
    return now_is(letter)


def test_it_arrived_says_somebody_and_so_it_is_kept(orbiton: Workspace, uncertain: Conversation) -> None:
    assert it_arrived(uncertain, by=orbiton.maya, now=MONDAY + HOUR)
    assert not it_arrived(uncertain, by=orbiton.maya, now=MONDAY + HOUR)

    assert (now_is(uncertain).state, uncertain.sent_at, uncertain.problem) == ("sent", MONDAY, "")
    message = Message.objects.get()
    assert message.message_id == f"<mail-{uncertain.hand_id}@orbiton.example>"
    assert (TimelineEntry.objects.latest("pk").text, TimelineEntry.objects.latest("pk").actor) == (
        "“Hello” has arrived",
        orbiton.maya.actor,
    )


def test_send_again_says_somebody_and_it_leaves_once_more(orbiton: Workspace, uncertain: Conversation) -> None:
    assert send_again(uncertain, by=orbiton.maya, now=MONDAY + HOUR)
    assert not it_arrived(uncertain, by=orbiton.maya, now=MONDAY + HOUR)
    assert WorkDue.objects.get(queue="deliver").due_at <= MONDAY + HOUR

    go(orbiton, MONDAY + HOUR, deliver=lambda payload: Applied(payload.receipt))

    assert now_is(uncertain).state == "sent"


def test_a_refused_one_can_be_sent_again_but_has_not_arrived(orbiton: Workspace, letter: Conversation) -> None:
    go(orbiton, deliver=answering(Refused("no")))

    assert not it_arrived(letter, by=orbiton.maya, now=MONDAY)
    assert send_again(letter, by=orbiton.maya, now=MONDAY)


def test_a_late_outcome_does_not_overrule_what_a_person_said(orbiton: Workspace, letter: Conversation) -> None:
    write_down = by_people._write_down

    def late(*args: Any) -> None:
        go(orbiton, MONDAY + LEASE, deliver=answering(Applied({})))
        it_arrived(letter, by=orbiton.maya, now=MONDAY + LEASE)
        write_down(*args)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(by_people, "_write_down", late)
        go(orbiton, deliver=answering(Refused("no")))

    assert now_is(letter).state == "sent"


def test_what_playbooks_wrote_is_settled_by_its_run_alone(
    orbiton: Workspace, harbour: Account, letter: Conversation
) -> None:
    Conversation.objects.filter(pk=letter.pk).update(hand_id=None, written_by="", origin_run_id=uuid4(), state="failed")

    assert not send_again(letter, by=orbiton.maya, now=MONDAY)
    assert go(orbiton, deliver=answering(Applied({}))) == 0


# Killed


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.django_db(transaction=True)
def test_killed_between_marker_and_record_it_is_neither_lost_nor_doubled(settings: Settings, when: str) -> None:
    """The child dies before its call, or after the server has said yes; either way a person is asked."""
    space = workspace("orbiton")
    with tenant_context(space.tenant.pk):
        harbour = account(csm=space.priya)
        letter = write(space, harbour, user("Ben Novak", harbour, role="admin"))
    with serving(settings, Server()) as server:
        worker = subprocess.run(
            [sys.executable, "-m", "tests.actions.dying_sender", MONDAY.isoformat(), when],
            env=os.environ | {"EMAIL_URL": f"smtp://127.0.0.1:{settings.EMAIL_PORT}"},
            check=False,
            timeout=60,
        )
        assert worker.returncode == -signal.SIGKILL
        with tenant_context(space.tenant.pk):
            assert now_is(letter).state == "sending"
        go(space)
        go(space, MONDAY + LEASE)
        go(space, MONDAY + timedelta(days=1))

    assert len(server.taken) == (1 if when == "after" else 0)
    with tenant_context(space.tenant.pk):
        assert now_is(letter).state == "uncertain"
        assert letter.problem == "The worker died while it was being sent."


# Several workers


@pytest.mark.django_db(transaction=True)
def test_workers_share_the_letters_and_one_that_is_cancelled_meanwhile_never_leaves() -> None:
    """Each leaves once or was taken back, whoever was faster; nothing in between."""
    space, sent = workspace("orbiton"), list[str]()
    with tenant_context(space.tenant.pk):
        harbour = account(csm=space.priya)
        ben = user("Ben Novak", harbour, role="admin")
        letters = [write(space, harbour, ben, subject=f"Letter {n}") for n in range(60)]

    def deliver(payload: Payload) -> DeliveryOutcome:
        sent.append(payload.letter.subject)
        return Applied(payload.receipt)

    def work() -> list[str]:
        try:
            while go(space, deliver=deliver):
                pass
        finally:
            connection.close()
        return []

    def take_back() -> list[str]:
        try:
            with tenant_context(space.tenant.pk):
                return [one.subject for one in letters[::-2] if one.cancel(by=space.tom, now=MONDAY)]
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        jobs = [pool.submit(job) for job in (work, take_back, work, work)]
        cancelled = {subject for job in jobs for subject in job.result()}
    go(space, deliver=deliver)

    assert len(sent) == len(set(sent))
    assert set(sent) | cancelled == {letter.subject for letter in letters}
    assert not set(sent) & cancelled
    with tenant_context(space.tenant.pk):
        assert Conversation.objects.filter(state="sent").count() == Message.objects.count() == len(sent)
