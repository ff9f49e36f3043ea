"""What playbooks led to, as the reports and the playbook's page count it."""

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from accounts.conversations.incoming import Incoming
from accounts.conversations.reading import take_in
from accounts.models import Account, Conversation, EndUser, NpsResponse
from accounts.rules.sql import Clock
from cs_platform.demo.days import deliver_to_nobody
from cs_platform.workspace.models import Notification
from ctas.models import Task
from playbooks.effect import Effect, effects
from playbooks.enrollment import apply_by_hand
from playbooks.models import Enrollment, Playbook
from playbooks.undo import request_stops
from tests.world import MONDAY, Workspace, account, days, live, playbook_json, raise_risk, tick, user

MAIL = {
    "key": "mail",
    "day": 1,
    "action": "start_conversation",
    "config": {"subject": "Hello", "body": "Hi", "sender": "csm", "review_hours": 0},
}
CTA = {
    "key": "cta",
    "day": 1,
    "action": "create_cta",
    "config": {"name": "Review", "type": "lifecycle", "owner": "csm", "tasks": [{"title": "Usage"}, {"title": "Call"}]},
}
CLOCK = Clock.at(MONDAY + days(7), ZoneInfo("UTC"))
SURVEY = {"key": "survey", "day": 1, "action": "show_nps", "config": {}}


def begin(playbook: Playbook, at: Account, *, now: datetime = MONDAY) -> Enrollment:
    return apply_by_hand(playbook=playbook, account=at, by="person:1", now=now)


def by_key(**asked: Any) -> dict[str, Effect]:
    return {one.playbook.key: one for one in effects(**({"since": MONDAY, "clock": CLOCK} | asked))}


def test_what_was_begun_in_the_time_is_counted_with_what_people_did_about_it(inside: Workspace) -> None:
    ada, bo = account("Ada", csm=inside.priya), account("Bo", csm=inside.tom)
    ann = user("Ann", ada, role="owner")
    user("Ben", bo, role="owner")
    runway = live(playbook_json("runway", steps=[CTA, MAIL, SURVEY]))
    other = live(playbook_json("other", steps=[raise_risk(), raise_risk(40, key="far", title="Far")]))
    live(playbook_json("idle"))
    begin(other, ada, now=MONDAY - days(3))
    begin(other, bo)
    begin(runway, ada)
    stopped = begin(runway, bo)
    tick(now=MONDAY, deliver=deliver_to_nobody)
    request_stops([stopped.pk], tenant_id=inside.tenant.pk, by="person:1", note="", now=MONDAY + days(2))
    tick(now=MONDAY + days(2), deliver=deliver_to_nobody)
    assert Task.objects.filter(cta__account=ada, title="Call").update(status="done", completed_at=MONDAY + days(1)) == 1
    _answer(Conversation.objects.get(account=ada))
    _answer(Conversation.objects.get(account=bo), automatic=True)
    for at, score in ((0, 2), (3, 10)):
        NpsResponse.objects.create(
            end_user=ann, account=ada, score=score, answered_at=MONDAY + days(at), source="survey"
        )

    found = by_key()
    assert list(found) == ["runway", "other"]
    assert found["runway"].applied == 2
    assert (found["runway"].active, found["runway"].finished, found["runway"].stopped) == (0, 1, 1)
    assert (found["runway"].tasks, found["runway"].tasks_done) == (2, 1)
    assert (found["runway"].messages, found["runway"].replies) == (2, 1)
    assert (found["runway"].nps.answers, found["runway"].nps.score) == (1, 100)
    assert (found["other"].applied, found["other"].active, found["other"].nps.score) == (1, 1, None)

    assert by_key(csms=[inside.priya.pk])["runway"].stopped == 0
    assert by_key(csms=[]) == {}
    assert by_key(since=MONDAY - days(7))["other"].applied == 2
    assert list(by_key(playbooks=[other.pk])) == ["other"]


def test_half_of_those_that_finished_were_through_in_so_many_days(inside: Workspace) -> None:
    quick = live(playbook_json("quick", steps=[raise_risk()]))
    for at, took in enumerate((1, 2.5, 9, None)):
        made = begin(quick, account(f"A{at}"))
        if took:
            ends = {"state": "completed", "completed_at": made.activated_at + days(took)}
            Enrollment.objects.filter(pk=made.pk).update(**ends)
    begin(live(playbook_json("other")), account("Other"))

    found = by_key()
    assert (found["quick"].finished, found["quick"].days_to_finish) == (3, 2.5)
    assert found["other"].days_to_finish is None


def _answer(conversation: Conversation, *, automatic: bool = False) -> None:
    letter = Incoming(
        message_id=f"<answer-{conversation.pk}@customer.example>",
        from_name="",
        from_email=conversation.to_email,
        subject="Re: Hello",
        text="Yes",
        is_automatic=automatic,
        bounces=(),
    )
    assert take_in(conversation, letter, now=MONDAY + days(1))


def test_whoever_looks_after_the_account_and_whoever_wrote_hear_of_an_answer(inside: Workspace) -> None:
    ada = account("Ada", csm=inside.priya)
    user("Ann", ada, role="owner")
    begin(live(playbook_json("runway", steps=[MAIL])), ada)
    tick(now=MONDAY, deliver=deliver_to_nobody)
    Account.objects.filter(pk=ada.pk).update(csm=inside.tom)
    sent = Conversation.objects.get()

    _answer(sent)

    told = Notification.objects.filter(kind="reply", subject=f"conversation:{sent.pk}")
    assert set(told.values_list("member_id", flat=True)) == {inside.priya.pk, inside.tom.pk}


def test_another_workspaces_are_not_counted(inside: Workspace) -> None:
    assert effects(since=MONDAY - days(900), clock=CLOCK) == []
    assert not Playbook.objects.exists()
    assert not EndUser.objects.exists()
