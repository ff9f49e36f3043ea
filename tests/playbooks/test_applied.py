"""How much playbooks were applied, and what of them waits for a person."""

from typing import Any
from uuid import uuid4

import pytest

from accounts.models import Account
from cs_platform.tenancy.context import tenant_context
from playbooks.applied import Applied, applied, open_failures, under_way
from playbooks.enrollment import apply_by_hand
from playbooks.models import ActionRun, Enrollment, Playbook
from tests.world import MONDAY, Workspace, account, days, live, playbook_json, raise_risk

STARTS = [MONDAY - days(20), MONDAY - days(10), MONDAY]
UNDOING = ("running", "applied", "undoing")


ON_THE_WAY = {"stopped": ("stopping",), "dead": ("running",), "uncertain": ("running",), "undo_dead": UNDOING}


def begun(playbook: Playbook, at: Account, ago: float, state: str = "active") -> Enrollment:
    """As the engine would have left it."""
    since = MONDAY - days(ago)
    made = apply_by_hand(playbook=playbook, account=at, by="person:1", now=since)
    for step in (*ON_THE_WAY.get(state, ()), state):
        Enrollment.objects.filter(pk=made.pk).update(state=step)
    return made


def fail(enrollment: Enrollment, state: str, reason: str = "", ago: float = 1) -> None:
    """As after its last attempt."""
    for step in (*ON_THE_WAY.get(state, ()), state):
        lease = (uuid4(), MONDAY) if step in ("running", "undoing") else (None, None)
        ActionRun.objects.filter(enrollment=enrollment).update(
            state=step,
            reason=reason,
            receipt={},
            settled_at=MONDAY - days(ago),
            lease_token=lease[0],
            lease_until=lease[1],
        )


@pytest.fixture
def rescue(inside: Workspace) -> Playbook:
    return live(playbook_json("rescue", steps=[raise_risk()]), now=MONDAY - days(90))


def test_applications_count_in_the_time_in_which_they_began(inside: Workspace, rescue: Playbook) -> None:
    for at, (ago, state) in enumerate(
        ((30, "active"), (20, "completed"), (11, "stopped"), (10, "paused"), (9, "stopping"), (-1, "active"))
    ):
        begun(rescue, account(f"A{at}", csm=inside.priya if at % 2 else inside.tom), ago, state)

    assert applied(starts=STARTS) == [
        Applied(STARTS[0], finished=1, stopped=1),
        Applied(STARTS[1], under_way=2),
        Applied(STARTS[2], under_way=1),
    ]
    assert [one.total for one in applied(starts=STARTS, csms=[inside.tom.pk])] == [1, 1, 0]
    assert (under_way(), under_way(csms=[inside.tom.pk]), under_way(csms=[])) == (4, 2, 0)


def test_a_dry_run_applies_nothing(inside: Workspace, rescue: Playbook) -> None:
    made = begun(rescue, account(), 5)
    Enrollment.objects.filter(pk=made.pk).update(is_dry=True)

    assert (under_way(), [one.total for one in applied(starts=STARTS)]) == (0, [0, 0, 0])


def test_failures_count_until_somebody_settles_them(
    inside: Workspace, rescue: Playbook, django_assert_num_queries: Any
) -> None:
    other = live(playbook_json("other", steps=[raise_risk()]), now=MONDAY - days(90))
    for at, (playbook, state, reason, ago) in enumerate(
        (
            (rescue, "dead", "No CSM", 3),
            (rescue, "dead", "No CSM", 2),
            (rescue, "uncertain", "The line went dead", 1),
            (other, "undo_dead", "Gone", 5),
            (other, "held", "It was late", 9),
        )
    ):
        fail(begun(playbook, account(f"A{at}", csm=inside.priya if at else None), 10), state, reason, ago)
    fail(begun(rescue, account("Stopped"), 10, "stopped"), "dead")

    with django_assert_num_queries(2):
        first, second = open_failures()
    assert (first.playbook, first.failed, first.uncertain, first.undo_failed, first.accounts) == (rescue, 2, 1, 0, 3)
    assert (first.reason, first.oldest_at) == ("No CSM", MONDAY - days(3))
    assert (second.playbook, second.failed, second.undo_failed, second.total) == (other, 0, 1, 1)
    assert [one.failed for one in open_failures(csms=[inside.priya.pk])] == [1, 0]


def test_another_workspaces_are_not_counted(inside: Workspace, halyard: Workspace) -> None:
    with tenant_context(halyard.tenant.pk):
        theirs = live(playbook_json("rescue", steps=[raise_risk()]), now=MONDAY - days(90))
        fail(begun(theirs, account("Theirs"), 5), "dead")

    assert (under_way(), open_failures()) == (0, [])
