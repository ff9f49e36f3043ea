"""Two workers on the same accounts at the same moment, each in its own transaction."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from django.db import connection

from accounts.models import Account, Indicator
from cs_platform.tenancy.context import tenant_context
from ctas.models import Cta
from tests import world
from tests.actions.world import LATER, Played, play, visible
from tests.world import Workspace

pytestmark = pytest.mark.django_db(transaction=True)

ROUNDS, ACCOUNTS = 5, 30


@pytest.fixture
def space() -> Workspace:
    made = world.workspace("orbiton")
    with tenant_context(made.tenant.pk):
        world.trait("stage")
        for number in range(ACCOUNTS):
            world.account(f"Account {number}", csm=made.priya)
    return made


def at_once(space: Workspace, *works: Callable[[], Any]) -> list[Any]:
    barrier = Barrier(len(works))

    def run(work: Callable[[], Any]) -> Any:
        try:
            barrier.wait(10)
            with tenant_context(space.tenant.pk):
                return work()
        finally:
            connection.close()

    with ThreadPoolExecutor(len(works)) as pool:
        return list(pool.map(run, works))


def both_ways(space: Workspace, key: str, config: dict[str, Any]) -> list[Played]:
    """The same step of two playbooks, on the same accounts in opposite order."""
    with tenant_context(space.tenant.pk):
        accounts = list(Account.objects.order_by("pk"))
    return at_once(
        space,
        lambda: play(key, config, *accounts, playbook=1),
        lambda: play(key, config, *reversed(accounts), playbook=2),
    )


def test_one_cta_is_opened_and_the_other_worker_joins_it(space: Workspace) -> None:
    for round in range(ROUNDS):
        config = {"name": "Call", "reason": f"Round {round}", "duplicates": "skip"}
        plays = both_ways(space, "create_cta", config)

        with tenant_context(space.tenant.pk):
            assert Cta.objects.filter(reason=f"Round {round}").count() == ACCOUNTS
        assert sum(receipt["joined"] for played in plays for receipt in played.receipts) == ACCOUNTS


def test_one_indicator_is_raised_with_a_claim_of_each(space: Workspace) -> None:
    for round in range(ROUNDS):
        plays = both_ways(space, "create_indicator", {"title": f"Round {round}"})

        with tenant_context(space.tenant.pk):
            raised = Indicator.objects.filter(title=f"Round {round}")
            assert raised.count() == ACCOUNTS
            assert {indicator.claims.count() for indicator in raised} == {2}
        at_once(space, *(lambda played=played: played.action.undo(played.applied(LATER)) for played in plays))
        with tenant_context(space.tenant.pk):
            assert {indicator.state for indicator in raised.all()} == {"ended"}


def test_values_written_at_once_chain_and_leave_no_residue(space: Workspace) -> None:
    with tenant_context(space.tenant.pk):
        before = visible()
    for _round in range(ROUNDS):
        first, second = both_ways(space, "update_trait", {"trait": "stage", "value": "Renewal"})

        befores = [receipt["before_writer"] for played in (first, second) for receipt in played.receipts]
        assert befores.count("import") == ACCOUNTS
        later, earlier = (first, second) if "import" in befores[ACCOUNTS:] else (second, first)
        with tenant_context(space.tenant.pk):
            later.undo()
            earlier.undo()
            assert visible() == before
