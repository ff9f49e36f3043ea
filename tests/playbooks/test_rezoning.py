"""What runs keeps its zone until an admin lets it follow: same days, the action hour there."""

from datetime import UTC, datetime

from accounts.models import Account
from cs_platform.jobs.models import Job
from cs_platform.jobs.pump import run_jobs
from playbooks.models import ActionRun, LedgerEntry
from playbooks.rezoning import changed_zones, follow_zones
from tests.visitor import Visitor, text
from tests.world import MONDAY, Workspace, account, apply_now, live, playbook_json, raise_risk

NEW_YORK = "America/New_York"


def test_open_actions_follow_a_changed_zone_on_the_same_days(inside: Workspace) -> None:
    playbook = live(playbook_json(steps=[raise_risk(1), raise_risk(4, key="b"), raise_risk(9, key="c")]))
    moves, stays = [apply_now(playbook, account(name), now=MONDAY) for name in ("Moves", "Stays")]
    assert follow_zones(inside.tenant, by=inside.jonah, now=MONDAY) is None
    jonah = Visitor(inside.jonah)
    assert "No time zone has changed" in text(jonah.fragment("playbooks/time-zones/", "dialog"))
    Account.objects.filter(name="Moves").update(timezone=NEW_YORK)

    [change] = changed_zones(inside.tenant)
    assert (change.before, change.after, change.enrollments, change.runs) == ("UTC", NEW_YORK, 1, 2)
    assert f"UTC → {NEW_YORK}" in text(jonah.fragment("playbooks/time-zones/", "dialog"))
    assert "job:started" in jonah.send("playbooks/time-zones/")["HX-Trigger"]
    run_jobs()

    assert Job.objects.get().result == {"moved": 2}
    moves.refresh_from_db()
    stays.refresh_from_db()
    assert (moves.timezone, stays.timezone) == (NEW_YORK, "UTC")
    due = dict(ActionRun.objects.filter(enrollment=moves, state="scheduled").values_list("due_on", "due_at"))
    assert list(due.values()) == [datetime(2026, 11, day, 14, tzinfo=UTC) for day in (5, 10)]
    entry = LedgerEntry.objects.filter(enrollment_id=moves.pk, run_id=None).latest("pk")
    assert entry.reason == f"Its time zone changed from UTC to {NEW_YORK}."
    assert changed_zones(inside.tenant) == []


def test_an_unknown_zone_is_the_workspaces(inside: Workspace) -> None:
    playbook = live(playbook_json(steps=[raise_risk(4)]))
    apply_now(playbook, account("One", timezone="Mars/Olympus"), now=MONDAY)
    assert changed_zones(inside.tenant) == []
    inside.tenant.timezone = "Europe/Berlin"
    assert [change.after for change in changed_zones(inside.tenant)] == ["Europe/Berlin"]
