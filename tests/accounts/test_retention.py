"""What was kept long enough goes, and nothing else."""

from datetime import timedelta

import pytest

from accounts import retention
from accounts.models import EventCount, EventType, IngestedMessage, TraitChange
from accounts.retention import forget_old
from accounts.tasks import forget_what_is_old
from cs_platform.tenancy.context import tenant_context
from cs_platform.tenancy.models import Tenant
from tests.world import MONDAY, Workspace, account, days

KEPT = 10


@pytest.fixture
def old_and_new(inside: Workspace, halyard: Workspace) -> None:
    for home in (inside, halyard):
        with tenant_context(home.tenant.pk):
            Tenant.objects.filter(pk=home.tenant.pk).update(event_days=KEPT, history_days=2 * KEPT)
            at, event = account(), EventType.objects.create(name="Signed In")
            for age in (KEPT + 1, KEPT, 0):
                day = MONDAY.date() - timedelta(days=age)
                EventCount.objects.create(event_type=event, day=day, account=at, count=1, last_at=MONDAY)
                IngestedMessage.objects.create(message_id=f"m-{age}", received_on=day)
                change = {"field": "trait:plan", "actor": "import", "before": "a", "after": "b"}
                TraitChange.objects.create(account=at, at=MONDAY - days(2 * age) + timedelta(hours=1), **change)


def left(home: Workspace) -> list[int]:
    with tenant_context(home.tenant.pk):
        return [model.objects.count() for model in (EventCount, IngestedMessage, TraitChange)]


@pytest.mark.usefixtures("old_and_new")
class TestForgetting:
    def test_events_messages_and_changes_go_when_their_time_is_over(
        self, inside: Workspace, halyard: Workspace
    ) -> None:
        forgotten = forget_old(now=MONDAY)

        assert set(forgotten.values()) == {2}  # one of each workspace
        assert left(inside) == left(halyard) == [2, 2, 2]
        assert set(forget_old(now=MONDAY).values()) == {0}

    def test_it_goes_in_bites(self, inside: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(retention, "BITE", 1)
        forget_old(now=MONDAY + days(100))

        assert left(inside) == [0, 0, 0]

    def test_when_the_time_is_up_the_rest_waits(self, inside: Workspace) -> None:
        assert set(forget_old(now=MONDAY + days(100), seconds=-1).values()) == {0}
        assert left(inside) == [3, 3, 3]

    def test_each_workspace_says_how_long(self, inside: Workspace, halyard: Workspace) -> None:
        Tenant.objects.filter(pk=inside.tenant.pk).update(event_days=KEPT + 1)
        forget_old(now=MONDAY)

        assert (left(inside), left(halyard)) == ([3, 3, 2], [2, 2, 2])

    def test_workers_do_it(self, inside: Workspace) -> None:
        Tenant.objects.update(event_days=32_000, history_days=32_000)
        forget_what_is_old()

        assert left(inside) == [3, 3, 3]
