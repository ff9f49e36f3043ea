"""Build the demo workspace: real customers' data, and sixty days lived through by the real engine."""

import time
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand

from cs_platform.dashboard.demo import WORKSPACE_SLUG
from cs_platform.demo.days import LIVED_DAYS, live_through
from cs_platform.demo.past import TOLD_DAYS
from cs_platform.demo.people import furnish
from cs_platform.demo.workspace import build_workspace, open_workspace
from cs_platform.tenancy.clock import database_now
from cs_platform.tenancy.models import Tenant


class Command(BaseCommand):
    help = __doc__

    def handle(self, **options: Any) -> None:
        if Tenant.objects.filter(slug=WORKSPACE_SLUG).exists():
            self.stdout.write("The demo workspace is here already.")
            return
        begun = time.monotonic()
        now = database_now()
        tenant = build_workspace(now=now - timedelta(days=LIVED_DAYS + TOLD_DAYS + 7))
        for line in live_through(tenant, now=now):
            self.stdout.write(f"{time.monotonic() - begun:5.1f} s  {line}")
        furnish(tenant, now=now)
        open_workspace(tenant)
        self.stdout.write(f"The demo workspace is ready after {time.monotonic() - begun:.0f} s.")
