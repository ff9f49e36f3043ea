"""Beat without a file: interval ticks only, the first ones at once, and a row that says beat is alive."""

import logging
import time
from datetime import timedelta
from typing import Any

from celery.beat import Scheduler
from django.db import Error as DatabaseTrouble
from django.db import close_old_connections

HEARTBEAT_SECONDS = 10

logger = logging.getLogger(__name__)


class Ticker(Scheduler):
    """Nothing is lost with beat's memory: a tick only says "look now", and what is due stands in PostgreSQL."""

    _next_heartbeat = 0.0

    def setup_schedule(self) -> None:
        super().setup_schedule()
        for entry in self.schedule.values():
            entry.last_run_at = self.app.now() - timedelta(days=1)

    def tick(self, *args: Any, **options: Any) -> float:
        if time.monotonic() >= self._next_heartbeat:
            self._next_heartbeat = time.monotonic() + HEARTBEAT_SECONDS
            _write_heartbeat()
        return min(super().tick(*args, **options), HEARTBEAT_SECONDS / 2)


def _write_heartbeat() -> None:
    from cs_platform.tenancy.clock import database_now
    from cs_platform.tenancy.models import Heartbeat

    close_old_connections()
    try:
        Heartbeat.beat(part="beat", now=database_now())
    except DatabaseTrouble as error:
        logger.warning("No heartbeat: %s", error)
