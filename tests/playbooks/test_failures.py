from typing import Any

import pytest

from accounts.models import Conversation
from actions.base import Uncertain
from cs_platform.demo.days import deliver_to_nobody
from playbooks.enrollment import apply_by_hand
from playbooks.failures import mark_done, retry, skip
from playbooks.models import ActionRun
from tests.world import MONDAY, Workspace, account, days, live, playbook_json, tick, user

LETTER = {
    "key": "mail",
    "day": 1,
    "action": "start_conversation",
    "config": {"sender": "csm", "fallback_sender": "", "subject": "Hello", "body": "Shall we talk?", "review_hours": 0},
}


@pytest.fixture
def run(inside: Workspace) -> ActionRun:
    at = account(csm=inside.priya)
    user("Ada", at, role="admin")
    apply_by_hand(playbook=live(playbook_json(steps=[LETTER])), account=at, by="person:1", now=MONDAY)
    return ActionRun.objects.get()


def nobody_knows(action: Any, payload: Any) -> Uncertain:
    return Uncertain("the line went dead")


def test_a_message_marked_as_done_counts_as_sent(inside: Workspace, run: ActionRun) -> None:
    tick(now=MONDAY, deliver=nobody_knows)
    run.refresh_from_db()
    assert run.state == "uncertain"

    assert mark_done(run, by=inside.jonah.actor, now=MONDAY + days(1))

    run.refresh_from_db()
    assert (run.state, run.receipt["marked_done"]) == ("applied", inside.jonah.actor)
    assert Conversation.objects.get().state == "sent"


def test_skipping_a_held_message_withdraws_its_draft(inside: Workspace, run: ActionRun) -> None:
    step = dict(LETTER, key="reviewed", config=LETTER["config"] | {"review_hours": 48})  # type: ignore[operator]
    at = account("Reviewed", csm=inside.priya)
    user("Bo", at, role="admin")
    apply_by_hand(playbook=live(playbook_json("reviewed", steps=[step])), account=at, by="person:1", now=MONDAY)
    tick(now=MONDAY, deliver=deliver_to_nobody)
    tick(now=MONDAY + days(4), deliver=deliver_to_nobody)
    held = ActionRun.objects.get(step__key="reviewed")
    assert (held.state, held.reason_code) == ("held", "late")

    assert skip(held, by=inside.jonah.actor, now=MONDAY + days(4))

    assert Conversation.objects.get(account=at).state == "cancelled"


def test_a_message_held_as_late_is_sent_when_a_person_says_so(inside: Workspace, run: ActionRun) -> None:
    tick(now=MONDAY + days(3), deliver=deliver_to_nobody)
    run.refresh_from_db()
    assert (run.state, run.reason_code) == ("held", "late")

    assert retry(run, by=inside.jonah.actor, now=MONDAY + days(3))
    tick(now=MONDAY + days(3), deliver=deliver_to_nobody)

    run.refresh_from_db()
    assert run.state == "applied"
