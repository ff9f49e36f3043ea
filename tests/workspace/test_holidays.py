"""Days on which nobody works."""

from datetime import date

from cs_platform.tenancy.models import AuditEntry
from cs_platform.workspace.holidays import load_holidays, working_day, working_days_after
from tests.rest.client import Api
from tests.visitor import Visitor, text
from tests.world import Workspace

FRIDAY, MONDAY, TUESDAY = date(2026, 12, 25), date(2026, 12, 28), date(2026, 12, 29)


def test_weekends_and_holidays_are_skipped() -> None:
    holidays = {FRIDAY, MONDAY}

    assert working_day(date(2026, 12, 24), holidays) == date(2026, 12, 24)
    assert working_day(FRIDAY, holidays) == working_day(date(2026, 12, 26), holidays) == TUESDAY
    assert working_days_after(date(2026, 12, 24), 1, holidays) == TUESDAY
    assert working_days_after(FRIDAY, 0, set()) == FRIDAY
    assert working_days_after(FRIDAY, 5, set()) == date(2027, 1, 1)


def test_a_manager_lists_them_and_everybody_reads_them(inside: Workspace) -> None:
    maya, omar = Visitor(inside.maya), Visitor(inside.omar)
    maya.submit("settings/holidays/", on="2026-12-25", name="Christmas Day")
    again = maya.submit("settings/holidays/", on="2026-12-25", name="Again")

    assert again.status_code == 422
    assert "25 Dec 2026 is a holiday already." in text(again)
    assert "Christmas Day" in text(omar.page("settings/holidays/"))
    assert load_holidays() == load_holidays(since=FRIDAY) == {FRIDAY}
    assert omar.submit("settings/holidays/", on="2026-12-26", name="Boxing Day").status_code == 403


def test_they_are_kept_over_the_api_and_written_down(inside: Workspace) -> None:
    api = Api.with_key(inside.tenant)
    made = api.post("/holidays/", {"on": "2026-12-25", "name": "Christmas Day"}).json
    assert api.post("/holidays/", {"on": "2026-12-25", "name": "Again"}).errors == {"/on": "invalid"}
    assert [row["name"] for row in api.get("/holidays/?since=2026-12-01").results] == ["Christmas Day"]
    assert api.ask("delete", f"/holidays/{made['id']}/").status == 204

    assert load_holidays() == frozenset()
    verbs = list(AuditEntry.objects.order_by("pk").values_list("verb", flat=True))
    assert verbs == ["holiday.added", "holiday.removed"]
