"""What has become of what an action did, as a history tells it beside the action."""

from uuid import UUID, uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import Account, Conversation, Indicator, NpsResponse
from actions.registry import action_for
from ctas.models import Task
from tests.actions.world import LATER, Played, play
from tests.world import MONDAY, Workspace, account, user

TASKS = [{"title": "Call"}, {"title": "Write"}]
CTA = {"name": "Review", "type": "risk", "owner": "csm", "tasks": TASKS}


def since(played: Played) -> list[str]:
    """In the order of the subjects, in one query for all of them."""
    with CaptureQueriesContext(connection) as asked:
        said = played.action.since({run.id: played.outcomes[run.id].receipt for run in played.runs}, now=LATER)
    assert len(asked) == 1
    return [said.get(run.id, "") for run in played.runs]


def test_tasks_of_a_cta_that_are_done_are_counted(orbiton: Workspace, harbour: Account) -> None:
    played = play("create_cta", CTA, harbour, account("Calyx", csm=orbiton.priya))
    Task.objects.filter(title="Call", cta__account=harbour).update(status="done")

    assert since(played) == ["1 of 2 tasks done", "0 of 2 tasks done"]
    Task.objects.filter(title="Write", cta__account=harbour).update(archived_at=LATER)
    assert since(played)[0] == "1 of 1 task done"


def test_an_indicator_says_what_state_it_is_in(harbour: Account) -> None:
    played = play("create_indicator", {"kind": "risk", "title": "At risk"}, harbour)

    assert since(played) == ["active"]
    Indicator.objects.update(state="addressed", settled_at=LATER)
    assert since(played) == ["addressed"]


def test_answers_to_the_survey_are_counted_once_there_are_some(harbour: Account) -> None:
    ben, _mara = (user(name, harbour) for name in ("Ben", "Mara"))
    played = play("show_nps", {"show_to": "everybody"}, harbour)

    assert since(played) == [""]
    NpsResponse.objects.create(end_user=ben, account=harbour, score=9, answered_at=LATER)
    assert since(played) == ["1 of 2 answered"]


@pytest.mark.usefixtures("orbiton")
def test_a_message_that_was_answered_says_when(harbour: Account) -> None:
    texts = {"subject": "S", "body": "B", "to_email": "x@c.example"}
    letter = Conversation.objects.create(account=harbour, send_at=MONDAY, created_at=MONDAY, **texts)
    run, by_hand = uuid4(), uuid4()

    def said() -> dict[UUID, str]:
        receipts = {run: {"conversation_id": letter.pk}, by_hand: {"marked_done": "person:1"}}
        return dict(action_for("start_conversation").since(receipts, now=LATER))

    assert said() == {}
    Conversation.objects.update(replied_at=LATER)
    assert said() == {run: f"replied {LATER:%-d %b}"}


@pytest.mark.usefixtures("orbiton")
def test_what_was_done_by_hand_or_stays_as_it_is_says_nothing() -> None:
    by_hand = {uuid4(): {"marked_done": "person:1"}}

    for key in ("create_cta", "create_indicator", "show_nps", "start_conversation", "add_note", "update_trait"):
        assert not action_for(key).since(by_hand, now=LATER)
