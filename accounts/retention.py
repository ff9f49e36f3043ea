"""What has been kept long enough goes, in bounded bites; each workspace says how long (docs/data-in.md)."""

import logging
import time
from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from django.db import connection

from cs_platform.tenancy.context import tenant_context
from cs_platform.tenancy.models import Tenant

log = logging.getLogger(__name__)

SECONDS = 40.0
BITE = 5_000

# Table -> what of it is too old; `oldest` is a day for events and messages, a moment for changes.
_OLD: Mapping[str, str] = {
    "accounts_eventcount": "day < %(oldest)s",
    "accounts_ingestedmessage": "received_on < %(oldest)s",
    "accounts_traitchange": "at < %(oldest)s",
}


def forget_old(*, now: datetime, seconds: float = SECONDS) -> dict[str, int]:
    """Rows forgotten, by table. What the time does not suffice for is left to the next hour."""
    ends_at = time.monotonic() + seconds
    forgotten = dict.fromkeys(_OLD, 0)
    for tenant in Tenant.objects.order_by("?"):
        for table, oldest in _limits(tenant, now).items():
            forgotten[table] += _forget(tenant, table, oldest, lambda: time.monotonic() >= ends_at)
    return forgotten


def _limits(tenant: Tenant, now: datetime) -> dict[str, date]:
    """A message is remembered as long as an event it counted: brought again later, it could only count what goes."""
    first_day = now.astimezone(ZoneInfo(tenant.timezone)).date() - timedelta(days=tenant.event_days)
    return {
        "accounts_eventcount": first_day,
        "accounts_ingestedmessage": first_day,
        "accounts_traitchange": now - timedelta(days=tenant.history_days),
    }


def _forget(tenant: Tenant, table: str, oldest: datetime | date, is_over: Callable[[], bool]) -> int:
    total = 0
    try:
        while not is_over():
            with tenant_context(tenant.pk):
                found = _bite(tenant.pk, table, oldest)
            total += found
            if found < BITE:
                break
    except Exception:  # what one workspace's rows make impossible must not keep the others
        log.exception("old rows of %s in workspace %s could not be forgotten", table, tenant.pk)
    return total


def _bite(tenant_id: int, table: str, oldest: datetime | date) -> int:
    """Rows somebody is just writing are left for the next time."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"DELETE FROM {table} WHERE tenant_id = %(tenant)s AND id = ANY(ARRAY("
            f"SELECT id FROM {table} WHERE tenant_id = %(tenant)s AND {_OLD[table]} "
            f"LIMIT {BITE} FOR UPDATE SKIP LOCKED))",
            {"tenant": tenant_id, "oldest": oldest},
        )
        return int(cursor.rowcount)
