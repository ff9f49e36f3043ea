"""Short words for uploading, mapping and running a file."""

from typing import Any

from accounts.csv_import.files import keep_upload
from accounts.csv_import.mapping import guess
from accounts.csv_import.running import set_mapping, start_check, start_run
from accounts.models import CsvImport
from cs_platform.jobs import starting
from cs_platform.jobs.models import Job
from cs_platform.jobs.pump import run_jobs
from tests.world import MONDAY, Workspace, days

LATER = MONDAY + days(1)


def upload(home: Workspace, content: bytes | str, *, scope: str = "account", **options: Any) -> CsvImport:
    raw = content.encode() if isinstance(content, str) else content
    chunks = [raw[at : at + 64_000] for at in range(0, len(raw), 64_000)]
    return keep_upload(chunks, scope=scope, file_name="file.csv", by=home.maya, now=MONDAY, **options)


def mapped(home: Workspace, content: bytes | str, columns: dict[str, str] | None = None, **options: Any) -> CsvImport:
    """With the guesses, where nothing else is said."""
    clear = options.pop("clear_empty", False)
    made = upload(home, content, **options)
    set_mapping(made, guess(made) | (columns or {}), clear_empty=clear)
    return made


def check(home: Workspace, made: CsvImport) -> Job:
    return _over(start_check(made, by=home.maya, now=MONDAY))


def run(home: Workspace, made: CsvImport, *, now: Any = MONDAY) -> Job:
    return _over(start_run(made, by=home.maya, now=now), now=now)


def undo(home: Workspace, job: Job, *, now: Any = LATER) -> Job:
    return _over(starting.undo(job, by=home.maya, now=now), now=now)


def _over(job: Job, *, now: Any = MONDAY) -> Job:
    run_jobs(clock=lambda: now)
    return Job.objects.get(pk=job.pk)


def fresh(made: CsvImport) -> CsvImport:
    return CsvImport.objects.get(pk=made.pk)
