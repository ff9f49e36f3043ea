"""manage.py import_segment."""

import gzip
from io import BufferedReader, BytesIO, StringIO
from pathlib import Path

import orjson
import pytest
from django.core.management import CommandError, call_command

from accounts.ingest import files
from accounts.models import Account
from cs_platform.tenancy.context import tenant_context
from tests.accounts.ingest.calls import group
from tests.world import Workspace

pytestmark = pytest.mark.django_db

NOW = "2026-12-02T07:00"
CALLS = [
    group("acc_1", "2026-11-02T06:00:00Z", name="Argon", renewal_date="2026-12-10", mrr="48.90"),
    group("acc_2", "2026-11-01T06:00:00Z", name="Beacon", mrr="n/a"),
]


@pytest.fixture
def export(tmp_path: Path) -> Path:
    path = tmp_path / "export.ndjson"
    path.write_bytes(b"".join(orjson.dumps(call) + b"\n" for call in [*CALLS, CALLS[0]]))
    return path


def imported(*arguments: object) -> str:
    out = StringIO()
    call_command("import_segment", *map(str, arguments), "--workspace=orbiton", f"--now={NOW}", stdout=out)
    return out.getvalue()


def test_it_says_how_fast_it_was_and_what_it_could_not_keep(export: Path, orbiton: Workspace) -> None:
    out = imported(export)

    assert "3 calls in" in out
    assert "calls/s): 2 taken in, 1 repeated, 0 refused" in out
    assert 'refused  account.mrr  1      not a number           "n/a"' in out
    assert 'coerced  account.mrr  1      text read as a number  "48.90"' in out


def test_the_export_can_be_moved_so_that_it_ends_today(export: Path, orbiton: Workspace) -> None:
    imported(export, "--shift-to-today")
    with tenant_context(orbiton.tenant.pk):
        assert str(Account.objects.get(external_id="acc_1").renewal_on) == "2027-01-09"


def test_standard_input_is_read_too(monkeypatch: pytest.MonkeyPatch, orbiton: Workspace) -> None:
    monkeypatch.setattr(files, "standard_input", lambda: BufferedReader(BytesIO(orjson.dumps(CALLS[0]))))

    assert "1 taken in" in imported("-")
    with pytest.raises(CommandError, match="give it as a file"):
        imported("-", "--shift-to-today")


def test_an_unknown_workspace_and_a_missing_file_are_one_sentence(export: Path, orbiton: Workspace) -> None:
    with pytest.raises(CommandError, match="There is no workspace “nowhere”"):
        call_command("import_segment", str(export), "--workspace=nowhere")
    with pytest.raises(CommandError, match="No such file"):
        imported(export.with_suffix(".missing"))


def test_a_truncated_file_keeps_what_came_before(tmp_path: Path, orbiton: Workspace) -> None:
    path = tmp_path / "export.gz"
    lines = b"".join(orjson.dumps(group(f"acc_{n}", "2026-11-02T06:00:00Z")) + b"\n" for n in range(6_000))
    path.write_bytes(gzip.compress(lines)[:-2_000])
    with pytest.raises(CommandError, match="What was taken in before stays"):
        imported(path)
    with tenant_context(orbiton.tenant.pk):
        assert Account.objects.count() == 5_000
