"""Every user counts once, by their last answer: for an account, a segment, the workspace and each month."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from accounts.models import Account, EndUser, NpsResponse, Segment, SegmentMembership
from accounts.nps.scores import Group, Tally, answers_in, group_of, in_group, last_of_each, tally, trend
from tests.world import MONDAY, account, days, user

from .conftest import Scene


def said(who: EndUser, score: int, *, at: datetime = MONDAY, account: Account | None = None) -> NpsResponse:
    return NpsResponse.objects.create(end_user=who, account=account, score=score, answered_at=at, source="survey")


@pytest.mark.parametrize(
    ("score", "word"), [(0, "detractor"), (6, "detractor"), (7, "passive"), (8, "passive"), (9, "promoter")]
)
def test_a_score_has_its_group(score: int, word: str) -> None:
    assert group_of(score) == word


@pytest.mark.parametrize(
    ("counts", "score"),
    [((0, 0, 0), None), ((1, 0, 0), 100), ((0, 0, 3), -100), ((1, 1, 0), 50), ((1, 7, 0), 13), ((0, 7, 1), -13)],
)
def test_the_score_is_promoters_less_detractors_of_all(counts: tuple[int, int, int], score: int | None) -> None:
    assert Tally(*counts).score == score


def test_a_users_last_answer_counts(scene: Scene) -> None:
    said(scene.ines, 10, at=MONDAY - days(90), account=scene.at)
    last = said(scene.ines, 3, account=scene.at)
    said(user("Ben", scene.at), 9, account=scene.at)
    assert tally(answers_in()) == Tally(1, 0, 1)
    assert last in last_of_each(answers_in())
    assert last_of_each(answers_in()).count() == 2


def test_an_account_counts_what_was_answered_there(scene: Scene) -> None:
    calyx = account("Calyx")
    said(scene.ines, 10, account=scene.at, at=MONDAY - days(1))
    said(scene.ines, 2, account=calyx)
    assert tally(answers_in(account_id=scene.at.pk)).score == 100
    assert tally(answers_in(account_id=calyx.pk)).score == -100


@pytest.mark.parametrize("scope", ["account", "user"])
def test_a_segment_counts_its_members(scene: Scene, scope: str) -> None:
    segment = Segment.objects.create(scope=scope, name="Fans", created_at=MONDAY)
    ben = user("Ben", account("Calyx"))
    said(scene.ines, 9, account=scene.at)
    said(ben, 1)
    subject = {"account": scene.at} if scope == "account" else {"end_user": scene.ines}
    stay = SegmentMembership.objects.create(segment=segment, entered_at=MONDAY, **subject)
    assert tally(answers_in(segment)) == Tally(promoters=1)
    SegmentMembership.objects.filter(pk=stay.pk).update(left_at=MONDAY)
    assert tally(answers_in(segment)) == Tally()


def test_groups_are_told_apart(scene: Scene) -> None:
    kept = [said(scene.ines, score) for score in (6, 7, 8, 9)]
    assert list(in_group(answers_in(), Group.PASSIVES).order_by("pk")) == kept[1:3]
    assert list(in_group(answers_in(), Group.DETRACTORS)) == kept[:1]
    assert list(in_group(answers_in(), Group.PROMOTERS)) == kept[3:]


def test_a_month_is_the_workspaces_and_counts_each_user_once(scene: Scene) -> None:
    berlin = ZoneInfo("Europe/Berlin")
    said(scene.ines, 2, at=datetime(2026, 10, 5, tzinfo=UTC))
    said(scene.ines, 9, at=datetime(2026, 10, 20, tzinfo=UTC))
    said(scene.ines, 7, at=datetime(2026, 10, 31, 23, 30, tzinfo=UTC))  # November in Berlin
    said(scene.ines, 0, at=datetime(2025, 11, 30, 22, tzinfo=UTC))  # before the first of the twelve
    months = trend(answers_in(), until=date(2026, 11, 2), zone=berlin)
    assert [months[0].first_day, months[-1].first_day, len(months)] == [date(2025, 12, 1), date(2026, 11, 1), 12]
    assert [month.tally for month in months[-3:]] == [Tally(), Tally(promoters=1), Tally(passives=1)]
    assert months[0].tally == Tally()
