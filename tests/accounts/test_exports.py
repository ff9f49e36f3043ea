"""The table as a file: the same rows and columns in the same order, and nothing in it that computes."""

import csv
import io
from datetime import UTC, date, datetime
from typing import Any

import pytest

from accounts import exports
from accounts.exports import TooManyExports, cell_text, start_export
from accounts.table import cells
from accounts.table.catalogue import Catalogue
from accounts.table.columns import Column
from accounts.table.lists import ACCOUNTS
from accounts.trait_values import TraitValue
from cs_platform.jobs.models import Job, JobFile
from cs_platform.jobs.pump import run_jobs
from tests.visitor import Visitor, text
from tests.world import MONDAY, Workspace, account, apply_now, live, playbook_json, trait

HOSTILE = ["=1+1", "+1", "-1+2", "@SUM(A1)", "\t=1", "\r=1", "=cmd|' /C calc'!A0", '=HYPERLINK("http://x")', "＝1+1"]


def export(home: Workspace, query: str = "status=any", *, bom: bool = False) -> tuple[Job, list[list[str]]]:
    job = start_export(query, bom=bom, tenant=home.tenant, by=home.maya, now=MONDAY)
    run_jobs(clock=lambda: MONDAY)
    return Job.objects.get(pk=job.pk), list(csv.reader(io.StringIO(raw(job).decode("utf-8-sig"), newline="")))


def raw(job: Job) -> bytes:
    parts = JobFile.objects.filter(job=job).order_by("position")
    return b"".join(bytes(part) for part in parts.values_list("content", flat=True))


def test_rows_columns_filters_and_order_are_those_of_the_list(
    inside: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exports, "AT_ONCE", 2)
    trait("seats", "number", label="Seats")
    for at, name in enumerate(["Delta", "Alpha", "Echo", "Bravo", "Charlie"]):
        account(name, mrr_cents=at * 1_050, csm=inside.tom, n01=at, traits={"seats": at})
    account("Gone", lifecycle="churned")
    job, lines = export(inside, "sort=name&column=arr&column=csm&column=trait:seats&column=lifecycle")

    assert (job.state, job.total, job.done) == ("done", 5, 5)
    assert lines[0] == ["External id", "Account", "ARR", "CSM", "Seats", "Status"]
    assert [line[1] for line in lines[1:]] == ["Alpha", "Bravo", "Charlie", "Delta", "Echo"]
    assert lines[1] == ["alpha", "Alpha", "126", "Tom Lindqvist", "1", "Subscribed"]
    assert JobFile.objects.count() == 3


def test_every_column_there_is_can_be_written(inside: Workspace) -> None:
    for kind in ("text", "number", "currency", "boolean", "date", "moment", "list", "url", "person", "choice"):
        trait(f"a_{kind}", kind)
    one = account("Alpha", plan="Pro", csm=inside.tom, renewal_on=date(2027, 3, 1), last_seen_at=MONDAY, health=46.0)
    apply_now(live(playbook_json()), one, now=MONDAY)
    columns = Catalogue.of(ACCOUNTS, inside.maya, today=MONDAY.date()).columns
    _job, lines = export(inside, "status=any&" + "&".join(f"column={column.key}" for column in columns))
    shown = dict(zip(*lines, strict=True))

    assert shown["Rescue"] == "100%, applied 2026-11-02"
    assert (shown["Renewal"], shown["Health"], shown["Last seen"]) == ("2027-03-01", "46", "2026-11-02T12:00:00+00:00")
    assert not [cell for cell in lines[1] if "(" in cell or "object at" in cell]


@pytest.mark.parametrize("hostile", HOSTILE)
def test_what_a_spreadsheet_would_compute_is_only_text(inside: Workspace, hostile: str) -> None:
    account(hostile, external_id=f"x{hostile}")
    _job, lines = export(inside)

    assert lines[1][:2] == [f"x{hostile}", f"'{hostile}"]


def test_commas_quotes_and_line_breaks_come_back_as_they_were(inside: Workspace) -> None:
    account('A "quoted", long\nname ✓')
    job, lines = export(inside, bom=True)

    assert lines[1][1] == 'A "quoted", long\nname ✓'
    assert raw(job).startswith(b"\xef\xbb\xbf")
    assert raw(job).count(b"\r\n") == 2


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (None, ""),
        (True, "yes"),
        (-5, "-5"),
        (2.5, "2.5"),
        (12.0, "12"),
        (date(2026, 1, 2), "2026-01-02"),
        (datetime(2026, 1, 2, 3, 4, tzinfo=UTC), "2026-01-02T03:04:00+00:00"),
        (TraitValue("currency", 1_250), "12.50"),
        (TraitValue("list", ("=a", "b")), "'=a, b"),
        (TraitValue("boolean", False), "no"),
    ],
)
def test_values_are_written_for_people_and_systems(value: Any, written: str) -> None:
    assert cell_text(Column("x", "X", cells.text), value) == written


def test_an_empty_list_is_a_file_with_a_head(inside: Workspace) -> None:
    _job, lines = export(inside, "q=nobody")

    assert len(lines) == 1


def test_five_a_day_are_enough(inside: Workspace) -> None:
    for _ in range(5):
        export(inside)

    with pytest.raises(TooManyExports):
        export(inside)


def test_the_dialog_says_what_it_writes_and_starts_the_job(inside: Workspace) -> None:
    maya = Visitor(inside.maya)
    account("Alpha")
    page = text(maya.page("accounts/?status=any&q=alp&column=plan"))
    dialog = maya.fragment("accounts/export/?status=any&q=alp&column=plan", "dialog")
    started = maya.send("accounts/export/", target="dialog", query="status=any&q=alp", bom="on")

    assert "Export 1 account as CSV" in text(dialog)
    assert "Account, Plan" in text(dialog)
    assert f'form="list-search" formaction="{maya.at("accounts/export/")}"' in page
    assert 'name="column" value="plan" form="list-search"' in page
    assert "job:started" in started["HX-Trigger"]
    assert Job.objects.get().params == {"query": "status=any&q=alp", "bom": True}
    assert maya.send("accounts/export/", target="dialog", query="csm=77777").status_code == 422
    assert Visitor(inside.priya).page("accounts/export/").status_code == 403
