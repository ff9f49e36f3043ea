"""The team is told what is theirs now."""

from typing import Any

from cs_platform.workspace.models import Notification
from ctas.opening import open_cta
from ctas.working import add_task, edit_cta, edit_task
from tests import world
from tests.world import MONDAY, Workspace

TODAY = MONDAY.date()


def told(space: Workspace, first: str) -> list[str]:
    mine = Notification.objects.filter(member=space.people[first])
    return list(mine.order_by("pk").values_list("text", flat=True))


def test_whoever_gets_work_from_somebody_else_is_told(space: Workspace) -> None:
    who: dict[str, Any] = {"by": space.priya, "now": MONDAY}
    at = world.account()
    mine = open_cta(account=at, name="Mine", type="risk", owner=space.priya, **who)
    open_cta(account=at, name="Call", type="risk", owner=space.tom, **who)
    edit_cta(mine, owner=space.maya, **who)
    edit_cta(mine, name="Hers", **who)
    task = add_task(mine, title="Dial", owner=space.tom, **who)
    edit_task(task, owner=space.priya, **who)

    assert told(space, "tom") == ["Call is yours now (Harbourline Logistics)", "The task “Dial” of Hers is yours now"]
    assert told(space, "maya") == ["Mine is yours now (Harbourline Logistics)"]
    assert told(space, "priya") == []
