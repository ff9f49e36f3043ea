"""Do what is due, without Celery: take calls in, evaluate, apply, deliver, jobs. Loops until stopped, or once."""

import time
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from accounts.ingest.draining import drain
from accounts.retention import forget_old
from cs_platform.jobs.pump import run_jobs
from cs_platform.tenancy.alone import serve_alone
from cs_platform.tenancy.clock import database_now
from cs_platform.tenancy.models import Heartbeat, WorkDue
from playbooks.pump import pump

QUEUES = (WorkDue.Queue.EVALUATE, WorkDue.Queue.APPLY, WorkDue.Queue.DELIVER)
FORGET_EVERY_SECONDS = 3600.0


class Command(BaseCommand):
    help = __doc__

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--once", action="store_true")

    def handle(self, *, once: bool, **options: Any) -> None:
        forgot_at = -FORGET_EVERY_SECONDS
        serve_alone()
        while True:
            drain()
            if time.monotonic() - forgot_at >= FORGET_EVERY_SECONDS:
                forget_old(now=database_now())
                forgot_at = time.monotonic()
            for queue in QUEUES:
                pump(queue)
            run_jobs()
            Heartbeat.beat(part="worker", now=database_now())
            if once:
                return
            time.sleep(settings.PUMP_SECONDS)
