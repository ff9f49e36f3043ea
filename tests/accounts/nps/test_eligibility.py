"""Who is asked and who is not: too new, too soon, too often, against the plan, at no customer."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from accounts.models import Account, EndUser, NpsEligibility, NpsResponse
from accounts.nps.eligibility import (
    EndedClaim,
    askable,
    claim_eligibility,
    end_eligibility,
    make_eligible,
    may_be_asked,
    months_before,
)
from accounts.nps.showings import dismiss, record_showing
from cs_platform.tenancy.context import tenant_context
from tests.world import MONDAY, Workspace, account, days, user

from .conftest import Scene


def asked(scene: Scene, *, now: datetime = MONDAY, **more: Any) -> bool:
    return may_be_asked(scene.ines.pk, survey=scene.survey, now=now, today=now.date(), **more)


def answered(who: EndUser, *, at: datetime, score: int = 9) -> None:
    NpsResponse.objects.create(end_user=who, score=score, answered_at=at, source="survey")


def shown(scene: Scene, *, now: datetime) -> None:
    record_showing(scene.ines.pk, now=now, today=now.date())


def test_a_user_of_a_customer_is_asked(scene: Scene) -> None:
    assert asked(scene)
    assert asked(scene, account_id=scene.at.pk)


def test_nobody_is_asked_while_it_is_off(scene: Scene) -> None:
    scene.changed(is_on=False)
    assert not asked(scene)


def test_a_new_user_is_left_alone_until_old_enough(scene: Scene) -> None:
    EndUser.objects.filter(pk=scene.ines.pk).update(created_at=MONDAY - days(29))
    assert not asked(scene)
    assert asked(scene, now=MONDAY + days(1))


@pytest.mark.parametrize("lifecycle", ["churned", "ignored"])
def test_nobody_is_asked_at_an_account_that_is_not_tracked(scene: Scene, lifecycle: str) -> None:
    Account.objects.filter(pk=scene.at.pk).update(lifecycle=lifecycle)
    assert not asked(scene)
    user_of_another = account("Calyx")
    user("Ines again", user_of_another, now=MONDAY - days(90))
    assert not asked(scene)


def test_archived_users_and_accounts_are_not_asked(scene: Scene) -> None:
    Account.objects.filter(pk=scene.at.pk).update(archived_at=MONDAY)
    assert not asked(scene)
    Account.objects.filter(pk=scene.at.pk).update(archived_at=None)
    EndUser.objects.filter(pk=scene.ines.pk).update(archived_at=MONDAY)
    assert not asked(scene)


def test_an_account_that_is_not_the_users_makes_nobody_eligible(scene: Scene) -> None:
    assert not asked(scene, account_id=account("Calyx").pk)


def test_whoever_answered_rests_for_the_months_between(scene: Scene) -> None:
    answered(scene.ines, at=MONDAY)
    assert not asked(scene, now=datetime(2027, 2, 2, 11, 59, tzinfo=UTC))
    assert asked(scene, now=datetime(2027, 2, 2, 12, 1, tzinfo=UTC))


def test_whoever_closed_it_rests_as_long(scene: Scene) -> None:
    shown(scene, now=MONDAY)
    assert dismiss(scene.ines.pk, since=MONDAY.date(), now=MONDAY)
    assert not asked(scene, now=MONDAY + timedelta(minutes=1))
    assert not asked(scene, now=MONDAY + days(80))
    assert asked(scene, now=MONDAY + days(93))


def test_it_stays_for_the_day_it_appeared_on(scene: Scene) -> None:
    scene.changed(max_showings=1)
    shown(scene, now=MONDAY)
    assert asked(scene, now=MONDAY + timedelta(hours=11))
    assert not asked(scene, now=MONDAY + days(1))


def test_it_appears_on_so_many_days_and_then_rests(scene: Scene) -> None:
    for day in range(3):
        assert asked(scene, now=MONDAY + days(day))
        shown(scene, now=MONDAY + days(day))
    assert not asked(scene, now=MONDAY + days(3))
    assert not asked(scene, now=MONDAY + days(89))
    assert asked(scene, now=MONDAY + days(95))


def test_a_day_counts_once_however_often_it_is_shown(scene: Scene) -> None:
    assert record_showing(scene.ines.pk, now=MONDAY, today=MONDAY.date())
    assert not record_showing(scene.ines.pk, now=MONDAY + timedelta(hours=1), today=MONDAY.date())


def test_nothing_is_dismissed_that_was_not_shown(scene: Scene) -> None:
    assert not dismiss(scene.ines.pk, since=MONDAY.date(), now=MONDAY)


def test_with_a_playbook_required_only_open_claims_count(scene: Scene) -> None:
    scene.changed(requires_playbook=True)
    assert not asked(scene)
    make_eligible([scene.ines.pk], source="run:1", now=MONDAY)
    assert asked(scene)
    end_eligibility(["run:1"], now=MONDAY)
    assert not asked(scene)


def test_one_stays_eligible_while_any_source_says_so(scene: Scene) -> None:
    scene.changed(requires_playbook=True)
    assert make_eligible([scene.ines.pk], source="run:1", now=MONDAY) == {scene.ines.pk}
    make_eligible([scene.ines.pk], source="run:2", now=MONDAY)
    end_eligibility(["run:1"], now=MONDAY)
    assert asked(scene)


def test_a_claim_is_made_once_and_can_be_made_again(scene: Scene) -> None:
    assert make_eligible([scene.ines.pk], source="run:1", now=MONDAY) == {scene.ines.pk}
    assert make_eligible([scene.ines.pk], source="run:1", now=MONDAY) == set()
    end_eligibility(["run:1"], now=MONDAY + days(1))
    assert make_eligible([scene.ines.pk], source="run:1", now=MONDAY + days(2)) == {scene.ines.pk}
    claim = NpsEligibility.objects.get()
    assert (claim.made_at, claim.ended_at) == (MONDAY + days(2), None)


def test_a_claim_with_an_end_is_over_by_itself_and_can_be_made_again(scene: Scene) -> None:
    scene.changed(requires_playbook=True)
    claim = [(scene.ines.pk, "run:1")]
    claim_eligibility(claim, now=MONDAY, ends_at=MONDAY + days(14))
    assert asked(scene, now=MONDAY + days(13))
    assert not asked(scene, now=MONDAY + days(14))
    assert end_eligibility(["run:1"], now=MONDAY + days(14)) == []

    claim_eligibility(claim, now=MONDAY + days(20), ends_at=None)

    assert asked(scene, now=MONDAY + days(90))


def test_ending_many_sources_says_whose_claims_ended_and_who_has_answered(scene: Scene) -> None:
    ben, cora = user("Ben", scene.at), user("Cora", scene.at)
    make_eligible([scene.ines.pk, ben.pk], source="run:1", now=MONDAY)
    make_eligible([cora.pk], source="run:2", now=MONDAY)
    make_eligible([cora.pk], source="run:3", now=MONDAY)
    answered(ben, at=MONDAY + days(1))
    answered(cora, at=MONDAY - days(1))

    ended = end_eligibility(["run:1", "run:2"], now=MONDAY + days(2))

    assert ended == [
        EndedClaim("run:1", scene.ines.pk, answered=False),
        EndedClaim("run:1", ben.pk, answered=True),
        EndedClaim("run:2", cora.pk, answered=False),
    ]
    assert NpsResponse.objects.count() == 2
    assert end_eligibility(["run:1", "run:2"], now=MONDAY + days(2)) == []


def test_a_source_can_let_go_of_some(scene: Scene) -> None:
    ben = user("Ben", scene.at)
    make_eligible([scene.ines.pk, ben.pk], source="run:1", now=MONDAY)
    assert [one.user_id for one in end_eligibility(["run:1"], user_ids=[ben.pk], now=MONDAY)] == [ben.pk]


def test_the_other_workspace_is_not_asked(scene: Scene, halyard: Workspace) -> None:
    with tenant_context(halyard.tenant.pk):
        assert not asked(scene)
    assert list(askable(scene.survey, now=MONDAY, today=MONDAY.date())) == [scene.ines]


@pytest.mark.parametrize(
    ("day", "months", "before"), [((2026, 5, 31), 3, (2026, 2, 28)), ((2026, 1, 15), 1, (2025, 12, 15))]
)
def test_months_end_where_months_end(day: Any, months: int, before: Any) -> None:
    assert months_before(datetime(*day, tzinfo=UTC), months) == datetime(*before, tzinfo=UTC)
