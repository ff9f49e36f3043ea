"""The door: calls are safe in one row before anybody hears that they were accepted; draining.py takes them in."""

import time
import zlib
from collections.abc import Sequence
from datetime import datetime

from django.db.models import Count, Sum

from accounts.models import DataSource, ReceivedBatch
from cs_platform.tenancy.clock import database_now
from cs_platform.tenancy.context import current_tenant_id, tenant_context
from cs_platform.tenancy.models import Credential, WorkDue, hash_token

# What may wait of one workspace before senders are asked to be patient.
WAITING_CALLS = 500_000
WAITING_BATCHES = 20_000
RETRY_SECONDS = 30
LOOK_EVERY_SECONDS = 1.0
_KEY_LIMIT = 100


class UnknownWriteKey(Exception):
    """No source that is open has this key."""


class TooMuchWaiting(Exception):
    """The workers are behind: the sender keeps the calls and tries again."""


def receive(lines: Sequence[bytes], *, write_key: str) -> None:
    """When this returns, the calls are committed."""
    credential = _credential(write_key)
    with tenant_context(credential.tenant_id):
        now = database_now()
        source = DataSource.objects.filter(token_hash=credential.token_hash, revoked_at__isnull=True).first()
        if source is None:
            raise UnknownWriteKey
        if lines:
            _keep(lines, source, now)


def _credential(write_key: str) -> Credential:
    if not write_key.startswith(DataSource.PREFIX) or len(write_key) > _KEY_LIMIT or not write_key.isascii():
        raise UnknownWriteKey
    found = Credential.objects.filter(token_hash=hash_token(write_key), kind=Credential.Kind.WRITE_KEY).first()
    if found is None:
        raise UnknownWriteKey
    return found


def _keep(lines: Sequence[bytes], source: DataSource, now: datetime) -> None:
    tenant_id = current_tenant_id()
    if _backlog.is_full(tenant_id):
        raise TooMuchWaiting
    ReceivedBatch.objects.create(
        source=source, received_at=now, calls=len(lines), body=zlib.compress(b"\n".join(lines), 1)
    )
    source.remember_receipt(now=now)
    WorkDue.announce(tenant_id=tenant_id, queue=WorkDue.Queue.INGEST, due_at=now)


class Backlog:
    """Counted once a second and process: the bound protects disks, so it need not be exact."""

    def __init__(self) -> None:
        self._found: dict[int, tuple[float, bool]] = {}

    def is_full(self, tenant_id: int) -> bool:
        looked_at, is_full = self._found.get(tenant_id, (-LOOK_EVERY_SECONDS, False))
        if time.monotonic() - looked_at >= LOOK_EVERY_SECONDS:
            is_full = _is_full()
            self._found[tenant_id] = (time.monotonic(), is_full)
        return is_full


def _is_full() -> bool:
    """Of the tenant in force. What is set aside waits for a person and counts as well."""
    first = ReceivedBatch.objects.order_by("pk").values("pk", "calls")[:WAITING_BATCHES]
    found = first.aggregate(batches=Count("pk"), calls=Sum("calls"))
    return found["batches"] >= WAITING_BATCHES or (found["calls"] or 0) >= WAITING_CALLS


_backlog = Backlog()
