"""What people wrote, beside what playbooks write: in the inbox, in its dialog, under a stop."""

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from accounts.models import Account, Conversation, EndUser, TimelineEntry
from accounts.writing import Written, move, start
from actions.base import Applied, DeliveryOutcome, Refused, Uncertain
from actions.by_people import send_by_people
from cs_platform.tenancy.models import WorkDue
from playbooks import reviews
from playbooks.enrollment import apply_by_hand
from playbooks.leases import next_due
from playbooks.undo import request_stop
from tests.visitor import Visitor, text
from tests.world import MONDAY, Workspace, account, live, playbook_json, raise_risk, tick, user

TOMORROW = MONDAY + timedelta(days=1)


@pytest.fixture
def harbour(inside: Workspace) -> Account:
    return account(csm=inside.priya, ae=inside.tom, plan="Pro")


@pytest.fixture
def ben(harbour: Account) -> EndUser:
    return user("Ben Novak", harbour, role="admin")


@pytest.fixture
def letter(inside: Workspace, harbour: Account, ben: EndUser) -> Conversation:
    written = Written(uuid4(), ben, inside.priya, "smtp", "Hello", "Shall we talk?", TOMORROW)
    return start(harbour, written, by=inside.priya, now=MONDAY)


def ended(space: Workspace, letter: Conversation, outcome: DeliveryOutcome) -> Conversation:
    send_by_people(space.tenant, now=TOMORROW, deliver=lambda payload: outcome)
    letter.refresh_from_db()
    return letter


def toasted(answer: Any) -> str:
    return str(json.loads(answer["HX-Trigger"])["toast"]["text"])


def test_no_stop_of_a_playbook_touches_it(inside: Workspace, harbour: Account, letter: Conversation) -> None:
    enrollment = apply_by_hand(
        playbook=live(playbook_json(steps=[raise_risk()])), account=harbour, by="person:1", now=MONDAY
    )
    tick(now=MONDAY)
    request_stop(enrollment, by=inside.priya, now=MONDAY)
    tick(now=MONDAY)

    letter.refresh_from_db()
    assert letter.state == "pending"


def test_the_queue_is_looked_at_again_when_it_leaves_or_its_lease_ends(inside: Workspace, letter: Conversation) -> None:
    tenant_id = inside.tenant.pk
    assert next_due(tenant_id=tenant_id, external=True) == TOMORROW
    assert next_due(tenant_id=tenant_id, external=False) is None

    lease = {"lease_token": uuid4(), "lease_until": TOMORROW + timedelta(minutes=1)}
    Conversation.objects.update(state="sending", **lease)
    assert next_due(tenant_id=tenant_id, external=True) == TOMORROW + timedelta(minutes=1)


def test_send_now_in_the_inbox_wakes_the_worker(inside: Workspace, letter: Conversation) -> None:
    assert reviews.send_now(letter, by=inside.tom, now=MONDAY)

    assert WorkDue.objects.get(queue="deliver").due_at == MONDAY
    sent = send_by_people(inside.tenant, now=MONDAY, deliver=lambda payload: Applied(payload.receipt))
    assert sent == 1


def test_it_is_edited_sent_and_cancelled_in_the_dialog_like_any_draft(inside: Workspace, letter: Conversation) -> None:
    tom, address = Visitor(inside.tom), f"playbooks/conversations/{letter.pk}/"

    tom.send(address, target="dialog", verb="save", subject="Better", body="Words", sender="")
    letter.refresh_from_db()
    assert (letter.subject, letter.sender) == ("Better", inside.priya)
    assert toasted(tom.send(address, target="dialog", verb="cancel")) == "It will not be sent"
    letter.refresh_from_db()
    assert letter.state == "cancelled"


def test_it_leaves_at_another_moment_where_somebody_chooses_one(inside: Workspace, letter: Conversation) -> None:
    now = datetime.now(UTC).replace(microsecond=0)
    tomorrow, later = now + timedelta(days=1), (now + timedelta(days=1, hours=1)).replace(second=0)
    Conversation.objects.update(send_at=tomorrow, problem="Its mailbox refused us.", released_at=now)
    priya, address = Visitor(inside.priya), f"playbooks/conversations/{letter.pk}/"
    said = {"verb": "save", "subject": "Hello", "body": "Shall we talk?", "sender": ""}

    assert f'value="{tomorrow:%Y-%m-%dT%H:%M}"' in text(priya.fragment(address, "dialog"))
    priya.send(address, target="dialog", send_at=f"{tomorrow:%Y-%m-%dT%H:%M}", **said)
    letter.refresh_from_db()
    assert (letter.send_at, letter.problem) == (tomorrow, "Its mailbox refused us.")

    answer = priya.send(address, target="dialog", send_at=f"{later:%Y-%m-%dT%H:%M}", **said)
    letter.refresh_from_db()
    assert (letter.send_at, letter.problem, letter.released_at) == (later, "", None)
    assert toasted(answer).endswith(f", {later:%H:%M}")
    assert WorkDue.objects.filter(queue="deliver", due_at__lte=later).exists()
    told = TimelineEntry.objects.filter(subject=f"conversation:{letter.pk}").latest("pk")
    assert told.text == "Draft leaves at another time: Hello"


@pytest.mark.parametrize(
    ("send_at", "says"),
    [("2020-01-01T09:00", "still ahead"), ("2999-01-01T09:00", "within a year"), ("soon", "Enter a day and a time")],
)
def test_a_moment_it_cannot_leave_at_is_refused_at_its_field(
    inside: Workspace, letter: Conversation, send_at: str, says: str
) -> None:
    said = {"verb": "save", "subject": "Other", "body": "Words", "sender": "", "send_at": send_at}
    answer = Visitor(inside.priya).send(f"playbooks/conversations/{letter.pk}/", target="dialog", **said)
    letter.refresh_from_db()

    assert answer.status_code == 422
    assert 'id="draft_send_at_error">' in text(answer)
    assert says in text(answer)
    assert (letter.send_at, letter.subject) == (TOMORROW, "Hello")


def test_one_that_left_meanwhile_is_not_moved(inside: Workspace, letter: Conversation) -> None:
    Conversation.objects.update(state="sent")

    assert not move(letter, TOMORROW + timedelta(hours=1), by=inside.priya, now=MONDAY)
    assert Conversation.objects.get().send_at == TOMORROW


def test_it_is_signed_by_nobody_who_could_not_have_signed_it(inside: Workspace, letter: Conversation) -> None:
    maya, address = Visitor(inside.maya), f"playbooks/conversations/{letter.pk}/"
    offered = text(maya.fragment(address, "dialog"))
    assert "<dt>Written by</dt><dd>Priya Raman</dd>" in offered
    assert "Variables" not in offered
    assert "Tom Lindqvist</option>" in offered
    assert "Maya Osei</option>" in offered
    assert "Omar Haddad</option>" not in offered

    assert not reviews.give_to(letter, inside.omar, by=inside.maya, now=MONDAY)
    assert reviews.give_to(letter, inside.tom, by=inside.maya, now=MONDAY)
    Conversation.objects.update(channel="gmail")
    letter.refresh_from_db()
    assert not reviews.give_to(letter, inside.priya, by=inside.maya, now=MONDAY)


def test_another_sender_lets_one_that_waited_for_that_leave_at_once(inside: Workspace, letter: Conversation) -> None:
    inside.priya.deactivated_at = MONDAY
    inside.priya.save()
    assert ended(inside, letter, Uncertain("never called")).state == "pending"

    assert reviews.give_to(letter, inside.tom, by=inside.tom, now=TOMORROW)

    assert ended(inside, letter, Refused("no")).state == "failed"


def test_an_uncertain_one_waits_in_the_inbox_with_its_reason_and_is_settled_there(
    inside: Workspace, letter: Conversation
) -> None:
    ended(inside, letter, Uncertain("The line went dead."))
    priya, address = Visitor(inside.priya), f"playbooks/conversations/{letter.pk}/"

    assert "The line went dead." in text(priya.page("playbooks/conversations/"))
    listed = text(priya.page("ctas/?tab=conversations"))
    assert re.search(r'Pending conversations <span class="n">1\b', listed)
    assert "The line went dead." in listed
    assert '<span class="num nowrap bad-text">uncertain</span>' in listed
    home = text(priya.page(""))
    assert "uncertain whether it arrived" in home
    assert ">Settle<span" in home
    assert "Settle" in text(priya.page(f"accounts/{letter.account_id}/"))
    dialog = text(priya.fragment(address, "dialog"))
    assert "Nobody knows whether it arrived." in dialog
    assert "It arrived" not in text(Visitor(inside.omar).fragment(address, "dialog")).split("<footer>")[1]
    assert Visitor(inside.omar).send(address, verb="arrived").status_code == 403

    assert toasted(priya.send(address, target="dialog", verb="arrived")) == "Noted: it arrived"
    assert toasted(priya.send(address, target="dialog", verb="arrived")).startswith("It is no longer pending")
    letter.refresh_from_db()
    assert letter.state == "sent"


def test_a_failed_one_says_why_and_is_sent_again_without_scripts(inside: Workspace, letter: Conversation) -> None:
    ended(inside, letter, Refused("550 no relay"))
    priya, address = Visitor(inside.priya), f"playbooks/conversations/{letter.pk}/"

    assert "550 no relay" in text(priya.page("playbooks/conversations/?tab=unsent"))
    page = text(priya.page(address))
    assert "It was not sent." in page
    assert "It arrived" not in page
    answer = priya.submit(address, verb="again")

    assert answer["Location"] == f"/w/orbiton/accounts/{letter.account_id}/#conversations"
    letter.refresh_from_db()
    assert (letter.state, letter.problem) == ("pending", "")
