"""Reaching what a playbook is for: within its days, at a check, written down once with it and without."""

from datetime import datetime
from typing import Any

import pytest

from accounts.models import Account
from cs_platform.tenancy.context import tenant_context
from playbooks import outcomes
from playbooks.dry_runs import start_dry_run
from playbooks.enrollment import apply_by_hand
from playbooks.evaluation import ask_for_look, evaluate_if_due
from playbooks.models import Enrollment, Playbook, Withheld
from playbooks.pump import pump
from playbooks.versions import import_playbook, pause, publish
from tests.world import MONDAY, Workspace, account, days, evaluate, live, playbook_json, trait, user

GROWN: dict[str, Any] = {"name": "Grown", "rule": {"field": "mrr", "op": "more", "value": 100_000}, "days": 3}


def meant(key: str = "rescue", *, share: int = 0, **parts: Any) -> dict[str, Any]:
    return playbook_json(key, **({"outcome": GROWN, "holdout": share} | parts))


def grow(*accounts: Account, cents: int = 200_000) -> None:
    Account.objects.filter(pk__in=[one.pk for one in accounts]).update(mrr_cents=cents)


def nights(inside: Workspace, *wanted: int) -> None:
    for night in wanted:
        evaluate(inside.tenant, now=MONDAY + days(night))


def reached(playbook: Playbook) -> dict[str, datetime | None]:
    return dict(playbook.enrollments.values_list("account__name", "outcome_at"))


def test_the_first_check_that_finds_it_reached_is_written_down_and_stays(inside: Workspace) -> None:
    early, late, never = account("Early", plan="Pro"), account("Late", plan="Pro"), account("Never", plan="Pro")
    playbook = live(meant())
    nights(inside, 0, 1)
    grow(early)
    nights(inside, 2)
    grow(early, cents=0)
    grow(late)
    nights(inside, 3, 4)

    assert reached(playbook) == {"Early": MONDAY + days(2), "Late": MONDAY + days(3), never.name: None}


def test_after_its_days_it_counts_no_more(inside: Workspace) -> None:
    here = account("Here", plan="Pro")
    playbook = live(meant())
    nights(inside, 0, 1, 2, 3)
    grow(here)
    nights(inside, 4, 5)
    assert reached(playbook) == {"Here": None}


def test_days_are_local_ones_and_the_last_counts_whole(inside: Workspace) -> None:
    here = account("Here", plan="Pro")
    playbook = live(meant())
    nights(inside, 0)
    grow(here)
    nights(inside, 3.45)  # an hour before midnight of the third day
    assert reached(playbook) == {"Here": MONDAY + days(3.45)}


def test_whoever_was_left_out_is_asked_the_same(inside: Workspace) -> None:
    accounts = [account(f"Account {n}", plan="Pro") for n in range(12)]
    playbook = live(meant(share=50))
    nights(inside, 0)
    grow(*accounts)
    nights(inside, 1, 2)

    left_out = Withheld.objects.filter(playbook=playbook)
    assert left_out.exists()
    assert playbook.enrollments.exists()
    assert set(left_out.values_list("outcome_at", flat=True)) == {MONDAY + days(1)}
    assert set(reached(playbook).values()) == {MONDAY + days(1)}


def test_the_check_that_begins_a_run_does_not_ask_yet(inside: Workspace) -> None:
    accounts = [account(f"Account {n}", plan="Pro", mrr_cents=900_000) for n in range(12)]
    playbook = live(meant(share=50))
    nights(inside, 0)
    assert set(reached(playbook).values()) == {None} == set(Withheld.objects.values_list("outcome_at", flat=True))
    nights(inside, 1)
    found = [*reached(playbook).values(), *Withheld.objects.values_list("outcome_at", flat=True)]
    assert found == [MONDAY + days(1)] * len(accounts)


def test_the_outcome_of_the_version_a_run_follows_counts(inside: Workspace) -> None:
    account("Old", plan="Pro")
    playbook = live(meant())
    nights(inside, 0)
    named = {"name": "Named", "rule": {"field": "name", "op": "starts_with", "value": "N"}, "days": 9}
    publish(import_playbook(meant(outcome=named), by=inside.jonah, now=MONDAY), by=inside.jonah, now=MONDAY)
    account("New", plan="Pro"), account("Bystander", plan="Pro", mrr_cents=900_000)
    nights(inside, 1, 2)
    assert reached(playbook) == {"Old": None, "New": MONDAY + days(2), "Bystander": None}

    grow(*Account.objects.all())
    nights(inside, 3)
    assert reached(playbook)["Old"] == MONDAY + days(3)


def test_a_user_reaches_it_alone(inside: Workspace) -> None:
    here = account("Here")
    ada, bo = user("Ada", here, role="admin"), user("Bo", here, role="admin")
    rules = {"user": {"field": "role", "op": "is", "value": "admin"}}
    outcome = {"name": "Named", "rule": {"field": "name", "op": "starts_with", "value": "A"}, "days": 3}
    steps = [{"key": "nps", "day": 1, "action": "show_nps", "config": {}}]
    playbook = live(meant(audience="users", rules=rules, outcome=outcome, steps=steps))
    live(meant("other"))
    nights(inside, 0, 1)
    found = dict(playbook.enrollments.values_list("end_user", "outcome_at"))
    assert found == {ada.pk: MONDAY + days(1), bo.pk: None}


def test_it_counts_whoever_applied_it_and_after_the_playbook_was_paused_and_the_customer_left(
    inside: Workspace,
) -> None:
    here = account("Here")
    gone = {"name": "Gone", "rule": {"field": "lifecycle", "op": "is", "value": "churned"}, "days": 3}
    playbook = live(meant(outcome=gone))
    apply_by_hand(playbook=playbook, account=here, by="person:1", now=MONDAY)
    pause(playbook, by=inside.jonah, now=MONDAY)
    Account.objects.update(lifecycle="churned")
    nights(inside, 1)
    assert reached(playbook) == {"Here": MONDAY + days(1)}


def test_a_dry_run_reaches_nothing(inside: Workspace) -> None:
    account("Here", plan="Pro", mrr_cents=900_000)
    playbook = import_playbook(meant(), by=inside.jonah, now=MONDAY)
    start_dry_run(playbook, by=inside.jonah, now=MONDAY)
    nights(inside, 0, 1)
    assert reached(playbook) == {"Here": None}


def test_what_asks_about_a_field_that_is_gone_is_reached_by_nobody_and_the_others_go_on(inside: Workspace) -> None:
    seats = trait("seats", "number")
    account("Here", plan="Pro", mrr_cents=900_000)
    full = {"name": "Full", "rule": {"field": "trait:seats", "op": "set"}, "days": 3}
    broken, sound = live(meant("broken", outcome=full)), live(meant("sound"))
    nights(inside, 0)
    seats.delete()
    nights(inside, 1)
    assert (reached(broken), reached(sound)) == ({"Here": None}, {"Here": MONDAY + days(1)})


def test_it_is_marked_in_bites(inside: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outcomes, "AT_ONCE", 2)
    accounts = [account(f"Account {n}", plan="Pro") for n in range(11)]
    playbook = live(meant(share=50))
    nights(inside, 0)
    grow(*accounts)
    nights(inside, 1)
    assert None not in reached(playbook).values()
    assert not Withheld.objects.filter(outcome_at=None).exists()


def test_the_night_marks_and_so_does_a_look_that_somebody_asked_for(inside: Workspace) -> None:
    here = account("Here", plan="Pro")
    playbook = live(meant())
    nights(inside, 0)
    grow(here)
    ask_for_look(inside.tenant, by=inside.jonah, now=MONDAY + days(1))
    pump("evaluate", clock=lambda: MONDAY + days(1))
    assert reached(playbook) == {"Here": MONDAY + days(1)}


class Killed(BaseException):
    """As the power goes: nothing is cleaned up."""


def test_a_worker_that_dies_after_marking_leaves_nothing_and_the_next_marks_once(
    orbiton: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The marks are part of the evaluation's own transaction."""
    with tenant_context(orbiton.tenant.pk):
        here = account("Here", plan="Pro")
        playbook = live(meant())
        evaluate_if_due(orbiton.tenant, now=MONDAY)
        grow(here)
    marked = outcomes.mark_reached
    with monkeypatch.context() as patched:
        patched.setattr("playbooks.evaluation.mark_reached", lambda **asked: (marked(**asked), _die()))
        with pytest.raises(Killed):
            evaluate_if_due(orbiton.tenant, now=MONDAY + days(1))
    with tenant_context(orbiton.tenant.pk):
        assert reached(playbook) == {"Here": None}
    evaluate_if_due(orbiton.tenant, now=MONDAY + days(1) + days(0.01))
    evaluate_if_due(orbiton.tenant, now=MONDAY + days(2))
    with tenant_context(orbiton.tenant.pk):
        assert reached(playbook) == {"Here": MONDAY + days(1.01)}


def _die() -> None:
    raise Killed


def test_another_workspaces_are_left_alone(inside: Workspace, halyard: Workspace) -> None:
    with tenant_context(halyard.tenant.pk):
        account("Theirs", plan="Pro", mrr_cents=900_000)
        live(meant())
        evaluate(halyard.tenant, now=MONDAY)
    nights(inside, 1, 2)
    with tenant_context(halyard.tenant.pk):
        assert set(Enrollment.objects.values_list("outcome_at", flat=True)) == {None}
        evaluate(halyard.tenant, now=MONDAY + days(2))
        assert set(Enrollment.objects.values_list("outcome_at", flat=True)) == {MONDAY + days(2)}
