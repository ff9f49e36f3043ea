"""Conversations that people start by hand: who can be written to, in whose name, by what; the dialog and its undo."""

import json
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts.models import (
    Account,
    AccountRole,
    AccountUser,
    Conversation,
    EndUser,
    KeyRole,
    Suppression,
    TimelineEntry,
)
from accounts.writing import CannotWrite, Written, recipients_of, senders_for, start, ways_for
from cs_platform.connectors.managing import connect
from cs_platform.connectors.models import Mailbox
from cs_platform.tenancy.models import Membership, WorkDue
from tests.visitor import Visitor, is_whole, text
from tests.world import MONDAY, Workspace, account, user


@pytest.fixture
def harbour(inside: Workspace) -> Account:
    return account(csm=inside.priya, ae=inside.tom)


@pytest.fixture
def ben(harbour: Account) -> EndUser:
    return user("Ben Novak", harbour, role="admin")


def written(to: EndUser, sender: Membership, **parts: Any) -> Written:
    known: dict[str, Any] = {"hand_id": uuid4(), "way": "smtp", "subject": "Hello", "body": "Shall we talk?"}
    return Written(to=to, sender=sender, **(known | {"send_at": MONDAY} | parts))


# To whom


def test_key_contacts_come_first_then_who_has_a_say_then_who_was_seen_last(harbour: Account) -> None:
    for name, role in [
        ("Mia Member", "member"),
        ("Ole Owner", "Owner"),
        ("Lena Ruiz", "member"),
        ("Sam Seen", "member"),
    ]:
        user(name, harbour, role=role)
    AccountUser.objects.filter(end_user__name="Lena Ruiz").update(is_key_contact=True)
    AccountUser.objects.filter(end_user__name="Sam Seen").update(last_seen_at=MONDAY)

    found = recipients_of(harbour)

    assert [one.user.name for one in found.offered] == ["Lena Ruiz", "Ole Owner", "Sam Seen", "Mia Member"]
    assert found.first
    assert found.first.user.name == "Lena Ruiz"


def test_nobody_is_chosen_where_nobody_has_a_say(harbour: Account) -> None:
    user("Mia Member", harbour)

    assert recipients_of(harbour).first is None


def test_who_must_not_be_written_to_is_shown_with_the_reason(harbour: Account, ben: EndUser) -> None:
    for name in ("Una Unsub", "Bo Bounce", "Max Manual"):
        user(name, harbour)
    EndUser.objects.filter(name="Una Unsub").update(unsubscribed_at=MONDAY)
    for name, reason in [("bo.bounce", "bounced"), ("max.manual", "manual")]:
        Suppression.objects.create(email=f"{name}@customer.example", reason=reason, since=MONDAY)

    refuses = {one.user.name: one.refuses for one in recipients_of(harbour).offered}

    assert refuses == {
        "Ben Novak": "",
        "Una Unsub": "has unsubscribed",
        "Bo Bounce": "has an address that bounces",
        "Max Manual": "must not be written to",
    }


def test_users_without_an_address_or_gone_are_not_offered(harbour: Account) -> None:
    user("No Mail", harbour, email=None)
    user("Gone Gus", harbour, archived_at=MONDAY)
    user("Elsewhere Eve", account("Elsewhere"))

    assert recipients_of(harbour).offered == []


# In whose name, and by what


def test_one_writes_as_oneself_or_as_who_holds_a_role_there(inside: Workspace, harbour: Account) -> None:
    role = KeyRole.objects.create(key="onboarding", name="Onboarding", position=0)
    AccountRole.objects.create(account=harbour, role=role, member=inside.jonah, since_at=MONDAY, assigned_by="person:1")

    labels = [one.label for one in senders_for(harbour, inside.maya)]

    assert labels == ["Maya Osei", "Priya Raman (CSM)", "Tom Lindqvist (AE)", "Jonah Weiss (Onboarding)"]


def test_whoever_left_the_team_signs_nothing(inside: Workspace, harbour: Account) -> None:
    inside.tom.deactivated_at = MONDAY
    inside.tom.save()

    assert [one.member for one in senders_for(Account.objects.get(), inside.priya)] == [inside.priya]


def test_only_what_is_connected_is_offered(inside: Workspace, harbour: Account) -> None:
    Mailbox.objects.create(member=inside.priya, email="p@mail.example", state="active", connected_at=MONDAY)
    connect(kind="intercom", key="talk", name="Our Intercom", secret="t" * 20, by=inside.olga, now=MONDAY)

    assert [way.key for way in ways_for(inside.priya)] == ["smtp", "gmail", "intercom:talk"]
    assert [way.key for way in ways_for(inside.tom)] == ["smtp", "intercom:talk"]


# Starting


def test_it_is_told_with_who_and_announced_for_its_moment(inside: Workspace, harbour: Account, ben: EndUser) -> None:
    at = MONDAY + timedelta(hours=3)

    made = start(harbour, written(ben, inside.priya, send_at=at), by=inside.priya, now=MONDAY)

    assert (made.state, made.to_email, made.written_by) == ("pending", "ben.novak@customer.example", inside.priya.actor)
    entry = TimelineEntry.objects.get()
    assert (entry.text, entry.actor) == ("Conversation started with Ben Novak: Hello", inside.priya.actor)
    assert WorkDue.objects.get(queue="deliver").due_at == at


def test_a_form_sent_twice_is_one_conversation(inside: Workspace, harbour: Account, ben: EndUser) -> None:
    letter = written(ben, inside.priya)

    first, second = (start(harbour, letter, by=inside.priya, now=MONDAY) for _ in range(2))

    assert first == second
    assert TimelineEntry.objects.count() == 1


def test_a_form_that_says_something_else_the_second_time_is_refused(
    inside: Workspace, harbour: Account, ben: EndUser
) -> None:
    letter = written(ben, inside.priya)
    start(harbour, letter, by=inside.priya, now=MONDAY)

    with pytest.raises(CannotWrite, match="was sent before"):
        start(harbour, written(ben, inside.priya, hand_id=letter.hand_id, body="Other"), by=inside.priya, now=MONDAY)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"sender": "omar"}, "sender"),
        ({"way": "gmail"}, "channel"),
        ({"way": "intercom:nowhere"}, "channel"),
        ({"send_at": MONDAY + timedelta(days=400)}, "send_at"),
    ],
)
def test_what_is_not_allowed_is_refused_by_its_field(
    inside: Workspace, harbour: Account, ben: EndUser, changes: dict[str, Any], field: str
) -> None:
    changes |= {"sender": getattr(inside, changes.get("sender", "priya"))}

    with pytest.raises(CannotWrite) as refusal:
        start(harbour, written(ben, **changes), by=inside.priya, now=MONDAY)

    assert refusal.value.field == field
    assert not Conversation.objects.exists()


def test_gmail_of_ones_own_signs_for_nobody_else(inside: Workspace, harbour: Account, ben: EndUser) -> None:
    Mailbox.objects.create(member=inside.priya, email="p@mail.example", state="active", connected_at=MONDAY)

    with pytest.raises(CannotWrite, match="own name only"):
        start(harbour, written(ben, inside.tom, way="gmail"), by=inside.priya, now=MONDAY)


def test_nobody_of_another_account_is_written_to(inside: Workspace, harbour: Account) -> None:
    with pytest.raises(CannotWrite):
        start(harbour, written(user("Eve", account("Elsewhere")), inside.priya), by=inside.priya, now=MONDAY)


def test_variables_read_as_in_what_playbooks_write(inside: Workspace, harbour: Account, ben: EndUser) -> None:
    texts = {"subject": "For {{ account.name }}", "body": "Dear {{ user.first_name }},\n{{ sender.first_name }}"}

    made = start(harbour, written(ben, inside.tom, **texts), by=inside.priya, now=MONDAY)

    assert (made.subject, made.body) == ("For Harbourline Logistics", "Dear Ben,\nTom")


@pytest.mark.parametrize(
    ("texts", "field", "says"),
    [
        ({"body": "Dear {{ user.frist_name }}"}, "body", "Did you mean {{ user.first_name }}?"),
        ({"subject": "Dear {{ user"}, "subject", ""),
        ({"body": "On {{ account.plan }}"}, "body", "has no value here"),
    ],
)
def test_a_variable_that_says_nothing_is_refused_by_its_field(
    inside: Workspace, harbour: Account, ben: EndUser, texts: dict[str, str], field: str, says: str
) -> None:
    with pytest.raises(CannotWrite) as refusal:
        start(harbour, written(ben, inside.priya, **texts), by=inside.priya, now=MONDAY)

    assert refusal.value.field == field
    assert says in str(refusal.value)


def test_a_long_letter_without_variables_is_not_read_as_a_template(
    inside: Workspace, harbour: Account, ben: EndUser
) -> None:
    made = start(harbour, written(ben, inside.priya, body="{ long }" * 2_000), by=inside.priya, now=MONDAY)

    assert len(made.body) == 16_000


@pytest.mark.parametrize(
    "wrong",
    [
        {"origin_run_id": uuid4()},
        {"written_by": ""},
        {"state": "sending"},
        {"state": "uncertain"},
        {"lease_token": uuid4()},
    ],
)
def test_the_database_refuses_what_cannot_be(
    inside: Workspace, harbour: Account, ben: EndUser, wrong: dict[str, Any]
) -> None:
    start(harbour, written(ben, inside.priya), by=inside.priya, now=MONDAY)

    with pytest.raises(IntegrityError), transaction.atomic():
        Conversation.objects.update(**wrong)


# The dialog


def form(user: EndUser, member: Membership, **parts: Any) -> dict[str, Any]:
    known = {"hand_id": str(uuid4()), "channel": "smtp", "subject": "Hello", "body": "Shall we talk?", "when": "now"}
    return known | {"to": user.pk, "sender": member.pk} | parts


def test_the_head_of_the_account_offers_it_to_those_who_may(
    inside: Workspace, harbour: Account, priya: Visitor
) -> None:
    path = f"accounts/{harbour.pk}/"

    assert "Start conversation" in text(priya.page(path))
    assert "Start conversation" not in text(Visitor(inside.omar).page(path))
    assert Visitor(inside.omar).page(f"{path}write/").status_code == 403


def test_it_opens_as_a_dialog_and_as_a_page_with_the_primary_contact_chosen(
    harbour: Account, ben: EndUser, priya: Visitor
) -> None:
    dialog, page = (
        priya.fragment(f"accounts/{harbour.pk}/write/", "dialog"),
        priya.page(f"accounts/{harbour.pk}/write/"),
    )

    assert is_whole(page)
    assert not is_whole(dialog)
    assert f'<option value="{ben.pk}" selected>' in text(dialog)


def test_who_cannot_be_written_to_stands_there_but_cannot_be_chosen(
    harbour: Account, ben: EndUser, priya: Visitor
) -> None:
    EndUser.objects.update(unsubscribed_at=MONDAY)

    shown = text(priya.fragment(f"accounts/{harbour.pk}/write/", "dialog"))

    assert f'<option value="{ben.pk}" disabled>' in shown
    assert "(has unsubscribed)" in shown


def test_sent_now_it_can_be_taken_back_for_a_moment(
    inside: Workspace, harbour: Account, ben: EndUser, priya: Visitor
) -> None:
    answer = priya.send(f"accounts/{harbour.pk}/write/", target="dialog", **form(ben, inside.priya))

    made = Conversation.objects.get()
    told = json.loads(answer["HX-Trigger"])
    assert told["toast"] == {
        "text": "Sends in a moment",
        "undo": f"/w/orbiton/accounts/conversations/{made.pk}/take-back/",
    }
    assert "dialog:close" in told
    assert made.send_at > made.created_at

    answer = priya.send(f"accounts/conversations/{made.pk}/take-back/")
    assert json.loads(answer["HX-Trigger"])["toast"]["text"] == "It will not be sent"
    made.refresh_from_db()
    assert (made.state, made.cancelled_by) == ("cancelled", inside.priya.actor)
    answer = priya.send(f"accounts/conversations/{made.pk}/take-back/")
    assert json.loads(answer["HX-Trigger"])["toast"]["text"].startswith("Too late")


def test_left_for_review_it_waits_in_the_inbox_until_its_moment(
    inside: Workspace, harbour: Account, ben: EndUser, priya: Visitor
) -> None:
    more = {"when": "later", "send_at": "2099-01-05T09:00"}
    refused = priya.send(f"accounts/{harbour.pk}/write/", target="dialog", **form(ben, inside.priya, **more))
    assert "within a year" in text(refused)

    soon = (timezone.now() + timedelta(days=2)).strftime("%Y-%m-%dT%H:%M")
    priya.send(f"accounts/{harbour.pk}/write/", target="dialog", **form(ben, inside.priya, when="later", send_at=soon))

    made = Conversation.objects.get()
    assert made.send_at.strftime("%Y-%m-%dT%H:%M") == soon
    assert "Hello" in text(priya.page("playbooks/conversations/"))
    assert "Review before it is sent" in text(priya.page(f"playbooks/conversations/{made.pk}/"))
    assert "Hello" in text(priya.page(f"accounts/{harbour.pk}/"))


def test_without_scripts_the_form_leads_back_to_the_account(
    inside: Workspace, harbour: Account, ben: EndUser, priya: Visitor
) -> None:
    answer = priya.submit(f"accounts/{harbour.pk}/write/", **form(ben, inside.priya))

    assert answer["Location"] == f"/w/orbiton/accounts/{harbour.pk}/"
    assert Conversation.objects.count() == 1


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"to": ""}, "Choose whom to write to."),
        ({"to": "999"}, "Choose a user of this account."),
        ({"sender": "999"}, "Choose somebody of the list."),
        ({"body": "  \n "}, "Write a message."),
        ({"when": "later", "send_at": ""}, "Choose a moment that is still ahead."),
        ({"when": "later", "send_at": "2020-01-01T09:00"}, "Choose a moment that is still ahead."),
        ({"when": "later", "send_at": "soon"}, "Enter a day and a time."),
    ],
)
def test_what_is_missing_or_wrong_is_said_in_the_dialog(
    inside: Workspace, harbour: Account, ben: EndUser, priya: Visitor, changes: dict[str, Any], says: str
) -> None:
    answer = priya.send(f"accounts/{harbour.pk}/write/", target="dialog", **form(ben, inside.priya, **changes))

    assert answer.status_code == 422
    assert says in text(answer)
    assert not Conversation.objects.exists()


def test_what_is_wrong_has_the_focus(inside: Workspace, harbour: Account, ben: EndUser, priya: Visitor) -> None:
    path = f"accounts/{harbour.pk}/write/"
    opened = text(priya.fragment(path, "dialog"))
    refused = text(priya.send(path, target="dialog", **form(ben, inside.priya, body="Dear {{ user.frist_name }}")))

    assert [part.split('"')[0] for part in opened.split('name="') if " autofocus" in part.split(">")[0]] == ["subject"]
    assert [part.split('"')[0] for part in refused.split('name="') if " autofocus" in part.split(">")[0]] == ["body"]


def test_who_unsubscribed_while_the_dialog_was_open_is_not_written_to(
    inside: Workspace, harbour: Account, ben: EndUser, priya: Visitor
) -> None:
    EndUser.objects.update(unsubscribed_at=MONDAY)

    answer = priya.send(f"accounts/{harbour.pk}/write/", target="dialog", **form(ben, inside.priya))

    assert "Ben Novak has unsubscribed." in text(answer)


def test_an_account_nobody_can_be_written_to_at_says_so(harbour: Account, priya: Visitor) -> None:
    assert "Nobody to write to" in text(priya.fragment(f"accounts/{harbour.pk}/write/", "dialog"))


def test_from_the_page_of_a_user_that_user_is_chosen(harbour: Account, ben: EndUser, priya: Visitor) -> None:
    mia = user("Mia Member", harbour)
    address = f"accounts/{harbour.pk}/write/?user={mia.pk}"

    assert address in text(priya.page(f"users/{mia.pk}/"))
    assert f'<option value="{mia.pk}" selected>' in text(priya.fragment(address, "dialog"))


def test_from_the_page_of_a_user_of_several_accounts_one_says_which(
    inside: Workspace, harbour: Account, ben: EndUser, priya: Visitor
) -> None:
    yarrow = account("Yarrow Retail")
    AccountUser.objects.create(account=yarrow, end_user=ben)

    shown = text(priya.page(f"users/{ben.pk}/"))

    for at in (harbour, yarrow):
        assert f"accounts/{at.pk}/write/?user={ben.pk}" in shown
