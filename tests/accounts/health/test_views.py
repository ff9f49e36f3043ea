"""Setting health and lifecycles up, the preview of a measure, and the account's card."""

from typing import Any

import pytest

from accounts.health.defining import MeasureWording, ScoreWording, save_measure, save_score
from accounts.models import Account, HealthMeasure, HealthReading, HealthScore, LifecycleRule
from tests.visitor import Visitor, text
from tests.world import MONDAY, Workspace, account, days

from .test_grading import FEW, MANY, grade, measure, rule, score


@pytest.fixture
def maya(inside: Workspace) -> Visitor:
    return Visitor(inside.maya)


def typed(name: str, op: str, value: str) -> dict[str, str]:
    """What the rule editor sends for one condition on the number of users."""
    return {f"{name}:mode": "all", f"{name}:0:field": "user_count", f"{name}:0:op": op, f"{name}:0:value": value}


def posted(**more: Any) -> dict[str, Any]:
    whole = {"name": "Users", "weight": "2", "when_unknown": "leave_out"}
    return whole | typed("healthy", "at_least", "10") | typed("poor", "less", "3") | more


def test_a_score_is_made_and_given_a_measure(maya: Visitor) -> None:
    accounts = [account(f"A{users}", user_count=users) for users in (12, 5, 1)]
    maya.submit("health/scores/new/", name="Usage", weight="1")
    usage = HealthScore.objects.get()
    assert "Without a measure it says nothing" in text(maya.page("health/"))
    assert maya.submit(f"health/scores/{usage.pk}/measures/", **posted()).status_code == 302
    shown = text(maya.page("health/"))
    assert "Number of users is at least 10" in shown
    assert "Number of users is less than 3" in shown
    assert [Account.objects.get(pk=one.pk).health for one in accounts] == [100, 50, 0]


def test_what_cannot_be_saved_comes_back(maya: Visitor, inside: Workspace) -> None:
    usage = score(inside)
    measure(inside, usage, "Users", MANY)
    again = maya.submit(f"health/scores/{usage.pk}/measures/", **posted())
    assert again.status_code == 422
    assert "a measure called Users already" in text(again)
    about_health = {"healthy:0:field": "health", "healthy:0:op": "set"}
    refused = maya.submit(f"health/scores/{usage.pk}/measures/", **posted(name="Other", **about_health))
    assert "cannot ask about health" in text(refused)
    assert maya.submit("health/scores/new/", name="Usage", weight="0").status_code == 422


def test_a_measure_is_previewed_before_it_is_saved(maya: Visitor, inside: Workspace) -> None:
    for users in (12, 5, 1, 0):
        account(f"Account of {users}", user_count=users)
    usage = score(inside)
    shown = text(maya.send(f"health/scores/{usage.pk}/preview/", target="measure-preview", **posted(name="")))
    assert 'Healthy <b class="num">1</b>' in shown
    assert 'Poor <b class="num">2</b>' in shown
    assert "Account of 5" in shown
    assert not HealthMeasure.objects.exists()
    half = posted() | {"healthy:0:value": ""}
    assert "Finish the conditions" in text(maya.send(f"health/scores/{usage.pk}/preview/", **half))


def test_a_measure_is_changed_and_removed(maya: Visitor, inside: Workspace) -> None:
    one = account(user_count=12)
    made = measure(inside, score(inside), "Users", MANY, FEW)
    assert "at least" in text(maya.page(f"health/measures/{made.pk}/"))
    maya.submit(f"health/measures/{made.pk}/", **posted(**{"healthy:0:value": "20"}))
    assert Account.objects.get(pk=one.pk).health == 50
    maya.submit(f"health/measures/{made.pk}/remove/")
    assert not HealthMeasure.objects.exists()


def test_the_account_says_its_health_with_reasons_and_history(maya: Visitor, inside: Workspace) -> None:
    one = account(user_count=12)
    measure(inside, score(inside), "Users", MANY, FEW)
    Account.objects.filter(pk=one.pk).update(user_count=1)
    grade(inside, after=1)
    HealthReading.objects.filter(is_current=False).update(on=MONDAY.date() - days(40))
    shown = text(maya.page(f"accounts/{one.pk}/"))
    assert "Number of users is less than 3" in shown
    assert '<svg class="spark risk"' in shown
    assert "−100" in shown


def test_without_scores_the_history_of_what_an_import_says_is_kept(maya: Visitor, inside: Workspace) -> None:
    one = account(health=80)
    grade(inside, after=1)
    Account.objects.filter(pk=one.pk).update(health=60)
    grade(inside, after=2)
    assert list(HealthReading.objects.order_by("on").values_list("value", flat=True)) == [80, 60]
    assert 'id="health"' in text(maya.page(f"accounts/{one.pk}/"))


def test_lifecycle_rules_are_counted_before_they_are_saved(maya: Visitor) -> None:
    one = account(user_count=1)
    rules = typed("churned", "less", "3")
    checked = maya.submit("health/lifecycles/", check="1", **rules)
    assert "With these rules" in text(checked)
    assert not LifecycleRule.objects.exists()
    maya.submit("health/lifecycles/", **rules)
    assert Account.objects.get(pk=one.pk).lifecycle == "churned"
    assert "churned" in text(maya.page("health/lifecycles/")).lower()


def test_archived_scores_can_be_brought_back(maya: Visitor, inside: Workspace) -> None:
    usage = score(inside)
    maya.submit(f"health/scores/{usage.pk}/archive/")
    assert "Archived" in text(maya.page("health/"))
    maya.submit(f"health/scores/{usage.pk}/restore/")
    assert HealthScore.objects.get().archived_at is None
    save_score(None, wording=ScoreWording("Other"), tenant=inside.tenant, by=inside.jonah, now=MONDAY)
    wording = MeasureWording("Users", rule(MANY))
    assert save_measure(None, score=usage, wording=wording, tenant=inside.tenant, by=inside.jonah, now=MONDAY)
