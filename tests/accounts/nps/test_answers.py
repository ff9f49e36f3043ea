"""Answers: one for each showing, told on the timeline; others are brought in by their sender's ids."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from accounts.models import NpsResponse, TimelineEntry
from accounts.nps.answers import Brought, account_of, bring_in, record_answer
from accounts.nps.showings import record_showing
from accounts.timeline import load_timeline
from cs_platform.tenancy.context import tenant_context
from tests.world import MONDAY, Workspace, account, days, user

from .conftest import Scene


def answer(scene: Scene, score: int, comment: str | None = None, *, now: datetime = MONDAY) -> bool:
    said = {"account_id": scene.at.pk, "score": score, "comment": comment}
    return record_answer(scene.ines.pk, **said, since=MONDAY.date(), now=now)  # type: ignore[arg-type]


def shown(scene: Scene, *, now: datetime = MONDAY) -> None:
    record_showing(scene.ines.pk, now=now, today=now.date())


def told(scene: Scene) -> list[tuple[str, str]]:
    return [(entry.text, entry.who.name) for entry in load_timeline(scene.at).entries]


def test_an_answer_is_kept_and_told(scene: Scene) -> None:
    shown(scene)
    assert answer(scene, 9, "Saves us a day a week.")
    [kept] = NpsResponse.objects.all()
    assert (kept.end_user, kept.account, kept.score, kept.answered_at) == (scene.ines, scene.at, 9, MONDAY)
    assert told(scene) == [("NPS answer 9 of 10, promoter: “Saves us a day a week.”", "Ines Falk")]


def test_a_repeat_changes_nothing(scene: Scene) -> None:
    shown(scene)
    for _ in range(3):
        assert answer(scene, 3, "Slow")
    assert NpsResponse.objects.count() == TimelineEntry.objects.count() == 1


def test_a_score_comes_first_and_its_comment_after_it(scene: Scene) -> None:
    shown(scene)
    answer(scene, 7)
    answer(scene, 7, "Fine so far", now=MONDAY + timedelta(minutes=1))
    [kept] = NpsResponse.objects.all()
    assert (kept.score, kept.comment, kept.answered_at) == (7, "Fine so far", MONDAY)
    assert [text for text, _ in told(scene)] == ["NPS comment: “Fine so far”", "NPS answer 7 of 10, passive"]


def test_second_thoughts_change_the_one_answer_and_keep_its_comment(scene: Scene) -> None:
    shown(scene)
    answer(scene, 9, "Good")
    answer(scene, 6)
    [kept] = NpsResponse.objects.all()
    assert (kept.score, kept.comment) == (6, "Good")


def test_a_later_showing_is_another_answer(scene: Scene) -> None:
    later = MONDAY + days(120)
    shown(scene)
    answer(scene, 9)
    shown(scene, now=later)
    answer(scene, 2, now=later)
    assert list(NpsResponse.objects.order_by("answered_at").values_list("score", flat=True)) == [9, 2]


def test_who_was_not_asked_cannot_answer(scene: Scene) -> None:
    shown(scene, now=MONDAY - days(1))
    assert not answer(scene, 10)
    assert not NpsResponse.objects.exists()


def test_a_long_comment_is_kept_whole_and_told_shortened(scene: Scene) -> None:
    shown(scene)
    answer(scene, 5, "x" * 2_000)
    assert len(NpsResponse.objects.get().comment) == 2_000
    assert len(told(scene)[0][0]) < 400


def test_an_answer_counts_for_the_account_where_the_user_was_seen_last(scene: Scene) -> None:
    calyx = account("Calyx")
    ben = user("Ben", scene.at, calyx)
    ben.account_users.filter(account=calyx).update(last_seen_at=MONDAY)
    assert account_of(ben.pk) == calyx.pk
    assert account_of(ben.pk, wanted=scene.at.pk) == scene.at.pk
    assert account_of(scene.ines.pk, wanted=calyx.pk) is None
    assert account_of(user("Nobody").pk) is None


def brought(key: str, scene: Scene, **more: Any) -> Brought:
    plain = {"user": scene.ines.external_id, "account": None, "score": 8, "comment": "", "answered_at": MONDAY}
    return Brought(key, **(plain | more))


def outcomes(scene: Scene, *items: Brought) -> list[str]:
    return [one.outcome for one in bring_in(items, by=scene.home.olga)]


def test_answers_of_another_tool_come_in_once(scene: Scene) -> None:
    old = MONDAY - days(200)
    items = [brought("d-1", scene, answered_at=old, comment="Bien"), brought("d-2", scene, score=10)]
    assert outcomes(scene, *items) == ["created", "created"]
    assert outcomes(scene, *items) == ["unchanged", "unchanged"]
    assert outcomes(scene, items[0], brought("d-2", scene, score=4)) == ["unchanged", "updated"]
    assert sorted(NpsResponse.objects.values_list("external_id", "score")) == [("d-1", 8), ("d-2", 4)]
    assert {one.account_id for one in NpsResponse.objects.all()} == {scene.at.pk}
    assert [entry.at for entry in load_timeline(scene.at).entries] == [MONDAY, old]


def test_what_stands_twice_is_taken_as_it_stands_last(scene: Scene) -> None:
    outcomes(scene, brought("d-1", scene, score=1), brought("d-1", scene, score=2))
    assert NpsResponse.objects.get().score == 2


@pytest.mark.parametrize(
    ("more", "field"), [({"user": "nobody"}, "user"), ({"account": "nowhere"}, "account")], ids=["user", "account"]
)
def test_one_bad_item_spoils_no_other(scene: Scene, more: dict[str, Any], field: str) -> None:
    bad, good = bring_in([brought("d-1", scene, **more), brought("d-2", scene)], by=scene.home.olga)
    assert (bad.outcome, [name for name, _ in bad.faults], good.outcome) == ("refused", [field], "created")


def test_a_senders_id_cannot_be_one_of_ours(scene: Scene) -> None:
    [refused] = bring_in([brought("showing:1", scene)], by=scene.home.olga)
    assert refused.faults[0][0] == "external_id"


def test_bringing_in_takes_few_questions_however_many(scene: Scene, django_assert_max_num_queries: Any) -> None:
    items = [brought(f"d-{n}", scene) for n in range(200)]
    with django_assert_max_num_queries(8):
        bring_in(items, by=scene.home.olga)


def test_another_workspaces_user_is_unknown(scene: Scene, halyard: Workspace) -> None:
    with tenant_context(halyard.tenant.pk):
        assert outcomes(scene, brought("d-1", scene)) == ["refused"]
