"""What the door has kept is taken in, slice by slice: rows and their traces in one transaction, so each counts once."""

import logging
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import F
from django.db.models.functions import Coalesce

from accounts.ingest.bodies import CALL_BYTES
from accounts.ingest.calls import Delivered
from accounts.ingest.files import parsed, unreadable
from accounts.ingest.run import BATCH_CALLS, ingest_calls, is_passing
from accounts.models import DataSource, ReceivedBatch
from cs_platform.tenancy.clock import database_now
from cs_platform.tenancy.context import current_tenant_id, tenant_context
from cs_platform.tenancy.models import Tenant, WorkDue

log = logging.getLogger(__name__)

Clock = Callable[[], datetime]

SECONDS = 20.0
SLICE_BATCHES = 500
ATTEMPTS = 5
REST = timedelta(seconds=10)  # after the first failure; doubled with each further one
ENDED = "The process that took it in ended each time."
_ERROR_LIMIT = 1_000


@dataclass(frozen=True, slots=True)
class Slice:
    """Batches of one source that belong to this worker as long as their lease is the one it set."""

    tenant: Tenant
    batches: Sequence[ReceivedBatch]
    lease_until: datetime

    def rows(self) -> Any:
        return ReceivedBatch.objects.filter(
            pk__in=[batch.pk for batch in self.batches], lease_until=self.lease_until, failed_at__isnull=True
        )


def drain(*, seconds: float = SECONDS, clock: Clock = database_now) -> int:
    """Work until nothing waits or the time is up, workspaces in turns. Returns how many batches were taken in."""
    ends_at, total = time.monotonic() + seconds, 0
    while worked := sum(_take_turn(tenant, clock) for tenant in _whose_turn(clock()) if time.monotonic() < ends_at):
        total += worked
    return total


def _whose_turn(now: datetime) -> list[Tenant]:
    due = WorkDue.objects.filter(queue=WorkDue.Queue.INGEST, due_at__lte=now).select_related("tenant").order_by("?")
    return [work.tenant for work in due]


def _take_turn(tenant: Tenant, clock: Clock) -> int:
    """What one workspace's data makes impossible must not keep the others waiting."""
    try:
        claimed = _claim(tenant, clock())
        if claimed is None:
            _look_again(tenant)
            return 0
        return _worked_on(claimed, clock)
    except Exception:
        log.exception("taking in calls of workspace %s met an error", tenant.pk)
        return 0


def _worked_on(claimed: Slice, clock: Clock) -> int:
    try:
        return take_in(claimed, now=clock())
    except Exception as error:
        log.exception("batches %s could not be taken in", [batch.pk for batch in claimed.batches])
        _give_back(claimed, error, clock())
        return len(claimed.batches)


# --- claiming ---------------------------------------------------------------------------------------------------------


def _claim(tenant: Tenant, now: datetime) -> Slice | None:
    """Counted and committed before the work begins, so that a batch that kills its worker is found out."""
    with tenant_context(tenant.pk):
        free = ReceivedBatch.objects.free_at(now).order_by("pk")
        found = list(free.select_for_update(skip_locked=True, no_key=True).defer("body")[:SLICE_BATCHES])
        chosen = list(_chosen(_without_hopeless(found, now)))
        if not chosen:
            return None
        lease_until = now + timedelta(seconds=settings.LEASE_SECONDS)
        rows = ReceivedBatch.objects.filter(pk__in=[batch.pk for batch in chosen])
        rows.update(claims=F("claims") + 1, lease_until=lease_until)
    return Slice(tenant, chosen, lease_until)


def _without_hopeless(batches: Sequence[ReceivedBatch], now: datetime) -> list[ReceivedBatch]:
    """A failure gives a batch back with its error; one that was claimed as often and says nothing ends its process."""
    hopeless = [batch for batch in batches if batch.claims >= ATTEMPTS]
    if hopeless:
        rows = ReceivedBatch.objects.filter(pk__in=[batch.pk for batch in hopeless])
        rows.update(failed_at=now, lease_until=None, error=ENDED)
    return [batch for batch in batches if batch.claims < ATTEMPTS]


def _chosen(batches: Sequence[ReceivedBatch]) -> Iterator[ReceivedBatch]:
    """The oldest, with those of its source that follow; whatever failed before goes alone."""
    calls = 0
    for batch in batches:
        first = batches[0]
        is_fit = batch is first or (batch.source_id == first.source_id and not batch.claims and not first.claims)
        if is_fit and (batch is first or calls + batch.calls <= BATCH_CALLS):
            calls += batch.calls
            yield batch


# --- taking in --------------------------------------------------------------------------------------------------------


def take_in(claimed: Slice, *, now: datetime) -> int:
    """Batches whose lease has passed to somebody else are theirs: no row of them is found here, and none is read."""
    with tenant_context(claimed.tenant.pk):
        batches = list(claimed.rows().select_for_update(no_key=True).order_by("pk"))
        if batches:
            source = DataSource(pk=batches[0].source_id).actor
            ingest_calls(_calls(batches), tenant=claimed.tenant, source=source, now=now)
            ReceivedBatch.objects.filter(pk__in=[batch.pk for batch in batches]).delete()
    return len(batches)


def _calls(batches: Sequence[ReceivedBatch]) -> Iterator[Delivered]:
    for batch in batches:
        for line in zlib.decompress(batch.body).split(b"\n"):
            yield Delivered(_call(line), batch.received_at)


def _call(line: bytes) -> Any:
    return parsed(line) if len(line) <= CALL_BYTES else unreadable(line, f"larger than {CALL_BYTES // 1024} kB")


# --- what failed ------------------------------------------------------------------------------------------------------


def _give_back(claimed: Slice, error: Exception, now: datetime) -> None:
    """Each goes alone from now on. Having met somebody's lock is no fault of a batch and does not count."""
    claims = claimed.batches[0].claims + 1  # a slice of several was never claimed before
    words = {"error": f"{type(error).__name__}: {error}"[:_ERROR_LIMIT].replace("\0", "")}
    with tenant_context(claimed.tenant.pk):
        rows = claimed.rows()
        if is_passing(error):
            rows.update(claims=F("claims") - 1, lease_until=now + REST)
        elif len(claimed.batches) == 1 and claims >= ATTEMPTS:
            rows.update(failed_at=now, lease_until=None, **words)
        else:
            rows.update(lease_until=now + REST * 2 ** (claims - 1), **words)


def retry(source: DataSource, *, now: datetime) -> int:
    """A person has mended what was wrong: all that was set aside waits again, as if it had just come."""
    rows = ReceivedBatch.objects.set_aside().filter(source=source)
    retried = rows.update(failed_at=None, lease_until=None, claims=0, error="")
    if retried:
        WorkDue.announce(tenant_id=current_tenant_id(), queue=WorkDue.Queue.INGEST, due_at=now)
    return int(retried)


def _look_again(tenant: Tenant) -> None:
    """Set the next moment from the rows, or none. Whoever has the row's lock, or announces work, knows better."""
    with tenant_context(tenant.pk):
        mine = WorkDue.objects.filter(tenant=tenant, queue=WorkDue.Queue.INGEST)
        if not list(mine.select_for_update(skip_locked=True)):
            return
        waiting = ReceivedBatch.objects.waiting().annotate(at=Coalesce("lease_until", "received_at"))
        due_at = waiting.order_by("at").values_list("at", flat=True).first()
        if due_at is None:
            mine.delete()
        else:
            mine.update(due_at=due_at)
