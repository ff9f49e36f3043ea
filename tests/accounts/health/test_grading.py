"""What measures make of accounts: grades, values, what counts when nothing is known, and when a reading is kept."""

from datetime import timedelta
from typing import Any

import pytest

from accounts.fields import workspace_fields
from accounts.health.defining import (
    CannotSave,
    MeasureWording,
    ScoreWording,
    archive_score,
    remove_measure,
    restore_score,
    save_measure,
    save_score,
)
from accounts.health.grading import grade_accounts
from accounts.models import Account, EventCount, EventType, HealthMeasure, HealthReading, HealthScore, TraitDefinition
from accounts.rules.fields import Subject
from accounts.rules.grammar import parse
from tests.world import MONDAY, Workspace, account, days, trait

MANY = {"field": "user_count", "op": "at_least", "value": 10}
FEW = {"field": "user_count", "op": "less", "value": 3}


def rule(written: Any) -> Any:
    return written and parse(written, fields=workspace_fields(), subject=Subject.ACCOUNT)


def score(home: Workspace, name: str = "Usage", *, applies_to: Any = None, **more: Any) -> HealthScore:
    return save_score(
        None,
        wording=ScoreWording(name, applies_to=rule(applies_to), **more),
        tenant=home.tenant,
        by=home.jonah,
        now=MONDAY,
    )


def measure(home: Workspace, of: HealthScore, name: str, healthy: Any, poor: Any = None, **more: Any) -> HealthMeasure:
    wording = MeasureWording(name, rule(healthy), rule(poor), **more)
    return save_measure(None, score=of, wording=wording, tenant=home.tenant, by=home.jonah, now=MONDAY)


def grade(home: Workspace, *, after: int = 1) -> None:
    grade_accounts(tenant=home.tenant, fields=workspace_fields(), now=MONDAY + days(after))


def health_of(one: Account) -> float | None:
    return Account.objects.get(pk=one.pk).health


def reading(one: Account, of: HealthScore | None = None) -> HealthReading:
    return HealthReading.objects.get(account=one, score=of, is_current=True)


def test_healthy_is_the_whole_scale_concerning_half_of_it_and_poor_nothing(inside: Workspace) -> None:
    accounts = [account(f"A{users}", user_count=users) for users in (12, 5, 1)]
    usage = score(inside)
    users = measure(inside, usage, "Users", MANY, FEW)
    assert [health_of(one) for one in accounts] == [100, 50, 0]
    assert [reading(one, usage).grades[str(users.pk)] for one in accounts] == ["healthy", "concerning", "poor"]


def test_a_scale_of_ten(inside: Workspace) -> None:
    inside.tenant.health_scale = 10
    inside.tenant.save()
    one = account(user_count=5)
    measure(inside, score(inside), "Users", MANY, FEW)
    assert health_of(one) == 5


def test_measures_and_scores_are_weighted(inside: Workspace) -> None:
    one = account(user_count=12, plan="Pro", mrr_cents=0)
    usage = score(inside, weight=3)
    measure(inside, usage, "Users", MANY, FEW, weight=2)
    measure(inside, usage, "Plan", {"field": "plan", "op": "is", "value": "Enterprise"})
    money = score(inside, "Money")
    measure(
        inside, money, "MRR", {"field": "mrr", "op": "more", "value": 5}, {"field": "mrr", "op": "at_most", "value": 5}
    )
    assert reading(one, usage).value == pytest.approx(83.33)
    assert reading(one, money).value == 0
    assert health_of(one) == pytest.approx((3 * 83.33) / 4, abs=0.01)


@pytest.mark.parametrize(
    ("counts_as", "value"), [("leave_out", None), ("poor", 0), ("concerning", 50), ("healthy", 100)]
)
def test_what_nothing_is_known_of_counts_as_the_workspace_says(
    inside: Workspace, counts_as: str, value: float | None
) -> None:
    one = account()
    usage = score(inside)
    made = measure(inside, usage, "MRR", {"field": "mrr", "op": "more", "value": 5}, when_unknown=counts_as)
    assert (health_of(one), reading(one, usage).grades) == (value, {str(made.pk): "unknown"})


def test_what_is_left_out_does_not_weigh(inside: Workspace) -> None:
    one = account(user_count=12)
    usage = score(inside)
    measure(inside, usage, "Users", MANY)
    measure(inside, usage, "MRR", {"field": "mrr", "op": "more", "value": 5}, weight=9)
    assert health_of(one) == 100


def test_an_event_that_never_happened_is_known_to_have_happened_no_times(inside: Workspace) -> None:
    silent, busy = account("Silent"), account("Busy")
    signed_in = EventType.objects.create(name="Signed In")
    EventCount.objects.create(event_type=signed_in, day=MONDAY.date(), account=busy, count=9, last_at=MONDAY)
    often = {"field": "event:Signed In", "op": "at_least", "value": 5, "days": 14}
    seldom = {"field": "event:Signed In", "op": "at_most", "value": 4, "days": 14}
    measure(inside, score(inside), "Sign-ins", often, seldom)
    assert (health_of(silent), health_of(busy)) == (0, 100)


def test_a_score_is_about_the_accounts_it_names_and_only_tracked_ones(inside: Workspace) -> None:
    pro, basic, gone = (
        account("Pro", plan="Pro", user_count=12),
        account("Basic", plan="Basic", user_count=12, health=7),
        account("Gone", plan="Pro", user_count=12, lifecycle="churned"),
    )
    measure(inside, score(inside, applies_to={"field": "plan", "op": "is", "value": "Pro"}), "Users", MANY)
    assert [health_of(one) for one in (pro, basic, gone)] == [100, None, None]
    assert [reading(one).value for one in (pro, basic)] == [100, None]
    assert not HealthReading.objects.filter(account=gone).exists()


def test_readings_are_kept_only_when_something_changed(inside: Workspace) -> None:
    one = account(user_count=12)
    usage = score(inside)
    measure(inside, usage, "Users", MANY, FEW)
    grade(inside, after=1)
    assert HealthReading.objects.filter(score=usage).count() == 1
    Account.objects.filter(pk=one.pk).update(user_count=5)
    grade(inside, after=2)
    history = HealthReading.objects.filter(score=usage).order_by("on").values_list("on", "value", "is_current")
    assert list(history) == [
        (MONDAY.date(), 100, False),
        (MONDAY.date() + timedelta(days=2), 50, True),
    ]


def test_two_changes_on_one_day_are_one_reading(inside: Workspace) -> None:
    one = account(user_count=12)
    measure(inside, score(inside), "Users", MANY, FEW)
    for users in (5, 1):
        Account.objects.filter(pk=one.pk).update(user_count=users)
        grade(inside, after=0)
    assert HealthReading.objects.filter(score=None).values_list("value", "is_current").get() == (0, True)


def test_an_account_no_score_is_about_any_more_reads_as_nothing(inside: Workspace) -> None:
    one = account(user_count=12)
    usage = score(inside)
    measure(inside, usage, "Users", MANY)
    Account.objects.filter(pk=one.pk).update(lifecycle="churned")
    grade(inside)
    assert (health_of(one), reading(one, usage).value, reading(one).value) == (None, None, None)
    grade(inside, after=2)
    assert HealthReading.objects.filter(score=usage).count() == 2


def test_the_trait_that_fed_the_health_yields_to_the_scores_and_gets_it_back(inside: Workspace) -> None:
    TraitDefinition.objects.create(
        scope="account", key="health_score", label="Health score", type="number", source="integration", column="health"
    )
    one = account(user_count=12, health=33, traits={"health_score": 33})
    usage = score(inside)
    assert health_of(one) == 33
    made = measure(inside, usage, "Users", MANY)
    assert health_of(one) == 100
    assert rule({"field": "trait:health_score", "op": "equal", "value": 33})
    remove_measure(made, tenant=inside.tenant, by=inside.jonah, now=MONDAY)
    assert health_of(one) == 33
    assert TraitDefinition.objects.get().column == "health"


def test_what_an_import_says_is_kept_again_once_no_score_says_otherwise(inside: Workspace) -> None:
    one = account(user_count=12, health=33)
    grade(inside)
    made = measure(inside, score(inside), "Users", MANY)
    remove_measure(made, tenant=inside.tenant, by=inside.jonah, now=MONDAY)
    grade(inside, after=2)
    assert reading(one).value == health_of(one) == 100
    Account.objects.filter(pk=one.pk).update(health=44)
    for day in (3, 4):
        grade(inside, after=day)
    assert reading(one).on == (MONDAY + days(3)).date()
    assert (reading(one).value, HealthReading.objects.filter(account=one, score=None).count()) == (44, 3)


def test_an_archived_score_does_not_count_until_it_is_restored(inside: Workspace) -> None:
    one = account(user_count=12)
    usage, plan = score(inside), score(inside, "Plan")
    measure(inside, usage, "Users", MANY)
    measure(inside, plan, "Plan", {"field": "plan", "op": "not_set"}, when_unknown="poor")
    assert health_of(one) == 50
    assert archive_score(plan, tenant=inside.tenant, by=inside.jonah, now=MONDAY)
    assert not archive_score(plan, tenant=inside.tenant, by=inside.jonah, now=MONDAY)
    assert health_of(one) == 100
    assert restore_score(plan, tenant=inside.tenant, by=inside.jonah, now=MONDAY)
    assert health_of(one) == 50


def test_more_rules_than_one_statement_holds(inside: Workspace) -> None:
    one = account(user_count=12)
    for at in range(3):
        made = score(inside, f"Score {at}")
        for number in range(11):
            more = {"field": "user_count", "op": "more", "value": at * 100 + number}
            measure(inside, made, f"Measure {number}", more, FEW)
    assert health_of(one) == pytest.approx((100 + 50 + 50) / 3, abs=0.01)


def test_a_measure_that_cannot_be_asked_any_more_is_left_out(inside: Workspace) -> None:
    seats = trait("seats", "number")
    one = account(user_count=12)
    usage = score(inside)
    measure(inside, usage, "Seats", {"field": "trait:seats", "op": "more", "value": 1}, when_unknown="poor")
    measure(inside, usage, "Users", MANY)
    assert health_of(one) == 50
    seats.delete()
    grade(inside)
    assert health_of(one) == 100


def test_rules_ask_about_a_named_score(inside: Workspace) -> None:
    one, other = account("One", user_count=12), account("Other", user_count=1)
    usage = score(inside)
    measure(inside, usage, "Users", MANY, FEW)
    asked = score(inside, "Second", applies_to=None)
    with pytest.raises(CannotSave, match="cannot ask about health"):
        measure(inside, asked, "Bad", {"field": f"health:{usage.pk}", "op": "less", "value": 50})
    assert rule({"field": f"health:{usage.pk}", "op": "less", "value": 50})
    assert one != other
