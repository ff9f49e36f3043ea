"""The inbox: what waits, decided one by one or several at once; what was sent; and what never left."""

from datetime import UTC, datetime

import pytest

from accounts.models import Conversation, SendingPolicy
from cs_platform.tenancy.models import Membership
from playbooks.models import ActionRun, Enrollment
from playbooks.undo import request_stop
from tests.playbooks.test_conversations import HOUR, Post, enroll, writing
from tests.visitor import Visitor, text
from tests.world import MONDAY, Workspace, account, days, tick, user


@pytest.fixture
def priya(inside: Workspace) -> Visitor:
    return Visitor(inside.priya)


@pytest.fixture
def enrollments(inside: Workspace) -> list[Enrollment]:
    """Three drafts to leave tomorrow: two from Priya, one from Tom."""
    playbook = writing(review_hours=24, subject="News for {{ account.name }}")
    people = {"Harbour": inside.priya, "Yarrow": inside.priya, "Ostrel": inside.tom}
    made = []
    for name, csm in people.items():
        at = account(name, csm=csm)
        user(f"Ana {name}", at, role="admin")
        made.append(enroll(playbook, at))
    tick(now=MONDAY)
    return made


def soon() -> datetime:
    """Pages live in the real present."""
    return datetime.now(UTC) + HOUR / 60


def drafts() -> list[Conversation]:
    return list(Conversation.objects.order_by("pk"))


def test_it_lists_what_waits_with_playbook_recipient_and_time(priya: Visitor, enrollments: list[Enrollment]) -> None:
    shown = text(priya.page("playbooks/conversations/"))

    assert "3 waiting" in shown
    assert all(f"News for {name}" in shown for name in ("Harbour", "Yarrow", "Ostrel"))
    assert "Harbour · to Ana Harbour · Runway" in shown


def test_it_can_be_narrowed_to_ones_own_and_searched(priya: Visitor, enrollments: list[Enrollment]) -> None:
    mine = text(priya.fragment("playbooks/conversations/?mine=1", "inbox"))
    found = text(priya.fragment("playbooks/conversations/?q=ostrel", "inbox"))

    assert ("News for Yarrow" in mine, "News for Ostrel" in mine) == (True, False)
    assert ("News for Yarrow" in found, "News for Ostrel" in found) == (False, True)


def test_several_are_sent_at_once_whatever_the_hour(priya: Visitor, enrollments: list[Enrollment]) -> None:
    first, second, third = drafts()
    answer = priya.send("playbooks/conversations/", verb="now", ids=[first.pk, second.pk])
    post = Post()
    tick(now=soon(), deliver=post)

    assert "2 messages on the way" in answer["HX-Trigger"]
    assert post.to == ["Ana Harbour", "Ana Yarrow"]
    shown = text(priya.page("playbooks/conversations/?tab=sent"))
    assert ("News for Harbour" in shown, "News for Ostrel" in shown) == (True, False)
    assert third.state == "pending"


def test_several_are_kept_from_leaving_and_their_actions_are_skipped(
    priya: Visitor, enrollments: list[Enrollment]
) -> None:
    priya.submit("playbooks/conversations/", verb="cancel", ids=[one.pk for one in drafts()[:2]])
    post = Post()
    tick(now=soon(), deliver=post)

    assert post.to == []
    states = [ActionRun.objects.get(pk=draft.origin_run_id).state for draft in drafts()]
    assert states == ["skipped", "skipped", "held"]
    assert "cancelled" in text(priya.page("playbooks/conversations/?tab=unsent"))


def test_several_are_given_to_another_sender(priya: Visitor, inside: Workspace, enrollments: list[Enrollment]) -> None:
    answer = priya.send(
        "playbooks/conversations/", verb="sender", ids=[one.pk for one in drafts()], sender=inside.tom.pk
    )

    assert "2 messages now from Tom Lindqvist" in answer["HX-Trigger"]
    assert {one.sender for one in drafts()} == {inside.tom}


def test_a_draft_held_for_want_of_a_sender_goes_on_with_another(
    priya: Visitor, inside: Workspace, enrollments: list[Enrollment]
) -> None:
    SendingPolicy.objects.create(opens_at=0, closes_at=24, weekdays_only=False)
    Membership.objects.filter(pk=inside.tom.pk).update(deactivated_at=MONDAY)
    post, next_day = Post(), MONDAY + days(1)
    tick(now=next_day, deliver=post)
    (held,) = ActionRun.objects.filter(state="held")
    draft = Conversation.objects.get(origin_run_id=held.pk)

    mine = {"subject": "Mine", "body": "Now from me", "sender": inside.priya.pk, "verb": "save"}
    priya.send(f"playbooks/conversations/{draft.pk}/", target="dialog", **mine)
    tick(now=soon(), deliver=post)

    (sent,) = [one.letter for one in post.sent if one.letter.to_name == "Ana Ostrel"]
    assert (sent.from_email, sent.subject) == (inside.priya.email, "Mine")


def test_a_stop_takes_its_draft_out_of_the_inbox_for_good(
    priya: Visitor, inside: Workspace, enrollments: list[Enrollment]
) -> None:
    request_stop(enrollments[0], by=inside.priya, now=MONDAY)
    first = drafts()[0]

    answer = priya.send("playbooks/conversations/", verb="now", ids=[first.pk])
    post = Post()
    tick(now=MONDAY + days(2), deliver=post)

    assert "no draft was chosen" in answer["HX-Trigger"]
    assert "Ana Harbour" not in post.to


def test_everybody_reads_and_only_workers_decide(inside: Workspace, enrollments: list[Enrollment]) -> None:
    omar = Visitor(inside.omar)

    assert "Send now" not in text(omar.page("playbooks/conversations/"))
    assert omar.submit("playbooks/conversations/", verb="now", ids=[drafts()[0].pk]).status_code == 403


def test_another_workspaces_draft_cannot_be_decided(
    priya: Visitor, halyard: Workspace, enrollments: list[Enrollment]
) -> None:
    stranger = Visitor(halyard.priya)

    answer = stranger.send("playbooks/conversations/", verb="cancel", ids=[one.pk for one in drafts()])

    assert "no draft was chosen" in answer["HX-Trigger"]
    assert {one.state for one in drafts()} == {"pending"}
