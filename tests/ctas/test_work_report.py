"""What became of work: counted once, by the days and months of whoever asks, and by who made it."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from cs_platform.tenancy.models import Membership
from ctas.models import Cta, Task
from ctas.own_days import own_days
from ctas.work_report import Origin, WorkReport, work_report
from tests.world import Workspace, account

OCTOBER, NOVEMBER = datetime(2026, 10, 1, tzinfo=UTC), datetime(2026, 11, 1, tzinfo=UTC)
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


def report(space: Workspace, **asked: Any) -> WorkReport:
    return work_report(
        **{
            "starts": [OCTOBER, NOVEMBER],
            "until": NOW,
            "today": own_days(space.tenant, now=NOW),
            "zone": ZoneInfo(space.tenant.timezone),
        }
        | asked
    )


def cta(space: Workspace, owner: Membership | None = None, **parts: Any) -> Cta:
    made = {"account": account(f"A{Cta.objects.count()}"), "name": "Call", "type": "risk", "owner": owner}
    made |= {"created_at": NOVEMBER - timedelta(days=9), "created_by": space.priya.actor}
    return Cta.objects.create(**(made | parts))


def closed(
    space: Workspace, owner: Membership | None = None, *, at: datetime, status: str = "won", **parts: Any
) -> Cta:
    return cta(space, owner, status=status, closed_at=at, **parts)


def test_what_is_open_is_late_by_the_day_of_its_owner(space: Workspace) -> None:
    """At noon in UTC the 20th is over where Tom is."""
    Membership.objects.filter(pk=space.tom.pk).update(timezone="Pacific/Kiritimati")
    for owner in (space.priya, space.tom):
        cta(space, owner, due_on=date(2026, 11, 20))
    cta(space, due_on=date(2026, 11, 19))

    found = report(space)

    assert (found.whole.open, found.whole.late) == (3, 2)
    late = {owner: work.late for owner, work in found.by_owner.items()}
    assert late == {space.priya.pk: 0, space.tom.pk: 1, None: 1}


def test_drafts_and_what_was_archived_are_no_work(space: Workspace) -> None:
    cta(space, status="draft")
    cta(space, archived_at=NOW)
    closed(space, at=NOW - timedelta(days=1), archived_at=NOW)

    assert report(space).whole.is_nothing


def test_each_step_has_what_was_opened_and_closed_in_it(space: Workspace) -> None:
    cta(space, created_at=OCTOBER)
    cta(space, created_at=OCTOBER - timedelta(seconds=1))
    closed(space, at=NOVEMBER - timedelta(seconds=1), created_at=OCTOBER, status="lost")
    closed(space, at=NOVEMBER, created_at=NOVEMBER, status="cancelled")
    closed(space, at=OCTOBER - timedelta(seconds=1), created_at=OCTOBER - timedelta(days=9))

    found = report(space)

    assert [(step.opened, step.won, step.lost, step.cancelled) for step in found.steps] == [(2, 0, 1, 0), (1, 0, 0, 1)]
    assert (found.whole.opened, found.whole.closed, found.before.closed) == (3, 2, 1)


def test_the_days_of_the_workspace_say_what_is_on_time(space: Workspace) -> None:
    """What is closed at three in the morning in London is closed the evening before in New York."""
    closed(space, at=datetime(2026, 11, 11, 3, tzinfo=UTC), due_on=date(2026, 11, 10))

    assert report(space).whole.on_time_share == 0
    assert report(space, zone=ZoneInfo("America/New_York")).whole.on_time_share == 100


def test_what_was_cancelled_or_never_due_is_not_late(space: Workspace) -> None:
    at = NOVEMBER + timedelta(days=3)
    closed(space, at=at, due_on=date(2026, 11, 4))
    closed(space, at=at, due_on=date(2026, 11, 3), status="lost")
    closed(space, at=at, due_on=date(2026, 11, 1), status="cancelled")
    closed(space, at=at)

    whole = report(space).whole

    assert (whole.closed, whole.dated, whole.on_time_share) == (4, 2, 50)


def test_the_median_is_of_what_was_done(space: Workspace) -> None:
    for days, status in ((1, "won"), (3, "lost"), (11, "won"), (40, "cancelled")):
        closed(space, at=NOVEMBER, created_at=NOVEMBER - timedelta(days=days), status=status)

    found = report(space)

    assert found.whole.median_days == 3
    assert found.steps[1].median_days == 3
    assert found.before.median_days is None


@pytest.mark.parametrize(
    ("parts", "origin"),
    [
        ({"created_by": "playbook:4"}, Origin.PLAYBOOK),
        ({"created_by": "person:4"}, Origin.PERSON),
        ({"created_by": "key:4"}, Origin.API),
        ({"created_by": "import:4"}, Origin.OTHER),
        ({"created_by": "playbook:4", "recurrence_number": 1}, Origin.PLAYBOOK),
        ({"created_by": "playbook:4", "recurrence_number": 2}, Origin.RECURRING),
    ],
)
def test_an_origin_is_who_made_it(space: Workspace, parts: dict[str, Any], origin: Origin) -> None:
    cta(space, **parts)

    assert list(report(space).by_origin) == [origin]


def test_types_are_summed_up_and_told_apart_by_reason(space: Workspace) -> None:
    cta(space, reason="Low adoption")
    cta(space, reason="")
    cta(space, type="activity")

    opens = {place: work.open for place, work in report(space).by_type.items()}

    assert opens == {
        ("risk", None): 2,
        ("risk", "Low adoption"): 1,
        ("risk", ""): 1,
        ("activity", None): 1,
        ("activity", ""): 1,
    }


def test_tasks_count_for_their_own_owner(space: Workspace) -> None:
    made = cta(space, space.priya)
    gone = cta(space, space.priya, archived_at=NOW)
    done = {"title": "Call", "status": "done", "created_at": OCTOBER, "created_by": "person:4"}
    Task.objects.create(cta=made, owner=space.tom, completed_at=NOVEMBER, **done)
    Task.objects.create(cta=made, owner=space.tom, completed_at=OCTOBER - timedelta(days=1), **done)
    Task.objects.create(cta=made, owner=space.tom, **(done | {"status": "open"}))
    Task.objects.create(cta=gone, owner=space.tom, completed_at=NOVEMBER, **done)

    found = report(space)

    assert (found.whole.tasks_done, found.before.tasks_done, found.by_owner[space.tom.pk].tasks_done) == (1, 1, 1)


def test_owners_narrow_all_of_it(space: Workspace) -> None:
    for owner in (space.priya, space.tom, None):
        closed(space, owner, at=NOVEMBER)
        Task.objects.create(
            cta=cta(space, owner),
            owner=owner,
            title="Call",
            status="done",
            completed_at=NOW - timedelta(days=1),
            created_at=OCTOBER,
            created_by="person:4",
        )

    found = report(space, owners=[space.tom.pk])

    assert (found.whole.open, found.whole.opened, found.whole.closed, found.whole.tasks_done) == (1, 2, 1, 1)
    assert list(found.by_owner) == [space.tom.pk]
    assert report(space, owners=[]).whole.is_nothing


def test_five_statements_whatever_there_is(space: Workspace, django_assert_num_queries: Any) -> None:
    for owner in space.people.values():
        closed(space, owner, at=NOVEMBER)

    with django_assert_num_queries(5 + 1):  # and whose day it is
        report(space)
