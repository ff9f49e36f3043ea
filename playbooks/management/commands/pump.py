"""Do what is due, without Celery: evaluate, apply, deliver. Loops until stopped, or works once with --once."""

import time
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from cs_platform.tenancy.alone import serve_alone
from cs_platform.tenancy.clock import database_now
from cs_platform.tenancy.models import Heartbeat, WorkDue
from playbooks.pump import pump

QUEUES = (WorkDue.Queue.EVALUATE, WorkDue.Queue.APPLY, WorkDue.Queue.DELIVER)


class Command(BaseCommand):
    help = __doc__

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--once", action="store_true")

    def handle(self, *, once: bool, **options: Any) -> None:
        serve_alone()
        while True:
            for queue in QUEUES:
                pump(queue)
            Heartbeat.beat(part="worker", now=database_now())
            if once:
                return
            time.sleep(settings.PUMP_SECONDS)
