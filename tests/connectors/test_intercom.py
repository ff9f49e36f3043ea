"""Intercom: written to as a teammate, answered by a contact, in moods; and a token that is not good any more."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from pytest_django import Settings

from accounts.models import Account, Conversation, Message, SendingPolicy, TimelineEntry
from actions.checks import ActionErrors, clean_config
from actions.registry import action_for
from cs_platform.connectors.managing import connect, renew_secret
from cs_platform.connectors.models import Connector
from cs_platform.connectors.testing import ask_for_test
from cs_platform.tenancy.context import tenant_context
from cs_platform.workspace.models import Notification
from playbooks.models import ActionRun, Playbook
from tests import world
from tests.connectors import intercom as fake
from tests.connectors.intercom import TOKEN, Intercom
from tests.world import MONDAY, Workspace, apply_now, live, playbook_json, tick


@pytest.fixture
def intercom(settings: Settings) -> Iterator[Intercom]:
    with fake.intercom(settings) as server:
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


def connected(orbiton: Workspace, token: str = TOKEN) -> Connector:
    return connect(kind="intercom", key="talk", name="Our Intercom", secret=token, by=orbiton.olga, now=MONDAY)[0]


CONFIG = {"sender": "csm", "channel": "intercom", "connector": "talk", "subject": "Renewal", "body": "1 < 2,\nAda"}


def writing() -> Playbook:
    return live(playbook_json(steps=[{"key": "mail", "day": 1, "action": "start_conversation", "config": CONFIG}]))


def state() -> tuple[str, str]:
    run = ActionRun.objects.get()
    return run.state, run.reason_code


def test_a_message_goes_from_the_teammate_to_the_contact_and_its_answer_comes_back(
    intercom: Intercom, orbiton: Workspace, harbour: Account
) -> None:
    connected(orbiton)
    apply_now(writing(), harbour, now=MONDAY)
    (message,) = intercom.messages
    assert (message["message_type"], message["template"], message["subject"]) == ("email", "plain", "Renewal")
    assert message["body"].startswith("<p>1 &lt; 2,<br>Ada<br><br><a href=")
    conversation = Conversation.objects.get()
    assert (conversation.state, conversation.channel, conversation.thread) == ("sent", "intercom", message["id"])

    later = MONDAY + timedelta(minutes=5)
    intercom.answer("somebody-elses", "<p>Private</p>", at=int(later.timestamp()))
    intercom.answer(message["id"], "<p>Is it the bot?</p>", author="bot", at=int(later.timestamp()))
    intercom.answer(message["id"], "<p>Yes &amp; soon.<br>Ada</p>", at=int(later.timestamp()))
    for minutes in (6, 10):
        tick(now=MONDAY + timedelta(minutes=minutes))
    assert [one.body for one in Message.objects.filter(outgoing=False)] == ["Yes & soon.\nAda"]
    assert Conversation.objects.get().replied_at == MONDAY + timedelta(minutes=6)
    assert TimelineEntry.objects.get(kind="conversation.answered").text == "Ada Okafor answered: Re: Renewal"
    assert "/conversations/c-somebody-elses" not in intercom.asked


AFTERWARDS = {
    fake.ACT_THEN_503: ("uncertain", "uncertain"),
    fake.ACT_THEN_HANG: ("uncertain", "uncertain"),
    fake.GARBLE: ("uncertain", "uncertain"),
    fake.LATER: ("scheduled", "retry"),
    fake.BAD_REQUEST: ("dead", "refused"),
}


@pytest.mark.parametrize("mood", AFTERWARDS)
def test_what_is_known_after_an_odd_answer(intercom: Intercom, orbiton: Workspace, harbour: Account, mood: str) -> None:
    connected(orbiton)
    intercom.mood, intercom.reset_at = mood, int((MONDAY + timedelta(minutes=10)).timestamp())
    apply_now(writing(), harbour, now=MONDAY)
    assert state() == AFTERWARDS[mood]

    intercom.mood = fake.OK
    tick(now=MONDAY + timedelta(minutes=9))
    assert state() == AFTERWARDS[mood]  # it asked for ten minutes
    tick(now=MONDAY + timedelta(minutes=11))
    assert state()[0] == ("applied" if mood == fake.LATER else AFTERWARDS[mood][0])
    assert len(intercom.messages) == (0 if mood == fake.BAD_REQUEST else 1)


@pytest.mark.parametrize("who", ["admins", "contacts"])
def test_who_is_unknown_there_is_neither_written_to_nor_for(
    intercom: Intercom, orbiton: Workspace, harbour: Account, who: str
) -> None:
    connected(orbiton)
    getattr(intercom, who).clear()
    apply_now(writing(), harbour, now=MONDAY)
    assert state() == ("dead", "refused")
    assert intercom.messages == []


def test_a_token_that_is_not_good_any_more_holds_what_waits_and_tells_once(
    intercom: Intercom, orbiton: Workspace, harbour: Account
) -> None:
    connector = connected(orbiton, token="another-token")
    apply_now(writing(), harbour, now=MONDAY)
    tick(now=MONDAY + timedelta(hours=1))
    assert state() == ("held", "needs_reauth")
    assert sorted(Notification.objects.values_list("member__name", flat=True)) == ["Jonah Weiss", "Olga Lind"]

    connector.refresh_from_db()
    renew_secret(connector, secret=TOKEN, by=orbiton.olga, now=MONDAY + timedelta(hours=2))
    ask_for_test(connector, now=MONDAY + timedelta(hours=2))
    tick(now=MONDAY + timedelta(hours=2))
    assert (state()[0], len(intercom.messages)) == ("applied", 1)
    connector.refresh_from_db()
    assert connector.test_worked


@pytest.mark.parametrize("wrong", [{"connector": ""}, {"connector": "nobody"}])
def test_a_playbook_says_by_which_intercom(orbiton: Workspace, wrong: dict[str, Any]) -> None:
    connected(orbiton)
    with pytest.raises(ActionErrors):
        clean_config(action_for("start_conversation"), CONFIG | wrong)
