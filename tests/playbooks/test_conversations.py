"""Messages of playbooks through the engine: each recipient once, at decent hours, not too many, none after a stop."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from accounts.conversations.sending import Hours, the_policy
from accounts.models import Account, Conversation, EndUser, SendingPolicy, Suppression, TimelineEntry
from actions.base import Applied, DeliveryOutcome, ExternalAction, Refused
from cs_platform.workspace.models import Holiday
from playbooks import reviews
from playbooks.delivery import deliver_round
from playbooks.enrollment import apply_by_hand
from playbooks.models import ActionRun, Enrollment, Playbook
from playbooks.turns import Turn
from playbooks.undo import preview_stop, request_stop
from tests.world import MONDAY, Workspace, account, days, live, playbook_json, tick, user

HOUR = timedelta(hours=1)
ADMINS = {"field": "role", "op": "is", "value": "admin"}


class Post:
    """Takes every letter; refuses those to people it does not know."""

    def __init__(self, unknown: str = "") -> None:
        self.sent: list[Any] = []
        self.unknown = unknown

    def __call__(self, action: ExternalAction, payload: Any) -> DeliveryOutcome:
        if payload.letter.to_email == self.unknown:
            return Refused("550 nobody here", unreachable=True)
        self.sent.append(payload)
        return Applied(payload.receipt)

    @property
    def to(self) -> list[str]:
        return sorted(payload.letter.to_name for payload in self.sent)


@pytest.fixture
def harbour(inside: Workspace) -> Account:
    return account("Harbour", csm=inside.priya)


def writing(key: str = "runway", **config: Any) -> Playbook:
    step = {"key": "mail", "day": 1, "action": "start_conversation"}
    text = {"subject": "Hello", "body": "Shall we talk?", "sender": "csm"}
    return live(playbook_json(key, steps=[step | {"config": text | config}]))


def enroll(playbook: Playbook, at: Account, *, now: datetime = MONDAY) -> Enrollment:
    return apply_by_hand(playbook=playbook, account=at, by="person:1", now=now)


def team_of_three(at: Account) -> list[EndUser]:
    return [user(name, at, role="admin") for name in ("Ana Admin", "Bo Admin", "Cy Admin")]


# To each user who matches


def test_each_user_who_matches_gets_a_message_of_their_own(harbour: Account) -> None:
    team_of_three(harbour)
    user("Mia Member", harbour)
    post = Post()
    enrollment = enroll(writing(recipients="matching", filters=ADMINS, subject="Hello {{ user.first_name }}"), harbour)

    tick(now=MONDAY, deliver=post)

    assert post.to == ["Ana Admin", "Bo Admin", "Cy Admin"]
    assert {payload.letter.subject for payload in post.sent} == {"Hello Ana", "Hello Bo", "Hello Cy"}
    enrollment.refresh_from_db()
    assert (enrollment.state, enrollment.progress) == ("completed", 100)


def test_recipients_are_written_down_before_the_first_message_leaves(inside: Workspace, harbour: Account) -> None:
    team_of_three(harbour)
    enrollment, post = enroll(writing(recipients="matching", filters=ADMINS), harbour), Post()

    deliver_round(inside.tenant, Turn.at(MONDAY), deliver=post)

    assert post.sent == []
    assert list(enrollment.runs.exclude(fan_key="").values_list("state", flat=True)) == ["scheduled"] * 3


def test_a_crash_in_the_middle_forgets_nobody_and_repeats_nobody(harbour: Account) -> None:
    team_of_three(harbour)
    enrollment = enroll(writing(recipients="matching", filters=ADMINS), harbour)
    sent: list[str] = []

    def dies_at_the_second(action: ExternalAction, payload: Any) -> DeliveryOutcome:
        sent.append(payload.letter.to_name)
        if payload.letter.to_name == "Bo Admin":
            raise RuntimeError("the worker died")
        return Applied(payload.receipt)

    tick(now=MONDAY, deliver=dies_at_the_second)
    tick(now=MONDAY + HOUR, deliver=dies_at_the_second)

    assert sorted(sent) == ["Ana Admin", "Bo Admin", "Cy Admin"]
    states = enrollment.runs.exclude(fan_key="").values_list("state", flat=True)
    assert sorted(states) == ["applied", "applied", "uncertain"]


def test_a_stop_cancels_those_that_wait_and_lists_who_got_it(inside: Workspace, harbour: Account) -> None:
    team_of_three(harbour)
    enrollment = enroll(writing(recipients="matching", filters=ADMINS, review_hours=24), harbour)
    tick(now=MONDAY)
    reviews.send_now(Conversation.objects.get(to_name="Bo Admin"), by=inside.priya, now=MONDAY)
    post = Post()
    tick(now=MONDAY, deliver=post)

    preview = preview_stop(enrollment, now=MONDAY + HOUR)
    request_stop(enrollment, by=inside.priya, now=MONDAY + HOUR)
    tick(now=MONDAY + days(3), deliver=post)

    assert post.to == ["Bo Admin"]
    assert [line.says for line in preview.kept] == ["“Hello” was sent to Bo Admin on 2 Nov"]
    assert len(preview.cancelled) == 2
    assert [line.says for line in preview.undone] == ["No further users of the account are written to"]


def test_an_edited_draft_is_cancelled_by_a_stop_too_and_stays_readable(inside: Workspace, harbour: Account) -> None:
    user("Ana Admin", harbour, role="admin")
    enrollment = enroll(writing(review_hours=24), harbour)
    tick(now=MONDAY)
    draft = Conversation.objects.get()
    assert draft.edit(subject="Hello again", body="Mine", by=inside.priya, now=MONDAY)

    request_stop(enrollment, by=inside.priya, now=MONDAY + HOUR)
    post = Post()
    tick(now=MONDAY + days(3), deliver=post)

    draft.refresh_from_db()
    assert (draft.state, draft.body, post.sent) == ("cancelled", "Mine", [])


def test_a_stop_after_it_was_sent_writes_to_nobody(inside: Workspace, harbour: Account) -> None:
    user("Ana Admin", harbour, role="admin")
    enrollment = enroll(writing(), harbour)
    post = Post()
    tick(now=MONDAY, deliver=post)

    request_stop(enrollment, by=inside.priya, now=MONDAY + HOUR)
    tick(now=MONDAY + days(3), deliver=post)

    assert (post.to, Conversation.objects.count()) == (["Ana Admin"], 1)


def test_where_nobody_matches_the_step_is_skipped(harbour: Account) -> None:
    user("Mia Member", harbour)
    enrollment = enroll(writing(recipients="matching", filters=ADMINS), harbour)

    tick(now=MONDAY)

    assert [(run.state, run.reason) for run in enrollment.runs.all()] == [
        ("skipped", "No user of the account matches.")
    ]


# When


def test_outside_the_sending_hours_it_waits_for_them(inside: Workspace, harbour: Account) -> None:
    user("Ana Admin", harbour, role="admin")
    night, post = MONDAY.replace(hour=22), Post()
    enroll(writing(), harbour, now=night)

    tick(now=night, deliver=post)
    assert (post.sent, Conversation.objects.get().send_at) == ([], datetime(2026, 11, 3, 8, tzinfo=UTC))
    tick(now=datetime(2026, 11, 3, 8, tzinfo=UTC), deliver=post)

    assert post.to == ["Ana Admin"]


@pytest.mark.parametrize(
    ("at", "zone", "opens"),
    [
        ("2026-11-06T17:59", "UTC", "2026-11-06T17:59"),  # a Friday
        ("2026-11-06T18:00", "UTC", "2026-11-09T08:00"),
        ("2026-11-07T12:00", "UTC", "2026-11-09T08:00"),
        ("2026-11-06T12:00", "Asia/Tokyo", "2026-11-08T23:00"),
        ("2026-11-10T12:00", "UTC", "2026-11-12T08:00"),  # a holiday that begins, and the day after it
    ],
)
def test_the_hours_are_those_of_the_account_and_pass_over_days_off(
    inside: Workspace, at: str, zone: str, opens: str
) -> None:
    Holiday.objects.bulk_create(Holiday(on=day, name="Off") for day in ("2026-11-10", "2026-11-11"))
    moment, expected = (datetime.fromisoformat(text).replace(tzinfo=UTC) for text in (at, opens))

    assert Hours.of(the_policy(), now=MONDAY).next_open(moment, zone) == expected


def test_a_person_who_sends_it_now_is_obeyed_at_any_hour(inside: Workspace, harbour: Account) -> None:
    user("Ana Admin", harbour, role="admin")
    night, post = MONDAY.replace(hour=22), Post()
    enroll(writing(), harbour, now=night)
    tick(now=night, deliver=post)

    reviews.send_now(Conversation.objects.get(), by=inside.priya, now=night)
    tick(now=night, deliver=post)

    assert post.to == ["Ana Admin"]


def test_a_mailbox_sends_as_many_an_hour_as_the_workspace_allows(inside: Workspace, harbour: Account) -> None:
    SendingPolicy.objects.create(mails_an_hour=2)
    team_of_three(harbour)
    enroll(writing(recipients="matching", filters=ADMINS), harbour)
    post = Post()

    tick(now=MONDAY, deliver=post)
    tick(now=MONDAY + HOUR / 2, deliver=post)
    assert len(post.sent) == 2
    waiting = ActionRun.objects.get(state="scheduled")
    assert (waiting.reason_code, waiting.attempt, waiting.try_at) == ("later", 0, MONDAY + HOUR)
    tick(now=MONDAY + HOUR, deliver=post)

    assert len(post.sent) == 3


def test_two_playbooks_do_not_write_to_one_person_within_four_hours(inside: Workspace, harbour: Account) -> None:
    user("Ana Admin", harbour, role="admin")
    post = Post()
    for key in ("runway", "rescue"):
        enroll(writing(key), harbour)

    tick(now=MONDAY, deliver=post)
    tick(now=MONDAY + 3 * HOUR, deliver=post)
    assert len(post.sent) == 1
    tick(now=MONDAY + 4 * HOUR, deliver=post)

    assert len(post.sent) == 2


def test_after_days_without_workers_nobody_gets_a_burst(inside: Workspace, harbour: Account) -> None:
    user("Ana Admin", harbour, role="admin")
    post = Post()
    for key in ("one", "two", "three"):
        enroll(writing(key, review_hours=24), harbour)
    tick(now=MONDAY, deliver=post)
    late = MONDAY + days(3)

    tick(now=late, deliver=post)

    assert post.sent == []
    assert set(ActionRun.objects.values_list("state", "reason_code")) == {("held", "late")}
    for draft in Conversation.objects.all():
        reviews.send_now(draft, by=inside.priya, now=late)
    tick(now=late, deliver=post)
    assert len(post.sent) == 3  # a person's word


# To whom never


def test_an_address_that_is_unknown_is_remembered_and_never_written_to_again(
    inside: Workspace, harbour: Account
) -> None:
    ana = user("Ana Admin", harbour, role="admin")
    post = Post(unknown=str(ana.email))
    enroll(writing("one"), harbour)
    tick(now=MONDAY, deliver=post)

    listed = Suppression.objects.get()
    assert (listed.email, listed.reason, listed.by[:4]) == (ana.email, "bounced", "run:")
    assert TimelineEntry.objects.get(kind="user.bounced").end_user == ana
    enroll(writing("two"), harbour, now=MONDAY + days(1))
    tick(now=MONDAY + days(1), deliver=Post())
    last = ActionRun.objects.order_by("pk").last()
    assert last is not None
    assert (last.state, last.reason) == ("skipped", "Ana Admin has an address that bounces.")
