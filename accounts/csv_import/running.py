"""An import at work: tried without leaving a trace, done, and taken back. All of them are jobs."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import ClassVar

from django.db import transaction

from accounts.csv_import.files import CsvRefused, Place, Row, rows_from
from accounts.csv_import.mapping import MappingFaults, checked
from accounts.csv_import.reading import RowReader, define_new, merged
from accounts.csv_import.undoing import Snapshot, restore
from accounts.definitions import CannotDefine
from accounts.ingest import problems
from accounts.ingest.upsert import Item, Result, upsert_accounts, upsert_users
from accounts.models import CsvImport, CsvPart
from cs_platform.jobs.kinds import Failure, JobKind, JobRefused, Slice
from cs_platform.jobs.models import Job, JobItem
from cs_platform.jobs.starting import start_job
from cs_platform.tenancy.context import current_tenant_id
from cs_platform.tenancy.models import Doer, Membership
from cs_platform.tenancy.roles import Ability

CHECK, RUN = "check_import", "run_import"
AT_ONCE = 1_000
OUTCOMES = ("created", "updated", "unchanged", "refused")


class CannotImport(ValueError):
    """The text says why not now."""


@dataclass(frozen=True, slots=True)
class ByImport:
    """Whoever writes what a file says: histories and writers name the import."""

    made: CsvImport

    @property
    def actor(self) -> str:
        return f"import:{self.made.pk}"

    @property
    def member(self) -> Membership | None:
        member: Membership | None = self.made.created_by
        return member


def set_mapping(made: CsvImport, columns: Mapping[str, str], *, clear_empty: bool = False) -> None:
    """Raises MappingFaults, and CannotImport once it has run."""
    if made.state not in (CsvImport.State.UPLOADED, CsvImport.State.CHECKED, CsvImport.State.CANCELLED):
        raise CannotImport("This import has run. Upload the file again to import it differently.")
    made.mapping = {"columns": checked(made, columns), "clear_empty": clear_empty}
    made.state, made.result, made.rows = CsvImport.State.UPLOADED, {}, None
    made.save(update_fields=["mapping", "state", "result", "rows"])


def start_check(made: CsvImport, *, by: Doer, now: datetime) -> Job:
    _refuse_unmapped(made)
    _refuse_busy(made)
    return start_job(CHECK, title=f"Dry run of {made.file_name}", params={"import": made.pk}, by=by, now=now)


def start_run(made: CsvImport, *, by: Doer, now: datetime) -> Job:
    """Only once: whoever comes second is told so."""
    _refuse_unmapped(made)
    _refuse_busy(made)
    ready = (CsvImport.State.CHECKED, CsvImport.State.UPLOADED, CsvImport.State.CANCELLED)
    if not CsvImport.objects.filter(pk=made.pk, state__in=ready).update(state=CsvImport.State.RUNNING, result={}):
        raise CannotImport("This import has run already.")
    return start_job(RUN, title=f"Import of {made.file_name}", params={"import": made.pk}, by=by, now=now)


def job_of(made: CsvImport, kind: str) -> Job | None:
    """The latest of this kind."""
    found: Job | None = Job.objects.filter(kind=kind, params={"import": made.pk}).order_by("-pk").first()
    return found


def _refuse_unmapped(made: CsvImport) -> None:
    if not made.mapping.get("columns"):
        raise CannotImport("Say first what each column becomes.")


def _refuse_busy(made: CsvImport) -> None:
    if Job.objects.waiting().filter(kind__in=(CHECK, RUN), params={"import": made.pk}).exists():
        raise CannotImport("A job is at work on this file. Wait until it is over, or cancel it.")


# --- one slice --------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Slice:
    rows: list[Row]
    refused: dict[int, str]  # row → why
    results: list[Result]
    reader: RowReader
    snapshot: Snapshot | None

    @property
    def counts(self) -> dict[str, int]:
        found = [result.outcome for result in self.results if not result.faults]
        return {name: found.count(name) for name in OUTCOMES[:3]} | {"refused": len(self.refused)}

    @property
    def failures(self) -> list[Failure]:
        return [Failure(number, why, f"Row {number}") for number, why in sorted(self.refused.items())]


class _OnFile(JobKind):
    ability: ClassVar[Ability] = Ability.MANAGE_DATA

    def count(self, job: Job, *, now: datetime) -> int | None:
        return _import_of(job).rows

    def step(self, job: Job, *, now: datetime) -> Slice:
        made = _import_of(job)
        start = Place(job.cursor.get("at", 0), job.cursor.get("row", 0))
        rows = _read(made, start)
        if not rows:
            return Slice(None)
        return self._work(job, made, rows, {"at": rows[-1].next.at, "row": rows[-1].next.row}, now)

    @abstractmethod
    def _work(self, job: Job, made: CsvImport, rows: list[Row], cursor: dict[str, int], now: datetime) -> Slice: ...

    def says(self, job: Job) -> str:
        words = {"created": "new", "updated": "changed", "unchanged": "as they were", "refused": "refused"}
        found = [f"{job.result[name]:,} {said}" for name, said in words.items() if job.result.get(name)]
        return ", ".join(found) or "No row"


class CheckImport(_OnFile):
    """The import itself, slice by slice, each rolled back: a rehearsal cannot differ from what it rehearses."""

    key = CHECK
    label = "Dry run"
    icon = "eye"

    def _work(self, job: Job, made: CsvImport, rows: list[Row], cursor: dict[str, int], now: datetime) -> Slice:
        with transaction.atomic():
            done = _take_in(made, rows, now)
            transaction.set_rollback(True)
        return Slice(cursor, done=len(rows) - len(done.refused), failures=done.failures, counts=done.counts)

    def ended(self, job: Job, *, now: datetime) -> None:
        if job.state == Job.State.DONE:
            rows = job.done + job.failed
            made = CsvImport.objects.filter(pk=job.params["import"], state=CsvImport.State.UPLOADED)
            made.update(state=CsvImport.State.CHECKED, rows=rows, result=job.result)


class RunImport(_OnFile):
    key = RUN
    label = "Import"
    icon = "inbox"
    can_undo = True
    event = "account:changed"

    def _work(self, job: Job, made: CsvImport, rows: list[Row], cursor: dict[str, int], now: datetime) -> Slice:
        actor = ByImport(made).actor
        done = _take_in(made, rows, now, remember=True)
        problems.save(done.reader.problems, tenant_id=current_tenant_id(), source=actor, now=now)
        items = done.snapshot.items(job) if done.snapshot else []
        return Slice(
            cursor, done=len(rows) - len(done.refused), failures=done.failures, counts=done.counts, items=items
        )

    def ended(self, job: Job, *, now: datetime) -> None:
        ends = {Job.State.DONE: CsvImport.State.DONE}
        made = CsvImport.objects.filter(pk=job.params["import"])
        made.update(state=ends.get(Job.State(job.state), CsvImport.State.CANCELLED), result=job.result, finished_at=now)
        if job.state == Job.State.DONE:
            CsvPart.objects.filter(csv_import_id=job.params["import"]).delete()

    def undo_ended(self, job: Job, *, by: Job, now: datetime) -> None:
        if by.state == Job.State.DONE:
            CsvImport.objects.filter(pk=job.params["import"]).update(state=CsvImport.State.UNDONE)

    def restore(self, job: Job, items: Sequence[JobItem], *, by: Job, now: datetime) -> Mapping[str, str]:
        made = _import_of(job)
        return restore(made, items, tenant=job.tenant, undone=ByImport(made).actor, actor=f"job:{by.pk}", now=now)


def _import_of(job: Job) -> CsvImport:
    made: CsvImport | None = CsvImport.objects.select_related("created_by").filter(pk=job.params["import"]).first()
    if made is None:
        raise JobRefused("The file is not here any more.")
    return made


def _read(made: CsvImport, start: Place) -> list[Row]:
    """The next rows; the heading is none."""
    try:
        rows = rows_from(made, start)
        if not start.row:
            next(rows, None)
        return list(islice(rows, AT_ONCE))
    except CsvRefused as refusal:
        raise JobRefused(str(refusal)) from None


def _take_in(made: CsvImport, rows: list[Row], now: datetime, *, remember: bool = False) -> "_Slice":
    try:
        checked(made, made.mapping["columns"])
        define_new(made, by=ByImport(made), now=now)
    except (MappingFaults, CannotDefine) as refusal:
        raise JobRefused(str(refusal)) from None
    reader = RowReader.of(made, tenant=made.tenant)
    refused: dict[int, str] = {}
    items: list[tuple[Row, Item]] = []
    for row in rows:
        found = reader.item(row)
        if isinstance(found, str):
            refused[row.number] = found
        else:
            items.append((row, found))
    return _written(made, rows, items, refused, reader, now, remember=remember)


def _written(
    made: CsvImport,
    rows: list[Row],
    items: list[tuple[Row, Item]],
    refused: dict[int, str],
    reader: RowReader,
    now: datetime,
    *,
    remember: bool,
) -> "_Slice":
    one_each = merged(items)
    upsert = upsert_accounts if made.scope == CsvImport.Scope.ACCOUNT else upsert_users
    snapshot = Snapshot.of(made.scope, list(one_each)) if remember else None
    results = upsert([item for _row, item in one_each.values()], tenant=made.tenant, by=ByImport(made), now=now)
    for (row, _item), result in zip(one_each.values(), results, strict=True):
        if result.faults:
            refused[row.number] = " ".join(fault.message for fault in result.faults)
    if snapshot is not None:
        snapshot.compare(results, now=now)
    return _Slice(rows, refused, results, reader, snapshot)
