"""Calls from the sender to the tables: over HTTP into the buffer and out of it, and a large export within bounds."""

import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

from django.db import connection, connections

from accounts.models import Account, DataSource, EndUser, EventCount, IngestedMessage, ReceivedBatch, TraitProblem
from cs_platform.bench.calls import accounts_in, batches, call, lines
from cs_platform.bench.data import settle_tables
from cs_platform.bench.door import Delivery, Door, open_door
from cs_platform.bench.measure import Cost
from cs_platform.bench.profiles import NOW
from cs_platform.bench.report import Line, Report, rounded
from cs_platform.embedded.processes import end_group, spawn
from cs_platform.embedded.servers import ROOT
from cs_platform.tenancy.context import tenant_context
from cs_platform.tenancy.models import Tenant

MEGABYTE = 1_000_000
KILLS = 6
DRAINED_SECONDS = 600.0
WRITTEN = ["accounts_account", "accounts_enduser", "accounts_accountuser", "accounts_eventcount"]
WRITTEN += ["accounts_ingestedmessage", "accounts_receivedbatch"]


def ingest(calls: int, megabytes: int) -> Report:
    """Measured once over: then the same stream again, then anew while web processes are killed, then a file."""
    with open_door(os.environ) as door, _worker():
        _timed("warm-up", door, calls // 10)
        home, first = _timed("calls", door, calls)
        sums = _sums(home)
        _home, again = _timed("calls", door, calls)
        equal = _is_all_there(home, calls) and _sums(home) == sums
        survivor, killed = _timed("killed", door, calls, kills=KILLS)
        equal = equal and _is_all_there(survivor, calls)
    peak_mb, imported, seconds = _import("export", megabytes)
    report = {"calls": calls, "calls_per_s": rounded(calls / first), "peak_mb": rounded(peak_mb), "equal": equal}
    rows = {"over HTTP": (calls, first), "the same again": (calls, again), "web processes killed": (calls, killed)}
    rows["from a file"] = (imported, seconds)
    return Report(report, [Line(name, n, Cost(0, 0, 1000 * wall)) for name, (n, wall) in rows.items()])


def _timed(slug: str, door: Door, calls: int, *, kills: int = 0) -> tuple[Tenant, float]:
    """From the first request to the last row."""
    tenant, key = _source(slug)
    bodies = list(batches(calls))
    began = time.perf_counter()
    Delivery(door, bodies, key, kills).send()
    _await_drained(tenant)
    return tenant, time.perf_counter() - began


def _source(slug: str) -> tuple[Tenant, str]:
    tenant, _ = Tenant.objects.get_or_create(slug=slug, defaults={"name": slug.title(), "created_at": NOW})
    settle_tables(WRITTEN)
    with tenant_context(tenant.pk):
        return tenant, DataSource.open(name="Bench", by=_Nobody(), now=NOW)[1]


class _Nobody:
    actor = "import"
    member = None


@contextmanager
def _worker() -> Iterator[None]:
    """What takes in, as an installation without Celery runs it."""
    environment = {**os.environ, "PUMP_SECONDS": "0.1"}
    process = spawn([sys.executable, ROOT / "manage.py", "pump"], env=environment)
    try:
        yield
    finally:
        end_group(process)


def _await_drained(tenant: Tenant) -> None:
    deadline = time.monotonic() + DRAINED_SECONDS
    while True:
        with tenant_context(tenant.pk):
            if not ReceivedBatch.objects.exists():
                return
        if time.monotonic() > deadline:
            raise TimeoutError("the calls are not taken in")
        time.sleep(0.02)


# --- is it all there, once? -------------------------------------------------------------------------------------------


def _is_all_there(tenant: Tenant, calls: int) -> bool:
    said = [call(number, accounts_in(calls)) for number in range(calls)]
    events = Counter(item["event"] for item in said if item["type"] == "track")
    groups = {item["groupId"]: item["traits"] for item in said if item["type"] == "group"}
    users = {item["userId"] for item in said if "userId" in item}
    with tenant_context(tenant.pk):
        found: Counter[str] = Counter()
        for name, count in EventCount.objects.values_list("event_type__name", "count"):
            found[name] += count
        accounts = {
            account.external_id: (account.name, account.plan, account.mrr_cents, account.traits["seats"])
            for account in Account.objects.all()
        }
        wanted = {id: (one["name"], one["plan"], 100 * one["mrr"], one["seats"]) for id, one in groups.items()}
        return (
            found == events
            and accounts == wanted
            and set(EndUser.objects.values_list("external_id", flat=True)) == users
            and IngestedMessage.objects.count() == calls
            and not TraitProblem.objects.exists()
        )


def _sums(tenant: Tenant) -> list[Any]:
    """Of every column of every row."""
    tables = [table for table in WRITTEN if table != "accounts_receivedbatch"] + ["accounts_traitchange"]
    with tenant_context(tenant.pk), connection.cursor() as cursor:
        found = []
        for table in tables:
            cursor.execute(
                f"SELECT count(*), sum(hashtextextended(t::text, 0)) FROM {table} t WHERE tenant_id = %s", [tenant.pk]
            )
            found.append(cursor.fetchone())
        return found


# --- a large file -----------------------------------------------------------------------------------------------------


def _import(slug: str, megabytes: int) -> tuple[float, int, float]:
    """The most memory it ever held, in MB; calls; seconds."""
    tenant, _ = _source(slug)
    connections.close_all()  # it would idle for minutes
    with NamedTemporaryFile(suffix=".ndjson", dir=_scratch()) as export:
        calls = 0
        for line in lines(megabytes * MEGABYTE):
            export.write(line)
            calls += 1
        export.flush()
        began = time.perf_counter()
        command = [sys.executable, str(ROOT / "manage.py"), "import_segment", export.name, f"--workspace={tenant.slug}"]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - began
    if status:
        raise RuntimeError("import_segment ended with an error")
    return usage.ru_maxrss / 1024, calls, seconds


def _scratch() -> str:
    """On the disk of the checkout: what is meant for temporary files may be memory."""
    found = Path(ROOT / "var")
    found.mkdir(exist_ok=True)
    return str(found)
