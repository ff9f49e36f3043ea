"""The team is told what is theirs now, and each morning what is due."""

from typing import Any

from cs_platform.workspace.models import Notification
from ctas.models import Cta
from ctas.opening import open_cta
from ctas.telling import tell_what_is_due
from ctas.working import add_task, edit_cta, edit_task
from tests import world
from tests.world import MONDAY, Workspace, days

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


def test_each_morning_people_are_told_once_what_is_due(space: Workspace) -> None:
    who: dict[str, Any] = {"by": space.priya, "now": MONDAY}
    facts: dict[str, Any] = {"account": world.account(), "type": "risk", "owner": space.priya, "due_on": TODAY, **who}
    call = open_cta(name="Call", **facts)
    open_cta(name="Snoozed", **facts).snooze(until=TODAY + days(3), **who)
    open_cta(name="Ring", **facts)
    call.add_task(title="Dial", owner=space.tom, due_on=TODAY, **who)
    for _ in range(2):
        tell_what_is_due(space.tenant, today=TODAY, now=MONDAY)
    Cta.objects.filter(name="Ring").update(due_on=TODAY + days(1))
    tell_what_is_due(space.tenant, today=TODAY + days(1), now=MONDAY + days(1))

    assert told(space, "priya") == ["2 CTAs are due today", "1 CTA is due today"]
    assert told(space, "tom") == ["1 task is due today"]
    assert Notification.objects.filter(member=space.priya, read_at=None).count() == 1
