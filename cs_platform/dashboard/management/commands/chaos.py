"""Kill, freeze and flush the real engine while it works, then count what was lost, doubled or stuck."""

import json
import secrets
import tempfile
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management import BaseCommand, CommandError

from cs_platform.chaos.run import Options, as_table, run_chaos
from cs_platform.chaos.world import Size
from cs_platform.tenancy.models import Tenant


class Command(BaseCommand):
    help = __doc__

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--seconds", type=float, default=75, help="how long faults are made (default: 75)")
        parser.add_argument("--seed", type=int, help="plans the faults; the same one makes the same plan")
        parser.add_argument("--accounts", type=int, default=100, help="of each of the four workspaces (default: 100)")
        parser.add_argument("--external", action="store_true", help="webhooks, Slack, Segment, Gmail, Intercom too")
        parser.add_argument("--json", action="store_true", help="one JSON object as the last line")

    def handle(self, *args: Any, **options: Any) -> None:
        if Tenant.objects.exists():
            raise CommandError("This database is in use. Chaos needs an empty one, as bin/chaos makes it.")
        seed = secrets.randbelow(1_000_000) if options["seed"] is None else options["seed"]
        logs = Path(tempfile.mkdtemp(prefix="chaos-"))
        self._say(f"seed {seed}; the workers write to {logs}")
        chosen = Options(options["seconds"], seed, options["external"], Size(accounts=options["accounts"]))
        verdict = run_chaos(chosen, logs=logs, say=self._say)
        self.stdout.write(as_table(verdict))
        if options["json"]:
            self.stdout.write(json.dumps(verdict.figures))
        if not verdict.is_sound:
            raise CommandError("The engine broke a promise: see above.")

    def _say(self, text: str) -> None:
        self.stdout.write(text)
        self.stdout.flush()
