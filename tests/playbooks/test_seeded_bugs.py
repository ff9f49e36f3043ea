"""The test of the tests: each promise of the engine is broken on purpose, and the judge has to see it.

Every story is told twice, to the engine as it is and to the one with the bug.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from django.db import Error

from actions import cta_work
from actions.types import create_indicator, update_trait
from playbooks import batches, delivery, leases, runner, settlement, undo
from playbooks.leases import LeaseLost
from playbooks.models import Enrollment
from tests.playbooks.model import Broken
from tests.playbooks.test_machine import Machine, begin, build
from tests.world import Workspace, days

SOON = timedelta(seconds=61)


def without(module: Any, name: str, *parts: str) -> Callable[[pytest.MonkeyPatch], None]:
    """The statement as it would be if somebody had forgotten this part of it."""

    def patch(monkeypatch: pytest.MonkeyPatch) -> None:
        text = getattr(module, name)
        for part in parts:
            assert part in text, f"{module.__name__}.{name} no longer says: {part}"
            text = text.replace(part, "")
        monkeypatch.setattr(module, name, text)

    return patch


def instead(module: Any, name: str, other: Any) -> Callable[[pytest.MonkeyPatch], None]:
    return lambda monkeypatch: monkeypatch.setattr(module, name, other)


# --- bugs -------------------------------------------------------------------------------------------------------------


def no_fence(monkeypatch: pytest.MonkeyPatch) -> None:
    fence = "AND r.state = %(from)s AND r.lease_token IS NOT DISTINCT FROM %(token)s::uuid"
    without(settlement, "_SETTLE", fence)(monkeypatch)
    monkeypatch.setattr(batches, "_LOAD", batches._LOAD.replace("{fence}", "AND (true OR (true {fence}))"))


def compare_by_value(chain: Any, _writer: str) -> set[Any]:
    """Undo whatever reads as we left it, whoever wrote it."""
    return {run.id for run in chain}


def first_in_first_out(monkeypatch: pytest.MonkeyPatch) -> None:
    backwards = "(l.settled_at, l.position) > (r.settled_at, r.position)"
    assert backwards in leases._CLAIM_UNDO
    monkeypatch.setattr(leases, "_CLAIM_UNDO", leases._CLAIM_UNDO.replace(backwards, backwards.replace(">", "<")))


def everything_is_active(work: Any) -> Any:
    return list(work.claimed), []


def leases_end_early(monkeypatch: pytest.MonkeyPatch) -> None:
    reclaim = leases.reclaim_expired

    def impatient(*, now: Any, **kwargs: Any) -> int:
        return reclaim(now=now + timedelta(hours=1), **kwargs)

    for module in (runner, undo, delivery):
        monkeypatch.setattr(module, "reclaim_expired", impatient)


# --- stories ----------------------------------------------------------------------------------------------------------


def a_frozen_worker_comes_back(machine: Machine) -> None:
    machine.now += days(1)
    machine.a_worker_dies_after_its_claim("apply")
    machine.days_pass(SOON)
    machine.a_person_sets_the_trait(0, "Mine")
    machine.a_dead_worker_comes_back(0)


def a_worker_comes_back_after_a_stop(machine: Machine) -> None:
    machine.now += days(1)
    machine.a_worker_dies_after_its_claim("apply")
    for which in (0, 0):
        machine.a_person_stops(which, keep=False)
    machine.a_dead_worker_comes_back(0)


def a_person_chose_the_same_value(machine: Machine) -> None:
    machine.a_person_sets_the_trait(0, "Rescue")
    machine.everything_is_stopped()


def both_playbooks_stop(machine: Machine) -> None:
    machine.days_pass(days(5))
    machine.everything_is_stopped()


def the_first_playbook_stops_first(machine: Machine) -> None:
    machine.a_person_stops(0, keep=False)
    machine.a_person_stops(0, keep=False)
    machine.everything_is_stopped()


def a_stop_is_asked_for_twice(machine: Machine) -> None:
    machine.a_stop_is_asked_for_and_the_worker_dies(0)


def a_worker_dies_with_a_mail_on_the_wire(machine: Machine) -> None:
    machine.now += days(1)
    machine.a_worker_dies_while_it_sends(left=False)  # drafted
    machine.a_worker_dies_while_it_sends(left=True)
    machine.days_pass(SOON)


def two_playbooks_hold_one_indicator(machine: Machine) -> None:
    machine.a_person_stops(0, keep=False)


def a_task_was_finished(machine: Machine) -> None:
    machine.a_person_works_on_a_task(0, finish=True)
    machine.a_person_stops(0, keep=False)


def a_worker_is_slow(machine: Machine) -> None:
    machine.now += days(1)
    machine.a_worker_dies_after_its_claim("apply")
    machine.workers_work()


def a_stop_meets_a_run_at_work(machine: Machine) -> None:
    machine.now += days(1)
    machine.a_worker_dies_after_its_claim("apply")
    machine.everything_is_stopped()


@dataclass(frozen=True, slots=True)
class Seeded:
    bug: Callable[[pytest.MonkeyPatch], None]
    story: Callable[[Machine], None]


SEEDED = {
    "no fence": Seeded(no_fence, a_frozen_worker_comes_back),
    "the enrollment is not looked at again": Seeded(
        instead(runner, "split_by_enrollment", everything_is_active), a_worker_comes_back_after_a_stop
    ),
    "undo compares by value": Seeded(
        instead(update_trait, "still_owned", compare_by_value), a_person_chose_the_same_value
    ),
    "undo goes first in, first out": Seeded(first_in_first_out, both_playbooks_stop),
    "no splice": Seeded(instead(undo, "_hand_over", lambda *_, **__: None), the_first_playbook_stops_first),
    "a stop can be asked for twice": Seeded(
        instead(undo, "STOPPABLE", (*undo.STOPPABLE, Enrollment.State.STOPPING)), a_stop_is_asked_for_twice
    ),
    "no sent marker": Seeded(instead(delivery, "_mark_sent", lambda *_: None), a_worker_dies_with_a_mail_on_the_wire),
    "an indicator ends with its first claim": Seeded(
        instead(create_indicator, "_OPEN_CLAIMS", "SELECT 0, '' WHERE false"), two_playbooks_hold_one_indicator
    ),
    "finished tasks are archived": Seeded(without(cta_work, "_END_TASKS", " AND status = 'open'"), a_task_was_finished),
    "leases end early": Seeded(leases_end_early, a_worker_is_slow),
    "a stop does not wait for what runs": Seeded(
        without(leases, "_CLAIM_UNDO", "l.state = 'running' OR "), a_stop_meets_a_run_at_work
    ),
}


@pytest.mark.parametrize("name", SEEDED)
def test_a_seeded_bug_is_caught(inside: Workspace, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    seeded = SEEDED[name]
    Machine.world = begin(build(inside))
    tell(seeded.story)

    seeded.bug(monkeypatch)
    with pytest.raises((Broken, AssertionError, Error, LeaseLost)):
        tell(seeded.story)


def tell(story: Callable[[Machine], None]) -> None:
    machine = Machine()
    try:
        story(machine)
        machine.the_database_holds_what_was_done()
    finally:
        machine.teardown()
