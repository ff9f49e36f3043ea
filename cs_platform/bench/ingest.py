"""Calls from the sender to the tables: over HTTP into the buffer and out of it, and a large export within bounds."""

import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

import psutil
from django.db import connection, connections

from accounts.models import Account, DataSource, EndUser, EventCount, IngestedMessage, ReceivedBatch, TraitProblem
from cs_platform.bench.calls import accounts_in, batches, call, lines
from cs_platform.bench.data import settle_tables
from cs_platform.bench.door import Delivery, Door, open_door
from cs_platform.bench.measure import Cost, server_parent, spent_by_family
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
    with open_door(os.environ) as door, _worker() as worker:
        stage = Stage(door, worker, server_parent())
        stage.send("warm-up", calls // 10)
        home, first = stage.send("calls", calls)
        sums = _sums(home)
        _home, again = stage.send("calls", calls)
        equal = _is_all_there(home, calls) and _sums(home) == sums
        survivor, killed = stage.send("killed", calls, kills=KILLS)
        equal = equal and _is_all_there(survivor, calls)
    peak_mb, imported, cost = _import("export", megabytes)
    figures = {"calls": calls, "calls_per_s": rounded(calls / first.wall * 1000), "peak_mb": rounded(peak_mb)}
    rows = {"over HTTP": (calls, first), "the same again": (calls, again), "web processes killed": (calls, killed)}
    rows["from a file"] = (imported, cost)
    return Report(figures | {"equal": equal}, [Line(name, n, cost) for name, (n, cost) in rows.items()])


@dataclass(frozen=True, slots=True)
class Stage:
    """Who works between the sender and the tables: web processes, the worker, the database's server."""

    door: Door
    worker: int
    server: int

    def send(self, slug: str, calls: int, *, kills: int = 0) -> tuple[Tenant, Cost]:
        """From the first request to the last row."""
        tenant, key = _source(slug)
        delivery = Delivery(self.door, list(batches(calls)), key, kills)
        server, client, wall = self._spent(), time.process_time(), time.perf_counter()
        delivery.send()
        _await_drained(tenant)
        wall, client = time.perf_counter() - wall, time.process_time() - client
        return tenant, Cost((self._spent() - server) * 1000, client * 1000, wall * 1000)

    def _spent(self) -> float:
        return sum(spent_by_family(pid) for pid in (self.door.parent, self.worker, self.server) if pid)


def _source(slug: str) -> tuple[Tenant, str]:
    tenant, _ = Tenant.objects.get_or_create(slug=slug, defaults={"name": slug.title(), "created_at": NOW})
    settle_tables(WRITTEN)
    with tenant_context(tenant.pk):
        return tenant, DataSource.open(name="Bench", by=_Nobody(), now=NOW)[1]


class _Nobody:
    actor = "import"
    member = None


@contextmanager
def _worker() -> Iterator[int]:
    """What takes in, as an installation without Celery runs it."""
    environment = {**os.environ, "PUMP_SECONDS": "0.1"}
    process = spawn([sys.executable, ROOT / "manage.py", "pump"], env=environment)
    try:
        yield process.pid
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


def _import(slug: str, megabytes: int) -> tuple[float, int, Cost]:
    """The most memory it ever held, in MB; calls; what they cost, the server's share left out."""
    tenant, _ = _source(slug)
    connections.close_all()  # it would idle for minutes
    with NamedTemporaryFile(suffix=".ndjson", dir=_scratch()) as export:
        calls = 0
        for line in lines(megabytes * MEGABYTE):
            export.write(line)
            calls += 1
        export.flush()
        wall = time.perf_counter()
        command = [sys.executable, str(ROOT / "manage.py"), "import_segment", export.name, f"--workspace={tenant.slug}"]
        process = psutil.Popen(command, stdout=subprocess.DEVNULL)
        peak, cpu = _watched(process)
        wall = time.perf_counter() - wall
    if process.returncode:
        raise RuntimeError("import_segment ended with an error")
    return peak / MEGABYTE, calls, Cost(0, 1000 * cpu, 1000 * wall)


def _watched(process: psutil.Popen) -> tuple[int, float]:
    """Bytes at its highest and seconds of processor, looked at until it ends: what the kernel tells at the end
    (`ru_maxrss`) begins with the size of whoever started it."""
    peak, cpu = 0, 0.0
    while process.poll() is None:
        with suppress(psutil.NoSuchProcess):
            peak, times = max(peak, process.memory_info().rss), process.cpu_times()
            cpu = times.user + times.system
        time.sleep(0.02)
    return peak, cpu


def _scratch() -> str:
    """On the disk of the checkout: what is meant for temporary files may be memory."""
    found = Path(ROOT / "var")
    found.mkdir(exist_ok=True)
    return str(found)
